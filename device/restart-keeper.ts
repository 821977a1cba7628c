// A restart of the service that somebody asked for: checked when it is asked for and again when it is time, waits for the last call
// to end or does not, and is given up rather than cut a call off that it was told to wait for. The service itself ends and begins
// elsewhere.
import type { Clock } from "./base/clock.js";
import type { LoadedConfig } from "./config/load.js";
import { ConfigurationRefused } from "./configuration-keeper.js";

export type RestartTime = "idle" | "now";
/** What became of it: it begins, calls went on for too long, or the configuration has become wrong meanwhile. */
export type RestartOutcome = "begun" | "given-up" | "refused";

/** Longest wait for the last call's end. */
export const PATIENCE_S = 3600;
const LOOK_EVERY_MS = 1000;
/** For the answer to be on its way before anything ends. */
const ANSWER_FIRST_MS = 250;

export interface RestartKeeperOptions {
  clock: Clock;
  /** In progress. */
  calls(): number;
  /** The configuration to start with; throws ConfigurationRefused. */
  reload(): LoadedConfig;
  /** Ends the service; it is started again with this configuration. */
  restart(next: LoadedConfig): void;
  /** Told once for each that was asked for; `why` with `refused`. */
  note(outcome: RestartOutcome, why: string): void;
}

export class RestartKeeper {
  readonly #options: RestartKeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #isGoing = false;

  constructor(options: RestartKeeperOptions) {
    this.#options = options;
  }

  /**
   * undefined: one is under way already, and this one is no sooner. Throws ConfigurationRefused when the service could not be
   * started again as the configuration is.
   */
  ask(when: RestartTime): { calls: number; withinS: number } | undefined {
    if (this.#isGoing || (this.#timer !== undefined && when === "idle")) return undefined;
    this.#options.reload();
    clearTimeout(this.#timer);
    const calls = this.#options.calls();
    if (when === "now" || calls === 0) {
      this.#isGoing = true;
      this.#timer = setTimeout(() => this.#go(), ANSWER_FIRST_MS);
      return { calls, withinS: 1 };
    }
    this.#wait(this.#options.clock.monotonicMs() + PATIENCE_S * 1000);
    return { calls, withinS: PATIENCE_S };
  }

  /** The service ends: there is nothing to restart any more. */
  stop(): void {
    this.#isGoing = true;
    clearTimeout(this.#timer);
  }

  #wait(untilMs: number): void {
    this.#timer = setTimeout(() => {
      if (this.#options.calls() === 0) this.#go();
      else if (this.#options.clock.monotonicMs() >= untilMs) this.#over("given-up", "");
      else this.#wait(untilMs);
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  #go(): void {
    let next: LoadedConfig;
    try {
      next = this.#options.reload();
    } catch (error) {
      this.#over("refused", error instanceof ConfigurationRefused ? error.message : String(error));
      return;
    }
    this.#isGoing = true;
    this.#options.note("begun", "");
    this.#options.restart(next);
  }

  #over(outcome: RestartOutcome, why: string): void {
    this.#timer = undefined;
    this.#isGoing = false;
    this.#options.note(outcome, why);
  }
}

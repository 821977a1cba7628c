// How long a pull waits for a box that restarts, is busy or cannot be reached: longer from try to try, for as long as the person
// said since it last answered. One for all requests of a run, so that a box that is gone is one outage and not many.
import type { HostError } from "../errors.js";

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 15_000;

export interface PatienceOptions {
  /** Infinity: for ever. */
  limitMs: number;
  now(): number;
  random(): number;
  /** Resolves early, without throwing, when the signal is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** Once for each outage. */
  onOutage(reason: string): void;
  onBack(outageMs: number): void;
}

export class Patience {
  readonly #options: PatienceOptions;
  /** When the first of the requests failed after which none succeeded. */
  #outageAt: number | undefined;

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /** The box has answered. */
  answered(): void {
    const since = this.#outageAt;
    if (since === undefined) return;
    this.#outageAt = undefined;
    this.#options.onBack(this.#options.now() - since);
  }

  /** Before the `attempt`th try anew, from 1. Throws `fault` when that has been going on for long enough. */
  async pause(attempt: number, fault: HostError, leastMs: number, signal: AbortSignal): Promise<void> {
    const { limitMs, now, random, wait, onOutage } = this.#options;
    if (this.#outageAt === undefined) {
      this.#outageAt = now();
      onOutage(fault.message);
    }
    if (now() - this.#outageAt >= limitMs) throw fault;
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(10, attempt - 1));
    // Not all at once when it is back.
    await wait(Math.max(leastMs, longest * (0.5 + random() / 2)), signal);
    signal.throwIfAborted();
  }
}

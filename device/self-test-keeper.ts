// The self-test of a running box: when one is made, that there are never two, what becomes of its result (log, alarm, audit chain, MQTT).
// One that the box cannot make at the moment is skipped and tried again soon; so is one that failed, so that the alarm goes as soon as
// its cause has. What a test is made of is self-test-run.ts's.
import { randomInt } from "node:crypto";
import { type Clock, isoUs, systemClock } from "./base/clock.js";
import type { Logger } from "./base/logger.js";
import type { AlarmDesk } from "./contract/alarms.js";
import type { AuditEntryInput } from "./contract/audit.js";
import type { Config } from "./contract/config.js";
import type { SelfTestOutcome, ServiceToEngine } from "./contract/engine-messages.js";
import type { SelfTestDesk, SelfTestReport } from "./contract/self-test.js";
import { selfTestConfig } from "./self-test-config.js";
import { type EngineAnswer, inTime, type SelfTestEdges, SelfTestRun } from "./self-test-run.js";

const HOUR_MS = 3_600_000;
/** After one that was skipped or has failed. */
const AGAIN_MS = 600_000;
/** At random, of the time until the next: a hundred boxes on one host do not test themselves at once. */
const SPREAD = 0.25;
/** The call lasts two and a half seconds, and call.tailMs up to five; the engine gives it ten more before it closes it. */
const ENGINE_MS = 20_000;

export interface SelfTestKeeperOptions {
  config: Config;
  logger: Logger;
  alarms: AlarmDesk;
  audit(entry: AuditEntryInput): void;
  show(report: SelfTestReport): void;
  /** Why none can be made now; "" = one can. */
  obstacle(): string;
  /** False while there is no engine. */
  send(message: ServiceToEngine): boolean;
  journalKey(folder: string): Uint8Array | undefined;
  /** What else a run needs. */
  edges(): Omit<SelfTestEdges, "askEngine" | "releaseEngine" | "signal" | "recipients">;
  clock?: Clock;
  /** How long the engine may take; only tests give another time. */
  engineMs?: number;
}

interface Asked {
  id: number;
  answer(answer: EngineAnswer): void;
  fail(error: Error): void;
}

export class SelfTestKeeper implements SelfTestDesk {
  private readonly options: SelfTestKeeperOptions;
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<SelfTestReport> | undefined;
  private asked: Asked | undefined;
  private nextId = 1;
  private isStarted = false;

  constructor(options: SelfTestKeeperOptions) {
    this.options = options;
  }

  /** Capture works. A second call is the same. */
  start(): void {
    if (this.isStarted || this.stopping.signal.aborted) return;
    this.isStarted = true;
    const { everyHours, firstAfterS } = this.options.config.selfTest;
    // What a killed service left.
    this.clearLeftovers();
    if (everyHours > 0) this.schedule(firstAfterS * 1000);
  }

  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.stopping.abort();
    await this.running;
  }

  selfTest(): Promise<SelfTestReport> {
    this.running ??= this.make().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** The engine has answered; an answer that nobody waits for any more is let go. */
  answered(id: number, outcome: SelfTestOutcome, journalFolder: string): void {
    if (this.asked?.id !== id) return;
    this.asked.answer({ outcome, journalFolder, journalKey: this.options.journalKey(journalFolder) });
  }

  engineGone(): void {
    this.asked?.fail(new Error("the engine was lost meanwhile"));
  }

  /** At the soonest; up to SPREAD later. */
  private schedule(afterMs: number): void {
    if (this.stopping.signal.aborted) return;
    const ms = afterMs + randomInt(Math.ceil(afterMs * SPREAD));
    this.timer = setTimeout(() => {
      const { everyHours } = this.options.config.selfTest;
      void this.selfTest().then(({ result }) =>
        this.schedule(result === "pass" ? (everyHours * HOUR_MS) / (1 + SPREAD) : AGAIN_MS),
      );
    }, ms).unref();
  }

  private async make(): Promise<SelfTestReport> {
    const { logger, obstacle, clock = systemClock } = this.options;
    const reason = this.stopping.signal.aborted ? "the service stops" : obstacle();
    if (reason !== "") {
      logger.info("the self-test was skipped", { reason });
      return { at: isoUs(clock.nowUs()), result: "skipped", reason, steps: [], durationMs: 0 };
    }
    const id = this.nextId++;
    const report = await new SelfTestRun({
      ...this.options.edges(),
      recipients: this.options.config.encryption.recipients,
      askEngine: (seed) => this.askEngine(id, seed),
      releaseEngine: () => void this.options.send({ type: "self-test-over", id }),
      signal: this.stopping.signal,
    }).run();
    if (report.result !== "skipped") this.tell(report);
    return report;
  }

  private askEngine(id: number, seed: string): Promise<EngineAnswer> {
    const { config, send, engineMs = ENGINE_MS } = this.options;
    const answer = new Promise<EngineAnswer>((answer, fail) => {
      this.asked = { id, answer, fail };
      if (!send({ type: "self-test", id, seed, config: selfTestConfig(config) })) fail(new Error("there is no engine"));
    });
    return inTime(answer, engineMs, "the engine did not answer in time", this.stopping.signal).finally(() => {
      this.asked = undefined;
    });
  }

  private tell(report: SelfTestReport): void {
    const { logger, alarms, audit, show } = this.options;
    const { result, durationMs, steps } = report;
    const failed = steps.find(({ ok }) => !ok);
    if (failed) {
      logger.error(`the self-test failed: ${failed.detail}`, { step: failed.step });
      alarms.raise("self-test-failed", { step: failed.step, reason: failed.detail });
    } else {
      logger.info("the self-test passed", { durationMs });
      alarms.clear("self-test-failed");
    }
    audit({
      kind: "self-test",
      actor: "service",
      detail: { result, durationMs, step: failed?.step ?? "", reason: failed?.detail ?? "" },
    });
    show(report);
  }

  private clearLeftovers(): void {
    try {
      this.options.edges().files.clear();
    } catch (error) {
      this.options.logger.warn("what an earlier self-test left cannot be removed", { message: String(error) });
    }
  }
}

// The SPAN doctor of a running box: feeds it with what the engine reports, looks at the interfaces now and then, says what it
// finds (retained over MQTT, an alarm) and answers who asks. What the checks mean is health/span/'s.
import { z } from "zod";
import { type Ask, askProgram } from "./base/ask-program.js";
import { type Clock, systemClock } from "./base/clock.js";
import { type InterfaceFacts, readInterfaceFacts } from "./capture/interface-facts.js";
import type { CallRecord } from "./contract/call-record.js";
import type { Config } from "./contract/config.js";
import type { EngineCounters } from "./contract/engine-messages.js";
import type { ClockState } from "./contract/manifest.js";
import type { SpanFigures, SpanReport } from "./contract/span.js";
import type { AlarmBook } from "./health/alarms.js";
import { SpanDoctor } from "./health/span/doctor.js";
import { type SpoolKinds, spoolKind } from "./store/spool-kinds.js";

export const SPAN_REQUEST = "span";
const LOOK_EVERY_MS = 5000;
/** Offloads change when somebody changes them: a program is not started at each look for them. */
const ASK_EVERY_MS = 60_000;
/** What is younger is fresh. */
const FRESH_MS = 1000;
/** A report that says nothing new is published all the same so often: its figures move. */
const PUBLISH_EVERY_MS = 60_000;
/** A fault must be found so often in a row to be an alarm, and be gone as often to be none. */
const STEADY_LOOKS = 3;
/** Whoever asks for a report does not want one of an hour ago. */
const MAX_REQUEST_AGE_MS = 60_000;
/** What has an alarm of its own. */
const ALARMED_ELSEWHERE = new Set<string>(["no-link", "kernel-drops", "interface-drops", "agents-not-configured"]);

export interface SpanKeeperOptions {
  config: Config;
  alarms: Pick<AlarmBook, "raise" | "clear" | "isStanding">;
  clock?: Clock;
  clockState(): ClockState;
  readInterface?(name: string, ask: Ask): Promise<InterfaceFacts | undefined>;
  ask?: Ask;
  show(report: SpanReport): void;
}

export class SpanKeeper {
  private readonly options: SpanKeeperOptions;
  private readonly clock: Clock;
  private readonly doctor: SpanDoctor;
  private interfaces: string[] = [];
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private shown = "";
  private shownAtMs = Number.NEGATIVE_INFINITY;
  private asked: { atMs: number; report: Promise<SpanReport> } | undefined;
  /** What programs have said, by what they were asked: of the interfaces that are captured on. */
  private readonly said = new Map<string, { atMs: number; output: Promise<string | undefined> }>();
  private faulty = 0;
  private sound = 0;

  constructor(options: SpanKeeperOptions) {
    this.options = options;
    this.clock = options.clock ?? systemClock;
    this.doctor = new SpanDoctor(options.config, this.clock, true);
  }

  /** Capture works on these interfaces. */
  capturing(interfaces: readonly string[]): void {
    this.interfaces = [...interfaces];
    if (this.timer !== undefined) return;
    this.timer = setInterval(() => {
      this.looking = this.look();
    }, LOOK_EVERY_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  noteFigures(figures: SpanFigures): void {
    this.doctor.noteFigures(figures);
  }

  noteCounters(counters: EngineCounters): void {
    this.doctor.noteCounters(counters);
  }

  noteCall(record: CallRecord): void {
    this.doctor.noteCall(record);
  }

  /** Everything is looked at now. */
  report(): Promise<SpanReport> {
    this.said.clear();
    return this.reportOf((program, args) => this.askNowAndThen(program, args));
  }

  private async reportOf(ask: Ask): Promise<SpanReport> {
    const read = this.options.readInterface ?? readInterfaceFacts;
    const facts = await Promise.all(this.interfaces.map((name) => read(name, ask)));
    return this.doctor.report({
      interfaces: facts.filter((one) => one !== undefined),
      clock: this.options.clockState(),
      clockStepped: this.options.alarms.isStanding("clock-stepped"),
    });
  }

  private askNowAndThen(program: string, args: readonly string[]): Promise<string | undefined> {
    const key = [program, ...args].join(" ");
    const nowMs = this.clock.monotonicMs();
    const before = this.said.get(key);
    if (before && nowMs - before.atMs < ASK_EVERY_MS) return before.output;
    const output = (this.options.ask ?? askProgram)(program, args);
    this.said.set(key, { atMs: nowMs, output });
    return output;
  }

  /** A report of the last second for all who ask: each look at an interface asks a program. */
  shared(): Promise<SpanReport> {
    const nowMs = this.clock.monotonicMs();
    if (this.asked === undefined || nowMs - this.asked.atMs >= FRESH_MS)
      this.asked = { atMs: nowMs, report: this.report() };
    return this.asked.report;
  }

  /** For a command beside the service. */
  kinds(): SpoolKinds {
    return {
      [SPAN_REQUEST]: spoolKind({
        body: z.strictObject({}),
        carryOut: async () => ({ report: await this.report() }),
        maxAgeMs: MAX_REQUEST_AGE_MS,
      }),
    };
  }

  /** Looks, and says what is to be said. */
  async look(): Promise<void> {
    const report = await this.reportOf((program, args) => this.askNowAndThen(program, args));
    this.alarm(report);
    const states = JSON.stringify(
      report.checks.map(({ state, findings }) => [state, findings.map(({ code }) => code)]),
    );
    const nowMs = this.clock.monotonicMs();
    if (states === this.shown && nowMs - this.shownAtMs < PUBLISH_EVERY_MS) return;
    this.shown = states;
    this.shownAtMs = nowMs;
    this.options.show(report);
  }

  private alarm(report: SpanReport): void {
    const faults = report.checks
      .filter(({ state }) => state === "fail")
      .flatMap(({ findings }) => findings.map(({ code }) => code))
      .filter((code) => !ALARMED_ELSEWHERE.has(code));
    this.faulty = faults.length > 0 ? this.faulty + 1 : 0;
    this.sound = faults.length > 0 ? 0 : this.sound + 1;
    if (this.faulty >= STEADY_LOOKS)
      this.options.alarms.raise("span-fault", { faults: [...new Set(faults)].join(", ") });
    else if (this.sound >= STEADY_LOOKS) this.options.alarms.clear("span-fault");
  }
}

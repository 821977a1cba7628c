// The SPAN doctor on synthesised traffic, in this process: frames through the engine's pipeline, what it counts and reports to
// the doctor, as the engine and the service do.
import type { InterfaceFacts } from "../../device/capture/interface-facts.js";
import type { Config } from "../../device/contract/config.js";
import type { EngineCounters, SourceCounters } from "../../device/contract/engine-messages.js";
import type { ClockState } from "../../device/contract/manifest.js";
import type { SpanCheckId, SpanReport } from "../../device/contract/span.js";
import { SpanDoctor } from "../../device/health/span/doctor.js";
import { makeFolder, removeFolder } from "./program.js";
import { officeConfig, RecorderRun } from "./recorder-run.js";
import type { TimedFrame } from "./timed-frames.js";

/** A capture port as it should be. */
export const SOUND_PORT: InterfaceFacts = {
  name: "mirror0",
  isUp: true,
  hasLink: true,
  isPromiscuous: true,
  addresses: [],
  speedMegabits: 1000,
  duplex: "full",
  joining: [],
};

export interface LookOptions {
  config?: Config;
  isLive?: boolean;
  interfaces?: InterfaceFacts[];
  source?: Partial<SourceCounters>;
  clock?: ClockState;
  clockStepped?: boolean;
}

/** A box on whose mirror port time passes with the packets. */
export class SpanLook {
  readonly folder = makeFolder();
  private readonly run: RecorderRun;
  private readonly doctor: SpanDoctor;
  private readonly options: LookOptions;
  private nowUs = 0;
  private firstUs: number | undefined;
  private frames = 0;
  private bytes = 0;
  private told = 0;

  constructor(options: LookOptions = {}) {
    this.options = options;
    const config = options.config ?? officeConfig();
    this.run = new RecorderRun(this.folder, config);
    const clock = { nowUs: () => this.nowUs, monotonicMs: () => (this.nowUs - (this.firstUs ?? 0)) / 1000 };
    this.doctor = new SpanDoctor(config, clock, options.isLive ?? true);
  }

  /** Frames in the order of their times; the doctor is told once a second of them. */
  feed(frames: readonly TimedFrame[]): this {
    for (const one of frames) {
      this.firstUs ??= one.atUs;
      if (one.atUs - this.nowUs >= 1_000_000) this.tell(one.atUs);
      this.run.feed([one]);
      this.frames++;
      this.bytes += one.frame.length;
    }
    return this;
  }

  /** Nothing comes for a while. */
  pass(seconds: number): this {
    for (let second = 0; second < seconds; second++) {
      const atUs = this.nowUs + 1_000_000;
      this.run.recorder.idle(atUs);
      this.tell(atUs);
    }
    return this;
  }

  async report(): Promise<SpanReport> {
    await this.run.end();
    this.tell(this.nowUs);
    const { interfaces = [SOUND_PORT], clock = true, clockStepped = false } = this.options;
    return this.doctor.report({ interfaces, clock, clockStepped });
  }

  remove(): void {
    removeFolder(this.folder);
  }

  private tell(atUs: number): void {
    this.nowUs = Math.max(this.nowUs, atUs);
    this.firstUs ??= atUs;
    for (const record of this.run.records.slice(this.told)) this.doctor.noteCall(record);
    this.told = this.run.records.length;
    this.doctor.noteFigures(this.run.recorder.spanFigures());
    this.doctor.noteCounters(this.counters());
  }

  private counters(): EngineCounters {
    const { recorder } = this.run;
    return {
      atUs: recorder.packetTimeUs,
      sources: [
        {
          name: "mirror0",
          frames: this.frames,
          bytes: this.bytes,
          kernelDrops: 0,
          interfaceDrops: 0,
          ...this.options.source,
        },
      ],
      counts: recorder.exportCounters(),
      encapsulations: recorder.encapsulations(),
      tlsEndpoints: recorder.tlsEndpoints(),
      activeCalls: recorder.table.size,
      isJournalFailing: false,
      rssBytes: 0,
      cpuUs: this.nowUs,
    };
  }
}

/** What is not as it should be: "check: code, code" in the doctor's order. */
export function faultsOf(report: SpanReport): string[] {
  return report.checks.flatMap(({ id, findings }) => findings.map(({ code }) => `${id}: ${code}`));
}

export function figureOf(report: SpanReport, id: SpanCheckId): string {
  return report.checks.find((check) => check.id === id)!.figure;
}

// The doctor without a service: an engine of its own looks at interfaces or captures for a while, records nothing and leaves no
// trace, and the report is made from what it tells.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "./base/clock.js";
import { SidetoneError } from "./base/errors.js";
import { readInterfaceFacts } from "./capture/interface-facts.js";
import type { Config } from "./contract/config.js";
import type { CaptureSpec, EngineToService } from "./contract/engine-messages.js";
import type { SpanReport } from "./contract/span.js";
import { EngineProcess } from "./engine-process.js";
import { ClockWatch } from "./health/clock-watch.js";
import { SpanDoctor, type SpanSurroundings } from "./health/span/doctor.js";

export interface LookOptions {
  config: Config;
  capture: CaptureSpec;
  /** How long interfaces are looked at. */
  seconds: number;
  /** Something an installer should know: one line. */
  onNotice(message: string): void;
  /** Share of the time, or of the bytes, that is over: 0 to 1. */
  onProgress(share: number): void;
  /** Aborted when whoever asked has seen enough: the report is of what was seen. */
  signal: AbortSignal;
}

/** Throws the SidetoneError of an interface or a capture that cannot be read at all. */
export async function lookAtSpan(options: LookOptions): Promise<SpanReport> {
  const folder = mkdtempSync(join(tmpdir(), "sidetone-doctor-"));
  try {
    return await new Look(options, folder).run();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class Look {
  private readonly doctor: SpanDoctor;
  private readonly options: LookOptions;
  private readonly folder: string;
  private engine: EngineProcess | undefined;
  private interfaces: string[] = [];
  private surroundings: SpanSurroundings = { interfaces: [], clock: "unknown", clockStepped: false };
  private timer: NodeJS.Timeout | undefined;
  private fault: SidetoneError | undefined;
  private hasFinished = false;

  constructor(options: LookOptions, folder: string) {
    this.options = options;
    this.folder = folder;
    this.doctor = new SpanDoctor(options.config, systemClock, options.capture.kind === "live");
  }

  async run(): Promise<SpanReport> {
    const { config, capture, signal } = this.options;
    await new Promise<void>((resolve) => {
      this.engine = new EngineProcess(
        {
          config: withoutRecording(config),
          capture,
          journalFolder: this.folder,
          registerFolder: "",
          carried: { calls: [] },
        },
        { message: (message) => this.take(message), gone: () => resolve() },
      );
      signal.addEventListener("abort", () => void this.finish());
      if (signal.aborted) void this.finish();
    });
    clearInterval(this.timer);
    if (this.fault) throw this.fault;
    if (!this.hasFinished) throw new SidetoneError("internal", "the engine stopped before it had looked");
    return this.doctor.report(this.surroundings);
  }

  /** Interfaces are looked at while the capture is on: promiscuous mode ends with it. */
  private async finish(): Promise<void> {
    clearInterval(this.timer);
    if (this.options.capture.kind === "live") {
      const clock = new ClockWatch({ raise: () => {}, clear: () => {} });
      const looks = this.interfaces.map((name) => readInterfaceFacts(name));
      const [facts] = await Promise.all([Promise.all(looks), clock.look()]);
      const interfaces = facts.filter((one) => one !== undefined);
      this.surroundings = { interfaces, clock: clock.state, clockStepped: false };
    }
    this.engine?.stop();
  }

  private take(message: EngineToService): void {
    switch (message.type) {
      case "ready":
        this.interfaces = message.interfaces;
        if (message.interfaces.length > 0) this.watchTime();
        break;
      case "span":
        this.doctor.noteFigures(message.figures);
        break;
      case "counters":
        this.doctor.noteCounters(message.counters);
        break;
      case "call-ended":
        this.doctor.noteCall(message.record);
        this.engine?.send({ type: "released", id: message.record.id });
        break;
      case "progress":
        if (message.totalBytes > 0) this.options.onProgress(message.readBytes / message.totalBytes);
        break;
      case "notice":
        this.options.onNotice(message.message);
        break;
      case "input-fault":
        this.options.onNotice(message.message);
        break;
      case "finished":
        this.hasFinished = true;
        this.doctor.noteCounters(message.counters);
        this.engine?.stop();
        break;
      case "fatal":
        this.fault = new SidetoneError(message.code, message.message);
        break;
      default:
        break;
    }
  }

  private watchTime(): void {
    const { seconds, onProgress, onNotice } = this.options;
    onNotice(`looking at ${this.interfaces.join(", ")} for ${seconds} s: place a call of a few seconds now`);
    const beganMs = systemClock.monotonicMs();
    this.timer = setInterval(() => {
      const share = (systemClock.monotonicMs() - beganMs) / 1000 / seconds;
      onProgress(Math.min(1, share));
      if (share >= 1) void this.finish();
    }, 250);
  }
}

/** Nobody is recorded for a look, whatever the configuration says. */
function withoutRecording(config: Config): Config {
  return {
    ...config,
    consent: { ...config.consent, policy: "none", rules: [] },
    mqtt: { ...config.mqtt, password: "" },
  };
}

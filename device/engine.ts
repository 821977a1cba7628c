// The engine process: capture up to the journal. Forked by the service, or a unit of its own that the service connects to;
// told what to do over that connection, says what happens over it; opens no sockets of its own. Ends when the service tells
// it to or goes away.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { systemClock } from "./base/clock.js";
import { type ErrorCode, EXIT, SidetoneError } from "./base/errors.js";
import { FileSource } from "./capture/file-source.js";
import { defaultInterfaces, LiveSource } from "./capture/live-source.js";
import {
  type CallProgress,
  ENGINE_PROTOCOL,
  type EngineCounters,
  type EngineToService,
  type ServiceToEngine,
  type SourceCounters,
} from "./contract/engine-messages.js";
import { switchCoreDumpsOff } from "./core-dumps.js";
import { EngineTime } from "./engine-time.js";
import { groupFileOperations } from "./journal/file-operations.js";
import { Recorder, type RecorderEvents } from "./recorder.js";
import { noteWriter } from "./run-writer.js";
import { SelfTestLane } from "./self-test-lane.js";
import { openServiceLink, type ServiceLink } from "./service-link.js";

/** Live capture lets time pass this often when no packet comes, and no nearer to now than IDLE_LAG_US. */
const IDLE_TICK_MS = 100;
const IDLE_LAG_US = 200_000;
const COUNTERS_EVERY_MS = 1000;
const PROGRESS_EVERY_MS = 200;
const SPAN_EVERY_MS = 2000;
/** Coarse, so that an idle engine stays idle. */
const LOOP_RESOLUTION_MS = 100;
/** Reading files waits while so many finished calls are not yet stored, or so many messages not yet taken. */
const MAX_UNRELEASED = 512;
const MAX_UNSENT = 1024;
/** Live: while so many messages wait, calls that left nothing are counted only. A flood of attempts must not fill memory. */
const MAX_UNSENT_LIVE = 32_768;

/** Of the kernel: what stamps packets (CLOCK_REALTIME), and what is never set. */
const LIVE_CLOCKS = { wallUs: () => Date.now() * 1000, monotonicMs: () => performance.now() };

type StartMessage = Extract<ServiceToEngine, { type: "start" }>;

class Engine {
  private readonly recorder: Recorder;
  private readonly live: LiveSource[] = [];
  private readonly time = new EngineTime(LIVE_CLOCKS, (offsetUs) => this.clockStepped(offsetUs));
  /** When the pause of all calls ends, 0 = there is none. */
  private pausedUntilUs = 0;
  private readonly files: SourceCounters[] = [];
  private readonly loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  private readonly timers: NodeJS.Timeout[] = [];
  /** The self-test that is in progress, or was the last one. */
  private lane: SelfTestLane | undefined;
  private unreleased = 0;
  private unsent = 0;
  private unreported = 0;
  private resume: (() => void) | undefined;
  private isFinished = false;
  private progressAtMs = 0;

  constructor(
    private readonly start: StartMessage,
    private readonly link: ServiceLink,
  ) {
    noteWriter(start.journalFolder, { forGroup: link.isOwnUnit });
    const folders = { journal: start.journalFolder, registers: start.registerFolder };
    const events: RecorderEvents = {
      ended: (record, journal) => {
        if (!journal && start.capture.kind === "live" && this.unsent >= MAX_UNSENT_LIVE) {
          this.unreported++;
          return;
        }
        this.unreleased++;
        this.send(journal ? { type: "call-ended", record, journal } : { type: "call-ended", record });
      },
      audited: (event) => this.send({ type: "audited", event }),
      ...(start.capture.kind === "live" && {
        progressed: (progress: CallProgress) => this.send({ type: "call-progress", progress }),
      }),
      notice: (message) => this.send({ type: "notice", message }),
      carried: (call, state) => this.send({ type: "carried", call, ...(state && { state }) }),
      pausedAll: (pause) => {
        this.pausedUntilUs = pause?.endsUs ?? 0;
        this.send({ type: "pause-of-all", ...(pause && { pause }) });
      },
      journalFault: (error) =>
        this.send({
          type: "input-fault",
          code: "data-unwritable",
          message: `the journal cannot be written: ${error.message}`,
        }),
    };
    this.pausedUntilUs = start.carried.pauseOfAll?.endsUs ?? 0;
    this.recorder = new Recorder(start.config, folders, events, {
      before: start.carried,
      ...(link.isOwnUnit && { files: groupFileOperations }),
      ...(start.journalKey !== undefined && { journalKey: Buffer.from(start.journalKey, "base64") }),
    });
  }

  async run(): Promise<void> {
    const { capture } = this.start;
    this.timers.push(setInterval(() => this.sendCounters(), COUNTERS_EVERY_MS));
    if (capture.kind === "live") {
      this.timers.push(setInterval(() => this.sendSpan(), SPAN_EVERY_MS));
      this.loop.enable();
      this.openLive(capture.interfaces);
      return;
    }
    this.send({ type: "ready", protocol: ENGINE_PROTOCOL, interfaces: [] });
    for (const path of capture.paths) await this.readFile(path);
    this.finish();
  }

  /** The service has stored a call (or has nothing to store of it). */
  release(message: Extract<ServiceToEngine, { type: "released" }>): void {
    this.unreleased--;
    this.recorder.journal.release(message.id);
    this.wake();
  }

  command({ id, command }: Extract<ServiceToEngine, { type: "command" }>): void {
    this.send({ type: "command-result", id, result: this.recorder.command(command) });
  }

  /** A test that was not ended makes way for the next. */
  selfTest(message: Extract<ServiceToEngine, { type: "self-test" }>): void {
    this.lane?.over();
    this.lane = new SelfTestLane(message, this.time.nowUs(), {
      recorder: this.recorder,
      clock: systemClock,
      ended: (id, outcome) => this.send({ type: "self-test-ended", id, outcome }),
    });
    this.lane.start();
  }

  endSelfTest(id: number): void {
    if (this.lane?.id !== id) return;
    this.lane.over();
    this.lane = undefined;
  }

  setRoom(takesNewCalls: boolean): void {
    this.recorder.setRoom(takesNewCalls);
  }

  reloadRegisters(): void {
    this.recorder.reloadRegisters();
  }

  /** First stop: close everything and say so. Second stop: leave. */
  stop(): void {
    if (this.isFinished) this.leave();
    else this.finish();
  }

  /** The service is gone: what was admitted goes to the disk for a later recovery. */
  abandon(): void {
    for (const source of this.live) source.stop();
    this.recorder.journal.flush();
    this.leave();
  }

  private leave(): void {
    this.lane?.stop();
    for (const timer of this.timers) clearInterval(timer);
    this.recorder.journal.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  }

  private finish(): void {
    for (const source of this.live) source.stop();
    this.lane?.stop();
    this.recorder.closeAll();
    this.isFinished = true;
    this.send({ type: "span", figures: this.recorder.spanFigures() });
    this.send({ type: "finished", counters: this.counters() });
  }

  private openLive(names: string[]): void {
    const wanted = names.length > 0 ? names : defaultInterfaces();
    for (const [index, name] of wanted.entries()) {
      const { capture, sip } = this.start.config;
      const source = new LiveSource(
        { interface: name, tcpPorts: sip.tcpPorts, ...capture },
        (frame) => {
          frame.capturedAtUs = this.time.of(frame.capturedAtUs);
          this.recorder.handleFrame(frame);
        },
        index,
      );
      try {
        source.start();
        this.live.push(source);
        this.reportFilter(source);
      } catch (error) {
        // Interfaces that were asked for by name must work; of "every interface that is up" those that do are used.
        if (names.length > 0 || !(error instanceof SidetoneError) || error.code === "capture-not-permitted")
          throw error;
        this.send({ type: "input-fault", code: error.code, message: error.message });
      }
    }
    if (this.live.length === 0) {
      throw new SidetoneError("interface-not-found", "no network interface is up: name one with --interface NAME");
    }
    this.timers.push(setInterval(() => this.passTime(), IDLE_TICK_MS));
    this.timers.push(setInterval(() => this.checkInterfaces(), COUNTERS_EVERY_MS));
    this.send({ type: "ready", protocol: ENGINE_PROTOCOL, interfaces: this.live.map((source) => source.name) });
  }

  private passTime(): void {
    const nowUs = this.time.nowUs();
    this.recorder.idle(nowUs - IDLE_LAG_US);
    if (this.time.aheadUs === 0 || this.recorder.table.size > 0 || nowUs < this.pausedUntilUs) return;
    if (this.time.follow()) this.recorder.beginNewTime();
  }

  private clockStepped(offsetUs: number): void {
    this.recorder.noteClockStep(offsetUs);
    this.send({ type: "clock-step", offsetUs, calls: this.recorder.table.size });
  }

  /** A refused filter costs CPU, no packets: every frame is handed up instead. */
  private reportFilter(source: LiveSource): void {
    const [refusal] = source.filterRefusals;
    if (refusal)
      this.send({ type: "notice", message: `${source.name}: capture filter refused, capturing more: ${refusal}` });
  }

  private checkInterfaces(): void {
    for (const source of this.live) {
      const fault = source.takeFault();
      if (fault) this.send({ type: "input-fault", code: fault.code, message: fault.message });
    }
  }

  private async readFile(path: string): Promise<void> {
    const source = new FileSource(path, (frame) => this.recorder.handleFrame(frame));
    const result = await source.run({
      onProgress: (readBytes, totalBytes) => this.sendProgress(readBytes, totalBytes),
      pause: () => this.backPressure(),
    });
    this.files.push({ name: path, frames: result.frames, bytes: result.bytes, kernelDrops: 0, interfaceDrops: 0 });
    if (result.fault) this.send({ type: "input-fault", code: result.fault.code, message: result.fault.message });
  }

  private sendProgress(readBytes: number, totalBytes: number): void {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - this.progressAtMs < PROGRESS_EVERY_MS) return;
    this.progressAtMs = nowMs;
    this.send({ type: "progress", readBytes, totalBytes });
  }

  private backPressure(): Promise<void> | undefined {
    if (this.unreleased < MAX_UNRELEASED && this.unsent < MAX_UNSENT) return undefined;
    return new Promise((resolve) => {
      this.resume = resolve;
    });
  }

  private wake(): void {
    if (this.unreleased >= MAX_UNRELEASED / 2 || this.unsent >= MAX_UNSENT) return;
    this.resume?.();
    this.resume = undefined;
  }

  private send(message: EngineToService): void {
    this.unsent++;
    this.link.send(message, () => {
      this.unsent--;
      this.wake();
    });
  }

  private sendCounters(): void {
    // A service that does not listen gets the next ones: counters are totals.
    if (this.unsent >= 16) return;
    this.send({ type: "counters", counters: this.counters() });
    this.loop.reset();
  }

  private sendSpan(): void {
    if (this.unsent < 16) this.send({ type: "span", figures: this.recorder.spanFigures() });
  }

  private counters(): EngineCounters {
    const { user, system } = process.cpuUsage();
    return {
      atUs: this.recorder.packetTimeUs,
      sources: [
        ...this.files,
        ...this.live.map((source) => ({ name: source.name, ...source.counters(), fault: source.standingFault })),
      ],
      counts: { ...this.recorder.exportCounters(), "call.unreported": this.unreported },
      encapsulations: this.recorder.encapsulations(),
      tlsEndpoints: this.recorder.tlsEndpoints(),
      activeCalls: this.recorder.table.size,
      isJournalFailing: this.recorder.journal.isFailing,
      rssBytes: process.memoryUsage.rss(),
      cpuUs: user + system,
      loopDelayMs: Math.max(0, this.loop.max / 1e6 - LOOP_RESOLUTION_MS),
    };
  }
}

function main(): void {
  let engine: Engine | undefined;
  const leave = (): void => (engine ? engine.abandon() : process.exit(0));
  const link = openServiceLink({ message: (message) => take(message), gone: leave });
  if (link === undefined) {
    process.stderr.write("the engine is started by sidetoned, or by its unit's socket\n");
    process.exitCode = EXIT.usage;
    return;
  }
  if (link.isOwnUnit) {
    switchCoreDumpsOff();
    process.on("SIGTERM", leave);
  }
  // The terminal's Ctrl-C reaches the whole process group: the service decides when to stop.
  process.on("SIGINT", () => {});

  function fatal(code: ErrorCode, message: string): void {
    link!.send({ type: "fatal", code, message }, () => process.exit(1));
  }

  function begin(message: StartMessage): void {
    if (message.protocol !== ENGINE_PROTOCOL) {
      fatal("internal", `engine speaks protocol ${ENGINE_PROTOCOL}, service ${message.protocol}: build anew`);
      return;
    }
    engine = new Engine(message, link!);
    engine.run().catch((error: unknown) => {
      if (error instanceof SidetoneError) fatal(error.code, error.message);
      else fatal("internal", error instanceof Error ? (error.stack ?? error.message) : String(error));
    });
  }

  function take(message: ServiceToEngine): void {
    switch (message.type) {
      case "start":
        begin(message);
        break;
      case "released":
        engine?.release(message);
        break;
      case "command":
        engine?.command(message);
        break;
      case "room":
        engine?.setRoom(message.takesNewCalls);
        break;
      case "registers-changed":
        engine?.reloadRegisters();
        break;
      case "self-test":
        engine?.selfTest(message);
        break;
      case "self-test-over":
        engine?.endSelfTest(message.id);
        break;
      default:
        engine?.stop();
    }
  }
}

main();

// Everything that watches a running box and says how it is, as one part of the service: clock, mirror port, health, and where that is
// said besides the faces (syslog, the service manager). Puts them together; what each means is its own.
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { isoUs, systemClock } from "./base/clock.js";
import { SidetoneError } from "./base/errors.js";
import type { Logger } from "./base/logger.js";
import type { CallRecord } from "./contract/call-record.js";
import type { Config } from "./contract/config.js";
import type { EngineCounters } from "./contract/engine-messages.js";
import type { BoxInfo, HealthStatus } from "./contract/health.js";
import type { ClockState } from "./contract/manifest.js";
import type { SpanFigures, SpanReport } from "./contract/span.js";
import type { AlarmBook } from "./health/alarms.js";
import { ClockWatch } from "./health/clock-watch.js";
import { ServiceManager } from "./health/service-manager.js";
import { parseSyslogUrl, SyslogSender } from "./health/syslog.js";
import { HealthKeeper } from "./health-keeper.js";
import { SpanKeeper } from "./span-keeper.js";
import type { SpoolKinds } from "./store/spool-kinds.js";

/** An engine that has said nothing for so long does not do its work. */
const ENGINE_SILENT_MS = 15_000;

export interface BoxWatchOptions {
  config: Config;
  /** The box's name. */
  device: string;
  version: string;
  alarms: AlarmBook;
  logger: Logger;
  sealing(): HealthStatus["sealing"];
  panel(): HealthStatus["panel"];
  showSpan(report: SpanReport): void;
  showHealth(status: HealthStatus): void;
  showInfo(info: BoxInfo): void;
}

export class BoxWatch {
  private readonly options: BoxWatchOptions;
  private readonly clock: ClockWatch;
  private readonly span: SpanKeeper;
  private readonly health: HealthKeeper;
  private readonly manager: ServiceManager;
  private syslog: SyslogSender | undefined;
  private heardAtMs = Number.NEGATIVE_INFINITY;
  private isWaiting = false;
  private hasCaptured = false;
  private readonly startedAt = isoUs(systemClock.nowUs());

  constructor(options: BoxWatchOptions) {
    this.options = options;
    const { config, alarms, logger, sealing, showSpan } = options;
    this.clock = new ClockWatch(alarms);
    this.span = new SpanKeeper({ config, alarms, clockState: () => this.clock.state, show: showSpan });
    this.manager = new ServiceManager({
      environment: process.env,
      processId: process.pid,
      isHealthy: () => this.isWaiting || systemClock.monotonicMs() - this.heardAtMs < ENGINE_SILENT_MS,
      onFault: (message) => logger.warn(message),
    });
    this.health = new HealthKeeper({
      config: config.health,
      alarms,
      clockFacts: () => ({ state: this.clock.state, offsetMs: this.clock.offsetMs }),
      sealing,
      panel: () => options.panel(),
      show: (status) => {
        options.showHealth(status);
        this.manager.show(statusLine(status));
      },
    });
  }

  get clockState(): ClockState {
    return this.clock.state;
  }

  get engineState(): "starting" | "reporting" | "silent" {
    if (this.isWaiting || !this.hasCaptured) return "starting";
    return systemClock.monotonicMs() - this.heardAtMs < ENGINE_SILENT_MS ? "reporting" : "silent";
  }

  /** As it was said last. */
  get healthStatus(): HealthStatus | undefined {
    return this.health.status;
  }

  /** Read anew, and said; a second later at the earliest, however often it is asked for. */
  freshHealth(): HealthStatus {
    return this.health.fresh();
  }

  /** Looked at anew; those who ask at once get the same. */
  spanReport(): Promise<SpanReport> {
    return this.span.shared();
  }

  /** What can be asked of it through the spool. */
  kinds(): SpoolKinds {
    return this.span.kinds();
  }

  /** Before `start`: nothing can be recorded yet, and starting the service again would mend nothing. */
  waits(why: string): void {
    this.isWaiting = true;
    this.syslog ??= this.openSyslog();
    this.manager.ready();
    this.manager.show(why);
  }

  start(): void {
    this.isWaiting = false;
    this.heardAtMs = systemClock.monotonicMs();
    this.syslog ??= this.openSyslog();
    this.clock.start();
    this.health.start();
  }

  /** `isRestart`: the service begins anew in this process. */
  async stop(isRestart = false): Promise<void> {
    if (isRestart) this.manager.restarting();
    else this.manager.stopping();
    this.health.stop();
    this.clock.stop();
    await this.span.stop();
    this.syslog?.close();
  }

  capturing(interfaces: readonly string[]): void {
    const { config, device, version, showInfo } = this.options;
    this.span.capturing(interfaces);
    this.hasCaptured = true;
    this.heardAtMs = systemClock.monotonicMs();
    this.manager.ready();
    showInfo({
      device,
      version,
      node: process.version,
      architecture: process.arch,
      startedAt: this.startedAt,
      interfaces: [...interfaces],
      policy: config.consent.policy,
    });
  }

  noteFigures(figures: SpanFigures): void {
    this.span.noteFigures(figures);
  }

  noteCounters(counters: EngineCounters): void {
    this.heardAtMs = systemClock.monotonicMs();
    this.span.noteCounters(counters);
    this.health.noteCounters(counters);
  }

  noteCall(record: CallRecord): void {
    this.span.noteCall(record);
  }

  /** A server that cannot be used keeps nobody from recording. */
  private openSyslog(): SyslogSender | undefined {
    const { config, alarms, logger } = this.options;
    const { url, facility, caFile } = config.syslog;
    const server = parseSyslogUrl(url);
    if (server === undefined) return undefined;
    const sender = new SyslogSender({
      server,
      origin: { facility, hostname: hostname(), processId: process.pid },
      ...(caFile !== "" && { ca: readCa(caFile, logger) }),
      now: () => isoUs(systemClock.nowUs()),
      say: (level, message) => logger[level](message),
    });
    alarms.listen(sender);
    // What stood before is told to a server that may never have heard of it.
    for (const alarm of alarms.standing) sender.raised(alarm, true);
    return sender;
  }
}

function readCa(file: string, logger: Logger): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const fault = new SidetoneError("config-invalid", `syslog.caFile: ${file} cannot be read: ${String(error)}`);
    logger.error(fault.message, { code: fault.code });
    // Nobody is trusted then.
    return Buffer.alloc(0);
  }
}

function statusLine({ activeCalls, capture, alarms }: HealthStatus): string {
  const state = alarms.length === 0 ? "no alarm" : `alarms: ${alarms.join(", ")}`;
  return `${activeCalls} calls, ${capture.packetsPerSecond} packets/s, ${state}`;
}

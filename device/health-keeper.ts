// The health of a running box: reads it at an interval and when an alarm begins or ends, and says it: MQTT's `health`, the figures for
// metrics, the service manager. What is measured is health/'s.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Clock, systemClock } from "./base/clock.js";
import type { Config } from "./contract/config.js";
import type { EngineCounters } from "./contract/engine-messages.js";
import type { HealthStatus } from "./contract/health.js";
import type { ClockState } from "./contract/manifest.js";
import type { AlarmBook } from "./health/alarms.js";
import { HealthReport } from "./health/health-report.js";
import { readCpuTimes, readMemory, readTemperature } from "./health/vitals.js";

/** Coarse, so that an idle box stays idle. */
const LOOP_RESOLUTION_MS = 100;
const NS_PER_MS = 1e6;
/** What is younger is fresh. */
const FRESH_MS = 1000;

export interface HealthKeeperOptions {
  config: Config["health"];
  alarms: AlarmBook;
  clock?: Clock;
  clockFacts(): { state: ClockState; offsetMs: number | null };
  sealing(): HealthStatus["sealing"];
  panel(): HealthStatus["panel"];
  show(status: HealthStatus): void;
}

export class HealthKeeper {
  private readonly options: HealthKeeperOptions;
  private readonly clock: Clock;
  private readonly report: HealthReport;
  private readonly loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  private counters: EngineCounters | undefined;
  private timer: NodeJS.Timeout | undefined;
  private soon: NodeJS.Immediate | undefined;
  private newest: HealthStatus | undefined;
  private lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: HealthKeeperOptions) {
    this.options = options;
    this.clock = options.clock ?? systemClock;
    this.report = new HealthReport(this.clock, readCpuTimes());
    const said = (): void => {
      // Several alarms at once are one change.
      if (this.timer !== undefined) this.soon ??= setImmediate(() => this.look());
    };
    options.alarms.listen({ raised: (_, isNew) => isNew && said(), cleared: said });
  }

  /** As it was said last. */
  get status(): HealthStatus | undefined {
    return this.newest;
  }

  start(): void {
    this.loop.enable();
    this.timer = setInterval(() => this.look(), this.options.config.intervalS * 1000);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
    clearImmediate(this.soon);
    this.timer = undefined;
    this.loop.disable();
  }

  noteCounters(counters: EngineCounters): void {
    const isFirst = this.counters === undefined;
    this.counters = counters;
    if (isFirst && this.timer !== undefined) this.look();
  }

  /** Of the last second: whoever asks often costs no more. */
  fresh(): HealthStatus {
    const isFresh = this.clock.monotonicMs() - this.lookedAtMs < FRESH_MS;
    return isFresh && this.newest !== undefined ? this.newest : this.look();
  }

  /** Reads everything anew and says it. */
  look(): HealthStatus {
    clearImmediate(this.soon);
    this.soon = undefined;
    const { alarms, clockFacts, sealing, panel, show } = this.options;
    const { user, system } = process.cpuUsage();
    const { state, offsetMs } = clockFacts();
    const status = this.report.make({
      counters: this.counters,
      box: readCpuTimes(),
      serviceCpuUs: user + system,
      serviceRssBytes: process.memoryUsage.rss(),
      memory: readMemory(),
      temperatureC: readTemperature(),
      clock: state,
      clockOffsetMs: offsetMs,
      sealing: sealing(),
      serviceLoopDelayMs: Math.max(0, this.loop.max / NS_PER_MS - LOOP_RESOLUTION_MS),
      panel: panel(),
      alarms: alarms.standing.map(({ code }) => code),
    });
    this.loop.reset();
    this.newest = status;
    this.lookedAtMs = this.clock.monotonicMs();
    show(status);
    return status;
  }
}

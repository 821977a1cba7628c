// Puts the box's health together out of what the service and the engine know. Keeps the reading before, of which rates are made;
// asks nobody and has no timer.
import { type Clock, isoUs } from "../base/clock.js";
import type { EngineCounters } from "../contract/engine-messages.js";
import { HEALTH_SCHEMA, type HealthStatus } from "../contract/health.js";
import type { ClockState } from "../contract/manifest.js";
import type { PanelState } from "../contract/panel.js";
import type { CpuTimes } from "./vitals.js";

const MEGABYTE = 1024 * 1024;

export interface HealthFacts {
  counters: EngineCounters | undefined;
  box: CpuTimes;
  serviceCpuUs: number;
  serviceRssBytes: number;
  memory: { total: number; available: number };
  temperatureC: number | null;
  clock: ClockState;
  clockOffsetMs: number | null;
  sealing: HealthStatus["sealing"];
  serviceLoopDelayMs: number;
  panel: PanelState;
  alarms: readonly string[];
}

interface Reading {
  atMs: number;
  boxMs: number;
  serviceMs: number;
  engineMs: number;
  frames: number;
}

export class HealthReport {
  private readonly clock: Clock;
  private readonly beganMs: number;
  private before: Reading;

  constructor(clock: Clock, box: CpuTimes) {
    this.clock = clock;
    this.beganMs = clock.monotonicMs();
    this.before = { atMs: this.beganMs, boxMs: box.busyMs, serviceMs: 0, engineMs: 0, frames: 0 };
  }

  make(facts: HealthFacts): HealthStatus {
    const { counters, box } = facts;
    const sources = counters?.sources ?? [];
    const sum = (field: "frames" | "kernelDrops" | "interfaceDrops"): number =>
      sources.reduce((all, source) => all + source[field], 0);
    const now: Reading = {
      atMs: this.clock.monotonicMs(),
      boxMs: box.busyMs,
      serviceMs: facts.serviceCpuUs / 1000,
      engineMs: (counters?.cpuUs ?? 0) / 1000,
      frames: sum("frames"),
    };
    const { before } = this;
    this.before = now;
    const passedMs = Math.max(1, now.atMs - before.atMs);
    // What begins anew with another engine has grown by what it is.
    const grown = (field: "boxMs" | "serviceMs" | "engineMs" | "frames"): number =>
      now[field] >= before[field] ? now[field] - before[field] : now[field];
    const percent = (field: "boxMs" | "serviceMs" | "engineMs"): number => tenths((100 * grown(field)) / passedMs);
    return {
      schema: HEALTH_SCHEMA,
      at: isoUs(this.clock.nowUs()),
      uptimeS: Math.floor((now.atMs - this.beganMs) / 1000),
      cpuPercent: {
        box: percent("boxMs"),
        service: percent("serviceMs"),
        engine: percent("engineMs"),
        cores: box.cores,
      },
      memoryMegabytes: {
        ...facts.memory,
        service: Math.round(facts.serviceRssBytes / MEGABYTE),
        engine: Math.round((counters?.rssBytes ?? 0) / MEGABYTE),
      },
      temperatureC: facts.temperatureC,
      clock: { synchronised: facts.clock, offsetMs: facts.clockOffsetMs },
      sealing: facts.sealing,
      activeCalls: counters?.activeCalls ?? 0,
      capture: {
        packetsPerSecond: Math.round((1000 * grown("frames")) / passedMs),
        kernelDrops: sum("kernelDrops"),
        interfaceDrops: sum("interfaceDrops"),
      },
      eventLoopDelayMs: {
        service: tenths(facts.serviceLoopDelayMs),
        engine: tenths(counters?.loopDelayMs ?? 0),
      },
      panel: facts.panel,
      alarms: [...facts.alarms],
    };
  }
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

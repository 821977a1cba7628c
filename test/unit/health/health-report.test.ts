// The box's health out of what is known, and the same as Prometheus reads it.
import { describe, expect, it } from "vitest";
import { ALARM_CODES } from "../../../device/contract/alarms.js";
import type { EngineCounters } from "../../../device/contract/engine-messages.js";
import { type HealthFacts, HealthReport } from "../../../device/health/health-report.js";
import { formatMetrics } from "../../../device/health/metrics.js";

let nowMs = 0;
const clock = { nowUs: () => Date.UTC(2026, 10, 28) * 1000 + nowMs * 1000, monotonicMs: () => nowMs };

function counters(overrides: Partial<EngineCounters> = {}): EngineCounters {
  return {
    atUs: 0,
    sources: [
      { name: "eth1", frames: 1000, bytes: 200_000, kernelDrops: 3, interfaceDrops: 0 },
      { name: 'odd"\\', frames: 500, bytes: 1, kernelDrops: 0, interfaceDrops: 4 },
    ],
    counts: { "rtp.packets": 17 },
    encapsulations: [],
    tlsEndpoints: [],
    activeCalls: 2,
    isJournalFailing: false,
    rssBytes: 64 * 1024 * 1024,
    cpuUs: 500_000,
    loopDelayMs: 12.34,
    ...overrides,
  };
}

function facts(overrides: Partial<HealthFacts> = {}): HealthFacts {
  return {
    counters: counters(),
    box: { busyMs: 3000, cores: 4 },
    serviceCpuUs: 250_000,
    serviceRssBytes: 80 * 1024 * 1024,
    memory: { total: 4096, available: 1024 },
    temperatureC: 51.5,
    clock: true,
    clockOffsetMs: -0.25,
    sealing: { waiting: 1, running: 2, refused: 3 },
    panel: "ok",
    serviceLoopDelayMs: 4.44,
    alarms: ["disk-early"],
    ...overrides,
  };
}

describe("a report", () => {
  it("has rates since the one before, and drops of all interfaces", () => {
    nowMs = 0;
    const report = new HealthReport(clock, { busyMs: 1000, cores: 4 });
    nowMs = 10_000;
    expect(report.make(facts())).toEqual({
      schema: "sidetone.health/1",
      at: "2026-11-28T00:00:10.000000Z",
      uptimeS: 10,
      cpuPercent: { box: 20, service: 2.5, engine: 5, cores: 4 },
      memoryMegabytes: { total: 4096, available: 1024, service: 80, engine: 64 },
      temperatureC: 51.5,
      clock: { synchronised: true, offsetMs: -0.25 },
      sealing: { waiting: 1, running: 2, refused: 3 },
      panel: "ok",
      activeCalls: 2,
      capture: { packetsPerSecond: 150, kernelDrops: 3, interfaceDrops: 4 },
      eventLoopDelayMs: { service: 4.4, engine: 12.3 },
      alarms: ["disk-early"],
    });
    nowMs = 12_000;
    const later = report.make(facts({ box: { busyMs: 3100, cores: 4 }, serviceCpuUs: 270_000 }));
    expect([later.cpuPercent.box, later.cpuPercent.service, later.cpuPercent.engine]).toEqual([5, 1, 0]);
    expect(later.capture.packetsPerSecond).toBe(0);
  });

  it("bears an engine that began anew, and none at all", () => {
    nowMs = 0;
    const report = new HealthReport(clock, { busyMs: 0, cores: 1 });
    nowMs = 1000;
    report.make(facts());
    nowMs = 2000;
    const anew = report.make(facts({ counters: counters({ cpuUs: 10_000, sources: [] }) }));
    expect([anew.cpuPercent.engine, anew.capture.packetsPerSecond]).toEqual([1, 0]);
    nowMs = 3000;
    const none = report.make(facts({ counters: undefined }));
    expect([none.activeCalls, none.memoryMegabytes.engine]).toEqual([0, 0]);
  });
});

describe("metrics", () => {
  it("are what the text exposition format asks for", () => {
    nowMs = 0;
    const health = new HealthReport(clock, { busyMs: 0, cores: 4 }).make(facts());
    const text = formatMetrics({
      version: "0.1.0",
      health,
      disk: { level: "ok", freeMegabytes: 10, totalMegabytes: 20, megabytesPerDay: null, daysLeft: null },
      counters: counters(),
      service: { "mqtt.connects": 1 },
    });
    const lines = text.trimEnd().split("\n");
    const sample = /^sidetone_[a-z_]+(?:\{[a-z]+="(?:[^"\\]|\\.)*"(?:,[a-z]+="(?:[^"\\]|\\.)*")*\})? -?\d+(?:\.\d+)?$/;
    for (const line of lines)
      expect(line).toMatch(line.startsWith("#") ? /^# (?:HELP|TYPE) sidetone_[a-z_]+ / : sample);
    // Every family once, its samples behind it.
    const families = lines.filter((line) => line.startsWith("# TYPE")).map((line) => line.split(" ")[2]);
    expect(new Set(families).size).toBe(families.length);
    expect(lines).toContain('sidetone_capture_frames_total{interface="odd\\"\\\\"} 500');
    expect(lines).toContain('sidetone_count_total{name="rtp.packets"} 17');
    expect(lines).toContain('sidetone_alarm{code="disk-early"} 1');
    expect(lines.filter((line) => line.startsWith("sidetone_alarm{"))).toHaveLength(ALARM_CODES.length);
    expect(lines).toContain("sidetone_disk_free_bytes 10485760");
    expect(text).not.toContain("disk_days_left");
  });
});

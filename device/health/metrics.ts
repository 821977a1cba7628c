// The box's figures as Prometheus reads them (text exposition format 0.0.4): health, disk, mirror checks, alarms, and every counter
// of engine and service under one name each. Pure.
import { ALARM_CODES } from "../contract/alarms.js";
import type { EngineCounters } from "../contract/engine-messages.js";
import type { HealthStatus } from "../contract/health.js";
import type { DiskStatus, SpanStatus } from "../contract/mqtt.js";
import type { SelfTestReport } from "../contract/self-test.js";
import { SPAN_CHECK_STATES } from "../contract/span.js";

export interface MetricsInput {
  version: string;
  health?: HealthStatus;
  disk?: DiskStatus;
  span?: SpanStatus;
  /** The newest self-test, and when the last one began that passed (ISO 8601), "" = none has yet. */
  selfTest?: { result: SelfTestReport["result"]; passedAt: string };
  counters?: EngineCounters;
  /** Of the service's own parts, by flat name ("mqtt.connects"). */
  service: Readonly<Record<string, number>>;
}

type Labels = Readonly<Record<string, string>>;

/** Ends with a newline. */
export function formatMetrics({ version, health, disk, span, selfTest, counters, service }: MetricsInput): string {
  const page = new Page();
  page.gauge("info", "Version of the software.", [[1, { version }]]);
  if (health) addHealth(page, health);
  if (disk) addDisk(page, disk);
  if (span)
    page.gauge(
      "span_check",
      `State of a check of the mirror port: ${SPAN_CHECK_STATES.map((state, n) => `${n} ${state}`).join(", ")}.`,
      Object.entries(span.checks).map(([check, state]) => [SPAN_CHECK_STATES.indexOf(state), { check }]),
    );
  if (selfTest) {
    page.gauge("self_test_passed", "The newest self-test passed.", [[selfTest.result === "pass" ? 1 : 0]]);
    if (selfTest.passedAt !== "")
      page.gauge("self_test_last_pass_timestamp_seconds", "When the last one began that passed, since 1970.", [
        [Date.parse(selfTest.passedAt) / 1000],
      ]);
  }
  for (const source of counters?.sources ?? []) {
    const labels = { interface: source.name };
    page.counter("capture_frames", "Frames captured.", [[source.frames, labels]]);
    page.counter("capture_bytes", "Bytes captured.", [[source.bytes, labels]]);
    page.counter("capture_kernel_drops", "Packets that the kernel dropped.", [[source.kernelDrops, labels]]);
    page.counter("capture_interface_drops", "Packets that the card dropped.", [[source.interfaceDrops, labels]]);
  }
  for (const [name, value] of Object.entries({ ...counters?.counts, ...service }))
    page.counter("count", "Everything that is counted, by its name in the documentation.", [[value, { name }]]);
  return page.text();
}

function addHealth(page: Page, health: HealthStatus): void {
  const { cpuPercent, memoryMegabytes, clock, sealing, eventLoopDelayMs } = health;
  page.gauge("uptime_seconds", "Since the service began.", [[health.uptimeS]]);
  page.gauge("cpu_percent", "Of one core.", [
    [cpuPercent.box, { of: "box" }],
    [cpuPercent.service, { of: "service" }],
    [cpuPercent.engine, { of: "engine" }],
  ]);
  page.gauge("cpu_cores", "Cores of the box.", [[cpuPercent.cores]]);
  page.gauge("memory_bytes", "Of the box, and resident of each process.", [
    ...(["total", "available", "service", "engine"] as const).map((of): [number, Labels] => [
      memoryMegabytes[of] * 1024 * 1024,
      { of },
    ]),
  ]);
  if (health.temperatureC !== null) page.gauge("temperature_celsius", "Hottest sensor.", [[health.temperatureC]]);
  if (clock.synchronised !== "unknown")
    page.gauge("clock_synchronised", "A time server sets the clock.", [[clock.synchronised ? 1 : 0]]);
  if (clock.offsetMs !== null) page.gauge("clock_offset_seconds", "To the time server.", [[clock.offsetMs / 1000]]);
  page.gauge("sealing_calls", "Finished calls that are not stored yet.", [
    [sealing.waiting, { state: "waiting" }],
    [sealing.running, { state: "running" }],
    [sealing.refused, { state: "refused" }],
  ]);
  page.gauge("active_calls", "Calls in progress.", [[health.activeCalls]]);
  page.gauge("event_loop_delay_seconds", "Longest since the last report.", [
    [eventLoopDelayMs.service / 1000, { of: "service" }],
    [eventLoopDelayMs.engine / 1000, { of: "engine" }],
  ]);
  page.gauge(
    "alarm",
    "Whether an alarm stands.",
    ALARM_CODES.map((code): [number, Labels] => [health.alarms.includes(code) ? 1 : 0, { code }]),
  );
}

function addDisk(page: Page, disk: DiskStatus): void {
  page.gauge("disk_free_bytes", "Besides the reserve.", [[disk.freeMegabytes * 1024 * 1024]]);
  page.gauge("disk_total_bytes", "Of the data folder's file system.", [[disk.totalMegabytes * 1024 * 1024]]);
  if (disk.daysLeft !== null) page.gauge("disk_days_left", "At the load of the last days.", [[disk.daysLeft]]);
}

/** Families in the order in which they were first named, each with its samples together, as the format demands. */
class Page {
  private readonly families = new Map<string, { head: string; samples: string[] }>();

  gauge(name: string, help: string, samples: readonly (readonly [number, Labels?])[]): void {
    this.add(name, "gauge", help, samples);
  }

  counter(name: string, help: string, samples: readonly (readonly [number, Labels?])[]): void {
    this.add(`${name}_total`, "counter", help, samples);
  }

  text(): string {
    return [...this.families.values()].map(({ head, samples }) => `${head}${samples.join("")}`).join("");
  }

  private add(name: string, type: string, help: string, samples: readonly (readonly [number, Labels?])[]): void {
    const full = `sidetone_${name}`;
    const family = this.families.get(full) ?? {
      head: `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n`,
      samples: [],
    };
    this.families.set(full, family);
    for (const [value, labels = {}] of samples) family.samples.push(`${full}${labelText(labels)} ${value}\n`);
  }
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

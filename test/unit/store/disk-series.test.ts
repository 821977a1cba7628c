// The forecast over a restart: the measurement goes on where it was, whatever happened while the box was off; a file that is none,
// or another disk's, is measured anew.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DAY_MS, DiskForecast, MAX_POINTS } from "../../../device/store/disk-forecast.js";
import { DISK_SERIES_FILE, readDiskSeries, writeDiskSeries } from "../../../device/store/disk-series.js";

const GB = 1024 ** 3;
const TOTAL = 100 * GB;
const MINUTE_MS = 60_000;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-series-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Minute by minute from `fromMs` on, at a rate per day; the last reading. */
function measure(forecast: DiskForecast, fromMs: number, days: number, free: number, perDay: number): number {
  let left = free;
  for (let atMs = 0; atMs <= days * DAY_MS; atMs += MINUTE_MS) {
    left = free - (perDay * atMs) / DAY_MS;
    forecast.note(fromMs + atMs, left, TOTAL);
  }
  return left;
}

function restarted(forecast: DiskForecast): DiskForecast {
  writeDiskSeries(folder, forecast.series);
  return new DiskForecast(readDiskSeries(folder));
}

it("knows the rate at once after a restart, and how long it was measured", () => {
  const before = new DiskForecast();
  measure(before, 5000, 2, 50 * GB, 2 * GB);
  const after = restarted(before);
  // Another monotonic clock; half of what was there is gone meanwhile, which is no load.
  after.note(77, 23 * GB, TOTAL);
  expect(after.measuredMs).toBe(before.measuredMs);
  expect(after.bytesPerDay! / GB).toBeCloseTo(2, 2);
  expect(after.daysFor(20 * GB)).toBeCloseTo(10, 1);
});

it("goes on from there: over many restarts it is the measurement of one run, and no longer than a week", () => {
  let forecast = new DiskForecast();
  let free = 60 * GB;
  for (let run = 0; run < 12; run++) {
    free = measure(forecast, run * MINUTE_MS, 1, free, 3 * GB) + (run % 3) * GB;
    forecast = restarted(forecast);
    forecast.note(0, free, TOTAL);
  }
  expect(forecast.series.points).toHaveLength(MAX_POINTS);
  expect(forecast.bytesPerDay! / GB).toBeCloseTo(3, 1);
  expect(statSync(join(folder, DISK_SERIES_FILE)).size).toBeLessThan(64 * 1024);
  expect(statSync(join(folder, DISK_SERIES_FILE)).mode & 0o777).toBe(0o600);
});

it("is measured anew on another disk, and out of a file that is none", () => {
  const before = new DiskForecast();
  measure(before, 0, 1, 50 * GB, GB);
  const other = restarted(before);
  other.note(0, 50 * GB, 2 * TOTAL);
  expect([other.measuredMs, other.bytesPerDay]).toEqual([0, undefined]);
  const path = join(folder, DISK_SERIES_FILE);
  const whole = readFileSync(path, "utf8");
  const unordered = { ...before.series, points: [...before.series.points].reverse() };
  for (const text of ["", "{}", whole.slice(0, -20), whole.replace('"ageMs":', '"ageMs":-'), "x".repeat(1 << 20)]) {
    writeFileSync(path, text);
    expect(readDiskSeries(folder)).toBeUndefined();
  }
  writeDiskSeries(folder, unordered);
  expect(readDiskSeries(folder)).toBeUndefined();
  rmSync(path);
  expect(readDiskSeries(folder)).toBeUndefined();
});

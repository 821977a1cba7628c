// What the kernel says of the box, as it stands in files.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCpuTimes, readMemory, readTemperature } from "../../../device/health/vitals.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const put = (path: string, text: string): void => {
  const full = join(folder, path);
  mkdirSync(join(full, ".."), { recursive: true });
  writeFileSync(full, text);
};
const folders = () => ({
  thermal: join(folder, "thermal"),
  hwmon: join(folder, "hwmon"),
  meminfo: join(folder, "meminfo"),
});

describe("the temperature", () => {
  it("is the hottest sensor's, of either kind", () => {
    put("thermal/thermal_zone0/temp", "41500\n");
    put("thermal/cooling_device0/temp", "99000\n");
    put("hwmon/hwmon1/temp1_input", "52340\n");
    put("hwmon/hwmon1/temp2_input", "-127000\n");
    put("hwmon/hwmon1/temp1_label", "Package");
    expect(readTemperature(folders())).toBe(52.3);
  });

  it("is null where there is no sensor, or none that can be read", () => {
    expect(readTemperature(folders())).toBeNull();
    put("thermal/thermal_zone0/temp", "N/A");
    expect(readTemperature(folders())).toBeNull();
  });
});

describe("memory", () => {
  it("is what the kernel estimates to be available", () => {
    put("meminfo", "MemTotal:       16384000 kB\nMemFree:         1000 kB\nMemAvailable:    2097152 kB\n");
    expect(readMemory(folders()).available).toBe(2048);
  });

  it("is free memory where the kernel does not say", () => {
    const { total, available } = readMemory(folders());
    expect(total).toBeGreaterThan(0);
    expect(available).toBeLessThanOrEqual(total);
  });
});

it("processor time only grows", () => {
  const before = readCpuTimes();
  for (let n = 0; n < 3e7; n++);
  const after = readCpuTimes();
  expect(after.cores).toBe(before.cores);
  expect(after.busyMs).toBeGreaterThanOrEqual(before.busyMs);
});

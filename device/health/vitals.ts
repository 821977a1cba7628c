// What the kernel says of the box: processor time, memory, temperature. Reads /proc and /sys; what is not there is null or 0.
// Rates are those since the reading before.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cpus, freemem, totalmem } from "node:os";
import { join } from "node:path";

const MEGABYTE = 1024 * 1024;
const THERMAL_FOLDER = "/sys/class/thermal";
const HWMON_FOLDER = "/sys/class/hwmon";
/** A sensor that says so is broken or none. */
const LEAST_C = -40;
const MOST_C = 150;

export interface VitalsFolders {
  thermal: string;
  hwmon: string;
  meminfo: string;
}

const SYSTEM: VitalsFolders = { thermal: THERMAL_FOLDER, hwmon: HWMON_FOLDER, meminfo: "/proc/meminfo" };

/** CPU time of all cores so far, ms. */
export interface CpuTimes {
  busyMs: number;
  cores: number;
}

export function readCpuTimes(): CpuTimes {
  const all = cpus();
  const busyMs = all.reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return { busyMs, cores: all.length };
}

/** MiB. */
export function readMemory({ meminfo } = SYSTEM): { total: number; available: number } {
  const total = Math.round(totalmem() / MEGABYTE);
  try {
    const [, kilobytes] = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync(meminfo, "latin1")) ?? [];
    if (kilobytes !== undefined) return { total, available: Math.round(Number(kilobytes) / 1024) };
  } catch {
    // Not Linux.
  }
  return { total, available: Math.round(freemem() / MEGABYTE) };
}

/** The hottest of all sensors, °C with one decimal; null where there is none (virtual machines). */
export function readTemperature({ thermal, hwmon } = SYSTEM): number | null {
  const files = [
    ...entries(thermal, /^thermal_zone\d+$/).map((zone) => join(zone, "temp")),
    ...entries(hwmon, /^hwmon\d+$/).flatMap((chip) => entries(chip, /^temp\d+_input$/)),
  ];
  let hottest: number | null = null;
  for (const file of files) {
    const celsius = readMillidegrees(file);
    if (celsius !== undefined && (hottest === null || celsius > hottest)) hottest = celsius;
  }
  return hottest;
}

function readMillidegrees(file: string): number | undefined {
  try {
    const celsius = Math.round(Number(readFileSync(file, "latin1")) / 100) / 10;
    return celsius >= LEAST_C && celsius <= MOST_C ? celsius : undefined;
  } catch {
    return undefined;
  }
}

function entries(folder: string, pattern: RegExp): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name));
}

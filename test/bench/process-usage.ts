// What a child and all its children cost, from Linux's /proc: CPU time and written bytes of everything that was waited
// for, and the highest resident memory of each process while it lived.
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";

/** USER_HZ: the unit of the times in /proc/<pid>/stat, 100 on every Linux that Node runs on. */
const TICK_US = 10_000;
const SAMPLE_EVERY_MS = 100;
const MAX_PROCESSES = 256;

export interface WaitedUsage {
  userUs: number;
  systemUs: number;
  /** Handed to the block layer; 0 on a memory file system. */
  writtenBytes: number;
}

/** Sums of all ended children of this process and theirs (proc(5): cutime, cstime; io includes the waited-for). */
export function waitedUsage(): WaitedUsage {
  const stat = readFileSync("/proc/self/stat", "latin1");
  // The second field is the command in parentheses and may hold anything; fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const written = /^write_bytes: (\d+)$/m.exec(readOr("/proc/self/io"))?.[1] ?? "0";
  return {
    userUs: Number(fields[13]) * TICK_US,
    systemUs: Number(fields[14]) * TICK_US,
    writtenBytes: Number(written),
  };
}

export interface ProcessPeak {
  /** Script or program name. */
  name: string;
  peakRssBytes: number;
}

/** Looks ten times a second at a process and its descendants. */
export class PeakSampler {
  readonly #peaks = new Map<number, ProcessPeak>();
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#sample(pid);
    this.#timer = setInterval(() => this.#sample(pid), SAMPLE_EVERY_MS);
  }

  stop(): ProcessPeak[] {
    clearInterval(this.#timer);
    return [...this.#peaks.values()];
  }

  #sample(root: number): void {
    const open = [root];
    for (let pid = open.pop(); pid !== undefined && this.#peaks.size < MAX_PROCESSES; pid = open.pop()) {
      const peakKib = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readOr(`/proc/${pid}/status`))?.[1] ?? 0);
      if (peakKib > 0) this.#peaks.set(pid, { name: nameOf(pid), peakRssBytes: peakKib * 1024 });
      open.push(...childrenOf(pid));
    }
  }
}

function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((thread) =>
    readOr(`/proc/${pid}/task/${thread}/children`)
      .split(" ")
      .filter((text) => text !== "")
      .map(Number),
  );
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** The script that Node runs, else the program. */
function nameOf(pid: number): string {
  const words = readOr(`/proc/${pid}/cmdline`).split("\0");
  return basename(words.find((word) => word.endsWith(".js")) ?? words[0] ?? "");
}

/** "" when the process has gone in between. */
function readOr(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

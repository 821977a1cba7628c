// Core dumps are off: a dump of a process that crashes would hold what was in its memory, a caller's audio among it. Two
// bolts, both inherited by the processes that are started later: the limit on core files (RLIMIT_CORE) is 0, and the
// kernel is told to write no memory into any dump (/proc/self/coredump_filter, core(5)), which also holds where dumps are
// piped to a program and the limit is not looked at.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const FILTER_PATH = "/proc/self/coredump_filter";
const LIMITS_PATH = "/proc/self/limits";
const PRLIMIT_TIMEOUT_MS = 2000;

export interface CoreDumpState {
  /** No core file is written. */
  isLimited: boolean;
  /** Whatever is written holds no memory. */
  isFiltered: boolean;
}

/** Switches core dumps off for this process and those it starts, as far as that is possible; tells what is in force. */
export function switchCoreDumpsOff(): CoreDumpState {
  attempt(() => writeFileSync(FILTER_PATH, "0"));
  if (!coreDumpState().isLimited)
    attempt(() =>
      execFileSync("prlimit", ["--core=0:0", "--pid", String(process.pid)], {
        stdio: "ignore",
        timeout: PRLIMIT_TIMEOUT_MS,
      }),
    );
  return coreDumpState();
}

/** What the kernel says of this process. */
export function coreDumpState(): CoreDumpState {
  const limits = attempt(() => readFileSync(LIMITS_PATH, "utf8")) ?? "";
  const filter = attempt(() => readFileSync(FILTER_PATH, "utf8")) ?? "";
  return { isLimited: /^Max core file size\s+0\s+0\s/m.test(limits), isFiltered: /^0+$/.test(filter.trim()) };
}

/** Not every system has what it takes; the state says so. */
function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

// Which process something on the disk belongs to: by id and start time, so that a number which the kernel has given away
// again is not taken for it.
import { readFileSync } from "node:fs";

export interface Holder {
  pid: number;
  /** What the kernel says of the process's start; "" where it says nothing. */
  startedAt: string;
}

export function ownHolder(): Holder {
  return { pid: process.pid, startedAt: startOf(process.pid) ?? "" };
}

/** Out of JSON, with whatever else stands there; undefined when it is none, as of a file that a power cut has cut off. */
export function readHolder(text: string): (Holder & Record<string, unknown>) | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder>;
    const { pid, startedAt } = holder;
    if (Number.isInteger(pid) && pid! > 0 && typeof startedAt === "string") return { ...holder, pid: pid!, startedAt };
  } catch {
    // No JSON.
  }
  return undefined;
}

export function isAlive(holder: Holder): boolean {
  const startedAt = startOf(holder.pid);
  if (startedAt !== undefined || holder.startedAt !== "") return startedAt === holder.startedAt;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Boot and start time of a living process in the kernel's words (proc(5)); undefined when it is gone or cannot be seen. */
function startOf(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the name in brackets, may hold blanks; start time is the 22nd.
    const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return `${boot} ${fields[19] ?? ""}`;
  } catch {
    return undefined;
  }
}

// A box whose disk takes no writes when it starts: it says so and waits, since an appliance that gives up is not there when the disk
// is mended. What waiting cannot mend (a folder that is not there, a permission) is thrown as it is. Opens nothing itself.
import { statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "./base/logger.js";
import type { AlarmCode, AlarmDesk } from "./contract/alarms.js";

/** Between two attempts. */
const AGAIN_MS = 2000;
/** Refusals of a disk, not of whoever set the box up. */
const ALARM_BY_ERROR: Readonly<Record<string, AlarmCode>> = {
  EROFS: "disk-read-only",
  ENOSPC: "disk-full",
  EDQUOT: "disk-full",
  EIO: "disk-failing",
};

export interface StartWaitOptions {
  dataFolder: string;
  alarms: AlarmDesk;
  logger: Logger;
  /** Ends the waiting. */
  signal: AbortSignal;
  /** It has to be waited; told once. */
  onWait(): void;
}

/** What `open` resolves with as soon as the disk lets it; undefined when the waiting was ended. Rejects with what waiting cannot mend. */
export async function openWhenWritable<T>(open: () => Promise<T>, options: StartWaitOptions): Promise<T | undefined> {
  const { dataFolder, alarms, logger, signal, onWait } = options;
  let standing: AlarmCode | undefined;
  while (!signal.aborted) {
    try {
      return await open();
    } catch (error) {
      const alarm = ALARM_BY_ERROR[refusalIn(error)];
      if (alarm === undefined || !isFolder(dataFolder)) throw error;
      if (standing === undefined) onWait();
      if (standing !== undefined && standing !== alarm) alarms.clear(standing);
      if (standing !== alarm) {
        const reason = error instanceof Error ? error.message : String(error);
        alarms.raise(alarm, { reason });
        logger.error("the disk takes no writes: nothing is recorded before it does; waiting for it", { reason });
      }
      standing = alarm;
    }
    await delay(AGAIN_MS, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

/** The file system's error that is behind it; "" = none. */
function refusalIn(error: unknown): string {
  for (let one = error; one instanceof Error; one = one.cause) {
    const { code, syscall } = one as NodeJS.ErrnoException;
    if (syscall !== undefined && code !== undefined) return code;
  }
  return "";
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    // A disk that fails does not even say what stands there.
    return (error as NodeJS.ErrnoException).code === "EIO";
  }
}

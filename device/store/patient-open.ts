// Opens what a command may have for a moment: waits for a command that has the data folder, and not for another service.
import { setTimeout as after } from "node:timers/promises";
import { SidetoneError } from "../base/errors.js";
import { FolderLock } from "./folder-lock.js";

const LOOK_EVERY_MS = 100;
/** A command takes a fraction of a second; an erasure that goes through all recordings may take longer than this. */
const WAIT_MS = 10_000;

export interface PatientOptions {
  /** Told once, when it has to wait. */
  onWait(): void;
  /** Only tests give another time. */
  waitMs?: number;
}

/** Throws as `open` does, its SidetoneError `data-in-use` for a command only when the time is over. */
export async function openPatiently<T>(
  dataFolder: string,
  open: () => T,
  { onWait, waitMs = WAIT_MS }: PatientOptions,
): Promise<T> {
  const untilMs = performance.now() + waitMs;
  for (let isFirst = true; ; isFirst = false) {
    try {
      return open();
    } catch (error) {
      if (!(error instanceof SidetoneError) || error.code !== "data-in-use") throw error;
      // One that has just given it back is none any more.
      if (FolderLock.holder(dataFolder) === "service" || performance.now() >= untilMs) throw error;
      if (isFirst) onWait();
      await after(LOOK_EVERY_MS);
    }
  }
}

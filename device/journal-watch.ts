// Tells from what recovery and sealing meet which alarms about journals stand: damaged blocks, and runs that only a recipient's
// secret key opens. Owns those conditions; reads names below `locked-journals/` only.
import type { AlarmDesk } from "./contract/alarms.js";
import { listLockedRuns } from "./store/locked-runs.js";

/** Somebody may have opened and removed a locked run. */
const LOOK_EVERY_MS = 60_000;

export interface JournalWatchOptions {
  dataFolder: string;
  alarms: AlarmDesk;
}

export class JournalWatch {
  private readonly options: JournalWatchOptions;
  private blocks = 0;
  private recordings = 0;
  private unreadable = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: JournalWatchOptions) {
    this.options = options;
  }

  start(): void {
    this.lookForLocked();
    this.timer = setInterval(() => this.lookForLocked(), LOOK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** A run's files hold so many damaged blocks. */
  noteBlocks(blocks: number): void {
    if (blocks === 0) return;
    this.blocks += blocks;
    this.raiseDamaged();
  }

  /** A recording lacks what damaged blocks held; its manifest says so. */
  noteRecording(): void {
    this.recordings++;
    this.raiseDamaged();
  }

  /** Nobody can tell whose audio it is: its journal is kept. */
  noteUnreadable(): void {
    this.unreadable++;
    this.raiseDamaged();
  }

  lookForLocked(): void {
    const { dataFolder, alarms } = this.options;
    try {
      const runs = listLockedRuns(dataFolder);
      if (runs.length === 0) alarms.clear("journals-locked");
      else {
        const calls = runs.reduce((sum, { locked }) => sum + (locked?.calls.length ?? 0), 0);
        alarms.raise("journals-locked", { runs: runs.length, calls });
      }
    } catch {
      // A disk that does not answer is another alarm's.
    }
  }

  private raiseDamaged(): void {
    const { blocks, recordings, unreadable } = this;
    this.options.alarms.raise("journal-damaged", { blocks, recordings, unreadableCalls: unreadable });
  }
}

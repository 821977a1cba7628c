// Keeps what calls in progress must not lose where the next engine, and the next service, finds it: in memory and, when the
// capture is live, in `carried.json`. What is carried is carried-calls.ts's, the file's form store/carried-file.ts's.
import { systemClock } from "./base/clock.js";
import type { CallId } from "./base/ids.js";
import type { Logger } from "./base/logger.js";
import { CarriedCalls } from "./carried-calls.js";
import type { AlarmDesk } from "./contract/alarms.js";
import type { CarriedCall, CarriedPause, CarriedState } from "./contract/engine-messages.js";
import { CarriedFile } from "./store/carried-file.js";
import type { DeviceKey } from "./store/device-key.js";

/** The changes of a moment are written together, after so long. */
const GATHER_MS = 50;

export class CarriedKeeper {
  private calls = new CarriedCalls();
  private readonly dataFolder: string;
  private readonly isLive: boolean;
  private file: CarriedFile | undefined;
  private readonly logger: Logger;
  private readonly alarms: AlarmDesk;
  private timer: NodeJS.Timeout | undefined;

  /** What is carried through a replay has no meaning beyond it. */
  constructor(dataFolder: string, isLive: boolean, logger: Logger, alarms: AlarmDesk) {
    this.dataFolder = dataFolder;
    this.isLive = isLive;
    this.logger = logger;
    this.alarms = alarms;
  }

  /** To be called once the data folder is ours, and its key is known. */
  read(key: DeviceKey): void {
    if (!this.isLive) return;
    this.file = new CarriedFile(this.dataFolder, key);
    try {
      this.calls = new CarriedCalls(this.file.read());
    } catch (error) {
      this.logger.error("carried.json cannot be read: what was paused or refused in calls in progress is not known", {
        message: messageOf(error),
      });
    }
  }

  note(call: CallId, state: CarriedCall | undefined): void {
    this.calls.note(call, state);
    this.writeSoon();
  }

  notePauseOfAll(pause: CarriedPause | undefined): void {
    this.calls.notePauseOfAll(pause);
    this.writeSoon();
  }

  isAllPaused(): boolean {
    return this.calls.isAllPaused(systemClock.nowUs());
  }

  ended(call: { id: CallId; sipCallIds: readonly string[] }): void {
    this.calls.ended(call);
    this.writeSoon();
  }

  /** For an engine that is about to begin. */
  passOn(): CarriedState {
    this.calls.passOn();
    return this.calls.state(systemClock.nowUs());
  }

  /** Writes what is not written yet. */
  close(): void {
    clearTimeout(this.timer);
    this.write();
  }

  private writeSoon(): void {
    if (this.file) this.timer ??= setTimeout(() => this.write(), GATHER_MS);
  }

  private write(): void {
    this.timer = undefined;
    try {
      this.file?.write(this.calls.state(systemClock.nowUs()));
      this.alarms.clear("carried-unwritable");
    } catch (error) {
      this.alarms.raise("carried-unwritable", { reason: messageOf(error) });
      this.logger.error("carried.json cannot be written: a restart would not know of pauses and refusals", {
        message: messageOf(error),
      });
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

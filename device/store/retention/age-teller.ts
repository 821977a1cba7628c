// Whether ages can be told right now, and since when a recording without a date of its own counts: the one owner of what
// age-clock.ts judges by and of its file. Every look may move it on: a new time is on probation, or has kept long enough.
import type { Clock } from "../../base/clock.js";
import type { CallId, TimeUs } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import type { RecordingPaths } from "../recording-paths.js";
import { AgeClockFile, type AgeClockState, judgeClock } from "./age-clock.js";
import { newestEndUs } from "./book.js";

export interface AgeTellerOptions {
  paths: RecordingPaths;
  numbers: NumberRules;
  clock: Clock;
  /** What the box knows of its clock: "" = no fault. */
  clockFault(): string;
}

export class AgeTeller {
  readonly #options: AgeTellerOptions;
  readonly #file: AgeClockFile;
  readonly #newestUs: TimeUs | undefined;
  #state: AgeClockState;

  constructor(options: AgeTellerOptions) {
    this.#options = options;
    this.#file = new AgeClockFile(options.paths);
    this.#newestUs = newestEndUs(options.paths, options.numbers);
    this.#state = { acceptedUs: this.#file.acceptedUs, acceptedAtMs: undefined, probation: undefined };
  }

  /** Looks at the clock and takes note of it: "" = ages can be told, else why not. */
  look(): string {
    const { clock, clockFault } = this.#options;
    const sight = { nowUs: clock.nowUs(), monotonicMs: clock.monotonicMs(), fault: clockFault() };
    const { state, fault } = judgeClock(this.#state, sight, this.#newestUs);
    this.#state = state;
    if (fault === "") this.#file.acceptedUs = state.acceptedUs;
    return fault;
  }

  /** For a recording that was made while the clock was not set: when it counts as having ended; undefined = that cannot be said. */
  dateOf(id: CallId, nowUs: TimeUs, canTell: boolean): TimeUs | undefined {
    return canTell ? this.#file.dateOf(id, nowUs) : this.#file.undated.get(id);
  }

  /** The recording is gone. */
  forget(id: CallId): void {
    this.#file.undated.delete(id);
  }

  /** Durable when it returns. Throws file system errors. */
  write(): void {
    this.#file.write();
  }
}

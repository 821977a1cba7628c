// Days that need not be read again: nothing on them can go before a certain time, unless their files or the holds change. What
// makes it cheap to look through years of recordings again and again.
import type { TimeUs } from "../../base/ids.js";
import type { RecordingPaths } from "../recording-paths.js";
import type { Decision } from "./decision.js";
import { versionOfDay } from "./stored-recordings.js";

/** A century of days; beyond it all are read again. */
const MAX_DAYS = 36_500;

interface KnownDay {
  version: string;
  /** Nothing on it goes before. */
  quietUntilUs: TimeUs;
}

export class QuietDays {
  readonly #days = new Map<string, KnownDay>();
  #holdsVersion = "";

  /** Another text than before = holds may be others. */
  noteHolds(version: string): void {
    if (version !== this.#holdsVersion) this.#days.clear();
    this.#holdsVersion = version;
  }

  isQuiet(paths: RecordingPaths, day: string, nowUs: TimeUs): boolean {
    const known = this.#days.get(day);
    return known !== undefined && known.quietUntilUs > nowUs && known.version === versionOfDay(paths, day);
  }

  /** `quietUntilUs`: the least of `quietUntil` for all of the day's recordings. */
  note(paths: RecordingPaths, day: string, quietUntilUs: TimeUs): void {
    if (this.#days.size >= MAX_DAYS) this.#days.clear();
    this.#days.set(day, { version: versionOfDay(paths, day), quietUntilUs });
  }
}

/** Until when the decision stays what it is, if nothing but time changes: holds have a version. */
export function quietUntil(decision: Decision, nowUs: TimeUs): TimeUs {
  switch (decision.kind) {
    case "go":
      return Number.NEGATIVE_INFINITY;
    case "keep":
      return decision.untilUs;
    case "forever":
      return Number.POSITIVE_INFINITY;
    case "blocked": {
      // A clock that comes right says nothing, and may come from the future.
      if (decision.why === "clock") return Number.NEGATIVE_INFINITY;
      const { dueUs = Number.POSITIVE_INFINITY } = decision;
      return dueUs > nowUs ? dueUs : Number.POSITIVE_INFINITY;
    }
  }
}

// What retention knows at a moment: the classes and what was promised, the holds, how far the clock can be believed; and what
// follows for each recording. Only looks: the service's sweep, the commands and a dry run decide by the same book.

import { isoUs } from "../../base/clock.js";
import type { CallId, TimeUs } from "../../base/ids.js";
import type { Config } from "../../contract/config.js";
import type { DeletionReason } from "../../contract/tombstone.js";
import { recordingDays } from "../recording-days.js";
import { isoDay, type RecordingPaths, timeOfCallId } from "../recording-paths.js";
import { DAY_US, type Decision, decide } from "./decision.js";
import type { HoldBook } from "./holds.js";
import { type CallFacts, readRecording, recordingsOf, type StoredRecording } from "./stored-recordings.js";
import type { Terms, TermsTable } from "./terms.js";

export interface BookParts {
  paths: RecordingPaths;
  numbers: Config["numbers"];
  table: TermsTable;
  holds: HoldBook;
}

export interface Moment {
  nowUs: TimeUs;
  /** "" = ages can be told; else why not. */
  clockFault: string;
  /** When a recording counts as ended that was made by a clock that was not set; undefined = that cannot be said. */
  dateOf(id: CallId): TimeUs | undefined;
}

export interface Judged {
  recording: StoredRecording;
  terms: Terms;
  decision: Decision;
}

/** A book opened: holds are those of the moment of opening. Opening throws SidetoneError `data-unwritable` for damaged holds. */
export class OpenBook {
  readonly paths: RecordingPaths;
  readonly #parts: BookParts;
  readonly #covering: (call: CallFacts) => string[];
  readonly #moment: Moment;

  constructor(parts: BookParts, moment: Moment) {
    this.#parts = parts;
    this.paths = parts.paths;
    this.#covering = parts.holds.covering();
    this.#moment = moment;
  }

  judge(recording: StoredRecording, wish: DeletionReason, overridesMinimum = false): Judged {
    const { nowUs, clockFault } = this.#moment;
    const endedAtUs = recording.isUndated ? this.#moment.dateOf(recording.id) : recording.endedAtUs;
    const terms = this.#parts.table.termsOf({ ...recording, endedAtUs: endedAtUs ?? recording.endedAtUs });
    const facts = { endedAtUs: endedAtUs ?? nowUs, terms, holds: this.#covering(recording) };
    return { recording, terms, decision: decide(facts, { wish, nowUs, clockFault, overridesMinimum }) };
  }

  /** Ids of holds on a call that has no recording. */
  holdsOn(call: CallFacts): string[] {
    return this.#covering(call);
  }

  read(day: string, id: CallId): StoredRecording | undefined {
    return readRecording(this.paths, day, id, this.#parts.numbers);
  }

  /** Where its manifest should be first, then in every day. */
  find(id: CallId): StoredRecording | undefined {
    const expected = isoDay(timeOfCallId(id)).replaceAll("-", "/");
    const found = this.read(expected, id);
    if (found !== undefined) return found;
    for (const day of recordingDays(this.paths, "oldest")) {
      const recording = day === expected ? undefined : this.read(day, id);
      if (recording !== undefined) return recording;
    }
    return undefined;
  }

  /** Every recording, or those of days ("2026/11/21") that are wanted; the oldest day first. */
  *recordings(isWanted: (day: string) => boolean = () => true): Generator<StoredRecording, void> {
    for (const day of recordingDays(this.paths, "oldest")) if (isWanted(day)) yield* this.recordingsOn(day);
  }

  *recordingsOn(day: string): Generator<StoredRecording, void> {
    for (const id of recordingsOf(this.paths, day)) {
      const recording = this.read(day, id);
      if (recording !== undefined) yield recording;
    }
  }

  /** Days on which nothing can be due yet, whatever class it has, begin with this one; undefined = nothing is ever due. */
  firstDayNotDue(): string | undefined {
    const days = this.#parts.table.leastMaxDays;
    if (days === undefined) return undefined;
    return isoDay(this.#moment.nowUs - days * DAY_US + DAY_US).replaceAll("-", "/");
  }
}

/** The end of the newest recording, as far as its own day says; undefined = there is none. */
export function newestEndUs(paths: RecordingPaths, numbers: Config["numbers"]): TimeUs | undefined {
  for (const day of recordingDays(paths, "newest")) {
    for (const id of recordingsOf(paths, day).reverse()) {
      const recording = readRecording(paths, day, id, numbers);
      if (recording !== undefined) return recording.endedAtUs;
    }
  }
  return undefined;
}

/** Why it stays, in words for a person. */
export function explain({ decision, terms }: Pick<Judged, "decision" | "terms">): string {
  switch (decision.kind) {
    case "go":
      return "may go";
    case "forever":
      return decision.why === "no-class" ? "no class: kept for ever" : `class ${terms.class} has no maximum age`;
    case "keep": {
      const day = isoUs(decision.untilUs).slice(0, 10);
      return decision.why === "minimum"
        ? `its minimum age of ${terms.minDays} days keeps it until ${day}`
        : `goes on ${day}, at ${terms.maxDays} days`;
    }
    case "blocked":
      if (decision.why === "hold") return `held by ${decision.holds.join(", ")}`;
      return `its age cannot be told: ${decision.fault}`;
  }
}

// Looks for recordings whose time is over and deletes them, a few at a time so that nothing else waits; and for the oldest that
// may go when the disk is full. Days on which nothing can have changed are passed by.
import { setImmediate as turn } from "node:timers/promises";
import type { TimeUs } from "../../base/ids.js";
import { recordingDays } from "../recording-days.js";
import type { Judged, OpenBook } from "./book.js";
import { MAX_BATCH } from "./deletion.js";
import { QuietDays, quietUntil } from "./quiet-days.js";

/** Manifests read in one turn of the event loop: some milliseconds. */
const READ_PER_TURN = 25;
/** Days passed by in one turn. */
const DAYS_PER_TURN = 100;

export interface LookOptions {
  nowUs: TimeUs;
  /** Another text than before = holds may be others. */
  holdsVersion: string;
}

export interface SweepOptions extends LookOptions {
  /** Deletes them; the number that went. */
  remove(due: readonly Judged[]): Promise<number>;
  signal: AbortSignal;
}

export interface SweepResult {
  looked: number;
  deleted: number;
  /** Of the days that were looked into: due, and kept by a hold or because the clock cannot be believed. */
  blocked: number;
}

export class Sweep {
  readonly #days = new QuietDays();

  /** Rejects as `remove` does: what is due is looked for again then. */
  async run(book: OpenBook, options: SweepOptions): Promise<SweepResult> {
    const result: SweepResult = { looked: 0, deleted: 0, blocked: 0 };
    this.#days.noteHolds(options.holdsVersion);
    const end = book.firstDayNotDue();
    if (end === undefined) return result;
    let passed = 0;
    for (const day of recordingDays(book.paths, "oldest")) {
      if (options.signal.aborted || day >= end) break;
      if (++passed % DAYS_PER_TURN === 0) await turn();
      if (this.#days.isQuiet(book.paths, day, options.nowUs)) continue;
      await this.#sweepDay(book, day, options, result);
    }
    return result;
  }

  async #sweepDay(book: OpenBook, day: string, options: SweepOptions, result: SweepResult): Promise<void> {
    const { nowUs, remove, signal } = options;
    let quietUntilUs = Number.POSITIVE_INFINITY;
    let due: Judged[] = [];
    const removeDue = async (): Promise<void> => {
      const batch = due;
      due = [];
      if (batch.length > 0) result.deleted += await remove(batch);
    };
    for (const recording of book.recordingsOn(day)) {
      if (signal.aborted) return;
      if (++result.looked % READ_PER_TURN === 0) await turn();
      if (recording.isBuried) continue;
      const judged = book.judge(recording, "retention");
      const { decision } = judged;
      if (decision.kind === "go") due.push(judged);
      else quietUntilUs = Math.min(quietUntilUs, quietUntil(decision, nowUs));
      if (decision.kind === "blocked" && decision.dueUs !== undefined && decision.dueUs <= nowUs) result.blocked++;
      if (due.length === MAX_BATCH) await removeDue();
    }
    await removeDue();
    this.#days.note(book.paths, day, quietUntilUs);
  }
}

/** For the disk's sake: asked again and again while the disk is full. */
export class OldestFinder {
  readonly #days = new QuietDays();

  /** The oldest recording that may go; undefined when there is none. */
  async find(book: OpenBook, { nowUs, holdsVersion }: LookOptions): Promise<Judged | undefined> {
    this.#days.noteHolds(holdsVersion);
    let looked = 0;
    let passed = 0;
    for (const day of recordingDays(book.paths, "oldest")) {
      if (++passed % DAYS_PER_TURN === 0) await turn();
      if (this.#days.isQuiet(book.paths, day, nowUs)) continue;
      let quietUntilUs = Number.POSITIVE_INFINITY;
      for (const recording of book.recordingsOn(day)) {
        if (++looked % READ_PER_TURN === 0) await turn();
        if (recording.isBuried) continue;
        const judged = book.judge(recording, "disk");
        if (judged.decision.kind === "go") return judged;
        quietUntilUs = Math.min(quietUntilUs, quietUntil(judged.decision, nowUs));
      }
      this.#days.note(book.paths, day, quietUntilUs);
    }
    return undefined;
  }
}

// Looks for recordings whose time is over and deletes them, a few at a time so that nothing else waits. A day in which nothing
// can be due before a certain time is not looked into before, unless its files, the holds or the classes change.
import { setImmediate as turn } from "node:timers/promises";
import type { TimeUs } from "../../base/ids.js";
import type { Judged, OpenBook } from "./book.js";
import { MAX_BATCH } from "./deletion.js";
import { recordingDays, versionOfDay } from "./stored-recordings.js";

/** Manifests read in one turn of the event loop: some milliseconds. */
const READ_PER_TURN = 25;
/** A century of days. */
const MAX_DAYS = 36_500;

export interface SweepOptions {
  nowUs: TimeUs;
  /** Another text = holds may be others than before. */
  holdsVersion: string;
  /** Deletes them; the number that went. */
  remove(due: readonly Judged[]): Promise<number>;
  signal: AbortSignal;
}

export interface SweepResult {
  looked: number;
  deleted: number;
  /** Due, and kept by a hold or because the clock cannot be believed. */
  blocked: number;
}

interface KnownDay {
  version: string;
  /** Nothing on it is due before. */
  quietUntilUs: TimeUs;
}

export class Sweep {
  readonly #days = new Map<string, KnownDay>();
  #holdsVersion = "";

  /** Rejects as `remove` does: what is due is looked for again then. */
  async run(book: OpenBook, options: SweepOptions): Promise<SweepResult> {
    const result: SweepResult = { looked: 0, deleted: 0, blocked: 0 };
    if (options.holdsVersion !== this.#holdsVersion) this.#days.clear();
    this.#holdsVersion = options.holdsVersion;
    const end = book.firstDayNotDue();
    if (end === undefined) return result;
    for (const day of recordingDays(book.paths)) {
      if (options.signal.aborted || day >= end) break;
      const known = this.#days.get(day);
      const version = versionOfDay(book.paths, day);
      if (known?.version === version && known.quietUntilUs > options.nowUs) continue;
      await this.#sweepDay(book, day, options, result);
    }
    return result;
  }

  async #sweepDay(book: OpenBook, day: string, options: SweepOptions, result: SweepResult): Promise<void> {
    let quietUntilUs = Number.POSITIVE_INFINITY;
    let due: Judged[] = [];
    const remove = async (): Promise<void> => {
      const batch = due;
      due = [];
      if (batch.length > 0) result.deleted += await options.remove(batch);
    };
    let looked = 0;
    for (const recording of book.recordingsOn(day)) {
      if (options.signal.aborted) return;
      if (++looked % READ_PER_TURN === 0) await turn();
      if (recording.isBuried) continue;
      const judged = book.judge(recording, "retention");
      const { decision } = judged;
      if (decision.kind === "go") due.push(judged);
      else if (decision.kind === "keep") quietUntilUs = Math.min(quietUntilUs, decision.untilUs);
      else if (decision.kind === "blocked" && (decision.dueUs ?? Number.POSITIVE_INFINITY) <= options.nowUs) {
        result.blocked++;
        // A clock that comes right says nothing, and may come from the future: the day is looked into again. Holds have a version.
        if (decision.why === "clock") quietUntilUs = Number.NEGATIVE_INFINITY;
      } else if (decision.kind === "blocked" && decision.dueUs !== undefined)
        quietUntilUs = Math.min(quietUntilUs, decision.dueUs);
      if (due.length === MAX_BATCH) await remove();
    }
    await remove();
    result.looked += looked;
    if (this.#days.size >= MAX_DAYS) this.#days.clear();
    this.#days.set(day, { version: versionOfDay(book.paths, day), quietUntilUs });
  }
}

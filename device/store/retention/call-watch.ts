// Calls that were in progress when somebody's number was erased, found once they have ended: the erasure has the number as a
// keyed hash and tells by it whose they are. Such a call is looked for after each that ends and with every sweep, on days on
// which something has come since; a call that lasts longer than a week is given up.

import type { KeyObject } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { TimeUs } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import type { CallRecord } from "../../contract/call-record.js";
import { listRuns } from "../../journal/run-folder.js";
import { isoDay, type RecordingPaths } from "../recording-paths.js";
import type { OpenBook } from "./book.js";
import { DAY_US } from "./decision.js";
import type { ErasedCall, Erasure } from "./erasure.js";
import { numberMarks } from "./holds.js";
import { searchCalls } from "./number-search.js";
import { peopleOf, versionOfDay } from "./stored-recordings.js";

export const WATCH_US = 7 * DAY_US;

export interface CallWatchOptions {
  paths: RecordingPaths;
  numbers: NumberRules;
  privateKey: KeyObject;
}

export class CallWatch {
  readonly #paths: RecordingPaths;
  readonly #numbers: NumberRules;
  readonly #markOf: (key: string) => string;
  /** As it was when it was looked at last: erasure → day → version. */
  readonly #looked = new Map<string, Map<string, string>>();
  #watching: { mark: string; atUs: TimeUs }[] = [];

  constructor({ paths, numbers, privateKey }: CallWatchOptions) {
    this.#paths = paths;
    this.#numbers = numbers;
    this.#markOf = numberMarks(privateKey);
  }

  /** Whether a call may be in progress, or waits in the journal to be stored. */
  mayBeInProgress(): boolean {
    return listRuns(join(this.#paths.dataFolder, "journal")).length > 0;
  }

  /** Those that are to be watched from now on; what else was known is forgotten. */
  watch(erasures: readonly Erasure[]): void {
    this.#watching = erasures.flatMap(({ watch, at }) =>
      watch === undefined ? [] : [{ mark: watch, atUs: Date.parse(at) * 1000 }],
    );
    const ids = new Set<string>(erasures.map(({ id }) => id));
    for (const id of this.#looked.keys()) if (!ids.has(id)) this.#looked.delete(id);
  }

  /** Whether a call that has ended is one that an erasure waits for. */
  isAwaited(call: Pick<CallRecord, "startedAtUs" | "parties" | "events">): boolean {
    const watching = this.#watching.filter(({ atUs }) => call.startedAtUs <= atUs);
    if (watching.length === 0) return false;
    const marks = new Set([...peopleOf(call, this.#numbers)].map(this.#markOf));
    return watching.some(({ mark }) => marks.has(mark));
  }

  /** Calls of the erasure that have ended since it was looked last. Rejects with file system errors. */
  async find({ id, at, watch, waiting }: Erasure, book: OpenBook): Promise<ErasedCall[]> {
    if (watch === undefined) return [];
    const atUs = Date.parse(at) * 1000;
    const [first, last] = [isoDay(atUs - WATCH_US), isoDay(atUs)];
    const looked = this.#looked.get(id) ?? new Map<string, string>();
    const known = new Set(waiting.map((call) => call.id));
    const seen = new Map<string, string>();
    const isDay = (day: string): boolean => {
      if (day < first || day > last) return false;
      if (!seen.has(day)) seen.set(day, this.#versionOf(day));
      return seen.get(day) !== looked.get(day);
    };
    const { found } = await searchCalls(
      book,
      {
        isDay,
        isMeant: (call) =>
          call.startedAtUs <= atUs &&
          !known.has(call.id) &&
          [...call.people].some((key) => this.#markOf(key) === watch),
      },
      this.#numbers,
      false,
    );
    this.#looked.set(id, new Map([...looked, ...seen]));
    return found;
  }

  /** Changes when a recording or a line comes. */
  #versionOf(day: string): string {
    const log = statSync(join(this.#paths.callsFolder, `${day}.jsonl`), { throwIfNoEntry: false });
    return `${versionOfDay(this.#paths, day.replaceAll("-", "/"))} ${log?.ino} ${log?.size}`;
  }
}

/** The erasure without its watch, once no call of then can be in progress any more. */
export function withoutOldWatch(erasure: Erasure, nowUs: TimeUs): Erasure {
  const { watch: _, ...rest } = erasure;
  return nowUs > Date.parse(erasure.at) * 1000 + WATCH_US ? rest : erasure;
}

// The order in which calls came into the index, for whoever takes them from it one after the other: a number that is given when a
// call is first written, and again when it gets other audio than it had. Only the writer gives numbers, each higher than all
// that were ever given, so that whoever has seen one misses nothing below it later. They count in one index only: made anew, it
// has another generation, and cursors of the old one are stale.
import type { Database, Statement } from "better-sqlite3";
import { UnusableIndex } from "./database.js";

export interface ArrivalCount {
  generation: string;
  /** The highest that was given. */
  last: number;
}

/** The cursor is one of an index that is no more: whoever has it begins again, and skips what it has. */
export class StaleCursor extends RangeError {}

/**
 * What an index that was not closed in order leaves out: a power cut may have taken calls from it that were seen already, and
 * they, or others, must not get numbers that were seen. More than are ever written between two checkpoints.
 */
const CUT_GAP = 2 ** 30;
const CURSOR_PATTERN = /^a\.([0-9a-f]{16})\.(-?\d{1,16})$/;

/** Gives the numbers. Throws UnusableIndex where nothing is counted. */
export class ArrivalCounter {
  readonly #add: Statement<[number]>;

  constructor(database: Database) {
    this.#add = database.prepare(
      "UPDATE meta SET value = CAST(value AS INTEGER) + ? WHERE name = 'arrival' RETURNING CAST(value AS INTEGER) AS n",
    );
  }

  /** To be called in the transaction that writes the call. */
  next(): number {
    return this.#count(1);
  }

  /** Where calls may have been lost that were seen. */
  skip(): void {
    this.#count(CUT_GAP);
  }

  #count(by: number): number {
    const row = this.#add.get(by) as { n: number } | undefined;
    if (row === undefined) throw new UnusableIndex("it counts no arrivals");
    return row.n;
  }
}

/** Throws UnusableIndex where nothing is counted. */
export function arrivalsOf(database: Database): ArrivalCount {
  const read = (name: string): string | undefined =>
    (database.prepare("SELECT value FROM meta WHERE name = ?").get(name) as { value: string } | undefined)?.value;
  const [generation, last] = [read("generation"), read("arrival")];
  if (generation === undefined || last === undefined) throw new UnusableIndex("it counts no arrivals");
  return { generation, last: Number(last) };
}

/** Opaque to whoever has it. */
export function arrivalCursor(generation: string, arrival: number): string {
  return Buffer.from(`a.${generation}.${arrival}`, "latin1").toString("base64url");
}

/** The arrival of the call that it is behind. Throws RangeError for what is no cursor of this order, StaleCursor for one of another index. */
export function readArrivalCursor(text: string, { generation, last }: ArrivalCount): number {
  const match = CURSOR_PATTERN.exec(Buffer.from(text, "base64url").toString("latin1"));
  const arrival = Number(match?.[2]);
  if (match === null || arrivalCursor(match[1]!, arrival) !== text) throw new RangeError("that is no cursor");
  // One of the same generation that is ahead of the index: it was put back from a copy.
  if (match[1] !== generation || arrival > last) throw new StaleCursor("the cursor is of an index that is no more");
  return arrival;
}

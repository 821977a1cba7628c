// Answers listings out of the index, page by page, by any filters together: the newest calls first, or in the order in which they
// came into the index (arrival.ts), for whoever takes each of them once. Owns pages and their cursors; what a question goes
// through is call-source.ts's.
import type { Database } from "better-sqlite3";
import { isoUs } from "../../base/clock.js";
import type { CallId, TimeUs } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import type { ListedCall } from "../../contract/listing.js";
import { arrivalCursor, arrivalsOf, readArrivalCursor } from "./arrival.js";
import { readCall } from "./call-reader.js";
import {
  ARRIVAL_SOURCE,
  type CallFilter,
  CallSources,
  DURATION,
  FEW,
  type Source,
  type Values,
} from "./call-source.js";
import { type Sql, Statements } from "./statements.js";

/** time: the newest first. arrival: in the order in which calls came into the index, and again when they got audio. */
export const LISTING_ORDERS = ["time", "arrival"] as const;
export type ListingOrder = (typeof LISTING_ORDERS)[number];

export interface PageRequest {
  /** By default "time". */
  order?: ListingOrder;
  /** 1 to MAX_PAGE; by default DEFAULT_PAGE. */
  limit?: number;
  /** `next` of the page before, in the same order; in order of arrival also its `resume`. */
  cursor?: string;
}

export interface CallPage {
  calls: ListedCall[];
  /** "" = there are no more. A page that has one may have fewer calls than its limit, or none, where few of many fit. */
  next: string;
  /** In order of arrival: for a page of what comes later, however much later it is asked for. "" in order of time. */
  resume: string;
}

export const DEFAULT_PAGE = 100;
export const MAX_PAGE = 500;
/** Calls that are looked up in one go where each is to be looked at. */
const PASSED_AT_ONCE = 2000;

export interface ListedForEnd {
  id: CallId;
  startedAt: string;
  endedAt: string;
  retention: string;
}

/** Arrivals behind the one, up to the other. */
interface ArrivalRange {
  after: number;
  upTo: number;
}

export interface ListingBounds {
  /** In order of arrival, calls of the rarest value that are worth sorting. */
  few: number;
  /** Calls that one page in order of arrival goes through: some 20 ms. */
  passed: number;
}

const DEFAULT_BOUNDS: ListingBounds = { few: FEW, passed: 50_000 };

export class CallListing {
  readonly #database: Database;
  readonly #bounds: ListingBounds;
  readonly #statements: Statements;
  readonly #sources: CallSources;

  /** `rules`: those by which the index was written. Only tests give other bounds. */
  constructor(database: Database, rules: NumberRules, bounds: ListingBounds = DEFAULT_BOUNDS) {
    this.#database = database;
    this.#bounds = bounds;
    this.#statements = new Statements(database);
    this.#sources = new CallSources(this.#statements, rules);
  }

  /** Throws RangeError for a cursor or a limit that is none, StaleCursor for a cursor of another index. */
  list(filter: CallFilter, { order = "time", limit = DEFAULT_PAGE, cursor = "" }: PageRequest = {}): CallPage {
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) throw new RangeError(`a page has 1 to ${MAX_PAGE}`);
    return order === "arrival" ? this.#arrivals(filter, limit, cursor) : this.#newest(filter, limit, cursor);
  }

  #newest(filter: CallFilter, limit: number, cursor: string): CallPage {
    if (filter.acknowledged?.is === false) return this.#unacknowledged(filter, filter.acknowledged.by, limit, cursor);
    const query = this.#query(filter, cursor);
    if (query === undefined) return { calls: [], next: "", resume: "" };
    const found = this.#statements.all(query.text, [...query.values, limit + 1]) as { started: number; call: number }[];
    const calls = found.slice(0, limit);
    const last = calls.at(-1);
    const next = found.length > limit && last !== undefined ? cursorOf(last.started, last.call) : "";
    return { calls: calls.map(({ call }) => readCall(this.#statements, call)), next, resume: "" };
  }

  /** What is not there no list can hold: calls are gone through, no more than one page may. */
  #unacknowledged(filter: CallFilter, by: string, limit: number, cursor: string): CallPage {
    const has = this.#statements.prepare("SELECT 1 FROM acknowledgements WHERE call = ? AND by = ?");
    const calls: ListedCall[] = [];
    let place = cursor;
    for (let passed = 0; passed < this.#bounds.passed; ) {
      const query = this.#query(filter, place);
      const rows = query === undefined ? [] : this.#statements.all(query.text, [...query.values, PASSED_AT_ONCE]);
      for (const { started, call } of rows as { started: number; call: number }[]) {
        passed++;
        place = cursorOf(started, call);
        if (has.get(call, by) === undefined) calls.push(readCall(this.#statements, call));
        if (calls.length === limit) return { calls, next: place, resume: "" };
      }
      if (rows.length < PASSED_AT_ONCE) return { calls, next: "", resume: "" };
    }
    return { calls, next: place, resume: "" };
  }

  /**
   * Whoever reads beside the writer: what was counted before the calls are looked for bounds them, so that nothing can come in
   * below a cursor that was given.
   */
  #arrivals(filter: CallFilter, limit: number, cursor: string): CallPage {
    const count = arrivalsOf(this.#database);
    const after = cursor === "" ? Number.MIN_SAFE_INTEGER : readArrivalCursor(cursor, count);
    const at = (arrival: number): string => arrivalCursor(count.generation, arrival);
    const wanted = this.#sources.wanted(filter);
    if (wanted === undefined) return { calls: [], next: "", resume: at(count.last) };
    const { found, upTo } = this.#arrived(filter, wanted, { after, upTo: count.last }, limit + 1);
    const calls = found.slice(0, limit).map(({ call }) => readCall(this.#statements, call));
    const isCut = found.length > limit;
    const place = at(isCut ? found[limit - 1]!.arrival : upTo);
    return { calls, next: isCut || upTo < count.last ? place : "", resume: place };
  }

  /** As many as are wanted, or all up to `upTo`, which is no farther than one page goes. */
  #arrived(
    filter: CallFilter,
    wanted: readonly Values[],
    { after, upTo: last }: ArrivalRange,
    most: number,
  ): { found: { arrival: number; call: number }[]; upTo: number } {
    const { few, passed } = this.#bounds;
    const through = (source: Source, upTo: number) => {
      const { text, values } = this.#arrivalQuery(filter, wanted, source, { after, upTo });
      return { found: this.#statements.all(text, [...values, most]) as { arrival: number; call: number }[], upTo };
    };
    // What is frequent is met with soon.
    const near = this.#arrivalAt({ after, upTo: last }, few);
    const nearest = through(ARRIVAL_SOURCE, near ?? last);
    if (near === undefined || nearest.found.length >= most) return nearest;
    const rarest = this.#rarestIn(filter, wanted);
    if (rarest.count <= few) return through(rarest, last);
    return through(ARRIVAL_SOURCE, this.#arrivalAt({ after, upTo: last }, passed - 1) ?? last);
  }

  /** Of the call that has so many before it in the range. */
  #arrivalAt({ after, upTo }: ArrivalRange, before: number): number | undefined {
    const row = this.#statements
      .prepare(
        "SELECT arrival FROM calls INDEXED BY calls_by_arrival WHERE arrival > ? AND arrival <= ? ORDER BY arrival LIMIT 1 OFFSET ?",
      )
      .get(after, upTo, before);
    return (row as { arrival: number } | undefined)?.arrival;
  }

  #rarestIn(filter: CallFilter, wanted: readonly Values[]): Source {
    const { fromUs = Number.NEGATIVE_INFINITY, toUs = Number.POSITIVE_INFINITY } = filter;
    return this.#sources.rarest(filter, wanted, fromUs, toUs);
  }

  #arrivalQuery(filter: CallFilter, wanted: readonly Values[], source: Source, { after, upTo }: ArrivalRange): Sql {
    const { fromUs = Number.NEGATIVE_INFINITY, toUs = Number.POSITIVE_INFINITY } = filter;
    const isRare = source !== ARRIVAL_SOURCE;
    const arrival = isRare ? "a.arrival" : "c.arrival";
    const conditions: Sql[] = [
      { text: `${arrival} > ? AND ${arrival} <= ?`, values: [after, upTo] },
      ...this.#sources.conditions(filter, wanted, source, fromUs, toUs),
      ...this.#sources.notAcknowledged(filter, source),
    ];
    const where = conditions.map(({ text }) => text).join(" AND ");
    const from = isRare ? `${source.from.text} JOIN calls a ON a.pk = ${source.call}` : source.from.text;
    return {
      text: `SELECT ${isRare ? "DISTINCT " : ""}${arrival} AS arrival, ${source.call} AS call FROM ${from} WHERE ${where} ORDER BY ${arrival} LIMIT ?`,
      values: [...source.from.values, ...conditions.flatMap(({ values }) => values)],
    };
  }

  /** How SQLite goes about a listing, for tests: one line a step; none when nothing can be found. */
  explain(filter: CallFilter, cursor = "", order: ListingOrder = "time"): string[] {
    const query = order === "time" ? this.#query(filter, cursor) : this.#queryByArrival(filter);
    if (query === undefined) return [];
    const rows = this.#statements.all(`EXPLAIN QUERY PLAN ${query.text}`, [...query.values, 1]) as { detail: string }[];
    return rows.map(({ detail }) => detail);
  }

  find(id: CallId): ListedCall | undefined {
    const row = this.#statements.prepare("SELECT pk FROM calls WHERE id = ?").get(id) as { pk: number } | undefined;
    return row && readCall(this.#statements, row.pk);
  }

  /** Recordings that ended before `beforeUs`, the oldest first, of one retention class or of all; at most `limit`. */
  endedBefore(beforeUs: TimeUs, limit: number, retention?: string): ListedForEnd[] {
    const rows = this.#statements.all(
      `SELECT c.id, c.started_us, c.ended_us, r.retention FROM calls c INDEXED BY calls_by_end
         JOIN recordings r ON r.call = c.pk
         WHERE c.ended_us < ?${retention === undefined ? "" : " AND r.retention = ?"} ORDER BY c.ended_us LIMIT ?`,
      [beforeUs, ...(retention === undefined ? [] : [retention]), limit],
    ) as { id: CallId; started_us: number; ended_us: number; retention: string }[];
    return rows.map(({ id, started_us, ended_us, retention: name }) => ({
      ...{ id, startedAt: isoUs(started_us), endedAt: isoUs(ended_us), retention: name },
    }));
  }

  /** Calls and recordings in all. */
  count(): { calls: number; recordings: number } {
    return this.#statements
      .prepare("SELECT (SELECT count(*) FROM calls) AS calls, (SELECT count(*) FROM recordings) AS recordings")
      .get() as { calls: number; recordings: number };
  }

  #queryByArrival(filter: CallFilter): Sql | undefined {
    const wanted = this.#sources.wanted(filter);
    if (wanted === undefined) return undefined;
    const rarest = this.#rarestIn(filter, wanted);
    const source = rarest.count <= this.#bounds.few ? rarest : ARRIVAL_SOURCE;
    const range = { after: Number.MIN_SAFE_INTEGER, upTo: arrivalsOf(this.#database).last };
    return this.#arrivalQuery(filter, wanted, source, range);
  }

  /** Undefined when a value that is asked for is nobody's. */
  #query(filter: CallFilter, cursor: string): Sql | undefined {
    const wanted = this.#sources.wanted(filter);
    if (wanted === undefined) return undefined;
    const after = cursor === "" ? undefined : readCursor(cursor);
    const toUs = Math.min(
      filter.toUs ?? Number.POSITIVE_INFINITY,
      after ? after.startedUs + 1 : Number.POSITIVE_INFINITY,
    );
    const fromUs = filter.fromUs ?? Number.NEGATIVE_INFINITY;
    const source = this.#sources.rarest(filter, wanted, fromUs, toUs);
    const { started, call } = source;
    const conditions: Sql[] = [
      ...(after ? [{ text: `(${started}, ${call}) < (?, ?)`, values: [after.startedUs, after.call] }] : []),
      ...this.#sources.conditions(filter, wanted, source, fromUs, toUs),
    ];
    const where = conditions.length === 0 ? "" : ` WHERE ${conditions.map(({ text }) => text).join(" AND ")}`;
    // One call may have several of the values that fit.
    const distinct = source.isOrdered || source.answers === DURATION ? "" : "DISTINCT ";
    return {
      text: `SELECT ${distinct}${started} AS started, ${call} AS call FROM ${source.from.text}${where} ORDER BY ${started} DESC, ${call} DESC LIMIT ?`,
      values: [...source.from.values, ...conditions.flatMap(({ values }) => values)],
    };
  }
}

/** Opaque to whoever has it; the same call has the same in a rebuilt index. */
function cursorOf(startedUs: TimeUs, call: number): string {
  return Buffer.from(`${startedUs}.${call}`, "latin1").toString("base64url");
}

function readCursor(text: string): { startedUs: TimeUs; call: number } {
  const match = /^(-?\d{1,16})\.(-?\d{1,16})$/.exec(Buffer.from(text, "base64url").toString("latin1"));
  const [startedUs, call] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || cursorOf(startedUs, call) !== text) throw new RangeError("that is no cursor");
  return { startedUs, call };
}

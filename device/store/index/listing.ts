// Answers listings out of the index, page by page, by any filters together: the newest calls first, or in the order in which they
// came into the index (arrival.ts), for whoever takes each of them once. Chooses for every question
// what to go through: the calls of the rarest value, or all calls by time when what is asked for is frequent. Of what it goes
// through the bits (facet-bits.ts) refuse most of what does not fit, so that filters that never meet cost little.
import type { Database, Statement } from "better-sqlite3";
import { isoUs } from "../../base/clock.js";
import type { CallId, TimeUs } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import type { ConsentState, Policy } from "../../contract/call-record.js";
import type {
  CallOutcome,
  ListedAcknowledgement,
  ListedCall,
  ListedParty,
  ListedRecording,
} from "../../contract/listing.js";
import { arrivalCursor, arrivalsOf, readArrivalCursor } from "./arrival.js";
import { numberKey } from "./entry.js";
import { reversed } from "./entry-writer.js";
import { bitsOf } from "./facet-bits.js";
import { FACET, type FacetKind, type FacetLetter } from "./schema.js";

export interface CallFilter {
  /** Calls that began at or after it. */
  fromUs?: TimeUs;
  /** Calls that began before it. */
  toUs?: TimeUs;
  /** As `number`, of the agent's side only. */
  agent?: string;
  /** Of any party: a number however it is written, or at least MIN_SUFFIX of its last digits; or a user name. */
  number?: string;
  /** `agent` and `number` are whole: their last digits find nothing. */
  wholeNumbers?: boolean;
  /** Of a party other than the agent. */
  consent?: ConsentState;
  policy?: Policy;
  /** Of the audio; both bounds are within. */
  minDurationMs?: number;
  maxDurationMs?: number;
  tag?: string;
  outcome?: CallOutcome;
  /** Whether the token of that name has said to have the recording, or not. */
  acknowledged?: { by: string; is: boolean };
}

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
/** Fewer digits at a number's end say too little. */
export const MIN_SUFFIX = 3;
/** A filter that finds fewer calls is worth sorting them; what finds more is frequent enough to be met with by time. */
const FEW = 4096;
/** Calls that are looked up in one go where each is to be looked at. */
const PASSED_AT_ONCE = 2000;
const MAX_STATEMENTS = 64;
const SUFFIX_PATTERN = /^\d+$/;
/** Behind every character of a number. */
const BEHIND_ALL = "\u{10ffff}";

/** SQL with its values. */
interface Sql {
  text: string;
  values: (string | number)[];
}

/** A filter by value: which facets fit. */
interface Values {
  kind: FacetKind;
  /** Of `facets`, without "SELECT id FROM facets WHERE". */
  where: Sql;
  /** The only one, if it is one. */
  only: { id: number; bits: number } | undefined;
}

/** What a question goes through. */
interface Source {
  from: Sql;
  /** Names of its columns. */
  started: string;
  call: string;
  duration: string;
  bits: string;
  /** It comes in order of time by itself. */
  isOrdered: boolean;
  /** No more than FEW + 1. */
  count: number;
  /** When the newest FEW + 1 of them began: the longer ago, the rarer they are. */
  reachUs: TimeUs;
  /** The filter that it answers. */
  answers: unknown;
}

export interface ListedForEnd {
  id: CallId;
  startedAt: string;
  endedAt: string;
  retention: string;
}

interface CallRow {
  pk: number;
  id: CallId;
  started_us: number;
  ended_us: number;
  answered_at: string;
  end_reason: ListedCall["endReason"];
  reject_status: number;
  policy: Policy;
  no_audio: ListedCall["noAudio"];
  file: string;
  duration_ms: number;
  sip_call_ids: string;
  warnings: string;
  deleted: NonNullable<ListedCall["deleted"]> | null;
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
  readonly #rules: NumberRules;
  readonly #bounds: ListingBounds;
  readonly #statements = new Map<string, Statement<unknown[]>>();

  /** `rules`: those by which the index was written. Only tests give other bounds. */
  constructor(database: Database, rules: NumberRules, bounds: ListingBounds = DEFAULT_BOUNDS) {
    this.#database = database;
    this.#bounds = bounds;
    this.#rules = rules;
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
    const found = this.#all(query.text, [...query.values, limit + 1]) as { started: number; call: number }[];
    const calls = found.slice(0, limit);
    const last = calls.at(-1);
    const next = found.length > limit && last !== undefined ? cursorOf(last.started, last.call) : "";
    return { calls: calls.map(({ call }) => this.#read(call)), next, resume: "" };
  }

  /** What is not there no list can hold: calls are gone through, no more than one page may. */
  #unacknowledged(filter: CallFilter, by: string, limit: number, cursor: string): CallPage {
    const has = this.#prepare("SELECT 1 FROM acknowledgements WHERE call = ? AND by = ?");
    const calls: ListedCall[] = [];
    let place = cursor;
    for (let passed = 0; passed < this.#bounds.passed; ) {
      const query = this.#query(filter, place);
      const rows = query === undefined ? [] : this.#all(query.text, [...query.values, PASSED_AT_ONCE]);
      for (const { started, call } of rows as { started: number; call: number }[]) {
        passed++;
        place = cursorOf(started, call);
        if (has.get(call, by) === undefined) calls.push(this.#read(call));
        if (calls.length === limit) return { calls, next: place, resume: "" };
      }
      if (rows.length < PASSED_AT_ONCE) return { calls, next: "", resume: "" };
    }
    return { calls, next: place, resume: "" };
  }

  #notAcknowledged({ acknowledged }: CallFilter, { started, call, bits }: Source): Sql[] {
    if (acknowledged === undefined || acknowledged.is) return [];
    const where = exactly("collector", acknowledged.by);
    const [facet] = this.#all(`SELECT id FROM facets WHERE ${where.text}`, where.values) as { id: number }[];
    if (facet === undefined) return [];
    const text = `NOT (${bits} & ? <> 0 AND EXISTS (SELECT 1 FROM postings q WHERE q.facet = ? AND q.started_us = ${started} AND q.call = ${call}))`;
    return [{ text, values: [bitsOf(FACET.collector, acknowledged.by), facet.id] }];
  }

  /**
   * Whoever reads beside the writer: what was counted before the calls are looked for bounds them, so that nothing can come in
   * below a cursor that was given.
   */
  #arrivals(filter: CallFilter, limit: number, cursor: string): CallPage {
    const count = arrivalsOf(this.#database);
    const after = cursor === "" ? Number.MIN_SAFE_INTEGER : readArrivalCursor(cursor, count);
    const at = (arrival: number): string => arrivalCursor(count.generation, arrival);
    const wanted = this.#wanted(filter);
    if (wanted === undefined) return { calls: [], next: "", resume: at(count.last) };
    const { found, upTo } = this.#arrived(filter, wanted, { after, upTo: count.last }, limit + 1);
    const calls = found.slice(0, limit).map(({ call }) => this.#read(call));
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
      return { found: this.#all(text, [...values, most]) as { arrival: number; call: number }[], upTo };
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
    const row = this.#prepare(
      "SELECT arrival FROM calls INDEXED BY calls_by_arrival WHERE arrival > ? AND arrival <= ? ORDER BY arrival LIMIT 1 OFFSET ?",
    ).get(after, upTo, before);
    return (row as { arrival: number } | undefined)?.arrival;
  }

  #rarestIn(filter: CallFilter, wanted: readonly Values[]): Source {
    const { fromUs = Number.NEGATIVE_INFINITY, toUs = Number.POSITIVE_INFINITY } = filter;
    return this.#rarest(filter, wanted, fromUs, toUs);
  }

  #arrivalQuery(filter: CallFilter, wanted: readonly Values[], source: Source, { after, upTo }: ArrivalRange): Sql {
    const { fromUs = Number.NEGATIVE_INFINITY, toUs = Number.POSITIVE_INFINITY } = filter;
    const isRare = source !== ARRIVAL_SOURCE;
    const arrival = isRare ? "a.arrival" : "c.arrival";
    const conditions: Sql[] = [
      { text: `${arrival} > ? AND ${arrival} <= ?`, values: [after, upTo] },
      ...this.#conditions(filter, wanted, source, fromUs, toUs),
      ...this.#notAcknowledged(filter, source),
    ];
    const where = conditions.map(({ text }) => text).join(" AND ");
    const from = isRare ? `${source.from.text} JOIN calls a ON a.pk = ${source.call}` : source.from.text;
    return {
      text: `SELECT ${isRare ? "DISTINCT " : ""}${arrival} AS arrival, ${source.call} AS call FROM ${from} WHERE ${where} ORDER BY ${arrival} LIMIT ?`,
      values: [...source.from.values, ...conditions.flatMap(({ values }) => values)],
    };
  }

  /** Of the time and of every filter that the source does not answer. */
  #conditions(filter: CallFilter, wanted: readonly Values[], source: Source, fromUs: TimeUs, toUs: TimeUs): Sql[] {
    const { started } = source;
    return [
      ...(Number.isFinite(fromUs) ? [{ text: `${started} >= ?`, values: [fromUs] }] : []),
      ...(Number.isFinite(toUs) ? [{ text: `${started} < ?`, values: [toUs] }] : []),
      ...wanted.filter((values) => values !== source.answers).flatMap((values) => membership(values, source)),
      ...(source.answers === DURATION || !hasDuration(filter) ? [] : [durationWithin(filter, source.duration)]),
    ];
  }

  /** How SQLite goes about a listing, for tests: one line a step; none when nothing can be found. */
  explain(filter: CallFilter, cursor = "", order: ListingOrder = "time"): string[] {
    const query = order === "time" ? this.#query(filter, cursor) : this.#queryByArrival(filter);
    if (query === undefined) return [];
    const rows = this.#all(`EXPLAIN QUERY PLAN ${query.text}`, [...query.values, 1]) as { detail: string }[];
    return rows.map(({ detail }) => detail);
  }

  find(id: CallId): ListedCall | undefined {
    const row = this.#prepare("SELECT pk FROM calls WHERE id = ?").get(id) as { pk: number } | undefined;
    return row && this.#read(row.pk);
  }

  /** Recordings that ended before `beforeUs`, the oldest first, of one retention class or of all; at most `limit`. */
  endedBefore(beforeUs: TimeUs, limit: number, retention?: string): ListedForEnd[] {
    const rows = this.#all(
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
    return this.#prepare(
      "SELECT (SELECT count(*) FROM calls) AS calls, (SELECT count(*) FROM recordings) AS recordings",
    ).get() as { calls: number; recordings: number };
  }

  #queryByArrival(filter: CallFilter): Sql | undefined {
    const wanted = this.#wanted(filter);
    if (wanted === undefined) return undefined;
    const rarest = this.#rarestIn(filter, wanted);
    const source = rarest.count <= this.#bounds.few ? rarest : ARRIVAL_SOURCE;
    const range = { after: Number.MIN_SAFE_INTEGER, upTo: arrivalsOf(this.#database).last };
    return this.#arrivalQuery(filter, wanted, source, range);
  }

  /** Undefined when a value that is asked for is nobody's. */
  #query(filter: CallFilter, cursor: string): Sql | undefined {
    const wanted = this.#wanted(filter);
    if (wanted === undefined) return undefined;
    const after = cursor === "" ? undefined : readCursor(cursor);
    const toUs = Math.min(
      filter.toUs ?? Number.POSITIVE_INFINITY,
      after ? after.startedUs + 1 : Number.POSITIVE_INFINITY,
    );
    const fromUs = filter.fromUs ?? Number.NEGATIVE_INFINITY;
    const source = this.#rarest(filter, wanted, fromUs, toUs);
    const { started, call } = source;
    const conditions: Sql[] = [
      ...(after ? [{ text: `(${started}, ${call}) < (?, ?)`, values: [after.startedUs, after.call] }] : []),
      ...this.#conditions(filter, wanted, source, fromUs, toUs),
    ];
    const where = conditions.length === 0 ? "" : ` WHERE ${conditions.map(({ text }) => text).join(" AND ")}`;
    // One call may have several of the values that fit.
    const distinct = source.isOrdered || source.answers === DURATION ? "" : "DISTINCT ";
    return {
      text: `SELECT ${distinct}${started} AS started, ${call} AS call FROM ${source.from.text}${where} ORDER BY ${started} DESC, ${call} DESC LIMIT ?`,
      values: [...source.from.values, ...conditions.flatMap(({ values }) => values)],
    };
  }

  #rarest(filter: CallFilter, wanted: readonly Values[], fromUs: TimeUs, toUs: TimeUs): Source {
    const bounds: Sql[] = [
      ...(Number.isFinite(fromUs) ? [{ text: "started_us >= ?", values: [fromUs] }] : []),
      ...(Number.isFinite(toUs) ? [{ text: "started_us < ?", values: [toUs] }] : []),
    ];
    const sources = [
      ...wanted.map((values) => this.#sourceOf(values, bounds)),
      ...(hasDuration(filter) ? [this.#durationSource(filter)] : []),
      this.#timeSource(bounds),
    ];
    return sources.reduce((best, source) => {
      if (source.count <= FEW || best.count <= FEW) return source.count < best.count ? source : best;
      // Of the frequent ones, those that come in order of time by themselves are the best.
      if (source.isOrdered !== best.isOrdered) return best.isOrdered ? best : source;
      return source.reachUs < best.reachUs ? source : best;
    });
  }

  #sourceOf(values: Values, bounds: readonly Sql[]): Source {
    const isOne = values.only !== undefined;
    const facets: Sql = isOne
      ? { text: "facet = ?", values: [values.only!.id] }
      : { text: `facet IN (SELECT id FROM facets WHERE ${values.where.text})`, values: values.where.values };
    const columns = "facet, started_us, call, duration_ms, bits";
    return {
      from: { text: `(SELECT ${columns} FROM postings WHERE ${facets.text}) d`, values: facets.values },
      started: "d.started_us",
      call: "d.call",
      duration: "d.duration_ms",
      bits: "d.bits",
      isOrdered: isOne,
      ...this.#measure("postings", [facets, ...bounds], isOne),
      answers: values,
    };
  }

  #durationSource(filter: CallFilter): Source {
    const range = durationWithin(filter, "duration_ms");
    return {
      from: {
        text: `(SELECT pk, started_us, bits FROM calls INDEXED BY calls_by_duration WHERE ${range.text}) c`,
        values: range.values,
      },
      started: "c.started_us",
      call: "c.pk",
      duration: "c.duration_ms",
      bits: "c.bits",
      isOrdered: false,
      ...this.#measure("calls INDEXED BY calls_by_duration", [range], false),
      answers: DURATION,
    };
  }

  #timeSource(bounds: readonly Sql[]): Source {
    return {
      from: { text: "calls c INDEXED BY calls_by_time", values: [] },
      started: "c.started_us",
      call: "c.pk",
      duration: "c.duration_ms",
      bits: "c.bits",
      isOrdered: true,
      ...this.#measure("calls INDEXED BY calls_by_time", bounds, true),
      answers: undefined,
    };
  }

  #measure(table: string, conditions: readonly Sql[], isOrdered: boolean): Pick<Source, "count" | "reachUs"> {
    const where = conditions.length === 0 ? "" : ` WHERE ${conditions.map(({ text }) => text).join(" AND ")}`;
    const values = conditions.flatMap((condition) => condition.values);
    const counted = this.#prepare(`SELECT count(*) AS found FROM (SELECT 1 FROM ${table}${where} LIMIT ${FEW + 1})`);
    const { found: count } = counted.get(...values) as { found: number };
    if (count <= FEW || !isOrdered) return { count, reachUs: Number.NEGATIVE_INFINITY };
    const reach = this.#prepare(
      `SELECT started_us FROM ${table}${where} ORDER BY started_us DESC LIMIT 1 OFFSET ${FEW}`,
    );
    return { count, reachUs: (reach.get(...values) as { started_us: number }).started_us };
  }

  /** The filters by value; undefined when one of them fits nothing. */
  #wanted(filter: CallFilter): Values[] | undefined {
    const { agent, number, wholeNumbers = false, consent, policy, tag, outcome, acknowledged } = filter;
    const wanted: Values[] = [];
    const asked: [FacetKind, string | undefined][] = [
      ["agent", agent],
      ["number", number],
      ["tag", tag],
      ["consent", consent],
      ["policy", policy],
      ["outcome", outcome],
      ["collector", acknowledged?.is ? acknowledged.by : undefined],
    ];
    for (const [kind, value] of asked) {
      if (value === undefined) continue;
      const where =
        kind === "agent" || kind === "number" ? this.#numbers(kind, value, wholeNumbers) : exactly(kind, value);
      const sql = `SELECT id, kind, value FROM facets WHERE ${where.text} LIMIT 2`;
      const [first, second] = this.#all(sql, where.values) as { id: number; kind: FacetLetter; value: string }[];
      if (first === undefined) return undefined;
      const only = { id: first.id, bits: bitsOf(first.kind, first.value) };
      wanted.push({ kind, where, only: second === undefined ? only : undefined });
    }
    return wanted;
  }

  /** A whole number, or the end of one. */
  #numbers(kind: "agent" | "number", text: string, isWhole: boolean): Sql {
    const key = numberKey(text, this.#rules);
    const exact = exactly(kind, key);
    const digits = text.replace(/[\s()./-]/g, "");
    if (isWhole) return exact;
    if (key.startsWith("+") || digits.length < MIN_SUFFIX || !SUFFIX_PATTERN.test(digits)) return exact;
    const end = reversed(digits);
    return {
      text: "kind = ? AND backwards >= ? AND backwards < ?",
      values: [FACET[kind], end, end + BEHIND_ALL],
    };
  }

  #read(pk: number): ListedCall {
    const row = this.#prepare("SELECT * FROM calls WHERE pk = ?").get(pk) as CallRow;
    const parties = this.#all(
      `SELECT role, side, number, name, identified_by AS identifiedBy, consent, recorded_ms AS recordedMs
         FROM parties WHERE call = ? ORDER BY place`,
      [pk],
    ) as ListedParty[];
    const recording = this.#prepare(
      `SELECT bytes, sha256, sample_rate_hz AS sampleRateHz, policy_rule AS policyRule, purpose, retention
         FROM recordings WHERE call = ?`,
    ).get(pk) as ListedRecording | undefined;
    const tags = this.#all("SELECT tag FROM tags WHERE call = ? ORDER BY tag", [pk]) as { tag: string }[];
    const acknowledgements = this.#all("SELECT by, at FROM acknowledgements WHERE call = ? ORDER BY by", [pk]);
    return {
      id: row.id,
      startedAt: isoUs(row.started_us),
      answeredAt: row.answered_at,
      endedAt: isoUs(row.ended_us),
      endReason: row.end_reason,
      rejectStatus: row.reject_status,
      policy: row.policy,
      noAudio: row.no_audio,
      file: row.file,
      durationMs: row.duration_ms,
      sipCallIds: JSON.parse(row.sip_call_ids) as string[],
      warnings: JSON.parse(row.warnings) as string[],
      ...(row.deleted !== null && { deleted: row.deleted }),
      parties,
      ...(recording && { recording }),
      tags: tags.map(({ tag }) => tag),
      acknowledgements: acknowledgements as ListedAcknowledgement[],
    };
  }

  #all(sql: string, values: readonly (string | number)[]): unknown[] {
    return this.#prepare(sql).all(...values);
  }

  #prepare(sql: string): Statement<unknown[]> {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    if (this.#statements.size >= MAX_STATEMENTS) this.#statements.delete(this.#statements.keys().next().value!);
    const statement = this.#database.prepare<unknown[]>(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

const DURATION = Symbol("duration");

const ARRIVAL_SOURCE: Source = {
  from: { text: "calls c INDEXED BY calls_by_arrival", values: [] },
  ...{ started: "c.started_us", call: "c.pk", duration: "c.duration_ms", bits: "c.bits" },
  isOrdered: true,
  count: FEW + 1,
  reachUs: Number.NEGATIVE_INFINITY,
  answers: undefined,
};

function exactly(kind: FacetKind, value: string): Sql {
  return { text: "kind = ? AND value = ?", values: [FACET[kind], value] };
}

/** That the call of a row is among those that have one of the values. */
function membership({ kind, where, only }: Values, { started, call, bits }: Source): Sql[] {
  if (only !== undefined)
    return [
      { text: `${bits} & ? <> 0`, values: [only.bits] },
      {
        text: `EXISTS (SELECT 1 FROM postings q WHERE q.facet = ? AND q.started_us = ${started} AND q.call = ${call})`,
        values: [only.id],
      },
    ];
  // Of numbers: a call has few parties, the end of a number may fit many.
  const numbers: Sql =
    kind === "agent"
      ? {
          text: "SELECT n.id FROM facets a JOIN facets n ON n.kind = ? AND n.value = a.value WHERE a.id IN (SELECT id FROM facets WHERE ",
          values: [FACET.number],
        }
      : { text: "SELECT id FROM (SELECT id FROM facets WHERE ", values: [] };
  const role = kind === "agent" ? " AND q.role = 'agent'" : "";
  return [
    {
      text: `EXISTS (SELECT 1 FROM parties q WHERE q.call = ${call}${role} AND q.number_facet IN (${numbers.text}${where.text})))`,
      values: [...numbers.values, ...where.values],
    },
  ];
}

function hasDuration({ minDurationMs, maxDurationMs }: CallFilter): boolean {
  return minDurationMs !== undefined || maxDurationMs !== undefined;
}

function durationWithin({ minDurationMs, maxDurationMs }: CallFilter, duration: string): Sql {
  return {
    text: `${duration} BETWEEN ? AND ?`,
    values: [minDurationMs ?? 0, maxDurationMs ?? Number.MAX_SAFE_INTEGER],
  };
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

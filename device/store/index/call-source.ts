// What a question about calls goes through: the calls of the rarest value, or all calls by time when what is asked for is frequent;
// and what each call of it has to fulfil besides. Of what is gone through the bits (facet-bits.ts) refuse most of what does not
// fit, so that filters that never meet cost little. Makes SQL, finds no call.
import type { TimeUs } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import type { ConsentState, Policy } from "../../contract/call-record.js";
import type { CallOutcome } from "../../contract/listing.js";
import { numberKey } from "./entry.js";
import { reversed } from "./entry-writer.js";
import { bitsOf } from "./facet-bits.js";
import { FACET, type FacetKind, type FacetLetter } from "./schema.js";
import type { Sql, Statements } from "./statements.js";

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

/** Fewer digits at a number's end say too little. */
export const MIN_SUFFIX = 3;
/** A filter that finds fewer calls is worth sorting them; what finds more is frequent enough to be met with by time. */
export const FEW = 4096;
const SUFFIX_PATTERN = /^\d+$/;
/** Behind every character of a number. */
const BEHIND_ALL = "\u{10ffff}";

/** A filter by value: which facets fit. */
export interface Values {
  kind: FacetKind;
  /** Of `facets`, without "SELECT id FROM facets WHERE". */
  where: Sql;
  /** The only one, if it is one. */
  only: { id: number; bits: number } | undefined;
}

/** What a question goes through. */
export interface Source {
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

export class CallSources {
  readonly #statements: Statements;
  readonly #rules: NumberRules;

  /** `rules`: those by which the index was written. */
  constructor(statements: Statements, rules: NumberRules) {
    this.#statements = statements;
    this.#rules = rules;
  }

  /** What finds the fewest, or what comes in order of time where all find many. */
  rarest(filter: CallFilter, wanted: readonly Values[], fromUs: TimeUs, toUs: TimeUs): Source {
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
    const counted = this.#statements.prepare(
      `SELECT count(*) AS found FROM (SELECT 1 FROM ${table}${where} LIMIT ${FEW + 1})`,
    );
    const { found: count } = counted.get(...values) as { found: number };
    if (count <= FEW || !isOrdered) return { count, reachUs: Number.NEGATIVE_INFINITY };
    const reach = this.#statements.prepare(
      `SELECT started_us FROM ${table}${where} ORDER BY started_us DESC LIMIT 1 OFFSET ${FEW}`,
    );
    return { count, reachUs: (reach.get(...values) as { started_us: number }).started_us };
  }

  /** The filters by value; undefined when one of them fits nothing. */
  wanted(filter: CallFilter): Values[] | undefined {
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
      const [first, second] = this.#statements.all(sql, where.values) as {
        id: number;
        kind: FacetLetter;
        value: string;
      }[];
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

  /** Of the time and of every filter that the source does not answer. */
  conditions(filter: CallFilter, wanted: readonly Values[], source: Source, fromUs: TimeUs, toUs: TimeUs): Sql[] {
    const { started } = source;
    return [
      ...(Number.isFinite(fromUs) ? [{ text: `${started} >= ?`, values: [fromUs] }] : []),
      ...(Number.isFinite(toUs) ? [{ text: `${started} < ?`, values: [toUs] }] : []),
      ...wanted.filter((values) => values !== source.answers).flatMap((values) => membership(values, source)),
      ...(source.answers === DURATION || !hasDuration(filter) ? [] : [durationWithin(filter, source.duration)]),
    ];
  }

  /** That the token has not said to have it. */
  notAcknowledged({ acknowledged }: CallFilter, { started, call, bits }: Source): Sql[] {
    if (acknowledged === undefined || acknowledged.is) return [];
    const where = exactly("collector", acknowledged.by);
    const [facet] = this.#statements.all(`SELECT id FROM facets WHERE ${where.text}`, where.values) as { id: number }[];
    if (facet === undefined) return [];
    const text = `NOT (${bits} & ? <> 0 AND EXISTS (SELECT 1 FROM postings q WHERE q.facet = ? AND q.started_us = ${started} AND q.call = ${call}))`;
    return [{ text, values: [bitsOf(FACET.collector, acknowledged.by), facet.id] }];
  }
}

/** What a source `answers` that is of calls of some length. */
export const DURATION = Symbol("duration");

/** All calls in order of arrival. */
export const ARRIVAL_SOURCE: Source = {
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

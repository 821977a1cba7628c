// Writes calls into the index and takes them out of it. Writing what is there changes nothing, so that it can be done again
// whenever in doubt. Keeps `postings` and `facets` as what the calls need, no more: a number that no call has any longer is gone.
import type { Database, Statement } from "better-sqlite3";
import { type CallId, callIdToBytes, type TimeUs } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import { outcomeOf } from "../../contract/listing.js";
import { ArrivalCounter } from "./arrival.js";
import { type IndexEntry, numberKey, usOfIso } from "./entry.js";
import { bitsOf, joinBits } from "./facet-bits.js";
import type { Collection } from "./mark-trail.js";
import { FACET, type FacetKind, type FacetLetter } from "./schema.js";

/** What a delivery of a recording to somebody has come to. */
export interface DeliveryState {
  target: string;
  state: string;
  attempts: number;
  /** When it is to be tried next, or was done. */
  atUs: TimeUs;
  note: string;
}

/** Facets whose id is remembered. */
const MAX_KNOWN_FACETS = 4096;
/** Keys count milliseconds since 2020 in their upper bits: they stay exact numbers until 2089, and for as long before. */
const KEY_EPOCH_MS = Date.UTC(2020);
const KEY_RANDOM = 4096;
const MAX_KEY_MS = 2 ** 41 - 1;

const POST = "INSERT OR REPLACE INTO postings VALUES (?, ?, ?, ?, ?)";

interface Row {
  pk: number;
  started_us: number;
  facets: string;
  arrival: number;
}

/** What no file says of a call. */
interface Mark {
  kind: "tag" | "collector";
  value: string;
}

/** A row of `facets` that a call has. */
interface Facet {
  id: number;
  bits: number;
}

export class EntryWriter {
  readonly arrivals: ArrivalCounter;
  readonly #database: Database;
  readonly #rules: NumberRules;
  readonly #statements = new Map<string, Statement<unknown[]>>();
  /** By kind and value. */
  readonly #facets = new Map<string, Facet>();

  constructor(database: Database, rules: NumberRules) {
    this.#database = database;
    this.#rules = rules;
    this.arrivals = new ArrivalCounter(database);
  }

  /** All or none. */
  transaction<Result>(work: () => Result): Result {
    try {
      return this.#database.transaction(work).immediate();
    } catch (error) {
      // What was rolled back may have been remembered.
      this.#facets.clear();
      throw error;
    }
  }

  /** To be called in a transaction. A call that is there stays where it arrived, unless its audio is other than it was. */
  put(entry: IndexEntry): void {
    const before = this.#rowOf(entry.id);
    const isArriving = before === undefined || this.#hasOtherAudio(before.pk, entry);
    const arrival = isArriving ? this.arrivals.next() : before.arrival;
    const pk = before?.pk ?? this.#freeKey(entry.id);
    const startedUs = usOfIso(entry.startedAt)!;
    // Who has said to have the audio has not this one.
    if (before && isArriving) this.#run("DELETE FROM acknowledgements WHERE call = ?", pk);
    const marks = before ? this.#marksOf(pk) : [];
    const isMoved = before !== undefined && before.started_us !== startedUs;
    if (isMoved) this.#takeOut(before, new Set());
    const facets = this.#facetsOf(entry, marks);
    const ids = facets.map(({ id }) => id);
    const bits = allBits(facets);
    if (before && !isMoved) this.#takeOut(before, new Set(ids));
    this.#run(
      `INSERT INTO calls (pk, id, started_us, ended_us, answered_at, end_reason, reject_status, policy, no_audio, file,
         duration_ms, sip_call_ids, warnings, deleted, facets, bits, arrival)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      pk,
      entry.id,
      startedUs,
      usOfIso(entry.endedAt)!,
      entry.answeredAt,
      entry.endReason,
      entry.rejectStatus,
      entry.policy,
      entry.noAudio,
      entry.file,
      entry.durationMs,
      JSON.stringify(entry.sipCallIds),
      JSON.stringify(entry.warnings),
      entry.deleted ?? null,
      JSON.stringify(ids),
      bits,
      arrival,
    );
    for (const id of ids) this.#run(POST, id, startedUs, pk, entry.durationMs, bits);
    this.#putParts(pk, entry);
  }

  /** With everything that belongs to it. To be called in a transaction. */
  remove(id: CallId): void {
    const row = this.#rowOf(id);
    if (row === undefined) return;
    this.#takeOut(row, new Set());
    this.#forgetMarks(row.pk);
  }

  /** In place of what it has: a call of which nobody is to be named any longer. Nothing else of it stays but where it arrived. */
  redact(entry: IndexEntry): void {
    const row = this.#rowOf(entry.id);
    if (row !== undefined) this.#forgetMarks(row.pk);
    this.put(entry);
  }

  #forgetMarks(pk: number): void {
    for (const table of ["tags", "deliveries", "acknowledgements"])
      this.#run(`DELETE FROM ${table} WHERE call = ?`, pk);
  }

  /** Replaces a call's tags; false when there is no such call. To be called in a transaction. */
  setTags(id: CallId, tags: readonly string[]): boolean {
    const row = this.#rowOf(id);
    if (row === undefined) return false;
    const old = this.#tagsOf(row.pk);
    this.#run("DELETE FROM tags WHERE call = ?", row.pk);
    const fresh = [...new Set(tags)];
    for (const tag of fresh) this.#run("INSERT INTO tags VALUES (?, ?)", row.pk, tag);
    this.#replaceFacets(row, "tag", old, fresh);
    return true;
  }

  /** False when there is no such call, or its recording was deleted. To be called in a transaction. */
  changeTags(id: CallId, { added, removed }: { added: readonly string[]; removed: readonly string[] }): boolean {
    const row = this.#get("SELECT pk FROM calls WHERE id = ? AND deleted IS NULL", id) as { pk: number } | undefined;
    if (row === undefined) return false;
    return this.setTags(
      id,
      [...this.#tagsOf(row.pk), ...added].filter((tag) => !removed.includes(tag)),
    );
  }

  /** False when there is no such call, or its recording is another or was deleted. To be called in a transaction. */
  collect(id: CallId, { by, at, sha256, isWithdrawn }: Collection): boolean {
    const row = this.#rowOf(id);
    if (row === undefined) return false;
    const recording = this.#get("SELECT sha256 FROM recordings WHERE call = ?", row.pk) as
      | { sha256: string }
      | undefined;
    if (recording?.sha256 !== sha256) return false;
    const known = this.#get("SELECT at FROM acknowledgements WHERE call = ? AND by = ?", row.pk, by);
    if ((known === undefined) === isWithdrawn) return true;
    if (isWithdrawn) this.#run("DELETE FROM acknowledgements WHERE call = ? AND by = ?", row.pk, by);
    else this.#run("INSERT INTO acknowledgements VALUES (?, ?, ?)", row.pk, by, at);
    this.#replaceFacets(row, "collector", isWithdrawn ? [by] : [], isWithdrawn ? [] : [by]);
    return true;
  }

  /** False when there is no such call. To be called in a transaction. */
  setDelivery(id: CallId, { target, state, attempts, atUs, note }: DeliveryState): boolean {
    const row = this.#rowOf(id);
    if (row === undefined) return false;
    this.#run(
      "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?, ?, ?)",
      row.pk,
      target,
      state,
      attempts,
      Math.round(atUs),
      note,
    );
    return true;
  }

  /** That it gets: what it loses is no news to whoever takes recordings. */
  #hasOtherAudio(pk: number, { recording }: IndexEntry): boolean {
    if (recording === undefined) return false;
    const row = this.#get("SELECT sha256 FROM recordings WHERE call = ?", pk) as { sha256: string } | undefined;
    return row?.sha256 !== recording.sha256;
  }

  /** Values of one kind, in place of others of it. */
  #replaceFacets(row: Row, kind: FacetKind, before: readonly string[], after: readonly string[]): void {
    const old = before.map((value) => this.#facet(kind, value).id);
    const ids = after.map((value) => this.#facet(kind, value).id);
    for (const id of old.filter((one) => !ids.includes(one))) this.#removePosting(id, row);
    const others = (JSON.parse(row.facets) as number[]).filter((one) => !old.includes(one));
    this.#repost(row, [...others, ...ids]);
  }

  /** The call has these facets, which exist. */
  #repost({ pk, started_us }: Row, ids: readonly number[]): void {
    const { duration_ms } = this.#get("SELECT duration_ms FROM calls WHERE pk = ?", pk) as { duration_ms: number };
    const bits = allBits(ids.map((id) => this.#facetOf(id)));
    this.#run("UPDATE calls SET facets = ?, bits = ? WHERE pk = ?", JSON.stringify(ids), bits, pk);
    for (const id of ids) this.#run(POST, id, started_us, pk, duration_ms, bits);
  }

  #putParts(pk: number, { parties, recording, evidence }: IndexEntry): void {
    for (const [place, party] of parties.entries()) {
      const { role, side, number, name, identifiedBy, consent, recordedMs } = party;
      const facet = number === "" ? 0 : this.#facet("number", numberKey(number, this.#rules)).id;
      this.#run(
        "INSERT INTO parties VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ...[pk, place, role, side, number, facet, name, identifiedBy, consent, recordedMs],
      );
    }
    if (recording) {
      const { bytes, sha256, sampleRateHz, policyRule, purpose, retention } = recording;
      this.#run(
        "INSERT INTO recordings VALUES (?, ?, ?, ?, ?, ?, ?)",
        ...[pk, bytes, sha256, sampleRateHz, policyRule, purpose, retention],
      );
    }
    for (const [place, { id, at, kind, effect }] of evidence.entries())
      this.#run("INSERT INTO evidence VALUES (?, ?, ?, ?, ?, ?)", pk, place, id, at, kind, effect);
  }

  /** All but what no file says; `kept`: facets that it is to have again. */
  #takeOut(row: Row, kept: ReadonlySet<number>): void {
    for (const table of ["parties", "recordings", "evidence"]) this.#run(`DELETE FROM ${table} WHERE call = ?`, row.pk);
    this.#run("DELETE FROM calls WHERE pk = ?", row.pk);
    for (const facet of JSON.parse(row.facets) as number[]) if (!kept.has(facet)) this.#removePosting(facet, row);
  }

  #removePosting(facet: number, { started_us, pk }: Row): void {
    this.#run("DELETE FROM postings WHERE facet = ? AND started_us = ? AND call = ?", facet, started_us, pk);
    if (this.#get("SELECT 1 FROM postings WHERE facet = ? LIMIT 1", facet) !== undefined) return;
    this.#run("DELETE FROM facets WHERE id = ?", facet);
    this.#facets.clear();
  }

  /** Everything by which the call is found, each once. */
  #facetsOf(entry: IndexEntry, marks: readonly Mark[]): Facet[] {
    const { policy, parties } = entry;
    const facets = new Map<number, Facet>();
    const add = (kind: FacetKind, value: string): void => {
      const facet = this.#facet(kind, value);
      facets.set(facet.id, facet);
    };
    add("policy", policy);
    add("outcome", outcomeOf(entry));
    for (const { role, number, consent } of parties) {
      // An agent's own consent is asked for by nobody.
      if (role !== "agent") add("consent", consent);
      if (number === "") continue;
      const key = numberKey(number, this.#rules);
      add("number", key);
      if (role === "agent") add("agent", key);
    }
    for (const { kind, value } of marks) add(kind, value);
    return [...facets.values()];
  }

  #facet(kind: FacetKind, value: string): Facet {
    const name = FACET[kind] + value;
    const known = this.#facets.get(name);
    if (known !== undefined) return known;
    const backwards = kind === "number" || kind === "agent" ? reversed(value) : "";
    this.#run("INSERT OR IGNORE INTO facets (kind, value, backwards) VALUES (?, ?, ?)", FACET[kind], value, backwards);
    const { id } = this.#get("SELECT id FROM facets WHERE kind = ? AND value = ?", FACET[kind], value) as {
      id: number;
    };
    if (this.#facets.size >= MAX_KNOWN_FACETS) this.#facets.delete(this.#facets.keys().next().value!);
    const facet = { id, bits: bitsOf(FACET[kind], value) };
    this.#facets.set(name, facet);
    return facet;
  }

  #facetOf(id: number): Facet {
    const { kind, value } = this.#get("SELECT kind, value FROM facets WHERE id = ?", id) as {
      kind: FacetLetter;
      value: string;
    };
    return { id, bits: bitsOf(kind, value) };
  }

  #rowOf(id: CallId): Row | undefined {
    return this.#get("SELECT pk, started_us, facets, arrival FROM calls WHERE id = ?", id) as Row | undefined;
  }

  #marksOf(pk: number): Mark[] {
    return this.#prepare(
      "SELECT 'tag' AS kind, tag AS value FROM tags WHERE call = ? UNION ALL SELECT 'collector', by FROM acknowledgements WHERE call = ?",
    ).all(pk, pk) as Mark[];
  }

  #tagsOf(pk: number): string[] {
    return (this.#prepare("SELECT tag FROM tags WHERE call = ?").all(pk) as { tag: string }[]).map(({ tag }) => tag);
  }

  /** Made of the name alone, so that a rebuilt index has the same order, unless another call has it already. */
  #freeKey(id: CallId): number {
    let key = keyOf(id);
    while (this.#get("SELECT 1 FROM calls WHERE pk = ?", key) !== undefined) key++;
    return key;
  }

  #run(sql: string, ...values: unknown[]): void {
    this.#prepare(sql).run(...values);
  }

  #get(sql: string, ...values: unknown[]): unknown {
    return this.#prepare(sql).get(...values);
  }

  /** As many as this file has texts. */
  #prepare(sql: string): Statement<unknown[]> {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare<unknown[]>(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function allBits(facets: readonly Facet[]): number {
  return facets.reduce((bits, facet) => joinBits(bits, facet.bits), 0);
}

/** Of a number, for those who know its end. */
export function reversed(value: string): string {
  return [...value].reverse().join("");
}

/** Keys sort as the names do, within the years in which they are exact. */
export function keyOf(id: CallId): number {
  const bytes = callIdToBytes(id);
  const sinceMs = bytes.readUIntBE(0, 6) - KEY_EPOCH_MS;
  const boundMs = Math.max(-MAX_KEY_MS, Math.min(MAX_KEY_MS, sinceMs));
  return boundMs * KEY_RANDOM + (bytes.readUInt16BE(6) >>> 4);
}

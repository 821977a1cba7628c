// Erases what was found about a number: the recordings of every call that it was in, its calls' lines in the call log, their
// blocks in journals that the box cannot read any more. What a hold or a minimum age keeps is remembered by call and erased when
// that is over; so are calls that were in progress when it was asked for.
import { setImmediate as turn } from "node:timers/promises";
import type { CallId } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import type { AuditEntryInput } from "../../contract/audit.js";
import type { DeletionReason } from "../../contract/tombstone.js";
import type { CallLogRedaction } from "../call-log-redaction.js";
import { explain, type Judged, type OpenBook } from "./book.js";
import type { ErasedCall, Erasure } from "./erasure.js";
import { type LockedCall, readLockedCalls, removeLockedCalls } from "./locked-calls.js";
import { heldBy, loggedCalls } from "./number-search.js";

export interface EraserParts {
  book: OpenBook;
  numbers: NumberRules;
  log: CallLogRedaction;
  /** Deletes; the number that went. */
  remove(judged: readonly Judged[], erasure: Erasure): Promise<number>;
  /** Whoever derived something from a call without a recording forgets it. */
  forget(call: CallId): void;
  /** A journal that the box cannot read is another since, or gone. */
  entered(entry: AuditEntryInput): void;
  /** A day's call log is another since. */
  logged(day: string, file: { bytes: number; sha256: string; lines: number }): void;
}

export interface Settled {
  recordings: number;
  lines: number;
  /** Calls that were taken out of locked journals. */
  locked: number;
  /** What still waits, and why in words, the first ones. */
  waiting: ErasedCall[];
  reasons: string[];
}

const MAX_REASONS = 100;

/** Erases what of it may go now. Doing it again does the rest. Rejects with file system errors. */
export async function settleErasure(erasure: Erasure, parts: EraserParts): Promise<Settled> {
  const { book, numbers } = parts;
  const settled: Settled = { recordings: 0, lines: 0, locked: 0, waiting: [], reasons: [] };
  if (erasure.waiting.length === 0) return settled;
  const wait = (call: ErasedCall, why: string): void => {
    settled.waiting.push(call);
    if (settled.reasons.length < MAX_REASONS) settled.reasons.push(`${call.id}: ${why}`);
  };
  const locked = byCall((await readLockedCalls(book.paths.dataFolder, numbers)).calls);
  const going: Judged[] = [];
  const unrecorded: ErasedCall[] = [];
  for (const call of erasure.waiting) {
    const recording = call.day === "" ? undefined : book.read(call.day, call.id);
    const subject = recording ?? locked.get(call.id)?.[0]?.recording;
    const judged = subject && book.judge(subject, "erasure", erasure.overridesMinimum);
    if (judged !== undefined && judged.decision.kind !== "go") wait(call, explain(judged));
    else if (recording === undefined) unrecorded.push(call);
    else going.push(judged!);
  }
  settled.recordings = await parts.remove(going, erasure);
  for (const [day, calls] of byDay(unrecorded)) settled.lines += await redactDay(day, calls, parts, wait);
  const waiting = new Set(settled.waiting.map(({ id }) => id));
  const gone = erasure.waiting.flatMap(({ id }) => (waiting.has(id) ? [] : (locked.get(id) ?? [])));
  settled.locked = await removeLocked(gone, parts);
  return settled;
}

function byCall(calls: readonly LockedCall[]): Map<CallId, LockedCall[]> {
  const found = new Map<CallId, LockedCall[]>();
  for (const call of calls) found.set(call.record.id, [...(found.get(call.record.id) ?? []), call]);
  return found;
}

async function removeLocked(calls: readonly LockedCall[], { entered }: EraserParts): Promise<number> {
  const runs = new Map<string, Set<CallId>>();
  for (const { folder, record } of calls) runs.set(folder, (runs.get(folder) ?? new Set()).add(record.id));
  for (const [folder, ids] of runs) {
    await turn();
    const entry = removeLockedCalls(folder, ids);
    if (entry) entered(entry);
  }
  return new Set(calls.map(({ record }) => record.id)).size;
}

async function redactDay(
  day: string,
  calls: readonly ErasedCall[],
  { book, numbers, log, logged, forget }: EraserParts,
  wait: (call: ErasedCall, why: string) => void,
): Promise<number> {
  const byId = new Map(calls.map((call) => [call.id, call]));
  const going = new Map<CallId, DeletionReason>();
  for (const facts of loggedCalls(book.paths, day, numbers)) {
    const call = byId.get(facts.id);
    if (call === undefined) continue;
    const why = heldBy(book.holdsOn(facts));
    if (why === "") going.set(facts.id, "erasure");
    else wait(call, why);
  }
  if (going.size === 0) return 0;
  const file = await log.redact(day, going);
  logged(day, file);
  for (const id of going.keys()) forget(id);
  return file.lines;
}

function byDay(calls: readonly ErasedCall[]): Map<string, ErasedCall[]> {
  const days = new Map<string, ErasedCall[]>();
  for (const call of calls) days.set(call.loggedOn, [...(days.get(call.loggedOn) ?? []), call]);
  return days;
}

// Erases everything about a number: the recordings of every call that it was in, its calls' lines in the call log, and what the
// consent register has on it but refusals in force. What a hold or a minimum age keeps is remembered by call and erased when that is over.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { CallId } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import { registerKey } from "../../consent/register-line.js";
import type { DeletionReason } from "../../contract/tombstone.js";
import type { CallLogRedaction } from "../call-log-redaction.js";
import { parseLogLine } from "../call-log-redaction.js";
import { isoDay, type RecordingPaths } from "../recording-paths.js";
import { explain, type Judged, type OpenBook } from "./book.js";
import type { ErasedCall, Erasure } from "./erasure.js";
import { factsOf } from "./stored-recordings.js";

const READ_PER_TURN = 25;
const DAY_FILE = /^(\d{4}-\d\d-\d\d)\.jsonl$/;

export interface ErasureSearch {
  /** Every call that the number was in, recorded or not. */
  calls: ErasedCall[];
  /** Of them, those with a recording, and what holds for each. */
  judged: Judged[];
}

/** Looks through all manifests and the whole call log; changes nothing. Throws file system errors. */
export async function searchNumber(
  book: OpenBook,
  number: string,
  numbers: NumberRules,
  overridesMinimum: boolean,
): Promise<ErasureSearch> {
  const key = registerKey(number, numbers);
  const calls = new Map<CallId, ErasedCall>();
  const judged: Judged[] = [];
  let looked = 0;
  for (const recording of book.recordings()) {
    if (++looked % READ_PER_TURN === 0) await turn();
    if (!recording.people.has(key)) continue;
    const { id, day, startedAtUs } = recording;
    calls.set(id, { id, day, loggedOn: isoDay(startedAtUs) });
    judged.push(book.judge(recording, "erasure", overridesMinimum));
  }
  for (const loggedOn of loggedDays(book.paths)) {
    await turn();
    for (const { id, facts } of loggedCalls(book.paths, loggedOn, numbers))
      if (facts.people.has(key) && !calls.has(id)) calls.set(id, { id, day: "", loggedOn });
  }
  return { calls: [...calls.values()], judged };
}

export interface EraserParts {
  book: OpenBook;
  numbers: NumberRules;
  log: CallLogRedaction;
  /** Deletes; the number that went. */
  remove(judged: readonly Judged[], erasure: Erasure): Promise<number>;
  /** Whoever derived something from a call without a recording forgets it. */
  forget(call: CallId): void;
  /** A day's call log is another since. */
  logged(day: string, file: { bytes: number; sha256: string; lines: number }): void;
}

export interface Settled {
  recordings: number;
  lines: number;
  /** What still waits, and why in words, the first ones. */
  waiting: ErasedCall[];
  reasons: string[];
}

const MAX_REASONS = 100;

/** Erases what of it may go now. Doing it again does the rest. Rejects with file system errors. */
export async function settleErasure(erasure: Erasure, parts: EraserParts): Promise<Settled> {
  const { book } = parts;
  const settled: Settled = { recordings: 0, lines: 0, waiting: [], reasons: [] };
  const wait = (call: ErasedCall, why: string): void => {
    settled.waiting.push(call);
    if (settled.reasons.length < MAX_REASONS) settled.reasons.push(`${call.id}: ${why}`);
  };
  const going: Judged[] = [];
  const unrecorded: ErasedCall[] = [];
  for (const call of erasure.waiting) {
    const recording = call.day === "" ? undefined : book.read(call.day, call.id);
    if (recording === undefined) {
      unrecorded.push(call);
      continue;
    }
    const judged = book.judge(recording, "erasure", erasure.overridesMinimum);
    if (judged.decision.kind === "go") going.push(judged);
    else wait(call, explain(judged));
  }
  settled.recordings = await parts.remove(going, erasure);
  for (const [day, calls] of byDay(unrecorded)) settled.lines += await redactDay(day, calls, parts, wait);
  return settled;
}

async function redactDay(
  day: string,
  calls: readonly ErasedCall[],
  { book, numbers, log, logged, forget }: EraserParts,
  wait: (call: ErasedCall, why: string) => void,
): Promise<number> {
  const byId = new Map(calls.map((call) => [call.id, call]));
  const going = new Map<CallId, DeletionReason>();
  for (const { id, facts } of loggedCalls(book.paths, day, numbers)) {
    const call = byId.get(id);
    if (call === undefined) continue;
    const holds = book.holdsOn(facts);
    if (holds.length === 0) going.set(id, "erasure");
    else wait(call, `held by ${holds.join(", ")}`);
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

/** Days with a call log, the oldest first. */
function loggedDays({ callsFolder }: RecordingPaths): string[] {
  if (!existsSync(callsFolder)) return [];
  return readdirSync(callsFolder)
    .flatMap((name) => DAY_FILE.exec(name)?.[1] ?? [])
    .sort();
}

/** Calls of a day that still name their people. */
function* loggedCalls(paths: RecordingPaths, day: string, numbers: NumberRules) {
  const path = join(paths.callsFolder, `${day}.jsonl`);
  if (!existsSync(path)) return;
  for (const text of readFileSync(path, "utf8").split("\n")) {
    const line = text === "" ? undefined : parseLogLine(text);
    if (line === undefined || line.deleted !== undefined) continue;
    const facts = factsOf(line.id, line, numbers);
    if (facts !== undefined) yield { id: line.id, facts };
  }
}

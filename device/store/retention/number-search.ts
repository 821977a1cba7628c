// Every call that somebody was in, wherever the data folder has it: recordings, the call log, and journals that the box cannot
// read any more. The one search of erasures, their dry runs and exports. Never writes.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { CallId } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import { registerKey } from "../../consent/register-line.js";
import { parseLogLine } from "../call-log-redaction.js";
import { isoDay, type RecordingPaths } from "../recording-paths.js";
import { explain, type Judged, type OpenBook } from "./book.js";
import type { ErasedCall } from "./erasure.js";
import { type LockedCalls, readLockedCalls } from "./locked-calls.js";
import { type CallFacts, factsOf } from "./stored-recordings.js";

const READ_PER_TURN = 25;
const DAY_FILE = /^(\d{4}-\d\d-\d\d)\.jsonl$/;

export interface NumberSearch extends LockedCalls {
  /** Every call that the number was in, recorded or not. */
  found: ErasedCall[];
  /** Of them, those with a recording, and what holds for each. */
  judged: Judged[];
  /** Of them, those without one, and what keeps their numbers for now: "" = nothing. */
  unrecorded: { id: CallId; why: string }[];
}

/** Which calls are looked for, and on which days ("2026-11-21") of their beginning; by default on all. */
export interface Sought {
  isMeant(call: CallFacts): boolean;
  isDay?(day: string): boolean;
}

export function soughtNumber(number: string, numbers: NumberRules): Sought {
  const key = registerKey(number, numbers);
  return { isMeant: ({ people }) => key !== "" && people.has(key) };
}

/** Looks through all manifests, the whole call log and all locked journals. Throws file system errors. */
export async function searchCalls(
  book: OpenBook,
  { isMeant, isDay = () => true }: Sought,
  numbers: NumberRules,
  overridesMinimum: boolean,
): Promise<NumberSearch> {
  const found = new Map<CallId, ErasedCall>();
  const judged: Judged[] = [];
  let looked = 0;
  for (const recording of book.recordings((day) => isDay(day.replaceAll("/", "-")))) {
    if (++looked % READ_PER_TURN === 0) await turn();
    if (!isMeant(recording)) continue;
    const { id, day, startedAtUs } = recording;
    found.set(id, { id, day, loggedOn: isoDay(startedAtUs) });
    judged.push(book.judge(recording, "erasure", overridesMinimum));
  }
  const unrecorded = new Map<CallId, string>();
  const note = (facts: CallFacts, loggedOn: string, why: string): void => {
    const { id } = facts;
    if (!found.has(id)) found.set(id, { id, day: "", loggedOn });
    if (found.get(id)!.day === "" && !unrecorded.get(id)) unrecorded.set(id, why);
  };
  for (const loggedOn of loggedDays(book.paths).filter((day) => isDay(day))) {
    await turn();
    for (const facts of loggedCalls(book.paths, loggedOn, numbers))
      if (isMeant(facts)) note(facts, loggedOn, heldBy(book.holdsOn(facts)));
  }
  const locked = await readLockedCalls(book.paths.dataFolder, numbers);
  const calls = locked.calls.filter(
    ({ recording }) => isDay(isoDay(recording.startedAtUs)) && (isMeant(recording) || found.has(recording.id)),
  );
  for (const { recording } of calls) {
    const one = book.judge(recording, "erasure", overridesMinimum);
    note(recording, isoDay(recording.startedAtUs), one.decision.kind === "go" ? "" : explain(one));
  }
  const others = [...unrecorded].map(([id, why]) => ({ id, why }));
  return { found: [...found.values()], judged, unrecorded: others, calls, nameless: locked.nameless };
}

/** Why a call without a recording keeps its numbers: "" = nothing holds it. */
export function heldBy(holds: readonly string[]): string {
  return holds.length === 0 ? "" : `held by ${holds.join(", ")}`;
}

/** Days with a call log, the oldest first. */
export function loggedDays({ callsFolder }: RecordingPaths): string[] {
  if (!existsSync(callsFolder)) return [];
  return readdirSync(callsFolder)
    .flatMap((name) => DAY_FILE.exec(name)?.[1] ?? [])
    .sort();
}

/** Calls of a day that still name their people. */
export function* loggedCalls(paths: RecordingPaths, day: string, numbers: NumberRules): Generator<CallFacts, void> {
  for (const text of logLines(paths, day)) {
    const line = parseLogLine(text);
    if (line === undefined || line.deleted !== undefined) continue;
    const facts = factsOf(line.id, line, numbers);
    if (facts !== undefined) yield facts;
  }
}

/** A day's lines as they stand, torn ones and all. */
export function logLines({ callsFolder }: RecordingPaths, day: string): string[] {
  const path = join(callsFolder, `${day}.jsonl`);
  return existsSync(path)
    ? readFileSync(path, "utf8")
        .split("\n")
        .filter((text) => text !== "")
    : [];
}

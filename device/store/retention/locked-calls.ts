// The calls in `locked-journals/`: who was in them, which stands there in clear, and taking single ones out for good. Their
// audio cannot be read here; their records and their blocks can be told apart.
import { basename } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { CallId } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import type { AuditEntryInput } from "../../contract/audit.js";
import type { CallRecord } from "../../contract/call-record.js";
import { removeCalls } from "../../journal/call-removal.js";
import { recoverRun, removeRun } from "../../journal/recovery.js";
import { goneLockedRun, listLockedRuns, readLockedRun, writeLockedRun } from "../locked-runs.js";
import { peopleOf, type StoredRecording } from "./stored-recordings.js";

export interface LockedCall {
  /** The run's folder. */
  folder: string;
  record: CallRecord;
  /** As a recording, for what retention has to judge: it has no file of its own. */
  recording: StoredRecording;
}

export interface LockedCalls {
  calls: LockedCall[];
  /** Runs with calls of which no record can be read: nobody can say whose they are. */
  nameless: { run: string; calls: number }[];
}

/** Reads every segment of every locked run. Throws file system errors and SidetoneError. */
export async function readLockedCalls(dataFolder: string, numbers: NumberRules): Promise<LockedCalls> {
  const found: LockedCalls = { calls: [], nameless: [] };
  for (const { folder } of listLockedRuns(dataFolder)) {
    await turn();
    const run = recoverRun(folder);
    for (const { record } of run.calls)
      if (record) found.calls.push({ folder, record, recording: asRecording(record, numbers) });
    const nameless = run.calls.filter(({ record }) => record === undefined).length;
    if (nameless > 0) found.nameless.push({ run: basename(folder), calls: nameless });
  }
  return found;
}

/**
 * Takes calls out of a run: first out of the list of those that are to be had from it, then out of its segments; a run of which
 * nothing is wanted any more is removed. What the audit chain is to be told of the run as it is then. Durable when it returns;
 * doing it again does the rest. Throws file system errors.
 */
export function removeLockedCalls(folder: string, calls: ReadonlySet<CallId>): AuditEntryInput | undefined {
  const locked = readLockedRun(folder);
  const wanted = locked?.calls ?? recoverRun(folder).calls.map(({ id }) => id);
  const left = wanted.filter((id) => !calls.has(id));
  if (left.length === 0) {
    removeRun(folder);
    return goneLockedRun(folder);
  }
  if (locked && left.length < wanted.length) writeLockedRun(folder, { ...locked, calls: left });
  removeCalls(folder, calls);
  return locked && writeLockedRun(folder, { ...locked, calls: left });
}

/** What a recording of the call would be, as far as retention asks. */
function asRecording(record: CallRecord, numbers: NumberRules): StoredRecording {
  const { id, startedAtUs, endedAtUs, retention } = record;
  return {
    id,
    startedAtUs,
    endedAtUs,
    people: peopleOf(record, numbers),
    retention,
    terms: undefined,
    day: "",
    bytes: 0,
    isBuried: false,
    isUndated: false,
  };
}

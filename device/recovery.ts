// Keeps the calls that a dead engine run left in its journal: those whose end was written as they are, the others
// completed from what the journal holds. A run whose calls are all kept is removed; otherwise it waits for the next start.
import type { CallId } from "./base/ids.js";
import type { Logger } from "./base/logger.js";
import type { CallRecord } from "./contract/call-record.js";
import { CallReader } from "./journal/reader.js";
import { type RecoveredCall, type RecoveredRun, recoverRun, removeRun } from "./journal/recovery.js";
import type { JournalWatch } from "./journal-watch.js";
import type { CallKeeper, JournalPlace } from "./keeper.js";
import { completeRecovered } from "./seal/recovered.js";

/** Calls whose journal is read at the same time. */
const BATCH = 16;

export interface RecoveryOptions {
  keeper: CallKeeper;
  logger: Logger;
  /** The run's key, where its journal is sealed. */
  key?: Uint8Array | undefined;
  /** Is told of damage; of a running box. */
  journalWatch?: JournalWatch | undefined;
  /** Puts aside what is sealed with a key that is not here. */
  lock(folder: string, run: RecoveredRun): void | Promise<void>;
}

export async function recoverOldRun(folder: string, options: RecoveryOptions): Promise<void> {
  const run = recoverRun(folder);
  options.journalWatch?.noteBlocks(run.damagedBlocks);
  if (run.isSealed && options.key === undefined) await options.lock(folder, run);
  else if ((await keepCalls(folder, run, options)) === 0) removeRun(folder);
}

/** Keeps the run's calls; returns how many could not be kept. */
export async function keepCalls(
  folder: string,
  run: RecoveredRun,
  { keeper, logger, key, journalWatch }: Omit<RecoveryOptions, "lock">,
): Promise<number> {
  if (run.damagedBlocks > 0)
    logger.warn("the journal holds damaged blocks; the rest of it is used", { blocks: run.damagedBlocks });
  let failed = 0;
  const unfinished: CallId[] = [];
  for (let i = 0; i < run.calls.length; i += BATCH) {
    const batch = run.calls.slice(i, i + BATCH);
    for (const call of batch) if (!call.ended) unfinished.push(call.id);
    const kept = await Promise.all(
      batch.map((call) => recoverCall({ folder, key }, call, { keeper, logger, journalWatch })),
    );
    failed += kept.filter((ok) => !ok).length;
  }
  if (unfinished.length > 0)
    logger.warn("calls in progress were recovered from the journal", { calls: unfinished.length });
  return failed;
}

type Run = Pick<JournalPlace, "folder" | "key">;

async function recoverCall(
  run: Run,
  call: RecoveredCall,
  { keeper, logger, journalWatch }: Omit<RecoveryOptions, "lock" | "key">,
): Promise<boolean> {
  // A killed engine leaves it behind like any call, and nobody wants it.
  if (call.record?.isSelfTest) return true;
  const record = recordOf(run, call);
  // A half whose audio is in the journal of the call that it belongs to.
  if (record?.absorbedBy !== undefined) return true;
  if (!record) {
    // What is left of a call whose other blocks went with their segments when it was stored.
    if (await keeper.wasKept(call)) return true;
    // Audio without any record of whose it is cannot be put on a channel. It stays where it is.
    logger.error("a journalled call has no readable record: it cannot be sealed, its journal is kept", {
      id: call.id,
      folder: run.folder,
    });
    journalWatch?.noteUnreadable();
    return false;
  }
  return keeper.recover(record, { ...run, position: call.position });
}

function recordOf({ folder, key }: Run, call: RecoveredCall): CallRecord | undefined {
  if (call.ended && call.record) return call.record;
  const reader = CallReader.open(folder, call.position, undefined, undefined, key);
  try {
    const record = call.record ?? reader.record;
    return record && completeRecovered(record, reader);
  } finally {
    reader.close();
  }
}

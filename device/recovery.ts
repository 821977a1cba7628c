// Keeps the calls that a dead engine run left in its journal: those whose end was written as they are, the others
// completed from what the journal holds. A run whose calls are all kept is removed; otherwise it waits for the next start.
import type { CallId } from "./base/ids.js";
import type { Logger } from "./base/logger.js";
import type { CallRecord } from "./contract/call-record.js";
import { CallReader } from "./journal/reader.js";
import { type RecoveredCall, recoverRun, removeRun } from "./journal/recovery.js";
import type { CallKeeper } from "./keeper.js";
import { completeRecovered } from "./seal/recovered.js";

/** Calls whose journal is read at the same time. */
const BATCH = 16;

export async function recoverOldRun(folder: string, keeper: CallKeeper, logger: Logger): Promise<void> {
  const run = recoverRun(folder);
  if (run.damagedBlocks > 0)
    logger.warn("the journal holds damaged blocks; the rest of it is used", { blocks: run.damagedBlocks });
  let failed = 0;
  const unfinished: CallId[] = [];
  for (let i = 0; i < run.calls.length; i += BATCH) {
    const batch = run.calls.slice(i, i + BATCH);
    for (const call of batch) if (!call.ended) unfinished.push(call.id);
    const kept = await Promise.all(batch.map((call) => recoverCall(folder, call, keeper, logger)));
    failed += kept.filter((ok) => !ok).length;
  }
  if (unfinished.length > 0)
    logger.warn("calls in progress were recovered from the journal", { calls: unfinished.length });
  if (failed === 0) removeRun(folder);
}

async function recoverCall(folder: string, call: RecoveredCall, keeper: CallKeeper, logger: Logger): Promise<boolean> {
  const record = recordOf(folder, call);
  // A half whose audio is in the journal of the call that it belongs to.
  if (record?.absorbedBy !== undefined) return true;
  if (!record) {
    // Audio without any record of whose it is cannot be put on a channel. It stays where it is.
    logger.error("a journalled call has no readable record: it cannot be sealed, its journal is kept", {
      id: call.id,
      folder,
    });
    return false;
  }
  return keeper.recover(record, { folder, position: call.position });
}

function recordOf(folder: string, call: RecoveredCall): CallRecord | undefined {
  if (call.ended && call.record) return call.record;
  const reader = CallReader.open(folder, call.position);
  try {
    const record = call.record ?? reader.record;
    return record && completeRecovered(record, reader);
  } finally {
    reader.close();
  }
}

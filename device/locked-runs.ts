// Runs of the engine whose journals this box sealed and can no longer read, because the process that had their keys is gone.
// They are put aside, never thrown away: whoever holds a recipient's secret key can open them.
//
// The order in which a run is locked. Killed after any step, the next start goes on with it:
//
//   1  locked.json in the run's folder says, durably, which of its calls are stored nowhere else, and what its files hash to
//   2  each of them has its line in the call log (`journal-locked`), and the audit chain an entry of the run: durable
//   3  locked-journals/ is there, durably, and the folder is moved there; it is made durable there first
import { renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isoUs, systemClock } from "./base/clock.js";
import type { Logger } from "./base/logger.js";
import { type RecoveredCall, type RecoveredRun, removeRun } from "./journal/recovery.js";
import type { CallKeeper } from "./keeper.js";
import type { AuditChain } from "./store/audit-chain.js";
import { makeFolders, syncFolder } from "./store/durable-file.js";
import { LOCKED_FOLDER, readLockedRun, writeLockedRun } from "./store/locked-runs.js";

export interface LockingOptions {
  dataFolder: string;
  device: string;
  keeper: CallKeeper;
  audit: AuditChain;
  logger: Logger;
}

/**
 * Puts a run aside that cannot be read here; one in which nothing is left that is not stored is removed. Where the disk
 * refuses, it stays where it is for the next start.
 */
export async function lockRun(folder: string, run: RecoveredRun, options: LockingOptions): Promise<void> {
  try {
    await lockNow(folder, run, options);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    options.logger.error("a journal that cannot be read here could not be put aside; it stays", { folder, message });
  }
}

async function lockNow(folder: string, run: RecoveredRun, options: LockingOptions): Promise<void> {
  const { keeper, audit, logger, dataFolder, device } = options;
  const name = basename(folder);
  const calls = readLockedRun(folder)?.calls ?? run.calls.filter((call) => isWanted(call, keeper)).map(({ id }) => id);
  if (calls.length === 0) {
    removeRun(folder);
    return;
  }
  const lockedAt = isoUs(systemClock.nowUs());
  const entry = writeLockedRun(folder, { run: name, device, lockedAt, calls });
  for (const call of run.calls) if (calls.includes(call.id) && call.record) keeper.logLocked(endOf(call));
  audit.append(entry);
  await keeper.syncLog();
  await audit.flush();
  const target = join(dataFolder, LOCKED_FOLDER);
  // Durable before anything is in it: the run is in no other folder then.
  makeFolders(target);
  renameSync(folder, join(target, name));
  for (const changed of [target, dirname(folder)]) syncFolder(changed);
  logger.warn("a journal can be opened only with a recipient's secret key: it is kept", {
    folder: join(target, name),
    calls: calls.length,
  });
}

function isWanted(call: RecoveredCall, keeper: CallKeeper): boolean {
  // Of audio without a record nothing more is known: who can read it may find out.
  if (call.record === undefined) return true;
  if (call.record.isSelfTest) return false;
  return call.record.absorbedBy === undefined && !keeper.isKeptWithoutAudio(endOf(call));
}

/** As far as it can be told without the audio. */
function endOf({ record, ended, lastUs }: RecoveredCall): NonNullable<RecoveredCall["record"]> {
  if (ended) return record!;
  // That there was nothing to record was true when the record was written, not any more: the journal holds something.
  const { noAudio: _, ...rest } = record!;
  return { ...rest, endedAtUs: Math.max(rest.endedAtUs, lastUs), endReason: "recovered" };
}

// Carries out `sidetoned journal`: lists the runs that this box can no longer read, removes one that is not needed any more once the
// audit chain knows, and opens one for who has a recipient's secret key: recovery and sealing as they are after a crash, into a data folder of their own. What is opened stays as it is.
import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { readIdentities } from "./age/keys.js";
import { isoUs } from "./base/clock.js";
import { EXIT, type ExitCode, SidetoneError } from "./base/errors.js";
import { isCallId } from "./base/ids.js";
import type { Logger } from "./base/logger.js";
import {
  formatJournals,
  formatOpened,
  formatRemoved,
  type JournalCommand,
  type OpenedJournal,
} from "./console/journal-command.js";
import type { Config } from "./contract/config.js";
import { type RecoveredCall, recoverRun, removeRun } from "./journal/recovery.js";
import { unwrapJournalKey } from "./journal-keys.js";
import { CallKeeper } from "./keeper.js";
import { keepCalls } from "./recovery.js";
import { SealPool } from "./seal/pool.js";
import { AUDIT_REQUEST } from "./store/audit-request.js";
import { goneLockedRun, LOCKED_FOLDER, listLockedRuns, readLockedRun } from "./store/locked-runs.js";
import { RecordingStore } from "./store/recordings.js";
import type { Asked } from "./store/spool-desk.js";

/** Calls of one run whose lines are shown. */
const MAX_LINES = 100_000;

export interface JournalEdges {
  config: Config;
  dataFolder: string;
  logger: Logger;
  write(text: string): void;
  /** Has the service, or this process in its place, carry out a request. */
  ask(kind: string, body: unknown): Promise<Asked>;
}

/** EXIT.storage when a call could not be stored. Throws SidetoneError. */
export async function runJournalCommand(command: JournalCommand, edges: JournalEdges): Promise<ExitCode> {
  const { dataFolder, write } = edges;
  if (command.verb === "list") {
    write(formatJournals(listed(dataFolder), command.json));
    return EXIT.ok;
  }
  if (command.verb === "remove") return removeLocked(command, edges);
  const isName = isCallId(command.run);
  const folder = isName ? join(dataFolder, LOCKED_FOLDER, command.run) : resolve(command.run);
  if (!existsSync(folder)) throw new SidetoneError("usage", `there is no journal ${JSON.stringify(folder)}`);
  const opened = await openRun(folder, command, edges);
  write(formatOpened(opened, command.json));
  return opened.failed > 0 ? EXIT.storage : EXIT.ok;
}

/** The chain is told first: a run that is gone without a word shows in a verification. */
async function removeLocked(
  { run, reason, json }: Extract<JournalCommand, { verb: "remove" }>,
  { dataFolder, write, ask }: JournalEdges,
): Promise<ExitCode> {
  const folder = join(dataFolder, LOCKED_FOLDER, run);
  if (!isCallId(run) || !existsSync(folder))
    throw new SidetoneError("usage", `there is no locked journal ${JSON.stringify(run)}`);
  const { kind, detail } = goneLockedRun(folder);
  const { state } = await ask(AUDIT_REQUEST, { kind, detail: { ...detail, reason } });
  const isEntered = state === "done";
  if (isEntered) removeRun(folder);
  write(formatRemoved(run, isEntered, json));
  return isEntered ? EXIT.ok : EXIT.storage;
}

function listed(dataFolder: string): Parameters<typeof formatJournals>[0] {
  return listLockedRuns(dataFolder).map(({ folder, locked, bytes }) => ({
    run: basename(folder),
    folder,
    lockedAt: locked?.lockedAt ?? "",
    calls: locked?.calls ?? [],
    bytes,
  }));
}

async function openRun(
  folder: string,
  { identityFile, out }: Extract<JournalCommand, { verb: "open" }>,
  { config, logger }: JournalEdges,
): Promise<OpenedJournal> {
  const key = unwrapJournalKey(folder, readIdentities(identityFile));
  const run = recoverRun(folder);
  if (run.isSealed && key === undefined)
    throw new SidetoneError("usage", `${folder} has no key.age: nobody can open what is in it`);
  const locked = readLockedRun(folder);
  const calls = run.calls.filter((call) => (locked ? locked.calls.includes(call.id) : !isStoredBeside(folder, call)));
  const outFolder = resolve(out);
  const store = RecordingStore.open(outFolder, { device: locked?.device ?? (config.device.id || hostname()) });
  const pool = new SealPool({ workers: config.seal.workers });
  const keeper = new CallKeeper(store, pool, logger, MAX_LINES, config.encryption.recipients);
  try {
    const failed = await keepCalls(folder, { ...run, calls }, { keeper, logger, key });
    await keeper.idle();
    const recordings = keeper.lines.map(({ file }) => file).filter((file) => file !== "");
    const withoutAudio = keeper.lines.length - recordings.length;
    return { run: basename(folder), out: outFolder, recordings, withoutAudio, failed };
  } finally {
    await pool.close();
    store.close();
  }
}

/** Of a run that its box never locked, out of a whole data folder: whether the call log there has the call already. */
function isStoredBeside(folder: string, { id, record }: RecoveredCall): boolean {
  if (record === undefined) return false;
  const day = isoUs(record.startedAtUs).slice(0, 10);
  const log = join(dirname(dirname(folder)), "calls", `${day}.jsonl`);
  return existsSync(log) && readFileSync(log, "utf8").includes(`"id":"${id}"`);
}

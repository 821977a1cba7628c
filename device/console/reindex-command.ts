// `sidetoned reindex` carried out: builds an index beside the one in use, shows how far it is, and asks whoever has the data folder
// to take it, the running service or this process. Interrupted at any moment it leaves the index as it was.
import type { Clock } from "../base/clock.js";
import { EXIT, type ExitCode, SidetoneError } from "../base/errors.js";
import type { CallId } from "../base/ids.js";
import type { NumberRules } from "../call/numbers.js";
import { storageFault } from "../seal/storage-fault.js";
import { IndexRebuild, type RebuildProgress } from "../store/index/rebuild.js";
import { REINDEX } from "../store/index/reindex-request.js";
import { RecordingPaths } from "../store/recording-paths.js";
import type { Asked } from "../store/spool-desk.js";
import type { ReindexCommand } from "./calls-arguments.js";
import { ProgressLine, type Terminal } from "./progress.js";

export const REINDEX_SCHEMA = "sidetone.reindex/1";
/** Where nobody can draw a line over itself, progress is a line so often. */
const LINE_MS = 5000;

export interface ReindexIo {
  write(text: string): void;
  terminal: Terminal;
  /** Has whoever has the data folder do it. */
  ask(kind: string, body: unknown): Promise<Asked>;
  clock: Pick<Clock, "monotonicMs">;
  /** Aborted when the command is to end without having done anything. */
  signal: AbortSignal;
}

/** What --json prints. */
interface ReindexReport {
  schema: typeof REINDEX_SCHEMA;
  /** `accepted`: the service takes it as soon as it can. */
  state: Asked["state"];
  calls: number;
  files: number;
  unreadable: number;
  seconds: number;
}

/** Throws SidetoneError `data-unwritable`, `index-unusable`; of `signal` its reason. */
export async function runReindexCommand(
  { json }: ReindexCommand,
  dataFolder: string,
  numbers: NumberRules,
  io: ReindexIo,
): Promise<ExitCode> {
  const startedMs = io.clock.monotonicMs();
  const { name, ...built } = await build(dataFolder, numbers, io);
  const asked = await io.ask(REINDEX, { name });
  const seconds = Math.round(io.clock.monotonicMs() - startedMs) / 1000;
  const { calls, files, unreadable } = built;
  const report: ReindexReport = { schema: REINDEX_SCHEMA, state: asked.state, calls, files, unreadable, seconds };
  io.write(json ? `${JSON.stringify(report)}\n` : formatReport(report));
  return EXIT.ok;
}

async function build(
  dataFolder: string,
  numbers: NumberRules,
  { terminal, clock, signal }: ReindexIo,
): Promise<RebuildProgress & { name: CallId }> {
  let rebuild: IndexRebuild | undefined;
  const line = new ProgressLine(terminal, clock, LINE_MS);
  try {
    rebuild = new IndexRebuild(new RecordingPaths(dataFolder), numbers);
    const steps = rebuild.steps();
    for (let step = steps.next(); ; step = steps.next()) {
      // Whoever interrupts is heard between two steps.
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      if (step.done) return { ...step.value, name: rebuild.name };
      const progress = step.value;
      line.update((elapsedMs) => formatRebuild(progress, elapsedMs));
    }
  } catch (error) {
    rebuild?.giveUp();
    throw signal.aborted ? signal.reason : faultOf(error, dataFolder);
  } finally {
    line.clear();
  }
}

/** "1000 files, 2000 calls, 25% done, 400 calls/s". */
export function formatRebuild({ files, calls, doneBytes, totalBytes }: RebuildProgress, elapsedMs: number): string {
  const percent = totalBytes === 0 ? 100 : Math.floor((100 * doneBytes) / totalBytes);
  return `${files} files, ${calls} calls, ${percent}% done, ${perSecond(calls, elapsedMs)} calls/s`;
}

function formatReport({ state, calls, files, unreadable, seconds }: ReindexReport): string {
  const odd = unreadable > 0 ? `, ${unreadable} lines or manifests that cannot be read left out` : "";
  const rate = `${perSecond(calls, seconds * 1000)} calls/s`;
  const later = state === "accepted" ? "; the service takes it as soon as it can" : "";
  return `indexed: ${calls} calls from ${files} files in ${seconds.toFixed(1)} s (${rate})${odd}${later}\n`;
}

function perSecond(count: number, elapsedMs: number): number {
  return elapsedMs > 0 ? Math.round((count * 1000) / elapsedMs) : 0;
}

function faultOf(error: unknown, dataFolder: string): unknown {
  if (error instanceof SidetoneError) return error;
  const { code, message } = error as { code?: unknown; message?: unknown };
  const what = `the index of calls cannot be made anew in ${dataFolder}/index, and stays as it was`;
  if (String(code).startsWith("SQLITE_")) return new SidetoneError("data-unwritable", `${what}: ${String(message)}`);
  return storageFault("data-unwritable", what, error);
}

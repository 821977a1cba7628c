// Which engine writes a run's journal: the engine notes itself in the run's folder, and a service that finds runs waits until
// nobody writes them any more. An engine leaves by itself once its service is gone, after what it admitted is on the disk; one
// that does not, hung or stopped, is killed.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "./base/logger.js";
import { type Holder, isAlive, ownHolder, readHolder } from "./store/process-holder.js";

const FILE_NAME = "engine.json";
const FILE_MODE = 0o600;
/** Where engine and service are two users. */
const GROUP_FILE_MODE = 0o640;
const LOOK_MS = 20;
/** An engine that was told by its broken channel has only to write and sync what is in memory. */
const PATIENCE_MS = 5000;
/** A killed process that waits for a disk goes when the disk answers. */
const KILL_PATIENCE_MS = 5000;

export interface WriterEdges {
  logger: Logger;
  /** Before an engine is killed; default 5000. */
  patienceMs?: number;
}

/**
 * Says that this process writes the run. Where the disk does not take that it takes no journal either. Not made durable: a
 * power cut ends the process too.
 */
export function noteWriter(folder: string, { forGroup = false } = {}): void {
  try {
    const mode = forGroup ? GROUP_FILE_MODE : FILE_MODE;
    writeFileSync(join(folder, FILE_NAME), JSON.stringify(ownHolder()), { mode });
  } catch {
    // Of such a run a later service believes that nobody writes it.
  }
}

/** Resolves with those of the runs that nobody writes any more. The others stay for the next start. */
export async function outlastWriters(folders: readonly string[], edges: WriterEdges): Promise<string[]> {
  const left: string[] = [];
  for (const folder of folders) if (await outlast(folder, edges)) left.push(folder);
  return left;
}

async function outlast(folder: string, { logger, patienceMs = PATIENCE_MS }: WriterEdges): Promise<boolean> {
  const writer = readWriter(folder);
  if (writer === undefined || !isAlive(writer)) return true;
  const { pid } = writer;
  logger.warn("the engine of a service that is gone still runs: its journal is recovered once it has left", { pid });
  if (await isGoneWithin(writer, patienceMs)) return true;
  logger.error("the engine of a service that is gone does not leave: it is killed", { pid });
  kill(pid);
  if (await isGoneWithin(writer, KILL_PATIENCE_MS)) return true;
  logger.error("the engine of a service that is gone cannot be killed: its journal waits for the next start", {
    pid,
    folder,
  });
  return false;
}

function readWriter(folder: string): Holder | undefined {
  try {
    return readHolder(readFileSync(join(folder, FILE_NAME), "utf8"));
  } catch {
    return undefined;
  }
}

async function isGoneWithin(writer: Holder, patienceMs: number): Promise<boolean> {
  const untilMs = performance.now() + patienceMs;
  while (isAlive(writer)) {
    if (performance.now() >= untilMs) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return true;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone meanwhile, or another user's: the next look tells.
  }
}

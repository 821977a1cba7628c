// Writes the journal of a long call, and has another process seal it: what sealing costs by the length of a call.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { SealOutcome } from "../../device/seal/seal.js";
import { writeLongCall } from "./long-call.js";

const LIMIT_MS = 600_000;

/** What a sealing process says of itself. */
export interface SealMeasure {
  sealed: SealOutcome;
  wallMs: number;
  /** Of the sealing thread. */
  cpuUs: number;
  /** The highest resident memory of the whole process. */
  peakRssBytes: number;
}

export interface SealRun extends SealMeasure {
  seconds: number;
  journalBytes: number;
  /** The recording; the caller removes it. */
  path: string;
}

export interface SealRunOptions {
  /** seal-program.js of the built program. */
  program: string;
  /** Everything is put there; it exists. The journal is removed at the end. */
  folder: string;
  seconds: number;
  /** age1…; none = in clear. */
  recipients?: readonly string[];
}

export async function runSeal({ program, folder, seconds, recipients = [] }: SealRunOptions): Promise<SealRun> {
  const run = join(folder, `run-${seconds}`);
  mkdirSync(run);
  const key = recipients.length > 0 ? randomBytes(32) : undefined;
  const { record, position, bytes } = await writeLongCall(run, seconds, key);
  const path = join(folder, `${seconds}.wav`);
  const job = { folder: run, position, record, temporaryPath: path, recipients, journalKey: key?.toString("base64") };
  const jobFile = join(folder, `${seconds}.json`);
  writeFileSync(jobFile, JSON.stringify(job));
  const { stdout } = await promisify(execFile)(process.execPath, [program, jobFile], { timeout: LIMIT_MS });
  rmSync(run, { recursive: true });
  return { ...(JSON.parse(stdout) as SealMeasure), seconds, journalBytes: bytes, path };
}

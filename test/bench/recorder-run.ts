// One measured run of the recorder over a capture file: starts it, waits for its end within a limit, measures what it
// cost from outside and keeps what it says about itself. Checks that it did the work it is measured by.
import { spawn } from "node:child_process";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { PeakSampler, type ProcessPeak, waitedUsage } from "./process-usage.js";

const RUN_LIMIT_MS = 900_000;
/** A summary beyond this is cut, and then counts as none. */
const MAX_OUTPUT_CHARACTERS = 1 << 27;
const COMPLAINT_CHARACTERS = 2000;

export interface RecorderRun {
  wallMs: number;
  /** Of all processes of the recorder. */
  cpuUs: number;
  userUs: number;
  systemUs: number;
  cpuUsPerPacket: number;
  /** Sum of the processes' own peaks: not less than the true peak of all together. */
  peakRssBytes: number;
  peaks: ProcessPeak[];
  /** To the disk, journal and all. */
  writtenBytes: number;
  /** Left in the data folder. */
  storedBytes: number;
  recordings: number;
  /** The recorder's own figures, by process, as its summary gives them. */
  processes: ProcessFigures;
  /** The same as CPU µs per packet: "engine", "service", "seal". The service's include its sealing threads. */
  cpuUsPerPacketBy: Record<string, number>;
  /** Why the run does not count; empty when it does. */
  faults: string[];
}

/** `processes` of the recorder's summary. */
export type ProcessFigures = Record<string, { cpuUs?: number; rssBytes?: number }>;

export interface RecorderRunOptions {
  script: string;
  args: readonly string[];
  /** Removed after the run. */
  dataFolder: string;
  packets: number;
  expectedRecordings: number;
}

export async function runRecorder(options: RecorderRunOptions): Promise<RecorderRun> {
  const before = waitedUsage();
  const startedAtMs = performance.now();
  const child = await runChild(options.script, options.args);
  const wallMs = performance.now() - startedAtMs;
  const after = waitedUsage();
  const stored = storedBelow(options.dataFolder);
  rmSync(options.dataFolder, { recursive: true, force: true });
  const userUs = after.userUs - before.userUs;
  const systemUs = after.systemUs - before.systemUs;
  const processes = processesIn(child.output);
  const faults: string[] = [];
  if (child.exitCode !== 0) faults.push(`exit ${child.exitCode ?? "by signal"}: ${child.complaint}`);
  if (stored.recordings !== options.expectedRecordings) {
    faults.push(`${stored.recordings} recordings of ${options.expectedRecordings}`);
  }
  return {
    wallMs,
    cpuUs: userUs + systemUs,
    userUs,
    systemUs,
    cpuUsPerPacket: (userUs + systemUs) / options.packets,
    peakRssBytes: child.peaks.reduce((sum, one) => sum + one.peakRssBytes, 0),
    peaks: child.peaks,
    writtenBytes: after.writtenBytes - before.writtenBytes,
    storedBytes: stored.bytes,
    recordings: stored.recordings,
    processes,
    cpuUsPerPacketBy: figuresPerPacket(processes, options.packets),
    faults,
  };
}

interface ChildResult {
  exitCode: number | null;
  output: string;
  complaint: string;
  peaks: ProcessPeak[];
}

function runChild(script: string, args: readonly string[]): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const kill = (): void => {
      child.kill("SIGKILL");
    };
    const output: string[] = [];
    let outputCharacters = 0;
    let complaint = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      outputCharacters += text.length;
      if (outputCharacters <= MAX_OUTPUT_CHARACTERS) output.push(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(-COMPLAINT_CHARACTERS);
    });
    const limit = setTimeout(kill, RUN_LIMIT_MS);
    process.once("exit", kill);
    child.once("error", reject);
    const sampler = child.pid === undefined ? undefined : new PeakSampler(child.pid);
    child.once("close", (exitCode) => {
      clearTimeout(limit);
      process.removeListener("exit", kill);
      resolve({ exitCode, output: output.join(""), complaint: complaint.trim(), peaks: sampler?.stop() ?? [] });
    });
  });
}

/** `processes` of the summary (schema sidetone.summary/1), the last JSON object on stdout; empty when there is none. */
export function processesIn(output: string): ProcessFigures {
  for (const text of [output, output.trimEnd().split("\n").at(-1) ?? ""]) {
    try {
      const summary = JSON.parse(text) as { processes?: ProcessFigures };
      return summary.processes ?? {};
    } catch {
      // The summary may follow other lines.
    }
  }
  return {};
}

function figuresPerPacket(processes: ProcessFigures, packets: number): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const [name, { cpuUs }] of Object.entries(processes)) {
    if (cpuUs !== undefined) figures[name] = cpuUs / packets;
  }
  return figures;
}

function storedBelow(folder: string): { bytes: number; recordings: number } {
  const stored = { bytes: 0, recordings: 0 };
  for (const entry of listFolder(folder)) {
    if (!entry.isFile()) continue;
    stored.bytes += statSync(join(entry.parentPath, entry.name)).size;
    if (/\.wav(?:\.age)?$/.test(entry.name)) stored.recordings++;
  }
  return stored;
}

function listFolder(folder: string) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true });
  } catch {
    return [];
  }
}

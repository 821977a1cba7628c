// Runs the built program as a user would and reads what it left on the disk. Every process it starts is ended, every
// folder it makes is removed by the test that asked for it.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CallLogLine, Manifest } from "../../device/contract/manifest.js";

export const PROJECT_ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const PROGRAM = join(PROJECT_ROOT, "dist/device/main.js");

export interface ProgramResult {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface ProgramOptions {
  cwd?: string;
  environment?: Record<string, string>;
  input?: Buffer;
  timeoutMs?: number;
  /** Prepended to the command line, e.g. `ip netns exec NAME`. */
  launcher?: string[];
}

/** Many boxes on one machine: only a test that is about it lets one have the broker's port. */
const UNLESS_TOLD = { SIDETONE_MQTT_BROKER_ENABLED: "false" };

/** A process of the built program that is still running. */
export class RunningProgram {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly ended: Promise<number | null>;

  constructor(args: readonly string[], options: ProgramOptions = {}) {
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: run the tests with npm test, which builds first`);
    const [command, ...rest] = [...(options.launcher ?? []), process.execPath, PROGRAM, ...args];
    this.child = spawn(command!, rest, {
      cwd: options.cwd,
      env: { ...process.env, ...UNLESS_TOLD, ...options.environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.child.stdout!.on("data", (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.child.stderr!.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.child.stdin!.on("error", () => {});
    this.child.stdin!.end(options.input);
    const timer = setTimeout(() => this.child.kill("SIGKILL"), options.timeoutMs ?? 60_000);
    this.ended = new Promise((resolve) => {
      this.child.on("close", (code) => {
        clearTimeout(timer);
        resolve(code);
      });
    });
  }

  /** Waits until `find` gives something for what was written to stderr so far. */
  async waitFor<T>(what: string, find: (stderr: string) => T | undefined, timeoutMs = 15_000): Promise<T> {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const found = find(this.stderr);
      if (found !== undefined) return found;
      if (Date.now() > until || this.child.exitCode !== null) {
        throw new Error(`waited in vain for ${what}; stderr was:\n${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.child.kill(signal);
    return this.ended;
  }
}

export async function runProgram(args: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  const running = new RunningProgram(args, options);
  const exitCode = await running.ended;
  return { exitCode, stdout: running.stdout, stderr: running.stderr };
}

/** JSON log lines with a message, as `--json` writes them to stderr. */
export function logLines(stderr: string, message: string): Record<string, unknown>[] {
  return stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line["message"] === message);
}

export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), "sidetone-test-"));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Every file below a folder, relative, sorted. */
export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

export interface StoredRecording {
  manifest: Manifest;
  manifestPath: string;
  wavPath: string;
}

/** Every recording of a data folder, by start time. */
export function readRecordings(dataFolder: string): StoredRecording[] {
  return filesBelow(join(dataFolder, "recordings"))
    .filter((name) => name.endsWith(".json"))
    .map((name) => {
      const manifestPath = join(dataFolder, "recordings", name);
      const manifest = JSON.parse(readFileSync(manifestPath, "utf8")) as Manifest;
      return { manifest, manifestPath, wavPath: join(manifestPath, "..", manifest.audio.file) };
    })
    .sort((a, b) => a.manifest.startedAt.localeCompare(b.manifest.startedAt));
}

/** The call log of a data folder, by start time. */
export function readCallLog(dataFolder: string): CallLogLine[] {
  return filesBelow(join(dataFolder, "calls"))
    .flatMap((name) => readFileSync(join(dataFolder, "calls", name), "utf8").split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as CallLogLine)
    .sort((a, b) => a.startedAt.localeCompare(b.startedAt));
}

// The recorder as a child of the demo: started, listened to by its JSON log lines, stopped. Never outlives its parent's
// end, and never waits without a limit.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

const STOP_GRACE_MS = 3000;
/** $1 owner, $2 service: ends the service when the owner is gone or a minute has passed, itself with the service. */
const GUARD_SCRIPT =
  'n=60; while [ "$n" -gt 0 ] && kill -0 "$1"; do kill -0 "$2" || exit; n=$((n-1)); sleep 1; done; kill -TERM "$2"';

export interface LogLine {
  level: string;
  message: string;
  [field: string]: unknown;
}

export class ServiceProcess {
  /** Resolves with the exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #listeners = new Set<(line: LogLine) => void>();
  #lastError = "";
  #lastLine = "";

  /** `ownerPid` is the process after whose end, even by SIGKILL, the service must not go on. */
  constructor(script: string, args: readonly string[], environment: NodeJS.ProcessEnv, ownerPid: number = process.pid) {
    const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "ignore", "pipe"], env: environment });
    this.#child = child;
    this.ended = new Promise((resolve) => {
      child.once("error", () => resolve(null));
      child.once("close", (code) => resolve(code));
    });
    createInterface({ input: child.stderr! }).on("line", (line) => this.#take(line));
    const kill = (): void => {
      child.kill("SIGKILL");
    };
    process.once("exit", kill);
    if (child.pid !== undefined) startGuard(ownerPid, child.pid);
    void this.ended.then(() => process.removeListener("exit", kill));
  }

  /** The one line that says why it failed: its last error, else the last thing it said. */
  get complaint(): string {
    return this.#lastError || this.#lastLine || "the service said nothing";
  }

  /** "ended" when it stops before `isWanted` accepts a line, "late" when `limitMs` pass before. */
  async waitFor(isWanted: (line: LogLine) => boolean, limitMs: number): Promise<"seen" | "ended" | "late"> {
    let timer: NodeJS.Timeout | undefined;
    let listener: (line: LogLine) => void = () => {};
    const seen = new Promise<"seen">((resolve) => {
      listener = (line) => {
        if (isWanted(line)) resolve("seen");
      };
      this.#listeners.add(listener);
    });
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), limitMs);
    });
    try {
      return await Promise.race([seen, late, this.ended.then((): "ended" => "ended")]);
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(listener);
    }
  }

  /** Asks it to end, makes it end after the grace. Returns its exit code. */
  async stop(graceMs = STOP_GRACE_MS): Promise<number | null> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), graceMs);
    const code = await this.ended;
    clearTimeout(timer);
    return code;
  }

  #take(text: string): void {
    this.#lastLine = text;
    const line = readLogLine(text);
    if (!line) return;
    if (line.level === "error") this.#lastError = line.message;
    for (const listener of this.#listeners) listener(line);
  }
}

/** A process that is killed cleans nothing up; this shell does it for it. */
function startGuard(ownerPid: number, servicePid: number): void {
  const args = ["-c", GUARD_SCRIPT, "guard", String(ownerPid), String(servicePid)];
  const guard = spawn("/bin/sh", args, { stdio: "ignore", detached: true });
  guard.once("error", () => {});
  guard.unref();
}

/** Undefined when the text is no log line. */
export function readLogLine(text: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isLine =
      typeof value === "object" &&
      value !== null &&
      "level" in value &&
      "message" in value &&
      typeof value.message === "string";
    return isLine ? (value as LogLine) : undefined;
  } catch {
    return undefined;
  }
}

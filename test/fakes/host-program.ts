// The built `sidetone` as a user runs it: what it wrote, and with what it ended. Ended by whoever started it.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { waitUntil } from "./office-program.js";
import { PROJECT_ROOT, type ProgramResult } from "./program.js";

export const HOST_PROGRAM = join(PROJECT_ROOT, "dist/host/main.js");

export interface HostOptions {
  /** Prepended to the command line, as in `ip netns exec NAME`. */
  launcher?: readonly string[];
  environment?: Record<string, string>;
  cwd?: string;
  /** Its stdout and stdin are a terminal of 24 lines of 120 columns (util-linux `script`). */
  isTerminal?: boolean;
}

export class RunningHost {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly ended: Promise<number | null>;

  constructor(args: readonly string[], { launcher = [], environment, cwd, isTerminal }: HostOptions = {}) {
    const words = [...launcher, process.execPath, HOST_PROGRAM, ...args];
    const shell = `stty rows 24 cols 120; exec ${words.map((word) => `'${word}'`).join(" ")}`;
    const [command, ...rest] = isTerminal ? ["script", "-qefc", shell, "/dev/null"] : words;
    this.child = spawn(command!, rest, {
      cwd,
      env: { ...process.env, TERM: "xterm", ...environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => this.child.on("close", resolve));
  }

  /** Waits until it has written what `find` finds. */
  waitFor<T>(what: string, find: (stdout: string) => T | undefined): Promise<T> {
    return waitUntil(what, () => {
      const found = find(this.stdout);
      if (found === undefined && this.child.exitCode !== null)
        throw new Error(`sidetone ended before ${what}:\n${this.stdout}${this.stderr}`);
      return found;
    });
  }

  /** At its terminal. */
  type(text: string): void {
    this.child.stdin!.write(text);
  }

  /** Ctrl+C at its terminal. */
  interrupt(): Promise<number | null> {
    this.type("\x03");
    return this.ended;
  }

  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
    if (this.child.exitCode === null) this.child.kill(signal);
    return this.ended;
  }
}

export async function runHost(args: readonly string[], options: HostOptions = {}): Promise<ProgramResult> {
  const running = new RunningHost(args, options);
  running.child.stdin!.end();
  const exitCode = await running.ended;
  return { exitCode, stdout: running.stdout, stderr: running.stderr };
}

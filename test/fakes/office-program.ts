// A program on a host of the office, driven by lines on its standard input and watched by what it prints. It waits for
// what a program says, never for a time. The office's `remove` ends every program.
import { type ChildProcess, spawn } from "node:child_process";
import type { OfficeNetwork } from "./office-network.js";

const POLL_MS = 20;
const PATIENCE_MS = 20_000;

export interface OfficeProgramOptions {
  cwd: string;
  environment?: Record<string, string>;
}

export class OfficeProgram {
  /** What it printed so far, both streams. */
  output = "";
  readonly ended: Promise<number | null>;
  private readonly name: string;
  private readonly child: ChildProcess;

  constructor(network: OfficeNetwork, host: string, command: string, args: string[], options: OfficeProgramOptions) {
    this.name = `${command} on ${host}`;
    const [launcher, ...rest] = [...network.launcher(host), command, ...args];
    this.child = spawn(launcher!, rest, {
      cwd: options.cwd,
      env: { ...process.env, ...options.environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
    this.child.stdin!.on("error", () => {});
    this.ended = new Promise((resolve) => {
      this.child.on("error", (error) => {
        this.output += String(error);
        resolve(null);
      });
      this.child.on("close", (code) => resolve(code));
    });
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  send(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  count(pattern: RegExp): number {
    return this.output.match(new RegExp(pattern.source, `g${pattern.flags.replace("g", "")}`))?.length ?? 0;
  }

  /** Waits until the pattern was printed `times` times in all. Throws with the output when it is not. */
  async waitFor(pattern: RegExp, times = 1): Promise<void> {
    await waitUntil(`${this.name} to print ${pattern} ${times} times`, () => {
      if (this.count(pattern) >= times) return true;
      if (this.hasEnded) throw new Error(`${this.name} ended before it printed ${pattern}:\n${this.output}`);
      return undefined;
    }).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}\n${this.output}`);
    });
  }

  /** Waits for its end; throws with the output when it did not succeed. */
  async succeed(): Promise<void> {
    const code = await this.ended;
    if (code !== 0) throw new Error(`${this.name} ended with ${code}:\n${this.output}`);
  }
}

/** Sockets of a host that are bound to a local port, TCP and UDP over IPv4. */
export async function countSockets(network: OfficeNetwork, host: string, port: number): Promise<number> {
  const tables = new OfficeProgram(network, host, "cat", ["/proc/net/udp", "/proc/net/tcp"], { cwd: "/" });
  await tables.succeed();
  const local = port.toString(16).toUpperCase().padStart(4, "0");
  return tables.count(new RegExp(`^ *\\d+: [0-9A-F]{8}:${local} `, "m"));
}

/** Asks again and again until `find` gives something. */
export async function waitUntil<T>(
  what: string,
  find: () => T | undefined | Promise<T | undefined>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const until = Date.now() + patienceMs;
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    if (Date.now() > until) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A span of talk: what is measured, not what is waited for. */
export function talk(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

// The serial port that the panel without hardware is on: a pseudo terminal with a name, made by socat, since Node makes none.
// Plugging and unplugging it is starting and ending socat.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, existsSync, openSync, rmSync } from "node:fs";

const READY_MS = 5000;
const POLL_MS = 10;

export class PseudoTerminal {
  readonly path: string;
  /** Bytes that the host has written. */
  private readonly onBytes: (bytes: Buffer) => void;
  private child: ChildProcess | undefined;
  private holder: number | undefined;
  private ended: Promise<void> = Promise.resolve();

  /** `path`: a name that is free; the host opens it as its serial port. */
  constructor(path: string, onBytes: (bytes: Buffer) => void) {
    this.path = path;
    this.onBytes = onBytes;
  }

  get isPlugged(): boolean {
    return this.child !== undefined;
  }

  /** Rejects when socat is not installed or cannot make it. */
  async plug(): Promise<void> {
    if (this.child !== undefined) return;
    rmSync(this.path, { force: true });
    const child = spawn("socat", ["-b", "64", `PTY,link=${this.path},raw,echo=0`, "STDIO"], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.child = child;
    let complaint = "";
    child.stdout.on("data", (bytes: Buffer) => {
      // What comes out of a port that is unplugged already is nobody's.
      if (this.child === child) this.onBytes(bytes);
    });
    child.stderr.on("data", (bytes: Buffer) => {
      complaint = bytes.toString().trim();
    });
    child.stdin.on("error", () => {});
    let hasEnded = false;
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        hasEnded = true;
        resolve();
      };
      child.on("error", (error) => {
        complaint = (error as NodeJS.ErrnoException).code === "ENOENT" ? "socat is not installed" : error.message;
        end();
      });
      child.on("close", end);
    });
    const untilMs = performance.now() + READY_MS;
    while (!existsSync(this.path)) {
      if (hasEnded || performance.now() > untilMs) {
        this.child = undefined;
        child.kill();
        throw new Error(`there is no pseudo terminal at ${this.path}: ${complaint || "socat made none"}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    // Held open, so that socat does not end when the host closes it.
    this.holder = openSync(this.path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  }

  write(bytes: Buffer): void {
    if (bytes.length > 0) this.child?.stdin?.write(bytes);
  }

  /** The host finds its port gone. */
  async unplug(): Promise<void> {
    const { child, holder } = this;
    this.child = undefined;
    this.holder = undefined;
    if (holder !== undefined) closeSync(holder);
    child?.kill("SIGKILL");
    await this.ended;
    rmSync(this.path, { force: true });
  }
}

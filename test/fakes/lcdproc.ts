// Debian's lcdproc as the host of a panel: the daemon LCDd with its CFontzPacket driver on a port of ours, and a client that
// puts text on it. Started with its own configuration in the foreground, ended by its process id.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { freePort } from "./mosquitto.js";
import { waitUntil } from "./office-program.js";

const FOLDERS = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"];
const find = (command: string): string | undefined =>
  FOLDERS.map((folder) => join(folder, command)).find((path) => existsSync(path));

/** Why a test with a panel on a pseudo terminal cannot run here, or undefined. */
export function panelObstacle(): string | undefined {
  const missing = ["socat", "LCDd"].filter((command) => find(command) === undefined);
  return missing.length === 0 ? undefined : `${missing.join(", ")} not installed`;
}

export interface LcdOptions {
  /** Of the panel. */
  port: string;
  /** 635, 631, 633, 533. */
  model: string;
}

export class LcdDaemon {
  /** What it printed. */
  log = "";
  /** What it told the client: keys that were pressed. */
  told = "";
  private readonly child: ChildProcess;
  private readonly ended: Promise<void>;
  private client: Socket | undefined;

  private constructor(configFile: string) {
    this.child = spawn(find("LCDd")!, ["-c", configFile, "-f"], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on("data", (chunk: Buffer) => {
        this.log += chunk.toString();
      });
    }
    this.ended = new Promise((resolve) => this.child.on("close", () => resolve()));
  }

  static async start(folder: string, { port, model }: LcdOptions): Promise<LcdDaemon> {
    const listen = await freePort();
    const configFile = join(folder, "LCDd.conf");
    const lines = [
      "[server]",
      `DriverPath=${driverFolder()}/`,
      "Driver=CFontzPacket",
      "Bind=127.0.0.1",
      `Port=${listen}`,
      "ReportLevel=3",
      "ReportToSyslog=no",
      "ServerScreen=blank",
      "Hello=",
      "User=root",
      "[CFontzPacket]",
      `Model=${model}`,
      `Device=${port}`,
      "Contrast=350",
      "Brightness=1000",
      "Reboot=no",
      "USB=yes",
    ];
    writeFileSync(configFile, `${lines.join("\n")}\n`);
    const daemon = new LcdDaemon(configFile);
    try {
      daemon.client = await daemon.connect(listen);
    } catch (error) {
      await daemon.stop();
      throw new Error(`${String(error)}\n${daemon.log}`);
    }
    return daemon;
  }

  /** One command of lcdproc's protocol. */
  send(line: string): void {
    this.client!.write(`${line}\n`);
  }

  async stop(): Promise<void> {
    this.client?.destroy();
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 2000);
    await this.ended;
    clearTimeout(timer);
  }

  private async connect(port: number): Promise<Socket> {
    const client = await waitUntil("LCDd to listen", async () => {
      if (this.child.exitCode !== null) throw new Error("LCDd ended");
      return tryConnect(port);
    });
    client.on("error", () => {});
    client.on("data", (chunk: Buffer) => {
      this.told += chunk.toString();
    });
    client.write("hello\n");
    await waitUntil("LCDd's greeting", () => (this.told.includes("connect LCDproc") ? true : undefined));
    return client;
  }
}

function driverFolder(): string {
  const folders = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map((name) => `/usr/lib/${name}/lcdproc`);
  return folders.find((folder) => existsSync(folder)) ?? "/usr/lib/lcdproc";
}

function tryConnect(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });
}

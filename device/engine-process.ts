// The service's end of an engine process of its own: forks it, speaks the engine messages with it, tells when it has gone. Knows
// nothing of what the messages mean.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ENGINE_PROTOCOL, type EngineToService, type ServiceToEngine } from "./contract/engine-messages.js";

/** An engine as the service sees it, however it was started. */
export interface Engine {
  /** False when it is gone. */
  send(message: ServiceToEngine): boolean;
  /** Asks it to finish; asked again after `finished` it leaves. */
  stop(): void;
  kill(): void;
}

export type EngineStart = Omit<Extract<ServiceToEngine, { type: "start" }>, "type" | "protocol">;

export interface EngineHandlers {
  message(message: EngineToService): void;
  /** The process is gone; `clean` when it left because it was told to. */
  gone(clean: boolean, how: string): void;
}

/**
 * An engine that captures and has not finished so long after it was asked to is killed: on a machine that cannot keep up node-pcap's
 * dispatch never comes to an end of packets. What it had admitted is recovered, but for the last second.
 */
export const STOP_PATIENCE_MS = 5000;

export class EngineProcess implements Engine {
  private readonly child: ChildProcess;
  private isStopping = false;
  private readonly isLive: boolean;
  private patience: NodeJS.Timeout | undefined;

  constructor(start: EngineStart, handlers: EngineHandlers) {
    this.isLive = start.capture.kind === "live";
    const path = fileURLToPath(new URL("./engine.js", import.meta.url));
    // The engine reads standard input itself when a capture comes that way; it writes nothing but faults of Node.
    this.child = fork(path, [], { stdio: ["inherit", "ignore", "inherit", "ipc"] });
    this.child.on("message", (message) => {
      if ((message as EngineToService).type === "finished") clearTimeout(this.patience);
      handlers.message(message as EngineToService);
    });
    this.child.on("exit", (code, signal) => {
      clearTimeout(this.patience);
      handlers.gone(this.isStopping && code === 0, signal ?? `exit code ${code}`);
    });
    this.send({ type: "start", protocol: ENGINE_PROTOCOL, ...start });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  send(message: ServiceToEngine): boolean {
    // A send to a process that just died fails; its exit event tells the same.
    if (this.child.connected) this.child.send(message, () => {});
    return this.child.connected;
  }

  stop(): void {
    this.isStopping = true;
    clearTimeout(this.patience);
    if (this.isLive) this.patience = setTimeout(() => this.kill(), STOP_PATIENCE_MS);
    this.send({ type: "stop" });
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }
}

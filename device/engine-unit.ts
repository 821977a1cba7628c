// The service's end of an engine that is a unit of its own: each connection to the socket is an engine, started by systemd, and
// ends with it. Such an engine has another user and cannot be killed from here: one that does not leave is left to systemd,
// and its journal to whoever finds nobody writing it any more.
import { createConnection } from "node:net";
import { ENGINE_PROTOCOL, type EngineToService, type ServiceToEngine } from "./contract/engine-messages.js";
import { type Engine, type EngineHandlers, type EngineStart, STOP_PATIENCE_MS } from "./engine-process.js";
import { MessageLine } from "./message-line.js";

/** An engine that is told nothing more has only to write and sync what is in memory. */
const LEAVE_PATIENCE_MS = 2000;

export class EngineUnit implements Engine {
  readonly #line: MessageLine;
  readonly #handlers: EngineHandlers;
  #isStopping = false;
  #isGone = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(path: string, start: EngineStart, handlers: EngineHandlers) {
    this.#handlers = handlers;
    const socket = createConnection({ path, allowHalfOpen: true });
    this.#line = new MessageLine(socket, {
      message: (message) => {
        if ((message as EngineToService).type === "finished") clearTimeout(this.#patience);
        handlers.message(message as EngineToService);
      },
      ended: (how) => this.#gone(this.#isStopping, `${path}: ${how}`),
    });
    this.send({ type: "start", protocol: ENGINE_PROTOCOL, ...start });
  }

  send(message: ServiceToEngine): boolean {
    return !this.#isGone && this.#line.send(message);
  }

  stop(): void {
    this.#isStopping = true;
    this.#wait(STOP_PATIENCE_MS, () => this.kill());
    this.send({ type: "stop" });
  }

  /** Hears nothing more and leaves; or is hung, and systemd ends it once the service has ended. */
  kill(): void {
    this.#line.finish();
    this.#wait(LEAVE_PATIENCE_MS, () => this.#gone(false, "the engine does not leave"));
  }

  #wait(patienceMs: number, then: () => void): void {
    clearTimeout(this.#patience);
    if (!this.#isGone) this.#patience = setTimeout(then, patienceMs);
  }

  #gone(clean: boolean, how: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    clearTimeout(this.#patience);
    this.#line.destroy();
    this.#handlers.gone(clean, how);
  }
}

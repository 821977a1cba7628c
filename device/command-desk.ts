// Where commands about calls in progress come in from the faces: hands each to the engine and gives its result back.
// Bounded, and nobody waits for ever. Knows neither faces nor consent.
import type { CallCommand, CommandDesk, CommandResult } from "./contract/commands.js";
import type { ServiceToEngine } from "./contract/engine-messages.js";

/** Commands that wait for the engine; further ones are refused. */
const MAX_WAITING = 1024;
const ANSWER_MS = 5000;

interface Waiting {
  answer(result: CommandResult): void;
  timer: NodeJS.Timeout;
}

export class EngineDesk implements CommandDesk {
  private readonly send: (message: ServiceToEngine) => boolean;
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 1;

  /** `send` is false while there is no engine. */
  constructor(send: (message: ServiceToEngine) => boolean) {
    this.send = send;
  }

  submit(command: CallCommand): Promise<CommandResult> {
    if (this.waiting.size >= MAX_WAITING) return Promise.resolve(unavailable("too many commands wait: try again"));
    const id = this.nextId++;
    return new Promise((answer) => {
      const timer = setTimeout(() => this.settle(id, unavailable("the engine does not answer: try again")), ANSWER_MS);
      timer.unref();
      this.waiting.set(id, { answer, timer });
      if (!this.send({ type: "command", id, command }))
        this.settle(id, unavailable("the engine is being started: try again"));
    });
  }

  /** The engine's answer; one that comes too late is ignored. */
  settle(id: number, result: CommandResult): void {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    this.waiting.delete(id);
    clearTimeout(waiting.timer);
    waiting.answer(result);
  }

  /** The engine is gone, and with it what it had been asked. */
  abandon(): void {
    for (const id of [...this.waiting.keys()]) this.settle(id, unavailable("the engine was restarted: try again"));
  }
}

function unavailable(message: string): CommandResult {
  return { ok: false, error: "engine-unavailable", message };
}

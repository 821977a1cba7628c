// The engine messages over a stream socket, for an engine that the service did not fork: one message a line, as JSON. A line
// longer than the limit, or that is no JSON, ends the connection: both sides are one build. Knows nothing of what they mean.
import type { Socket } from "node:net";

/** The longest are `start`, with the whole configuration, and the record of a call with very many events. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;
const NEWLINE = 0x0a;

export interface LineHandlers {
  message(message: unknown): void;
  /** The other side has nothing more to say, or the connection is broken; once. */
  ended(how: string): void;
}

export class MessageLine {
  readonly #socket: Socket;
  readonly #handlers: LineHandlers;
  readonly #maxBytes: number;
  /** Of a line that has not ended yet. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #hasEnded = false;

  /** `socket` may be connecting still. It must allow half-open connections. */
  constructor(socket: Socket, handlers: LineHandlers, maxLineBytes = MAX_LINE_BYTES) {
    this.#socket = socket;
    this.#handlers = handlers;
    this.#maxBytes = maxLineBytes;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("end", () => this.#end("the connection was closed"));
    socket.on("error", (error) => this.#end(error.message));
    socket.on("close", () => this.#end("the connection is gone"));
  }

  /** False when nothing goes out any more. `sent` is called once the kernel has it, or never will. */
  send(message: unknown, sent: () => void = () => {}): boolean {
    if (!this.#socket.writable) {
      sent();
      return false;
    }
    this.#socket.write(`${JSON.stringify(message)}\n`, () => sent());
    return true;
  }

  /** Says nothing more, and goes on listening. */
  finish(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    let start = 0;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, start)) {
      this.#parts.push(bytes.subarray(start, at));
      start = at + 1;
      if (!this.#hand(Buffer.concat(this.#parts.splice(0)))) return;
      this.#partBytes = 0;
    }
    if (start === bytes.length) return;
    this.#parts.push(bytes.subarray(start));
    this.#partBytes += bytes.length - start;
    if (this.#partBytes > this.#maxBytes) this.#refuse(`a message is longer than ${this.#maxBytes} bytes`);
  }

  /** False when that was the last one. */
  #hand(line: Buffer): boolean {
    if (this.#hasEnded) return false;
    let message: unknown;
    try {
      message = JSON.parse(line.toString());
    } catch {
      this.#refuse("what came is no message");
      return false;
    }
    this.#handlers.message(message);
    return true;
  }

  #refuse(why: string): void {
    this.#parts = [];
    this.#end(why);
    this.#socket.destroy();
  }

  #end(how: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#handlers.ended(how);
  }
}

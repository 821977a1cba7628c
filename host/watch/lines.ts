// What is watched as JSON lines, for a program that reads them. One that reads too slowly loses the oldest lines, and is told.
import type { Output } from "../output.js";
import type { WatchListener, WatchMessage } from "./message.js";

const MAX_WAITING = 10_000;

export class WatchLines implements WatchListener {
  /** Lines that the reader was too slow for. */
  dropped = 0;
  readonly #output: Output;
  readonly #waiting: unknown[] = [];
  #isBlocked = false;

  constructor(output: Output) {
    this.#output = output;
  }

  message({ device, topic, payload, isRetained }: WatchMessage): void {
    this.#put({ at: new Date().toISOString(), device, topic, payload: payload ?? null, retained: isRetained });
  }

  connected(): void {
    this.#put({ at: new Date().toISOString(), connected: true });
  }

  lost(why: string): void {
    this.#put({ at: new Date().toISOString(), connected: false, why });
  }

  #put(line: unknown): void {
    if (!this.#isBlocked) {
      this.#write(line);
      return;
    }
    this.#waiting.push(line);
    if (this.#waiting.length <= MAX_WAITING) return;
    this.#waiting.shift();
    this.dropped++;
  }

  #write(line: unknown): void {
    const { stdout } = this.#output;
    if (this.#output.json(line) || stdout.once === undefined) return;
    this.#isBlocked = true;
    stdout.once("drain", () => {
      this.#isBlocked = false;
      while (!this.#isBlocked && this.#waiting.length > 0) this.#write(this.#waiting.shift());
    });
  }
}

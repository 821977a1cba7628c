// A message that comes in pieces: one growing buffer within its own limit and the budget that all share.
import type { ByteBudget } from "./byte-budget.js";

const FIRST_BYTES = 2048;
const EMPTY = Buffer.alloc(0);

export class MessageBuffer {
  readonly #maxBytes: number;
  readonly #budget: ByteBudget;
  #buffer = EMPTY;
  #length = 0;

  constructor(maxBytes: number, budget: ByteBudget) {
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  get length(): number {
    return this.#length;
  }

  /** What has been appended; valid until the next call. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Appends `data[start..end)`; false, and nothing is appended, when it finds no room. */
  append(data: Buffer, start: number, end: number): boolean {
    const length = this.#length + end - start;
    if (length > this.#buffer.length && !this.#grow(length)) return false;
    data.copy(this.#buffer, this.#length, start, end);
    this.#length = length;
    return true;
  }

  /** Empties it and gives its memory back. */
  clear(): void {
    this.#budget.release(this.#buffer.length);
    this.#buffer = EMPTY;
    this.#length = 0;
  }

  #grow(length: number): boolean {
    if (length > this.#maxBytes) return false;
    let capacity = Math.max(FIRST_BYTES, this.#buffer.length);
    while (capacity < length) capacity *= 2;
    capacity = Math.min(capacity, this.#maxBytes);
    if (!this.#budget.take(capacity - this.#buffer.length)) return false;
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
    return true;
  }
}

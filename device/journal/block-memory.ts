// Memory in which a reader keeps the audio blocks it has read, so that a further visit of the same call reads no file.
// Belongs to a sealing thread and serves one call at a time; what does not fit is read again.

export class BlockMemory {
  readonly bytes: Buffer;
  #used = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Place for `length` bytes, or -1 when the memory is full. */
  take(length: number): number {
    const place = this.#used;
    if (place + length > this.bytes.length) return -1;
    this.#used += length;
    return place;
  }

  /** Where `length` bytes may be put for a look, or -1; they are kept only when taken. */
  peek(length: number): number {
    return this.#used + length > this.bytes.length ? -1 : this.#used;
  }

  /** Another call begins: what was kept is void. */
  clear(): void {
    this.#used = 0;
  }
}

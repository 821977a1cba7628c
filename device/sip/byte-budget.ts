// Memory that the buffers of all streams share: who wants more asks first, and is refused beyond the limit. Holds no
// bytes itself.

export class ByteBudget {
  readonly maxBytes: number;
  usedBytes = 0;
  /** Requests that found no room. */
  refusals = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** True when `bytes` more may be held; they are given back with `release`. */
  take(bytes: number): boolean {
    if (this.usedBytes + bytes > this.maxBytes) {
      this.refusals++;
      return false;
    }
    this.usedBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.usedBytes -= bytes;
  }
}

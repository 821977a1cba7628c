// Keeps the few segments open that a reader is working on; the longest unused one is closed first.
import { SegmentReader } from "./segment-reader.js";

/** Two sides of a call may stand in two segments each while a visit turns from one to the next. */
const MAX_OPEN = 4;

export class SegmentCache {
  readonly #folder: string;
  /** By number, longest unused first. */
  readonly #open = new Map<number, SegmentReader>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined when there is no such segment or it cannot be opened. */
  get(segment: number): SegmentReader | undefined {
    const known = this.#open.get(segment);
    const reader = known ?? SegmentReader.open(this.#folder, segment);
    if (!reader) return undefined;
    this.#open.delete(segment);
    this.#open.set(segment, reader);
    if (this.#open.size > MAX_OPEN) this.#closeOldest();
    return reader;
  }

  close(): void {
    for (const reader of this.#open.values()) reader.close();
    this.#open.clear();
  }

  #closeOldest(): void {
    const [segment, reader] = this.#open.entries().next().value!;
    this.#open.delete(segment);
    reader.close();
  }
}

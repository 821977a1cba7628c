// Copies the blocks that are still wanted out of a closed segment into a file beside it, a piece at a time, and points each
// to its predecessor's new place. Payloads and their checksums are copied as they are: damage stays damage. Never replaces a
// file and never decides when.
import type { CallPlace } from "./call-place.js";
import type { FileOperations } from "./file-operations.js";
import {
  BLOCK_HEADER_BYTES,
  callIdOf,
  decodeBlockHeader,
  encodeSegmentHeader,
  FLAG_FINAL,
  KIND_CALL_RECORD,
  makeBlockHeader,
  relinkBlock,
  SEGMENT_HEADER_BYTES,
} from "./format.js";
import type { Segment } from "./segment.js";

/** What is read, and at most written, at once: the packet path waits for it. */
const PIECE_BYTES = 512 * 1024;
/** In a call's last record: its audio went into another call's journal. Must outlive the audio, which else is a call again. */
const ABSORBED = Buffer.from('"absorbedBy":', "latin1");

/** A call's blocks in this segment, as far as they are copied. */
interface Moved {
  place: CallPlace;
  /** Where its last block stood, and stands in the copy; 0 = none yet. */
  from: number;
  to: number;
  bytes: number;
}

/** The segment holds something that is no block. */
export class DamagedSegmentError extends Error {}

export class SegmentCopy {
  /** The file that is written. */
  readonly path: string;
  /** Of the copy so far. */
  size = SEGMENT_HEADER_BYTES;
  /** Of blocks in it that are of no live call. */
  keptBytes = 0;
  readonly #files: FileOperations;
  readonly #segment: Segment;
  readonly #moved = new Map<string, Moved>();
  readonly #header = makeBlockHeader();
  readonly #source: number;
  readonly #target: number;
  #window: Buffer;
  #at = SEGMENT_HEADER_BYTES;

  /** Begins the copy; `version` is the segment's. Throws file system errors, and then leaves no file open. */
  constructor(files: FileOperations, segment: Segment, version: number) {
    this.path = `${segment.path}.copy`;
    this.#files = files;
    this.#segment = segment;
    for (const place of segment.places)
      this.#moved.set(place.idBytes.toString("latin1"), { place, from: 0, to: 0, bytes: 0 });
    this.#window = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, segment.size));
    this.#source = files.openSync(segment.path, "r");
    try {
      this.#target = files.openSync(this.path, "w", 0o600);
    } catch (error) {
      files.closeSync(this.#source);
      throw error;
    }
    try {
      this.#write(encodeSegmentHeader(segment.salt, version), 0);
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  /** Copies a piece; true = it was the last. Throws file system errors and DamagedSegmentError. */
  step(): boolean {
    const { size } = this.#segment;
    const bytes = this.#read(Math.min(this.#window.length, size - this.#at));
    let at = 0;
    let kept = 0;
    while (at < bytes) {
      const end = this.#blockEnd(at, bytes);
      if (end < 0) break;
      const moved = this.#moved.get(callIdOf(this.#window, at).toString("latin1"));
      if (moved === undefined && !this.#isRecord) {
        at = end;
        continue;
      }
      if (end > bytes) {
        if (at === 0) this.#window = Buffer.allocUnsafeSlow(end);
        break;
      }
      if (moved !== undefined || this.#saysAbsorbed(at, end)) {
        this.#keep(moved, at, end, kept);
        kept += end - at;
      }
      at = end;
    }
    if (kept > 0) this.#write(this.#window.subarray(0, kept), this.size);
    this.size += kept;
    this.#at += at;
    return this.#at >= size;
  }

  /** Makes the copy durable. */
  sync(done: (error: Error | null) => void): void {
    this.#files.fdatasync(this.#target, done);
  }

  /** Whether it has every block of the calls that are live now. */
  get isWhole(): boolean {
    for (const { place, from, bytes } of this.#moved.values()) {
      const wanted = this.#segment.bytesOf(place);
      if (wanted === 0) continue;
      if (bytes !== wanted || (place.segment === this.#segment.number && place.offset !== from)) return false;
    }
    return true;
  }

  /** The copy stands in the segment's place: its calls' places move on. */
  moveCalls(): void {
    const { number } = this.#segment;
    for (const { place, from, to } of this.#moved.values()) {
      if (place.segment !== number || place.offset !== from) continue;
      place.offset = to;
      place.linkSegment = number;
      place.linkOffset = to;
    }
  }

  close(): void {
    for (const descriptor of [this.#source, this.#target]) this.#files.closeSync(descriptor);
  }

  /** Closes and removes the copy. Not while `sync` is under way. */
  abandon(): void {
    this.close();
    this.#files.unlinkSync(this.path);
  }

  get #isRecord(): boolean {
    return this.#header.kind === KIND_CALL_RECORD && (this.#header.flags & FLAG_FINAL) !== 0;
  }

  #saysAbsorbed(at: number, end: number): boolean {
    return this.#window.subarray(at + BLOCK_HEADER_BYTES, end).includes(ABSORBED);
  }

  /** Where the block at `at` of the window ends; -1 when its header is not whole in the window. */
  #blockEnd(at: number, bytes: number): number {
    const { salt, size } = this.#segment;
    if (at + BLOCK_HEADER_BYTES > bytes && at > 0) return -1;
    const isIntact = decodeBlockHeader(this.#window, at, bytes, salt, this.#header);
    const end = at + BLOCK_HEADER_BYTES + this.#header.payloadBytes;
    if (!isIntact || this.#at + end > size)
      throw new DamagedSegmentError(`${this.#segment.path}: no block at ${this.#at + at}`);
    return end;
  }

  /** Moves the block down to `to` of the window. */
  #keep(moved: Moved | undefined, at: number, end: number, to: number): void {
    const header = this.#header;
    const offset = this.size + to;
    if (moved === undefined) {
      this.keptBytes += end - at;
    } else {
      const follows = header.previousSegment === this.#segment.number && header.previousOffset === moved.from;
      if (follows) relinkBlock(this.#window.subarray(at, end), moved.to, this.#segment.salt);
      moved.from = this.#at + at;
      moved.to = offset;
      moved.bytes += end - at;
    }
    if (to !== at) this.#window.copyWithin(to, at, end);
  }

  #read(length: number): number {
    const bytes = this.#files.readSync(this.#source, this.#window, 0, length, this.#at);
    if (bytes < length)
      throw new DamagedSegmentError(`${this.#segment.path}: ${bytes} of ${length} bytes at ${this.#at}`);
    return bytes;
  }

  #write(bytes: Buffer, position: number): void {
    const written = this.#files.writevSync(this.#target, [bytes], position);
    if (written !== bytes.length) throw new Error(`${this.path}: ${written} of ${bytes.length} bytes written`);
  }
}

// One segment file on the writing side: how long it is, and which calls keep it on the disk. Touches no file.
import type { CallPlace } from "./call-place.js";
import { SEGMENT_HEADER_BYTES } from "./format.js";

/** A file of which calls need less than this part is worth copying. */
const SPARSE_PART = 0.25;
/** Nor is it for less than this part of a full segment. */
const LEAST_GAIN_PART = 1 / 64;

export class Segment {
  readonly number: number;
  readonly path: string;
  readonly salt: number;
  /** -1 = not open. */
  fd: number;
  size = SEGMENT_HEADER_BYTES;
  /** No longer written to. */
  retired = false;
  syncing = false;
  /** The disk refused a sync of it: another one would prove nothing. */
  refused = false;
  /** A block was found damaged when the file was to be copied: it stays as it is. */
  isDamaged = false;
  /** Calls that have blocks here and are not released, and how many bytes of blocks. */
  readonly #live = new Map<CallPlace, number>();
  #liveBytes = 0;
  /** Of blocks that are in the file for a reason besides the calls above. */
  #keptBytes = 0;

  constructor(number: number, path: string, salt: number, fd: number) {
    this.number = number;
    this.path = path;
    this.salt = salt;
    this.fd = fd;
  }

  get isLive(): boolean {
    return this.#live.size > 0;
  }

  /** Calls that have blocks here and are not released. */
  get places(): Iterable<CallPlace> {
    return this.#live.keys();
  }

  /** Of the call's blocks here; 0 when it is released. */
  bytesOf(place: CallPlace): number {
    return this.#live.get(place) ?? 0;
  }

  /** A block has come to the end of the file. */
  add(place: CallPlace, bytes: number): void {
    this.#live.set(place, this.bytesOf(place) + bytes);
    this.#liveBytes += bytes;
    this.size += bytes;
  }

  /** The call's blocks are dead. */
  release(place: CallPlace): void {
    this.#liveBytes -= this.bytesOf(place);
    this.#live.delete(place);
  }

  /** Whether a copy without what is dead would be much shorter, measured against a full segment. */
  isSparse(segmentBytes: number): boolean {
    const needed = this.#liveBytes + this.#keptBytes;
    return needed < this.size * SPARSE_PART && this.size - needed >= segmentBytes * LEAST_GAIN_PART;
  }

  /** Somebody may be reading a call of this file: ended, told to the service by its place, and not yet released. */
  get isBeingRead(): boolean {
    for (const place of this.#live.keys()) if (place.isEnded) return true;
    return false;
  }

  /** The file was replaced by a shorter one, in which `keptBytes` are of no live call. */
  shorten(size: number, keptBytes: number): void {
    this.size = size;
    this.#keptBytes = keptBytes;
  }
}

// Keeps the journal's length on the disk in proportion to what is still wanted of it: a call of hours holds a few blocks in
// every segment since it began, and all the others' with them. A segment of which little is wanted is copied without the rest.
//
// The order: the copy is written, made durable, and renamed over the segment, which keeps its number; then the folder is made
// durable with the next sync. Whoever looks at the disk at any moment finds the one file or the other, each whole. Blocks keep
// their order, so that readers find them without links: only links from other segments lead nowhere then. A segment is let
// alone while a call in it has ended and is not released: its place was told to the service, which may be reading.
import type { FileOperations } from "./file-operations.js";
import type { JournalCounters } from "./journal-counters.js";
import type { Segment } from "./segment.js";
import { DamagedSegmentError, SegmentCopy } from "./segment-copy.js";

export interface CompactorOptions {
  files: FileOperations;
  counters: JournalCounters;
  /** Of a full segment. */
  segmentBytes: number;
  /** Of the segments' format. */
  version: number;
  /** All of the run's, by number; not changed here. */
  segments: ReadonlyMap<number, Segment>;
  /** Nothing of it is on its way to the disk. */
  isSettled(segment: Segment): boolean;
  /** A file of the folder was replaced. */
  onReplaced(): void;
}

/** Pieces are copied no faster: twice as fast as a thousand calls fill the journal. */
const PIECE_EVERY_MS = 20;
/** How often segments are looked through while none is worth copying. */
const LOOK_EVERY_MS = 1000;
/** Wait after a disk has refused a copy. */
const RETRY_MS = 60_000;

export class Compactor {
  readonly #options: CompactorOptions;
  #copy: SegmentCopy | undefined;
  #segment: Segment | undefined;
  #isSyncing = false;
  #isClosed = false;
  #nextAtMs = 0;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /** Does at most a piece of work; asked with every tick. Never throws. */
  step(nowMs: number): void {
    if (this.#isSyncing || nowMs < this.#nextAtMs || this.#isClosed) return;
    this.#nextAtMs = nowMs + PIECE_EVERY_MS;
    try {
      this.#work(nowMs);
    } catch (error) {
      this.#giveUp(error, nowMs);
    }
  }

  /** Nothing more is begun; what is under way is given up. */
  close(): void {
    this.#isClosed = true;
    if (!this.#isSyncing) this.#abandon();
  }

  #work(nowMs: number): void {
    const segment = this.#segment ?? this.#find();
    if (segment === undefined) {
      this.#nextAtMs = nowMs + LOOK_EVERY_MS;
      return;
    }
    if (this.#copy === undefined) {
      this.#segment = segment;
      this.#copy = new SegmentCopy(this.#options.files, segment, this.#options.version);
    } else if (!this.#isFree(segment)) {
      this.#abandon();
    } else if (this.#copy.step()) {
      this.#sync(segment, this.#copy, nowMs);
    }
  }

  /** The oldest that is worth it. */
  #find(): Segment | undefined {
    const { segments, segmentBytes } = this.#options;
    for (const segment of segments.values()) {
      if (segment.isSparse(segmentBytes) && this.#isFree(segment)) return segment;
    }
    return undefined;
  }

  /** It is on the disk, for good, and nobody reads it. */
  #isFree(segment: Segment): boolean {
    if (!segment.retired || segment.syncing || segment.refused) return false;
    if (segment.isDamaged || segment.isBeingRead) return false;
    return this.#options.segments.get(segment.number) === segment && this.#options.isSettled(segment);
  }

  #sync(segment: Segment, copy: SegmentCopy, nowMs: number): void {
    this.#isSyncing = true;
    copy.sync((error) => {
      this.#isSyncing = false;
      try {
        if (error !== null) throw error;
        if (this.#isClosed || !this.#isFree(segment)) this.#abandon();
        else this.#replace(segment, copy);
      } catch (fault) {
        this.#giveUp(fault, nowMs);
      }
    });
  }

  #replace(segment: Segment, copy: SegmentCopy): void {
    if (!copy.isWhole) throw new DamagedSegmentError(`${copy.path}: blocks are missing`);
    const { files, counters } = this.#options;
    files.renameSync(copy.path, segment.path);
    counters["journal.segments-compacted"]++;
    counters["journal.bytes-compacted"] += segment.size - copy.size;
    segment.shorten(copy.size, copy.keptBytes);
    copy.moveCalls();
    this.#forget();
    this.#options.onReplaced();
    copy.close();
  }

  #giveUp(error: unknown, nowMs: number): void {
    this.#options.counters["journal.compaction-errors"]++;
    this.#nextAtMs = nowMs + RETRY_MS;
    if (error instanceof DamagedSegmentError && this.#segment !== undefined) this.#segment.isDamaged = true;
    this.#abandon();
  }

  #abandon(): void {
    const copy = this.#copy;
    this.#forget();
    try {
      copy?.abandon();
    } catch {
      // The file goes with the run's folder.
    }
  }

  #forget(): void {
    this.#copy = undefined;
    this.#segment = undefined;
  }
}

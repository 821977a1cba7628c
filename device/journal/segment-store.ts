// The segment files of one run on the writing side: appends batches of blocks, turns to a new file at the size limit or
// after a fault, syncs in the background, unlinks files in which no call lives any more, and has compactor.ts shorten those
// of which little is wanted. Never throws for a disk that fails: a fault is reported and the blocks that are not in a file stay
// with the caller. A file whose sync was refused gets no more blocks and is written anew (segment-rewrite.ts) until the disk
// takes it.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Block } from "./block.js";
import type { CallPlace } from "./call-place.js";
import { Compactor } from "./compactor.js";
import type { FileOperations } from "./file-operations.js";
import {
  BLOCK_HEADER_BYTES,
  encodeBlockHeader,
  encodeSegmentHeader,
  JOURNAL_VERSION,
  makeBlockHeader,
  SEALED_JOURNAL_VERSION,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from "./format.js";
import type { JournalCounters } from "./journal-counters.js";
import { Segment } from "./segment.js";
import { datasync, rewriteSegment } from "./segment-rewrite.js";

export interface SegmentStoreOptions {
  folder: string;
  /** A segment is closed before the block that would make it longer; one block alone may be longer. */
  segmentBytes: number;
  /** Audio blocks come sealed. */
  isSealed?: boolean;
}

/** Upper bounds of one gathered write: far below IOV_MAX, and small enough to keep the packet path's pauses short. */
const BATCH_BLOCKS = 256;
const BATCH_BYTES = 1 << 20;
/** Names already taken in the folder that are skipped per attempt to begin a segment. */
const TAKEN_NAMES = 100;

export class SegmentStore {
  readonly #options: SegmentStoreOptions;
  readonly #files: FileOperations;
  readonly #counters: JournalCounters;
  readonly #onFault: (error: Error) => void;
  readonly #header = makeBlockHeader();
  readonly #version: number;
  readonly #compactor: Compactor;
  /** Files that hold blocks of unreleased calls, by number; bounded by the disk. */
  readonly #segments = new Map<number, Segment>();
  /** Segments with bytes written since their last sync. */
  readonly #unsynced = new Set<Segment>();
  #current: Segment | undefined;
  #nextNumber = 1;
  #isFolderUnsynced = false;

  constructor(
    options: SegmentStoreOptions,
    files: FileOperations,
    counters: JournalCounters,
    onFault: (error: Error) => void,
  ) {
    this.#options = options;
    this.#files = files;
    this.#counters = counters;
    this.#onFault = onFault;
    this.#version = options.isSealed ? SEALED_JOURNAL_VERSION : JOURNAL_VERSION;
    this.#compactor = new Compactor({
      files,
      counters,
      segmentBytes: options.segmentBytes,
      version: this.#version,
      segments: this.#segments,
      isSettled: (segment) => !this.#unsynced.has(segment),
      onReplaced: () => {
        this.#isFolderUnsynced = true;
      },
    });
  }

  get isUnsynced(): boolean {
    return this.#unsynced.size > 0 || this.#isFolderUnsynced;
  }

  /**
   * Writes the blocks in order and moves their calls' places on. Returns how many, from the first on, are in a file;
   * fewer than given after a fault. The rest is unchanged and may be written again, into the next segment.
   */
  write(blocks: Block[]): number {
    let written = 0;
    try {
      while (written < blocks.length) written += this.#writeBatch(blocks, written);
    } catch (error) {
      for (let i = written; i < blocks.length; i++) resetLink(blocks[i]!.owner!.place);
      if (this.#current) this.#retire(this.#current);
      this.#onFault(asError(error));
    }
    return written;
  }

  /** The call's blocks are dead. */
  release(place: CallPlace): void {
    for (const number of place.segments) {
      const segment = this.#segments.get(number);
      if (!segment) continue;
      segment.release(place);
      // The one being written as well: what was erased must not lie on the disk until a quiet box has filled the file.
      if (!segment.isLive) this.#retire(segment);
    }
    place.segments.length = 0;
  }

  /** One fdatasync after another over all that is unsynced; never rejects. The caller runs one at a time. */
  async sync(): Promise<void> {
    for (const segment of [...this.#unsynced]) await this.#syncSegment(segment);
    if (this.#isFolderUnsynced) await this.#syncFolder();
  }

  /** Shortens the files a little where most of them is dead. To be called with every tick. */
  compact(nowMs: number): void {
    this.#compactor.step(nowMs);
  }

  /** Closes the file being written; syncs nothing. */
  close(): void {
    this.#compactor.close();
    if (this.#current) this.#retire(this.#current);
  }

  #writeBatch(blocks: Block[], from: number): number {
    const segment = this.#segmentFor(blocks[from]!.length);
    const views = this.#gather(segment, blocks, from);
    const bytes = this.#files.writevSync(segment.fd, views, segment.size);
    this.#unsynced.add(segment);
    let count = 0;
    let left = bytes;
    while (count < views.length && views[count]!.length <= left) {
      left -= views[count]!.length;
      this.#commit(segment, blocks[from + count]!);
      count++;
    }
    // A write cut short leaves part of a block behind: the next one overwrites it, so only a standstill is a fault.
    if (count === 0) throw new Error(`${segment.path}: ${bytes} of ${views[0]!.length} bytes written`);
    for (let i = from + count; i < from + views.length; i++) resetLink(blocks[i]!.owner!.place);
    return count;
  }

  #gather(segment: Segment, blocks: Block[], from: number): Buffer[] {
    const views: Buffer[] = [];
    let offset = segment.size;
    const limit = Math.min(this.#options.segmentBytes, offset + BATCH_BYTES);
    for (let i = from; i < blocks.length && views.length < BATCH_BLOCKS; i++) {
      const block = blocks[i]!;
      if (views.length > 0 && offset + block.length > limit) break;
      views.push(this.#encode(segment, block, offset));
      offset += block.length;
    }
    return views;
  }

  #encode(segment: Segment, block: Block, offset: number): Buffer {
    const place = block.owner!.place;
    const header = this.#header;
    header.kind = block.kind;
    header.flags = block.flags;
    header.side = block.side;
    header.payloadBytes = block.length - BLOCK_HEADER_BYTES;
    header.sequence = block.sequence;
    header.previousSegment = place.linkSegment;
    header.previousOffset = place.linkOffset;
    header.records = block.records;
    header.baseUs = block.baseUs;
    encodeBlockHeader(block.memory, header, place.idBytes, segment.salt);
    place.linkSegment = segment.number;
    place.linkOffset = offset;
    return block.memory.subarray(0, block.length);
  }

  #commit(segment: Segment, block: Block): void {
    const place = block.owner!.place;
    if (place.segment !== segment.number) place.segments.push(segment.number);
    place.segment = segment.number;
    place.offset = segment.size;
    segment.add(place, block.length);
    this.#counters["journal.blocks"]++;
    this.#counters["journal.bytes"] += block.length;
    this.#counters["journal.records"] += block.records;
  }

  #segmentFor(blockBytes: number): Segment {
    const current = this.#current;
    if (current) {
      const isEmpty = current.size === SEGMENT_HEADER_BYTES;
      if (isEmpty || current.size + blockBytes <= this.#options.segmentBytes) return current;
      this.#retire(current);
    }
    return this.#begin();
  }

  #begin(): Segment {
    if (this.#counters["journal.segments"] === 0) {
      this.#makeFolder();
    }
    const fd = this.#openNew();
    const number = this.#nextNumber;
    const path = this.#pathOf(number);
    const salt = randomBytes(4).readUInt32LE(0);
    const segment = new Segment(number, path, salt, fd);
    this.#counters["journal.segments"]++;
    try {
      const bytes = this.#files.writevSync(fd, [encodeSegmentHeader(salt, this.#version)], 0);
      if (bytes !== SEGMENT_HEADER_BYTES) throw new Error(`${path}: ${bytes} of ${SEGMENT_HEADER_BYTES} bytes written`);
    } catch (error) {
      this.#remove(segment);
      throw error;
    }
    this.#nextNumber++;
    this.#segments.set(number, segment);
    this.#current = segment;
    this.#isFolderUnsynced = true;
    return segment;
  }

  /** Not its parents: they are the service's, and Node's recursive mkdir may never return where it is refused. */
  #makeFolder(): void {
    try {
      this.#files.mkdirSync(this.#options.folder, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }

  /** Opens the next number that is free: what lies in the folder already is never written over. */
  #openNew(): number {
    for (let tries = 0; ; tries++, this.#nextNumber++) {
      try {
        return this.#files.openSync(this.#pathOf(this.#nextNumber), "wx", 0o600);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST" || tries >= TAKEN_NAMES) throw error;
      }
    }
  }

  #pathOf(number: number): string {
    return join(this.#options.folder, segmentName(number));
  }

  #retire(segment: Segment): void {
    segment.retired = true;
    if (this.#current === segment) this.#current = undefined;
    if (!segment.isLive) this.#remove(segment);
    else if (!segment.syncing) this.#closeFile(segment);
  }

  #remove(segment: Segment): void {
    segment.retired = true;
    this.#segments.delete(segment.number);
    this.#unsynced.delete(segment);
    if (!segment.syncing) this.#closeFile(segment);
    try {
      this.#files.unlinkSync(segment.path);
      this.#counters["journal.segments-removed"]++;
    } catch {
      // The file stays until the run's folder is removed; its calls are stored, so nothing is lost.
      this.#counters["journal.unlink-errors"]++;
    }
  }

  async #syncSegment(segment: Segment): Promise<void> {
    // Taken out first: bytes written while the sync runs put the segment back. Gone = unlinked meanwhile.
    if (!this.#unsynced.delete(segment)) return;
    try {
      if (segment.refused) await this.#rewrite(segment);
      else await this.#datasync(segment);
      this.#counters["journal.syncs"]++;
    } catch (error) {
      if (this.#isWanted(segment)) {
        this.#unsynced.add(segment);
        this.#retire(segment);
      }
      this.#onFault(asError(error));
    }
    if (segment.retired) this.#closeFile(segment);
  }

  async #datasync(segment: Segment): Promise<void> {
    if (segment.fd < 0) segment.fd = this.#files.openSync(segment.path, "r");
    segment.syncing = true;
    try {
      await datasync(this.#files, segment.fd);
    } catch (error) {
      segment.refused = true;
      throw error;
    } finally {
      segment.syncing = false;
    }
  }

  async #rewrite(segment: Segment): Promise<void> {
    segment.syncing = true;
    try {
      await rewriteSegment(this.#files, segment.path, segment.size, () => this.#isWanted(segment));
    } finally {
      segment.syncing = false;
    }
    segment.refused = false;
    this.#isFolderUnsynced = true;
    this.#counters["journal.segments-rewritten"]++;
  }

  #isWanted(segment: Segment): boolean {
    return this.#segments.get(segment.number) === segment;
  }

  async #syncFolder(): Promise<void> {
    this.#isFolderUnsynced = false;
    try {
      const fd = this.#files.openSync(this.#options.folder, "r");
      await datasync(this.#files, fd).finally(() => this.#files.closeSync(fd));
    } catch (error) {
      // Its names are journalled by the file system, not dropped as pages are: asking again is enough.
      this.#isFolderUnsynced = true;
      this.#onFault(asError(error));
    }
  }

  #closeFile(segment: Segment): void {
    if (segment.fd < 0) return;
    const fd = segment.fd;
    segment.fd = -1;
    try {
      this.#files.closeSync(fd);
    } catch (error) {
      this.#onFault(asError(error));
    }
  }
}

/** Takes back the links that a batch set before it failed. */
function resetLink(place: CallPlace): void {
  place.linkSegment = place.segment;
  place.linkOffset = place.offset;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

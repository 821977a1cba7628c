// The way of a block from its first packet to the file: open, waiting, written, its buffer used again. Owns the bound
// on memory and what happens while the disk fails: blocks wait, attempts are spaced out, and what finds no buffer is
// refused. Never decides when a block is due.
import type { TimeUs } from "../base/ids.js";
import { type Block, type BlockOwner, BlockPool, OpenBlocks } from "./block.js";
import { type BlockSealer, SEAL_BYTES } from "./block-cipher.js";
import { BLOCK_HEADER_BYTES, FLAG_SEALED, KIND_AUDIO, RECORD_HEADER_BYTES } from "./format.js";
import type { JournalCounters } from "./journal-counters.js";
import { PacketCopier } from "./packet-copier.js";
import type { SegmentStore } from "./segment-store.js";

export interface BlockQueueOptions {
  blockBytes: number;
  maxBlocks: number;
  /** Seals audio blocks when they are closed; absent = they stay in clear. */
  sealer?: BlockSealer | undefined;
  monotonicMs(): number;
  /** Told when the disk begins to fail; again only after a write has succeeded in between. */
  onFault(error: Error): void;
}

/** Blocks that wait are written once they come to this: large enough that system calls cost little per packet. */
const WRITE_BYTES = 256 * 1024;
/** Open blocks written before their time at once, when buffers run out: one system call frees them all. */
const EARLY_BLOCKS = 32;
/** Wait between attempts while the disk fails. */
const RETRY_MS = 1000;
/** Bytes of call records that may wait while the disk fails. */
const MAX_WAITING_RECORD_BYTES = 16 * 1024 * 1024;

export class BlockQueue {
  readonly counters: JournalCounters;
  readonly copier = new PacketCopier();
  /** Longest record, without its header. */
  readonly maxRecordBytes: number;
  /** Packet time: stamped on blocks as they are opened. */
  nowUs: TimeUs = 0;

  readonly #options: BlockQueueOptions;
  readonly #store: SegmentStore;
  readonly #pool: BlockPool;
  readonly #open = new OpenBlocks();
  /** Closed blocks that are not in a file yet, in order. */
  #waiting: Block[] = [];
  #waitingBytes = 0;
  #waitingRecordBytes = 0;
  #waitingSinceUs = 0;
  #isFailing = false;
  #retryAtMs = 0;

  constructor(options: BlockQueueOptions, counters: JournalCounters, store: SegmentStore) {
    this.counters = counters;
    const room = options.sealer ? SEAL_BYTES : 0;
    this.maxRecordBytes = options.blockBytes - room - BLOCK_HEADER_BYTES - RECORD_HEADER_BYTES;
    this.#options = options;
    this.#store = store;
    this.#pool = new BlockPool(options.blockBytes, options.maxBlocks, room);
  }

  get isFailing(): boolean {
    return this.#isFailing;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#open.oldest === undefined;
  }

  /** An empty audio block, or undefined when none can be had now. */
  openBlock(): Block | undefined {
    let block = this.#pool.take();
    if (!block && !this.#isHoldingOff()) {
      this.#closeEarly();
      block = this.#pool.take();
    }
    if (!block) return undefined;
    block.openedAtUs = this.nowUs;
    this.#open.add(block);
    return block;
  }

  /** The open block goes to the file with the next write. */
  closeBlock(block: Block): void {
    this.#open.remove(block);
    block.owner!.forgetBlock(block.side);
    this.#enqueue(block);
  }

  closeAll(): void {
    while (this.#open.oldest) this.closeBlock(this.#open.oldest);
  }

  /** A call record's block goes to the file with the next write; false when there is no room for it. */
  queueRecord(block: Block): boolean {
    if (this.#waitingRecordBytes + block.length > MAX_WAITING_RECORD_BYTES) {
      this.counters["journal.lost-call-records"]++;
      return false;
    }
    block.openedAtUs = this.nowUs;
    this.#waitingRecordBytes += block.length;
    this.#enqueue(block);
    return true;
  }

  /** Closes what was opened at `openedUntilUs` or before, and writes if anything as old waits. */
  writeOlder(openedUntilUs: TimeUs): void {
    for (let oldest = this.#open.oldest; oldest && oldest.openedAtUs <= openedUntilUs; oldest = this.#open.oldest) {
      this.closeBlock(oldest);
    }
    if (this.#waitingSinceUs <= openedUntilUs) this.writeUnlessFailing();
  }

  /** Writes what waits, but not sooner after a fault than the disk is to be tried again. */
  writeUnlessFailing(): void {
    if (this.#waiting.length > 0 && !this.#isHoldingOff()) this.write();
  }

  /** Tries to write everything that waits. */
  write(): void {
    if (this.#waiting.length === 0) return;
    const written = this.#store.write(this.#waiting);
    if (written === this.#waiting.length) this.#isFailing = false;
    for (const block of this.#waiting.splice(0, written)) this.#discard(block);
  }

  /** Drops what waits of one owner, or of all. Returns the number of records dropped. */
  drop(owner?: BlockOwner): number {
    const kept: Block[] = [];
    let records = 0;
    for (const block of this.#waiting) {
      if (owner !== undefined && block.owner !== owner) {
        kept.push(block);
        continue;
      }
      records += block.records;
      this.#discard(block);
    }
    this.#waiting = kept;
    return records;
  }

  reportFault(error: Error): void {
    this.counters["journal.write-errors"]++;
    this.#retryAtMs = this.#options.monotonicMs() + RETRY_MS;
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.onFault(error);
  }

  #enqueue(block: Block): void {
    const place = block.owner!.place;
    block.sequence = place.nextSequence++;
    if (block.kind === KIND_AUDIO && this.#options.sealer) this.#seal(block, this.#options.sealer);
    place.waitingBlocks++;
    if (this.#waiting.length === 0 || block.openedAtUs < this.#waitingSinceUs) this.#waitingSinceUs = block.openedAtUs;
    this.#waiting.push(block);
    this.#waitingBytes += block.length;
    if (this.#waitingBytes >= WRITE_BYTES) this.writeUnlessFailing();
  }

  /** From here on what was admitted is in clear nowhere but in the packets still to come. */
  #seal(block: Block, sealer: BlockSealer): void {
    const { side, sequence, records, baseUs } = block;
    const facts = { callId: block.owner!.place.idBytes, side, sequence, records, baseUs };
    sealer.seal(block.memory, BLOCK_HEADER_BYTES, block.length - BLOCK_HEADER_BYTES, facts);
    block.length += SEAL_BYTES;
    block.flags |= FLAG_SEALED;
  }

  #closeEarly(): void {
    for (let i = 0; i < EARLY_BLOCKS && this.#open.oldest; i++) {
      this.counters["journal.early-blocks"]++;
      this.closeBlock(this.#open.oldest);
    }
    this.writeUnlessFailing();
  }

  /** The block is in a file, or not wanted any more. */
  #discard(block: Block): void {
    block.owner!.place.waitingBlocks--;
    this.#waitingBytes -= block.length;
    if (block.kind !== KIND_AUDIO) this.#waitingRecordBytes -= block.length;
    this.#pool.give(block);
  }

  #isHoldingOff(): boolean {
    return this.#isFailing && this.#options.monotonicMs() < this.#retryAtMs;
  }
}

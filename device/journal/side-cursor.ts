// Steps through the records of one side's audio blocks, one block at a time, each read once where there is memory to keep
// it. A block that turns out damaged is counted once and passed by.
import { type BlockOpener, SEAL_BYTES } from "./block-cipher.js";
import { type AudioBlock, type BlockList, makeAudioBlock } from "./block-list.js";
import type { BlockMemory } from "./block-memory.js";
import { FLAG_SEALED, MAX_AUDIO_BLOCK_BYTES, RECORD_HEADER_BYTES } from "./format.js";
import type { SegmentCache } from "./segment-cache.js";

export class SideCursor {
  /** The record that the cursor stands on; data[start..end) is its packet. */
  data: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  stream = 0;
  capturedAtUs = 0;
  /** False at the end: then the record's fields mean nothing. */
  hasRecord = false;
  /** Blocks found damaged by this cursor. */
  damagedBlocks = 0;

  readonly #cache: SegmentCache;
  readonly #blocks: BlockList;
  readonly #memory: BlockMemory | undefined;
  readonly #callId: Buffer;
  readonly #opener: BlockOpener | undefined;
  /** The block that the cursor is in. */
  readonly #block = makeAudioBlock();
  /** For blocks that are not kept. */
  #passing: Buffer = Buffer.alloc(0);
  #baseUs = 0;
  #blockEnd = 0;
  #nextBlock = 0;
  #recordsLeft = 0;

  /** `opener`: opens the run's sealed blocks; without it they count as damaged. */
  constructor(
    cache: SegmentCache,
    blocks: BlockList,
    memory: BlockMemory | undefined,
    callId: Buffer,
    opener: BlockOpener | undefined,
  ) {
    this.#callId = callId;
    this.#opener = opener;
    this.#cache = cache;
    this.#blocks = blocks;
    this.#memory = memory;
  }

  /** Steps to the next record, at first to the first one. */
  advance(): void {
    while (!this.#takeRecord()) {
      if (this.#nextBlock >= this.#blocks.length) {
        this.hasRecord = false;
        return;
      }
      this.#loadBlock(this.#nextBlock++);
    }
    this.hasRecord = true;
  }

  #takeRecord(): boolean {
    if (this.#recordsLeft === 0) return false;
    this.#recordsLeft--;
    const data = this.data;
    const at = this.end;
    this.start = at + RECORD_HEADER_BYTES;
    // The checksum holds, so this is what was written: the check keeps a fault of the writer from reading further.
    if (this.start > this.#blockEnd || this.start + (data[at]! | (data[at + 1]! << 8)) > this.#blockEnd) {
      this.#recordsLeft = 0;
      this.damagedBlocks++;
      return false;
    }
    // By hand: Buffer's readers check their arguments, which here costs more than the read.
    this.end = this.start + (data[at]! | (data[at + 1]! << 8));
    this.stream = data[at + 2]! | (data[at + 3]! << 8);
    this.capturedAtUs =
      this.#baseUs + (data[at + 4]! | (data[at + 5]! << 8) | (data[at + 6]! << 16) | (data[at + 7]! << 24));
    return true;
  }

  #loadBlock(index: number): void {
    const blocks = this.#blocks;
    if (blocks.isDamaged(index)) return;
    const block = this.#block;
    blocks.read(index, block);
    if (!(block.place >= 0 ? this.#useKept(index, block) : this.#readBlock(index, block))) {
      blocks.markDamaged(index);
      this.damagedBlocks++;
      return;
    }
    this.#baseUs = block.baseUs;
    this.#recordsLeft = block.records;
    this.end = Math.max(0, block.place);
    this.#blockEnd = this.end + block.payloadBytes - ((block.flags & FLAG_SEALED) === 0 ? 0 : SEAL_BYTES);
  }

  #useKept(index: number, block: AudioBlock): boolean {
    const { bytes } = this.#memory!;
    if (!this.#blocks.isChecked(index)) {
      const isIntact = this.#cache.get(block.segment)?.isIntact(bytes, block.place, block);
      if (!isIntact || !this.#open(block, bytes, block.place)) return false;
      this.#blocks.markChecked(index);
    }
    this.data = bytes;
    return true;
  }

  /** A sealed payload is opened in its place, once: as it was read. */
  #open(block: AudioBlock, bytes: Buffer, at: number): boolean {
    if ((block.flags & FLAG_SEALED) === 0) return true;
    const { side, sequence, records, baseUs } = block;
    const facts = { callId: this.#callId, side, sequence, records, baseUs };
    return this.#opener?.open(bytes, at, block.payloadBytes, facts) ?? false;
  }

  /** Reads the payload into memory when there is room for it, else into the one passing buffer. */
  #readBlock(index: number, block: AudioBlock): boolean {
    const reader = this.#cache.get(block.segment);
    const { payloadBytes } = block;
    if (!reader || payloadBytes > MAX_AUDIO_BLOCK_BYTES) return false;
    const place = this.#memory?.take(payloadBytes) ?? -1;
    if (place < 0 && this.#passing.length < payloadBytes) this.#passing = Buffer.allocUnsafe(MAX_AUDIO_BLOCK_BYTES);
    const target = place < 0 ? this.#passing : this.#memory!.bytes;
    const at = Math.max(0, place);
    if (!reader.readPayload(block.offset, block, target, at) || !this.#open(block, target, at)) return false;
    this.data = target;
    if (place < 0) return true;
    block.place = place;
    this.#blocks.keepAt(index, place);
    this.#blocks.markChecked(index);
    return true;
  }
}

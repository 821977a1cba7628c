// One call's side of the journal: copies admitted packets into the side's open block and hands blocks over when they
// are full. Never decides what is admitted (the gate sits before it) and never touches a file.
import type { CallId, Side, TimeUs } from "../base/ids.js";
import { callIdToBytes } from "../base/ids.js";
import type { CallRecord } from "../contract/call-record.js";
import type { JournalPosition } from "../contract/engine-messages.js";
import { Block, type BlockOwner } from "./block.js";
import type { BlockQueue } from "./block-queue.js";
import { CallPlace } from "./call-place.js";
import { BLOCK_HEADER_BYTES, FLAG_FINAL, KIND_CALL_RECORD, MAX_PAYLOAD_BYTES, RECORD_HEADER_BYTES } from "./format.js";

/** A call's journal. All of it is refused, and counted, once the call has ended or the writer is closed. */
export interface CallJournal {
  /**
   * Copies the RTP packet data[start..end) of the stream with index `stream` (0–65535) into the journal. False = it
   * could not be kept: disk fault, longer than a block, or a time that is no number. Does not allocate, but when a
   * block begins.
   */
  append(side: Side, stream: number, capturedAtUs: TimeUs, data: Buffer, start: number, end: number): boolean;
  /** Writes the call's facts so far; before the first packet it only keeps them for then. */
  snapshot(record: CallRecord): void;
  /**
   * The call's last block: its buffers and `record` go to the file. Returns where the block stands. Undefined when
   * nothing was ever appended, or when the disk refused the block: then `lastPosition` still names what is in the file,
   * and the rest is written as soon as the disk takes it.
   */
  end(record: CallRecord): JournalPosition | undefined;
  /** The call's last block that is in a file. */
  readonly lastPosition: JournalPosition | undefined;
  /** Blocks of it are in memory only: the disk has not taken them. */
  readonly isWaiting: boolean;
}

const MIN_DELTA_US = -(2 ** 31);
const MAX_DELTA_US = 2 ** 31 - 1;

export class OpenCallJournal implements CallJournal, BlockOwner {
  readonly id: CallId;
  readonly place: CallPlace;
  readonly #queue: BlockQueue;
  readonly #onEnded: (journal: OpenCallJournal) => void;
  #block0: Block | undefined;
  #block1: Block | undefined;
  #heldRecord: CallRecord | undefined;
  #isClosed: boolean;

  constructor(id: CallId, queue: BlockQueue, onEnded: (journal: OpenCallJournal) => void, isClosed: boolean) {
    this.id = id;
    this.place = new CallPlace(callIdToBytes(id));
    this.#queue = queue;
    this.#onEnded = onEnded;
    this.#isClosed = isClosed;
  }

  get isWaiting(): boolean {
    return this.place.waitingBlocks > 0;
  }

  get lastPosition(): JournalPosition | undefined {
    return this.place.position;
  }

  append(side: Side, stream: number, capturedAtUs: TimeUs, data: Buffer, start: number, end: number): boolean {
    const block = side === 0 ? this.#block0 : this.#block1;
    const length = end - start;
    if (block !== undefined && length > 0 && block.length + RECORD_HEADER_BYTES + length <= block.bytes.length) {
      const deltaUs = Math.floor(capturedAtUs) - block.baseUs;
      if (deltaUs >= MIN_DELTA_US && deltaUs <= MAX_DELTA_US && stream >>> 16 === 0) {
        this.#put(block, stream, deltaUs, data, start, end);
        return true;
      }
    }
    return this.#appendToNewBlock(side, stream, capturedAtUs, data, start, end);
  }

  snapshot(record: CallRecord): void {
    if (this.#isClosed) return;
    if (this.#hasBlocks) this.#queueRecord(record, 0);
    else this.#heldRecord = record;
  }

  end(record: CallRecord): JournalPosition | undefined {
    if (this.#isClosed) return undefined;
    this.closeBlocks();
    this.place.isEnded = true;
    let isWritten = false;
    if (this.#hasBlocks) {
      isWritten = this.#queueRecord(record, FLAG_FINAL);
      this.#queue.write();
    }
    this.#isClosed = true;
    this.#heldRecord = undefined;
    this.#onEnded(this);
    return isWritten && this.place.waitingBlocks === 0 ? this.place.position : undefined;
  }

  /** Hands the open blocks over. */
  closeBlocks(): void {
    if (this.#block0) this.#queue.closeBlock(this.#block0);
    if (this.#block1) this.#queue.closeBlock(this.#block1);
  }

  forgetBlock(side: number): void {
    if (side === 0) this.#block0 = undefined;
    else this.#block1 = undefined;
  }

  /** Nothing more is taken. */
  refuse(): void {
    this.#isClosed = true;
    this.#heldRecord = undefined;
  }

  get #hasBlocks(): boolean {
    return this.place.nextSequence > 0 || this.#block0 !== undefined || this.#block1 !== undefined;
  }

  #put(block: Block, stream: number, deltaUs: number, data: Buffer, start: number, end: number): void {
    const at = block.length;
    const view = block.view;
    view.setUint16(at, end - start, true);
    view.setUint16(at + 2, stream, true);
    view.setInt32(at + 4, deltaUs, true);
    this.#queue.copier.copy(data, start, end, view, at + RECORD_HEADER_BYTES);
    block.length = at + RECORD_HEADER_BYTES + end - start;
    block.records++;
  }

  #appendToNewBlock(
    side: Side,
    stream: number,
    capturedAtUs: TimeUs,
    data: Buffer,
    start: number,
    end: number,
  ): boolean {
    if (stream >>> 16 !== 0) throw new RangeError(`stream index ${stream} is not within 0..65535`);
    const baseUs = Math.floor(capturedAtUs);
    const length = end - start;
    const isTooLong = length > this.#queue.maxRecordBytes;
    if (isTooLong) this.#queue.counters["journal.too-long"]++;
    const block = isTooLong || length <= 0 || !Number.isSafeInteger(baseUs) ? undefined : this.#beginBlock(side);
    if (!block) {
      this.#queue.counters["journal.lost-records"]++;
      return false;
    }
    block.baseUs = baseUs;
    this.#put(block, stream, 0, data, start, end);
    return true;
  }

  #beginBlock(side: Side): Block | undefined {
    if (this.#isClosed) return undefined;
    const full = side === 0 ? this.#block0 : this.#block1;
    if (full) this.#queue.closeBlock(full);
    const block = this.#queue.openBlock();
    if (!block) return undefined;
    block.side = side;
    block.owner = this;
    if (side === 0) this.#block0 = block;
    else this.#block1 = block;
    const held = this.#heldRecord;
    this.#heldRecord = undefined;
    if (held) this.#queueRecord(held, 0);
    return block;
  }

  #queueRecord(record: CallRecord, flags: number): boolean {
    let json = Buffer.from(JSON.stringify(record), "utf8");
    if (json.length > MAX_PAYLOAD_BYTES) {
      this.#queue.counters["journal.lost-call-records"]++;
      if (flags !== FLAG_FINAL) return false;
      json = Buffer.alloc(0);
    }
    const block = new Block(Buffer.allocUnsafeSlow(BLOCK_HEADER_BYTES + json.length));
    json.copy(block.bytes, BLOCK_HEADER_BYTES);
    block.length = block.bytes.length;
    block.kind = KIND_CALL_RECORD;
    block.flags = flags;
    block.owner = this;
    return this.#queue.queueRecord(block);
  }
}

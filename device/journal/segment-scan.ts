// Goes through a whole segment file in order and hands over every intact block, past whatever is damaged. Linear in the
// file's size whatever it holds: a place is tried by its header alone, which has its own checksum.
import {
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  type BlockHeader,
  callIdOf,
  decodeBlockHeader,
  MAX_PAYLOAD_BYTES,
  makeBlockHeader,
  payloadChecksum,
  SEGMENT_HEADER_BYTES,
} from "./format.js";
import type { SegmentReader } from "./segment-reader.js";

/** An intact block, valid only during the call: its payload is bytes[payloadAt..payloadAt + header.payloadBytes). */
export type BlockSink = (header: BlockHeader, callId: Buffer, offset: number, bytes: Buffer, payloadAt: number) => void;

/** A block of which the header is intact and the payload is not, or ends behind the file; valid only during the call. */
export type DamagedSink = (header: BlockHeader, callId: Buffer, offset: number) => void;

export interface ScanResult {
  /** Damaged payloads, and stretches in which no block can be told. */
  damagedBlocks: number;
  /** The file ends within a block, or within its own header. */
  isTorn: boolean;
}

const WINDOW_BYTES = 256 * 1024;
/** Step over a place that the disk cannot read. */
const SECTOR_BYTES = 4096;
const MAX_BLOCK_BYTES = BLOCK_HEADER_BYTES + MAX_PAYLOAD_BYTES;

export function scanSegment(reader: SegmentReader, sink: BlockSink, damaged: DamagedSink = () => {}): ScanResult {
  const isHeaderCut = reader.size < SEGMENT_HEADER_BYTES;
  if (reader.salt === undefined) return { damagedBlocks: isHeaderCut ? 0 : 1, isTorn: isHeaderCut };
  return new SegmentScan(reader, reader.salt, sink, damaged).run();
}

class SegmentScan {
  readonly #reader: SegmentReader;
  readonly #salt: number;
  readonly #sink: BlockSink;
  readonly #damaged: DamagedSink;
  readonly #header = makeBlockHeader();
  #window: Buffer;
  #windowOffset = 0;
  #windowBytes = 0;
  #damagedBlocks = 0;

  constructor(reader: SegmentReader, salt: number, sink: BlockSink, damaged: DamagedSink) {
    this.#reader = reader;
    this.#salt = salt;
    this.#sink = sink;
    this.#damaged = damaged;
    this.#window = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, reader.size));
  }

  run(): ScanResult {
    const size = this.#reader.size;
    let offset = SEGMENT_HEADER_BYTES;
    while (offset < size) {
      if (!this.#isHeaderAt(offset)) {
        const next = this.#findHeader(offset + 1);
        if (next < 0) return this.#end(offset);
        this.#damagedBlocks++;
        offset = next;
      }
      const blockBytes = BLOCK_HEADER_BYTES + this.#header.payloadBytes;
      if (offset + blockBytes > size) {
        this.#handOverDamaged(offset);
        return { damagedBlocks: this.#damagedBlocks, isTorn: true };
      }
      this.#handOver(offset, blockBytes);
      offset += blockBytes;
    }
    return { damagedBlocks: this.#damagedBlocks, isTorn: false };
  }

  /** What follows `offset` is no block: a block with a damaged header that ends with the file, or a torn one. */
  #end(offset: number): ScanResult {
    const at = this.#load(offset, BLOCK_HEADER_BYTES);
    const isWhole =
      at >= 0 &&
      this.#window.compare(BLOCK_MAGIC, 0, BLOCK_MAGIC.length, at, at + BLOCK_MAGIC.length) === 0 &&
      offset + BLOCK_HEADER_BYTES + this.#window.readUInt32LE(at + 12) <= this.#reader.size;
    return { damagedBlocks: this.#damagedBlocks + (isWhole ? 1 : 0), isTorn: !isWhole };
  }

  #handOver(offset: number, blockBytes: number): void {
    const header = this.#header;
    const at = this.#load(offset, blockBytes);
    const payloadAt = at + BLOCK_HEADER_BYTES;
    if (at < 0 || payloadChecksum(this.#window, payloadAt, header.payloadBytes, this.#salt) !== header.payloadCrc) {
      this.#damagedBlocks++;
      this.#handOverDamaged(offset);
      return;
    }
    this.#sink(header, callIdOf(this.#window, at), offset, this.#window, payloadAt);
  }

  #handOverDamaged(offset: number): void {
    if (this.#isHeaderAt(offset))
      this.#damaged(this.#header, callIdOf(this.#window, offset - this.#windowOffset), offset);
  }

  #isHeaderAt(offset: number): boolean {
    const at = this.#load(offset, BLOCK_HEADER_BYTES);
    return at >= 0 && decodeBlockHeader(this.#window, at, this.#windowBytes, this.#salt, this.#header);
  }

  /** First place from `offset` on with an intact header, which is then in #header; -1 when there is none. */
  #findHeader(offset: number): number {
    let from = offset;
    while (from + BLOCK_HEADER_BYTES <= this.#reader.size) {
      const at = this.#load(from, BLOCK_HEADER_BYTES);
      if (at < 0) {
        from = (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES;
        continue;
      }
      const found = this.#window.subarray(0, this.#windowBytes).indexOf(BLOCK_MAGIC, at);
      if (found < 0) {
        // The magic may begin in the window's last bytes.
        from = this.#windowOffset + this.#windowBytes - BLOCK_MAGIC.length + 1;
        continue;
      }
      from = this.#windowOffset + found;
      if (this.#isHeaderAt(from)) return from;
      from++;
    }
    return -1;
  }

  /** Gets file bytes [offset, offset + length) into the window; their place in it, or -1 when they cannot be read. */
  #load(offset: number, length: number): number {
    const at = offset - this.#windowOffset;
    if (at >= 0 && at + length <= this.#windowBytes) return at;
    if (length > this.#window.length) this.#window = Buffer.allocUnsafeSlow(MAX_BLOCK_BYTES);
    this.#windowOffset = offset;
    this.#windowBytes = this.#reader.read(this.#window, 0, this.#window.length, offset);
    return length <= this.#windowBytes ? 0 : -1;
  }
}

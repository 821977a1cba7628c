// The records of a classic pcap file: file header to link type and clock, record to Frame. Never buffers, never copies.
// https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap (file header §4, packet record §5).
import { readUint32 } from "./byte-order.js";
import type { Frame, FrameSink } from "./frame.js";
import { normalLinkType } from "./link-type.js";
import { BROKEN, type FileCounters, MAX_FRAME_BYTES, type RecordFormat } from "./record-format.js";

export const PCAP_HEADER_BYTES = 24;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
/** Kuznetzov's modified pcap: eight bytes more in each record header (interface, protocol, packet type). */
const MAGIC_MODIFIED = 0xa1b2cd34;

const RECORD_BYTES = 16;
const MODIFIED_RECORD_BYTES = 24;
const LINK_TYPE_AT = 20;
/** The upper half of the field holds FCS length and flags (draft §4). */
const LINK_TYPE_MASK = 0xffff;

/** True when a file that begins with `head[at..at+4)` is a pcap file, of either byte order. */
export function isPcapMagic(head: Buffer, at: number): boolean {
  return isMagic(readUint32(head, at, true)) || isMagic(readUint32(head, at, false));
}

function isMagic(word: number): boolean {
  return word === MAGIC_MICROSECONDS || word === MAGIC_NANOSECONDS || word === MAGIC_MODIFIED;
}

export class PcapRecords implements RecordFormat {
  readonly prefixBytes: number;
  broken = "";
  readonly #sink: FrameSink;
  readonly #counters: FileCounters;
  readonly #frame: Frame;
  readonly #isLittleEndian: boolean;
  readonly #hasNanoseconds: boolean;

  /** `header[at..at+24)` is the file header; `isPcapMagic` has accepted its first four bytes. */
  constructor(header: Buffer, at: number, sink: FrameSink, counters: FileCounters) {
    this.#sink = sink;
    this.#counters = counters;
    this.#isLittleEndian = isMagic(readUint32(header, at, true));
    const magic = this.#uint32(header, at);
    this.#hasNanoseconds = magic === MAGIC_NANOSECONDS;
    this.prefixBytes = magic === MAGIC_MODIFIED ? MODIFIED_RECORD_BYTES : RECORD_BYTES;
    this.#frame = {
      data: header,
      start: 0,
      capturedLength: 0,
      originalLength: 0,
      capturedAtUs: 0,
      linkType: normalLinkType(this.#uint32(header, at + LINK_TYPE_AT) & LINK_TYPE_MASK),
      interfaceIndex: 0,
    };
  }

  measure(data: Buffer, at: number): number {
    const capturedLength = this.#uint32(data, at + 8);
    if (capturedLength > MAX_FRAME_BYTES) {
      this.broken = `its length ${capturedLength} is beyond the ${MAX_FRAME_BYTES} bytes a frame may have`;
      return BROKEN;
    }
    if (capturedLength === 0 && this.#isNoRecord(data, at)) return BROKEN;
    return this.prefixBytes + capturedLength;
  }

  isWanted(): boolean {
    return true;
  }

  consume(data: Buffer, at: number, length: number): boolean {
    const frame = this.#frame;
    const fraction = this.#uint32(data, at + 4);
    frame.data = data;
    frame.start = at + this.prefixBytes;
    frame.capturedLength = length - this.prefixBytes;
    frame.originalLength = this.#uint32(data, at + 12);
    frame.capturedAtUs =
      this.#uint32(data, at) * 1_000_000 + (this.#hasNanoseconds ? Math.floor(fraction / 1000) : fraction);
    const counters = this.#counters;
    counters.frames++;
    counters.bytes += frame.capturedLength;
    if (frame.capturedLength < frame.originalLength) counters.snapped++;
    else if (frame.capturedLength > frame.originalLength) counters.overlong++;
    this.#sink(frame);
    return true;
  }

  /** An empty record with an impossible time must not move packet time to 1970 or 2055. */
  #isNoRecord(data: Buffer, at: number): boolean {
    if (isPcapMagic(data, at)) {
      this.broken = "another capture file begins there; read the files one by one";
      return true;
    }
    // A file that was made longer before it was written (power cut, sparse copy) ends in zeros.
    const isAllZero =
      this.#uint32(data, at) === 0 && this.#uint32(data, at + 4) === 0 && this.#uint32(data, at + 12) === 0;
    if (isAllZero) this.broken = "there are only zero bytes where its header should be";
    return isAllZero;
  }

  #uint32(data: Buffer, at: number): number {
    return readUint32(data, at, this.#isLittleEndian);
  }
}

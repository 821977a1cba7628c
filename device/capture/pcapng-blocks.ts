// The blocks of a pcapng file: sections, interface descriptions, packets, statistics; every other block is skipped.
// Never buffers, never copies. https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng (block numbers beside each).
import type { TimeUs } from "../base/ids.js";
import { readUint16, readUint32 } from "./byte-order.js";
import type { Frame, FrameSink } from "./frame.js";
import { normalLinkType } from "./link-type.js";
import { PcapngInterface } from "./pcapng-interface.js";
import { BROKEN, type FileCounters, MAX_FRAME_BYTES, type RecordFormat } from "./record-format.js";

/** Section Header Block §4.1; reads the same in both byte orders. */
const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** §4.2 */
const INTERFACE_DESCRIPTION = 1;
/** Appendix A: obsolete, but for the width of its interface number laid out as an Enhanced Packet Block. */
const OBSOLETE_PACKET = 2;
/** §4.4 */
const SIMPLE_PACKET = 3;
/** §4.6 */
const INTERFACE_STATISTICS = 5;
/** §4.3 */
const ENHANCED_PACKET = 6;

/** Type, total length and, in a section header, the byte order magic. */
const PREFIX_BYTES = 12;
const TRAILER_BYTES = 4;
const MIN_SECTION_HEADER_BYTES = 28;
const MIN_INTERFACE_DESCRIPTION_BYTES = 20;
const MIN_STATISTICS_BYTES = 24;
const PACKET_DATA_AT = 28;
const SIMPLE_PACKET_DATA_AT = 12;
const OPTION_TSRESOL = 9;
const OPTION_TSOFFSET = 14;
const OPTION_IF_DROP = 5;
const OPTION_OS_DROP = 7;
const UNKNOWN_DROPS = 0xffff;
const MICROSECOND_RESOLUTION = 6;

/** Longest block that is read as a whole: a frame of MAX_FRAME_BYTES and generous options. */
export const MAX_BLOCK_BYTES = 1024 * 1024;
/** Interfaces in one section; further descriptions are counted and not kept. */
export const MAX_INTERFACES = 4096;

/** True when a file that begins with `head[at..at+4)` is a pcapng file. */
export function isPcapngMagic(head: Buffer, at: number): boolean {
  return readUint32(head, at, true) === SECTION_HEADER;
}

export class PcapngBlocks implements RecordFormat {
  readonly prefixBytes = PREFIX_BYTES;
  broken = "";
  readonly #sink: FrameSink;
  readonly #counters: FileCounters;
  readonly #frame: Frame;
  #interfaces: PcapngInterface[] = [];
  #isLittleEndian = true;
  #lastUs: TimeUs = 0;

  constructor(sink: FrameSink, counters: FileCounters) {
    this.#sink = sink;
    this.#counters = counters;
    this.#frame = {
      data: Buffer.alloc(0),
      start: 0,
      capturedLength: 0,
      originalLength: 0,
      capturedAtUs: 0,
      linkType: 0,
      interfaceIndex: 0,
    };
  }

  measure(data: Buffer, at: number): number {
    const isSectionHeader = readUint32(data, at, true) === SECTION_HEADER;
    if (isSectionHeader && !this.#readByteOrder(data, at)) {
      return this.#breakOff("its section header has no byte order mark");
    }
    const length = this.#uint32(data, at + 4);
    if (length < (isSectionHeader ? MIN_SECTION_HEADER_BYTES : PREFIX_BYTES)) {
      return this.#breakOff(`a block length of ${length} is impossible`);
    }
    if (length > MAX_BLOCK_BYTES && this.isWanted(data, at)) {
      return this.#breakOff(
        `a block length of ${length} is beyond the ${MAX_BLOCK_BYTES} bytes a packet block may have`,
      );
    }
    return paddedLength(length);
  }

  isWanted(data: Buffer, at: number): boolean {
    switch (this.#uint32(data, at)) {
      case SECTION_HEADER:
      case INTERFACE_DESCRIPTION:
      case OBSOLETE_PACKET:
      case SIMPLE_PACKET:
      case INTERFACE_STATISTICS:
      case ENHANCED_PACKET:
        return true;
      default:
        return false;
    }
  }

  consume(data: Buffer, at: number, length: number): boolean {
    const end = at + length - TRAILER_BYTES;
    if (this.#uint32(data, end) !== this.#uint32(data, at + 4)) {
      return this.#refuse("the block's two lengths differ");
    }
    switch (this.#uint32(data, at)) {
      case ENHANCED_PACKET:
        return this.#packet(data, at, end, this.#uint32(data, at + 8));
      case SIMPLE_PACKET:
        return this.#simplePacket(data, at, end);
      case OBSOLETE_PACKET:
        return this.#obsoletePacket(data, at, end);
      case SECTION_HEADER:
        this.#interfaces = [];
        return true;
      case INTERFACE_DESCRIPTION:
        return this.#interfaceDescription(data, at, end);
      case INTERFACE_STATISTICS:
        return this.#statistics(data, at, end);
      default:
        this.#counters.blocksSkipped++;
        return true;
    }
  }

  #readByteOrder(data: Buffer, at: number): boolean {
    this.#isLittleEndian = readUint32(data, at + 8, true) === BYTE_ORDER_MAGIC;
    return this.#isLittleEndian || readUint32(data, at + 8, false) === BYTE_ORDER_MAGIC;
  }

  #packet(data: Buffer, at: number, end: number, interfaceIndex: number): boolean {
    if (end < at + PACKET_DATA_AT) return this.#refuse("its packet block has no room for its header");
    const capturedLength = this.#uint32(data, at + 20);
    if (capturedLength > MAX_FRAME_BYTES || capturedLength > end - at - PACKET_DATA_AT) {
      return this.#refuse(`its packet of ${capturedLength} bytes does not fit its block`);
    }
    const source = this.#interfaces[interfaceIndex];
    if (source === undefined) {
      this.#counters.unknownInterface++;
      return true;
    }
    this.#lastUs = source.toUs(this.#uint32(data, at + 12), this.#uint32(data, at + 16));
    this.#deliver(data, at + PACKET_DATA_AT, capturedLength, this.#uint32(data, at + 24), source, interfaceIndex);
    return true;
  }

  /** A Simple Packet Block has no time and belongs to the first interface: it gets the time of the packet before it. */
  #simplePacket(data: Buffer, at: number, end: number): boolean {
    const source = this.#interfaces[0];
    if (end < at + SIMPLE_PACKET_DATA_AT) return this.#refuse("its packet block has no room for its header");
    if (source === undefined) {
      this.#counters.unknownInterface++;
      return true;
    }
    const originalLength = this.#uint32(data, at + 8);
    const snapLength = source.snapLength === 0 ? MAX_FRAME_BYTES : Math.min(source.snapLength, MAX_FRAME_BYTES);
    const capturedLength = Math.min(originalLength, snapLength, end - at - SIMPLE_PACKET_DATA_AT);
    this.#deliver(data, at + SIMPLE_PACKET_DATA_AT, capturedLength, originalLength, source, 0);
    return true;
  }

  #obsoletePacket(data: Buffer, at: number, end: number): boolean {
    const drops = this.#uint16(data, at + 10);
    if (drops !== UNKNOWN_DROPS) this.#counters.kernelDrops += drops;
    return this.#packet(data, at, end, this.#uint16(data, at + 8));
  }

  #deliver(
    data: Buffer,
    start: number,
    capturedLength: number,
    originalLength: number,
    source: PcapngInterface,
    interfaceIndex: number,
  ): void {
    const frame = this.#frame;
    frame.data = data;
    frame.start = start;
    frame.capturedLength = capturedLength;
    frame.originalLength = originalLength;
    frame.capturedAtUs = this.#lastUs;
    frame.linkType = source.linkType;
    frame.interfaceIndex = interfaceIndex;
    const counters = this.#counters;
    counters.frames++;
    counters.bytes += capturedLength;
    if (capturedLength < originalLength) counters.snapped++;
    else if (capturedLength > originalLength) counters.overlong++;
    this.#sink(frame);
  }

  #interfaceDescription(data: Buffer, at: number, end: number): boolean {
    if (end + TRAILER_BYTES < at + MIN_INTERFACE_DESCRIPTION_BYTES) {
      return this.#refuse("its interface description is too short");
    }
    if (this.#interfaces.length >= MAX_INTERFACES) {
      this.#counters.interfacesRefused++;
      return true;
    }
    const resolutionAt = this.#findOption(data, at + 16, end, OPTION_TSRESOL, 1);
    const offsetAt = this.#findOption(data, at + 16, end, OPTION_TSOFFSET, 8);
    this.#interfaces.push(
      new PcapngInterface(
        normalLinkType(this.#uint16(data, at + 8)),
        this.#uint32(data, at + 12),
        resolutionAt < 0 ? MICROSECOND_RESOLUTION : data[resolutionAt]!,
        offsetAt < 0 ? 0 : this.#int64(data, offsetAt),
      ),
    );
    return true;
  }

  #statistics(data: Buffer, at: number, end: number): boolean {
    if (end + TRAILER_BYTES < at + MIN_STATISTICS_BYTES) return this.#refuse("its statistics block is too short");
    const source = this.#interfaces[this.#uint32(data, at + 8)];
    if (source === undefined) return true;
    const interfaceDropAt = this.#findOption(data, at + 20, end, OPTION_IF_DROP, 8);
    const kernelDropAt = this.#findOption(data, at + 20, end, OPTION_OS_DROP, 8);
    const counters = this.#counters;
    if (interfaceDropAt >= 0) counters.interfaceDrops += source.growInterfaceDrops(this.#uint64(data, interfaceDropAt));
    if (kernelDropAt >= 0) counters.kernelDrops += source.growKernelDrops(this.#uint64(data, kernelDropAt));
    return true;
  }

  /** Where the value of option `code` stands, when it has `bytes` bytes; −1 without it (§3.5). */
  #findOption(data: Buffer, at: number, end: number, code: number, bytes: number): number {
    for (let option = at; option + 4 <= end; ) {
      const length = this.#uint16(data, option + 2);
      const own = this.#uint16(data, option);
      if (own === 0) return -1;
      if (own === code && length === bytes && option + 4 + length <= end) return option + 4;
      option += 4 + paddedLength(length);
    }
    return -1;
  }

  #refuse(reason: string): false {
    this.broken = reason;
    return false;
  }

  #breakOff(reason: string): typeof BROKEN {
    this.broken = reason;
    return BROKEN;
  }

  #uint16(data: Buffer, at: number): number {
    return readUint16(data, at, this.#isLittleEndian);
  }

  #uint32(data: Buffer, at: number): number {
    return readUint32(data, at, this.#isLittleEndian);
  }

  #uint64(data: Buffer, at: number): number {
    const first = this.#uint32(data, at);
    const second = this.#uint32(data, at + 4);
    return this.#isLittleEndian ? second * 2 ** 32 + first : first * 2 ** 32 + second;
  }

  #int64(data: Buffer, at: number): number {
    return Number(this.#isLittleEndian ? data.readBigInt64LE(at) : data.readBigInt64BE(at));
  }
}

/** Block and option lengths count up to the next 32-bit boundary; some writers leave the padding out of the length. */
function paddedLength(length: number): number {
  return length + ((4 - (length % 4)) % 4);
}

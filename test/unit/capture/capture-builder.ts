// Builds pcap and pcapng files byte by byte for the tests, in either byte order, and collects what a parser delivers.
// Shares no code with the parser.
import { CaptureParser, type FormatFault } from "../../../device/capture/file-format.js";
import type { Frame } from "../../../device/capture/frame.js";
import type { FileCounters } from "../../../device/capture/record-format.js";

export const MICROSECONDS = 0xa1b2c3d4;
export const NANOSECONDS = 0xa1b23c4d;
export const MODIFIED = 0xa1b2cd34;

export interface PcapOptions {
  magic?: number;
  isLittleEndian?: boolean;
  linkType?: number;
}

export interface PcapRecord {
  seconds: number;
  fraction: number;
  data: Buffer;
  originalLength?: number;
}

function words(isLittleEndian: boolean, ...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) {
    if (isLittleEndian) bytes.writeUInt32LE(value >>> 0, i * 4);
    else bytes.writeUInt32BE(value >>> 0, i * 4);
  }
  return bytes;
}

function halves(isLittleEndian: boolean, ...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [i, value] of values.entries()) {
    if (isLittleEndian) bytes.writeUInt16LE(value, i * 2);
    else bytes.writeUInt16BE(value, i * 2);
  }
  return bytes;
}

export function pcapHeader(options: PcapOptions = {}): Buffer {
  const { magic = MICROSECONDS, isLittleEndian = true, linkType = 1 } = options;
  return Buffer.concat([
    words(isLittleEndian, magic),
    halves(isLittleEndian, 2, 4),
    words(isLittleEndian, 0, 0, 65535, linkType),
  ]);
}

export function pcapRecord(record: PcapRecord, options: PcapOptions = {}): Buffer {
  const { magic = MICROSECONDS, isLittleEndian = true } = options;
  const { seconds, fraction, data, originalLength = data.length } = record;
  const more = magic === MODIFIED ? [Buffer.from("0102030405060708", "hex")] : [];
  return Buffer.concat([words(isLittleEndian, seconds, fraction, data.length, originalLength), ...more, data]);
}

export function pcapFile(records: readonly PcapRecord[], options: PcapOptions = {}): Buffer {
  return Buffer.concat([pcapHeader(options), ...records.map((record) => pcapRecord(record, options))]);
}

/** `count` records of different lengths, a millisecond apart. */
export function someRecords(count: number): PcapRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    seconds: 1_700_000_000,
    fraction: i * 1000,
    data: Buffer.alloc(20 + ((i * 37) % 90), i + 1),
  }));
}

export interface PcapngOption {
  code: number;
  value: Buffer;
}

/** Blocks of one section's byte order. */
export class PcapngBuilder {
  constructor(readonly isLittleEndian = true) {}

  words(...values: number[]): Buffer {
    return words(this.isLittleEndian, ...values);
  }

  uint64(value: bigint): Buffer {
    const bytes = Buffer.alloc(8);
    if (this.isLittleEndian) bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
    else bytes.writeBigUInt64BE(BigInt.asUintN(64, value));
    return bytes;
  }

  block(type: number, ...body: Buffer[]): Buffer {
    const padded = pad(Buffer.concat(body));
    const length = padded.length + 12;
    return Buffer.concat([this.words(type, length), padded, this.words(length)]);
  }

  section(): Buffer {
    return this.block(
      0x0a0d0d0a,
      this.words(0x1a2b3c4d),
      halves(this.isLittleEndian, 1, 0),
      this.words(0xffffffff, 0xffffffff),
    );
  }

  description(linkType: number, options: readonly PcapngOption[] = [], snapLength = 0): Buffer {
    return this.block(1, halves(this.isLittleEndian, linkType, 0), this.words(snapLength), this.options(options));
  }

  enhanced(interfaceIndex: number, ticks: bigint, data: Buffer, originalLength = data.length): Buffer {
    const fields = this.words(interfaceIndex, Number(ticks >> 32n), Number(ticks & 0xffffffffn), data.length);
    return this.block(6, fields, this.words(originalLength), pad(data));
  }

  simple(data: Buffer, originalLength = data.length): Buffer {
    return this.block(3, this.words(originalLength), data);
  }

  obsolete(interfaceIndex: number, drops: number, ticks: bigint, data: Buffer): Buffer {
    const time = this.words(Number(ticks >> 32n), Number(ticks & 0xffffffffn), data.length, data.length);
    return this.block(2, halves(this.isLittleEndian, interfaceIndex, drops), time, data);
  }

  statistics(interfaceIndex: number, options: readonly PcapngOption[]): Buffer {
    return this.block(5, this.words(interfaceIndex, 0, 0), this.options(options));
  }

  options(options: readonly PcapngOption[]): Buffer {
    if (options.length === 0) return Buffer.alloc(0);
    const all = options.map(({ code, value }) =>
      Buffer.concat([halves(this.isLittleEndian, code, value.length), pad(value)]),
    );
    return Buffer.concat([...all, halves(this.isLittleEndian, 0, 0)]);
  }
}

function pad(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

/** A frame as it was during the call, with its bytes copied. */
export interface KeptFrame {
  bytes: string;
  originalLength: number;
  capturedAtUs: number;
  linkType: number;
  interfaceIndex: number;
}

export interface Parsed {
  frames: KeptFrame[];
  fault: FormatFault | undefined;
  counters: FileCounters;
}

/** Feeds the chunks to a new parser and ends it. */
export function parse(...chunks: Buffer[]): Parsed {
  const frames: KeptFrame[] = [];
  const parser = new CaptureParser((frame) => frames.push(keep(frame)));
  for (const chunk of chunks) parser.push(chunk);
  parser.finish();
  return { frames, fault: parser.fault, counters: parser.counters };
}

export function keep(frame: Frame): KeptFrame {
  const { data, start, capturedLength, originalLength, capturedAtUs, linkType, interfaceIndex } = frame;
  if (start + capturedLength > data.length) throw new Error("the frame ends outside its buffer");
  const bytes = data.toString("hex", start, start + capturedLength);
  return { bytes, originalLength, capturedAtUs, linkType, interfaceIndex };
}

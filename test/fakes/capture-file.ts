// Writes capture files: pcap (draft-ietf-opsawg-pcap) in both byte orders and resolutions, and pcapng
// (draft-ietf-opsawg-pcapng) with several interfaces. In memory for tests, streamed for files of any size.
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { LINK_TYPE } from "./frames.js";

const PCAP_MAGIC_US = 0xa1b2c3d4;
const PCAP_MAGIC_NS = 0xa1b23c4d;
const PCAP_RECORD_BYTES = 16;
const SECTION_BLOCK = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const INTERFACE_BLOCK = 1;
const ENHANCED_PACKET_BLOCK = 6;
const ENHANCED_PACKET_BYTES = 32;
const OPTION_NAME = 2;
const OPTION_RESOLUTION = 9;
const DEFAULT_SNAP_BYTES = 262_144;
const STREAM_BUFFER_BYTES = 1 << 20;

export interface CaptureInterface {
  linkType: number;
  name?: string;
  /** pcapng if_tsresol: n = 10^-n s, 128 + n = 2^-n s. Default 6. */
  timestampResolution?: number;
  snapLength?: number;
}

export interface CaptureOptions {
  /** Default pcap. */
  format?: "pcap" | "pcapng";
  /** Of pcap, and of pcapng's one interface when `interfaces` is absent. Default Ethernet. */
  linkType?: number;
  /** Of pcap. Default µs. */
  resolution?: "us" | "ns";
  endian?: "little" | "big";
  /** Longer frames are cut, their original length kept. */
  snapLength?: number;
  /** Of pcapng. */
  interfaces?: CaptureInterface[];
}

export interface RecordOptions {
  /** pcapng only. */
  interfaceIndex?: number;
  /** Bytes on the wire when they differ from the frame given. */
  originalLength?: number;
}

/** A capture file in memory. */
export class CaptureFile {
  readonly #encoder: CaptureEncoder;
  readonly #chunks: Buffer[];

  constructor(options: CaptureOptions = {}) {
    this.#encoder = new CaptureEncoder(options);
    this.#chunks = [this.#encoder.header()];
  }

  /** Appends one frame; `atUs` may carry a fraction, which ns and finer resolutions keep. */
  add(frame: Uint8Array, atUs: number, options: RecordOptions = {}): this {
    const record = Buffer.alloc(this.#encoder.recordLength(frame, options));
    this.#encoder.writeRecord(record, 0, frame, atUs, options);
    this.#chunks.push(record);
    return this;
  }

  addAll(
    frames: Iterable<{ atUs: number; frame: Uint8Array; interfaceIndex?: number }>,
    options: RecordOptions = {},
  ): this {
    for (const { atUs, frame, interfaceIndex } of frames) {
      this.add(frame, atUs, interfaceIndex === undefined ? options : { ...options, interfaceIndex });
    }
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  write(path: string): void {
    writeFileSync(path, this.bytes());
  }
}

/** A capture file written as it grows, in constant memory. Blocking: for generators, not for services. */
export class CaptureStream {
  readonly #encoder: CaptureEncoder;
  readonly #descriptor: number;
  readonly #buffer = Buffer.alloc(STREAM_BUFFER_BYTES);
  #used: number;
  /** Bytes handed to `add` so far, headers included. */
  writtenBytes: number;

  constructor(path: string, options: CaptureOptions = {}) {
    this.#encoder = new CaptureEncoder(options);
    this.#descriptor = openSync(path, "w");
    this.#used = this.#encoder.header().copy(this.#buffer);
    this.writtenBytes = this.#used;
  }

  /** As CaptureFile.add; the frame's bytes are copied at once. */
  add(frame: Uint8Array, atUs: number, options: RecordOptions = {}): void {
    const length = this.#encoder.recordLength(frame, options);
    if (this.#used + length > STREAM_BUFFER_BYTES) this.#flush();
    this.#encoder.writeRecord(this.#buffer, this.#used, frame, atUs, options);
    this.#used += length;
    this.writtenBytes += length;
  }

  close(): void {
    this.#flush();
    closeSync(this.#descriptor);
  }

  #flush(): void {
    for (let at = 0; at < this.#used; ) at += writeSync(this.#descriptor, this.#buffer, at, this.#used - at);
    this.#used = 0;
  }
}

/** The bytes of a file's header and records. */
class CaptureEncoder {
  readonly #isNg: boolean;
  readonly #isBig: boolean;
  readonly #isNanosecond: boolean;
  readonly #interfaces: Required<CaptureInterface>[];

  constructor(options: CaptureOptions) {
    this.#isNg = options.format === "pcapng";
    this.#isBig = options.endian === "big";
    this.#isNanosecond = options.resolution === "ns";
    const snapLength = options.snapLength ?? DEFAULT_SNAP_BYTES;
    const own = { linkType: options.linkType ?? LINK_TYPE.ethernet, name: "", timestampResolution: 6, snapLength };
    this.#interfaces = (options.interfaces ?? [own]).map((one) => ({ ...own, ...one }));
    if (!this.#isNg && this.#interfaces.length !== 1) throw new RangeError("pcap holds one interface");
  }

  header(): Buffer {
    if (this.#isNg) {
      return Buffer.concat([this.#sectionBlock(), ...this.#interfaces.map((one) => this.#interfaceBlock(one))]);
    }
    const header = Buffer.alloc(24);
    this.#u32(header, 0, this.#isNanosecond ? PCAP_MAGIC_NS : PCAP_MAGIC_US);
    this.#u16(header, 4, 2);
    this.#u16(header, 6, 4);
    this.#u32(header, 16, this.#interfaces[0]!.snapLength);
    this.#u32(header, 20, this.#interfaces[0]!.linkType);
    return header;
  }

  recordLength(frame: Uint8Array, options: RecordOptions): number {
    const captured = Math.min(frame.length, this.#interfaceOf(options).snapLength);
    return this.#isNg ? ENHANCED_PACKET_BYTES + paddedLength(captured) : PCAP_RECORD_BYTES + captured;
  }

  /** Writes `recordLength` bytes at `at`. */
  writeRecord(target: Buffer, at: number, frame: Uint8Array, atUs: number, options: RecordOptions): void {
    const captured = Math.min(frame.length, this.#interfaceOf(options).snapLength);
    const original = options.originalLength ?? frame.length;
    const bytes = captured === frame.length ? frame : frame.subarray(0, captured);
    if (this.#isNg) this.#writeEnhancedPacket(target, at, bytes, original, atUs, options);
    else this.#writePcapRecord(target, at, bytes, original, atUs);
  }

  #interfaceOf(options: RecordOptions): Required<CaptureInterface> {
    const one = this.#interfaces[options.interfaceIndex ?? 0];
    if (!one) throw new RangeError(`no interface ${options.interfaceIndex}`);
    return one;
  }

  #writePcapRecord(target: Buffer, at: number, bytes: Uint8Array, original: number, atUs: number): void {
    const unitsPerSecond = this.#isNanosecond ? 1e9 : 1e6;
    let seconds = Math.floor(atUs / 1e6);
    let fraction = Math.round((atUs - seconds * 1e6) * (unitsPerSecond / 1e6));
    if (fraction === unitsPerSecond) {
      seconds++;
      fraction = 0;
    }
    this.#u32(target, at, seconds);
    this.#u32(target, at + 4, fraction);
    this.#u32(target, at + 8, bytes.length);
    this.#u32(target, at + 12, original);
    target.set(bytes, at + PCAP_RECORD_BYTES);
  }

  #writeEnhancedPacket(
    target: Buffer,
    at: number,
    bytes: Uint8Array,
    original: number,
    atUs: number,
    options: RecordOptions,
  ): void {
    const length = ENHANCED_PACKET_BYTES + paddedLength(bytes.length);
    const ticks = ticksOf(atUs, this.#interfaceOf(options).timestampResolution);
    this.#u32(target, at, ENHANCED_PACKET_BLOCK);
    this.#u32(target, at + 4, length);
    this.#u32(target, at + 8, options.interfaceIndex ?? 0);
    this.#u32(target, at + 12, Number(ticks >> 32n));
    this.#u32(target, at + 16, Number(ticks & 0xffffffffn));
    this.#u32(target, at + 20, bytes.length);
    this.#u32(target, at + 24, original);
    target.set(bytes, at + 28);
    target.fill(0, at + 28 + bytes.length, at + length - 4);
    this.#u32(target, at + length - 4, length);
  }

  #sectionBlock(): Buffer {
    const block = Buffer.alloc(28, 0xff);
    this.#u32(block, 0, SECTION_BLOCK);
    this.#u32(block, 4, block.length);
    this.#u32(block, 8, BYTE_ORDER_MAGIC);
    this.#u16(block, 12, 1);
    this.#u16(block, 14, 0);
    this.#u32(block, 24, block.length);
    return block;
  }

  #interfaceBlock(one: Required<CaptureInterface>): Buffer {
    const options = Buffer.concat([
      ...(one.name === "" ? [] : [this.#option(OPTION_NAME, Buffer.from(one.name))]),
      ...(one.timestampResolution === 6 ? [] : [this.#option(OPTION_RESOLUTION, Buffer.of(one.timestampResolution))]),
    ]);
    const end = options.length === 0 ? options : Buffer.alloc(4);
    const block = Buffer.alloc(20 + options.length + end.length);
    this.#u32(block, 0, INTERFACE_BLOCK);
    this.#u32(block, 4, block.length);
    this.#u16(block, 8, one.linkType);
    this.#u32(block, 12, one.snapLength);
    options.copy(block, 16);
    this.#u32(block, block.length - 4, block.length);
    return block;
  }

  #option(code: number, value: Buffer): Buffer {
    const option = Buffer.alloc(4 + paddedLength(value.length));
    this.#u16(option, 0, code);
    this.#u16(option, 2, value.length);
    value.copy(option, 4);
    return option;
  }

  #u32(target: Buffer, at: number, value: number): void {
    if (this.#isBig) target.writeUInt32BE(value, at);
    else target.writeUInt32LE(value, at);
  }

  #u16(target: Buffer, at: number, value: number): void {
    if (this.#isBig) target.writeUInt16BE(value, at);
    else target.writeUInt16LE(value, at);
  }
}

function paddedLength(length: number): number {
  return (length + 3) & ~3;
}

/** Timestamp in units of if_tsresol. Quarter microseconds are what a double still holds of today's time. */
function ticksOf(atUs: number, resolution: number): bigint {
  const quarters = BigInt(Math.round(atUs * 4));
  const perSecond = resolution >= 128 ? 2n ** BigInt(resolution - 128) : 10n ** BigInt(resolution);
  return (quarters * perSecond) / 4_000_000n;
}

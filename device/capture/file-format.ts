// Turns the bytes of a pcap or pcapng file, in chunks of any size, into frames. Owns the carry between chunks and the
// one fault that ends a file; frames that lie whole in a chunk are never copied. Reads nothing itself.
import { recognise } from "./file-signature.js";
import type { FrameSink } from "./frame.js";
import { isPcapMagic, PCAP_HEADER_BYTES, PcapRecords } from "./pcap-records.js";
import { isPcapngMagic, PcapngBlocks } from "./pcapng-blocks.js";
import { BROKEN, type FileCounters, makeFileCounters, type RecordFormat } from "./record-format.js";

/** Why a capture file ends early or is none. Everything before it was delivered. */
export interface FormatFault {
  code: "capture-empty" | "capture-format" | "capture-cut";
  /** One clause for the user, to be put behind the file's name. */
  message: string;
  /** Byte offset of the record (or of the file's head) at fault. */
  offset: number;
}

/** Enough of a file to know its format: pcap's whole header, less than pcapng's first block. */
const HEAD_BYTES = PCAP_HEADER_BYTES;
const MAGIC_BYTES = 4;
const FIRST_CARRY_BYTES = 4096;

/**
 * Push parser. The sink is called synchronously with one reused Frame that points into the chunk (or into the carry
 * buffer, for the one frame that a chunk boundary cuts). After a fault further bytes are ignored.
 */
export class CaptureParser {
  readonly counters: FileCounters = makeFileCounters();
  readonly #sink: FrameSink;
  #fault: FormatFault | undefined;
  #format: RecordFormat | undefined;
  /** The beginning of a record (or of the file's head) that the last chunk did not hold whole. */
  #carry = Buffer.allocUnsafe(FIRST_CARRY_BYTES);
  #carried = 0;
  /** Bytes of the record that is being skipped, and how many of them are still to come. */
  #skipLength = 0;
  #skip = 0;
  /** Offset in the file of the record being read. */
  #recordOffset = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  get fault(): FormatFault | undefined {
    return this.#fault;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.#fault === undefined) {
      if (this.#skip > 0) at += this.#skipBytes(chunk.length - at);
      else if (this.#carried > 0) at = this.#completeCarry(chunk, at);
      else if (this.#format === undefined) at = this.#readHead(chunk, at);
      else at = this.#readRecords(this.#format, chunk, at);
    }
  }

  /** The input has ended: an unfinished record becomes a fault. */
  finish(): void {
    if (this.#fault !== undefined) return;
    if (this.#format === undefined) this.#finishWithoutFormat();
    else if (this.#carried > 0 || this.#skip > 0) {
      this.#fail("capture-cut", `is cut off inside the record at byte ${this.#recordOffset}; ${this.#used()}`);
    }
  }

  /** Reads the file's head straight from the chunk when it is whole there; returns where to go on. */
  #readHead(chunk: Buffer, at: number): number {
    if (chunk.length - at < HEAD_BYTES) return this.#keep(chunk, at);
    return at + this.#chooseFormat(chunk, at);
  }

  /** Delivers the whole records of the chunk from `at` on; returns where to go on. */
  #readRecords(format: RecordFormat, chunk: Buffer, from: number): number {
    const prefixBytes = format.prefixBytes;
    const end = chunk.length;
    let at = from;
    while (end - at >= prefixBytes) {
      const length = format.measure(chunk, at);
      if (length === BROKEN) return this.#breakRecord(format, end);
      if (length > end - at) {
        if (format.isWanted(chunk, at)) break;
        this.#skipRecord(length);
        return at;
      }
      if (!format.consume(chunk, at, length)) return this.#breakRecord(format, end);
      at += length;
      this.#recordOffset += length;
    }
    return this.#keep(chunk, at);
  }

  /** Adds to the carry what its record still needs and takes the record once it is whole; returns where to go on. */
  #completeCarry(chunk: Buffer, at: number): number {
    const format = this.#format;
    let needed = format === undefined ? HEAD_BYTES : format.prefixBytes;
    if (format !== undefined && this.#carried >= needed) {
      needed = format.measure(this.#carry, 0);
      if (needed === BROKEN) return this.#breakRecord(format, chunk.length);
      if (needed > this.#carried && !format.isWanted(this.#carry, 0)) {
        this.#skipRecord(needed);
        this.#skip -= this.#carried;
        this.#carried = 0;
        return at;
      }
    }
    const next = this.#fill(chunk, at, needed);
    if (this.#carried === needed) this.#takeCarry();
    return next;
  }

  /** The carry holds the file's head, a record's prefix or a whole record. */
  #takeCarry(): void {
    const format = this.#format;
    if (format === undefined) {
      // A pcap header is done with; a pcapng head stays, as the beginning of the first block.
      this.#carried -= this.#chooseFormat(this.#carry, 0);
      return;
    }
    const length = format.measure(this.#carry, 0);
    if (length === BROKEN) {
      this.#breakRecord(format, 0);
      return;
    }
    if (length > this.#carried) return;
    if (!format.consume(this.#carry, 0, length)) {
      this.#breakRecord(format, 0);
      return;
    }
    this.#carried = 0;
    this.#recordOffset += length;
  }

  /** `head[at..at+HEAD_BYTES)` are the file's first bytes. Returns how many of them are done with: all or none. */
  #chooseFormat(head: Buffer, at: number): number {
    if (isPcapngMagic(head, at)) {
      this.#format = new PcapngBlocks(this.#sink, this.counters);
      return 0;
    }
    if (isPcapMagic(head, at)) {
      this.#format = new PcapRecords(head, at, this.#sink, this.counters);
      this.#recordOffset = PCAP_HEADER_BYTES;
      return PCAP_HEADER_BYTES;
    }
    this.#failUnrecognised(head.subarray(at, at + HEAD_BYTES));
    return 0;
  }

  #finishWithoutFormat(): void {
    const head = this.#carry.subarray(0, this.#carried);
    if (head.length === 0) {
      this.#fail("capture-empty", "the file is empty; capture again, or fetch it again");
    } else if (head.length >= MAGIC_BYTES && (isPcapMagic(head, 0) || isPcapngMagic(head, 0))) {
      this.#fail("capture-cut", `is cut off after ${head.length} bytes, inside the file header; it holds no packets`);
    } else this.#failUnrecognised(head);
  }

  #failUnrecognised(head: Buffer): void {
    const signature = recognise(head);
    const start = signature ? signature.what : `the bytes ${head.toString("hex", 0, 8)}`;
    const advice = signature ? signature.advice : "only pcap and pcapng captures can be read";
    this.#fail("capture-format", `not a capture file (starts with ${start}); ${advice}`);
  }

  #breakRecord(format: RecordFormat, next: number): number {
    this.#fail("capture-cut", `is broken at byte ${this.#recordOffset}: ${format.broken}; ${this.#used()}`);
    return next;
  }

  /** What a cut file is still good for. */
  #used(): string {
    const count = this.counters.frames;
    if (count === 0) return "there is no packet before it";
    return count === 1 ? "the one packet before it was used" : `the ${count} packets before it were used`;
  }

  #fail(code: FormatFault["code"], message: string): void {
    this.#fault = { code, message, offset: this.#recordOffset };
  }

  #skipRecord(length: number): void {
    this.#skip = length;
    this.#skipLength = length;
    this.counters.blocksSkipped++;
  }

  #skipBytes(available: number): number {
    const count = Math.min(this.#skip, available);
    this.#skip -= count;
    if (this.#skip === 0) this.#recordOffset += this.#skipLength;
    return count;
  }

  /** Puts the rest of the chunk into the empty carry; it is less than one record. Returns the chunk's end. */
  #keep(chunk: Buffer, at: number): number {
    return this.#fill(chunk, at, chunk.length - at);
  }

  /** Copies until the carry holds `wanted` bytes or the chunk is used up; returns where to go on. */
  #fill(chunk: Buffer, at: number, wanted: number): number {
    if (wanted > this.#carry.length) this.#growCarry(wanted);
    const end = Math.min(chunk.length, at + wanted - this.#carried);
    chunk.copy(this.#carry, this.#carried, at, end);
    this.#carried += end - at;
    return end;
  }

  /** Formats bound a record, and with it the carry; doubling keeps the copies linear. */
  #growCarry(wanted: number): void {
    const larger = Buffer.allocUnsafe(Math.max(wanted, this.#carry.length * 2));
    this.#carry.copy(larger, 0, 0, this.#carried);
    this.#carry = larger;
  }
}

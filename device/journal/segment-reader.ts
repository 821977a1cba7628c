// Reads single blocks of one segment file by their place. A damaged, short or missing file is a value, never a throw; only
// that the process may open no more files just now is one: of the file it says nothing. Never writes.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { SidetoneError } from "../base/errors.js";
import {
  BLOCK_HEADER_BYTES,
  type BlockHeader,
  callIdOf,
  decodeBlockHeader,
  decodeSegmentSalt,
  payloadChecksum,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from "./format.js";

/** What the process is out of, not what is wrong with the file: another time it opens. */
const OUT_OF: ReadonlySet<string | undefined> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

export class SegmentReader {
  readonly number: number;
  /** Bytes of the file when it was opened. */
  readonly size: number;
  readonly #fd: number;
  /** Undefined when the segment's header is damaged: then no block can be told from noise. */
  readonly salt: number | undefined;
  readonly #headerBytes = Buffer.alloc(BLOCK_HEADER_BYTES);

  private constructor(number: number, fd: number) {
    this.number = number;
    this.#fd = fd;
    this.size = fstatSync(fd).size;
    const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
    this.salt = decodeSegmentSalt(header.subarray(0, this.read(header, 0, SEGMENT_HEADER_BYTES, 0)));
  }

  /**
   * Undefined when there is no such file or it cannot be opened. Throws SidetoneError `data-unwritable` when the process may
   * open no more files: what is left out now would be lost, and need not be.
   */
  static open(folder: string, segment: number): SegmentReader | undefined {
    const path = join(folder, segmentName(segment));
    let fd = -1;
    try {
      fd = openSync(path, "r");
      return new SegmentReader(segment, fd);
    } catch (error) {
      if (fd >= 0) closeSync(fd);
      const { code } = error as NodeJS.ErrnoException;
      if (!OUT_OF.has(code)) return undefined;
      throw new SidetoneError("data-unwritable", `cannot open the journal's file ${path} now (${code})`, {
        cause: error,
      });
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Bytes read into target[at..at + length), fewer at the file's end; 0 where the disk fails. */
  read(target: Buffer, at: number, length: number, offset: number): number {
    try {
      return readSync(this.#fd, target, at, length, offset);
    } catch {
      return 0;
    }
  }

  /** Reads the header at `offset`. Returns the call id as a view valid until the next call, or undefined. */
  readHeader(offset: number, header: BlockHeader): Buffer | undefined {
    if (this.salt === undefined) return undefined;
    const bytes = this.#headerBytes;
    const end = this.read(bytes, 0, BLOCK_HEADER_BYTES, offset);
    return decodeBlockHeader(bytes, 0, end, this.salt, header) ? callIdOf(bytes, 0) : undefined;
  }

  /**
   * Reads up to `length` bytes at `offset` into `target` from `at` on, a block's header first. Returns how many bytes of
   * the payload came with it, or -1 when there is no intact header; the call id is at `callIdOf(target, at)`.
   */
  readAhead(offset: number, header: BlockHeader, target: Buffer, at: number, length: number): number {
    if (this.salt === undefined) return -1;
    const end = at + this.read(target, at, length, offset);
    if (!decodeBlockHeader(target, at, end, this.salt, header)) return -1;
    return Math.min(header.payloadBytes, end - at - BLOCK_HEADER_BYTES);
  }

  /** Is the payload in data[at..) the one that `block` announced? */
  isIntact(data: Buffer, at: number, block: Pick<BlockHeader, "payloadBytes" | "payloadCrc">): boolean {
    return this.salt !== undefined && payloadChecksum(data, at, block.payloadBytes, this.salt) === block.payloadCrc;
  }

  /** Reads the payload of the block at `offset` into `target` from `at` on; false when it is damaged or cut. */
  readPayload(
    offset: number,
    header: Pick<BlockHeader, "payloadBytes" | "payloadCrc">,
    target: Buffer,
    at = 0,
  ): boolean {
    if (this.salt === undefined || at + header.payloadBytes > target.length) return false;
    const length = this.read(target, at, header.payloadBytes, offset + BLOCK_HEADER_BYTES);
    return length === header.payloadBytes && this.isIntact(target, at, header);
  }
}

// The journal's bytes, versions 1 and 2: segment header, block header, record header. Little endian. Encodes and checks
// single headers; knows nothing of files, buffers' lifetimes, calls or keys.
//
// Segment file `000001.seg`, `000002.seg`, …: a header of 32 bytes, then blocks back to back.
//
//    0        4        6        8        12       16                       32
//    +--------+--------+--------+--------+--------+------------------------+
//    | "SDTJ" |version | zero   | salt   | CRC-32 | the same 16 bytes again|
//    +--------+--------+--------+--------+--------+------------------------+
//
// The CRC covers bytes 0–11. `salt` is random per segment and seeds every other CRC of the file: nobody who only
// chooses RTP payloads can place bytes in them that pass for a block. The second copy outlives damage to the first.
//
// Block: a header of 60 bytes, then the payload.
//
//    0        4        8    9     10   11   12             16                              32
//    +--------+--------+----+-----+----+----+--------------+-------------------------------+
//    | "SDB1" | header |kind|flags|side|zero|payload length| call id (ULID, 16 bytes)      |
//    |        | CRC-32 |    |     |    |    | u32          |                               |
//    +--------+--------+----+-----+----+----+--------------+-------------------------------+
//    32          36                40               44        48               56          60
//    +-----------+-----------------+----------------+---------+----------------+-----------+
//    | sequence  | previous block: | previous block:| records | baseUs f64     | payload   |
//    | u32       | segment u32     | offset u32     | u32     |                | CRC-32    |
//    +-----------+-----------------+----------------+---------+----------------+-----------+
//
// The header CRC covers bytes 8–59, the payload CRC the payload. They are two so that a damaged payload breaks neither
// the chain of a call's blocks nor the way to the next block, and so that looking for a block costs the same few bytes
// at every place. `sequence` counts a call's blocks from 0; previous segment 0 = the call's first block.
//
// Payload of kind 1 (audio): `records` records, each
//
//    0          2            4                        8
//    +----------+------------+------------------------+----------------------------------+
//    |length u16| stream u16 | µs since baseUs, i32   | RTP packet as captured           |
//    +----------+------------+------------------------+----------------------------------+
//
// Payload of kind 2 (call record): the CallRecord as JSON in UTF-8, or nothing when it was too long to keep.
//
// Version 2 is for a box that encrypts: payloads of kind 1 are sealed (flag 2; block-cipher.ts) and end with a counter, u64,
// and a tag of 16 bytes, which the payload's length and CRC cover. All checksums hold without the key, so that damage is found
// and every block is told apart by whoever cannot read it. Call records stay in clear: nothing in them was admitted by a gate,
// the same facts stand in clear in manifests and in the call log, and without them a box that has lost a run's key could not
// say which calls it holds.
import { crc32 } from "node:zlib";
import { CALL_ID_BYTES } from "../base/ids.js";

export const JOURNAL_VERSION = 1;
export const SEALED_JOURNAL_VERSION = 2;
export const SEGMENT_HEADER_BYTES = 32;
export const BLOCK_HEADER_BYTES = 60;
export const RECORD_HEADER_BYTES = 8;
/** Longest payload of any block; a header that says more is damaged. */
export const MAX_PAYLOAD_BYTES = 1 << 20;
/** Longest audio block, header included: a record's u16 length covers every record that fits. */
export const MAX_AUDIO_BLOCK_BYTES = 1 << 16;

export const KIND_AUDIO = 1;
export const KIND_CALL_RECORD = 2;
/** The call ended and this is its last block. */
export const FLAG_FINAL = 1;
/** The payload is sealed with the run's key. */
export const FLAG_SEALED = 2;

/** First four bytes of every block. */
export const BLOCK_MAGIC = Buffer.from("SDB1", "latin1");
const BLOCK_MAGIC_WORD = BLOCK_MAGIC.readUInt32LE(0);
const SEGMENT_MAGIC = Buffer.from("SDTJ", "latin1").readUInt32LE(0);
const SEGMENT_COPY_BYTES = 16;
const SEGMENT_COPY_CRC = 12;

const VERSIONS: readonly number[] = [JOURNAL_VERSION, SEALED_JOURNAL_VERSION];

const CRC_AT = 4;
const CHECKED_FROM = 8;
const CALL_ID_AT = 16;
const PREVIOUS_OFFSET_AT = 40;
const PAYLOAD_CRC_AT = 56;

/** A block header's fields; objects are reused. */
export interface BlockHeader {
  kind: number;
  flags: number;
  side: number;
  payloadBytes: number;
  sequence: number;
  /** 0 = no previous block. */
  previousSegment: number;
  previousOffset: number;
  records: number;
  baseUs: number;
  payloadCrc: number;
}

export function makeBlockHeader(): BlockHeader {
  return {
    kind: 0,
    flags: 0,
    side: 0,
    payloadBytes: 0,
    sequence: 0,
    previousSegment: 0,
    previousOffset: 0,
    records: 0,
    baseUs: 0,
    payloadCrc: 0,
  };
}

/** The 32 bytes that open a segment; `salt` is an unsigned 32-bit number. */
export function encodeSegmentHeader(salt: number, version: number = JOURNAL_VERSION): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.writeUInt32LE(SEGMENT_MAGIC, 0);
  bytes.writeUInt16LE(version, 4);
  bytes.writeUInt32LE(salt, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, SEGMENT_COPY_CRC)), SEGMENT_COPY_CRC);
  bytes.copy(bytes, SEGMENT_COPY_BYTES, 0, SEGMENT_COPY_BYTES);
  return bytes;
}

/** The salt out of either copy, or undefined when both are damaged, cut off or of another version. */
export function decodeSegmentSalt(bytes: Buffer): number | undefined {
  for (let at = 0; at + SEGMENT_COPY_BYTES <= Math.min(bytes.length, SEGMENT_HEADER_BYTES); at += SEGMENT_COPY_BYTES) {
    if (bytes.readUInt32LE(at) !== SEGMENT_MAGIC) continue;
    if (bytes.readUInt32LE(at + SEGMENT_COPY_CRC) !== crc32(bytes.subarray(at, at + SEGMENT_COPY_CRC))) continue;
    if (VERSIONS.includes(bytes.readUInt16LE(at + 4))) return bytes.readUInt32LE(at + 8);
  }
  return undefined;
}

/** Fills the 60 header bytes of `block`, whose payload is in place; computes both checksums. */
export function encodeBlockHeader(block: Buffer, header: BlockHeader, callId: Uint8Array, salt: number): void {
  block.writeUInt32LE(BLOCK_MAGIC_WORD, 0);
  block[8] = header.kind;
  block[9] = header.flags;
  block[10] = header.side;
  block[11] = 0;
  block.writeUInt32LE(header.payloadBytes, 12);
  block.set(callId, CALL_ID_AT);
  block.writeUInt32LE(header.sequence, 32);
  block.writeUInt32LE(header.previousSegment, 36);
  block.writeUInt32LE(header.previousOffset, PREVIOUS_OFFSET_AT);
  block.writeUInt32LE(header.records, 44);
  block.writeDoubleLE(header.baseUs, 48);
  header.payloadCrc = payloadChecksum(block, BLOCK_HEADER_BYTES, header.payloadBytes, salt);
  block.writeUInt32LE(header.payloadCrc, PAYLOAD_CRC_AT);
  block.writeUInt32LE(crc32(block.subarray(CHECKED_FROM, BLOCK_HEADER_BYTES), salt), CRC_AT);
}

/** Points the intact block that begins `block` to another offset of the segment that it is linked to. */
export function relinkBlock(block: Buffer, previousOffset: number, salt: number): void {
  block.writeUInt32LE(previousOffset, PREVIOUS_OFFSET_AT);
  block.writeUInt32LE(crc32(block.subarray(CHECKED_FROM, BLOCK_HEADER_BYTES), salt), CRC_AT);
}

/** Reads the header at `at` into `header`; false when there is none, whole and intact, within `end`. */
export function decodeBlockHeader(bytes: Buffer, at: number, end: number, salt: number, header: BlockHeader): boolean {
  if (at + BLOCK_HEADER_BYTES > end || bytes.readUInt32LE(at) !== BLOCK_MAGIC_WORD) return false;
  const checksum = crc32(bytes.subarray(at + CHECKED_FROM, at + BLOCK_HEADER_BYTES), salt);
  if (checksum !== bytes.readUInt32LE(at + CRC_AT)) return false;
  header.kind = bytes[at + 8]!;
  header.flags = bytes[at + 9]!;
  header.side = bytes[at + 10]!;
  header.payloadBytes = bytes.readUInt32LE(at + 12);
  header.sequence = bytes.readUInt32LE(at + 32);
  header.previousSegment = bytes.readUInt32LE(at + 36);
  header.previousOffset = bytes.readUInt32LE(at + PREVIOUS_OFFSET_AT);
  header.records = bytes.readUInt32LE(at + 44);
  header.baseUs = bytes.readDoubleLE(at + 48);
  header.payloadCrc = bytes.readUInt32LE(at + PAYLOAD_CRC_AT);
  return header.payloadBytes <= MAX_PAYLOAD_BYTES;
}

/** CRC-32 (IEEE 802.3, as in zlib) of a payload, seeded with the segment's salt. */
export function payloadChecksum(bytes: Buffer, at: number, length: number, salt: number): number {
  return crc32(bytes.subarray(at, at + length), salt);
}

/** The 16 bytes of the call id in the block header at `at`, as a view. */
export function callIdOf(bytes: Buffer, at: number): Buffer {
  return bytes.subarray(at + CALL_ID_AT, at + CALL_ID_AT + CALL_ID_BYTES);
}

const SEGMENT_NAME = /^(\d{6,9})\.seg$/;

export function segmentName(segment: number): string {
  return `${String(segment).padStart(6, "0")}.seg`;
}

/** The number in a segment's file name, or undefined for any other file. */
export function segmentNumber(name: string): number | undefined {
  const match = SEGMENT_NAME.exec(name);
  const segment = match ? Number(match[1]) : 0;
  return segment > 0 ? segment : undefined;
}

import { describe, expect, it } from "vitest";
import { callIdToBytes } from "../../../device/base/ids.js";
import {
  BLOCK_HEADER_BYTES,
  callIdOf,
  decodeBlockHeader,
  decodeSegmentSalt,
  encodeBlockHeader,
  encodeSegmentHeader,
  FLAG_FINAL,
  KIND_AUDIO,
  KIND_CALL_RECORD,
  MAX_PAYLOAD_BYTES,
  makeBlockHeader,
  payloadChecksum,
  segmentName,
  segmentNumber,
} from "../../../device/journal/format.js";
import { callId, START_US } from "./journal-kit.js";

const SALT = 0xdeadbeef;
const ID = callIdToBytes(callId(7));

function block(payload: string): { bytes: Buffer; header: ReturnType<typeof makeBlockHeader> } {
  const bytes = Buffer.alloc(BLOCK_HEADER_BYTES + payload.length);
  bytes.write(payload, BLOCK_HEADER_BYTES, "latin1");
  const header = {
    kind: KIND_AUDIO,
    flags: 0,
    side: 1,
    payloadBytes: payload.length,
    sequence: 0xfffffffe,
    previousSegment: 999_999,
    previousOffset: 0xfedcba98,
    records: 3,
    baseUs: START_US + 1,
    payloadCrc: 0,
  };
  encodeBlockHeader(bytes, header, ID, SALT);
  return { bytes, header };
}

describe("journal format", () => {
  it("gives back every field of a block header", () => {
    const { bytes, header } = block("payload");
    const read = makeBlockHeader();
    expect(decodeBlockHeader(bytes, 0, bytes.length, SALT, read)).toBe(true);
    expect(read).toEqual(header);
    expect(callIdOf(bytes, 0)).toEqual(ID);
    expect(payloadChecksum(bytes, BLOCK_HEADER_BYTES, header.payloadBytes, SALT)).toBe(header.payloadCrc);
  });

  it("lies byte for byte as the diagram says", () => {
    const bytes = Buffer.alloc(BLOCK_HEADER_BYTES + 1, 0x41);
    const header = { ...makeBlockHeader(), kind: KIND_CALL_RECORD, flags: FLAG_FINAL, payloadBytes: 1, sequence: 2 };
    encodeBlockHeader(bytes, { ...header, previousSegment: 3, previousOffset: 4, records: 5, baseUs: 1 }, ID, 0);
    expect(bytes.toString("latin1", 0, 4)).toBe("SDB1");
    expect(bytes.toString("hex", 8, 16)).toBe("0201000001000000");
    expect(bytes.subarray(16, 32)).toEqual(ID);
    expect(bytes.toString("hex", 32, 56)).toBe("02000000030000000400000005000000000000000000f03f");
    // CRC-32 of "A" as published for zlib.
    expect(bytes.readUInt32LE(56)).toBe(0xd3d99e8b);
  });

  it("knows a header only where it stands, whole, with its segment's salt", () => {
    const { bytes } = block("payload");
    const shifted = Buffer.concat([Buffer.from("xyz"), bytes]);
    const read = makeBlockHeader();
    expect(decodeBlockHeader(shifted, 3, shifted.length, SALT, read)).toBe(true);
    expect(decodeBlockHeader(shifted, 2, shifted.length, SALT, read)).toBe(false);
    expect(decodeBlockHeader(bytes, 0, bytes.length, SALT + 1, read)).toBe(false);
    for (let end = 0; end < BLOCK_HEADER_BYTES; end++) {
      expect(decodeBlockHeader(bytes, 0, end, SALT, read)).toBe(false);
    }
  });

  it("refuses a header with any bit turned", () => {
    const { bytes } = block("");
    const read = makeBlockHeader();
    for (let bit = 0; bit < BLOCK_HEADER_BYTES * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodeBlockHeader(damaged, 0, damaged.length, SALT, read), `bit ${bit}`).toBe(false);
    }
  });

  it("refuses a payload length that no writer makes", () => {
    const bytes = Buffer.alloc(BLOCK_HEADER_BYTES + MAX_PAYLOAD_BYTES + 1);
    encodeBlockHeader(bytes, { ...makeBlockHeader(), payloadBytes: MAX_PAYLOAD_BYTES + 1 }, ID, SALT);
    expect(decodeBlockHeader(bytes, 0, bytes.length, SALT, makeBlockHeader())).toBe(false);
  });

  it("reads the salt from either copy of the segment header, and from neither when both are damaged", () => {
    const header = encodeSegmentHeader(SALT);
    expect(decodeSegmentSalt(header)).toBe(SALT);
    for (let at = 0; at < header.length; at++) {
      const damaged = Buffer.from(header);
      damaged[at]! ^= 0x10;
      expect(decodeSegmentSalt(damaged), `byte ${at}`).toBe(SALT);
      damaged[(at + 16) % 32]! ^= 0x10;
      expect(decodeSegmentSalt(damaged), `bytes ${at} of both copies`).toBeUndefined();
    }
    expect(decodeSegmentSalt(header.subarray(0, 16))).toBe(SALT);
    expect(decodeSegmentSalt(header.subarray(0, 15))).toBeUndefined();
    expect(decodeSegmentSalt(Buffer.alloc(0))).toBeUndefined();
  });

  it("names segments so that they sort, and knows its own names only", () => {
    expect(segmentName(1)).toBe("000001.seg");
    expect(segmentName(1_234_567)).toBe("1234567.seg");
    expect(segmentNumber("000001.seg")).toBe(1);
    expect(segmentNumber("1234567.seg")).toBe(1_234_567);
    for (const name of ["000000.seg", "1.seg", "000001.seg.tmp", "x000001.seg", "000001.SEG", "-00001.seg", ""]) {
      expect(segmentNumber(name), name).toBeUndefined();
    }
  });
});

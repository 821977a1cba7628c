// Frame headers: RFC 6455 §5.2, §5.7. Every length form, cut at every byte, and what is no header.
import { describe, expect, test } from "vitest";
import {
  FrameHeader,
  HEADER_INCOMPLETE,
  HEADER_INVALID,
  readFrameHeader,
  unmask,
} from "../../../device/sip/websocket-frame.js";
import { webSocketFrame } from "../../fakes/websocket-bytes.js";

function read(bytes: Buffer): { length: number; header: FrameHeader } {
  const header = new FrameHeader();
  const data = Buffer.concat([Buffer.from("??"), bytes]);
  return { length: readFrameHeader(data, 2, data.length, header), header };
}

const MASK = [0x37, 0xfa, 0x21, 0x3d];

describe("headers", () => {
  test.each<[string, Buffer, number, Partial<FrameHeader>]>([
    ["unmasked text", Buffer.from("810548656c6c6f", "hex"), 2, { isFinal: true, opcode: 1, payloadBytes: 5 }],
    ["masked text", Buffer.from("818537fa213d7f9f4d5158", "hex"), 6, { isMasked: true, payloadBytes: 5 }],
    ["first fragment", Buffer.from("010348656c", "hex"), 2, { isFinal: false, opcode: 1 }],
    ["last fragment", Buffer.from("80026c6f", "hex"), 2, { isFinal: true, opcode: 0 }],
    ["ping", Buffer.from("890548656c6c6f", "hex"), 2, { opcode: 9, isControl: true }],
    ["compressed text", Buffer.from("c107f248cdc9c90700", "hex"), 2, { isCompressed: true, payloadBytes: 7 }],
    ["16-bit length", webSocketFrame(Buffer.alloc(256)), 4, { payloadBytes: 256 }],
    ["64-bit length", webSocketFrame(Buffer.alloc(65536)), 10, { payloadBytes: 65536 }],
    ["64-bit length, masked", webSocketFrame(Buffer.alloc(70000), { mask: MASK }), 14, { payloadBytes: 70000 }],
    ["a longer length than needed", webSocketFrame(Buffer.alloc(5), { lengthBytes: 8 }), 10, { payloadBytes: 5 }],
  ])("%s", (_name, bytes, length, expected) => {
    const result = read(bytes);
    expect(result.length).toBe(length);
    expect(result.header).toMatchObject(expected);
    for (let cut = 0; cut < length; cut++) expect(read(bytes.subarray(0, cut)).length).toBe(HEADER_INCOMPLETE);
  });

  test("reserved bits and opcodes, fragmented or long control frames, impossible lengths are none", () => {
    const accepted: number[] = [];
    for (let first = 0; first < 256; first++) {
      if (read(Buffer.of(first, 5)).length !== HEADER_INVALID) accepted.push(first);
    }
    expect(accepted).toEqual([0, 1, 2, 0x41, 0x42, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0xc1, 0xc2]);
    for (const hex of [
      "897e007e",
      "8afe0001",
      "817f8000000000000001",
      "817f0000000100000000",
      "817f0000000000100001",
    ]) {
      expect(read(Buffer.from(`${hex}00000000`, "hex")).length, hex).toBe(HEADER_INVALID);
    }
    expect(read(Buffer.from("817f0000000000100000", "hex")).header.payloadBytes).toBe(1 << 20);
  });

  test("a header that is not masked has no mask left of the one before", () => {
    const header = new FrameHeader();
    readFrameHeader(webSocketFrame(Buffer.from("x"), { mask: MASK }), 0, 7, header);
    expect([...header.mask]).toEqual(MASK);
    readFrameHeader(Buffer.of(0x81, 1, 2), 0, 3, header);
    expect([...header.mask]).toEqual([0, 0, 0, 0]);
  });
});

test("the mask goes off a payload in pieces of any size", () => {
  const text = Buffer.from("a payload of some length");
  const masked = webSocketFrame(text, { mask: MASK }).subarray(6);
  for (let cut = 0; cut <= text.length; cut++) {
    const data = Buffer.concat([Buffer.from("<"), masked, Buffer.from(">")]);
    unmask(data, 1, 1 + cut, Uint8Array.from(MASK), 0);
    unmask(data, 1 + cut, data.length - 1, Uint8Array.from(MASK), cut);
    expect(data.toString()).toBe(`<${text}>`);
  }
});

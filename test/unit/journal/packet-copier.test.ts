import { describe, expect, it } from "vitest";
import { PacketCopier } from "../../../device/journal/packet-copier.js";
import { packet } from "./journal-kit.js";

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

describe("PacketCopier", () => {
  it("copies every length from and to every alignment, and nothing beside it", () => {
    const copier = new PacketCopier();
    const source = packet(1, 300);
    for (let length = 0; length <= 70; length++) {
      for (const [start, at] of [
        [0, 0],
        [1, 0],
        [2, 5],
        [3, 2],
        [7, 7],
      ] as const) {
        const target = Buffer.alloc(100, 0xee);
        const expected = Buffer.from(target);
        source.copy(expected, at, start, start + length);
        copier.copy(source, start, start + length, viewOf(target), at);
        expect(target.equals(expected), `${length} bytes from ${start} to ${at}`).toBe(true);
      }
    }
  });

  it("keeps the bits of floats that are no numbers", () => {
    const source = Buffer.from("f7ffffff7f0000f0ff0100000000f0ff".repeat(4), "hex");
    const target = Buffer.alloc(source.length);
    new PacketCopier().copy(source, 0, source.length, viewOf(target), 0);
    expect(target.equals(source)).toBe(true);
  });

  it("follows a change of the source and slices of a shared buffer", () => {
    const copier = new PacketCopier();
    const pool = packet(3, 200);
    const target = Buffer.alloc(20);
    for (const source of [pool.subarray(50, 100), pool.subarray(90), packet(9, 30), pool]) {
      copier.copy(source, 5, 25, viewOf(target), 0);
      expect(target.equals(source.subarray(5, 25))).toBe(true);
    }
  });

  it("refuses a range that leaves its buffer", () => {
    const copier = new PacketCopier();
    expect(() => copier.copy(packet(1, 10), 5, 11, viewOf(Buffer.alloc(20)), 0)).toThrow(RangeError);
    expect(() => copier.copy(packet(1, 10), 0, 10, viewOf(Buffer.alloc(20)), 11)).toThrow(RangeError);
  });
});

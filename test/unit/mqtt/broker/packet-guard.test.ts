// The guard against packets written by the MQTT library, and lengths of its own.
import { describe, expect, it } from "vitest";
import { PacketGuard } from "../../../../device/mqtt/broker/packet-guard.js";

const MAX_BYTES = 300;

function packet(bytes: number, type = 0x30): Buffer {
  const length: number[] = [];
  for (let left = bytes; ; left >>= 7) {
    length.push(left > 127 ? (left & 127) | 128 : left);
    if (left <= 127) break;
  }
  return Buffer.concat([Buffer.from([type, ...length]), Buffer.alloc(bytes, 0xff)]);
}

/** Fed in pieces of `size` bytes: how many were taken before the first that was not. */
function taken(bytes: Buffer, size: number): number {
  const guard = new PacketGuard(MAX_BYTES);
  for (let at = 0; at < bytes.length; at += size) if (!guard.takes(bytes.subarray(at, at + size))) return at;
  return bytes.length;
}

describe("PacketGuard", () => {
  const good = Buffer.concat([0, 1, 127, 128, 129, MAX_BYTES, 2, 0].map((bytes) => packet(bytes)));

  it.each([1, 2, 3, 5, 64, 1000])("takes what is not too long, in pieces of %i bytes", (size) => {
    expect(taken(good, size)).toBe(good.length);
  });

  it.each([1, 3, 1000])("tells by its head what is too long, in pieces of %i bytes", (size) => {
    const bytes = Buffer.concat([good, packet(MAX_BYTES + 1)]);
    const at = taken(bytes, size);
    expect(at).toBeLessThan(good.length + 3);
    expect(at + size).toBeGreaterThan(good.length);
  });

  it("takes no length of five bytes, nor the longest of four", () => {
    const guards = [0, 1].map(() => new PacketGuard(MAX_BYTES));
    expect(guards[0]!.takes(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]))).toBe(false);
    expect(guards[1]!.takes(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]))).toBe(false);
  });
});

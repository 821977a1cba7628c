import { describe, expect, it } from "vitest";
import {
  fingerprint,
  isSampled,
  MAX_PAYLOAD_BYTES,
  MIN_PAYLOAD_BYTES,
  PayloadVariety,
  SAMPLED_ONE_IN,
} from "../../../device/call/payload-fingerprint.js";
import { makeRandom, randomInteger } from "../../fakes/random.js";
import { speechPayloads } from "../../fakes/speech.js";

const SILENCES = [0xd5, 0x55, 0xff, 0x7f, 0x2a, 0x00];

function noise(length: number, seed: number, codes = 256): Buffer {
  const random = makeRandom(seed);
  return Buffer.from(Array.from({ length }, () => 0xd5 ^ randomInteger(random, codes)));
}

/** `payload` at another place of another buffer. */
function moved(payload: Buffer, start: number): Buffer {
  const buffer = noise(start + payload.length + 9, start);
  payload.copy(buffer, start);
  return buffer;
}

describe("a payload's fingerprint", () => {
  it("depends on the content only, wherever it lies, for every length", () => {
    for (let length = MIN_PAYLOAD_BYTES; length <= 260; length++) {
      const payload = noise(length, length);
      const start = 1 + (length % 70);
      const elsewhere = moved(payload, start);
      expect(fingerprint(elsewhere, start, start + length)).toBe(fingerprint(payload, 0, length));
      expect(isSampled(elsewhere, start, length)).toBe(isSampled(payload, 0, length));
    }
  });

  it("changes with every bit and with the length", () => {
    for (const length of [20, 23, 80, 160, 163]) {
      const payload = noise(length, length);
      const prints = new Set([fingerprint(payload, 0, length), fingerprint(payload, 0, length - 1)]);
      for (let bit = 0; bit < length * 8; bit++) {
        payload[bit >> 3]! ^= 1 << (bit & 7);
        prints.add(fingerprint(payload, 0, length));
        payload[bit >> 3]! ^= 1 << (bit & 7);
      }
      expect(prints.size).toBe(length * 8 + 2);
    }
  });

  it("tells noise of few codes apart as well as chance allows", () => {
    for (const codes of [2, 3, 8, 256]) {
      const prints = new Set<number>();
      for (let i = 0; i < 5000; i++) prints.add(fingerprint(noise(160, codes * 1_000_003 + i, codes), 0, 160));
      // 0.003 collisions are expected in 2^32.
      expect(prints.size).toBe(5000);
    }
  });
});

describe("the choice of payloads that are looked at", () => {
  it("takes about one in eight of speech and of noise at low level", () => {
    for (const options of [{ seed: 1 }, { seed: 2, peak: 0, noise: 20 }, { seed: 3, peak: 0, noise: 6 }]) {
      const payloads = speechPayloads(options, 4000);
      const looked = payloads.filter((payload) => isSampled(payload, 0, 160)).length;
      expect(looked / 4000).toBeGreaterThan(0.7 / SAMPLED_ONE_IN);
      expect(looked / 4000).toBeLessThan(1.3 / SAMPLED_ONE_IN);
    }
  });

  it("never takes digital silence, of any length", () => {
    for (const byte of SILENCES) {
      for (let length = MIN_PAYLOAD_BYTES; length <= MAX_PAYLOAD_BYTES; length += 7)
        expect(isSampled(Buffer.alloc(length, byte), 0, length)).toBe(false);
    }
  });
});

describe("a payload's variety", () => {
  const variety = new PayloadVariety();
  const suffices = (payload: Buffer): boolean => variety.suffices(payload, 0, payload.length);

  it("does not suffice in silence, patterns of few values, and silence with a click", () => {
    for (const byte of SILENCES) {
      expect(suffices(Buffer.alloc(160, byte))).toBe(false);
      for (const other of [byte ^ 0x80, byte ^ 1, 0x12]) {
        expect(suffices(Buffer.alloc(160, Buffer.from([byte, other])))).toBe(false);
        expect(suffices(Buffer.alloc(160, Buffer.from([byte, byte, other])))).toBe(false);
      }
      const click = Buffer.alloc(160, byte);
      noise(20, 3).copy(click, 70);
      expect(suffices(click)).toBe(false);
    }
    for (let i = 0; i < 200; i++) expect(suffices(noise(160, i, 4))).toBe(false);
  });

  it("suffices in speech at usual level, and starts afresh with every payload", () => {
    const loud = speechPayloads({ seed: 4, noise: 60 }, 500);
    expect(loud.every(suffices)).toBe(true);
    const few = Array.from({ length: 64 }, (_, i) => Buffer.alloc(160, i));
    expect(few.some(suffices)).toBe(false);
  });
});

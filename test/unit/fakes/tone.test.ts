import { describe, expect, it } from "vitest";
import wavefile from "wavefile";
import {
  decodeG711,
  encodeG711,
  type G711Codec,
  markerSource,
  silenceSource,
  toneLevel,
  toneSource,
} from "../../fakes/tone.js";

const CODECS: G711Codec[] = ["PCMA", "PCMU"];
const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);

describe("G.711", () => {
  it.each(CODECS)("%s decodes every byte as an independent decoder does", (codec) => {
    const wav = new wavefile.WaveFile();
    wav.fromScratch(1, 8000, codec === "PCMA" ? "8a" : "8m", ALL_BYTES);
    if (codec === "PCMA") wav.fromALaw();
    else wav.fromMuLaw();
    const expected = wav.getSamples(false, Int16Array as never) as unknown as Int16Array;
    expect([...decodeG711(ALL_BYTES, codec)]).toEqual([...expected]);
  });

  it.each(CODECS)("%s encodes every value that a byte stands for into that byte", (codec) => {
    const again = encodeG711(decodeG711(ALL_BYTES, codec), codec);
    // µ-law has two zeros; the positive one is sent.
    expect([...again]).toEqual([...ALL_BYTES].map((byte) => (codec === "PCMU" && byte === 0x7f ? 0xff : byte)));
  });

  it.each(CODECS)("%s keeps every 16-bit sample within half a step of its segment", (codec) => {
    const samples = Int16Array.from({ length: 65_536 }, (_, i) => i - 32_768);
    const decoded = decodeG711(encodeG711(samples, codec), codec);
    for (let i = 0; i < samples.length; i++) {
      const magnitude = Math.abs(samples[i]!);
      const allowed = Math.max(16, magnitude / 16) + (magnitude > 31_600 ? 700 : 0);
      if (Math.abs(decoded[i]! - samples[i]!) > allowed) expect.fail(`${samples[i]} became ${decoded[i]}`);
    }
  });
});

describe("tones", () => {
  it.each(CODECS)("come back out of %s at their frequency and level, and at no other", (codec) => {
    const samples = decodeG711(toneSource(440, 0.5)(123, 8000, codec), codec);
    expect(toneLevel(samples, 440, 8000)).toBeCloseTo(0.5, 2);
    expect(toneLevel(samples, 1000, 8000)).toBeLessThan(0.005);
    expect(toneLevel(new Int16Array(8000), 440, 8000)).toBe(0);
    expect(toneLevel(new Int16Array(0), 440, 8000)).toBe(0);
  });

  it("go on from packet to packet", () => {
    const source = toneSource(440);
    const packets = Array.from({ length: 50 }, (_, i) => source(i * 160, 160, "PCMA"));
    expect(Buffer.concat(packets).equals(source(0, 8000, "PCMA"))).toBe(true);
  });

  it("silence is the codec's silence", () => {
    for (const codec of CODECS) {
      const decoded = decodeG711(silenceSource()(0, 160, codec), codec);
      expect(Math.max(...decoded.map(Math.abs))).toBeLessThanOrEqual(8);
    }
  });
});

describe("markers", () => {
  const pattern = Buffer.from("unique-marker-4711");

  it("stand whole at the beginning of every packet", () => {
    for (const first of [0, 160, 333]) {
      const payload = markerSource(pattern)(first, 160, "PCMA");
      expect(payload.length).toBe(160);
      expect(payload.subarray(0, pattern.length).equals(pattern)).toBe(true);
      expect(payload.subarray(pattern.length, 2 * pattern.length).equals(pattern)).toBe(true);
    }
  });

  it("are refused when a packet cannot hold them", () => {
    expect(() => markerSource(pattern)(0, 10, "PCMA")).toThrow(RangeError);
    expect(() => markerSource(Buffer.alloc(0))(0, 160, "PCMA")).toThrow(RangeError);
  });
});

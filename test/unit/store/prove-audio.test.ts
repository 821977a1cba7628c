import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import wavefile from "wavefile";
import { wavHeader } from "../../../device/seal/wav.js";
import { complement, type FrameRange, readAudio } from "../../../device/store/prove-audio.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-audio-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(...pieces: Uint8Array[]): string {
  const path = join(folder, "a.wav");
  writeFileSync(path, Buffer.concat(pieces));
  return path;
}

test("samples that are not silent are found over all pieces of a file, as by looking at each", () => {
  // Over two megabytes: three pieces. One frame in 50,000 is heard, on either channel.
  const frames = 600_000;
  const samples = new Int16Array(2 * frames);
  const heard = [0, 7, 262_132, 262_133, 262_134, 262_144, 300_000, 524_276, 524_277, 524_278, 599_999];
  for (const [i, frame] of heard.entries()) samples[2 * frame + (i & 1)] = -1 - i;
  const header = wavHeader({ sampleRateHz: 8000, channels: 2, frames });
  const path = write(header, new Uint8Array(samples.buffer));
  const bounds = fc.uniqueArray(fc.oneof(fc.nat(frames), fc.constantFrom(...heard), fc.constantFrom(0, frames)), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(bounds, fc.constantFrom(0, 1), (places, channel) => {
      const sorted = places.sort((a, b) => a - b);
      const ranges: FrameRange[] = [];
      for (let i = 0; i + 1 < sorted.length; i += 2) ranges.push({ fromFrame: sorted[i]!, toFrame: sorted[i + 1]! });
      const expected = heard.filter(
        (frame, i) => (i & 1) === channel && ranges.some((range) => range.fromFrame <= frame && frame < range.toFrame),
      );
      const [found] = readAudio(path, () => [{ channel, ranges }]).silence;
      expect(found).toEqual({
        samples: ranges.reduce((sum, { fromFrame, toFrame }) => sum + toFrame - fromFrame, 0),
        audible: expected.length,
        firstAudible: expected[0] ?? -1,
      });
    }),
    { seed: 4, numRuns: 60 },
  );
});

test("size, hash and format of files that another program made, mono and stereo", () => {
  for (const [channels, rate] of [
    [1, 16_000],
    [2, 48_000],
  ] as const) {
    const wav = new wavefile.WaveFile();
    wav.fromScratch(channels, rate, "16", new Int16Array(channels * 500).fill(3));
    const bytes = Buffer.from(wav.toBuffer());
    const read = readAudio(write(bytes), ({ channels: count }) => [
      { channel: count - 1, ranges: complement([], 500) },
    ]);
    expect(read).toMatchObject({
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      shape: { sampleRateHz: rate, channels, frames: 500 },
      silence: [{ samples: 500, audible: 500, firstAudible: 0 }],
    });
  }
});

test("RF64 says its length elsewhere", () => {
  const frames = 1000;
  const header = wavHeader({ sampleRateHz: 8000, channels: 2, frames }, { maxRiffBytes: 100 });
  expect(header.toString("latin1", 0, 4)).toBe("RF64");
  const { shape, silence } = readAudio(write(header, Buffer.alloc(frames * 4)), () => [
    { channel: 1, ranges: [{ fromFrame: 10, toFrame: 1000 }] },
  ]);
  expect(shape).toMatchObject({ sampleRateHz: 8000, channels: 2, frames, dataAt: 80, dataBytes: 4000 });
  expect(silence).toEqual([{ samples: 990, audible: 0, firstAudible: -1 }]);
});

test("what is no such file has its size and hash and no format; a file that is too short has what there is", () => {
  const whole = Buffer.concat([wavHeader({ sampleRateHz: 8000, channels: 2, frames: 100 }), Buffer.alloc(400, 1)]);
  for (let length = 0; length <= whole.length; length++) {
    const bytes = whole.subarray(0, length);
    const read = readAudio(write(bytes), ({ frames }) => [{ channel: 0, ranges: [{ fromFrame: 0, toFrame: frames }] }]);
    expect(read.bytes).toBe(length);
    expect(read.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(read.shape === undefined).toBe(length < 44);
    if (length >= 44) expect(read.silence[0]!.samples).toBe(Math.floor((length - 44) / 4));
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, isRiff) => {
      const bytes = Buffer.from(noise);
      if (isRiff && bytes.length >= 12) {
        bytes.write("RIFF", 0, "latin1");
        bytes.write("WAVEfmt ", 8, "latin1");
      }
      expect(readAudio(write(bytes), () => []).bytes).toBe(bytes.length);
    }),
    { seed: 8, numRuns: 200 },
  );
});

test("the complement of ranges, whatever they are", () => {
  const range = fc.tuple(fc.integer({ min: -5, max: 60 }), fc.integer({ min: -5, max: 60 }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 8 }), (pairs) => {
      const ranges = pairs.map(([a, b]) => ({ fromFrame: Math.min(a, b), toFrame: Math.max(a, b) }));
      const rest = complement(ranges, 50);
      const holds = (list: readonly FrameRange[], frame: number) =>
        list.some(({ fromFrame, toFrame }) => fromFrame <= frame && frame < toFrame);
      for (let frame = 0; frame < 50; frame++) expect(holds(rest, frame)).toBe(!holds(ranges, frame));
      expect(rest.every(({ fromFrame, toFrame }) => fromFrame >= 0 && toFrame <= 50)).toBe(true);
      expect(rest.every(({ fromFrame }, i) => i === 0 || fromFrame >= rest[i - 1]!.toFrame)).toBe(true);
    }),
    { seed: 9 },
  );
});

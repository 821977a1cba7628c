// The offline verifier's own look at silence, against every sample of made WAVs, in pieces of any size.
import fc from "fast-check";
import { expect, it } from "vitest";
import { SilenceCheck } from "../../../../host/verify/silence.js";

const RATE = 8000;

interface Span {
  fromMs: number;
  toMs: number;
  audio: { fromSample: number; toSample: number } | null;
}

function manifest(...channels: Span[][]) {
  return { parties: channels.map((spans, channel) => ({ channel, spans })) } as never;
}

/** A span of these samples, with times that fit. */
function span(fromSample: number, toSample: number): Span {
  return { fromMs: (fromSample * 1000) / RATE, toMs: (toSample * 1000) / RATE, audio: { fromSample, toSample } };
}

function wav(samples: readonly number[], { isLong = false, channels = 2, tag = 1 } = {}): Buffer {
  const data = Buffer.alloc(samples.length * 2);
  for (const [i, sample] of samples.entries()) data.writeInt16LE(sample, 2 * i);
  const format = Buffer.alloc(24);
  format.write("fmt ", "latin1");
  format.writeUInt32LE(16, 4);
  format.writeUInt16LE(tag, 8);
  format.writeUInt16LE(channels, 10);
  format.writeUInt32LE(RATE, 12);
  format.writeUInt16LE(16, 22);
  const long = Buffer.alloc(isLong ? 36 : 0);
  if (isLong) {
    long.write("ds64", "latin1");
    long.writeUInt32LE(28, 4);
    long.writeBigUInt64LE(BigInt(data.length), 16);
  }
  const head = Buffer.from(isLong ? "RF64\xff\xff\xff\xffWAVE" : "RIFF\0\0\0\0WAVE", "latin1");
  const chunk = Buffer.from("data\0\0\0\0", "latin1");
  chunk.writeUInt32LE(isLong ? 0xffffffff : data.length, 4);
  return Buffer.concat([head, long, format, chunk, data]);
}

function look(bytes: Buffer, about: never, pieceBytes = bytes.length): readonly string[] | undefined {
  const check = new SilenceCheck(about);
  // As they are read: one buffer that is written over.
  const buffer = Buffer.from(new ArrayBuffer(pieceBytes));
  for (let at = 0; at < bytes.length; at += pieceBytes)
    check.take(buffer.subarray(0, bytes.copy(buffer, 0, at, at + pieceBytes)));
  return check.findings;
}

it("finds exactly the samples outside the spans that are no silence", () => {
  const samples = fc.array(fc.tuple(fc.constantFrom(0, 0, 0, 1, -7), fc.constantFrom(0, 0, 0, 5)), { maxLength: 120 });
  const spans = fc.array(fc.tuple(fc.nat(60), fc.nat(60)), { maxLength: 3 });
  fc.assert(
    fc.property(
      samples,
      spans,
      spans,
      fc.integer({ min: 40, max: 150 }),
      fc.boolean(),
      (frames, left, right, half, isLong) => {
        const open = [left, right].map((list) => list.map(([from, length]) => [from, from + length] as const));
        const bytes = wav(frames.flat(), { isLong });
        const found = look(
          bytes,
          manifest(...open.map((list) => list.map(([from, to]) => span(from, to)))),
          2 * half + 60,
        );
        const expected = open.flatMap((list, channel) => {
          const heard = frames.flatMap((frame, at) =>
            frame[channel] !== 0 && !list.some(([from, to]) => at >= from && at < to) ? [at] : [],
          );
          if (heard.length === 0) return [];
          const side = channel === 0 ? "left" : "right";
          return [
            `${heard.length} samples outside the open spans are no silence, the first at ${(heard[0]! / RATE).toFixed(3)} s, ${side}`,
          ];
        });
        expect(found).toEqual(expected);
      },
    ),
    { numRuns: 500 },
  );
});

it("finds samples that are said to be of a span and lie beyond it", () => {
  const late = { fromMs: 1000, toMs: 2000, audio: { fromSample: 8000, toSample: 20_001 } };
  const early = { fromMs: 1000, toMs: 2000, audio: { fromSample: 3999, toSample: 16_000 } };
  const silence = wav([]);
  expect(look(silence, manifest([late], [early]))).toEqual([
    "a span of 1000-2000 ms has samples 500 ms beyond it, left",
    "a span of 1000-2000 ms has samples 500 ms beyond it, right",
  ]);
  const near = { fromMs: 1000, toMs: 2000, audio: { fromSample: 4000, toSample: 20_000 } };
  expect(look(silence, manifest([near], []))).toEqual([]);
});

it("says nothing of what is no 16-bit PCM", () => {
  expect(look(wav([1, 2], { tag: 6 }), manifest([], []))).toBeUndefined();
  expect(look(Buffer.from("no WAV at all, and longer than a header's beginning"), manifest([], []))).toBeUndefined();
});

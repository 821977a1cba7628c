// The tables against the test phone's own decoder, which is written another way; test/unit/seal/g711.test.ts compares
// the codecs made of them with ffmpeg's and sox's.
import { expect, test } from "vitest";
import { ALAW_SAMPLES, MULAW_SAMPLES } from "../../../device/rtp/g711-samples.js";
import { decodeG711, encodeG711 } from "../../fakes/tone.js";

const CODES = Uint8Array.from({ length: 256 }, (_, code) => code);

test.each([
  ["PCMA", ALAW_SAMPLES],
  ["PCMU", MULAW_SAMPLES],
] as const)("%s: every code has its value, and the value its code", (codec, samples) => {
  expect(samples).toEqual(decodeG711(CODES, codec));
  // µ-law has two codes for 0.
  const codes = CODES.filter((code) => samples[code] !== 0);
  expect([
    ...encodeG711(
      Int16Array.from(codes, (code) => samples[code]!),
      codec,
    ),
  ]).toEqual([...codes]);
});

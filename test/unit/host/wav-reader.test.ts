import { describe, expect, it } from "vitest";
import wavefile from "wavefile";
import { parseWav } from "../../../host/wav-reader.js";

const left = Int16Array.from([0, 1, -1, 32_767, -32_768]);
const right = Int16Array.from([5, 4, 3, 2, 1]);

function stereo(bitDepth = "16"): Buffer {
  const wav = new wavefile.WaveFile();
  wav.fromScratch(2, 8000, bitDepth, [left, right]);
  return Buffer.from(wav.toBuffer());
}

describe("the WAV reader", () => {
  it("reads what an independent writer wrote", () => {
    expect(parseWav(stereo())).toEqual({ sampleRateHz: 8000, channels: [left, right] });
  });

  it("skips chunks it does not know, also of odd length", () => {
    const whole = stereo();
    const extra = Buffer.from("note\x03\0\0\0abc\0", "latin1");
    const bytes = Buffer.concat([whole.subarray(0, 12), extra, whole.subarray(12)]);
    expect(parseWav(bytes).channels).toEqual([left, right]);
  });

  it("says why it does not read a file", () => {
    expect(() => parseWav(Buffer.from("junk"))).toThrow("not a RIFF WAVE file");
    expect(() => parseWav(stereo("24"))).toThrow("24 bits");
    const whole = stereo();
    for (let length = 0; length < whole.length; length++) {
      expect(() => parseWav(whole.subarray(0, length)), String(length)).toThrow();
    }
  });
});

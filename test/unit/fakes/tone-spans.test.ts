// The measure by which recordings are judged against the wire.
import { describe, expect, it } from "vitest";
import { decodeG711, silenceSource, toneSource } from "../../fakes/tone.js";
import { hasTone, joinSpans, toneSpans } from "../../fakes/tone-spans.js";

const RATE_HZ = 8000;

/** Alternately tone and silence, beginning with the tone. */
function samplesOf(frequencyHz: number, ...durationsMs: number[]): Int16Array {
  const parts = durationsMs.map((durationMs, i) => {
    const source = i % 2 === 0 ? toneSource(frequencyHz) : silenceSource();
    return [...decodeG711(source(0, durationMs * 8, "PCMA"), "PCMA")];
  });
  return Int16Array.from(parts.flat());
}

describe("tone spans", () => {
  it("begin and end with the tone, to a window", () => {
    const spans = toneSpans(samplesOf(440, 1000, 500, 700), 440, RATE_HZ);
    expect(spans).toEqual([
      { fromMs: 0, toMs: 1000 },
      { fromMs: 1500, toMs: 2200 },
    ]);
  });

  it("are none for another tone, and none in silence", () => {
    expect(toneSpans(samplesOf(440, 1000), 1000, RATE_HZ)).toEqual([]);
    expect(toneSpans(new Int16Array(8000), 440, RATE_HZ)).toEqual([]);
    expect(hasTone(new Int16Array(160), 440, RATE_HZ)).toBe(false);
  });

  it("overlook clicks and single lost packets", () => {
    expect(toneSpans(samplesOf(440, 400, 20, 400), 440, RATE_HZ)).toEqual([{ fromMs: 0, toMs: 820 }]);
    expect(toneSpans(samplesOf(440, 20, 500, 400), 440, RATE_HZ)).toEqual([{ fromMs: 520, toMs: 920 }]);
    expect(joinSpans([])).toEqual([]);
  });
});

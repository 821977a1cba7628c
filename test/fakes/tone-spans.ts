// When a tone sounds: in a recording's channel, or in packets on the wire. Two independent views of one conversation
// give the same spans.
import { toneLevel } from "./tone.js";

/** Milliseconds. */
export interface ToneSpan {
  fromMs: number;
  toMs: number;
}

const WINDOW_MS = 20;
const LEAST_LEVEL = 0.1;
/** Shorter gaps and shorter tones are edges of windows. */
const LEAST_SPAN_MS = 60;

/** Is the tone in the samples? */
export function hasTone(samples: ArrayLike<number>, frequencyHz: number, sampleRateHz: number): boolean {
  return toneLevel(samples, frequencyHz, sampleRateHz) >= LEAST_LEVEL;
}

/** Spans of a tone in a channel, on its own timeline. */
export function toneSpans(samples: Int16Array, frequencyHz: number, sampleRateHz: number): ToneSpan[] {
  const window = (sampleRateHz * WINDOW_MS) / 1000;
  const parts: ToneSpan[] = [];
  for (let at = 0; at + window <= samples.length; at += window) {
    if (!hasTone(samples.subarray(at, at + window), frequencyHz, sampleRateHz)) continue;
    const fromMs = (at * 1000) / sampleRateHz;
    parts.push({ fromMs, toMs: fromMs + WINDOW_MS });
  }
  return joinSpans(parts);
}

/** Spans in order of time, with those joined that have less than a least gap between them. */
export function joinSpans(parts: readonly ToneSpan[]): ToneSpan[] {
  const spans: ToneSpan[] = [];
  for (const part of parts) {
    const last = spans.at(-1);
    if (last && part.fromMs - last.toMs < LEAST_SPAN_MS) last.toMs = Math.max(last.toMs, part.toMs);
    else spans.push({ ...part });
  }
  return spans.filter(({ fromMs, toMs }) => toMs - fromMs >= LEAST_SPAN_MS);
}

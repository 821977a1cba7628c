// Reads a recording the way an independent program would: npm wavefile for the container, and sums over its samples.
import { readFileSync } from "node:fs";
import wavefile from "wavefile";

export interface Audio {
  sampleRateHz: number;
  /** One Int16Array per channel, equally long. */
  channels: Int16Array[];
}

export function readWav(path: string): Audio {
  const wav = new wavefile.WaveFile(readFileSync(path));
  const samples = wav.getSamples(false, Int16Array) as unknown as Int16Array | Int16Array[];
  const format = wav.fmt as { sampleRate: number };
  return { sampleRateHz: format.sampleRate, channels: Array.isArray(samples) ? samples : [samples] };
}

/** Index of the first sample that is not zero, -1 when all are. */
export function firstSound(samples: Int16Array): number {
  return samples.findIndex((sample) => sample !== 0);
}

/** Samples between the first and the last that are not zero, both included. */
export function soundSpan(samples: Int16Array): number {
  const first = firstSound(samples);
  return first < 0 ? 0 : samples.findLastIndex((sample) => sample !== 0) - first + 1;
}

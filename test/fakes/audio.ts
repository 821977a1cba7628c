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

/** The two channels of a recording as the device writes it, read in no time; its header has 44 bytes. */
export function readWavSamples(path: string): [Int16Array, Int16Array] {
  const wav = readFileSync(path);
  const frames = (wav.length - 44) >> 2;
  const channels: [Int16Array, Int16Array] = [new Int16Array(frames), new Int16Array(frames)];
  for (let i = 0; i < frames; i++) {
    channels[0][i] = wav.readInt16LE(44 + 4 * i);
    channels[1][i] = wav.readInt16LE(46 + 4 * i);
  }
  return channels;
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

// Keys as the dual tones that a phone sends for them (ITU-T Q.23), with everything that may be wrong with such a tone:
// level, twist, frequency, length, noise. 16-bit samples, not yet rounded.
import { decodeG711, encodeG711, type G711Codec } from "./tone.js";

export const KEYS = "123A456B789C*0#D";
const ROWS_HZ = [697, 770, 852, 941];
const COLUMNS_HZ = [1209, 1336, 1477, 1633];

export interface KeyTone {
  /** Default 40. */
  durationMs?: number;
  /** Levels in dBm0; default −10. */
  rowDbm0?: number;
  columnDbm0?: number;
  /** How far off the frequencies are, as a share of them: 0.015 is 1.5 %. */
  rowOffset?: number;
  columnOffset?: number;
  /** Phases at the beginning, radians. */
  phases?: readonly [number, number];
  /** Default 8000. */
  rateHz?: number;
}

/** Peak of a sine of that level, 16-bit: the largest that G.711 A-law can hold is 3.14 dBm0 (ITU-T G.711 table 5). */
export function amplitudeOf(dbm0: number): number {
  return 32768 * 10 ** ((dbm0 - 3.14) / 20);
}

/** [row, column] in Hz. */
export function frequenciesOf(key: string): [number, number] {
  const place = KEYS.indexOf(key);
  return [ROWS_HZ[place >> 2]!, COLUMNS_HZ[place & 3]!];
}

export function keyTone(key: string, tone: KeyTone = {}): Float64Array {
  const { durationMs = 40, rowDbm0 = -10, columnDbm0 = -10, rowOffset = 0, columnOffset = 0 } = tone;
  const { phases = [0, 0], rateHz = 8000 } = tone;
  const [row, column] = frequenciesOf(key);
  const rowStep = (2 * Math.PI * row * (1 + rowOffset)) / rateHz;
  const columnStep = (2 * Math.PI * column * (1 + columnOffset)) / rateHz;
  const [rowPeak, columnPeak] = [amplitudeOf(rowDbm0), amplitudeOf(columnDbm0)];
  const samples = new Float64Array(Math.round((durationMs * rateHz) / 1000));
  return samples.map(
    (_, i) => rowPeak * Math.sin(rowStep * i + phases[0]) + columnPeak * Math.sin(columnStep * i + phases[1]),
  );
}

export function quiet(durationMs: number, rateHz = 8000): Float64Array {
  return new Float64Array(Math.round((durationMs * rateHz) / 1000));
}

export function concatenate(...parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** White noise with a bell's shape. `random` in [0, 1). */
export function withNoise(samples: Float64Array, deviation: number, random: () => number): Float64Array {
  return samples.map(
    (sample) => sample + deviation * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}

/** What is left of the samples at the far end: clipped to 16 bits and through G.711. */
export function throughG711(samples: ArrayLike<number>, codec: G711Codec): Int16Array {
  const clipped = Int16Array.from({ length: samples.length }, (_, i) =>
    Math.max(-32_768, Math.min(32_767, Math.round(samples[i]!))),
  );
  return decodeG711(encodeG711(clipped, codec), codec);
}

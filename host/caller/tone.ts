// What test calls say and how to hear whether it arrived: sines, beep patterns told apart by ear and by number, and
// the level of one frequency in a span of samples (Goertzel's algorithm).

/** Samples [firstSample, firstSample + count) of an endless signal, 16-bit. */
export type PcmSource = (firstSample: number, count: number) => Int16Array;

const FULL_SCALE = 32_767;

/** `amplitude` 0…1 of full scale. */
export function sine(frequencyHz: number, amplitude: number, sampleRateHz: number): PcmSource {
  const step = (2 * Math.PI * frequencyHz) / sampleRateHz;
  return (first, count) => {
    const samples = new Int16Array(count);
    for (let i = 0; i < count; i++) samples[i] = Math.round(amplitude * FULL_SCALE * Math.sin(step * (first + i)));
    return samples;
  };
}

export interface BeepPattern {
  frequencyHz: number;
  amplitude: number;
  /** Beeps in a row before the pause. */
  beeps: number;
  beepMs: number;
  gapMs: number;
  pauseMs: number;
}

/** Groups of beeps: the number of beeps tells a listener which side of the call is speaking. */
export function beeps(pattern: BeepPattern, sampleRateHz: number): PcmSource {
  const tone = sine(pattern.frequencyHz, pattern.amplitude, sampleRateHz);
  const samplesPerMs = sampleRateHz / 1000;
  const slotMs = pattern.beepMs + pattern.gapMs;
  const periodMs = pattern.beeps * slotMs + pattern.pauseMs;
  return (first, count) => {
    const samples = tone(first, count);
    for (let i = 0; i < count; i++) {
      const inPeriodMs = ((first + i) / samplesPerMs) % periodMs;
      const isBeep = inPeriodMs < pattern.beeps * slotMs && inPeriodMs % slotMs < pattern.beepMs;
      if (!isBeep) samples[i] = 0;
    }
    return samples;
  };
}

/** Amplitude, 0…1 of full scale, of one frequency in the samples. */
export function toneLevel(samples: ArrayLike<number>, frequencyHz: number, sampleRateHz: number): number {
  if (samples.length === 0) return 0;
  const omega = (2 * Math.PI * frequencyHz) / sampleRateHz;
  const coefficient = 2 * Math.cos(omega);
  let last = 0;
  let beforeLast = 0;
  for (let i = 0; i < samples.length; i++) {
    const next = samples[i]! + coefficient * last - beforeLast;
    beforeLast = last;
    last = next;
  }
  const power = last * last + beforeLast * beforeLast - coefficient * last * beforeLast;
  return (2 * Math.sqrt(Math.max(0, power))) / (samples.length * FULL_SCALE);
}

/** Milliseconds of the samples, in windows of 20 ms, in which the frequency's level reaches `leastLevel`. */
export function tonePresentMs(
  samples: Int16Array,
  frequencyHz: number,
  sampleRateHz: number,
  leastLevel: number,
): number {
  const windowMs = 20;
  const window = Math.round((sampleRateHz * windowMs) / 1000);
  let presentMs = 0;
  for (let at = 0; at + window <= samples.length; at += window) {
    if (toneLevel(samples.subarray(at, at + window), frequencyHz, sampleRateHz) >= leastLevel) presentMs += windowMs;
  }
  return presentMs;
}

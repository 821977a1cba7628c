// Synthesised speech: syllables of voiced pulses and hiss with pauses between them, over a noise floor. Not intelligible,
// but with the levels, the pauses and the few different G.711 codes at low level that real conversations have.
import { makeRandom } from "./random.js";
import { encodeG711, type G711Codec } from "./tone.js";

export interface SpeechOptions {
  seed: number;
  /** Peak of loud syllables, 16-bit sample values. Default 6000; 0 is noise alone. */
  peak?: number;
  /** Standard deviation of the noise floor, 16-bit sample values; 8 is the least that A-law can tell from silence. */
  noise?: number;
}

const SAMPLE_RATE_HZ = 8000;
const PAUSE_SHARE = 0.3;
const VOICED_SHARE = 0.7;
const SYLLABLE_SAMPLES = { least: 600, most: 2400 };
const PITCH_HZ = { least: 85, most: 230 };
/** A resonance near 600 Hz, as a vowel has it. */
const RESONANCE = { feedback: 1.62, damping: -0.82 };
const ATTACK = 0.004;

/** The next `count` samples of a speaker, in order. */
export type Speaker = (count: number) => Int16Array;

export function makeSpeaker({ seed, peak = 6000, noise = 12 }: SpeechOptions): Speaker {
  const random = makeRandom(seed);
  let left = 0;
  let target = 0;
  let level = 0;
  let isVoiced = false;
  let pitchSamples = 80;
  let sincePulse = 0;
  let previous = 0;
  let beforeThat = 0;
  const syllable = (): void => {
    left = SYLLABLE_SAMPLES.least + Math.floor(random() * (SYLLABLE_SAMPLES.most - SYLLABLE_SAMPLES.least));
    target = random() < PAUSE_SHARE ? 0 : peak * (0.15 + 0.85 * random());
    isVoiced = random() < VOICED_SHARE;
    pitchSamples = Math.round(SAMPLE_RATE_HZ / (PITCH_HZ.least + random() * (PITCH_HZ.most - PITCH_HZ.least)));
  };
  return (count) => {
    const samples = new Int16Array(count);
    for (let i = 0; i < count; i++) {
      if (left-- <= 0) syllable();
      level += (target - level) * ATTACK;
      sincePulse = sincePulse >= pitchSamples ? 0 : sincePulse + 1;
      const bits = Math.floor(random() * 2 ** 30);
      const a = bits & 1023;
      const b = (bits >>> 10) & 1023;
      const c = bits >>> 20;
      const drive = isVoiced ? (sincePulse === 0 ? 1 : 0.02 * (a / 1024 - 0.5)) : 0.3 * (a / 1024 - 0.5);
      const sound = drive + RESONANCE.feedback * previous + RESONANCE.damping * beforeThat;
      beforeThat = previous;
      previous = sound;
      // The sum of three even numbers in -1…1 has a standard deviation of 1 and a bell's shape.
      const hiss = (2 * (a + b + c)) / 1023 - 3;
      samples[i] = Math.max(-32_768, Math.min(32_767, Math.round(sound * level * 0.6 + hiss * noise)));
    }
    return samples;
  };
}

/** `packets` payloads of G.711 in order, `samples` bytes each. */
export function speechPayloads(options: SpeechOptions, packets: number, codec: G711Codec = "PCMA", samples = 160) {
  const speaker = makeSpeaker(options);
  return Array.from({ length: packets }, () => encodeG711(speaker(samples), codec));
}

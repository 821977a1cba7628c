// Keys heard as dual tones (ITU-T Q.23) in linear audio, after the figures of ITU-T Q.24: level, twist, frequency,
// duration, pause and interruption. Speech and music have to look like two pure sines for as long as a key to be one.
// Keeps the last 20 ms of sound in memory and nothing else of it; no allocation per call.
import { TonePair } from "./tone-pair.js";

/** Q.23: rows of keys, then columns. */
const FREQUENCIES_HZ = [697, 770, 852, 941, 1209, 1336, 1477, 1633] as const;
const ROWS = 4;
const TONES = 8;
/** By row × 4 + column. */
const KEYS = ["1", "2", "3", "A", "4", "5", "6", "B", "7", "8", "9", "C", "*", "0", "#", "D"] as const;
const NO_KEY = -1;

/** A step is 5 ms. Every step the last four of them, the window, are judged. */
const STEPS_PER_SECOND = 200;
const WINDOW_STEPS = 4;
/**
 * A window is like a key when about four fifths of it are one, and a tone of t ms is seen in (t − 12) / 5 windows, give
 * or take one by where the steps begin. Four in a row are no tone of 23 ms or less, which Q.24 rejects, and every tone
 * of 33 ms or more; Q.24 accepts those of 40 ms.
 */
const WINDOWS_TO_ACCEPT = 4;
/** So many of them are filled by a tone of 40 ms, hardly any by speech that is like a key for a moment. */
const CLEAR_WINDOWS_TO_ACCEPT = 3;
/**
 * A gap of t ms is seen in (t + 12) / 5 windows, give or take one: one of 22 ms never ends a press (Q.24: up to 10 ms
 * is an interruption), one of 33 ms always does (40 ms is a pause).
 */
const WINDOWS_TO_END = 8;

/** Per tone, −38 dBm0: under the −25 dBm of Q.24's weaker tones by the loss of a line and some. */
const LEAST_POWER = 10 ** (-38 / 10) * powerAt0Dbm0();
/** Q.24 accepts ±1.5 % and rejects ±3.5 %. */
const FREQUENCY_TOLERANCE = 0.025;
/** Column below row by up to 8 dB (normal twist), above it by up to 4 dB, and a dB for noise. */
const LARGEST_NORMAL_TWIST = 10 ** (9 / 10);
const LARGEST_REVERSE_TWIST = 10 ** (5 / 10);
/** Share of the power that may be something else, for a window to be like a key, and to be clearly one. */
const LARGEST_REST = 0.24;
const LARGEST_CLEAR_REST = 0.1;
/** The second harmonic that voices have, as a share of its tone. */
const LARGEST_HARMONIC = 0.02;
/** Before the fit: both tones' share in Goertzel's eight, a tone 25 Hz off and four fifths of a window included. */
const LEAST_SHARE = 0.35;

/** Mean square, in 16-bit samples, of a sine of 0 dBm0: 3.14 dB below the largest (ITU-T G.711 table 5). */
function powerAt0Dbm0(): number {
  return (32768 ** 2 / 2) * 10 ** (-3.14 / 10);
}

export class ToneDetector {
  private readonly stepSamples: number;
  private readonly omega: Float64Array;
  // cos ω, sin ω, cos ωn and sin ωn of each tone, n the samples of a step.
  private readonly cosine: Float64Array;
  private readonly sine: Float64Array;
  private readonly stepCosine: Float64Array;
  private readonly stepSine: Float64Array;
  /** The window's samples, one step after the other, the oldest at `step`. */
  private readonly sound: Float64Array;
  // Goertzel's result and the power of each step in `sound`.
  private readonly re = new Float64Array(WINDOW_STEPS * TONES);
  private readonly im = new Float64Array(WINDOW_STEPS * TONES);
  private readonly energy = new Float64Array(WINDOW_STEPS);
  /** Place of the step that is being filled, and how many samples of it are there. */
  private step = 0;
  private filled = 0;
  private readonly pair: TonePair;
  /** What strongest() found: the square of the correlation. */
  private strength = 0;
  /** What judgeWindow() found beside the key: the window is all key. */
  private isClear = false;
  /** Key of the press in progress, and windows since it was heard last. */
  private pressed = NO_KEY;
  private missed = 0;
  /** Key that the last windows were like, how many, and how many of them clearly. */
  private candidate = NO_KEY;
  private heard = 0;
  private clear = 0;

  /** `rateHz`: samples per second, a multiple of 200 from 8000 to 48000; throws RangeError for others. */
  constructor(rateHz = 8000) {
    if (!Number.isInteger(rateHz / STEPS_PER_SECOND) || rateHz < 8000 || rateHz > 48000)
      throw new RangeError(`${rateHz} samples per second: not a multiple of ${STEPS_PER_SECOND} from 8000 to 48000`);
    this.stepSamples = rateHz / STEPS_PER_SECOND;
    this.omega = Float64Array.from(FREQUENCIES_HZ, (hz) => (2 * Math.PI * hz) / rateHz);
    this.cosine = this.omega.map(Math.cos);
    this.sine = this.omega.map(Math.sin);
    this.stepCosine = this.omega.map((omega) => Math.cos(omega * this.stepSamples));
    this.stepSine = this.omega.map((omega) => Math.sin(omega * this.stepSamples));
    this.sound = new Float64Array(WINDOW_STEPS * this.stepSamples);
    this.pair = new TonePair(this.sound.length);
  }

  /**
   * Takes the next `count` samples; `onKey` gets each key once, when its press has lasted about 30 ms. How the samples
   * are cut into calls makes no difference.
   */
  hear(samples: Int16Array, count: number, onKey: (key: string) => void): void {
    const { stepSamples, sound } = this;
    for (let from = 0; from < count; ) {
      const take = Math.min(count - from, stepSamples - this.filled);
      const at = this.step * stepSamples + this.filled;
      for (let i = 0; i < take; i++) sound[at + i] = samples[from + i]!;
      from += take;
      this.filled += take;
      if (this.filled === stepSamples) this.endStep(onKey);
    }
  }

  /** Forgets everything, a press in progress too: what follows is another sound. */
  reset(): void {
    this.sound.fill(0);
    this.re.fill(0);
    this.im.fill(0);
    this.energy.fill(0);
    this.step = this.filled = 0;
    this.pressed = this.candidate = NO_KEY;
    this.missed = this.heard = this.clear = 0;
  }

  private endStep(onKey: (key: string) => void): void {
    this.measureStep();
    this.step = (this.step + 1) % WINDOW_STEPS;
    this.filled = 0;
    const key = this.judgeWindow();
    if (this.beginsPress(key)) onKey(KEYS[key]!);
  }

  /** The power, and all eight tones in it, of the step that is full. */
  private measureStep(): void {
    const { sound, stepSamples, step } = this;
    const from = step * stepSamples;
    const to = from + stepSamples;
    let energy = 0;
    for (let i = from; i < to; i++) energy += sound[i]! * sound[i]!;
    this.energy[step] = energy;
    const at = step * TONES;
    if (energy < LEAST_POWER * stepSamples) {
      // Too quiet for either tone: most of a conversation's time.
      this.re.fill(0, at, at + TONES);
      this.im.fill(0, at, at + TONES);
      return;
    }
    this.measureGroup(0);
    this.measureGroup(ROWS);
  }

  /** Goertzel's algorithm for the four tones from `tone` on, side by side: no sum waits for another. */
  private measureGroup(tone: number): void {
    const { cosine, sound, stepSamples, step } = this;
    const c0 = 2 * cosine[tone]!;
    const c1 = 2 * cosine[tone + 1]!;
    const c2 = 2 * cosine[tone + 2]!;
    const c3 = 2 * cosine[tone + 3]!;
    let last0 = 0;
    let last1 = 0;
    let last2 = 0;
    let last3 = 0;
    let before0 = 0;
    let before1 = 0;
    let before2 = 0;
    let before3 = 0;
    const from = step * stepSamples;
    const to = from + stepSamples;
    for (let i = from; i < to; i++) {
      const sample = sound[i]!;
      const next0 = sample + c0 * last0 - before0;
      const next1 = sample + c1 * last1 - before1;
      const next2 = sample + c2 * last2 - before2;
      const next3 = sample + c3 * last3 - before3;
      before0 = last0;
      before1 = last1;
      before2 = last2;
      before3 = last3;
      last0 = next0;
      last1 = next1;
      last2 = next2;
      last3 = next3;
    }
    this.keep(tone, last0, before0);
    this.keep(tone + 1, last1, before1);
    this.keep(tone + 2, last2, before2);
    this.keep(tone + 3, last3, before3);
  }

  /** The sum of x[k] × e^(jω(n − 1 − k)) over the step, out of the algorithm's last two values. */
  private keep(tone: number, last: number, beforeLast: number): void {
    const at = this.step * TONES + tone;
    this.re[at] = last - this.cosine[tone]! * beforeLast;
    this.im[at] = this.sine[tone]! * beforeLast;
  }

  /** The key that the window is like, or NO_KEY. */
  private judgeWindow(): number {
    const energy = this.energy[0]! + this.energy[1]! + this.energy[2]! + this.energy[3]!;
    const samples = this.sound.length;
    if (energy < 2 * LEAST_POWER * samples) return NO_KEY;
    const row = this.strongest(0, ROWS);
    const rowPower = this.strength;
    const column = this.strongest(ROWS, TONES);
    const share = ((rowPower + this.strength) * 2) / samples;
    if (share < LEAST_SHARE * energy) return NO_KEY;
    return this.isPair(row, column) ? row * ROWS + column - ROWS : NO_KEY;
  }

  /** The strongest tone of a group in the window: its steps' results in one phase, from the oldest on. */
  private strongest(first: number, end: number): number {
    let best = first;
    this.strength = -1;
    for (let tone = first; tone < end; tone++) {
      const cosine = this.stepCosine[tone]!;
      const sine = this.stepSine[tone]!;
      let re = 0;
      let im = 0;
      for (let age = 0; age < WINDOW_STEPS; age++) {
        const at = ((this.step + age) % WINDOW_STEPS) * TONES + tone;
        const turned = re * cosine - im * sine + this.re[at]!;
        im = re * sine + im * cosine + this.im[at]!;
        re = turned;
      }
      const strength = re * re + im * im;
      if (strength > this.strength) {
        this.strength = strength;
        best = tone;
      }
    }
    return best;
  }

  private isPair(row: number, column: number): boolean {
    const { pair, sound, stepSamples, step } = this;
    const older = step * stepSamples;
    const { samples } = pair;
    for (let i = older; i < sound.length; i++) samples[i - older] = sound[i]!;
    for (let i = 0; i < older; i++) samples[sound.length - older + i] = sound[i]!;
    pair.fit(this.omega[row]!, this.omega[column]!);
    if (pair.residualPower > LARGEST_REST * pair.totalPower) return false;
    const rowPower = pair.power[0]!;
    const columnPower = pair.power[1]!;
    if (rowPower < LEAST_POWER || columnPower < LEAST_POWER) return false;
    if (rowPower > LARGEST_NORMAL_TWIST * columnPower || columnPower > LARGEST_REVERSE_TWIST * rowPower) return false;
    if (!this.isNear(pair.omega[0]!, row) || !this.isNear(pair.omega[1]!, column)) return false;
    this.isClear =
      pair.residualPower <= LARGEST_CLEAR_REST * pair.totalPower &&
      pair.remainingAt(2 * pair.omega[0]!) <= LARGEST_HARMONIC * rowPower &&
      pair.remainingAt(2 * pair.omega[1]!) <= LARGEST_HARMONIC * columnPower;
    return true;
  }

  private isNear(omega: number, tone: number): boolean {
    return Math.abs(omega - this.omega[tone]!) <= FREQUENCY_TOLERANCE * this.omega[tone]!;
  }

  /** Takes a window's key; true when it begins a press. */
  private beginsPress(key: number): boolean {
    if (key !== NO_KEY && key === this.pressed) this.missed = 0;
    else if (++this.missed >= WINDOWS_TO_END) this.pressed = NO_KEY;
    if (key === NO_KEY || key === this.pressed) {
      this.candidate = NO_KEY;
      return false;
    }
    if (key !== this.candidate) {
      this.candidate = key;
      this.heard = this.clear = 0;
    }
    this.heard++;
    if (this.isClear) this.clear++;
    if (this.heard < WINDOWS_TO_ACCEPT || this.clear < CLEAR_WINDOWS_TO_ACCEPT) return false;
    this.pressed = key;
    this.missed = 0;
    this.candidate = NO_KEY;
    return true;
  }
}

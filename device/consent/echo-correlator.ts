// Finds one stretch of speech in another: how far behind, how much quieter, and how much of the second is the first. By
// the phase transform (Knapp and Carter 1976, "The generalized correlation method for estimation of time delay") for the
// delay, by the coherence at that delay for the rest. Keeps nothing of what it compared.
import { Fft } from "../rtp/fft.js";
import { AGENT_SAMPLES, CALLER_SAMPLES, type EchoTrack, type EchoWindow, SAMPLE_RATE_HZ } from "./echo-window.js";

/** Speech is compared at half the rate: what makes it somebody's lies below 2 kHz, and it costs half. */
const RATE_HZ = SAMPLE_RATE_HZ / 2;
const CALLER_POINTS = CALLER_SAMPLES / 2;
const POINTS = AGENT_SAMPLES / 2;
/** Hum and its first harmonics lie below the band, the half-band filter's edge above. */
const BAND_HZ = { from: 300, to: 1800 };
const FIRST_BIN = Math.ceil((BAND_HZ.from * POINTS) / RATE_HZ);
const BINS = Math.floor((BAND_HZ.to * POINTS) / RATE_HZ) - FIRST_BIN;

/** The envelope of the correlation is taken at half of RATE_HZ again: the band is narrower than that. */
const LAGS = POINTS / 2;
const LAGS_PER_S = RATE_HZ / 2;
const MS_PER_LAG = 1000 / LAGS_PER_S;
/** What is said again before it was said is no echo; a little is allowed for what jitter does to the place in time. */
const LEAST_DELAY_MS = -5;
const MOST_DELAY_MS = 520;
/** How far before its cause the agent's own voice is looked for in the caller's stream. */
const REVERSE_MS = 150;
/** What belongs to the peak itself, on either side of it. */
const PEAK_LAGS = 8;

/** Level in frames of 32 ms; a speaker's frames are all made equally loud, so that no word outweighs the rest. */
const FRAME = 128;
const CALLER_FRAMES = CALLER_POINTS / FRAME;
const FRAMES = POINTS / FRAME;
/** 16-bit sample values, root mean square: −40 dBm0, and what a decoder makes of silence. */
const SPEECH_RMS = 160;
const FLOOR_RMS = 6;
/** Quieter than that is digital silence. */
const LEAST_RMS = 3;
/** A frame so far below the loudest is a pause. */
const PAUSE_RATIO = 0.04;
/** So much speech is needed (0.4 s); the agent talks all the time when so much of the agent's frames is as loud. */
const MIN_SPEECH_FRAMES = 13;
const CROSS_TALK_SHARE = 0.6;
const MIN_QUIET_FRAMES = 13;

/**
 * Frequencies with less than this share of the average are not made as strong as the rest: around a tone they hold nothing
 * but what sampling and coding made of it, and that is the same wherever the tone is heard.
 */
const LEAST_WEIGHT = 0.01;
/** Tones are in few bins, speech in hundreds. */
const MIN_SPOKEN_BINS = 50;

/** Power of the peak over that of an average lag: noise alone exceeds t with a probability of about LAGS·e^−t. */
const MIN_PROMINENCE = 18;
/** Power of the peak over that of any other place. */
const MIN_LEAD = 1.6;

/** The coherence is measured in blocks of 32 ms, overlapping by half, over the quieter ones of the agent. */
const BLOCK = 128;
const HOP = BLOCK / 2;
const MAX_BLOCKS = (CALLER_POINTS - BLOCK) / HOP + 1;
const QUIET_SHARE = 0.4;
const MAX_QUIET_RATIO = 10;
const MIN_BLOCKS = 8;
/** Two blocks that overlap by half under Hann windows are worth so much less than two (Welch 1967). */
const BLOCK_WORTH = 0.75;
/** What a few blocks have in common must be so many times what chance explains, or the figures mean nothing. */
const MIN_OVER_CHANCE = 2.5;
const FIRST_BLOCK_BIN = Math.ceil((BAND_HZ.from * BLOCK) / RATE_HZ);
const LAST_BLOCK_BIN = Math.floor((BAND_HZ.to * BLOCK) / RATE_HZ);
/** Of 48: over so many the coherence must be spread, and the power of the echo. A tone is in two, a pair of tones in four. */
const MIN_COHERENT_BINS = 8;
const MIN_ECHO_BINS = 4.5;

/** Half-band low pass (windowed sinc, 11 taps): the middle one, then every second one on either side; the rest are 0. */
const MIDDLE_TAP = 0.5;
const SIDE_TAP_1 = 0.3062;
const SIDE_TAP_3 = -0.0734;
const SIDE_TAP_5 = 0.0196;
/** Pole of the high pass that takes out offset and hum, about 100 Hz. */
const HIGH_PASS = 0.85;

/** What there is to say of a window. */
export type Finding =
  /** Nobody can tell: the caller said too little, or the agent talked all the time. */
  | { kind: "too-little-speech" | "cross-talk" }
  | { kind: "nothing"; prominence: number }
  | { kind: "echo"; prominence: number; correlation: number; delayMs: number; levelDb: number };

interface Peak {
  lag: number;
  prominence: number;
  lead: number;
}

export class EchoCorrelator {
  private readonly fft = new Fft(POINTS);
  private readonly lagFft = new Fft(LAGS);
  private readonly blockFft = new Fft(BLOCK);
  private readonly hann = Float64Array.from(
    { length: BLOCK },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / BLOCK),
  );
  // All that follows is filled anew for each window and wiped after it.
  private readonly caller = new Float64Array(CALLER_POINTS);
  private readonly agent = new Float64Array(POINTS);
  private readonly callerLevels = new Float64Array(CALLER_FRAMES);
  private readonly agentLevels = new Float64Array(FRAMES);
  private readonly gains = new Float64Array(FRAMES + 2);
  private readonly real = new Float64Array(POINTS);
  private readonly imaginary = new Float64Array(POINTS);
  private readonly lagReal = new Float64Array(LAGS);
  private readonly lagImaginary = new Float64Array(LAGS);
  private readonly blockReal = new Float64Array(BLOCK);
  private readonly blockImaginary = new Float64Array(BLOCK);
  private readonly ratios = new Float64Array(MAX_BLOCKS);
  private readonly sortedRatios = new Float64Array(MAX_BLOCKS);
  private readonly callerPower = new Float64Array(BLOCK / 2);
  private readonly agentPower = new Float64Array(BLOCK / 2);
  private readonly crossReal = new Float64Array(BLOCK / 2);
  private readonly crossImaginary = new Float64Array(BLOCK / 2);

  /** Compares both parts of a window. Nothing of the audio is left here afterwards; the window is left as it is. */
  compare(window: EchoWindow): Finding {
    try {
      return this.find(window);
    } finally {
      this.wipe();
    }
  }

  private find(window: EchoWindow): Finding {
    this.load(window.caller, this.caller);
    this.measureLevels(this.caller, this.callerLevels);
    const pause = Math.max(SPEECH_RMS, PAUSE_RATIO * loudest(this.callerLevels));
    if (countAbove(this.callerLevels, pause) < MIN_SPEECH_FRAMES) return { kind: "too-little-speech" };
    this.load(window.agent, this.agent);
    this.measureLevels(this.agent, this.agentLevels);
    if (loudest(this.agentLevels) < LEAST_RMS) return { kind: "nothing", prominence: 0 };

    const behindMs = (window.agentBehindSamples() * 1000) / SAMPLE_RATE_HZ;
    const anywhere = this.search(behindMs, pause, Number.POSITIVE_INFINITY);
    if (anywhere.kind !== "nothing") return anywhere;
    const loudFrames = countAbove(this.agentLevels, SPEECH_RMS);
    if (loudFrames === 0) return anywhere;
    if (countAbove(this.agentLevels, LEAST_RMS) - loudFrames < MIN_QUIET_FRAMES) return { kind: "cross-talk" };
    // What the agent says may cover an echo that can be told in between.
    const between = this.search(behindMs, pause, SPEECH_RMS);
    return between.kind === "nothing" && loudFrames > CROSS_TALK_SHARE * FRAMES ? { kind: "cross-talk" } : between;
  }

  /** Leaves out the caller's frames below `pause` and the agent's from `loud` on. `behindMs`: delay of lag 0. */
  private search(behindMs: number, pause: number, loud: number): Finding {
    this.equalise(this.caller, this.callerLevels, pause, Number.POSITIVE_INFINITY, this.real);
    this.equalise(this.agent, this.agentLevels, 0, loud, this.imaginary);
    if (this.correlate() < MIN_SPOKEN_BINS) return { kind: "too-little-speech" };
    const { lag, prominence, lead } = this.findPeak(behindMs);
    if (prominence < MIN_PROMINENCE || lead < MIN_LEAD) return { kind: "nothing", prominence };
    const measured = this.measure(Math.round((lag * RATE_HZ) / LAGS_PER_S), pause);
    if (measured === undefined) return { kind: "nothing", prominence };
    return { kind: "echo", prominence, delayMs: lag * MS_PER_LAG + behindMs, ...measured };
  }

  /** Samples of a track at half the rate, low frequencies taken out. */
  private load({ codes, silence, samplesOfCode: samples }: EchoTrack, into: Float64Array): void {
    if (samples === undefined) return;
    const last = codes.length - 1;
    // The odd samples about the even one at 2i, from 2i − 5 to 2i + 5.
    let [odd1, odd2, odd3, odd4] = [0, 0, 0, samples[codes[1]! ^ silence]!];
    let odd0 = 0;
    let odd5 = samples[codes[3]! ^ silence]!;
    let before = 0;
    let out = 0;
    for (let i = 0; i < into.length; i++) {
      const at = 2 * i;
      odd0 = odd1;
      odd1 = odd2;
      odd2 = odd3;
      odd3 = odd4;
      odd4 = odd5;
      odd5 = at + 5 <= last ? samples[codes[at + 5]! ^ silence]! : 0;
      const now =
        MIDDLE_TAP * samples[codes[at]! ^ silence]! +
        SIDE_TAP_1 * (odd2 + odd3) +
        SIDE_TAP_3 * (odd1 + odd4) +
        SIDE_TAP_5 * (odd0 + odd5);
      out = HIGH_PASS * out + now - before;
      before = now;
      into[i] = out;
    }
  }

  /** Root mean square of every frame. */
  private measureLevels(from: Float64Array, levels: Float64Array): void {
    for (let frame = 0; frame < levels.length; frame++) {
      levels[frame] = Math.sqrt(powerOf(from, frame * FRAME, (frame + 1) * FRAME) / FRAME);
    }
  }

  /** Makes all frames equally loud, but leaves out those that are not in [least, most); gains go over into each other. */
  private equalise(from: Float64Array, levels: Float64Array, least: number, most: number, into: Float64Array): void {
    const { gains } = this;
    for (let frame = 0; frame < levels.length; frame++) {
      const level = levels[frame]!;
      gains[frame + 1] = level < least || level >= most ? 0 : 1 / (level + FLOOR_RMS);
    }
    gains[0] = gains[1]!;
    gains[levels.length + 1] = gains[levels.length]!;
    // From the middle of a frame to that of the next.
    for (let frame = 0, at = -FRAME / 2; frame <= levels.length; frame++, at += FRAME) {
      const step = (gains[frame + 1]! - gains[frame]!) / FRAME;
      const end = Math.min(at + FRAME, from.length);
      for (let i = Math.max(at, 0); i < end; i++) into[i] = from[i]! * (gains[frame]! + step * (i - at));
    }
    into.fill(0, from.length);
  }

  /**
   * Leaves the correlation of both over all lags, as an analytic signal: its magnitude is the envelope, whatever the
   * echo's polarity and wherever between two lags it lies. Every frequency that stands out weighs the same. Returns over
   * how many bins the caller's power is spread.
   */
  private correlate(): number {
    const { real, imaginary, lagReal, lagImaginary } = this;
    let powers = 0;
    let squares = 0;
    let products = 0;
    // One transform of both: X = (Z[k] + Z*[−k])/2, Y = (Z[k] − Z*[−k])/2i.
    this.fft.forward(real, imaginary);
    for (let bin = 0; bin < BINS; bin++) {
      const k = FIRST_BIN + bin;
      const xRe = real[k]! + real[POINTS - k]!;
      const xIm = imaginary[k]! - imaginary[POINTS - k]!;
      const yRe = imaginary[k]! + imaginary[POINTS - k]!;
      const yIm = real[POINTS - k]! - real[k]!;
      const re = xRe * yRe + xIm * yIm;
      const im = xRe * yIm - xIm * yRe;
      const power = xRe * xRe + xIm * xIm;
      powers += power;
      squares += power * power;
      products += Math.sqrt(re * re + im * im);
      lagReal[bin] = re;
      lagImaginary[bin] = im;
    }
    const least = (LEAST_WEIGHT * products) / BINS || 1;
    for (let bin = 0; bin < BINS; bin++) {
      const re = lagReal[bin]!;
      const im = lagImaginary[bin]!;
      const weight = 1 / (Math.sqrt(re * re + im * im) + least);
      lagReal[bin] = re * weight;
      lagImaginary[bin] = im * weight;
    }
    lagReal.fill(0, BINS);
    lagImaginary.fill(0, BINS);
    this.lagFft.inverse(lagReal, lagImaginary);
    return spreadOf(powers, squares);
  }

  /** The largest lag that an echo can have, against the average and against all others. */
  private findPeak(behindMs: number): Peak {
    const first = Math.ceil((LEAST_DELAY_MS - behindMs) / MS_PER_LAG);
    const last = Math.floor((MOST_DELAY_MS - behindMs) / MS_PER_LAG);
    let [peak, largest, sum] = [first, 0, 0];
    for (let lag = first; lag <= last; lag++) {
      const power = this.powerAt(lag);
      sum += power;
      if (power <= largest) continue;
      largest = power;
      peak = lag;
    }
    let [others, count] = [0, last - first + 1];
    for (let lag = first - REVERSE_MS / MS_PER_LAG; lag <= last; lag++) {
      const power = this.powerAt(lag);
      if (Math.abs(lag - peak) > PEAK_LAGS) others = Math.max(others, power);
      else if (lag >= first) {
        sum -= power;
        count--;
      }
    }
    return { lag: peak, prominence: (largest * count) / sum || 0, lead: largest / others || 0 };
  }

  private powerAt(lag: number): number {
    const at = lag & (LAGS - 1);
    const re = this.lagReal[at]!;
    const im = this.lagImaginary[at]!;
    return re * re + im * im;
  }

  /** Coherence of both, the agent's part taken `lag` points later; undefined when it is a tone's or there is too little. */
  private measure(lag: number, pause: number): { correlation: number; levelDb: number } | undefined {
    const limit = this.chooseBlocks(lag, pause);
    const { callerPower, agentPower, crossReal, crossImaginary } = this;
    callerPower.fill(0);
    agentPower.fill(0);
    crossReal.fill(0);
    crossImaginary.fill(0);
    let blocks = 0;
    for (let block = 0; block < MAX_BLOCKS; block++) {
      if (this.ratios[block]! > limit) continue;
      this.addBlock(block * HOP, lag);
      blocks++;
    }
    return blocks < MIN_BLOCKS ? undefined : this.coherence(blocks);
  }

  /** Gives every block the agent's power over the caller's; returns up to which ratio the agent counts as quiet. */
  private chooseBlocks(lag: number, pause: number): number {
    const { caller, agent, ratios, sortedRatios } = this;
    let count = 0;
    for (let block = 0; block < MAX_BLOCKS; block++) {
      const at = block * HOP;
      const isThere = at + lag >= 0 && at + lag + BLOCK <= POINTS;
      const power = isThere ? powerOf(caller, at, at + BLOCK) : 0;
      ratios[block] = Number.POSITIVE_INFINITY;
      if (power < pause * pause * BLOCK) continue;
      const agentPower = powerOf(agent, at + lag, at + lag + BLOCK);
      // A gate in the agent's phone, or a lost packet: nothing that could be compared.
      if (agentPower < LEAST_RMS * LEAST_RMS * BLOCK) continue;
      ratios[block] = agentPower / power;
      sortedRatios[count++] = ratios[block]!;
    }
    if (count === 0) return Number.NEGATIVE_INFINITY;
    const sorted = sortedRatios.subarray(0, count).sort();
    const few = Math.min(count, MIN_BLOCKS) - 1;
    // When the agent talks over most of them, those are many times louder than the rest.
    return Math.max(sorted[few]!, Math.min(sorted[Math.floor(QUIET_SHARE * count)]!, MAX_QUIET_RATIO * sorted[few]!));
  }

  private addBlock(at: number, lag: number): void {
    const { blockReal, blockImaginary, hann, caller, agent } = this;
    for (let i = 0; i < BLOCK; i++) {
      blockReal[i] = caller[at + i]! * hann[i]!;
      blockImaginary[i] = agent[at + lag + i]! * hann[i]!;
    }
    this.blockFft.forward(blockReal, blockImaginary);
    const { callerPower, agentPower, crossReal, crossImaginary } = this;
    for (let k = FIRST_BLOCK_BIN; k <= LAST_BLOCK_BIN; k++) {
      const xRe = blockReal[k]! + blockReal[BLOCK - k]!;
      const xIm = blockImaginary[k]! - blockImaginary[BLOCK - k]!;
      const yRe = blockImaginary[k]! + blockImaginary[BLOCK - k]!;
      const yIm = blockReal[BLOCK - k]! - blockReal[k]!;
      callerPower[k]! += xRe * xRe + xIm * xIm;
      agentPower[k]! += yRe * yRe + yIm * yIm;
      crossReal[k]! += xRe * yRe + xIm * yIm;
      crossImaginary[k]! += xRe * yIm - xIm * yRe;
    }
  }

  /** Of `blocks` blocks: how much of the agent's power the caller explains, corrected for what chance explains. */
  private coherence(blocks: number): { correlation: number; levelDb: number } | undefined {
    const chance = 1 / Math.max(2, blocks * BLOCK_WORTH);
    const { callerPower, agentPower, crossReal, crossImaginary } = this;
    let [callerSum, agentSum, explainedSum] = [0, 0, 0];
    let [shareSum, shareSquares, echoSum, echoSquares] = [0, 0, 0, 0];
    for (let k = FIRST_BLOCK_BIN; k <= LAST_BLOCK_BIN; k++) {
      const x = callerPower[k]!;
      const y = agentPower[k]!;
      callerSum += x;
      agentSum += y;
      if (x === 0 || y === 0) continue;
      const explained = (crossReal[k]! ** 2 + crossImaginary[k]! ** 2) / x;
      explainedSum += explained;
      const share = Math.max(0, explained / y - chance);
      shareSum += share;
      shareSquares += share * share;
      // Speech is weaker the higher the frequency: so that a low voice does not look like a tone.
      const echo = explained * k * k;
      echoSum += echo;
      echoSquares += echo * echo;
    }
    const coherentBins = spreadOf(shareSum, shareSquares);
    const echoBins = spreadOf(echoSum, echoSquares);
    const explainedShare = agentSum > 0 ? explainedSum / agentSum : 0;
    if (explainedShare < MIN_OVER_CHANCE * chance || coherentBins < MIN_COHERENT_BINS || echoBins < MIN_ECHO_BINS)
      return undefined;
    const share = (explainedShare - chance) / (1 - chance);
    return { correlation: Math.sqrt(share), levelDb: 10 * Math.log10((share * agentSum) / callerSum) };
  }

  private wipe(): void {
    this.caller.fill(0);
    this.agent.fill(0);
    this.callerLevels.fill(0);
    this.agentLevels.fill(0);
    this.gains.fill(0);
    this.real.fill(0);
    this.imaginary.fill(0);
    this.lagReal.fill(0);
    this.lagImaginary.fill(0);
    this.blockReal.fill(0);
    this.blockImaginary.fill(0);
    this.ratios.fill(0);
    this.sortedRatios.fill(0);
    this.callerPower.fill(0);
    this.agentPower.fill(0);
    this.crossReal.fill(0);
    this.crossImaginary.fill(0);
  }
}

/** Over how many places something is spread, by the sums of it and of its squares: n when n have the same, others none. */
function spreadOf(sum: number, squares: number): number {
  return squares > 0 ? (sum * sum) / squares : 0;
}

function powerOf(samples: Float64Array, start: number, end: number): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum += samples[i]! * samples[i]!;
  return sum;
}

function loudest(levels: Float64Array): number {
  let most = 0;
  for (const level of levels) if (level > most) most = level;
  return most;
}

function countAbove(levels: Float64Array, limit: number): number {
  let count = 0;
  for (const level of levels) if (level >= limit) count++;
  return count;
}

// Whether the caller's voice is heard in the agent's own stream (acoustic echo, sidetone, a PBX that mixes), for one call:
// when to look, and what several looks add up to. Takes a window out of the common pool when the caller speaks, has it
// judged and wiped, and rests. Keeps figures only, never audio; decides nothing about the recording.
import type { TimeUs } from "../base/ids.js";
import type { EchoRecord } from "../contract/call-record.js";
import type { Finding } from "./echo-correlator.js";
import type { EchoPool, EchoTaker } from "./echo-pool.js";
import { type EchoTrack, type EchoWindow, WindowState } from "./echo-window.js";

/** Between one window and the next; the first ones, and one that left a suspicion, are followed by another at once. */
const REST_US = 4_000_000;
const REST_UNSETTLED_US = 500_000;
const FIRST_WINDOWS = 5;
/** A caller who is silent, or finds no window free, is looked at again after so long. */
const LOOK_AGAIN_US = 50_000;
/** Two windows say the same when their delays differ by less; what jitter does to the place in time is in it. */
const SAME_DELAY_MS = 8;
/** Suspicions that wait for another window to confirm them, and for how long. */
const MAX_SUSPICIONS = 4;
const SUSPICION_US = 60_000_000;
/** Every so many samples one is looked at, to tell whether the caller speaks: −40 dBm0. */
const LOOK_STEP = 8;
const SPEECH_MEAN_SQUARE = 160 * 160;
/** Reported where no echo was measured. */
const NO_LEVEL_DB = -99;

export interface EchoOptions {
  /** Correlation, in percent, from which on the caller counts as heard. */
  limitPercent: number;
}

/** What a window says, in the light of those before it. */
export interface EchoVerdict {
  /** The caller was recognised, at the same delay as in another window. */
  found: boolean;
  /** Of the agent's stream while the caller spoke and the agent did not: 0–1; 0 when nothing stood out. */
  correlation: number;
  /** Behind the caller's own packets; 0 when nothing stood out. */
  delayMs: number;
  /** Echo over the caller's own level; −99 when nothing stood out. */
  levelDb: number;
}

interface Suspicion {
  atUs: TimeUs;
  delayMs: number;
  isConfirmed: boolean;
}

const NOTHING: EchoVerdict = { found: false, correlation: 0, delayMs: 0, levelDb: NO_LEVEL_DB };

export class EchoFinder implements EchoTaker {
  private readonly limit: number;
  private readonly pool: EchoPool;
  private window: EchoWindow | undefined;
  private restUntilUs: TimeUs = 0;
  private verdict: EchoVerdict | undefined;
  private suspicions: Suspicion[] = [];
  private windows = 0;
  private found = 0;
  private strongest: EchoVerdict = NOTHING;

  /** `pool` is every call's. */
  constructor({ limitPercent }: EchoOptions, pool: EchoPool) {
    this.limit = limitPercent / 100;
    this.pool = pool;
  }

  /**
   * A packet of the caller: G.711 codes data[start, end), their samples by code, the RTP timestamp and the time of
   * capture. Hot path; not to be called with copies or duplicates.
   */
  caller(
    samplesOfCode: Int16Array,
    data: Buffer,
    start: number,
    end: number,
    timestamp: number,
    capturedAtUs: TimeUs,
  ): void {
    if (this.window === undefined) {
      if (this.rests(capturedAtUs)) return;
      if (isSpeech(samplesOfCode, data, start, end)) this.window = this.pool.take(this, capturedAtUs);
      if (this.window === undefined) {
        this.restUntilUs = capturedAtUs + LOOK_AGAIN_US;
        return;
      }
    }
    this.put(this.window, this.window.caller, samplesOfCode, data, start, end, timestamp, capturedAtUs);
  }

  /** The same for a packet of the agent. Hot path. */
  agent(
    samplesOfCode: Int16Array,
    data: Buffer,
    start: number,
    end: number,
    timestamp: number,
    capturedAtUs: TimeUs,
  ): void {
    if (this.window === undefined) return;
    this.put(this.window, this.window.agent, samplesOfCode, data, start, end, timestamp, capturedAtUs);
  }

  /** The verdict on a window that was judged since the last call; undefined when there was none, or none to be had. */
  take(): EchoVerdict | undefined {
    const { verdict } = this;
    this.verdict = undefined;
    return verdict;
  }

  /**
   * Nothing of anybody's audio is kept after this: to be called when the call is over, or paused. Packets that are
   * handed over later may begin a new window.
   */
  wipe(): void {
    this.pool.forget(this);
    if (this.window === undefined) return;
    this.pool.giveBack(this.window, "withdrawn");
    this.window = undefined;
  }

  /** The pool has wiped the window and taken it back. */
  dispossess(): void {
    this.window = undefined;
  }

  /** undefined while nothing was compared. */
  report(): EchoRecord | undefined {
    if (this.windows === 0) return undefined;
    const { correlation, delayMs, levelDb } = this.strongest;
    return { windows: this.windows, found: this.found, correlation, delayMs, levelDb };
  }

  /** Not for ever when the clock was set back. */
  private rests(atUs: TimeUs): boolean {
    const leftUs = this.restUntilUs - atUs;
    return leftUs > 0 && leftUs <= REST_US;
  }

  private put(
    window: EchoWindow,
    party: EchoTrack,
    samplesOfCode: Int16Array,
    data: Buffer,
    start: number,
    end: number,
    timestamp: number,
    atUs: TimeUs,
  ): void {
    const state = window.put(party, samplesOfCode, data, start, end, timestamp, atUs);
    if (state === WindowState.open) return;
    this.window = undefined;
    if (state === WindowState.whole) this.conclude(this.pool.judge(window), atUs);
    else {
      this.pool.giveBack(window, "broken");
      this.restUntilUs = atUs + REST_UNSETTLED_US;
    }
  }

  private conclude(finding: Finding | undefined, atUs: TimeUs): void {
    this.restUntilUs = atUs + REST_UNSETTLED_US;
    if (finding === undefined || finding.kind === "too-little-speech" || finding.kind === "cross-talk") return;
    this.windows++;
    this.verdict = finding.kind === "echo" ? this.weigh(finding, atUs) : NOTHING;
    // A suspicion is followed up at once.
    const isSuspicious = finding.kind === "echo" && finding.correlation >= this.limit && !this.verdict.found;
    this.restUntilUs = isSuspicious || this.windows < FIRST_WINDOWS ? atUs : atUs + REST_US;
  }

  private weigh({ correlation, delayMs, levelDb }: Finding & { kind: "echo" }, atUs: TimeUs): EchoVerdict {
    const verdict = {
      found: correlation >= this.limit && this.confirm(delayMs, atUs),
      correlation: round(correlation, 1000),
      delayMs: round(delayMs, 10),
      levelDb: round(levelDb, 10),
    };
    if (correlation > this.strongest.correlation) this.strongest = verdict;
    return verdict;
  }

  /** Whether another window has had an echo with this delay; each of those that did counts as found once. */
  private confirm(delayMs: number, atUs: TimeUs): boolean {
    const current: Suspicion = { atUs, delayMs, isConfirmed: false };
    this.suspicions = this.suspicions.filter((earlier) => atUs - earlier.atUs <= SUSPICION_US);
    for (const earlier of this.suspicions) {
      if (Math.abs(earlier.delayMs - delayMs) > SAME_DELAY_MS) continue;
      if (!earlier.isConfirmed) this.found++;
      if (!current.isConfirmed) this.found++;
      earlier.isConfirmed = true;
      current.isConfirmed = true;
    }
    if (this.suspicions.length >= MAX_SUSPICIONS) this.suspicions.shift();
    this.suspicions.push(current);
    return current.isConfirmed;
  }
}

/** Loud enough to be the caller speaking. */
function isSpeech(samplesOfCode: Int16Array, data: Buffer, start: number, end: number): boolean {
  let sum = 0;
  let count = 0;
  for (let i = start; i < end; i += LOOK_STEP, count++) {
    const sample = samplesOfCode[data[i]!]!;
    sum += sample * sample;
  }
  return sum >= SPEECH_MEAN_SQUARE * count && count > 0;
}

function round(value: number, perUnit: number): number {
  return Math.round(value * perUnit) / perUnit;
}

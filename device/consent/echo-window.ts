// A stretch of the caller's and the agent's G.711 codes side by side, in memory that is used again and again: where a
// packet's samples belong (RTP timestamps within the window, arrival for what lies between the streams), and when the
// window is whole. Never grows, never judges, and holds nothing but zeros once it is wiped.
import type { TimeUs } from "../base/ids.js";

/** G.711: one byte, one tick of the RTP clock and one sample are the same. */
export const SAMPLE_RATE_HZ = 8000;
const US_PER_SAMPLE = 1_000_000 / SAMPLE_RATE_HZ;
/** 1.4 s of the caller, and as much more of the agent as an echo may take (0.6 s). */
export const CALLER_SAMPLES = 11_264;
export const AGENT_SAMPLES = 16_384;
/** Memory of one window. */
export const WINDOW_BYTES = CALLER_SAMPLES + AGENT_SAMPLES;
/** The window is whole when the agent's part should be, with a while for what comes late, whatever was lost. */
const LONGEST_US = AGENT_SAMPLES * US_PER_SAMPLE + 250_000;
/** RTP timestamp and arrival may disagree by so much (jitter); beyond it is another stream, or a clock set anew. */
const MAX_DISAGREEMENT_SAMPLES = 2400;
/** The agent's part begins so much before the caller's at most (its packets are longer), and so much after. */
const MAX_AHEAD_SAMPLES = 960;
const MAX_BEHIND_SAMPLES = 4800;
/** Of each part so much must be there: whoever is silent may send nothing (RFC 3551 §4.1). */
const MIN_COVERAGE = { caller: 0.4, agent: 0.2 };

/** One party's codes, each XORed with the code of silence: a lost packet is silence, and so is what was wiped. */
export class EchoTrack {
  readonly codes: Uint8Array;
  /** The codec's samples by code; changes only with the window. */
  samplesOfCode: Int16Array | undefined;
  silence = 0;
  /** Samples that came. */
  filled = 0;
  private firstTimestamp = 0;
  private firstAtUs: TimeUs = 0;
  /** Earliest arrival, as the time of position 0: the packet that waited least. */
  zeroAtUs: TimeUs = 0;

  constructor(samples: number) {
    this.codes = new Uint8Array(samples);
  }

  /** False when the packet does not belong to the stream that the track began with. Late and early ones are left out. */
  put(samplesOfCode: Int16Array, data: Buffer, start: number, end: number, timestamp: number, atUs: TimeUs): boolean {
    if (this.samplesOfCode === undefined) this.begin(samplesOfCode, end - start, timestamp, atUs);
    else if (this.samplesOfCode !== samplesOfCode) return false;
    const position = (timestamp - this.firstTimestamp) | 0;
    const elapsedUs = atUs - this.firstAtUs;
    if (Math.abs(position - elapsedUs / US_PER_SAMPLE) > MAX_DISAGREEMENT_SAMPLES) return false;
    // A packet is sent when its last sample has been taken.
    const zeroAtUs = atUs - (position + end - start) * US_PER_SAMPLE;
    if (zeroAtUs < this.zeroAtUs) this.zeroAtUs = zeroAtUs;
    this.copy(data, start, end, position);
    return true;
  }

  isFull(): boolean {
    return this.filled >= this.codes.length;
  }

  wipe(): void {
    this.codes.fill(0);
    this.samplesOfCode = undefined;
    this.filled = 0;
  }

  private begin(samplesOfCode: Int16Array, samples: number, timestamp: number, atUs: TimeUs): void {
    this.samplesOfCode = samplesOfCode;
    this.silence = quietestCode(samplesOfCode);
    this.firstTimestamp = timestamp;
    this.firstAtUs = atUs;
    this.zeroAtUs = atUs - samples * US_PER_SAMPLE;
  }

  private copy(data: Buffer, start: number, end: number, position: number): void {
    const { codes, silence } = this;
    const from = position < 0 ? start - position : start;
    const until = Math.min(end, start + codes.length - position);
    for (let i = from, to = position + from - start; i < until; i++, to++) codes[to] = data[i]! ^ silence;
    if (until > from) this.filled += until - from;
  }
}

export const WindowState = { open: 0, whole: 1, broken: 2 } as const;
export type WindowState = (typeof WindowState)[keyof typeof WindowState];

export class EchoWindow {
  readonly caller = new EchoTrack(CALLER_SAMPLES);
  readonly agent = new EchoTrack(AGENT_SAMPLES);
  openedAtUs: TimeUs = 0;

  /** `party`: one of the two tracks; the other arguments as for EchoTrack.put. Hot path while the window is open. */
  put(
    party: EchoTrack,
    samplesOfCode: Int16Array,
    data: Buffer,
    start: number,
    end: number,
    timestamp: number,
    atUs: TimeUs,
  ): WindowState {
    if (!party.put(samplesOfCode, data, start, end, timestamp, atUs)) return WindowState.broken;
    if (this.agent.isFull() && this.caller.isFull()) return WindowState.whole;
    return atUs - this.openedAtUs < LONGEST_US ? WindowState.open : WindowState.whole;
  }

  /** Whether there is enough of both, close enough together, to compare. */
  isComparable(): boolean {
    const { caller, agent } = this;
    if (caller.filled < MIN_COVERAGE.caller * CALLER_SAMPLES) return false;
    if (agent.filled < MIN_COVERAGE.agent * AGENT_SAMPLES) return false;
    const behind = this.agentBehindSamples();
    return behind >= -MAX_AHEAD_SAMPLES && behind <= MAX_BEHIND_SAMPLES;
  }

  /** How much later the agent's position 0 was spoken than the caller's. */
  agentBehindSamples(): number {
    return Math.round((this.agent.zeroAtUs - this.caller.zeroAtUs) / US_PER_SAMPLE);
  }

  wipe(): void {
    this.caller.wipe();
    this.agent.wipe();
  }
}

function quietestCode(samplesOfCode: Int16Array): number {
  let quietest = 0;
  for (let code = 1; code < samplesOfCode.length; code++) {
    if (Math.abs(samplesOfCode[code]!) <= Math.abs(samplesOfCode[quietest]!)) quietest = code;
  }
  return quietest;
}

// Cuts one stream into segments (pass 1) and says where each packet stands (pass 2). A stream is cut where RTP time and
// arrival time part and stay apart: a phone that stops or resets its timestamps. A late packet, a stalled network that
// delivers its backlog at once, or a single wrong timestamp cut nothing. Both passes see the same packets in one order.
import { Segment } from "./segment.js";

/** How long a candidate must last before it is a segment of its own. */
const STAYS_APART_US = 1_000_000;
/** A candidate's packets keep this close to each other; two packets displaced by 200 ms still do. */
const CANDIDATE_FIT_US = 500_000;
/** Packets of the old clock may still come this long after a cut (reordering); later ones show that it goes on. */
const OVERLAP_US = 500_000;
/** From this many packets on a candidate is not given up for one packet that fits nothing. */
const ESTABLISHED_PACKETS = 3;
/** At most this many cuts in one stream; at the limit packets that fit no segment are left out, and counted. */
const MAX_SEGMENTS = 512;

/** The answer for a packet that stands nowhere. */
export const NO_FRAME = Number.NEGATIVE_INFINITY;

export class StreamTimeline {
  readonly segments: Segment[] = [];
  readonly #sampleRateHz: number;
  #current: Segment | undefined;
  #candidate: Segment | undefined;
  /** Packets seen by the pass that runs. */
  #ordinal = 0;
  #segmentIndex = 0;

  constructor(sampleRateHz: number) {
    this.#sampleRateHz = sampleRateHz;
  }

  /** Pass 1: takes a packet's clock in. `durationTicks` is the length of its audio in RTP ticks. */
  survey(arrivalUs: number, timestamp: number, clockRateHz: number, durationTicks: number): void {
    const ordinal = this.#ordinal++;
    const current = this.#current;
    if (current === undefined) {
      this.#current = this.#begin(ordinal, arrivalUs, timestamp, clockRateHz, durationTicks);
      this.segments.push(this.#current);
      return;
    }
    if (current.clockRateHz === clockRateHz) {
      current.measure(arrivalUs, timestamp);
      if (current.isFit) {
        current.include(arrivalUs, durationTicks);
        this.#forgetRefuted(arrivalUs);
        return;
      }
      if (current.isLate) current.extend(durationTicks);
    }
    if (this.segments.length >= MAX_SEGMENTS) return;
    if (this.#joinCandidate(arrivalUs, timestamp, clockRateHz, durationTicks)) return;
    if (this.#isCandidateEstablished(arrivalUs)) return;
    this.#candidate = this.#begin(ordinal, arrivalUs, timestamp, clockRateHz, durationTicks);
  }

  /** Ends pass 1: anchors every segment on the timeline whose frame 0 is at `originUs`. */
  anchor(originUs: number): void {
    if (this.#isCandidateLast()) this.segments.push(this.#candidate!);
    for (const segment of this.segments) segment.anchor(originUs);
    this.#current = undefined;
    this.#candidate = undefined;
    this.#ordinal = 0;
  }

  /** Pass 2: the frame at which the packet's first sample stands (may be negative), or NO_FRAME. */
  place(arrivalUs: number, timestamp: number, clockRateHz: number): number {
    const ordinal = this.#ordinal++;
    let next = this.segments[this.#segmentIndex + 1];
    while (next !== undefined && next.fromOrdinal <= ordinal) {
      this.#segmentIndex++;
      next = this.segments[this.#segmentIndex + 1];
    }
    const segment = this.segments[this.#segmentIndex]!;
    if (fits(segment, arrivalUs, timestamp, clockRateHz)) return segment.frameOf(segment.ticks);
    if (this.#segmentIndex > 0) {
      const previous = this.segments[this.#segmentIndex - 1]!;
      if (fits(previous, arrivalUs, timestamp, clockRateHz)) return previous.frameOf(previous.ticks);
    }
    if (segment.clockRateHz === clockRateHz && segment.isLate) return segment.frameOf(segment.ticks);
    return NO_FRAME;
  }

  #begin(ordinal: number, arrivalUs: number, timestamp: number, clockRateHz: number, durationTicks: number): Segment {
    const segment = new Segment({ ordinal, arrivalUs, timestamp, clockRateHz, sampleRateHz: this.#sampleRateHz });
    segment.measure(arrivalUs, timestamp);
    segment.include(arrivalUs, durationTicks);
    return segment;
  }

  #joinCandidate(arrivalUs: number, timestamp: number, clockRateHz: number, durationTicks: number): boolean {
    const candidate = this.#candidate;
    if (candidate === undefined || candidate.clockRateHz !== clockRateHz) return false;
    candidate.measure(arrivalUs, timestamp);
    if (candidate.delayUs > CANDIDATE_FIT_US || candidate.delayUs < -CANDIDATE_FIT_US) return false;
    candidate.include(arrivalUs, durationTicks);
    if (arrivalUs - candidate.beganAtUs >= STAYS_APART_US) {
      this.segments.push(candidate);
      this.#current = candidate;
      this.#candidate = undefined;
    }
    return true;
  }

  #forgetRefuted(arrivalUs: number): void {
    if (this.#candidate !== undefined && arrivalUs - this.#candidate.beganAtUs > OVERLAP_US)
      this.#candidate = undefined;
  }

  #isCandidateEstablished(arrivalUs: number): boolean {
    const candidate = this.#candidate;
    return (
      candidate !== undefined &&
      candidate.packets >= ESTABLISHED_PACKETS &&
      arrivalUs - candidate.lastFitAtUs < STAYS_APART_US
    );
  }

  /** Whether the stream ended on the candidate's clock before it could prove itself; a backlog runs faster than real time. */
  #isCandidateLast(): boolean {
    const candidate = this.#candidate;
    if (candidate === undefined || candidate.packets < ESTABLISHED_PACKETS) return false;
    if (this.#current!.lastFitAtUs > candidate.lastFitAtUs) return false;
    return candidate.lastFitAtUs - candidate.beganAtUs >= candidate.coveredUs / 2;
  }
}

function fits(segment: Segment, arrivalUs: number, timestamp: number, clockRateHz: number): boolean {
  if (segment.clockRateHz !== clockRateHz) return false;
  segment.measure(arrivalUs, timestamp);
  return segment.isFit;
}

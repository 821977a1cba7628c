// A stretch of one stream over which the sender's RTP clock runs with real time. Measures packets against that clock,
// and at the end places the clock on the call's timeline. RTP timestamps are unwrapped by the time of arrival (they need
// only be right to 2^31 ticks), so neither order, loss nor a closed gate of hours confuses the count (RFC 3550 §5.1).
import { AnchorSample } from "./anchor-sample.js";

/** RTP time and arrival time part when they differ by more than this. */
export const FIT_US = 1_000_000;
/** A packet this late behind its clock still belongs where its timestamp says; later ones are strays. */
export const LATEST_US = 20_000_000;
/** Anchors stand on this grid, so that the jitter of single packets does not reach the samples. */
const GRID_US = 5000;

export interface SegmentStart {
  /** How many packets of the stream came before. */
  ordinal: number;
  arrivalUs: number;
  timestamp: number;
  clockRateHz: number;
  sampleRateHz: number;
}

export class Segment {
  readonly fromOrdinal: number;
  readonly clockRateHz: number;
  readonly beganAtUs: number;
  lastFitAtUs: number;
  packets = 0;
  /** What `measure` found: RTP ticks after the segment's first packet, the same in µs, and delay against the clock. */
  ticks = 0;
  rtpUs = 0;
  delayUs = 0;
  readonly #firstTimestamp: number;
  readonly #usPerTick: number;
  readonly #framesPerTick: number;
  readonly #framesPerGrid: number;
  #lowestDelayUs = 0;
  #lastEndTicks = 0;
  #sample: AnchorSample | undefined = new AnchorSample();
  /** Frame and tick that fall together, once anchored. */
  #anchorFrame = 0;
  #anchorTicks = 0;

  constructor(start: SegmentStart) {
    this.fromOrdinal = start.ordinal;
    this.clockRateHz = start.clockRateHz;
    this.beganAtUs = start.arrivalUs;
    this.lastFitAtUs = start.arrivalUs;
    this.#firstTimestamp = start.timestamp;
    this.#usPerTick = 1_000_000 / start.clockRateHz;
    this.#framesPerTick = start.sampleRateHz / start.clockRateHz;
    this.#framesPerGrid = (start.sampleRateHz * GRID_US) / 1_000_000;
  }

  /** Sets `ticks`, `rtpUs` and `delayUs` for a packet. */
  measure(arrivalUs: number, timestamp: number): void {
    const elapsedUs = arrivalUs - this.beganAtUs;
    const expected = Math.round(elapsedUs / this.#usPerTick);
    // The bitwise or takes the difference modulo 2^32 and gives it a sign: the nearest of all unwrapped timestamps.
    this.ticks = expected + ((timestamp - this.#firstTimestamp - expected) | 0);
    this.rtpUs = this.ticks * this.#usPerTick;
    this.delayUs = elapsedUs - this.rtpUs;
  }

  /** Whether the measured packet keeps to the clock. */
  get isFit(): boolean {
    const delayUs = this.delayUs - this.#lowestDelayUs;
    return delayUs <= FIT_US && delayUs >= -FIT_US;
  }

  /** Whether the measured packet is so late that it does not fit, yet not too late to be placed. */
  get isLate(): boolean {
    const delayUs = this.delayUs - this.#lowestDelayUs;
    return delayUs > FIT_US && delayUs <= LATEST_US && this.ticks >= this.#earliestTicks;
  }

  /** Takes the measured packet, which fits, into the segment. */
  include(arrivalUs: number, durationTicks: number): void {
    this.packets++;
    this.lastFitAtUs = arrivalUs;
    if (this.#sample!.isOpenAt(this.rtpUs)) {
      this.#sample!.add(this.rtpUs, arrivalUs - this.beganAtUs);
      if (this.delayUs < this.#lowestDelayUs) this.#lowestDelayUs = this.delayUs;
    }
    this.extend(durationTicks);
  }

  /** Makes room for the measured packet without letting it count for the clock. */
  extend(durationTicks: number): void {
    const endTicks = this.ticks + durationTicks;
    if (endTicks > this.#lastEndTicks) this.#lastEndTicks = endTicks;
  }

  /** RTP time covered so far, in µs. */
  get coveredUs(): number {
    return this.#lastEndTicks * this.#usPerTick - this.#sample!.firstRtpUs;
  }

  /** Ends the taking in of packets: sets the clock on the timeline whose frame 0 is at `originUs`. */
  anchor(originUs: number): void {
    const sample = this.#sample!;
    const firstAtUs = this.beganAtUs + sample.delayUs() + sample.firstRtpUs;
    this.#anchorTicks = Math.round(sample.firstRtpUs / this.#usPerTick);
    this.#anchorFrame = Math.round((firstAtUs - originUs) / GRID_US) * this.#framesPerGrid;
    this.#sample = undefined;
  }

  /** Frame on the timeline of a number of ticks after the segment's first packet. */
  frameOf(ticks: number): number {
    return this.#anchorFrame + Math.round((ticks - this.#anchorTicks) * this.#framesPerTick);
  }

  get firstFrame(): number {
    return this.#anchorFrame;
  }
  get endFrame(): number {
    return this.frameOf(this.#lastEndTicks);
  }

  get #earliestTicks(): number {
    return this.#sample === undefined ? this.#anchorTicks : Math.round(this.#sample.firstRtpUs / this.#usPerTick);
  }
}

// Reception statistics of one RTP stream (one SSRC on one flow) after RFC 3550 Appendix A.1, A.3 and A.8: extended
// sequence numbers, loss, duplicates, lateness, jitter. Sees headers only; decides nothing about recording.

/** A jump ahead of at most this many packets is loss, of more a restart (RFC 3550 §A.1 MAX_DROPOUT). */
const MAX_DROPOUT = 3000;
/** A packet at most this many behind is disorder, of more a restart. Wider than §A.1's 100: mirrors delay in bulk. */
const MAX_MISORDER = 1000;
/** Width of the duplicate window: four 32-bit words. */
const WINDOW = 128;
/** A delay variation beyond this is a pause or a clock reset, not jitter, ms. */
const MAX_DELAY_STEP_MS = 1000;

/** `gap`: newer than any, and not the next one. */
export const Arrival = { inOrder: 0, reordered: 1, late: 2, duplicate: 3, gap: 4 } as const;
export type Arrival = (typeof Arrival)[keyof typeof Arrival];

export class StreamStatistics {
  /** Distinct packets, duplicates not counted. */
  received = 0;
  duplicates = 0;
  lateCount = 0;
  reorderedCount = 0;
  /** Packets that had not come when the newest did. */
  missingBefore = 0;
  jitterMaxMs = 0;
  private jitterMs = 0;
  private jitterSumMs = 0;
  private jitterSamples = 0;
  private baseSequence = 0;
  private highestSequence = 0;
  private highestTimestamp = 0;
  private lastTransitMs = 0;
  private hasTransit = false;
  // Bit i of the window is set when `highestSequence - i` was received.
  private window0 = 0;
  private window1 = 0;
  private window2 = 0;
  private window3 = 0;

  /** Does this sequence number continue the stream, or does it begin another one (restart)? */
  fits(sequence: number): boolean {
    if (this.received === 0) return true;
    const ahead = (sequence - this.highestSequence) & 0xffff;
    return ahead < MAX_DROPOUT || ahead > 0xffff - MAX_MISORDER;
  }

  /** How many packets ahead of the newest one a packet is, -2^15…2^15-1; 0 before the first. */
  aheadOf(sequence: number): number {
    return this.received === 0 ? 0 : ((sequence - this.highestSequence) << 16) >> 16;
  }

  /** Was this packet seen? One too far behind to know counts as seen, one that does not fit as not. */
  has(sequence: number): boolean {
    if (this.received === 0 || !this.fits(sequence)) return false;
    const ahead = (sequence - this.highestSequence) & 0xffff;
    if (ahead === 0) return true;
    if (ahead < 0x8000) return false;
    const behind = 0x10000 - ahead;
    return behind >= WINDOW || (this.wordOf(behind) & (1 << (behind & 31))) !== 0;
  }

  /**
   * Takes one packet that `fits`. `timestamp` in RTP ticks of `clockRate` Hz, `arrivalUs` capture time.
   * `lateAfterMs`: media this much older than the newest counts as late.
   */
  update(sequence: number, timestamp: number, arrivalUs: number, clockRate: number, lateAfterMs: number): Arrival {
    if (this.received === 0) {
      this.received = 1;
      this.baseSequence = sequence;
      this.highestSequence = sequence;
      this.highestTimestamp = timestamp;
      this.window0 = 1;
      return Arrival.inOrder;
    }
    const ahead = (sequence - this.highestSequence) & 0xffff;
    if (ahead === 0) {
      this.duplicates++;
      return Arrival.duplicate;
    }
    if (ahead < 0x8000) {
      this.advance(ahead);
      this.highestSequence += ahead;
      this.received++;
      this.updateJitter(timestamp, arrivalUs, clockRate);
      this.highestTimestamp = timestamp;
      if (ahead === 1) return Arrival.inOrder;
      this.missingBefore = ahead - 1;
      return Arrival.gap;
    }
    return this.updateBehind(0x10000 - ahead, timestamp, clockRate, lateAfterMs);
  }

  private updateBehind(behind: number, timestamp: number, clockRate: number, lateAfterMs: number): Arrival {
    if (behind < WINDOW && this.testAndSet(behind)) {
      this.duplicates++;
      return Arrival.duplicate;
    }
    this.received++;
    const extended = this.highestSequence - behind;
    if (extended < this.baseSequence) this.baseSequence = extended;
    const ageTicks = (this.highestTimestamp - timestamp) | 0;
    if (ageTicks * 1000 > lateAfterMs * clockRate) {
      this.lateCount++;
      return Arrival.late;
    }
    this.reorderedCount++;
    return Arrival.reordered;
  }

  /** Packets never seen between the first and the last (RFC 3550 §A.3), at least 0. */
  get lost(): number {
    return this.received === 0 ? 0 : Math.max(0, this.highestSequence - this.baseSequence + 1 - this.received);
  }

  get jitterMeanMs(): number {
    return this.jitterSamples === 0 ? 0 : this.jitterSumMs / this.jitterSamples;
  }

  /** RFC 3550 §A.8, in ms so that a change of clock rate does not upset it. */
  private updateJitter(timestamp: number, arrivalUs: number, clockRate: number): void {
    const transitMs = arrivalUs / 1000 - (timestamp / clockRate) * 1000;
    if (this.hasTransit) {
      const step = Math.abs(transitMs - this.lastTransitMs);
      if (step < MAX_DELAY_STEP_MS) {
        this.jitterMs += (step - this.jitterMs) / 16;
        this.jitterSumMs += this.jitterMs;
        this.jitterSamples++;
        if (this.jitterMs > this.jitterMaxMs) this.jitterMaxMs = this.jitterMs;
      }
    }
    this.hasTransit = true;
    this.lastTransitMs = transitMs;
  }

  private advance(by: number): void {
    if (by >= WINDOW) {
      this.window0 = 1;
      this.window1 = this.window2 = this.window3 = 0;
      return;
    }
    let left = by;
    while (left >= 32) {
      this.window3 = this.window2;
      this.window2 = this.window1;
      this.window1 = this.window0;
      this.window0 = 0;
      left -= 32;
    }
    if (left > 0) {
      this.window3 = (this.window3 << left) | (this.window2 >>> (32 - left));
      this.window2 = (this.window2 << left) | (this.window1 >>> (32 - left));
      this.window1 = (this.window1 << left) | (this.window0 >>> (32 - left));
      this.window0 <<= left;
    }
    this.window0 |= 1;
  }

  private wordOf(behind: number): number {
    const word = behind >>> 5;
    return word === 0 ? this.window0 : word === 1 ? this.window1 : word === 2 ? this.window2 : this.window3;
  }

  private testAndSet(behind: number): boolean {
    const bit = 1 << (behind & 31);
    let seen: number;
    switch (behind >>> 5) {
      case 0:
        seen = this.window0 & bit;
        this.window0 |= bit;
        break;
      case 1:
        seen = this.window1 & bit;
        this.window1 |= bit;
        break;
      case 2:
        seen = this.window2 & bit;
        this.window2 |= bit;
        break;
      default:
        seen = this.window3 & bit;
        this.window3 |= bit;
    }
    return seen !== 0;
  }
}

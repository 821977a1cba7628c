// The engine's time while it captures live: packet time without the steps of the wall clock. The kernel stamps packets with a clock
// that may jump (NTP at boot, a hand that sets it); beside it runs one that does not. A step is noticed by comparing the two, and taken
// out of every later packet's time, so that no duration changes and no order breaks. Slewing is not a step and passes through.
import type { TimeUs } from "./base/ids.js";

/** The two clocks, as they stand at one moment. */
export interface TwoClocks {
  /** The clock that stamps packets, µs since 1970. */
  wallUs(): TimeUs;
  monotonicMs(): number;
}

/** A smaller difference is slewing, or the time between two reads. */
const STEP_US = 200_000;
/** A packet this near to the one before was stamped by the same clock. */
const NEAR_US = 100_000;
/** So long after a step packets may come that were stamped before it: they wait in the kernel's ring. */
const AMBIGUOUS_MS = 5000;
/** A packet that came so long ago says nothing about the next one. */
const FRESH_US = 1_000_000;

export class EngineTime {
  private readonly clocks: TwoClocks;
  private readonly stepped: (offsetUs: number) => void;
  private wallUs: TimeUs;
  private readMs: number;
  /** Steps so far: taken out of every packet's time. */
  private offsetUs = 0;
  private formerOffsetUs = 0;
  private steppedAtMs = Number.NEGATIVE_INFINITY;
  private lastUs: TimeUs = Number.NEGATIVE_INFINITY;

  /** `stepped` is told of each step, µs; above 0 = the clock was set forward. */
  constructor(clocks: TwoClocks, stepped: (offsetUs: number) => void) {
    this.clocks = clocks;
    this.stepped = stepped;
    this.wallUs = clocks.wallUs();
    this.readMs = clocks.monotonicMs();
  }

  /** How far the wall clock is ahead of the engine's time, µs. */
  get aheadUs(): number {
    return this.offsetUs;
  }

  /** The time now; to be asked every 100 ms or so, which is how a step is noticed while no packet comes. */
  nowUs(): TimeUs {
    this.check();
    return this.wallUs - this.offsetUs;
  }

  /** The engine's time of a packet that was stamped so. */
  of(stampedUs: TimeUs): TimeUs {
    let atUs = stampedUs - this.offsetUs;
    if (Math.abs(atUs - this.lastUs) > NEAR_US) atUs = this.settle(stampedUs);
    this.lastUs = atUs;
    return atUs;
  }

  /** Nothing is in progress: the wall clock holds from now on. False while packets of before a step may still come. */
  follow(): boolean {
    if (this.readMs - this.steppedAtMs < AMBIGUOUS_MS) return false;
    this.offsetUs = 0;
    this.formerOffsetUs = 0;
    return true;
  }

  private settle(stampedUs: TimeUs): TimeUs {
    this.check();
    const atUs = stampedUs - this.offsetUs;
    if (this.readMs - this.steppedAtMs >= AMBIGUOUS_MS) return atUs;
    const formerUs = stampedUs - this.formerOffsetUs;
    const nowUs = this.wallUs - this.offsetUs;
    // The last packet says more than the clock: how late they are read is the same for both.
    const expectedUs = nowUs - this.lastUs < FRESH_US ? this.lastUs : nowUs;
    return Math.abs(formerUs - expectedUs) < Math.abs(atUs - expectedUs) ? formerUs : atUs;
  }

  private check(): void {
    const wallUs = this.clocks.wallUs();
    const readMs = this.clocks.monotonicMs();
    const offUs = wallUs - this.wallUs - (readMs - this.readMs) * 1000;
    this.wallUs = wallUs;
    this.readMs = readMs;
    if (Math.abs(offUs) < STEP_US) return;
    this.formerOffsetUs = this.offsetUs;
    this.offsetUs += offUs;
    this.steppedAtMs = readMs;
    this.stepped(Math.round(offUs));
  }
}

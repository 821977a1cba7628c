// Arrival times of one call, freed of steps of the box's wall clock: time never runs back, and no pause within a call is
// longer than a recording may be. Each side has its own correction, because the journal merges the sides by captured time:
// after a step back one comes after the other. Both passes over a call read the same times.
import { otherSide, type Side, type TimeUs } from "../base/ids.js";

/** Captures may hold packets this far out of order; more is a clock that was set back. */
const BACKWARD_US = 2_000_000;
/** As long as a recording may be. */
const FORWARD_US = 24 * 3600 * 1_000_000;

export class ArrivalClock {
  /** How often a correction began or changed. */
  steps = 0;
  /** By side: what is added to captured times, and the latest time read. */
  readonly #correctionUs = new Float64Array(2);
  readonly #latestUs = new Float64Array(2);

  /** No packet of the call came before `startedAtUs`. */
  constructor(startedAtUs: TimeUs) {
    this.#latestUs.fill(startedAtUs);
  }

  /** The time of a packet as if the clock had run through. */
  read(side: Side, capturedAtUs: TimeUs): TimeUs {
    let atUs = capturedAtUs + this.#correctionUs[side]!;
    if (!this.#isPlausible(side, atUs)) atUs = this.#correct(side, capturedAtUs);
    if (atUs > this.#latestUs[side]!) this.#latestUs[side] = atUs;
    return atUs;
  }

  /** The latest time read of either side; the call's start before any. */
  get latestUs(): TimeUs {
    return Math.max(this.#latestUs[0]!, this.#latestUs[1]!);
  }

  #isPlausible(side: Side, atUs: TimeUs): boolean {
    const latestUs = this.#latestUs[side]!;
    return atUs >= latestUs - BACKWARD_US && atUs <= latestUs + FORWARD_US;
  }

  /** The other side has met the same step, or no time has passed since the packet before. */
  #correct(side: Side, capturedAtUs: TimeUs): TimeUs {
    this.steps++;
    const likeOtherUs = capturedAtUs + this.#correctionUs[otherSide(side)]!;
    const atUs = this.#isPlausible(side, likeOtherUs) ? likeOtherUs : this.#latestUs[side]!;
    this.#correctionUs[side] = atUs - capturedAtUs;
    return atUs;
  }
}

// The evidence that two streams carry the same audio: the last payloads that both had and nobody else, each with the
// delay between the two. Judges whether they agree; knows nothing of packets.
import type { StreamToken } from "./payload-stream.js";

/** So much of the matches must agree on who was first and by how much. */
const AGREEING = 0.9;
/** Delays of agreeing matches lie this close together. */
const MAX_SPREAD_US = 60_000;
/** Packets of one stream from the first match to the last: more than a tone takes to begin anew. */
const MIN_SPAN_PACKETS = 128;

export class PairTally<Owner> {
  other: StreamToken<Owner>;
  /** Matches since the evidence began. */
  matches = 0;
  private ownEpoch = 0;
  private otherEpoch = 0;
  private readonly fingerprints: Int32Array;
  /** Positive when the tally's owner was first. Never 0. */
  private readonly delaysUs: Float64Array;
  private readonly sortedUs: Float64Array;
  /** Packets that the owner had had by the first match and by the last. */
  private firstPacket = 0;
  private lastPacket = 0;

  /** Judges by the last `needed` matches. */
  constructor(needed: number, owner: StreamToken<Owner>, other: StreamToken<Owner>) {
    this.fingerprints = new Int32Array(needed);
    this.delaysUs = new Float64Array(needed);
    this.sortedUs = new Float64Array(needed);
    this.other = other;
    this.restart(owner, other);
  }

  restart(owner: StreamToken<Owner>, other: StreamToken<Owner>): void {
    this.other = other;
    this.ownEpoch = owner.epoch;
    this.otherEpoch = other.epoch;
    this.matches = 0;
  }

  /** Whether what was counted still stands. */
  isCurrent(owner: StreamToken<Owner>): boolean {
    return this.ownEpoch === owner.epoch && this.otherEpoch === this.other.epoch;
  }

  /** Counts a match unless its fingerprint is among the last ones. `packets`: how many the owner has had by now. */
  add(fingerprint: number, delayUs: number, packets: number): boolean {
    const needed = this.fingerprints.length;
    const kept = Math.min(this.matches, needed);
    for (let i = 0; i < kept; i++) if (this.fingerprints[i] === fingerprint) return false;
    const at = this.matches % needed;
    this.fingerprints[at] = fingerprint;
    this.delaysUs[at] = delayUs;
    if (this.matches === 0) this.firstPacket = packets;
    this.lastPacket = packets;
    this.matches++;
    return true;
  }

  /** The median delay in µs when the last matches agree, positive when the owner was first; 0 when they do not. */
  agreedDelayUs(): number {
    const needed = this.delaysUs.length;
    if (this.matches < needed || this.lastPacket - this.firstPacket < MIN_SPAN_PACKETS) return 0;
    const sorted = this.sortedUs;
    sorted.set(this.delaysUs);
    sorted.sort();
    const agreeing = Math.ceil(needed * AGREEING);
    const medianUs = sorted[needed >> 1]!;
    return sameSign(sorted, medianUs) >= agreeing && leastSpreadUs(sorted, agreeing) <= MAX_SPREAD_US ? medianUs : 0;
  }
}

function sameSign(delaysUs: Float64Array, asUs: number): number {
  let count = 0;
  for (let i = 0; i < delaysUs.length; i++) if (delaysUs[i]! > 0 === asUs > 0) count++;
  return count;
}

/** The smallest range that holds `count` of the sorted values. */
function leastSpreadUs(sortedUs: Float64Array, count: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i + count <= sortedUs.length; i++) least = Math.min(least, sortedUs[i + count - 1]! - sortedUs[i]!);
  return least;
}

// One RTP stream as the payload matcher knows it: what it sent of late (fingerprints only), with whom it shares
// payloads, and its partner. Made and changed by the matcher alone; its user keeps it and reads it.
import type { TimeUs } from "../base/ids.js";
import { PairTally } from "./payload-pair.js";

/** Fingerprints that a stream remembers of itself: about ten seconds of speech, in sets of the four newest each. */
const SETS = 16;
const WAYS = 4;
/** A fingerprint's highest bits name its set. */
const SET_SHIFT = 28;
/** The same packet met again within this time is a copy made by the network or the mirror, not a repetition. */
const COPY_WITHIN_MS = 10;

/** Pairs that one stream collects evidence for at a time; the one with the least gives way. */
const MAX_TALLIES = 4;

/** What a stream's own past says of a payload. */
export const Novelty = { fresh: 0, copy: 1, recurring: 2 } as const;
export type Novelty = (typeof Novelty)[keyof typeof Novelty];

export class StreamToken<Owner = unknown> {
  /** What the user gave to `open`. */
  readonly owner: Owner;
  /** Ascending in the order of opening; not reused. */
  readonly id: number;
  /** Opaque number of the sending host, 0 = unknown. Streams of one host are no relays of each other. */
  readonly sender: number;
  isOpen = true;
  /** Over the limit of streams: never has a partner, but what it carries is no longer exclusive. */
  readonly isSpare: boolean;
  /** Packets offered. */
  packets = 0;
  /** Looked at and found to say nothing. */
  plain = 0;
  /** Looked at and met before on this very stream: a tone or a loop. */
  recurring = 0;
  /** Payloads that were on more than two streams. */
  shared = 0;
  /** The stream of the same audio that was found last, and who of the two had it first. */
  partner: StreamToken<Owner> | undefined;
  isOriginal = false;
  /** Payloads that a third stream had as well, less those that only the pair had. */
  contest = 0;
  isContested = false;
  /** Any shared payload makes all that was counted for pairs of this stream void. */
  epoch = 0;
  lastShared = 0;
  readonly tallies: PairTally<Owner>[] = [];
  /** By set: the newest fingerprints, newest first, and behind them the times in ms (modulo 2^32) of each. */
  private readonly memory: Int32Array | undefined;

  constructor(id: number, owner: Owner, sender: number, isSpare: boolean) {
    this.id = id;
    this.owner = owner;
    this.sender = sender;
    this.isSpare = isSpare;
    this.memory = isSpare ? undefined : new Int32Array(SETS * WAYS * 2);
  }

  /** Remembers `fingerprint` and says whether it is new on this stream. */
  note(fingerprint: number, atUs: TimeUs): Novelty {
    const memory = this.memory;
    if (!memory) return Novelty.fresh;
    const atMs = (atUs / 1000) | 0;
    const set = (fingerprint >>> SET_SHIFT) * WAYS * 2;
    for (let at = set; at < set + WAYS; at++) {
      if (memory[at] !== fingerprint) continue;
      const ageMs = (atMs - memory[at + WAYS]!) | 0;
      if (ageMs <= COPY_WITHIN_MS && ageMs >= -COPY_WITHIN_MS) return Novelty.copy;
      memory[at + WAYS] = atMs;
      return Novelty.recurring;
    }
    for (let at = set + WAYS - 1; at > set; at--) {
      memory[at] = memory[at - 1]!;
      memory[at + WAYS] = memory[at + WAYS - 1]!;
    }
    memory[set] = fingerprint;
    memory[set + WAYS] = atMs;
    return Novelty.fresh;
  }

  /** The evidence for this stream and `other`, begun anew where it does not stand any more. */
  tallyWith(other: StreamToken<Owner>, matchesNeeded: number): PairTally<Owner> {
    let weakest: PairTally<Owner> | undefined;
    let leastMatches = Number.POSITIVE_INFINITY;
    for (const tally of this.tallies) {
      const isCurrent = tally.isCurrent(this);
      if (tally.other === other) {
        if (!isCurrent) tally.restart(this, other);
        return tally;
      }
      const matches = isCurrent ? tally.matches : 0;
      if (matches < leastMatches) {
        leastMatches = matches;
        weakest = tally;
      }
    }
    if (weakest && this.tallies.length >= MAX_TALLIES) {
      weakest.restart(this, other);
      return weakest;
    }
    const tally = new PairTally(matchesNeeded, this, other);
    this.tallies.push(tally);
    return tally;
  }
}

// Finds RTP streams that carry the same audio: an exchange that relays G.711 copies the payload bytes, so the relayed stream
// has the original's payloads a little later, whatever addresses, Call-IDs and SSRCs are. Keeps 32-bit fingerprints in
// memory, never payload; decides by packet content and packet time only. Out of scope: relays that change the payload
// (20 to 30 ms packets, A-law to µ-law, gain, mixing, SRTP). It cannot say why audio is the same: an echo service, a copy for
// another recorder or two listeners to one source look like a relay. Its user judges each pair by its calls and addresses.
import type { TimeUs } from "../base/ids.js";
import { fingerprint, isSampled, MAX_PAYLOAD_BYTES, MIN_PAYLOAD_BYTES, PayloadVariety } from "./payload-fingerprint.js";
import { PayloadSightings } from "./payload-sightings.js";
import { Novelty, StreamToken } from "./payload-stream.js";

export interface PayloadMatcherOptions {
  /** Streams open at one time that may have partners; further ones only count against exclusiveness. */
  maxStreams: number;
  /** A relayed copy follows its original within this time. Default 300,000. */
  windowUs?: number;
  /** Payloads that two streams must have had for themselves, 1…64. Default 12. */
  matchesNeeded?: number;
  /**
   * Fingerprints kept at one time, 1…2^20, 50 bytes each. A stream in conversation needs about two; when there are more than
   * fit, nothing is found until they fit again.
   */
  maxEntries: number;
}

/** `relayed` carries a copy of what `original` carries. */
export interface StreamPair<Owner> {
  original: StreamToken<Owner>;
  relayed: StreamToken<Owner>;
  /** Payloads that both streams had and no third one, since evidence was last void. */
  matches: number;
  /** Median of the last matches, µs, at least 1. */
  delayUs: number;
}

/** The sender of a stream whose host is not known. */
export const UNKNOWN_SENDER = 0;
const DEFAULT_WINDOW_US = 300_000;
const DEFAULT_MATCHES_NEEDED = 12;
const MAX_MATCHES_NEEDED = 64;
const MAX_ENTRIES = 2 ** 20;
/** A found pair is contested when a third stream had so many more of its payloads than it had for itself. */
const CONTESTED_AT = 8;

export class PayloadMatcher<Owner = unknown> {
  /** Packets whose content was looked at, of these without information, copies by the network, and repetitions. */
  sampled = 0;
  plain = 0;
  copies = 0;
  recurring = 0;
  /** Payloads found on exactly two streams that may be a pair, and sightings on a third or further stream. */
  exclusive = 0;
  shared = 0;
  /** Pairs found, and of these contested later. */
  found = 0;
  contested = 0;
  /** Streams opened over the limit. */
  overLimit = 0;
  private readonly maxStreams: number;
  private readonly matchesNeeded: number;
  private readonly onMatch: (pair: StreamPair<Owner>) => void;
  private readonly onContest: ((original: StreamToken<Owner>, relayed: StreamToken<Owner>) => void) | undefined;
  private readonly sightings: PayloadSightings<Owner>;
  private readonly variety = new PayloadVariety();
  private opened = 0;
  private watched = 0;

  /**
   * `onMatch` is called once for each pair, from within `offer` or `settle`, and may open, close and forget streams.
   * `onContest` is called once when a found pair becomes contested. Throws RangeError on options out of bounds.
   */
  constructor(
    options: PayloadMatcherOptions,
    onMatch: (pair: StreamPair<Owner>) => void,
    onContest?: (original: StreamToken<Owner>, relayed: StreamToken<Owner>) => void,
  ) {
    const windowUs = options.windowUs ?? DEFAULT_WINDOW_US;
    this.maxStreams = whole("maxStreams", options.maxStreams, Number.MAX_SAFE_INTEGER);
    this.matchesNeeded = whole("matchesNeeded", options.matchesNeeded ?? DEFAULT_MATCHES_NEEDED, MAX_MATCHES_NEEDED);
    this.onMatch = onMatch;
    this.onContest = onContest;
    this.sightings = new PayloadSightings(
      whole("maxEntries", options.maxEntries, MAX_ENTRIES),
      whole("windowUs", windowUs, Number.MAX_SAFE_INTEGER),
      {
        onExclusive: (first, second, delayUs, print) => this.exclusivePayload(first, second, delayUs, print),
        onShared: (stream, print) => this.sharedPayload(stream, print),
      },
    );
  }

  /** Streams that may have partners. */
  get streams(): number {
    return this.watched;
  }
  /** Payloads whose window is not over. */
  get pending(): number {
    return this.sightings.size;
  }
  /** Payloads given up before their window was over, and payloads that found no place. */
  get evicted(): number {
    return this.sightings.evicted;
  }
  get crowded(): number {
    return this.sightings.crowded;
  }

  /**
   * Begins to watch a stream. `sender` is any number that stands for the host that sends it, such as a hash of its
   * address: two streams of one known host are no pair, for one that plays music to two calls is no relay. Over the limit
   * the token is a spare one for good: it has no partner, but its payloads still count against others' exclusiveness.
   */
  open(owner: Owner, sender: number = UNKNOWN_SENDER): StreamToken<Owner> {
    const isSpare = this.watched >= this.maxStreams;
    if (isSpare) this.overLimit++;
    else this.watched++;
    this.opened++;
    return new StreamToken(this.opened, owner, sender, isSpare);
  }

  /** Ends it. Further packets of the stream are ignored. */
  close(token: StreamToken<Owner>): void {
    if (!token.isOpen) return;
    this.forget(token);
    token.isOpen = false;
    if (!token.isSpare) this.watched--;
  }

  /** What was found out about the stream is void: partner (for both), evidence, contest. It goes on being watched. */
  forget(token: StreamToken<Owner>): void {
    part(token);
    token.tallies.length = 0;
    token.epoch++;
    token.contest = 0;
    token.isContested = false;
  }

  /** A third stream carries what the pair carries: whether the pair is one is open again, until `forget`. */
  isContested(token: StreamToken<Owner>): boolean {
    return token.isContested;
  }

  /**
   * Hot path: a packet of the stream with its payload at `payloadStart`…`payloadEnd` of `data`, in the order of capture.
   * Found pairs should go on being offered, or a third copy is not noticed.
   */
  offer(token: StreamToken<Owner>, data: Buffer, payloadStart: number, payloadEnd: number, atUs: TimeUs): void {
    const length = payloadEnd - payloadStart;
    if (!(length >= MIN_PAYLOAD_BYTES && length <= MAX_PAYLOAD_BYTES)) return;
    if (payloadStart < 0 || payloadEnd > data.length) return;
    token.packets++;
    if (isSampled(data, payloadStart, length)) this.look(token, data, payloadStart, payloadEnd, atUs);
  }

  /** Judges what is due at `nowUs`; `offer` does so as well, but only when a packet says something. */
  settle(nowUs: TimeUs): void {
    if (Number.isFinite(nowUs)) this.sightings.settle(nowUs);
  }

  private look(token: StreamToken<Owner>, data: Buffer, start: number, end: number, atUs: TimeUs): void {
    if (!token.isOpen || !Number.isFinite(atUs)) return;
    this.sampled++;
    if (!this.variety.suffices(data, start, end)) {
      this.plain++;
      token.plain++;
      return;
    }
    const print = fingerprint(data, start, end);
    const novelty = token.note(print, atUs);
    if (novelty === Novelty.copy) {
      this.copies++;
      return;
    }
    if (novelty === Novelty.recurring) {
      this.recurring++;
      token.recurring++;
    }
    this.sightings.settle(atUs);
    this.sightings.sight(token, print, atUs, novelty === Novelty.recurring);
  }

  private exclusivePayload(
    first: StreamToken<Owner>,
    second: StreamToken<Owner>,
    delayUs: number,
    print: number,
  ): void {
    if (!mayPair(first, second)) return;
    this.exclusive++;
    if (first.partner === second && second.partner === first) {
      first.contest = second.contest = Math.max(0, first.contest - 1);
      return;
    }
    const isFirstOwner = first.id < second.id;
    const owner = isFirstOwner ? first : second;
    const tally = owner.tallyWith(isFirstOwner ? second : first, this.matchesNeeded);
    const directedUs = delayUs < 0 ? delayUs : Math.max(1, delayUs);
    if (!tally.add(print, isFirstOwner ? directedUs : -directedUs, owner.packets)) return;
    const agreedUs = tally.agreedDelayUs();
    if (agreedUs > 0) this.pair(owner, tally.other, tally.matches, agreedUs);
    else if (agreedUs < 0) this.pair(tally.other, owner, tally.matches, -agreedUs);
  }

  private pair(original: StreamToken<Owner>, relayed: StreamToken<Owner>, matches: number, delayUs: number): void {
    part(original);
    part(relayed);
    original.partner = relayed;
    relayed.partner = original;
    original.isOriginal = true;
    relayed.isOriginal = false;
    original.contest = relayed.contest = 0;
    // Evidence for other partners begins anew, or one of them could come back with a single match.
    original.epoch++;
    relayed.epoch++;
    this.found++;
    this.onMatch({ original, relayed, matches, delayUs });
  }

  private sharedPayload(token: StreamToken<Owner>, print: number): void {
    this.shared++;
    token.shared++;
    token.epoch++;
    token.lastShared = print;
    const partner = token.partner;
    if (!partner || partner.lastShared !== print) return;
    token.contest++;
    partner.contest = token.contest;
    if (token.contest < CONTESTED_AT || token.isContested) return;
    token.isContested = true;
    partner.isContested = true;
    this.contested++;
    if (token.isOriginal) this.onContest?.(token, partner);
    else this.onContest?.(partner, token);
  }
}

/** Whether a payload that only the two had says anything about them. */
function mayPair<Owner>(a: StreamToken<Owner>, b: StreamToken<Owner>): boolean {
  if (!a.isOpen || !b.isOpen || a.isSpare || b.isSpare || a.isContested || b.isContested) return false;
  return a.sender === UNKNOWN_SENDER || a.sender !== b.sender;
}

function part<Owner>(token: StreamToken<Owner>): void {
  const partner = token.partner;
  if (partner?.partner === token) partner.partner = undefined;
  token.partner = undefined;
}

function whole(name: string, value: number, maximum: number): number {
  if (!Number.isInteger(value) || value < 1 || value > maximum) throw new RangeError(`${name} is 1 to ${maximum}`);
  return value;
}

// Watches the streams of calls for pairs of which one repeats the other (payload-matcher.ts) and judges by the addresses
// whether that is a PBX between two halves of one call: copies for another recorder, or two listeners to one music, are
// not. Joins nothing itself.
import type { RelayPair } from "./halves.js";
import type { Leg } from "./leg.js";
import { PayloadMatcher, type StreamPair, UNKNOWN_SENDER } from "./payload-matcher.js";
import type { StreamToken } from "./payload-stream.js";

/** Fingerprints kept at one time: four for each pair of streams in conversation, so about 16,000 streams. */
const MAX_FINGERPRINTS = 65_536;
/** Packets that the far side of the relaying dialog must have sent: who only listens is no half of a call. */
const LEAST_ANSWER_PACKETS = 25;

/** What is known of a watched stream. */
export interface WatchedStream {
  leg: Leg;
  /** Source and destination address, four words each, as in `Datagram.key`. */
  key: Int32Array;
}

export interface RelayFound extends RelayPair {
  matches: number;
  delayMs: number;
}

export class RelayWatch {
  readonly matcher: PayloadMatcher<WatchedStream>;
  /** Pairs that the addresses spoke against. */
  refused = 0;

  /**
   * `meets`: do two legs' dialogs meet at one PBX by their signalling? `onRelay` returns false when the pair cannot be
   * joined; both kinds of refusal are judged again when more of the same is heard.
   */
  constructor(maxStreams: number, meets: (a: Leg, b: Leg) => boolean, onRelay: (found: RelayFound) => boolean) {
    this.matcher = new PayloadMatcher({ maxStreams, maxEntries: MAX_FINGERPRINTS }, (pair) => {
      if (isRelay(pair, meets) && onRelay(relayOf(pair))) return;
      this.refused++;
      this.matcher.forget(pair.relayed);
    });
  }

  watch(stream: WatchedStream): StreamToken<WatchedStream> {
    return this.matcher.open(stream, senderOf(stream.key));
  }

  exportCounters(): Record<string, number> {
    const { matcher } = this;
    return {
      "call.relays-found": matcher.found,
      "call.relays-refused": this.refused,
      "call.relays-contested": matcher.contested,
      "call.relay-streams": matcher.streams,
      "call.relay-streams-over-limit": matcher.overLimit,
    };
  }
}

function isRelay({ original, relayed }: StreamPair<WatchedStream>, meets: (a: Leg, b: Leg) => boolean): boolean {
  const [a, b] = [original.owner, relayed.owner];
  if (a.leg.dialog === b.leg.dialog) return false;
  const isPassedOn = [0, 1, 2, 3].every((i) => a.key[4 + i] === b.key[i]);
  return (isPassedOn || meets(a.leg, b.leg)) && hasSpoken(b.leg.other);
}

/** Somebody speaks at the far end of the relay. */
function hasSpoken(leg: Leg): boolean {
  for (const flow of leg.flows) {
    const streams = flow.bindings.find((binding) => binding.leg === leg)?.streams ?? [];
    if (streams.some(({ seen }) => seen >= LEAST_ANSWER_PACKETS)) return true;
  }
  return false;
}

function relayOf({ original, relayed, matches, delayUs }: StreamPair<WatchedStream>): RelayFound {
  return {
    edge: original.owner.leg,
    relay: relayed.owner.leg,
    matches,
    delayMs: Math.round(delayUs / 100) / 10,
  };
}

/** A number for the sending host; equal numbers of two hosts only cost a pair. */
function senderOf(key: Int32Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < 4; i++) hash = Math.imul(hash ^ key[i]!, 0x01000193);
  return hash === UNKNOWN_SENDER ? 1 : hash;
}

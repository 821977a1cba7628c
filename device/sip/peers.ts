// Who speaks SIP with whom, and how much in which direction: a mirror that shows one direction only is told by it. Counts
// per pair of addresses; bounded: the pair longest silent goes first. Knows nothing of a message but its way and method.
import { type AddressWords, formatAddress } from "../base/address.js";
import type { TimeUs } from "../base/ids.js";
import type { SipPeerFigures } from "../contract/span.js";
import type { SipArrival } from "./arrival.js";
import type { SipMessage } from "./message.js";

interface Pair {
  a: AddressWords;
  b: AddressWords;
  forth: number;
  back: number;
  invitesForth: number;
  invitesBack: number;
  lastAtUs: TimeUs;
}

export class SipPeers {
  /** Pairs forgotten for want of room. */
  evicted = 0;
  readonly #maximum: number;
  /** The one heard last is the last. */
  readonly #pairs = new Map<string, Pair>();

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  note(message: SipMessage, { source, destination, atUs }: SipArrival): void {
    const isForth = compare(source, destination) <= 0;
    const [a, b] = isForth ? [source, destination] : [destination, source];
    const key = `${a.join()} ${b.join()}`;
    const pair = this.#pairs.get(key) ?? { a, b, forth: 0, back: 0, invitesForth: 0, invitesBack: 0, lastAtUs: 0 };
    const isInvite = message.kind === "request" && message.method === "INVITE";
    if (isForth) {
      pair.forth++;
      if (isInvite) pair.invitesForth++;
    } else {
      pair.back++;
      if (isInvite) pair.invitesBack++;
    }
    pair.lastAtUs = atUs;
    this.#pairs.delete(key);
    this.#makeRoom();
    this.#pairs.set(key, pair);
  }

  /** The one heard last is the last. */
  figures(): SipPeerFigures[] {
    return [...this.#pairs.values()].map(({ a, b, ...counts }) => ({
      a: formatAddress(a, 0),
      b: formatAddress(b, 0),
      ...counts,
    }));
  }

  #makeRoom(): void {
    if (this.#pairs.size < this.#maximum) return;
    const [oldest] = this.#pairs.keys();
    if (oldest === undefined) return;
    this.#pairs.delete(oldest);
    this.evicted++;
  }
}

function compare(left: AddressWords, right: AddressWords): number {
  for (let word = 0; word < 4; word++) {
    const difference = (left[word]! >>> 0) - (right[word]! >>> 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

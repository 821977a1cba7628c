// One direction of UDP between two transport addresses that carries RTP, and what it is bound to. Bounded by the flow
// table; the longest silent stray flow gives way first.
import type { CallId, TimeUs } from "../base/ids.js";
import type { RecentPackets } from "../rtp/recent-packets.js";
import type { WordKeyed } from "../rtp/word-table.js";
import type { Leg } from "./leg.js";
import type { CallStream } from "./stream.js";

/** Places of the addresses in a flow's key, as in `Datagram.key`. */
export const SOURCE_AT = 0;
export const DESTINATION_AT = 4;
export type EndAt = typeof SOURCE_AT | typeof DESTINATION_AT;
const PORTS_AT = 8;
/** Streams of calls that are over, remembered per flow; the oldest goes first. */
const MAX_PAST = 4;
/** After so long a pause an SSRC may be another call's: some phones use one and the same for every call. */
const PAST_PAUSE_US = 1_000_000;

/** How sure it is that a flow carries a leg's audio, strongest first. */
export const Trust = {
  /** Source and destination are the negotiated addresses of both sides. */
  exact: 3,
  /** The source is the leg's negotiated address; the destination is unknown (the other side is behind NAT). */
  symmetric: 2,
  /** The destination is the other side's negotiated address; the source is the first one seen (the leg is behind NAT). */
  latched: 1,
  /** The destination fits, but the source changed without signalling. */
  changed: 0,
} as const;
export type Trust = (typeof Trust)[keyof typeof Trust];

/** A flow feeding one leg of one call. A flow has several only when two calls share the media (direct media). */
export interface Binding {
  readonly leg: Leg;
  trust: Trust;
  current: CallStream | undefined;
  /** Streams of this flow in this call, newest last. */
  readonly streams: CallStream[];
  /** SSRCs on a shared flow that are another call's. */
  readonly foreign: Set<number>;
  /** The source is or was the leg's own description's, not one that a relay gave it. */
  isOwnPlace: boolean;
}

interface PastStream {
  readonly ssrc: number;
  readonly callId: CallId;
  lastAtUs: TimeUs;
}

export class Flow implements WordKeyed {
  readonly key: Int32Array;
  bindings: Binding[] = [];
  lastAtUs: TimeUs = 0;
  packets = 0;
  /** What the mirror port's copies are told by, once the flow belongs to a call. */
  recent: RecentPackets | undefined;
  /** Endpoint-table versions at the last attempt to bind. */
  triedVersion = -1;
  triedSharedVersion = -1;
  /** When the last attempt is to be repeated though no address has changed: whom it lost to may fall silent. */
  tryAgainAtUs: TimeUs = Number.POSITIVE_INFINITY;
  private past: PastStream[] | undefined;

  constructor(key: Int32Array) {
    this.key = Int32Array.from(key);
  }

  /** Is another attempt to bind due? An exact binding can only be joined by another call that shares the address. */
  mayBindBetter(version: number, sharedVersion: number, nowUs: TimeUs): boolean {
    const first = this.bindings[0];
    if (first !== undefined && first.trust === Trust.exact) return this.triedSharedVersion !== sharedVersion;
    return this.triedVersion !== version || nowUs >= this.tryAgainAtUs;
  }

  /** However sure its bindings were, they are judged again with the next packet. */
  bindAnew(): void {
    this.triedVersion = -1;
    this.triedSharedVersion = -1;
  }

  portAt(at: EndAt): number {
    const ports = this.key[PORTS_AT]!;
    return at === SOURCE_AT ? ports >>> 16 : ports & 0xffff;
  }

  bindingOf(leg: Leg): Binding | undefined {
    const first = this.bindings[0];
    return first === undefined || first.leg === leg ? first : this.bindings.find((binding) => binding.leg === leg);
  }

  /**
   * The binding's call is over: what still comes of its streams is no other call's. What was refused there may well be:
   * the next call's first packets, ahead of its answer.
   */
  bury(binding: Binding): void {
    const { leg, streams } = binding;
    if (streams.length === 0 || !isAccepted(binding)) return;
    this.past ??= [];
    for (const { ssrc, lastAtUs } of streams.slice(-MAX_PAST)) this.past.push({ ssrc, callId: leg.call.id, lastAtUs });
    this.past.splice(0, this.past.length - MAX_PAST);
  }

  /** Was the flow of a call that is over? */
  get hasPast(): boolean {
    return this.past !== undefined;
  }

  /** A packet that is no call's: what a sender of a call that is over goes on sending stays that call's. */
  noteStray(ssrc: number, nowUs: TimeUs): void {
    const past = this.past?.findLast((one) => one.ssrc === ssrc);
    if (past !== undefined && nowUs - past.lastAtUs <= PAST_PAUSE_US) past.lastAtUs = nowUs;
  }

  /**
   * Is a packet the rest of a stream of a call that is over, and `leg` of another call? Two calls that follow each other
   * may have the same addresses; a sender that has not heard of the end, or packets on their way, belong to the first.
   */
  isLeftover(leg: Leg, ssrc: number, nowUs: TimeUs): boolean {
    const past = this.past?.findLast((one) => one.ssrc === ssrc);
    if (past === undefined || past.callId === leg.call.id || nowUs - past.lastAtUs > PAST_PAUSE_US) return false;
    past.lastAtUs = nowUs;
    return true;
  }
}

/** Whether a flow is accepted as carrying the leg's audio, for good or until something stronger turns up. */
export function isAccepted(binding: Binding | undefined): binding is Binding {
  return binding !== undefined && binding.trust >= Trust.latched;
}

export function sameAddress(a: ArrayLike<number>, atA: number, b: ArrayLike<number>, atB: number): boolean {
  for (let i = 0; i < 4; i++) if (a[atA + i] !== b[atB + i]) return false;
  return true;
}

/** Address and port. */
export function sameEnd(a: Flow, atA: EndAt, b: Flow, atB: EndAt): boolean {
  return a.portAt(atA) === b.portAt(atB) && sameAddress(a.key, atA, b.key, atB);
}

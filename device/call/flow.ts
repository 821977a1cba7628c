// One direction of UDP between two transport addresses that carries RTP, and what it is bound to. Bounded by the flow
// table; the longest silent stray flow gives way first.
import type { TimeUs } from "../base/ids.js";
import type { RecentPackets } from "../rtp/recent-packets.js";
import type { WordKeyed } from "../rtp/word-table.js";
import type { Leg } from "./leg.js";
import type { CallStream } from "./stream.js";

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

  constructor(key: Int32Array) {
    this.key = Int32Array.from(key);
  }

  /** Is another attempt to bind due? An exact binding can only be joined by another call that shares the address. */
  mayBindBetter(version: number, sharedVersion: number): boolean {
    const first = this.bindings[0];
    if (first !== undefined && first.trust === Trust.exact) return this.triedSharedVersion !== sharedVersion;
    return this.triedVersion !== version;
  }
}

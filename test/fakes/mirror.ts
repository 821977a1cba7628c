// What a mirror port makes of Ethernet frames that carry IP: the same packet again, as it was, in another VLAN, behind a
// router, or on another of the recorder's interfaces. Pure and seeded; never changes the frames it is given.
import { internetChecksum, sumOf } from "./frames.js";
import { makeRandom } from "./random.js";
import { mergeCalls, type TimedFrame } from "./timed-frames.js";

export type MirrorKind = "same" | "vlan" | "ttl" | "interface";
export const MIRROR_KINDS: readonly MirrorKind[] = ["same", "vlan", "ttl", "interface"];

const MAC_BYTES = 12;
const ETHERNET_BYTES = 14;
const ETHERTYPE_VLAN = 0x8100;
const ETHERTYPE_SERVICE_VLAN = 0x88a8;
const TAG_BYTES = 4;
const ETHERTYPE_IPV4 = 0x0800;
const IPV4_BYTES = 20;
const IPV4_HOP_LIMIT = 8;
const IPV4_CHECKSUM = 10;
const IPV6_HOP_LIMIT = 7;

export interface MirrorOptions {
  /** One copy of every frame per entry. */
  kinds: readonly MirrorKind[];
  /** Copies come between these two after the frame itself, in no order. Default 0. */
  minimumDelayMs?: number;
  maximumDelayMs?: number;
  seed?: number;
}

/** The frames and their copies in the order of their times. */
export function mirrored(frames: readonly TimedFrame[], options: MirrorOptions): TimedFrame[] {
  const random = makeRandom(options.seed ?? 1);
  const { minimumDelayMs = 0, maximumDelayMs = minimumDelayMs } = options;
  const copies = frames.flatMap((one) =>
    options.kinds.map((kind, i) => {
      const delayMs = minimumDelayMs + random() * (maximumDelayMs - minimumDelayMs);
      return copyOf(one, kind, Math.floor(delayMs * 1000), i);
    }),
  );
  return mergeCalls(frames, copies);
}

/** One copy, `delayUs` later; `index` tells several of a kind apart where the kind allows it. */
export function copyOf(one: TimedFrame, kind: MirrorKind, delayUs: number, index = 0): TimedFrame {
  const later = { ...one, atUs: one.atUs + delayUs };
  switch (kind) {
    case "same":
      return later;
    case "vlan":
      return { ...later, frame: inVlan(one.frame, 200 + index) };
    case "ttl":
      return { ...later, frame: routed(one.frame, 1 + index) };
    case "interface":
      return { ...later, interfaceIndex: (one.interfaceIndex ?? 0) + 1 + index };
  }
}

/** With an 802.1Q tag, or with another outermost one. */
function inVlan(frame: Buffer, vlan: number): Buffer {
  const tag = Buffer.alloc(TAG_BYTES);
  tag.writeUInt16BE(ETHERTYPE_VLAN, 0);
  tag.writeUInt16BE(vlan, 2);
  const rest = hasTag(frame, MAC_BYTES) ? MAC_BYTES + TAG_BYTES : MAC_BYTES;
  return Buffer.concat([frame.subarray(0, MAC_BYTES), tag, frame.subarray(rest)]);
}

function hasTag(frame: Buffer, at: number): boolean {
  const type = frame.readUInt16BE(at);
  return type === ETHERTYPE_VLAN || type === ETHERTYPE_SERVICE_VLAN;
}

/** `hops` routers later: other MAC addresses, a lower TTL or hop limit, another header checksum (RFC 1812 §5.2.1). */
function routed(frame: Buffer, hops: number): Buffer {
  const copy = Buffer.from(frame);
  copy[5]! ^= hops;
  copy[11]! ^= hops;
  let at = ETHERNET_BYTES;
  while (hasTag(copy, at - 2)) at += TAG_BYTES;
  if (copy.readUInt16BE(at - 2) === ETHERTYPE_IPV4) {
    copy[at + IPV4_HOP_LIMIT]! -= hops;
    copy.writeUInt16BE(0, at + IPV4_CHECKSUM);
    copy.writeUInt16BE(internetChecksum(sumOf(copy.subarray(at, at + IPV4_BYTES))), at + IPV4_CHECKSUM);
  } else {
    copy[at + IPV6_HOP_LIMIT]! -= hops;
  }
  return copy;
}

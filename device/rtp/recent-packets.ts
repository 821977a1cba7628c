// The last packets of one RTP flow (RFC 3550 §5.1), to tell a packet that a mirror port shows again from one that the
// sender sent again or whose sequence number it used twice. Per packet a handful of integers, no allocation; keeps no
// payload, only a digest of samples of it.
import { CopyKind, kindOfCopy } from "../base/copies.js";
import type { RtpView } from "./packet.js";

/** Sequence numbers between a packet and its copy: 640 ms at 20 ms per packet, 160 ms at 5 ms. A power of two. */
const SLOTS = 32;
const SLOT_WORDS = 5;
// Words of a slot.
const SEQUENCE = 0;
const DIGEST = 1;
const WAY = 2;
/** Low 32 bits of the capture time in µs. */
const TIME = 3;
/** IPv4 identification of the first packet, and above it of the last one that its sender sent again. */
const IDENTIFICATIONS = 4;
/** Set in a slot's sequence word, so that an empty slot is no packet. */
const PRESENT = 0x10000;

export class RecentPackets {
  private readonly slots = new Int32Array(SLOTS * SLOT_WORDS);

  /**
   * Remembers a packet, or tells that it is a copy and of what kind. A copy has a recent packet's sequence number and
   * digest, and its identification or another way here: what has another identification and came the same way was sent
   * again. `identification` is -1 in IPv6, `atUs` the capture time.
   */
  take(
    sequence: number,
    digest: number,
    identification: number,
    way: number,
    atUs: number,
    windowUs: number,
  ): CopyKind {
    const slots = this.slots;
    const at = (sequence & (SLOTS - 1)) * SLOT_WORDS;
    const time = atUs | 0;
    const own = identification & 0xffff;
    if (slots[at] === (PRESENT | sequence) && slots[at + DIGEST] === digest) {
      // The sign does not matter: two interfaces hand over their packets in turns, not in the order of their times.
      if (Math.abs((time - slots[at + TIME]!) | 0) <= windowUs) return this.judge(at, own, way);
    }
    slots[at + SEQUENCE] = PRESENT | sequence;
    slots[at + DIGEST] = digest;
    slots[at + WAY] = way;
    slots[at + TIME] = time;
    slots[at + IDENTIFICATIONS] = own | (own << 16);
    return CopyKind.none;
  }

  private judge(at: number, identification: number, way: number): CopyKind {
    const known = this.slots[at + IDENTIFICATIONS]!;
    const kind = kindOfCopy(way, this.slots[at + WAY]!);
    const isKnown = identification === (known & 0xffff) || identification === known >>> 16;
    if (isKnown || kind !== CopyKind.same) return kind;
    this.slots[at + IDENTIFICATIONS] = (known & 0xffff) | (identification << 16);
    return CopyKind.none;
  }
}

/**
 * A digest of an RTP packet: its length, payload type, marker, sequence number, timestamp, SSRC, and its last four bytes.
 * Cheap, not exact: where it does not tell a sender's other payload under the same number, a duplicate is counted as a
 * copy; dropped it is either way.
 */
export function digestPacket(view: RtpView, data: Buffer): number {
  const { payloadStart, payloadEnd } = view;
  const tail = (data[payloadEnd - 4]! << 24) | (data[payloadEnd - 3]! << 16) | (data[payloadEnd - 2]! << 8);
  const form = (view.payloadType << 17) | (view.marker ? 1 << 16 : 0) | ((payloadEnd - payloadStart) & 0xffff);
  const head = Math.imul(view.timestamp ^ Math.imul(view.ssrc, 0x85ebca6b), 0x9e3779b1) ^ form;
  const product = Math.imul(head ^ (head >>> 15) ^ view.sequence, 0x9e3779b1);
  return product ^ (product >>> 13) ^ tail ^ data[payloadEnd - 1]!;
}

// Tells a datagram that a mirror port shows again from one that was sent again: same addresses, same bytes, same IPv4
// identification, within a short window. A retransmission has an identification of its own (RFC 791 §3.1) or comes after
// SIP's T1 (RFC 3261 §17.1.1.1). IPv6 and senders that leave the field constant (RFC 6864 §4.1) have the window only.
import { createHash } from "node:crypto";
import { CopyCounters, kindOfCopy, packWay } from "../base/copies.js";
import type { TimeUs } from "../base/ids.js";
import { type Datagram, KEY_WORDS } from "./datagram.js";

/** Datagrams remembered per generation; there are two. */
const DEFAULT_MAX_DATAGRAMS = 4096;

interface Sighting {
  way: number;
  atUs: TimeUs;
}

export class DatagramCopies {
  readonly counters = new CopyCounters();
  /** Datagrams forgotten before their time, for want of room: their copies are handed on. */
  forgotten = 0;
  private readonly windowUs: number;
  private readonly maxDatagrams: number;
  private readonly identity = new Int32Array(KEY_WORDS + 1);
  private readonly identityBytes = new Uint8Array(this.identity.buffer);
  /** By digest. What is older than the window goes with its generation, so that nothing is ever searched for its age. */
  private young = new Map<string, Sighting>();
  private old = new Map<string, Sighting>();
  private youngSinceUs: TimeUs = 0;

  /** `windowMs` between a datagram and its copy, below 500 (T1); 0 = every datagram is handed on. */
  constructor(windowMs: number, maxDatagrams = DEFAULT_MAX_DATAGRAMS) {
    this.windowUs = windowMs * 1000;
    this.maxDatagrams = maxDatagrams;
  }

  /** True when the datagram is a copy of one that was handed on; counted by its kind. For rare datagrams: it hashes. */
  isCopy(datagram: Datagram): boolean {
    if (this.windowUs === 0) return false;
    const atUs = datagram.capturedAtUs;
    this.age(atUs);
    const { link } = datagram;
    const way = packWay(link.vlan, link.hopLimit, link.encapsulation, datagram.interfaceIndex);
    const digest = this.digest(datagram);
    const first = this.young.get(digest) ?? this.old.get(digest);
    // Absolute: two interfaces hand over their packets in turns, not in the order of their times.
    if (first !== undefined && Math.abs(atUs - first.atUs) <= this.windowUs) {
      this.counters.count(kindOfCopy(way, first.way));
      return true;
    }
    this.young.set(digest, { way, atUs });
    return false;
  }

  private digest(datagram: Datagram): string {
    this.identity.set(datagram.key);
    this.identity[KEY_WORDS] = datagram.link.identification;
    const payload = datagram.data.subarray(datagram.start, datagram.end);
    return createHash("sha256").update(this.identityBytes).update(payload).digest("base64");
  }

  private age(atUs: TimeUs): void {
    const ageUs = atUs - this.youngSinceUs;
    const isFull = this.young.size >= this.maxDatagrams;
    if (Math.abs(ageUs) <= this.windowUs && !isFull) return;
    if (isFull && ageUs <= this.windowUs) this.forgotten += this.old.size;
    const emptied = this.old;
    emptied.clear();
    this.old = this.young;
    this.young = emptied;
    this.youngSinceUs = atUs;
  }
}

// Reassembly of IPv4 (RFC 791 §3.2) and IPv6 (RFC 8200 §4.5) fragments in packet time: bounded by number, memory and
// age, the oldest datagram goes first. Overlaps that differ drop the datagram in both versions (RFC 5722). Off the hot
// path: fragments are rare (long INVITEs), so this may allocate.
import type { TimeUs } from "../base/ids.js";
import { AgeList } from "./age-list.js";
import type { NetCounters } from "./counters.js";
import { FragmentPagePool } from "./fragment-page.js";
import { PROTOCOL_NONE } from "./ip.js";
import type { PacketCursor } from "./packet-cursor.js";
import { MAX_DATAGRAM_BYTES, PartialDatagram } from "./partial-datagram.js";

export interface FragmentLimits {
  maxFragmentedDatagrams: number;
  maxFragmentMegabytes: number;
  fragmentTimeoutMs: number;
  /** Time in which fragments of a datagram that is whole are a mirror port's copies; by default there are none. */
  copyWindowMs?: number;
}

export class FragmentTable {
  /** When the oldest datagram times out; Infinity when there is none. Compared with each frame's time. */
  deadlineUs: TimeUs = Number.POSITIVE_INFINITY;
  readonly #maxDatagrams: number;
  readonly #maxBytes: number;
  readonly #timeoutUs: number;
  readonly #copyWindowUs: number;
  readonly #counters: NetCounters;
  readonly #datagrams = new Map<string, PartialDatagram>();
  /** Those that are incomplete, by arrival of their first fragment. */
  readonly #byAge = new AgeList<PartialDatagram>();
  /** Those that were handed on, by the time of it. */
  readonly #whole = new AgeList<PartialDatagram>();
  readonly #pool = new FragmentPagePool();
  /** The last datagram that became whole; valid until the next one does. */
  readonly #payload = Buffer.alloc(MAX_DATAGRAM_BYTES);
  #bytes = 0;

  constructor(limits: FragmentLimits, counters: NetCounters) {
    this.#maxDatagrams = limits.maxFragmentedDatagrams;
    this.#maxBytes = limits.maxFragmentMegabytes * 1024 * 1024;
    this.#timeoutUs = limits.fragmentTimeoutMs * 1000;
    this.#copyWindowUs = (limits.copyWindowMs ?? 0) * 1000;
    this.#counters = counters;
  }

  /** Incomplete datagrams held. */
  get size(): number {
    return this.#byAge.size;
  }

  /** Memory held for them. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes the fragment at the cursor. When it completes its datagram, the cursor is moved to the whole payload and the
   * payload's protocol is returned; otherwise NONE.
   */
  add(packet: PacketCursor, protocol: number, isIpv6: boolean): number {
    this.#counters.fragments++;
    if (!this.#isUsable(packet)) return PROTOCOL_NONE;
    const datagram = this.#find(packet, isIpv6 ? -1 : protocol);
    if (datagram.isRefused) return PROTOCOL_NONE;
    if (datagram.wholeAtUs !== undefined) {
      this.#counters.fragmentDuplicate++;
      return PROTOCOL_NONE;
    }
    if (packet.fragmentOffsetBytes === 0) datagram.protocol = protocol;
    if (!this.#store(datagram, packet) || !datagram.isComplete) return PROTOCOL_NONE;
    this.#counters.reassembled++;
    datagram.copyTo(this.#payload);
    packet.data = this.#payload;
    packet.at = 0;
    packet.end = datagram.lengthBytes;
    packet.wireEnd = packet.end;
    this.#finish(datagram, packet.capturedAtUs);
    packet.isFragment = false;
    return datagram.protocol;
  }

  /** Gives up datagrams that have waited too long at `nowUs`. */
  sweep(nowUs: TimeUs): void {
    let oldest = this.#byAge.oldest;
    while (oldest !== undefined && nowUs - oldest.firstAtUs > this.#timeoutUs) {
      this.#giveUp(oldest);
      oldest = this.#byAge.oldest;
    }
    let whole = this.#whole.oldest;
    while (whole !== undefined && nowUs - whole.wholeAtUs! > this.#copyWindowUs) {
      this.#remove(whole);
      whole = this.#whole.oldest;
    }
  }

  #finish(datagram: PartialDatagram, atUs: TimeUs): void {
    if (this.#copyWindowUs === 0) {
      this.#remove(datagram);
      return;
    }
    this.#bytes -= datagram.bytes;
    datagram.finish(atUs);
    this.#bytes += datagram.bytes;
    this.#byAge.remove(datagram);
    this.#whole.append(datagram);
    this.#updateDeadline();
  }

  #isUsable(packet: PacketCursor): boolean {
    if (packet.wireEnd > packet.end) {
      this.#counters.fragmentTruncated++;
      return false;
    }
    const lengthBytes = packet.remainingBytes;
    const isWhole = packet.hasMoreFragments ? lengthBytes % 8 === 0 : true;
    const isInRange = packet.fragmentOffsetBytes + lengthBytes <= MAX_DATAGRAM_BYTES;
    if (lengthBytes > 0 && isWhole && isInRange && !packet.isLengthUnknown) return true;
    this.#counters.badFragment++;
    return false;
  }

  #store(datagram: PartialDatagram, packet: PacketCursor): boolean {
    const offset = packet.fragmentOffsetBytes;
    this.#makeRoom(datagram.costOf(offset, offset + packet.remainingBytes), datagram);
    this.#bytes -= datagram.bytes;
    const fit = datagram.add(packet.data, packet.at, packet.end, offset, !packet.hasMoreFragments);
    if (fit === "contradiction") {
      datagram.refuse();
      this.#counters.fragmentOverlap++;
    }
    if (fit === "duplicate") this.#counters.fragmentDuplicate++;
    this.#bytes += datagram.bytes;
    return fit === "added";
  }

  /** The datagram the fragment belongs to: tunnel, source, destination, identification, and in IPv4 the protocol. */
  #find(packet: PacketCursor, protocol: number): PartialDatagram {
    const k = packet.key;
    const key = `${packet.tunnel} ${protocol} ${packet.identification} ${k[0]} ${k[1]} ${k[2]} ${k[3]} ${k[4]} ${k[5]} ${k[6]} ${k[7]}`;
    const known = this.#datagrams.get(key);
    if (known !== undefined) {
      // Absolute: the next capture file may be older than the last.
      const ageUs = Math.abs(packet.capturedAtUs - (known.wholeAtUs ?? known.firstAtUs));
      if (ageUs <= (known.wholeAtUs === undefined ? this.#timeoutUs : this.#copyWindowUs)) return known;
      this.#giveUp(known);
    }
    const datagram = new PartialDatagram(key, packet.capturedAtUs, this.#pool);
    if (this.#datagrams.size >= this.#maxDatagrams) this.#evictOldest(datagram);
    this.#datagrams.set(key, datagram);
    this.#byAge.append(datagram);
    this.#bytes += datagram.bytes;
    this.#updateDeadline();
    return datagram;
  }

  #makeRoom(moreBytes: number, keep: PartialDatagram): void {
    while (this.#bytes + moreBytes > this.#maxBytes && this.#evictOldest(keep));
  }

  #evictOldest(keep: PartialDatagram): boolean {
    const incomplete = this.#byAge.oldest === keep ? keep.newer : this.#byAge.oldest;
    const oldest = this.#whole.oldest ?? incomplete;
    if (oldest === undefined) return false;
    if (oldest === incomplete && !oldest.isRefused) this.#counters.fragmentEvicted++;
    this.#remove(oldest);
    return true;
  }

  #giveUp(datagram: PartialDatagram): void {
    if (!datagram.isRefused && datagram.wholeAtUs === undefined) this.#counters.fragmentTimeout++;
    this.#remove(datagram);
  }

  #remove(datagram: PartialDatagram): void {
    this.#datagrams.delete(datagram.key);
    (datagram.wholeAtUs === undefined ? this.#byAge : this.#whole).remove(datagram);
    this.#bytes -= datagram.bytes;
    datagram.release();
    this.#updateDeadline();
  }

  #updateDeadline(): void {
    const oldest = this.#byAge.oldest;
    const whole = this.#whole.oldest;
    this.deadlineUs = Math.min(
      oldest === undefined ? Number.POSITIVE_INFINITY : oldest.firstAtUs + this.#timeoutUs,
      whole === undefined ? Number.POSITIVE_INFINITY : whole.wholeAtUs! + this.#copyWindowUs,
    );
  }
}

// What is remembered of one TCP connection: its key and, for each direction seen, the next sequence number and the
// segments that came before their turn. Owns no policy: order is tcp-reassembly.ts's, lifetimes are tcp.ts's.
import type { TimeUs } from "../base/ids.js";
import type { Aged } from "./age-list.js";
import { KEY_WORDS } from "./datagram.js";

/** Where the consumer has the payload of an ignored direction counted, retransmissions included. */
export interface SkippedTally {
  bytes: number;
  lastAtUs: TimeUs;
}

/** One direction of one connection, as its consumer sees it; the same object for all of its data. */
export interface TcpDirection {
  /** Counts up from 1 over all directions; never used twice. */
  readonly id: number;
  /** The consumer's own, undefined at first. Dropped with the direction. */
  state: unknown;
  /** The other direction of the connection, once something of it was seen; undefined again when the connection ends. */
  readonly peer: TcpDirection | undefined;
  /** From now on this direction's segments are counted, in `tally` too when there is one, and skipped. */
  ignore(tally?: SkippedTally): void;
}

/** A segment that waits for a hole before it to be filled. */
export interface PendingSegment {
  sequence: number;
  /** Bytes on the wire; `data` holds fewer when the capture cut the segment. */
  wireBytes: number;
  data: Buffer;
  interfaceIndex: number;
}

/** Its place in an AgeList is its place among the directions that wait for a hole. */
export class TcpDirectionState implements TcpDirection, Aged<TcpDirectionState> {
  older: TcpDirectionState | undefined = undefined;
  newer: TcpDirectionState | undefined = undefined;
  readonly id: number;
  state: unknown = undefined;
  readonly connection: TcpConnection;
  /** True when its sender is the connection key's destination. */
  readonly isReverse: boolean;
  isIgnored = false;
  tally: SkippedTally | undefined = undefined;
  /** Sequence number of the first byte that may come: the SYN's plus one, or where the capture came in. */
  readonly firstSequence: number;
  /** Next expected sequence number, modulo 2^32 as a signed word. */
  nextSequence: number;
  /** Bytes were passed over since the last delivery. */
  hasGap: boolean;
  hasFin = false;
  finSequence = 0;
  /** In sequence order; overlaps are possible and are trimmed when their turn comes. */
  readonly pending: PendingSegment[] = [];
  pendingBytes = 0;
  /** Packet time since which the first pending segment waits. */
  holeSinceUs: TimeUs = 0;

  constructor(id: number, connection: TcpConnection, isReverse: boolean, firstSequence: number, hasGap: boolean) {
    this.id = id;
    this.connection = connection;
    this.isReverse = isReverse;
    this.firstSequence = firstSequence;
    this.nextSequence = firstSequence;
    this.hasGap = hasGap;
  }

  get peer(): TcpDirection | undefined {
    return this.isReverse ? this.connection.forward : this.connection.reverse;
  }

  ignore(tally?: SkippedTally): void {
    this.isIgnored = true;
    this.tally = tally;
  }

  /** Counts payload that is not handed on. */
  tallySkipped(bytes: number, atUs: TimeUs): void {
    if (this.tally === undefined) return;
    this.tally.bytes += bytes;
    this.tally.lastAtUs = atUs;
  }

  /** All bytes before the sender's FIN have been handed on or passed over. */
  get isFinished(): boolean {
    return this.hasFin && this.aheadBytes(this.finSequence) <= 0;
  }

  /** How far `sequence` lies ahead of the expected one; negative when behind (RFC 9293 §3.4: modulo 2^32). */
  aheadBytes(sequence: number): number {
    return (sequence - this.nextSequence) | 0;
  }

  /** Index in `pending` where a segment of that sequence number belongs: behind its equals. */
  pendingIndex(sequence: number): number {
    let low = 0;
    let high = this.pending.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (((sequence - this.pending[middle]!.sequence) | 0) < 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Its place in an AgeList is its place among the connections by last segment. */
export class TcpConnection implements Aged<TcpConnection> {
  older: TcpConnection | undefined = undefined;
  newer: TcpConnection | undefined = undefined;
  /** As in `Datagram.key`, from the side whose segment was seen first. */
  readonly key: Int32Array;
  readonly hash: number;
  lastAtUs: TimeUs;
  forward: TcpDirectionState | undefined = undefined;
  reverse: TcpDirectionState | undefined = undefined;
  /** Both directions have ended; remembered so that late copies do not look like a new connection. */
  isClosed = false;
  nextInBucket: TcpConnection | undefined = undefined;

  constructor(key: Int32Array, hash: number, atUs: TimeUs) {
    this.key = Int32Array.from(key);
    this.hash = hash;
    this.lastAtUs = atUs;
  }

  isForward(key: Int32Array): boolean {
    const own = this.key;
    for (let i = 0; i < KEY_WORDS; i++) if (own[i] !== key[i]) return false;
    return true;
  }

  isReverse(key: Int32Array): boolean {
    const own = this.key;
    for (let i = 0; i < 4; i++) if (own[i] !== key[i + 4] || own[i + 4] !== key[i]) return false;
    return own[8] === swapPorts(key[8]!);
  }

  /** Writes the key of one direction to `target`. */
  copyKey(isReverse: boolean, target: Int32Array): void {
    const own = this.key;
    const source = isReverse ? 4 : 0;
    const destination = 4 - source;
    for (let i = 0; i < 4; i++) {
      target[i] = own[source + i]!;
      target[i + 4] = own[destination + i]!;
    }
    target[8] = isReverse ? swapPorts(own[8]!) : own[8]!;
  }
}

function swapPorts(ports: number): number {
  return (ports << 16) | (ports >>> 16);
}

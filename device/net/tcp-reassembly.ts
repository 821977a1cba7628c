// Puts the segments of a direction in order (RFC 9293 §3.4, §3.10.7.4) as far as a listener can: it cannot ask for what
// it missed, so a hole is waited for within bounds of memory and packet time, then passed over, and the consumer is
// told. Never looks into the bytes and knows nothing of connections' lives.
import type { TimeUs } from "../base/ids.js";
import { AgeList } from "./age-list.js";
import { KEY_WORDS } from "./datagram.js";
import { LinkFacts } from "./link-facts.js";
import type { PendingSegment, TcpDirection, TcpDirectionState } from "./tcp-connection.js";
import type { TcpCounters } from "./tcp-counters.js";
import { TCP_FIN, TCP_SYN, type TcpSegment } from "./tcp-segment.js";

/** Bytes in order. ONE object is reused: whoever keeps bytes or the key copies them. `data[start..end)` are the bytes. */
export interface TcpData {
  /** As in `Datagram.key`: the source is this direction's sender. */
  key: Int32Array;
  data: Buffer;
  start: number;
  end: number;
  /** Time of the segment that made the bytes deliverable. */
  capturedAtUs: TimeUs;
  /**
   * Bytes right before `start` are missing: a hole was given up, or these are the first bytes of a direction whose SYN
   * was not seen (they may still begin with a whole message).
   */
  gap: boolean;
  direction: TcpDirection;
  interfaceIndex: number;
  /** Of the segment that made the bytes deliverable. */
  link: LinkFacts;
}
export type TcpDataSink = (data: TcpData) => void;

export interface ReassemblyLimits {
  maxDirectionBytes: number;
  maxTotalBytes: number;
  holeTimeoutUs: number;
}

/** The largest window there can be (RFC 7323 §2.3). */
const MAX_WINDOW_BYTES = 2 ** 30;
const MAX_PENDING_SEGMENTS = 256;
/** What a held segment costs besides its bytes. */
const PENDING_OVERHEAD_BYTES = 256;

export class TcpReassembly {
  readonly #limits: ReassemblyLimits;
  readonly #counters: TcpCounters;
  readonly #onData: TcpDataSink;
  readonly #out: TcpData;
  /** Directions with pending segments, the longest waiting first. */
  readonly #holes = new AgeList<TcpDirectionState>();
  #pendingBytes = 0;
  #nowUs: TimeUs = 0;

  constructor(limits: ReassemblyLimits, counters: TcpCounters, onData: TcpDataSink) {
    this.#limits = limits;
    this.#counters = counters;
    this.#onData = onData;
    const nobody: TcpDirection = { id: 0, state: undefined, peer: undefined, ignore: () => {} };
    this.#out = {
      key: new Int32Array(KEY_WORDS),
      data: Buffer.alloc(0),
      start: 0,
      end: 0,
      capturedAtUs: 0,
      gap: false,
      direction: nobody,
      interfaceIndex: 0,
      link: new LinkFacts(),
    };
  }

  /** Bytes held out of order, with what holding them costs. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Takes one segment of a direction and hands on what has become deliverable. */
  take(direction: TcpDirectionState, segment: TcpSegment): void {
    const { data, start, end, wireBytes, interfaceIndex } = segment;
    this.#out.link = segment.link;
    const sequence = firstDataSequence(segment);
    if (Math.abs(direction.aheadBytes(sequence)) > MAX_WINDOW_BYTES) {
      this.#counters.outOfWindow++;
      return;
    }
    const endSequence = (sequence + wireBytes) | 0;
    // A FIN before bytes that have come already is not the sender's.
    if ((segment.flags & TCP_FIN) !== 0 && direction.aheadBytes(endSequence) >= 0) {
      direction.hasFin = true;
      direction.finSequence = endSequence;
    }
    if (wireBytes === 0) return;
    if (direction.aheadBytes(sequence) > 0 && this.#makeRoom(direction, sequence, end - start)) {
      this.#hold(direction, sequence, segment);
      return;
    }
    this.#accept(direction, sequence, data, start, end, wireBytes, interfaceIndex);
    if (direction.pending.length > 0) this.#drain(direction);
  }

  /** Gives up the holes that have waited too long at `nowUs`; later calls deliver with this time. */
  advance(nowUs: TimeUs): void {
    this.#nowUs = nowUs;
    let oldest = this.#holes.oldest;
    while (oldest !== undefined && nowUs - oldest.holeSinceUs > this.#limits.holeTimeoutUs) {
      this.#giveUpHole(oldest);
      oldest = this.#holes.oldest;
    }
  }

  /** Hands on everything that is pending, gaps and all. */
  flush(direction: TcpDirectionState): void {
    while (direction.pending.length > 0) this.#giveUpHole(direction);
  }

  /** Accepts a segment that starts at or before the expected sequence number: hands on the part that is new. */
  #accept(
    direction: TcpDirectionState,
    sequence: number,
    data: Buffer,
    start: number,
    end: number,
    wireBytes: number,
    interfaceIndex: number,
  ): void {
    const knownBytes = -direction.aheadBytes(sequence);
    if (knownBytes >= wireBytes) {
      this.#counters.retransmitted++;
      return;
    }
    if (knownBytes > 0) this.#counters.overlapping++;
    direction.nextSequence = (sequence + wireBytes) | 0;
    if (start + knownBytes < end) this.#emit(direction, data, start + knownBytes, end, interfaceIndex);
    if (end - start < wireBytes) {
      this.#counters.truncated++;
      direction.hasGap = true;
    }
  }

  #emit(direction: TcpDirectionState, data: Buffer, start: number, end: number, interfaceIndex: number): void {
    if (direction.isIgnored) {
      direction.tallySkipped(end - start, this.#nowUs);
      return;
    }
    const out = this.#out;
    direction.connection.copyKey(direction.isReverse, out.key);
    out.data = data;
    out.start = start;
    out.end = end;
    out.capturedAtUs = this.#nowUs;
    out.gap = direction.hasGap;
    out.direction = direction;
    out.interfaceIndex = interfaceIndex;
    direction.hasGap = false;
    this.#counters.bytes += end - start;
    this.#onData(out);
  }

  /**
   * Gives up holes until `bytes` more can be held. False when the segment at `sequence` is then no longer ahead, so that
   * it can be accepted at once.
   */
  #makeRoom(direction: TcpDirectionState, sequence: number, bytes: number): boolean {
    const { maxDirectionBytes, maxTotalBytes } = this.#limits;
    const cost = bytes + PENDING_OVERHEAD_BYTES;
    while (direction.pending.length > 0 && this.#isFull(direction, cost)) {
      this.#giveUpHole(direction);
      if (direction.aheadBytes(sequence) <= 0) return false;
    }
    if (cost > maxDirectionBytes) {
      this.#passOver(direction, sequence);
      return false;
    }
    while (this.#pendingBytes + cost > maxTotalBytes && this.#holes.oldest !== undefined) {
      this.#giveUpHole(this.#holes.oldest);
    }
    return direction.aheadBytes(sequence) > 0;
  }

  #isFull(direction: TcpDirectionState, cost: number): boolean {
    const bytes = direction.pendingBytes + cost;
    return direction.pending.length >= MAX_PENDING_SEGMENTS || bytes > this.#limits.maxDirectionBytes;
  }

  /** Keeps a copy of a segment that came before its turn. */
  #hold(direction: TcpDirectionState, sequence: number, segment: TcpSegment): void {
    const index = direction.pendingIndex(sequence);
    const before = direction.pending[index - 1];
    if (before !== undefined && before.sequence === sequence && before.wireBytes >= segment.wireBytes) {
      this.#counters.retransmitted++;
      return;
    }
    this.#counters.outOfOrder++;
    const { wireBytes, interfaceIndex } = segment;
    // Not from the shared pool: one held byte would keep a whole slab of it alive.
    const data = Buffer.allocUnsafeSlow(segment.end - segment.start);
    segment.data.copy(data, 0, segment.start, segment.end);
    direction.pending.splice(index, 0, { sequence, wireBytes, data, interfaceIndex });
    direction.pendingBytes += data.length + PENDING_OVERHEAD_BYTES;
    this.#pendingBytes += data.length + PENDING_OVERHEAD_BYTES;
    if (direction.pending.length === 1) this.#startWaiting(direction);
  }

  /** Hands on the pending segments whose turn has come. */
  #drain(direction: TcpDirectionState): void {
    let count = 0;
    for (; count < direction.pending.length; count++) {
      const { sequence, data, wireBytes, interfaceIndex } = direction.pending[count]!;
      if (direction.aheadBytes(sequence) > 0) break;
      this.#accept(direction, sequence, data, 0, data.length, wireBytes, interfaceIndex);
    }
    if (count > 0) this.#release(direction, direction.pending.splice(0, count));
  }

  #release(direction: TcpDirectionState, segments: PendingSegment[]): void {
    for (const { data } of segments) {
      direction.pendingBytes -= data.length + PENDING_OVERHEAD_BYTES;
      this.#pendingBytes -= data.length + PENDING_OVERHEAD_BYTES;
    }
    this.#holes.remove(direction);
    if (direction.pending.length > 0) this.#startWaiting(direction);
  }

  #startWaiting(direction: TcpDirectionState): void {
    direction.holeSinceUs = this.#nowUs;
    this.#holes.append(direction);
  }

  #giveUpHole(direction: TcpDirectionState): void {
    this.#passOver(direction, direction.pending[0]!.sequence);
    this.#drain(direction);
  }

  #passOver(direction: TcpDirectionState, sequence: number): void {
    if (!direction.isIgnored) this.#counters.gaps++;
    direction.nextSequence = sequence;
    direction.hasGap = true;
  }
}

/** Sequence number of a segment's first data byte: a SYN takes one number itself (RFC 9293 §3.4). */
export function firstDataSequence(segment: TcpSegment): number {
  return (segment.flags & TCP_SYN) !== 0 ? (segment.sequence + 1) | 0 : segment.sequence;
}

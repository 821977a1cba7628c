// The lives of TCP connections on the mirror port (RFC 9293 §3.6, §3.10): begun by SYN or joined midway, ended by FIN,
// RST, silence or want of room. The order of bytes is tcp-reassembly.ts's; what the bytes mean is the consumer's.
import type { TimeUs } from "../base/ids.js";
import { type TcpConnection, type TcpDirection, TcpDirectionState } from "./tcp-connection.js";
import { TcpCounters } from "./tcp-counters.js";
import { firstDataSequence, type TcpDataSink, TcpReassembly } from "./tcp-reassembly.js";
import { TCP_FIN, TCP_RST, TCP_SYN, type TcpSegment } from "./tcp-segment.js";
import { TcpTable } from "./tcp-table.js";

export interface TcpOptions {
  /** Connections remembered; ended ones go first, then the longest silent. */
  maxConnections: number;
  /** Out-of-order bytes held per connection, half for each direction; beyond it the hole is given up. */
  maxBufferedBytesPerConnection: number;
  /** Out-of-order bytes held in all; beyond it the oldest hole is given up. */
  maxBufferedBytesTotal: number;
  /** Silence after which a connection is forgotten. */
  idleTimeoutMs: number;
  /** Packet time a hole is waited for; 3000 by default: longer than a first retransmission timeout (RFC 6298 §2.1). */
  holeTimeoutMs?: number;
}

/** Called when a direction is dropped, with the consumer's state still in it; no data follows. */
export type TcpEndSink = (direction: TcpDirection) => void;

const DEFAULT_HOLE_TIMEOUT_MS = 3000;

export class TcpStreams {
  readonly counters = new TcpCounters();
  readonly #table: TcpTable;
  readonly #reassembly: TcpReassembly;
  readonly #idleTimeoutUs: number;
  readonly #onEnd: TcpEndSink | undefined;
  #lastId = 0;
  #nowUs: TimeUs = 0;

  /** The sinks must not call back into this object, except through `TcpDirection.ignore`. */
  constructor(options: TcpOptions, onData: TcpDataSink, onEnd?: TcpEndSink) {
    const limits = {
      maxDirectionBytes: Math.min(options.maxBufferedBytesPerConnection >> 1, options.maxBufferedBytesTotal),
      maxTotalBytes: options.maxBufferedBytesTotal,
      holeTimeoutUs: (options.holeTimeoutMs ?? DEFAULT_HOLE_TIMEOUT_MS) * 1000,
    };
    this.#table = new TcpTable(options.maxConnections);
    this.#reassembly = new TcpReassembly(limits, this.counters, onData);
    this.#idleTimeoutUs = options.idleTimeoutMs * 1000;
    this.#onEnd = onEnd;
  }

  /** Connections remembered, ended ones included. */
  get connections(): number {
    return this.#table.size;
  }

  /** Out-of-order bytes held, with what holding them costs. */
  get bufferedBytes(): number {
    return this.#reassembly.pendingBytes;
  }

  /** Takes one segment; what it makes deliverable is handed on before the call returns. */
  push(segment: TcpSegment): void {
    this.counters.segments++;
    this.advance(segment.capturedAtUs);
    const connection = this.#find(segment);
    const isReverse = connection !== undefined && this.#table.isReverse;
    if ((segment.flags & TCP_RST) !== 0) {
      if (connection !== undefined) this.#takeReset(connection, isReverse, segment);
      return;
    }
    const direction = this.#directionFor(connection, isReverse, segment);
    if (direction === undefined) return;
    if (direction.isIgnored) this.#skip(direction, segment);
    else if (!direction.isFinished) this.#reassembly.take(direction, segment);
    else if (segment.wireBytes > 0) this.counters.afterEnd++;
    if (direction.isFinished) this.#closeWhenFinished(direction.connection);
  }

  /**
   * Gives up the holes and connections whose time is over at packet time `nowUs`; constant time when there are none.
   * `push` does this itself: call it when no TCP comes.
   */
  advance(nowUs: TimeUs): void {
    this.#nowUs = nowUs;
    this.#reassembly.advance(nowUs);
    let oldest = this.#table.live.oldest;
    while (oldest !== undefined && nowUs - oldest.lastAtUs > this.#idleTimeoutUs) {
      this.counters.idle++;
      this.#drop(oldest);
      oldest = this.#table.live.oldest;
    }
    let ended = this.#table.closed.oldest;
    while (ended !== undefined && nowUs - ended.lastAtUs > this.#idleTimeoutUs) {
      this.#drop(ended);
      ended = this.#table.closed.oldest;
    }
  }

  /** End of input: hands on what waits behind holes and forgets every connection. */
  finish(): void {
    for (let member = this.#table.live.oldest; member !== undefined; member = this.#table.live.oldest) {
      this.#drop(member);
    }
    for (let member = this.#table.closed.oldest; member !== undefined; member = this.#table.closed.oldest) {
      this.#drop(member);
    }
  }

  #find(segment: TcpSegment): TcpConnection | undefined {
    const connection = this.#table.find(segment.key);
    if (connection === undefined || connection.isClosed) return connection;
    // A packet from long before the last one comes from another capture file: another connection.
    if (connection.lastAtUs - this.#nowUs > this.#idleTimeoutUs) {
      this.counters.idle++;
      this.#drop(connection);
      return undefined;
    }
    connection.lastAtUs = this.#nowUs;
    this.#table.live.touch(connection);
    return connection;
  }

  /** The direction a segment belongs to, made when it is its first; undefined when there is nothing to follow. */
  #directionFor(
    found: TcpConnection | undefined,
    isReverse: boolean,
    segment: TcpSegment,
  ): TcpDirectionState | undefined {
    const known = isReverse ? found?.reverse : found?.forward;
    if ((segment.flags & TCP_SYN) !== 0) return this.#directionOfSyn(found, isReverse, known, segment);
    if (known !== undefined) return known;
    // A bare acknowledgment carries nothing and a keep-alive's number is one too low: neither begins a direction.
    const isBare = segment.wireBytes === 0 && (segment.flags & TCP_FIN) === 0;
    if (isBare) return undefined;
    if (found?.isClosed) {
      this.counters.afterEnd++;
      return undefined;
    }
    this.counters.midstream++;
    return this.#begin(found ?? this.#open(segment), isReverse, segment, true);
  }

  #directionOfSyn(
    found: TcpConnection | undefined,
    isReverse: boolean,
    known: TcpDirectionState | undefined,
    segment: TcpSegment,
  ): TcpDirectionState {
    if (found === undefined) return this.#begin(this.#open(segment), false, segment, false);
    if (known !== undefined && known.firstSequence === firstDataSequence(segment)) return known;
    if (known === undefined && !found.isClosed) return this.#begin(found, isReverse, segment, false);
    this.counters.restarted++;
    this.#drop(found);
    return this.#begin(this.#open(segment), false, segment, false);
  }

  #open(segment: TcpSegment): TcpConnection {
    const victim = this.#table.whatMustGo(segment.key);
    if (victim !== undefined) {
      if (!victim.isClosed) this.counters.evicted++;
      this.#drop(victim);
    }
    this.counters.connections++;
    return this.#table.add(segment.key, this.#nowUs);
  }

  #begin(connection: TcpConnection, isReverse: boolean, segment: TcpSegment, isMidway: boolean): TcpDirectionState {
    const sequence = firstDataSequence(segment);
    const direction = new TcpDirectionState(++this.#lastId, connection, isReverse, sequence, isMidway);
    if (isReverse) connection.reverse = direction;
    else connection.forward = direction;
    return direction;
  }

  /** An ignored direction is not followed: its FIN ends it wherever it stands. */
  #skip(direction: TcpDirectionState, segment: TcpSegment): void {
    this.counters.ignored++;
    direction.tallySkipped(segment.wireBytes, this.#nowUs);
    if (direction.pending.length > 0) this.#reassembly.flush(direction);
    if ((segment.flags & TCP_FIN) === 0) return;
    direction.hasFin = true;
    direction.finSequence = direction.nextSequence;
  }

  /**
   * A RST is believed at the expected sequence number (RFC 5961 §3.2), behind a FIN's own, or where none is known. One
   * that is not believed does no harm: the connection goes silent and times out.
   */
  #takeReset(connection: TcpConnection, isReverse: boolean, segment: TcpSegment): void {
    if (connection.isClosed) return;
    const direction = isReverse ? connection.reverse : connection.forward;
    if (direction !== undefined && !direction.isIgnored && !isResetDue(direction, segment.sequence)) {
      this.counters.resetIgnored++;
      return;
    }
    this.counters.reset++;
    this.#drop(connection);
  }

  #closeWhenFinished(connection: TcpConnection): void {
    if (connection.isClosed || !connection.forward?.isFinished || !connection.reverse?.isFinished) return;
    this.counters.finished++;
    this.#endDirections(connection);
    this.#table.markClosed(connection);
  }

  #drop(connection: TcpConnection): void {
    this.#endDirections(connection);
    this.#table.remove(connection);
  }

  #endDirections(connection: TcpConnection): void {
    const { forward, reverse } = connection;
    connection.forward = undefined;
    connection.reverse = undefined;
    if (forward !== undefined) this.#end(forward);
    if (reverse !== undefined) this.#end(reverse);
  }

  #end(direction: TcpDirectionState): void {
    this.#reassembly.flush(direction);
    this.#onEnd?.(direction);
    direction.state = undefined;
  }
}

function isResetDue(direction: TcpDirectionState, sequence: number): boolean {
  if (direction.aheadBytes(sequence) === 0) return true;
  return direction.hasFin && ((sequence - direction.finSequence) | 0) === 1;
}

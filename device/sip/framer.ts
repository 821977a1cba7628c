// SIP messages out of a byte stream (TCP): finds each message's end by its Content-Length, skips keep-alives and junk,
// and finds the next start line after a gap. Holds at most one message's worth of bytes, more than a first buffer only
// within a shared budget; every byte is looked at a bounded number of times. Parses no more than it needs.
// RFC 3261 §18.3, §7.5; RFC 5626 §3.5.1.
import { contentLength } from "./body.js";
import { splitHead } from "./bounds.js";
import type { ByteBudget } from "./byte-budget.js";
import type { SipLimits } from "./message.js";
import { looksLikeSip } from "./start-line.js";
import { isTokenOctet } from "./text.js";

const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;
const COLON = 58;
const FIRST_BUFFER_BYTES = 4096;
/** Room beyond the longest message and the line behind it, so that not every byte that follows costs a move. */
const SPARE_BYTES = 4096;

/** `data[start..end)` is one message, valid only during the call; its rest is missing when it is truncated. */
export type SipStreamSink = (data: Buffer, start: number, end: number, truncated: boolean) => void;

export interface SipFramerCounters {
  /** Handed on, truncated ones included. */
  messages: number;
  /** Bytes that belonged to no message: junk, messages that were too long. */
  discardedBytes: number;
  /** Bytes between messages that keep a connection open. */
  keepAliveBytes: number;
  /** Messages given up because head or body exceed the limit, or the budget. */
  tooLong: number;
}

/** seek: at a line's start, looking for a start line. head: behind one. body: the message's end is known. */
type Phase = "seek" | "head" | "body";

export class SipStreamFramer {
  readonly counters: SipFramerCounters = { messages: 0, discardedBytes: 0, keepAliveBytes: 0, tooLong: 0 };
  private readonly limits: SipLimits;
  private readonly sink: SipStreamSink;
  private readonly budget: ByteBudget;
  private buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
  private phase: Phase = "seek";
  /** First byte that is still needed, and first free byte. */
  private begin = 0;
  private end = 0;
  /** Start of the line being completed, and how far it has been searched for its end. */
  private lineStart = 0;
  private scanned = 0;
  private messageEnd = 0;
  /** The rest of an overlong line is no line of its own. */
  private isInsideJunkLine = false;

  constructor(limits: SipLimits, budget: ByteBudget, sink: SipStreamSink) {
    this.limits = limits;
    this.budget = budget;
    this.sink = sink;
  }

  /** Behind a start line whose message is not complete. */
  get isInsideMessage(): boolean {
    return this.phase !== "seek";
  }

  /** Takes the next bytes of the stream; the sink is called for every message they complete. */
  push(data: Buffer, start: number, end: number): void {
    for (let at = start; at < end; ) {
      this.makeRoom(end - at);
      const taken = Math.min(end - at, this.buffer.length - this.end);
      data.copy(this.buffer, this.end, at, at + taken);
      this.end += taken;
      at += taken;
      this.drain();
    }
  }

  /** Bytes of the stream are missing here: what was begun is handed on as far as it is there. */
  gap(): void {
    const { begin, end } = this;
    if (this.isInsideMessage) {
      this.rewind(end, end);
      this.counters.messages++;
      this.sink(this.buffer, begin, end, true);
    } else {
      this.discardUpTo(end);
    }
    this.isInsideJunkLine = false;
    this.shrinkWhenEmpty();
  }

  /** Gives its memory back. Nothing may be pushed afterwards. */
  close(): void {
    this.rewind(0, 0);
    this.shrinkWhenEmpty();
  }

  private drain(): void {
    while (this.advance()) {
      // Each step consumes a line or a message.
    }
    this.shrinkWhenEmpty();
  }

  /** One step; false when more bytes are needed. */
  private advance(): boolean {
    if (this.phase === "body") return this.deliver();
    const lineEnd = this.completeLine();
    if (lineEnd < 0) return false;
    return this.phase === "seek" ? this.seek(lineEnd) : this.readHeadLine(lineEnd);
  }

  /** Offset behind the current line, -1 while its end is not there. An overlong line is given up. */
  private completeLine(): number {
    while (this.scanned < this.end) {
      if (this.buffer[this.scanned++] === LF) return this.scanned;
      if (this.scanned - this.lineStart <= this.limits.maxLineBytes) continue;
      this.giveUp(this.scanned);
      this.isInsideJunkLine = true;
    }
    return -1;
  }

  private seek(lineEnd: number): boolean {
    const isJunk = this.isInsideJunkLine;
    this.isInsideJunkLine = false;
    if (!isJunk && looksLikeSip(this.buffer, this.lineStart, lineEnd)) {
      this.phase = "head";
      this.lineStart = lineEnd;
    } else if (!isJunk && this.isEmptyLine(lineEnd)) {
      // A keep-alive (RFC 5626 §3.5.1).
      this.counters.keepAliveBytes += lineEnd - this.begin;
      this.rewind(lineEnd, this.end);
    } else {
      this.discardUpTo(lineEnd);
    }
    return true;
  }

  private readHeadLine(lineEnd: number): boolean {
    if (this.isEmptyLine(lineEnd)) return this.finishHead(lineEnd);
    if (lineEnd - this.begin > this.limits.maxMessageBytes) {
      this.giveUp(lineEnd);
    } else if (this.isHeaderLine(lineEnd)) {
      this.lineStart = lineEnd;
    } else {
      // Not a header: perhaps the start line of the next message behind a gap. It is looked at again, once.
      this.discardUpTo(this.lineStart);
    }
    return true;
  }

  /** A field name and a colon, or a continuation line. */
  private isHeaderLine(lineEnd: number): boolean {
    let at = this.lineStart;
    if (this.isBlankAt(at)) return true;
    while (at < lineEnd && isTokenOctet(this.buffer[at]!)) at++;
    const hasName = at > this.lineStart;
    while (at < lineEnd && this.isBlankAt(at)) at++;
    return hasName && this.buffer[at] === COLON;
  }

  private isBlankAt(at: number): boolean {
    return this.buffer[at] === SPACE || this.buffer[at] === TAB;
  }

  private isEmptyLine(lineEnd: number): boolean {
    const length = lineEnd - this.lineStart;
    return length === 1 || (length === 2 && this.buffer[this.lineStart] === CR);
  }

  /** Over a stream a message without Content-Length has no body (RFC 3261 §20.14). */
  private finishHead(headEnd: number): boolean {
    const octets = this.buffer.subarray(this.begin, headEnd);
    const split = splitHead(octets, this.limits, { startLine: true, truncated: false });
    if (!split.ok) {
      this.discardUpTo(headEnd);
      return true;
    }
    const values = split.head.fields.filter((field) => field.name === "content-length").map((field) => field.value);
    this.messageEnd = headEnd + (contentLength(values).octets ?? 0);
    if (this.messageEnd - this.begin > this.limits.maxMessageBytes) this.giveUp(headEnd);
    else this.phase = "body";
    return true;
  }

  private deliver(): boolean {
    if (this.end < this.messageEnd) return false;
    const { begin, messageEnd } = this;
    this.rewind(messageEnd, this.end);
    this.counters.messages++;
    this.sink(this.buffer, begin, messageEnd, false);
    return true;
  }

  private giveUp(upTo: number): void {
    if (this.phase !== "seek") this.counters.tooLong++;
    this.discardUpTo(upTo);
  }

  private discardUpTo(upTo: number): void {
    this.counters.discardedBytes += upTo - this.begin;
    this.rewind(upTo, this.end);
  }

  /** Back to looking for a start line at `begin`. */
  private rewind(begin: number, end: number): void {
    this.phase = "seek";
    this.begin = begin;
    this.end = end;
    this.lineStart = begin;
    this.scanned = begin;
  }

  /** Free space for at least one byte, for `wanted` when the limits allow it. */
  private makeRoom(wanted: number): void {
    if (this.buffer.length - this.end >= wanted) return;
    const kept = this.end - this.begin;
    const maximum = this.limits.maxMessageBytes + this.limits.maxLineBytes + SPARE_BYTES;
    let capacity = this.buffer.length;
    while (capacity < kept + wanted && capacity < maximum) capacity = Math.min(maximum, capacity * 2);
    if (this.end < this.buffer.length && capacity === this.buffer.length) return;
    if (!this.budget.take(capacity - this.buffer.length)) capacity = this.buffer.length;
    const target = capacity === this.buffer.length ? this.buffer : Buffer.allocUnsafe(capacity);
    this.buffer.copy(target, 0, this.begin, this.end);
    this.buffer = target;
    this.shiftBack(this.begin);
    if (this.end === this.buffer.length) this.giveUpForWantOfRoom();
  }

  /** A full buffer that may not grow: the message goes, and the rest of its line is no line of its own. */
  private giveUpForWantOfRoom(): void {
    this.isInsideJunkLine = this.buffer[this.end - 1] !== LF;
    this.giveUp(this.end);
    this.rewind(0, 0);
  }

  private shrinkWhenEmpty(): void {
    if (this.begin !== this.end) return;
    this.rewind(0, 0);
    if (this.buffer.length === FIRST_BUFFER_BYTES) return;
    this.budget.release(this.buffer.length - FIRST_BUFFER_BYTES);
    this.buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
  }

  private shiftBack(by: number): void {
    this.begin -= by;
    this.end -= by;
    this.lineStart -= by;
    this.scanned -= by;
    this.messageEnd -= by;
  }
}

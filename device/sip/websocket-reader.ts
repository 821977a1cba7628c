// SIP messages out of one direction of a WebSocket connection (RFC 6455 §5, RFC 7118 §5): frames to messages, masked or
// not, fragmented, compressed. Joins midway and goes on after a gap at the next frame that begins like SIP. Holds one
// message and a few bytes besides. What is no SIP message is the parser's business.
import type { ByteBudget } from "./byte-budget.js";
import type { SipStreamSink } from "./framer.js";
import type { SipLimits } from "./message.js";
import { MessageBuffer } from "./message-buffer.js";
import {
  FrameHeader,
  HEADER_INCOMPLETE,
  HEADER_INVALID,
  OPCODE_CONTINUATION,
  readFrameHeader,
  unmask,
} from "./websocket-frame.js";
import { type InflateWindows, MessageInflater } from "./websocket-inflater.js";
import { sightFrame, sightSip } from "./websocket-sniff.js";

const LF = 10;
const CR = 13;
const EMPTY = Buffer.alloc(0);
const NO_MASK = new Uint8Array(4);
/** What is enough of a compressed message to see whether it begins like SIP, and what is too little. */
const MAX_PEEK_BYTES = 1024;
const MIN_PEEK_BYTES = 16;
/** Text or binary, whole, compressed: first bytes of frames that are looked into. */
const COMPRESSED_FRAMES = [0xc1, 0xc2];

/** Totals over all readers. */
export class WebSocketCounters {
  /** Handed on, truncated ones included. */
  messages = 0;
  /** Messages beyond the limit, or for which there was no memory. */
  tooLong = 0;
  /** Compressed messages that cannot be decompressed: what they refer to was not seen, or they are too long. */
  undecodable = 0;
  /** Times that a reader did not know where the next frame begins. */
  lost = 0;
  /** Messages whose end or beginning is missing, not handed on. */
  incomplete = 0;
}

/** seek: where the next frame begins is not known. */
type Phase = "seek" | "header" | "payload";

export interface WebSocketReaderOptions {
  limits: SipLimits;
  budget: ByteBudget;
  windows: InflateWindows;
  counters: WebSocketCounters;
}

export class WebSocketReader {
  /** The two sides agreed on a compression, or may have. */
  isCompressionPossible = true;
  /** Frames are looked for by decompressing as well: not where most streams carry something else. */
  seeksCompressed = false;
  readonly #counters: WebSocketCounters;
  readonly #sink: SipStreamSink;
  readonly #inflater: MessageInflater;
  readonly #message: MessageBuffer;
  readonly #header = new FrameHeader();
  #phase: Phase = "seek";
  /** Undecided bytes: the beginning of a header, or of what may be one. */
  #carry = EMPTY;
  #payloadAt = 0;
  /** A data message is open: its first frame was seen, its last was not. */
  #isOpen = false;
  #isCompressed = false;
  /** Nothing more of the open message is kept. */
  #isDropped = false;

  constructor(options: WebSocketReaderOptions, sink: SipStreamSink) {
    this.#counters = options.counters;
    this.#sink = sink;
    this.#inflater = new MessageInflater(options.windows, options.limits.maxMessageBytes);
    this.#message = new MessageBuffer(options.limits.maxMessageBytes, options.budget);
  }

  /** Knows where the next frame begins. */
  get isSynchronised(): boolean {
    return this.#phase !== "seek";
  }

  /** The next byte begins a frame: the handshake is over (RFC 6455 §4.1). */
  begin(): void {
    this.#reset();
    this.#phase = "header";
  }

  /** Takes the next bytes; the sink is called for every message they complete. They are not changed. */
  push(data: Buffer, start: number, end: number): void {
    let source = data;
    let at = start;
    let limit = end;
    // Where a segment begins, a frame is likely to begin.
    let segmentAt = start;
    if (this.#carry.length > 0) {
      segmentAt = this.#carry.length;
      source = Buffer.concat([this.#carry, data.subarray(start, end)]);
      at = 0;
      limit = source.length;
      this.#carry = EMPTY;
    }
    while (at < limit) {
      if (this.#phase === "seek") at = this.#seek(source, at, limit, segmentAt);
      else if (this.#phase === "header") at = this.#takeHeader(source, at, limit);
      else at = this.#takePayload(source, at, limit);
    }
  }

  /** Bytes of the stream are missing here: what was begun is handed on as far as it can be read. */
  gap(): void {
    if (this.#isOpen && !this.#isDropped && !this.#isCompressed && this.#message.length > 0) {
      this.#deliver(this.#message.bytes, true);
      this.#isOpen = false;
    }
    if (this.isSynchronised) this.#counters.lost++;
    this.#reset();
  }

  /** Gives its memory back. Nothing may be pushed afterwards. */
  close(): void {
    this.#reset();
  }

  #reset(): void {
    if (this.#isOpen && !this.#isDropped) this.#counters.incomplete++;
    this.#phase = "seek";
    this.#carry = EMPTY;
    this.#isOpen = false;
    this.#message.clear();
    this.#inflater.forget();
  }

  /** Looks for the next frame that begins like SIP; returns how far it has looked. */
  #seek(data: Buffer, from: number, end: number, segmentAt: number): number {
    const likelyAt = from <= segmentAt ? this.#behindControlFrames(data, segmentAt, end) : -1;
    for (let at = from; at < end; at++) {
      const sight = sightFrame(data, at, end, this.#header);
      if (sight === "yes" || (at === likelyAt && this.#opensCompressed(data, at, end))) {
        this.#phase = "header";
        return at;
      }
      if (sight === "more") return this.#keep(data, at, end);
    }
    return end;
  }

  #behindControlFrames(data: Buffer, from: number, end: number): number {
    let at = from;
    while (at < end) {
      const headerBytes = readFrameHeader(data, at, end, this.#header);
      if (headerBytes <= 0 || !this.#header.isControl) break;
      at += headerBytes + this.#header.payloadBytes;
    }
    return at;
  }

  /**
   * Whether a whole compressed message stands at `data[at]` that begins like SIP. Costs a decompression, so it is asked
   * where a segment begins only.
   */
  #opensCompressed(data: Buffer, at: number, end: number): boolean {
    if (!this.seeksCompressed || !this.isCompressionPossible) return false;
    if (!COMPRESSED_FRAMES.includes(data[at]!)) return false;
    const headerBytes = readFrameHeader(data, at, end, this.#header);
    if (headerBytes <= 0 || this.#header.payloadBytes < MIN_PEEK_BYTES) return false;
    const start = at + headerBytes;
    const payload = Buffer.from(
      data.subarray(start, Math.min(end, start + this.#header.payloadBytes, start + MAX_PEEK_BYTES)),
    );
    unmask(payload, 0, payload.length, this.#header.mask, 0);
    const text = this.#inflater.peek(payload);
    return text !== undefined && sightSip(text, 0, text.length, NO_MASK) === "yes";
  }

  #takeHeader(data: Buffer, at: number, end: number): number {
    const headerBytes = readFrameHeader(data, at, end, this.#header);
    if (headerBytes === HEADER_INCOMPLETE) return this.#keep(data, at, end);
    if (headerBytes === HEADER_INVALID || !this.#beginFrame()) {
      this.#counters.lost++;
      this.#reset();
      return at + 1;
    }
    this.#payloadAt = 0;
    this.#phase = "payload";
    if (this.#header.payloadBytes === 0) this.#endFrame();
    return at + headerBytes;
  }

  /** False when the frame cannot be one of this connection. */
  #beginFrame(): boolean {
    const { isControl, opcode, isCompressed } = this.#header;
    if (isCompressed && !this.isCompressionPossible) return false;
    if (isControl) return true;
    if (opcode === OPCODE_CONTINUATION) this.#continueMessage();
    else this.#openMessage(isCompressed);
    return true;
  }

  #openMessage(isCompressed: boolean): void {
    // The open one should have gone on.
    if (this.#isOpen) this.#dropMessage();
    this.#isOpen = true;
    this.#isDropped = false;
    this.#isCompressed = isCompressed;
  }

  /** Of a message whose beginning was not seen nothing is kept. */
  #continueMessage(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#isDropped = true;
    this.#counters.incomplete++;
  }

  #takePayload(data: Buffer, at: number, end: number): number {
    const { payloadBytes, isControl, mask } = this.#header;
    const taken = Math.min(end - at, payloadBytes - this.#payloadAt);
    if (!isControl && !this.#isDropped) {
      const before = this.#message.length;
      if (this.#message.append(data, at, at + taken)) {
        const { bytes } = this.#message;
        unmask(bytes, before, bytes.length, mask, this.#payloadAt);
      } else {
        this.#counters.tooLong++;
        this.#dropContents();
      }
    }
    this.#payloadAt += taken;
    if (this.#payloadAt === payloadBytes) this.#endFrame();
    return at + taken;
  }

  #endFrame(): void {
    this.#phase = "header";
    const { isControl, isFinal } = this.#header;
    if (isControl || !isFinal) return;
    if (!this.#isDropped) this.#finishMessage();
    this.#isOpen = false;
    this.#message.clear();
  }

  #finishMessage(): void {
    if (!this.#isCompressed) {
      this.#deliver(this.#message.bytes, false);
      return;
    }
    const text = this.#inflater.inflate(this.#message.bytes);
    if (text === undefined) this.#counters.undecodable++;
    else this.#deliver(text, false);
  }

  #deliver(message: Buffer, truncated: boolean): void {
    // A keep-alive (RFC 7118 §6, RFC 5626 §3.5.1).
    if (message.every((octet) => octet === CR || octet === LF)) return;
    this.#counters.messages++;
    this.#sink(message, 0, message.length, truncated);
  }

  #dropMessage(): void {
    if (this.#isDropped) return;
    this.#counters.incomplete++;
    this.#dropContents();
  }

  #dropContents(): void {
    this.#isDropped = true;
    if (this.#isCompressed) this.#inflater.forget();
    this.#message.clear();
  }

  /** Undecided are less than a header and a start line's beginning: some fifty bytes. */
  #keep(data: Buffer, at: number, end: number): number {
    this.#carry = Buffer.from(data.subarray(at, end));
    return end;
  }
}

// One stream while its call is sealed: its codecs, its clock and what became of its packets. Knows no files.
import type { Side, TimeUs } from "../base/ids.js";
import type { StreamRecord } from "../contract/call-record.js";
import { type CodecTable, codecTable } from "./codec-registry.js";
import type { SpanExtents } from "./span-extents.js";
import { StreamTimeline } from "./stream-timeline.js";

/** What became of the packets of a stream that the journal held; their sum is the number of them. */
export interface SealedStream {
  side: Side;
  /** Index of the stream within the call. */
  index: number;
  /** Decoded into the recording. */
  recorded: number;
  /** No audio that this box decodes, or no RTP. */
  undecoded: number;
  /** Copies: another packet of the stream stood at the same place. */
  duplicate: number;
  /** Too far from where the timeline was to be placed. */
  late: number;
  /** Length of what was decoded, at the recording's rate. */
  recordedFrames: number;
}

/** The party whose packets a stream's are. */
export interface SealParty {
  extents: SpanExtents;
  /** What was captured until then was erased: it is in the journal only. */
  erasedUntilUs: TimeUs;
}

const PAYLOAD_TYPES = 128;
/** Packets begin in different slots of 5 ms; 40 s of slots reach beyond the latest packet that is placed. */
const SLOTS_PER_SECOND = 200;
const SLOTS = 8192;

export class SealStream implements SealedStream {
  readonly side: Side;
  readonly index: number;
  readonly described: StreamRecord | undefined;
  readonly codecs: CodecTable;
  readonly timeline: StreamTimeline;
  readonly extents: SpanExtents;
  readonly erasedUntilUs: TimeUs;
  recorded = 0;
  undecoded = 0;
  duplicate = 0;
  late = 0;
  recordedFrames = 0;
  /** Of `undecoded`, by payload type. */
  readonly undecodedTypes = new Uint32Array(PAYLOAD_TYPES);
  readonly #framesPerSlot: number;
  /** Frame + 1 of the packet that last began in a slot; 0 = none. Fits 24 h at 48 kHz. */
  readonly #taken = new Uint32Array(SLOTS);

  constructor(
    side: Side,
    index: number,
    described: StreamRecord | undefined,
    { extents, erasedUntilUs }: SealParty,
    sampleRateHz: number,
  ) {
    this.side = side;
    this.index = index;
    this.described = described;
    this.codecs = codecTable(described, sampleRateHz);
    this.timeline = new StreamTimeline(sampleRateHz);
    this.extents = extents;
    this.erasedUntilUs = erasedUntilUs;
    this.#framesPerSlot = sampleRateHz / SLOTS_PER_SECOND;
  }

  countUndecoded(payloadType: number): void {
    this.undecoded++;
    this.undecodedTypes[payloadType]!++;
  }

  /** Whether a packet of this stream already stands at a frame of the recording; remembers that one does now. */
  isTaken(frame: number): boolean {
    const slot = Math.floor(frame / this.#framesPerSlot) & (SLOTS - 1);
    if (this.#taken[slot] === frame + 1) return true;
    this.#taken[slot] = frame + 1;
    return false;
  }

  /** What became of the packets, as a plain value. */
  toSealed(): SealedStream {
    const { side, index, recorded, undecoded, duplicate, late, recordedFrames } = this;
    return { side, index, recorded, undecoded, duplicate, late, recordedFrames };
  }
}

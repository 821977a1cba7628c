// Finds the blocks of one call from its last one back to its first. Follows the links; where a link leads to no intact
// block it goes through the segments downwards until it finds earlier blocks of the call, and follows links again.
// Each segment is gone through at most once.
import { callIdFromBytes } from "../base/ids.js";
import { CALL_RECORD_SCHEMA, type CallRecord } from "../contract/call-record.js";
import type { JournalPosition } from "../contract/engine-messages.js";
import { BlockList } from "./block-list.js";
import type { BlockMemory } from "./block-memory.js";
import {
  BLOCK_HEADER_BYTES,
  type BlockHeader,
  callIdOf,
  KIND_AUDIO,
  KIND_CALL_RECORD,
  makeBlockHeader,
} from "./format.js";
import type { SegmentCache } from "./segment-cache.js";
import { scanSegment } from "./segment-scan.js";

/** A block as far as the walk needs it. */
interface Link {
  segment: number;
  offset: number;
  kind: number;
  flags: number;
  side: number;
  sequence: number;
  previousSegment: number;
  previousOffset: number;
  payloadBytes: number;
  payloadCrc: number;
  records: number;
  baseUs: number;
  /** Where the payload is in memory, -1 when it is not. */
  place: number;
}

/** An audio block of the writer's usual size, with its header. */
const AHEAD_BYTES = 16 * 1024;

export class CallChain {
  /** Audio blocks by side, first to last. */
  readonly sides: [BlockList, BlockList] = [new BlockList(), new BlockList()];
  /** The newest call record that can be read. */
  record: CallRecord | undefined;
  /** Blocks that the call must have had and that were not found, and call records that cannot be read. */
  damagedBlocks = 0;

  readonly #cache: SegmentCache;
  readonly #callId: Buffer;
  readonly #memory: BlockMemory | undefined;
  /** Descending. */
  readonly #segments: number[];
  readonly #header = makeBlockHeader();
  /** Segments from this number on were gone through. */
  #scannedFrom = Number.POSITIVE_INFINITY;
  #lowest: Link | undefined;
  #found = 0;

  /** `segments` are the numbers in the run's folder, ascending. */
  constructor(cache: SegmentCache, segments: readonly number[], callId: Buffer, memory?: BlockMemory) {
    this.#cache = cache;
    this.#memory = memory;
    this.#callId = callId;
    this.#segments = [...segments].reverse();
  }

  /** Finds all blocks up to the one at `position`. Called once. */
  walk(position: JournalPosition): void {
    const last = this.#read(position.segment, position.offset);
    let links = last ? [last] : this.#search(position);
    const blocks = (links.at(-1)?.sequence ?? 0) + (last ? 1 : 2);
    while (links.length > 0) {
      for (const link of links.reverse()) this.#accept(link);
      links = this.#previous();
    }
    this.damagedBlocks += (last || this.#found > 0 ? blocks : 1) - this.#found;
    for (const side of this.sides) side.reverse();
  }

  /** The blocks before the lowest one: one by its link, or several by a search; none at the call's begin. */
  #previous(): Link[] {
    const lowest = this.#lowest!;
    if (lowest.sequence === 0) return [];
    const previous = this.#read(lowest.previousSegment, lowest.previousOffset);
    if (previous && isBefore(previous, lowest) && previous.sequence === lowest.sequence - 1) return [previous];
    // Everything before it was written before what it is linked to, or is that: the segments in between need not be read.
    const { previousSegment } = lowest;
    const isLinked = previousSegment > 0 && previousSegment < lowest.segment;
    return this.#search(isLinked ? { segment: previousSegment, offset: Number.POSITIVE_INFINITY } : lowest);
  }

  #read(segment: number, offset: number): Link | undefined {
    const reader = this.#cache.get(segment);
    const memory = this.#memory;
    const at = memory?.peek(AHEAD_BYTES) ?? -1;
    if (!reader || !memory || at < 0) {
      const id = reader?.readHeader(offset, this.#header);
      return id?.equals(this.#callId) ? linkOf(this.#header, segment, offset, -1) : undefined;
    }
    // Reading costs by the call, not by the byte: the payload comes along with the header.
    const payloadBytes = reader.readAhead(offset, this.#header, memory.bytes, at, AHEAD_BYTES);
    if (payloadBytes < 0 || !callIdOf(memory.bytes, at).equals(this.#callId)) return undefined;
    const isWhole = this.#header.kind === KIND_AUDIO && payloadBytes === this.#header.payloadBytes;
    if (isWhole) memory.take(BLOCK_HEADER_BYTES + payloadBytes);
    return linkOf(this.#header, segment, offset, isWhole ? at + BLOCK_HEADER_BYTES : -1);
  }

  /** All intact blocks of the call in the highest segment, not gone through yet, that has any before `below`. */
  #search(below: JournalPosition): Link[] {
    const sequenceLimit = this.#lowest?.sequence ?? Number.POSITIVE_INFINITY;
    for (const segment of this.#segments) {
      if (segment > below.segment || segment >= this.#scannedFrom) continue;
      this.#scannedFrom = segment;
      const links = this.#scan(segment).filter((link) => isBefore(link, below) && link.sequence < sequenceLimit);
      if (links.length > 0) return links;
    }
    return [];
  }

  #scan(segment: number): Link[] {
    const reader = this.#cache.get(segment);
    const links: Link[] = [];
    if (!reader) return links;
    scanSegment(reader, (header, id, offset) => {
      if (id.equals(this.#callId)) links.push(linkOf(header, segment, offset, -1));
    });
    return links;
  }

  #accept(link: Link): void {
    if (this.#lowest && link.sequence >= this.#lowest.sequence) return;
    this.#lowest = link;
    this.#found++;
    if (link.kind === KIND_AUDIO) this.sides[link.side === 0 ? 0 : 1].push(link);
    else if (link.kind === KIND_CALL_RECORD && !this.record && link.payloadBytes > 0) this.#readRecord(link);
  }

  #readRecord(link: Link): void {
    const payload = Buffer.allocUnsafe(link.payloadBytes);
    const isIntact = this.#cache.get(link.segment)?.readPayload(link.offset, link, payload);
    this.record = isIntact ? parseCallRecord(payload, this.#callId) : undefined;
    if (!this.record) this.damagedBlocks++;
  }
}

/** The record in a block's payload, or undefined when it is none of this version or of another call. */
export function parseCallRecord(payload: Buffer, callId: Buffer): CallRecord | undefined {
  try {
    const record = JSON.parse(payload.toString("utf8")) as CallRecord;
    return record.schema === CALL_RECORD_SCHEMA && record.id === callIdFromBytes(callId) ? record : undefined;
  } catch {
    return undefined;
  }
}

function linkOf(header: BlockHeader, segment: number, offset: number, place: number): Link {
  const { kind, flags, side, sequence, previousSegment, previousOffset, payloadBytes, payloadCrc, records, baseUs } =
    header;
  return {
    segment,
    offset,
    kind,
    flags,
    side,
    sequence,
    previousSegment,
    previousOffset,
    payloadBytes,
    payloadCrc,
    records,
    baseUs,
    place,
  };
}

function isBefore(a: JournalPosition, b: JournalPosition): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset);
}

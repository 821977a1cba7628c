// Reads one call out of a run's journal, for sealing: finds its blocks from the last to the first, past what is damaged
// or missing, and hands its records over in order. Holds block positions, never a call's audio. Never writes.
import type { CallId, Side, TimeUs } from "../base/ids.js";
import { CALL_ID_BYTES, callIdToBytes } from "../base/ids.js";
import type { CallRecord } from "../contract/call-record.js";
import type { JournalPosition } from "../contract/engine-messages.js";
import { BlockOpener } from "./block-cipher.js";
import type { BlockMemory } from "./block-memory.js";
import { CallChain } from "./call-chain.js";
import { BLOCK_HEADER_BYTES, callIdOf } from "./format.js";
import { listSegments } from "./run-folder.js";
import { SegmentCache } from "./segment-cache.js";
import { SideCursor } from "./side-cursor.js";

/** One record; a visit reuses ONE object and its buffers: whoever keeps bytes copies them. */
export interface JournalRecord {
  side: Side;
  stream: number;
  /** Whole µs. */
  capturedAtUs: TimeUs;
  /** data[start..end) is the RTP packet, header and payload, as captured. */
  data: Buffer;
  start: number;
  end: number;
}

export class CallReader {
  readonly #cache: SegmentCache;
  readonly #chain: CallChain;
  readonly #memory: BlockMemory | undefined;
  readonly #callId: Buffer;
  readonly #opener: BlockOpener | undefined;
  #damagedPayloads = 0;
  #isClosed = false;

  private constructor(
    cache: SegmentCache,
    chain: CallChain,
    callId: Buffer,
    { memory, key }: { memory: BlockMemory | undefined; key: Uint8Array | undefined },
  ) {
    this.#callId = callId;
    this.#opener = key && new BlockOpener(key);
    this.#cache = cache;
    this.#chain = chain;
    this.#memory = memory;
  }

  /**
   * Opens the call whose last block is at `position` of the run in `folder`. Damaged and missing blocks are passed by
   * and counted. With `id`, the call is found even if the block at `position` itself is damaged. Throws SidetoneError
   * only when the folder cannot be read. `memory` keeps what was read for further visits, as far as it goes; it serves
   * one reader at a time. `key` is the run's, where its blocks are sealed.
   */
  static open(
    folder: string,
    position: JournalPosition,
    id?: CallId,
    memory?: BlockMemory,
    key?: Uint8Array,
  ): CallReader {
    memory?.clear();
    const segments = listSegments(folder);
    const cache = new SegmentCache(folder);
    const callId = id ? callIdToBytes(id) : callIdAt(cache, position);
    const chain = new CallChain(cache, segments, callId, memory);
    chain.walk(position);
    return new CallReader(cache, chain, callId, { memory, key });
  }

  /** The newest call record found, if any. */
  get record(): CallRecord | undefined {
    return this.#chain.record;
  }

  /** Blocks missing or with a damaged header; those with a damaged payload count from the first visit on. */
  get damagedBlocks(): number {
    return this.#chain.damagedBlocks + this.#damagedPayloads;
  }

  /**
   * Hands over all records that can be read. A side's records come in the order of their appending; the two sides are
   * merged by time, which is the order of appending wherever packet time does not step back. May be called again.
   */
  visit(sink: (record: JournalRecord) => void): void {
    if (this.#isClosed) throw new Error("the call's reader is closed");
    const [originator, answerer] = this.#chain.sides.map(
      (blocks) => new SideCursor(this.#cache, blocks, this.#memory, this.#callId, this.#opener),
    ) as [SideCursor, SideCursor];
    const record: JournalRecord = { side: 0, stream: 0, capturedAtUs: 0, data: originator.data, start: 0, end: 0 };
    try {
      originator.advance();
      answerer.advance();
      while (originator.hasRecord || answerer.hasRecord) {
        const isOriginator =
          !answerer.hasRecord || (originator.hasRecord && originator.capturedAtUs <= answerer.capturedAtUs);
        const cursor = isOriginator ? originator : answerer;
        record.side = isOriginator ? 0 : 1;
        record.stream = cursor.stream;
        record.capturedAtUs = cursor.capturedAtUs;
        record.data = cursor.data;
        record.start = cursor.start;
        record.end = cursor.end;
        sink(record);
        cursor.advance();
      }
    } finally {
      this.#damagedPayloads += originator.damagedBlocks + answerer.damagedBlocks;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#cache.close();
  }
}

/** The call id that stands at `position`, be the block intact or not: the walk believes it only where checksums hold. */
function callIdAt(cache: SegmentCache, position: JournalPosition): Buffer {
  const bytes = Buffer.alloc(BLOCK_HEADER_BYTES);
  cache.get(position.segment)?.read(bytes, 0, BLOCK_HEADER_BYTES, position.offset);
  return Buffer.from(callIdOf(bytes, 0).subarray(0, CALL_ID_BYTES));
}

// What a dead run left behind: every call of which blocks can be read, and where its last one stands. Reads whole
// segments past torn tails and damage, and skips foreign files. Never writes and never decides what is sealed.
import type { CallId, TimeUs } from "../base/ids.js";
import { callIdFromBytes } from "../base/ids.js";
import type { CallRecord } from "../contract/call-record.js";
import type { JournalPosition } from "../contract/engine-messages.js";
import { parseCallRecord } from "./call-chain.js";
import {
  type BlockHeader,
  FLAG_FINAL,
  FLAG_SEALED,
  KIND_AUDIO,
  KIND_CALL_RECORD,
  RECORD_HEADER_BYTES,
} from "./format.js";
import { listSegments } from "./run-folder.js";
import { SegmentReader } from "./segment-reader.js";
import { scanSegment } from "./segment-scan.js";

export { listRuns, makeRun, removeRun } from "./run-folder.js";

export interface RecoveredCall {
  id: CallId;
  /** Its last intact block. */
  position: JournalPosition;
  /** Its newest call record, if one can be read. */
  record: CallRecord | undefined;
  /** The call's end is in the journal: `record` is final. */
  ended: boolean;
  /** Earliest and latest packet, of sealed blocks their first one; the call's record's times when no packet is left; else 0. */
  firstUs: TimeUs;
  lastUs: TimeUs;
}

export interface RecoveredRun {
  /**
   * In the order of their first block. A call that was released is among them while one of its segments outlives it
   * for another call's sake, and then lacks the blocks of segments already removed: who seals must know the ids that
   * are stored or erased.
   */
  calls: RecoveredCall[];
  damagedBlocks: number;
  /** A segment ends within a block: the run was killed, lost power, or its disk failed while it wrote. */
  tornTail: boolean;
  /** It holds sealed blocks, which nobody reads without the run's key. */
  isSealed?: true;
}

/** Goes through every segment of a run that is no longer written to. Throws SidetoneError if the folder is unreadable. */
export function recoverRun(folder: string): RecoveredRun {
  const run: RecoveredRun = { calls: [], damagedBlocks: 0, tornTail: false };
  const calls = new Map<string, CallTrace>();
  for (const segment of listSegments(folder)) {
    const reader = SegmentReader.open(folder, segment);
    if (!reader) {
      run.damagedBlocks++;
      continue;
    }
    const result = scanSegment(reader, (header, id, offset, bytes, payloadAt) => {
      if ((header.flags & FLAG_SEALED) !== 0) run.isSealed = true;
      traceOf(calls, id).note(header, segment, offset, bytes, payloadAt);
    });
    reader.close();
    run.damagedBlocks += result.damagedBlocks;
    run.tornTail ||= result.isTorn;
  }
  run.calls = [...calls.values()].map((trace) => trace.toCall());
  return run;
}

function traceOf(calls: Map<string, CallTrace>, id: Buffer): CallTrace {
  const key = id.toString("latin1");
  const known = calls.get(key);
  if (known) return known;
  const trace = new CallTrace(Buffer.from(id));
  calls.set(key, trace);
  return trace;
}

class CallTrace {
  readonly #id: Buffer;
  #segment = 0;
  #offset = 0;
  #sequence = -1;
  #record: CallRecord | undefined;
  #ended = false;
  #firstUs = Number.POSITIVE_INFINITY;
  #lastUs = Number.NEGATIVE_INFINITY;

  constructor(id: Buffer) {
    this.#id = id;
  }

  /** A block of the call, in the order of the files. */
  note(header: BlockHeader, segment: number, offset: number, bytes: Buffer, payloadAt: number): void {
    // A write that failed half-way may have left a block that was written again later: the later one has the links.
    if (header.sequence >= this.#sequence) {
      this.#segment = segment;
      this.#offset = offset;
      this.#sequence = header.sequence;
    }
    if (header.kind === KIND_AUDIO) this.#noteTimes(header, bytes, payloadAt);
    if (header.kind !== KIND_CALL_RECORD) return;
    this.#ended ||= (header.flags & FLAG_FINAL) !== 0;
    const payload = bytes.subarray(payloadAt, payloadAt + header.payloadBytes);
    if (payload.length > 0) this.#record = parseCallRecord(payload, this.#id) ?? this.#record;
  }

  toCall(): RecoveredCall {
    const hasAudio = this.#firstUs <= this.#lastUs;
    return {
      id: callIdFromBytes(this.#id),
      position: { segment: this.#segment, offset: this.#offset },
      record: this.#record,
      ended: this.#ended,
      firstUs: hasAudio ? this.#firstUs : (this.#record?.startedAtUs ?? 0),
      lastUs: hasAudio ? this.#lastUs : (this.#record?.endedAtUs ?? 0),
    };
  }

  #noteTimes(header: BlockHeader, bytes: Buffer, payloadAt: number): void {
    // Of what is sealed, only where it begins can be read here.
    const end = (header.flags & FLAG_SEALED) === 0 ? payloadAt + header.payloadBytes : payloadAt;
    this.#noteTime(header.baseUs);
    for (let at = payloadAt; at + RECORD_HEADER_BYTES <= end; at += RECORD_HEADER_BYTES + bytes.readUInt16LE(at)) {
      this.#noteTime(header.baseUs + bytes.readInt32LE(at + 4));
    }
  }

  #noteTime(capturedAtUs: TimeUs): void {
    this.#firstUs = Math.min(this.#firstUs, capturedAtUs);
    this.#lastUs = Math.max(this.#lastUs, capturedAtUs);
  }
}

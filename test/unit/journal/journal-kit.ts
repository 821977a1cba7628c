// What the journal's tests share: temporary run folders, packets and call records that tell whose they are, and file
// operations that fail on demand at the edge to the disk.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { type CallId, makeCallId, type Side } from "../../../device/base/ids.js";
import { CALL_RECORD_SCHEMA, type CallRecord, type PartyRecord } from "../../../device/contract/call-record.js";
import type { JournalPosition } from "../../../device/contract/engine-messages.js";
import { BlockMemory } from "../../../device/journal/block-memory.js";
import { type FileOperations, nodeFileOperations } from "../../../device/journal/file-operations.js";
import { decodeBlockHeader, decodeSegmentSalt, makeBlockHeader, segmentName } from "../../../device/journal/format.js";
import { CallReader } from "../../../device/journal/reader.js";
import type { CallJournal, JournalOptions } from "../../../device/journal/writer.js";

/** 2026-11-21T09:00:00Z. */
export const START_US = 1_795_251_600_000_000;

export function withFolder<T>(run: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "sidetone-journal-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  let result: T;
  try {
    result = run(folder);
  } catch (error) {
    remove();
    throw error;
  }
  if (result instanceof Promise) return result.finally(remove) as T;
  remove();
  return result;
}

export function options(folder: string, more: Partial<JournalOptions> = {}): JournalOptions {
  return { folder, segmentBytes: 1 << 20, flushMs: 1000, syncMs: 5000, ...more };
}

/** The n-th call id, the same in every run. */
export function callId(n: number): CallId {
  return makeCallId(START_US + n * 1000, Buffer.alloc(10, n));
}

export function callRecord(id: CallId, note = ""): CallRecord {
  const party = (side: Side): PartyRecord => ({
    side,
    role: side === 0 ? "originator" : "answerer",
    uri: "",
    number: "",
    name: note,
    identifiedBy: "",
    joinedBy: "start",
    fromUs: 0,
    toUs: 0,
    consent: "unknown",
    spans: [],
    closedSpans: [],
  });
  return {
    schema: CALL_RECORD_SCHEMA,
    id,
    sipCallIds: [],
    startedAtUs: START_US,
    endedAtUs: START_US + 60_000_000,
    endReason: "bye",
    policy: "both-parties",
    policyRule: "",
    purpose: "recording",
    retention: "",
    parties: [party(0), party(1)],
    streams: [],
    evidence: [],
    ledger: [],
    pauses: [],
    events: [],
    warnings: [],
  };
}

/** Bytes that depend on both numbers in every place. */
export function packet(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (seed * 37 + i * 11 + (i >> 8)) & 0xff;
  return bytes;
}

export interface Kept {
  side: Side;
  stream: number;
  capturedAtUs: number;
  hex: string;
}

/** Appends a packet out of the midst of a larger buffer, as capture hands it over. */
export function put(journal: CallJournal, kept: Kept): boolean {
  const bytes = Buffer.from(`a5a5a5${kept.hex}5a5a`, "hex");
  return journal.append(kept.side, kept.stream, kept.capturedAtUs, bytes, 3, bytes.length - 2);
}

export function makeKept(side: Side, n: number, length = 20, stream: number = side): Kept {
  return { side, stream, capturedAtUs: START_US + n * 20_000, hex: packet(n + side * 1000, length).toString("hex") };
}

export function collect(reader: CallReader): Kept[] {
  const all: Kept[] = [];
  reader.visit(({ side, stream, capturedAtUs, data, start, end }) => {
    all.push({ side, stream, capturedAtUs, hex: data.toString("hex", start, end) });
  });
  return all;
}

export interface ReadCall {
  records: Kept[];
  record: CallRecord | undefined;
  damagedBlocks: number;
}

/** Memory for every block of a test, for some of them, and for none. */
const MEMORIES = [1 << 20, 40_000, 100].map((bytes) => new BlockMemory(Buffer.alloc(bytes)));

/**
 * Everything of a call, after one visit. Read without memory; a reader that keeps blocks must give the same at its first
 * visit and at its second, however much it can keep.
 */
export function readCall(folder: string, position: JournalPosition, id?: CallId, key?: Uint8Array): ReadCall {
  const plain = readOnce(CallReader.open(folder, position, id, undefined, key));
  for (const memory of MEMORIES)
    expect(readTwice(CallReader.open(folder, position, id, memory, key))).toEqual([plain, plain]);
  return plain;
}

function readOnce(reader: CallReader): ReadCall {
  return readTwice(reader)[0]!;
}

function readTwice(reader: CallReader): ReadCall[] {
  const read = (): ReadCall => {
    const records = collect(reader);
    return { records, record: reader.record, damagedBlocks: reader.damagedBlocks };
  };
  try {
    return [read(), read()];
  } finally {
    reader.close();
  }
}

/** Sequence numbers from the block at `position` back to the call's first, by the links in the files alone. */
export function followLinks(folder: string, position: JournalPosition): number[] {
  const header = makeBlockHeader();
  const sequences: number[] = [];
  let { segment, offset } = position;
  while (segment !== 0) {
    const bytes = readFileSync(join(folder, segmentName(segment)));
    if (!decodeBlockHeader(bytes, offset, bytes.length, decodeSegmentSalt(bytes)!, header)) break;
    sequences.push(header.sequence);
    if (header.previousSegment === segment && header.previousOffset >= offset) break;
    segment = header.previousSegment;
    offset = header.previousOffset;
  }
  return sequences;
}

/** n, n-1, … 0. */
export function countDown(n: number): number[] {
  return Array.from({ length: n + 1 }, (_, i) => n - i);
}

export function segmentFiles(folder: string): string[] {
  return readdirSync(folder).sort();
}

export function folderBytes(folder: string): Buffer {
  return Buffer.concat(segmentFiles(folder).map((name) => readFileSync(join(folder, name))));
}

/** A disk that can be told to fail; counts what it is asked for. */
export class FakeDisk implements FileOperations {
  /** Bytes that still fit; a write beyond is cut short, and the next one gets ENOSPC. */
  freeBytes = Number.POSITIVE_INFINITY;
  /** Most bytes that one write takes. */
  maxWriteBytes = Number.POSITIVE_INFINITY;
  /** Next writes and opens fail with this code while it is set. */
  failure = "";
  syncFailure = "";
  writes = 0;
  /** fdatasync calls under way: complete them with finishSyncs. */
  holdSyncs = false;
  readonly heldSyncs: (() => void)[] = [];
  readonly syncedFds: number[] = [];
  readonly modes: number[] = [];

  mkdirSync(path: string, more: { mode: number }): unknown {
    this.#mayFail();
    return nodeFileOperations.mkdirSync(path, more);
  }

  openSync(path: string, flags: string, mode?: number): number {
    this.#mayFail();
    if (mode !== undefined) this.modes.push(mode);
    return nodeFileOperations.openSync(path, flags, mode);
  }

  writevSync(fd: number, buffers: Buffer[], position: number): number {
    this.writes++;
    this.#mayFail();
    if (this.freeBytes <= 0) throw diskError("ENOSPC");
    const bytes = Buffer.concat(buffers).subarray(0, Math.min(this.freeBytes, this.maxWriteBytes));
    this.freeBytes -= bytes.length;
    return nodeFileOperations.writevSync(fd, [bytes], position);
  }

  readSync(fd: number, target: Buffer, at: number, length: number, position: number): number {
    this.#mayFail();
    return nodeFileOperations.readSync(fd, target, at, length, position);
  }

  fdatasync(fd: number, done: (error: Error | null) => void): void {
    this.syncedFds.push(fd);
    const error = this.syncFailure === "" ? null : diskError(this.syncFailure);
    if (this.holdSyncs) this.heldSyncs.push(() => done(error));
    else setImmediate(done, error);
  }

  finishSyncs(): void {
    for (const finish of this.heldSyncs.splice(0)) finish();
  }

  closeSync(fd: number): void {
    nodeFileOperations.closeSync(fd);
  }

  renameSync(from: string, to: string): void {
    this.#mayFail();
    nodeFileOperations.renameSync(from, to);
  }

  unlinkSync(path: string): void {
    this.#mayFail();
    nodeFileOperations.unlinkSync(path);
  }

  #mayFail(): void {
    if (this.failure !== "") throw diskError(this.failure);
  }
}

function diskError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: the disk says no`), { code });
}

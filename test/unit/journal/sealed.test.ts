// A journal that is sealed with its run's key: nothing admitted is in its files, everything is for who has the key, whatever the
// disk does, no nonce comes twice, and what is damaged or exchanged is found.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BlockOpener, BlockSealer, JOURNAL_KEY_BYTES, SEAL_BYTES } from "../../../device/journal/block-cipher.js";
import {
  BLOCK_HEADER_BYTES,
  callIdOf,
  decodeSegmentSalt,
  encodeBlockHeader,
  encodeSegmentHeader,
  FLAG_SEALED,
  KIND_AUDIO,
  SEALED_JOURNAL_VERSION,
} from "../../../device/journal/format.js";
import { moveRecords } from "../../../device/journal/move.js";
import { CallReader } from "../../../device/journal/reader.js";
import { recoverRun } from "../../../device/journal/recovery.js";
import { SegmentReader } from "../../../device/journal/segment-reader.js";
import { scanSegment } from "../../../device/journal/segment-scan.js";
import { JournalWriter } from "../../../device/journal/writer.js";
import {
  callId,
  callRecord,
  collect,
  FakeDisk,
  folderBytes,
  type Kept,
  makeKept,
  options,
  put,
  readCall,
  START_US,
  segmentFiles,
  withFolder,
} from "./journal-kit.js";

const KEY = Buffer.from(Uint8Array.from({ length: JOURNAL_KEY_BYTES }, (_, i) => i * 5));
const OTHER_KEY = Buffer.alloc(JOURNAL_KEY_BYTES, 9);

function appended(journal: ReturnType<JournalWriter["begin"]>, count: number, length = 50): Kept[] {
  const kept = Array.from({ length: count }, (_, n) => makeKept(n % 3 === 0 ? 1 : 0, n, length));
  for (const one of kept) expect(put(journal, one)).toBe(true);
  return kept;
}

interface FoundBlock {
  offset: number;
  callId: string;
  counter: bigint;
  header: { sequence: number; side: number; records: number; baseUs: number };
  payload: Buffer;
}

/** Every intact audio block of a run, all of which must be sealed. */
function audioBlocks(folder: string): FoundBlock[] {
  return segmentFiles(folder).flatMap((name) => {
    const reader = SegmentReader.open(folder, Number.parseInt(name, 10))!;
    const found: FoundBlock[] = [];
    scanSegment(reader, (header, id, offset, bytes, at) => {
      if (header.kind !== KIND_AUDIO) return;
      expect(header.flags).toBe(FLAG_SEALED);
      const payload = Buffer.from(bytes.subarray(at, at + header.payloadBytes));
      const counter = payload.readBigUInt64LE(payload.length - SEAL_BYTES);
      found.push({ offset, callId: id.toString("hex"), counter, header: { ...header }, payload });
    });
    reader.close();
    return found;
  });
}

describe("a sealed journal", () => {
  it("gives its packets back with the key, and is in clear nowhere", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { key: KEY, maxBlockBytes: 1000 }));
      const journal = writer.begin(callId(1));
      journal.snapshot(callRecord(callId(1), "snapshot"));
      const kept = appended(journal, 200);
      const position = journal.end(callRecord(callId(1), "final"))!;
      expect(readCall(folder, position, undefined, KEY)).toEqual({
        records: kept,
        record: callRecord(callId(1), "final"),
        damagedBlocks: 0,
      });
      const bytes = folderBytes(folder);
      for (const { hex } of kept) expect(bytes.includes(Buffer.from(hex.slice(0, 16), "hex"))).toBe(false);
      expect(bytes.includes(KEY.subarray(0, 8))).toBe(false);
      expect(bytes.readUInt16LE(4)).toBe(SEALED_JOURNAL_VERSION);
    }));

  it("without the key says which calls it holds, from when to when, and that it is sealed", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { key: KEY, maxBlockBytes: 400 }));
      const journal = writer.begin(callId(1));
      const kept = appended(journal, 40);
      const position = journal.end(callRecord(callId(1)))!;
      const run = recoverRun(folder);
      expect(run).toMatchObject({ isSealed: true, damagedBlocks: 0, tornTail: false });
      expect(run.calls).toMatchObject([{ id: callId(1), position, ended: true, record: callRecord(callId(1)) }]);
      const { firstUs, lastUs } = run.calls[0]!;
      expect(firstUs).toBe(START_US);
      expect(lastUs).toBeGreaterThan(kept[20]!.capturedAtUs);
      expect(lastUs).toBeLessThanOrEqual(kept.at(-1)!.capturedAtUs);
      for (const key of [undefined, OTHER_KEY]) {
        const read = readCall(folder, position, undefined, key);
        expect(read).toMatchObject({ records: [], record: callRecord(callId(1)) });
        expect(read.damagedBlocks).toBe(audioBlocks(folder).length);
      }
    }));

  it("is not made without a key: then every byte is as before", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { key: undefined }));
      const journal = writer.begin(callId(1));
      appended(journal, 3);
      journal.end(callRecord(callId(1)));
      expect(folderBytes(folder).readUInt16LE(4)).toBe(1);
      expect(recoverRun(folder)).not.toHaveProperty("isSealed");
    }));

  it("never uses a nonce twice and loses nothing, wherever a write is cut short and whoever leaves meanwhile", () => {
    for (let freeBytes = 0; freeBytes < 1500; freeBytes += 13) {
      withFolder((folder) => {
        const disk = new FakeDisk();
        let nowMs = 0;
        const sizes = options(folder, { key: KEY, maxBlockBytes: 256, segmentBytes: 2000 });
        const writer = new JournalWriter(sizes, undefined, { files: disk, monotonicMs: () => (nowMs += 2000) });
        const [one, two] = [writer.begin(callId(1)), writer.begin(callId(2))];
        const first = appended(one, 6);
        appended(two, 6);
        disk.freeBytes = freeBytes;
        writer.flush();
        // What of it waits is dropped: another block goes where a part of its own may stand.
        writer.release(callId(2));
        const more = [makeKept(0, 100), makeKept(1, 101)];
        for (const kept of more) put(one, kept);
        disk.freeBytes = Number.POSITIVE_INFINITY;
        const position = one.end(callRecord(callId(1)))!;
        const read = readCall(folder, position, undefined, KEY);
        expect(read.damagedBlocks).toBe(0);
        const sideOf = (side: number, all: Kept[]): Kept[] => all.filter((kept) => kept.side === side);
        for (const side of [0, 1]) expect(sideOf(side, read.records)).toEqual(sideOf(side, [...first, ...more]));
        const byCounter = new Map<bigint, string>();
        for (const { counter, payload } of audioBlocks(folder)) {
          // A block that was written again is the same block.
          expect(byCounter.get(counter) ?? payload.toString("hex")).toBe(payload.toString("hex"));
          byCounter.set(counter, payload.toString("hex"));
        }
      });
    }
  });

  it("is moved from call to call with the key", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { key: KEY }));
      const [one, two] = [writer.begin(callId(1)), writer.begin(callId(2))];
      const kept = appended(one, 20).filter(({ side }) => side === 0);
      writer.flush();
      const lost: number[] = [];
      const stream = { index: 5, side: 1 as const, recorded: kept.length, countLost: (n: number) => lost.push(n) };
      moveRecords(folder, { id: callId(1), position: one.lastPosition! }, two, [{ stream, formerIndex: 0 }], KEY);
      const position = two.end(callRecord(callId(2)))!;
      const moved = readCall(folder, position, undefined, KEY).records;
      expect(moved).toEqual(kept.map((record) => ({ ...record, side: 1, stream: 5 })));
      expect(lost).toEqual([0]);
    }));

  it("passes by a block whose ciphertext another one's has taken the place of, though all checksums hold", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { key: KEY, maxBlockBytes: 256 }));
      const journal = writer.begin(callId(1));
      // Blocks of the same length, one side: only their places differ.
      const kept = Array.from({ length: 9 }, (_, n) => makeKept(0, n, 50));
      for (const one of kept) {
        put(journal, one);
        writer.flush();
      }
      const position = journal.end(callRecord(callId(1)))!;
      const path = join(folder, segmentFiles(folder)[0]!);
      const bytes = readFileSync(path);
      const salt = decodeSegmentSalt(bytes)!;
      const [first, , third] = audioBlocks(folder);
      for (const [to, from] of [
        [first!, third!],
        [third!, first!],
      ] as const) {
        const block = bytes.subarray(to.offset, to.offset + BLOCK_HEADER_BYTES + to.payload.length);
        from.payload.copy(block, BLOCK_HEADER_BYTES);
        const header = { ...to.header } as unknown as Parameters<typeof encodeBlockHeader>[1];
        encodeBlockHeader(block, header, callIdOf(bytes, to.offset), salt);
      }
      writeFileSync(path, bytes);
      const { records, damagedBlocks } = readCall(folder, position, undefined, KEY);
      expect(records).toEqual([kept[1], ...kept.slice(3)]);
      expect(damagedBlocks).toBe(2);
    }));

  it("is found damaged without the key as with it", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { key: KEY, maxBlockBytes: 256 }));
      const journal = writer.begin(callId(1));
      const kept = appended(journal, 30);
      const position = journal.end(callRecord(callId(1)))!;
      const path = join(folder, segmentFiles(folder)[0]!);
      const bytes = readFileSync(path);
      const [, second] = audioBlocks(folder);
      bytes[second!.offset + BLOCK_HEADER_BYTES + 3]! ^= 1;
      writeFileSync(path, bytes);
      expect(recoverRun(folder).damagedBlocks).toBe(1);
      const reader = CallReader.open(folder, position, undefined, undefined, KEY);
      expect(collect(reader).length).toBe(kept.length - second!.header.records);
      expect(reader.damagedBlocks).toBe(1);
      reader.close();
    }));

  it("takes packets as long as a block less what sealing adds, and no longer", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { key: KEY, maxBlockBytes: 65_536 }));
      const journal = writer.begin(callId(1));
      const longest = 65_536 - SEAL_BYTES - BLOCK_HEADER_BYTES - 8;
      expect(put(journal, makeKept(0, 1, longest))).toBe(true);
      expect(put(journal, makeKept(0, 2, longest + 1))).toBe(false);
      const position = journal.end(callRecord(callId(1)))!;
      expect(readCall(folder, position, undefined, KEY).records).toEqual([makeKept(0, 1, longest)]);
    }));
});

describe("a block's cipher", () => {
  const facts = { callId: Buffer.alloc(16, 3), side: 1, sequence: 7, records: 2, baseUs: START_US };

  function sealed(): Buffer {
    const memory = Buffer.alloc(100 + SEAL_BYTES, 1);
    new BlockSealer(KEY).seal(memory, 0, 100, facts);
    return memory;
  }

  it("opens what was sealed at its place, and at no other", () => {
    const opener = new BlockOpener(KEY);
    const memory = sealed();
    for (const other of [{ side: 0 }, { sequence: 8 }, { records: 3 }, { baseUs: 1 }, { callId: Buffer.alloc(16) }])
      expect(opener.open(memory, 0, memory.length, { ...facts, ...other })).toBe(false);
    expect(memory).toEqual(sealed());
    expect(opener.open(memory, 0, memory.length, facts)).toBe(true);
    expect(memory.subarray(0, 100)).toEqual(Buffer.alloc(100, 1));
  });

  it("opens nothing of which a byte was changed, or that is too short", () => {
    for (let at = 0; at < 100 + SEAL_BYTES; at++) {
      const memory = sealed();
      memory[at]! ^= 0x80;
      expect(new BlockOpener(KEY).open(memory, 0, memory.length, facts), `byte ${at}`).toBe(false);
    }
    for (let length = 0; length <= SEAL_BYTES; length++)
      expect(new BlockOpener(KEY).open(sealed(), 0, length, facts)).toBe(false);
  });

  it("takes keys of one length only", () => {
    expect(() => new BlockSealer(Buffer.alloc(16))).toThrow("32 bytes");
  });

  it("has segments of a version that older readers refuse", () => {
    const header = encodeSegmentHeader(5, SEALED_JOURNAL_VERSION);
    expect(header.readUInt16LE(4)).toBe(2);
    expect(decodeSegmentSalt(header)).toBe(5);
    expect(decodeSegmentSalt(encodeSegmentHeader(5, 3))).toBeUndefined();
  });
});

// Hostile input for the journal's reading side: runs cut at every byte, every byte turned, noise, and packets that
// imitate blocks. Nothing may throw, and no record may come back that was not appended.
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CallId } from "../../device/base/ids.js";
import { callIdToBytes } from "../../device/base/ids.js";
import type { JournalPosition } from "../../device/contract/engine-messages.js";
import {
  encodeBlockHeader,
  encodeSegmentHeader,
  KIND_AUDIO,
  makeBlockHeader,
  RECORD_HEADER_BYTES,
} from "../../device/journal/format.js";
import { recoverRun } from "../../device/journal/recovery.js";
import { JournalWriter } from "../../device/journal/writer.js";
import {
  callId,
  callRecord,
  type Kept,
  makeKept,
  options,
  put,
  readCall,
  START_US,
  segmentFiles,
  withFolder,
} from "../unit/journal/journal-kit.js";

interface Run {
  names: string[];
  files: Buffer[];
  kept: Map<CallId, Kept[]>;
  positions: Map<CallId, JournalPosition>;
}

/** Three interleaved calls, the third without an end, in segments of `segmentBytes`. */
function makeRun(segmentBytes: number): Run {
  return withFolder((folder) => {
    const writer = new JournalWriter(options(folder, { segmentBytes, maxBlockBytes: 256 }));
    const ids = [1, 2, 3].map(callId);
    const journals = ids.map((id) => writer.begin(id));
    const kept = new Map(ids.map((id) => [id, [] as Kept[]]));
    journals[0]!.snapshot(callRecord(ids[0]!, "early"));
    for (let n = 0; n < 15; n++) {
      const one = makeKept(n % 5 === 0 ? 1 : 0, n, 14 + n);
      kept.get(ids[n % 3]!)!.push(one);
      put(journals[n % 3]!, one);
      if (n % 6 === 5) writer.flush();
    }
    const positions = new Map<CallId, JournalPosition>();
    for (const n of [0, 1]) positions.set(ids[n]!, journals[n]!.end(callRecord(ids[n]!, "final"))!);
    writer.flush();
    positions.set(ids[2]!, journals[2]!.lastPosition!);
    const names = segmentFiles(folder);
    return { names, files: names.map((name) => readFileSync(join(folder, name))), kept, positions };
  });
}

function writeFiles(folder: string, run: Run): void {
  run.files.forEach((bytes, i) => {
    writeFileSync(join(folder, run.names[i]!), bytes);
  });
}

function ofSide(records: Kept[], side: number): string[] {
  return records.filter((one) => one.side === side).map((one) => JSON.stringify(one));
}

function isSubsequence(part: string[], whole: string[]): boolean {
  let at = 0;
  for (const one of whole) if (part[at] === one) at++;
  return at === part.length;
}

describe("a journal that was cut off", () => {
  it("gives back a prefix of every call's records, cut at any byte, and never throws", () => {
    const run = makeRun(900);
    expect(run.files.length).toBeGreaterThan(2);
    withFolder((folder) => {
      writeFiles(folder, run);
      let fewest = Number.POSITIVE_INFINITY;
      const check = (cut: string): void => {
        const found = recoverRun(folder);
        expect(found.damagedBlocks, cut).toBe(0);
        let count = 0;
        for (const call of found.calls) {
          const { records, damagedBlocks } = readCall(folder, call.position, call.id);
          expect(damagedBlocks, cut).toBe(0);
          for (const side of [0, 1]) {
            const part = ofSide(records, side);
            expect(part, cut).toEqual(ofSide(run.kept.get(call.id)!, side).slice(0, part.length));
          }
          count += records.length;
        }
        if (fewest === Number.POSITIVE_INFINITY) expect(count).toBe(15);
        // A shorter file never gives more.
        expect(count, cut).toBeLessThanOrEqual(fewest);
        fewest = count;
      };
      for (let i = run.files.length - 1; i >= 0; i--) {
        const path = join(folder, run.names[i]!);
        for (let length = run.files[i]!.length; length >= 0; length--) {
          truncateSync(path, length);
          check(`${run.names[i]} cut at ${length}`);
        }
        rmSync(path);
      }
      expect(fewest).toBe(0);
    });
  });
});

describe("a journal with a byte turned", () => {
  it("never gives back an altered record, and never loses one without counting the damage", {
    timeout: 120_000,
  }, () => {
    const run = makeRun(1 << 20);
    const bytes = run.files[0]!;
    withFolder((folder) => {
      const path = join(folder, run.names[0]!);
      for (let at = 0; at < bytes.length; at++) {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= at % 2 === 0 ? 0x01 : 0xff;
        writeFileSync(path, damaged);
        const found = recoverRun(folder);
        const seen = new Set(found.calls.map((call) => call.id));
        for (const call of found.calls) expect(run.kept.has(call.id), `byte ${at}`).toBe(true);
        for (const [id, kept] of run.kept) {
          const recovered = found.calls.find((call) => call.id === id)?.position;
          for (const position of [run.positions.get(id)!, ...(recovered ? [recovered] : [])]) {
            const { records, damagedBlocks } = readCall(folder, position, id);
            for (const side of [0, 1]) {
              expect(isSubsequence(ofSide(records, side), ofSide(kept, side)), `byte ${at}`).toBe(true);
            }
            const isCounted = damagedBlocks + found.damagedBlocks > 0 || found.tornTail;
            expect(records.length === kept.length || isCounted, `byte ${at}`).toBe(true);
          }
        }
        expect(seen.size === run.kept.size || found.damagedBlocks > 0 || found.tornTail, `byte ${at}`).toBe(true);
      }
    });
  });
});

describe("bytes that are no journal", () => {
  const position: JournalPosition = { segment: 1, offset: 32 };
  /** A small generator, so that noise is the same in every run. */
  function noise(length: number, seed: number): Buffer {
    const bytes = Buffer.alloc(length);
    let state = seed;
    for (let i = 0; i < length; i++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      bytes[i] = state >>> 16;
    }
    return bytes;
  }

  it("are noise to recovery and reader, with a sound segment header or without", () =>
    withFolder((folder) => {
      for (let seed = 1; seed <= 40; seed++) {
        const header = seed % 2 === 0 ? encodeSegmentHeader(seed) : Buffer.alloc(0);
        writeFileSync(join(folder, "000001.seg"), Buffer.concat([header, noise(seed * 997, seed)]));
        expect(recoverRun(folder).calls).toEqual([]);
        expect(readCall(folder, position, callId(1))).toMatchObject({ records: [], damagedBlocks: 1 });
      }
    }));

  it("cost time in proportion to their length when they are all block magic", () =>
    withFolder((folder) => {
      // Quadratic work would take hours here; linear work takes well under a second.
      writeFileSync(
        join(folder, "000001.seg"),
        Buffer.concat([encodeSegmentHeader(5), Buffer.alloc(4 << 20, "SDB1", "latin1")]),
      );
      expect(recoverRun(folder)).toMatchObject({ calls: [], tornTail: true });
    }));

  it("between sound blocks are passed by, at any length", () => {
    const run = makeRun(1 << 20);
    const [bytes] = run.files as [Buffer];
    withFolder((folder) => {
      for (const length of [1, 3, 59, 60, 61, 4096, 262_141, 262_142, 262_143, 262_144, 300_001]) {
        const head = bytes.subarray(0, 32);
        writeFileSync(join(folder, "000001.seg"), Buffer.concat([head, noise(length, length), bytes.subarray(32)]));
        const found = recoverRun(folder);
        expect(found).toMatchObject({ damagedBlocks: 1, tornTail: false });
        // The links are off by the noise, so this is the search at work.
        for (const call of found.calls) {
          const { records, damagedBlocks } = readCall(folder, call.position);
          expect(records, `${length} bytes`).toEqual(run.kept.get(call.id));
          expect(damagedBlocks, `${length} bytes`).toBe(0);
        }
      }
    });
  });
});

describe("packets that imitate blocks", () => {
  /** A block as an outsider would make it, who knows the format but not the segment's salt. */
  function forge(id: CallId): Buffer {
    const payload = Buffer.alloc(RECORD_HEADER_BYTES + 4, 0x66);
    payload.writeUInt16LE(4, 0);
    const block = Buffer.concat([Buffer.alloc(60), payload]);
    const header = {
      ...makeBlockHeader(),
      kind: KIND_AUDIO,
      payloadBytes: payload.length,
      records: 1,
      baseUs: START_US,
    };
    encodeBlockHeader(block, header, callIdToBytes(id), 0);
    return block;
  }

  it("are not taken for blocks, even where damage makes recovery look into payloads", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder));
      const journal = writer.begin(callId(1));
      const hex = forge(callId(9)).toString("hex");
      for (let n = 0; n < 5; n++) put(journal, { side: 0, stream: 0, capturedAtUs: START_US + n, hex });
      const position = journal.end(callRecord(callId(1)))!;
      const path = join(folder, "000001.seg");
      const bytes = readFileSync(path);
      bytes[40]! ^= 1;
      writeFileSync(path, bytes);
      const found = recoverRun(folder);
      expect(found).toMatchObject({ damagedBlocks: 1, calls: [{ id: callId(1), position }] });
      expect(found.calls.length).toBe(1);
      expect(readCall(folder, position)).toMatchObject({ records: [], damagedBlocks: 1 });
    }));
});

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import type { JournalPosition } from "../../../device/contract/engine-messages.js";
import { BLOCK_HEADER_BYTES, SEGMENT_HEADER_BYTES } from "../../../device/journal/format.js";
import { CallReader } from "../../../device/journal/reader.js";
import { JournalWriter } from "../../../device/journal/writer.js";
import {
  callId,
  callRecord,
  collect,
  type Kept,
  makeKept,
  options,
  put,
  readCall,
  START_US,
  segmentFiles,
  withFolder,
} from "./journal-kit.js";

/** A call with one packet per block: blocks 0…n-1 are audio, the last is the record. */
function writeCall(
  folder: string,
  packets: number,
  segmentBytes = 1 << 20,
): { kept: Kept[]; places: JournalPosition[] } {
  const writer = new JournalWriter(options(folder, { segmentBytes }));
  const journal = writer.begin(callId(1));
  const other = writer.begin(callId(2));
  const kept = Array.from({ length: packets }, (_, n) => makeKept(n % 2 === 0 ? 0 : 1, n, 40));
  const places: JournalPosition[] = [];
  for (const one of kept) {
    put(journal, one);
    put(other, makeKept(0, 0, 30));
    writer.flush();
    places.push(journal.lastPosition!);
  }
  places.push(journal.end(callRecord(callId(1)))!);
  other.end(callRecord(callId(2)));
  return { kept, places };
}

function damage(folder: string, place: JournalPosition, at: number): void {
  const path = join(folder, segmentFiles(folder).find((name) => Number.parseInt(name, 10) === place.segment)!);
  const bytes = readFileSync(path);
  bytes[place.offset + at]! ^= 0x40;
  writeFileSync(path, bytes);
}

describe("CallReader", () => {
  it("merges the sides by time and keeps each side's order where time steps back", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder));
      const journal = writer.begin(callId(1));
      const at = (side: 0 | 1, ms: number): Kept => ({ ...makeKept(side, ms), capturedAtUs: START_US + ms * 1000 });
      for (const one of [at(0, 10), at(1, 10), at(1, 20), at(0, 5), at(1, 30), at(0, 25)]) put(journal, one);
      const { records } = readCall(folder, journal.end(callRecord(callId(1)))!);
      expect(records.map((one) => [one.side, (one.capturedAtUs - START_US) / 1000])).toEqual([
        [0, 10],
        [0, 5],
        [1, 10],
        [1, 20],
        [0, 25],
        [1, 30],
      ]);
    }));

  it("may be visited again, and not after it is closed", () =>
    withFolder((folder) => {
      const { kept, places } = writeCall(folder, 10, 400);
      const reader = CallReader.open(folder, places.at(-1)!);
      expect(collect(reader)).toEqual(kept);
      expect(collect(reader)).toEqual(kept);
      expect(() =>
        reader.visit(() => {
          throw new Error("enough");
        }),
      ).toThrow("enough");
      expect(collect(reader)).toEqual(kept);
      reader.close();
      expect(() => collect(reader)).toThrow("closed");
    }));

  it.skipIf(!existsSync("/proc/self/fd"))(
    "holds few files open however many segments the call has, and none after",
    () =>
      withFolder((folder) => {
        const { places } = writeCall(folder, 60, 400);
        expect(segmentFiles(folder).length).toBeGreaterThan(25);
        const openFiles = (): number => readdirSync("/proc/self/fd").length;
        const before = openFiles();
        const reader = CallReader.open(folder, places.at(-1)!);
        let most = 0;
        reader.visit(() => {
          most = Math.max(most, openFiles());
        });
        expect(most - before).toBeGreaterThan(0);
        expect(most - before).toBeLessThanOrEqual(4);
        reader.close();
        expect(openFiles()).toBe(before);
      }),
  );

  it("reads a call from the middle up to there", () =>
    withFolder((folder) => {
      const { kept, places } = writeCall(folder, 10, 400);
      expect(readCall(folder, places[4]!)).toEqual({ records: kept.slice(0, 5), record: undefined, damagedBlocks: 0 });
    }));

  it("passes by any one damaged block, header or payload, and counts it", () =>
    withFolder((folder) => {
      const { kept, places } = writeCall(folder, 6, 700);
      places.slice(0, -1).forEach((place, n) => {
        for (const at of [0, 5, 20, 33, 38, 57, BLOCK_HEADER_BYTES + 9]) {
          damage(folder, place, at);
          const call = readCall(folder, places.at(-1)!);
          expect(call.records, `block ${n}, byte ${at}`).toEqual(kept.filter((_, i) => i !== n));
          expect(call.record).toEqual(callRecord(callId(1)));
          expect(call.damagedBlocks, `block ${n}, byte ${at}`).toBe(1);
          damage(folder, place, at);
        }
      });
      expect(readCall(folder, places.at(-1)!).damagedBlocks).toBe(0);
    }));

  it("counts a damaged payload once, however often it is visited", () =>
    withFolder((folder) => {
      const { kept, places } = writeCall(folder, 4);
      damage(folder, places[1]!, BLOCK_HEADER_BYTES + 1);
      const reader = CallReader.open(folder, places.at(-1)!);
      const left = kept.filter((_, n) => n !== 1);
      expect(collect(reader)).toEqual(left);
      expect(collect(reader)).toEqual(left);
      expect(reader.damagedBlocks).toBe(1);
      reader.close();
    }));

  it("finds the call by its id when the last block is damaged", () =>
    withFolder((folder) => {
      const { kept, places } = writeCall(folder, 6, 700);
      for (const at of [0, 5, 17, 33]) {
        damage(folder, places.at(-1)!, at);
        expect(readCall(folder, places.at(-1)!, callId(1)), `byte ${at}`).toEqual({
          records: kept,
          record: undefined,
          damagedBlocks: 1,
        });
        damage(folder, places.at(-1)!, at);
      }
    }));

  it("looks for earlier blocks only when the block it was given is damaged", () =>
    withFolder((folder) => {
      const { kept, places } = writeCall(folder, 6);
      damage(folder, places[3]!, 33);
      expect(readCall(folder, places[3]!, callId(1))).toMatchObject({ records: kept.slice(0, 3), damagedBlocks: 1 });
    }));

  it("falls back to the older call record when the newest is damaged", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder));
      const journal = writer.begin(callId(1));
      journal.snapshot(callRecord(callId(1), "older"));
      put(journal, makeKept(0, 0));
      const position = journal.end(callRecord(callId(1), "newest"))!;
      damage(folder, position, BLOCK_HEADER_BYTES + 3);
      expect(readCall(folder, position)).toEqual({
        records: [makeKept(0, 0)],
        record: callRecord(callId(1), "older"),
        damagedBlocks: 1,
      });
    }));

  it("goes on below a segment that is gone", () =>
    withFolder((folder) => {
      const { kept, places } = writeCall(folder, 20, 600);
      const gone = places[10]!.segment;
      rmSync(join(folder, segmentFiles(folder)[gone - 1]!));
      const call = readCall(folder, places.at(-1)!);
      const lost = kept.filter((_, n) => places[n]!.segment === gone);
      expect(lost.length).toBeGreaterThan(0);
      expect(call.records).toEqual(kept.filter((one) => !lost.includes(one)));
      expect(call.damagedBlocks).toBe(lost.length);
    }));

  it("returns what is there when the first segments are gone, and nothing when all are", () =>
    withFolder((folder) => {
      const { kept, places } = writeCall(folder, 20, 600);
      rmSync(join(folder, "000001.seg"));
      const lost = places.filter((place) => place.segment === 1).length;
      const call = readCall(folder, places.at(-1)!);
      expect(call).toMatchObject({ records: kept.slice(lost), damagedBlocks: lost });
      for (const name of segmentFiles(folder)) rmSync(join(folder, name));
      expect(readCall(folder, places.at(-1)!)).toEqual({ records: [], record: undefined, damagedBlocks: 1 });
    }));

  it("takes a position that is no block as damage, not as a reason to throw", () =>
    withFolder((folder) => {
      const { places } = writeCall(folder, 3);
      const wrong: JournalPosition[] = [
        { segment: 0, offset: 0 },
        { segment: 1, offset: 0 },
        { segment: 1, offset: SEGMENT_HEADER_BYTES + 1 },
        { segment: 1, offset: 0xffffffff },
        { segment: 77, offset: 32 },
      ];
      for (const position of wrong) {
        expect(readCall(folder, position), JSON.stringify(position)).toMatchObject({ records: [], damagedBlocks: 1 });
      }
      // Another call's block is not this call's.
      expect(readCall(folder, places.at(-1)!, callId(3)).records).toEqual([]);
    }));

  it("reads past a folder, and bytes of another kind, in a segment's place", () =>
    withFolder((folder) => {
      const { kept, places } = writeCall(folder, 20, 600);
      const middle = segmentFiles(folder)[2]!;
      rmSync(join(folder, middle));
      mkdirSync(join(folder, middle));
      writeFileSync(join(folder, segmentFiles(folder)[1]!), "not a segment at all, but longer than its header");
      const call = readCall(folder, places.at(-1)!);
      expect(call.records).toEqual(kept.filter((_, n) => ![2, 3].includes(places[n]!.segment)));
    }));

  it("throws only when the folder itself cannot be read", () =>
    withFolder((folder) => {
      const open = (): CallReader => CallReader.open(join(folder, "gone"), { segment: 1, offset: 32 });
      expect(open).toThrow(SidetoneError);
      expect(open).toThrow(/cannot read the journal folder .*gone/);
    }));
});

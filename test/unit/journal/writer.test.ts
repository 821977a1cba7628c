import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CallRecord } from "../../../device/contract/call-record.js";
import { BLOCK_HEADER_BYTES, RECORD_HEADER_BYTES } from "../../../device/journal/format.js";
import { recoverRun } from "../../../device/journal/recovery.js";
import { JournalWriter } from "../../../device/journal/writer.js";
import {
  callId,
  callRecord,
  FakeDisk,
  folderBytes,
  type Kept,
  makeKept,
  options,
  packet,
  put,
  readCall,
  START_US,
  segmentFiles,
  withFolder,
} from "./journal-kit.js";

const SECOND_US = 1_000_000;

describe("JournalWriter", () => {
  it("gives back what was appended, bit by bit, with the call's record", () =>
    withFolder(async (folder) => {
      const writer = new JournalWriter(options(folder));
      const journal = writer.begin(callId(1));
      const kept: Kept[] = [];
      for (let n = 0; n < 500; n++) kept.push(makeKept(0, n, 12 + (n % 200)), makeKept(1, n, 172));
      kept.forEach((one, i) => {
        one.capturedAtUs += i % 2;
        expect(put(journal, one)).toBe(true);
      });
      const position = journal.end(callRecord(callId(1), "final"))!;
      expect(journal.lastPosition).toEqual(position);
      const call = readCall(folder, position);
      expect(call.records).toEqual(kept);
      expect(call.record).toEqual(callRecord(callId(1), "final"));
      expect(call.damagedBlocks).toBe(0);
      expect(writer.counters["journal.records"]).toBe(1000);
      expect(writer.counters["journal.lost-records"]).toBe(0);
      await writer.close();
    }));

  it("keeps times before a block's first packet, whole µs, and times further apart than 32 bits", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder));
      const journal = writer.begin(callId(1));
      const times = [0, -1, -0.5, -2_147_483_648, 2_147_483_647, 2_147_483_648, -5_000_000_000, 3_000_000_000.75, 0.5];
      const kept = times.map((time) => ({
        side: 0 as const,
        stream: 65_535,
        capturedAtUs: START_US + time,
        hex: "80",
      }));
      for (const one of kept) expect(put(journal, one)).toBe(true);
      const { records } = readCall(folder, journal.end(callRecord(callId(1)))!);
      expect(records).toEqual(kept.map((one) => ({ ...one, capturedAtUs: Math.floor(one.capturedAtUs) })));
    }));

  it("fills a block to its last byte and begins the next with what does not fit", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { maxBlockBytes: 256 }));
      const room = 256 - BLOCK_HEADER_BYTES - 2 * RECORD_HEADER_BYTES;
      const sizes: [number, number, number][] = [
        [100, room - 100, 1],
        [100, room - 99, 2],
        [room + RECORD_HEADER_BYTES, 1, 2],
      ];
      sizes.forEach(([first, second, blocks], n) => {
        const journal = writer.begin(callId(n));
        const kept = [makeKept(0, 1, first), makeKept(0, 2, second)];
        for (const one of kept) expect(put(journal, one)).toBe(true);
        const before = writer.counters["journal.blocks"];
        const position = journal.end(callRecord(callId(n)))!;
        expect(writer.counters["journal.blocks"] - before).toBe(blocks + 1);
        expect(readCall(folder, position).records).toEqual(kept);
      });
    }));

  it("refuses what cannot be kept, counts it, and goes on", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { maxBlockBytes: 256 }));
      const journal = writer.begin(callId(1));
      const longest = 256 - BLOCK_HEADER_BYTES - RECORD_HEADER_BYTES;
      const data = packet(1, 300);
      expect(journal.append(0, 0, START_US, data, 0, longest)).toBe(true);
      expect(journal.append(0, 0, START_US, data, 0, longest + 1)).toBe(false);
      expect(journal.append(0, 0, START_US, data, 5, 5)).toBe(false);
      expect(journal.append(0, 0, START_US, data, 5, 4)).toBe(false);
      expect(journal.append(0, 0, Number.NaN, data, 0, 20)).toBe(false);
      expect(journal.append(0, 0, Number.POSITIVE_INFINITY, data, 0, 20)).toBe(false);
      expect(() => journal.append(0, 65_536, START_US, data, 0, 20)).toThrow(RangeError);
      expect(() => journal.append(0, -1, START_US, data, 0, 20)).toThrow(RangeError);
      expect(journal.append(0, 0, START_US, data, 0, 20)).toBe(true);
      expect(writer.counters["journal.lost-records"]).toBe(5);
      expect(writer.counters["journal.too-long"]).toBe(1);
      const position = journal.end(callRecord(callId(1)))!;
      expect(journal.append(0, 0, START_US, data, 0, 20)).toBe(false);
      expect(journal.end(callRecord(callId(1)))).toBeUndefined();
      expect(readCall(folder, position).records.map((one) => one.hex.length / 2)).toEqual([longest, 20]);
    }));

  it("refuses sizes that cannot work", () => {
    for (const wrong of [
      { maxBlockBytes: 100 },
      { maxBlockBytes: 70_000 },
      { segmentBytes: 0 },
      { flushMs: Number.NaN },
    ]) {
      expect(() => new JournalWriter(options("/nowhere", wrong)), JSON.stringify(wrong)).toThrow(RangeError);
    }
  });

  it("touches no file for calls that leave nothing", () =>
    withFolder(async (parent) => {
      const folder = join(parent, "run");
      const writer = new JournalWriter(options(folder));
      const journal = writer.begin(callId(1));
      journal.snapshot(callRecord(callId(1)));
      writer.tick(START_US);
      writer.tick(START_US + 10 * SECOND_US);
      expect(journal.end(callRecord(callId(1)))).toBeUndefined();
      writer.release(callId(1));
      await writer.close();
      expect(existsSync(folder)).toBe(false);
    }));

  it("makes its folder and files for the owner only", () =>
    withFolder((parent) => {
      const folder = join(parent, "run");
      const writer = new JournalWriter(options(folder));
      put(writer.begin(callId(1)), makeKept(0, 1));
      writer.flush();
      expect(statSync(folder).mode & 0o777).toBe(0o700);
      expect(statSync(join(folder, "000001.seg")).mode & 0o777).toBe(0o600);
    }));

  it("never writes over a file that is there", () =>
    withFolder((folder) => {
      writeFileSync(join(folder, "000001.seg"), "another run's");
      const writer = new JournalWriter(options(folder));
      const journal = writer.begin(callId(1));
      put(journal, makeKept(0, 1));
      expect(journal.end(callRecord(callId(1)))?.segment).toBe(2);
      expect(readFileSync(join(folder, "000001.seg"), "utf8")).toBe("another run's");
    }));

  it("puts the first call record before the audio, and later ones where they come", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder));
      const journal = writer.begin(callId(1));
      journal.snapshot(callRecord(callId(1), "early"));
      put(journal, makeKept(0, 1));
      writer.flush();
      expect(recoverRun(folder).calls).toMatchObject([{ ended: false, record: callRecord(callId(1), "early") }]);
      journal.snapshot(callRecord(callId(1), "later"));
      writer.flush();
      expect(recoverRun(folder).calls).toMatchObject([{ ended: false, record: callRecord(callId(1), "later") }]);
      expect(readCall(folder, journal.lastPosition!).record).toEqual(callRecord(callId(1), "later"));
      journal.end(callRecord(callId(1), "final"));
      expect(recoverRun(folder).calls).toMatchObject([{ ended: true, record: callRecord(callId(1), "final") }]);
    }));

  it("ends a call whose record is too long to keep, without the record", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder));
      const journal = writer.begin(callId(1));
      put(journal, makeKept(0, 1));
      journal.snapshot(callRecord(callId(1), "short"));
      const long = callRecord(callId(1), "x".repeat(1 << 20));
      journal.snapshot(long);
      const position = journal.end(long)!;
      expect(writer.counters["journal.lost-call-records"]).toBe(2);
      expect(readCall(folder, position)).toMatchObject({
        records: [makeKept(0, 1)],
        record: callRecord(callId(1), "short"),
        damagedBlocks: 0,
      });
      expect(recoverRun(folder).calls).toMatchObject([{ ended: true }]);
    }));

  it("keeps interleaved calls apart over several segments", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { segmentBytes: 3000, maxBlockBytes: 512 }));
      const journals = [0, 1, 2, 3, 4].map((n) => writer.begin(callId(n)));
      const kept = journals.map(() => [] as Kept[]);
      for (let n = 0; n < 300; n++) {
        const call = (n * n + (n >> 3)) % 5;
        const one = makeKept(n % 3 === 0 ? 1 : 0, n, 30 + (n % 50));
        kept[call]!.push(one);
        expect(put(journals[call]!, one)).toBe(true);
      }
      const positions = journals.map((journal, n) => journal.end(callRecord(callId(n)))!);
      expect(segmentFiles(folder).length).toBeGreaterThan(5);
      for (const name of segmentFiles(folder)) expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(3000);
      positions.forEach((position, n) => {
        expect(readCall(folder, position)).toEqual({
          records: kept[n],
          record: callRecord(callId(n)),
          damagedBlocks: 0,
        });
      });
    }));

  it("refuses a second journal for the same id until the first is released", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder));
      const journal = writer.begin(callId(1));
      expect(() => writer.begin(callId(1))).toThrow(callId(1));
      put(journal, makeKept(0, 1));
      journal.end(callRecord(callId(1)));
      expect(() => writer.begin(callId(1))).toThrow(callId(1));
      writer.release(callId(1));
      expect(() => writer.begin(callId(1))).not.toThrow();
    }));

  it("loses at most flushMs of packet time when it is killed", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { flushMs: 1000 }), undefined, { monotonicMs: () => 0 });
      const journal = writer.begin(callId(1));
      for (let n = 0; n < 500; n++) {
        const nowUs = START_US + n * 20_000;
        if (n % 5 === 0) writer.tick(nowUs);
        put(journal, makeKept(0, n));
        put(journal, makeKept(1, n));
        if (n < 60 || n % 7 !== 0) continue;
        const [found] = recoverRun(folder).calls;
        expect(nowUs - found!.lastUs).toBeLessThanOrEqual(SECOND_US);
      }
      // Not by writing every packet at once either: a block per side and about a second.
      expect(writer.counters["journal.blocks"]).toBeLessThan(30);
    }));

  it("writes an idle call's last packets when only the idle timer ticks", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder), undefined, { monotonicMs: () => 0 });
      writer.tick(START_US);
      put(writer.begin(callId(1)), makeKept(0, 0));
      writer.tick(START_US + 500_000);
      expect(writer.counters["journal.records"]).toBe(0);
      writer.tick(START_US + 900_000);
      expect(writer.counters["journal.records"]).toBe(1);
    }));

  it("copes with packet time that jumps ahead, back and nowhere", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder), undefined, { monotonicMs: () => 0 });
      const journal = writer.begin(callId(1));
      const written = (): number => writer.counters["journal.records"];
      writer.tick(START_US);
      put(journal, makeKept(0, 0));
      writer.tick(START_US - 20_000);
      expect(written()).toBe(0);
      writer.tick(START_US - 10 * SECOND_US);
      expect(written()).toBe(1);
      put(journal, makeKept(0, 1));
      writer.tick(START_US - 10 * SECOND_US);
      expect(written()).toBe(1);
      writer.tick(START_US - 9 * SECOND_US);
      expect(written()).toBe(2);
      put(journal, makeKept(0, 2));
      writer.tick(START_US + 1e15);
      expect(written()).toBe(3);
      put(journal, makeKept(0, 3));
      writer.tick(Number.NaN);
      writer.tick(START_US);
      expect(written()).toBe(4);
    }));

  it("writes many blocks with few system calls", () =>
    withFolder((folder) => {
      const disk = new FakeDisk();
      const writer = new JournalWriter(options(folder), undefined, { files: disk, monotonicMs: () => 0 });
      const journals = Array.from({ length: 100 }, (_, n) => writer.begin(callId(n)));
      writer.tick(START_US);
      for (let n = 1; n <= 20; n++) {
        for (const journal of journals) put(journal, makeKept(0, n, 172));
        writer.tick(START_US + n * SECOND_US);
      }
      expect(writer.counters["journal.blocks"]).toBe(2000);
      // The segment's header and the blocks of each second.
      expect(disk.writes).toBe(21);
    }));
});

describe("JournalWriter.release", () => {
  const small = { segmentBytes: 1000, maxBlockBytes: 256 };
  const fill = (writer: JournalWriter, n: number, packets: number): CallRecord => {
    const journal = writer.begin(callId(n));
    for (let i = 0; i < packets; i++) put(journal, makeKept(0, i, 100));
    writer.flush();
    const record = callRecord(callId(n));
    journal.end(record);
    return record;
  };

  it("unlinks exactly the segments in which every call is released, the one being written among them", () =>
    withFolder(async (folder) => {
      const writer = new JournalWriter(options(folder, { segmentBytes: 4000 }));
      const long = writer.begin(callId(0));
      const journals = [1, 2, 3].map((n) => writer.begin(callId(n)));
      // Segment 1: calls 0 and 1; 2: call 2; 3: calls 2 and 3; 4 (being written): calls 1 and 3.
      const inSegment = (first: number, calls: (typeof long)[]): void => {
        for (let i = 0; i < 3; i++) {
          for (const journal of calls) {
            put(journal, makeKept(0, first + i, i === 0 ? 3000 / calls.length - 100 : 20));
            writer.flush();
          }
        }
      };
      inSegment(0, [long, journals[0]!]);
      inSegment(10, [journals[1]!]);
      inSegment(20, [journals[1]!, journals[2]!]);
      inSegment(30, [journals[0]!, journals[2]!]);
      expect(segmentFiles(folder)).toEqual(["000001.seg", "000002.seg", "000003.seg", "000004.seg"]);
      writer.release(callId(2));
      expect(segmentFiles(folder)).toEqual(["000001.seg", "000003.seg", "000004.seg"]);
      writer.release(callId(1));
      expect(segmentFiles(folder)).toEqual(["000001.seg", "000003.seg", "000004.seg"]);
      writer.release(callId(3));
      expect(segmentFiles(folder)).toEqual(["000001.seg"]);
      put(long, makeKept(0, 40, 20));
      writer.flush();
      expect(segmentFiles(folder)).toEqual(["000001.seg", "000005.seg"]);
      writer.release(callId(0));
      expect(segmentFiles(folder)).toEqual([]);
      expect(writer.counters["journal.segments-removed"]).toBe(5);
      await writer.close();
      expect(segmentFiles(folder)).toEqual([]);
    }));

  it("leaves calls readable whose neighbours were released", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, small));
      const journal = writer.begin(callId(0));
      const kept = Array.from({ length: 40 }, (_, n) => makeKept(0, n, 60));
      kept.forEach((one, n) => {
        put(journal, one);
        if (n % 4 !== 0) return;
        fill(writer, n + 1, 20);
        writer.release(callId(n + 1));
      });
      const position = journal.end(callRecord(callId(0)))!;
      expect(writer.counters["journal.segments-removed"]).toBeGreaterThan(5);
      expect(readCall(folder, position)).toMatchObject({ records: kept, damagedBlocks: 0 });
    }));

  it("leaves no bytes of a released call behind once nobody shares its segments, however little there is", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder));
      fill(writer, 1, 2);
      const journal = writer.begin(callId(2));
      put(journal, makeKept(0, 0, 100));
      writer.flush();
      writer.release(callId(1));
      expect(segmentFiles(folder)).toEqual(["000001.seg"]);
      writer.release(callId(2));
      expect(segmentFiles(folder)).toEqual([]);
    }));

  it("drops what a released call has in memory: it never reaches a file", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder));
      const secret = writer.begin(callId(1));
      put(secret, { side: 0, stream: 0, capturedAtUs: START_US, hex: Buffer.from("SECRET-PAYLOAD").toString("hex") });
      writer.release(callId(1));
      expect(put(secret, makeKept(0, 1))).toBe(false);
      expect(secret.end(callRecord(callId(1)))).toBeUndefined();
      const other = writer.begin(callId(2));
      put(other, makeKept(0, 0, 12));
      other.end(callRecord(callId(2)));
      expect(folderBytes(folder).includes("SECRET")).toBe(false);
      expect(recoverRun(folder).calls.map((call) => call.id)).toEqual([callId(2)]);
    }));

  it("ignores ids it does not know", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder));
      fill(writer, 1, 1);
      writer.release(callId(9));
      expect(segmentFiles(folder)).toEqual(["000001.seg"]);
      writer.release(callId(1));
      writer.release(callId(1));
      expect(segmentFiles(folder)).toEqual([]);
    }));
});

describe("JournalWriter limits", () => {
  it("refuses calls beyond the open ones allowed, and takes new ones when others end", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { maxOpenCalls: 1 }));
      const first = writer.begin(callId(1));
      const refused = writer.begin(callId(2));
      expect(put(refused, makeKept(0, 0))).toBe(false);
      expect(refused.end(callRecord(callId(2)))).toBeUndefined();
      expect(writer.counters["journal.refused-calls"]).toBe(1);
      first.end(callRecord(callId(1)));
      expect(put(writer.begin(callId(3)), makeKept(0, 0))).toBe(true);
    }));

  it("forgets the oldest ended call beyond those allowed and keeps its segments", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { maxEndedCalls: 2, segmentBytes: 256 }));
      for (let n = 1; n <= 3; n++) {
        const journal = writer.begin(callId(n));
        put(journal, makeKept(0, n, 200));
        journal.end(callRecord(callId(n)));
      }
      expect(writer.counters["journal.forgotten-calls"]).toBe(1);
      for (let n = 1; n <= 3; n++) writer.release(callId(n));
      const left = recoverRun(folder).calls.map((call) => call.id);
      expect(left).toContain(callId(1));
      expect(left).not.toContain(callId(2));
    }));

  it("writes the oldest blocks before their time when buffers run out, and loses nothing", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { maxBlocks: 3 }), undefined, { monotonicMs: () => 0 });
      writer.tick(START_US);
      const journals = Array.from({ length: 50 }, (_, n) => writer.begin(callId(n)));
      const kept = journals.map(() => [] as Kept[]);
      for (let n = 0; n < 10; n++) {
        journals.forEach((journal, call) => {
          const one = makeKept((n % 2) as 0 | 1, n * 100 + call);
          kept[call]!.push(one);
          expect(put(journal, one)).toBe(true);
        });
      }
      expect(writer.counters["journal.early-blocks"]).toBeGreaterThan(400);
      journals.forEach((journal, n) => {
        expect(readCall(folder, journal.end(callRecord(callId(n)))!).records).toEqual(kept[n]);
      });
    }));
});

// Syncing and a failing disk: the faults come from the file operations, the edge to the disk.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { recoverRun } from "../../../device/journal/recovery.js";
import { type JournalOptions, JournalWriter } from "../../../device/journal/writer.js";
import {
  callId,
  callRecord,
  countDown,
  FakeDisk,
  followLinks,
  type Kept,
  makeKept,
  options,
  put,
  readCall,
  START_US,
  segmentFiles,
  withFolder,
} from "./journal-kit.js";

class Bench {
  readonly disk = new FakeDisk();
  readonly faults: Error[] = [];
  readonly writer: JournalWriter;
  monotonicMs = 1000;

  constructor(folder: string, more: Partial<JournalOptions> = {}) {
    const edges = { files: this.disk, monotonicMs: () => this.monotonicMs };
    this.writer = new JournalWriter(options(folder, more), { onFault: (error) => this.faults.push(error) }, edges);
  }
}

describe("JournalWriter syncing", () => {
  it("syncs by the wall clock however fast packet time runs", () =>
    withFolder(async (folder) => {
      const bench = new Bench(folder, { syncMs: 5000 });
      const journal = bench.writer.begin(callId(1));
      for (let n = 0; n < 10_000; n++) {
        bench.writer.tick(START_US + n * 100_000);
        put(journal, makeKept(0, n * 5));
      }
      expect(bench.disk.syncedFds).toEqual([]);
      bench.monotonicMs += 4000;
      bench.writer.tick(START_US + 1e9);
      await new Promise((resolve) => setTimeout(resolve, 20));
      // The segment, then the folder that got a new name.
      expect(bench.disk.syncedFds.length).toBe(2);
      expect(bench.writer.counters["journal.syncs"]).toBe(1);
      put(journal, makeKept(0, 50_000));
      for (let n = 1; n <= 39; n++) {
        bench.monotonicMs += 100;
        bench.writer.tick(START_US + 1e9 + n * 100_000);
      }
      expect(bench.disk.syncedFds.length).toBe(2);
      bench.monotonicMs += 200;
      bench.writer.tick(START_US + 2e9);
      expect(bench.disk.syncedFds.length).toBe(3);
    }));

  it("puts on the disk what was appended before the sync, in memory or not", () =>
    withFolder((folder) => {
      const bench = new Bench(folder);
      bench.writer.tick(START_US);
      put(bench.writer.begin(callId(1)), makeKept(0, 0));
      bench.writer.tick(START_US + 1000);
      expect(bench.writer.counters["journal.records"]).toBe(0);
      bench.monotonicMs += 4000;
      bench.writer.tick(START_US + 2000);
      expect(bench.writer.counters["journal.records"]).toBe(1);
      expect(bench.disk.syncedFds.length).toBe(1);
    }));

  it("has at most one sync under way, and none when there is nothing new", () =>
    withFolder(async (folder) => {
      const bench = new Bench(folder);
      bench.disk.holdSyncs = true;
      const journal = bench.writer.begin(callId(1));
      for (let n = 0; n < 20; n++) {
        put(journal, makeKept(0, n));
        bench.writer.tick(START_US + n * 20_000);
        bench.monotonicMs += 5000;
      }
      expect(bench.disk.heldSyncs.length).toBe(1);
      bench.disk.holdSyncs = false;
      bench.disk.finishSyncs();
      await bench.writer.sync();
      const done = bench.disk.syncedFds.length;
      for (let n = 0; n < 20; n++) {
        bench.writer.tick(START_US + 1e6 + n * 20_000);
        bench.monotonicMs += 5000;
      }
      expect(bench.disk.syncedFds.length).toBe(done);
    }));

  it("syncs segments that were full before their turn came, and closes every file", () =>
    withFolder(async (folder) => {
      const bench = new Bench(folder, { segmentBytes: 512, maxBlockBytes: 256 });
      const journal = bench.writer.begin(callId(1));
      for (let n = 0; n < 40; n++) put(journal, makeKept(0, n, 100));
      await bench.writer.sync();
      expect(bench.writer.counters["journal.syncs"]).toBe(segmentFiles(folder).length);
      journal.end(callRecord(callId(1)));
      await bench.writer.close();
      await bench.writer.close();
      expect(recoverRun(folder).calls.length).toBe(1);
    }));

  it("lets a segment go while it is being synced", () =>
    withFolder(async (folder) => {
      const bench = new Bench(folder, { segmentBytes: 256 });
      const journal = bench.writer.begin(callId(1));
      put(journal, makeKept(0, 0, 150));
      bench.writer.flush();
      bench.disk.holdSyncs = true;
      const synced = bench.writer.sync();
      journal.end(callRecord(callId(1)));
      bench.writer.release(callId(1));
      expect(segmentFiles(folder)).toEqual([]);
      bench.disk.holdSyncs = false;
      bench.disk.finishSyncs();
      await synced;
      await bench.writer.close();
      expect(bench.faults).toEqual([]);
      expect(segmentFiles(folder)).toEqual([]);
    }));

  it("reports a sync that fails and goes on in another file", () =>
    withFolder(async (folder) => {
      const bench = new Bench(folder);
      const journal = bench.writer.begin(callId(1));
      put(journal, makeKept(0, 0));
      bench.disk.syncFailure = "EIO";
      await bench.writer.sync();
      bench.disk.syncFailure = "";
      expect(bench.faults.map((error) => error.message)).toEqual(["EIO: the disk says no"]);
      put(journal, makeKept(0, 1));
      const position = journal.end(callRecord(callId(1)))!;
      expect(position.segment).toBe(2);
      expect(readCall(folder, position).records).toEqual([makeKept(0, 0), makeKept(0, 1)]);
    }));
});

describe("JournalWriter, when a sync was refused", () => {
  it("writes the file anew, at the same places, and asks for no second sync of the old one", () =>
    withFolder(async (folder) => {
      const bench = new Bench(folder);
      const journal = bench.writer.begin(callId(1));
      put(journal, makeKept(0, 0));
      bench.disk.syncFailure = "EIO";
      await bench.writer.sync();
      const [name] = segmentFiles(folder);
      const before = statSync(join(folder, name!)).ino;
      await bench.writer.sync();
      expect(bench.faults.length).toBe(1);
      expect(bench.writer.counters["journal.write-errors"]).toBeGreaterThan(1);
      bench.disk.syncFailure = "";
      await bench.writer.sync();
      expect(statSync(join(folder, name!)).ino).not.toBe(before);
      expect(bench.writer.counters["journal.segments-rewritten"]).toBe(1);
      expect(readdirSync(folder)).toEqual([name]);
      const synced = bench.disk.syncedFds.length;
      await bench.writer.sync();
      expect(bench.disk.syncedFds.length).toBe(synced);
      put(journal, makeKept(0, 1));
      const position = journal.end(callRecord(callId(1)))!;
      expect(readCall(folder, position)).toMatchObject({
        records: [makeKept(0, 0), makeKept(0, 1)],
        damagedBlocks: 0,
      });
    }));

  it("leaves nothing of a file that goes while it is written anew", () =>
    withFolder(async (folder) => {
      const bench = new Bench(folder);
      const journal = bench.writer.begin(callId(1));
      put(journal, makeKept(0, 0));
      journal.end(callRecord(callId(1)));
      bench.disk.syncFailure = "EIO";
      await bench.writer.sync();
      bench.disk.syncFailure = "";
      const synced = bench.writer.sync();
      bench.writer.release(callId(1));
      await synced;
      await bench.writer.close();
      expect(readdirSync(folder)).toEqual([]);
    }));
});

describe("JournalWriter on a failing disk", () => {
  it("keeps what it took while the disk is full and writes it when there is space again", () =>
    withFolder(async (folder) => {
      const bench = new Bench(folder);
      const journal = bench.writer.begin(callId(1));
      const kept = Array.from({ length: 300 }, (_, n) => makeKept(n % 3 === 0 ? 1 : 0, n, 100));
      kept.forEach((one, n) => {
        if (n === 60) bench.disk.freeBytes = 3000;
        if (n === 200) bench.disk.freeBytes = Number.POSITIVE_INFINITY;
        bench.writer.tick(one.capturedAtUs);
        bench.monotonicMs += 20;
        expect(put(journal, one)).toBe(true);
      });
      const position = journal.end(callRecord(callId(1)))!;
      expect(readCall(folder, position)).toEqual({ records: kept, record: callRecord(callId(1)), damagedBlocks: 0 });
      expect(followLinks(folder, position)).toEqual(countDown(bench.writer.counters["journal.blocks"] - 1));
      expect(bench.faults.length).toBe(1);
      expect(bench.writer.counters["journal.write-errors"]).toBeGreaterThanOrEqual(1);
      expect(bench.writer.counters["journal.lost-records"]).toBe(0);
      expect(recoverRun(folder).calls).toMatchObject([{ ended: true, position }]);
      await bench.writer.close();
    }));

  it("loses nothing when a write is cut short (every fifth byte)", () => {
    const kept = [makeKept(0, 0, 50), makeKept(1, 1, 50), makeKept(0, 2, 50)];
    for (let freeBytes = 0; freeBytes < 900; freeBytes += 5) {
      withFolder((folder) => {
        const bench = new Bench(folder, { maxBlockBytes: 256 });
        const journal = bench.writer.begin(callId(1));
        for (const one of kept) put(journal, one);
        bench.disk.freeBytes = freeBytes;
        bench.writer.flush();
        bench.disk.freeBytes = Number.POSITIVE_INFINITY;
        const position = journal.end(callRecord(callId(1)))!;
        expect(readCall(folder, position)).toMatchObject({ records: kept, damagedBlocks: 0 });
        expect(recoverRun(folder).calls).toMatchObject([{ position, ended: true }]);
        expect(followLinks(folder, position), `${freeBytes} bytes`).toEqual(countDown(2));
      });
    }
  });

  it("takes a write that is cut short but goes on for no fault", () =>
    withFolder((folder) => {
      const bench = new Bench(folder, { maxBlockBytes: 256 });
      bench.disk.maxWriteBytes = 600;
      const journal = bench.writer.begin(callId(1));
      const kept = Array.from({ length: 30 }, (_, n) => makeKept(n % 3 === 0 ? 1 : 0, n, 50));
      for (const one of kept) put(journal, one);
      bench.writer.flush();
      bench.disk.maxWriteBytes = 5000;
      const position = journal.end(callRecord(callId(1)))!;
      expect(readCall(folder, position)).toMatchObject({ records: kept, damagedBlocks: 0 });
      expect(followLinks(folder, position)).toEqual(countDown(bench.writer.counters["journal.blocks"] - 1));
      expect(bench.faults).toEqual([]);
    }));

  it("reports a fault once until a write succeeds, and spaces its attempts", () =>
    withFolder((folder) => {
      const bench = new Bench(folder, { flushMs: 50 });
      const journal = bench.writer.begin(callId(1));
      bench.disk.failure = "ENOSPC";
      for (let n = 0; n < 1000; n++) {
        put(journal, makeKept(0, n));
        bench.writer.tick(START_US + n * 20_000);
        bench.monotonicMs += 20;
      }
      expect(bench.faults.length).toBe(1);
      const errors = bench.writer.counters["journal.write-errors"];
      expect(errors).toBeGreaterThan(15);
      expect(errors).toBeLessThan(25);
      bench.disk.failure = "";
      bench.writer.flush();
      bench.disk.failure = "EIO";
      put(journal, makeKept(0, 1000));
      bench.writer.flush();
      expect(bench.faults.length).toBe(2);
    }));

  it("refuses and counts packets once its buffers are full, never more than that", () =>
    withFolder((folder) => {
      const bench = new Bench(folder, { maxBlocks: 4, maxBlockBytes: 256 });
      const journal = bench.writer.begin(callId(1));
      bench.disk.failure = "EIO";
      const kept: Kept[] = [];
      for (let n = 0; n < 100; n++) {
        const one = makeKept(0, n, 88);
        if (put(journal, one)) kept.push(one);
      }
      // Two packets to a block.
      expect(kept.length).toBe(8);
      expect(bench.writer.counters["journal.lost-records"]).toBe(92);
      expect(journal.end(callRecord(callId(1)))).toBeUndefined();
      expect(journal.lastPosition).toBeUndefined();
      bench.disk.failure = "";
      bench.monotonicMs += 1000;
      bench.writer.tick(START_US + 10_000_000);
      expect(readCall(folder, journal.lastPosition!)).toMatchObject({ records: kept, damagedBlocks: 0 });
      expect(recoverRun(folder).calls).toMatchObject([{ ended: true }]);
    }));

  it("says where the call stands in the file when its last block is refused", () =>
    withFolder((folder) => {
      const bench = new Bench(folder);
      const journal = bench.writer.begin(callId(1));
      put(journal, makeKept(0, 0));
      bench.writer.flush();
      put(journal, makeKept(0, 1));
      bench.disk.failure = "EIO";
      expect(journal.end(callRecord(callId(1)))).toBeUndefined();
      expect(readCall(folder, journal.lastPosition!).records).toEqual([makeKept(0, 0)]);
      bench.disk.failure = "";
      bench.writer.release(callId(1));
      bench.writer.flush();
      expect(segmentFiles(folder)).toEqual([]);
    }));

  it("gives up at the close what the disk does not take, and counts it", () =>
    withFolder(async (folder) => {
      const bench = new Bench(folder);
      put(bench.writer.begin(callId(1)), makeKept(0, 0));
      put(bench.writer.begin(callId(2)), makeKept(0, 0));
      bench.disk.failure = "EIO";
      await bench.writer.close();
      expect(bench.writer.counters["journal.lost-records"]).toBe(2);
      expect(put(bench.writer.begin(callId(3)), makeKept(0, 0))).toBe(false);
    }));

  it("bounds the call records that wait for a disk", () =>
    withFolder((folder) => {
      const bench = new Bench(folder);
      const journal = bench.writer.begin(callId(1));
      put(journal, makeKept(0, 0));
      bench.disk.failure = "EIO";
      const record = callRecord(callId(1), "x".repeat(500_000));
      for (let n = 0; n < 40; n++) journal.snapshot(record);
      expect(bench.writer.counters["journal.lost-call-records"]).toBe(24);
      bench.disk.failure = "";
      bench.writer.flush();
      journal.snapshot(record);
      expect(bench.writer.counters["journal.lost-call-records"]).toBe(24);
    }));

  it("counts a segment that cannot be unlinked and forgets it", () =>
    withFolder((folder) => {
      const bench = new Bench(folder, { segmentBytes: 256 });
      for (const n of [1, 2]) {
        const journal = bench.writer.begin(callId(n));
        put(journal, makeKept(0, 0, 150));
        journal.end(callRecord(callId(n)));
      }
      bench.disk.failure = "EIO";
      bench.writer.release(callId(1));
      expect(bench.writer.counters["journal.unlink-errors"]).toBeGreaterThan(0);
      expect(bench.faults).toEqual([]);
    }));

  it("takes a folder that cannot be made as a fault", () => {
    const faults: Error[] = [];
    const writer = new JournalWriter(options(join("/proc", "no-such-place")), {
      onFault: (error) => faults.push(error),
    });
    const journal = writer.begin(callId(1));
    expect(put(journal, makeKept(0, 0))).toBe(true);
    expect(journal.end(callRecord(callId(1)))).toBeUndefined();
    expect(faults.length).toBe(1);
  });
});

// A call of hours among short ones: what the journal keeps on the disk is in proportion to what is still wanted of it, nothing
// of that is lost at whatever step the box dies, and whoever may be reading finds what it was told.
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CallId } from "../../../device/base/ids.js";
import type { JournalPosition } from "../../../device/contract/engine-messages.js";
import { segmentName } from "../../../device/journal/format.js";
import { recoverRun } from "../../../device/journal/recovery.js";
import { type CallJournal, type JournalOptions, JournalWriter } from "../../../device/journal/writer.js";
import {
  callId,
  callRecord,
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

const SEGMENT_BYTES = 32 * 1024;
const KEY = Buffer.alloc(32, 7);
/** Of the wall clock and of packet time. */
const STEP_MS = 100;

class StoppedError extends Error {}

/** A disk that dies at the n-th operation that changes something: nothing after it happens. */
class MortalDisk extends FakeDisk {
  operations = 0;
  diesAt = Number.POSITIVE_INFINITY;

  #live(): void {
    if (++this.operations >= this.diesAt) throw new StoppedError();
  }
  override openSync(path: string, flags: string, mode?: number): number {
    if (flags !== "r") this.#live();
    return super.openSync(path, flags, mode);
  }
  override writevSync(fd: number, buffers: Buffer[], position: number): number {
    this.#live();
    return super.writevSync(fd, buffers, position);
  }
  override renameSync(from: string, to: string): void {
    this.#live();
    super.renameSync(from, to);
  }
  override unlinkSync(path: string): void {
    this.#live();
    super.unlinkSync(path);
  }
}

class Box {
  readonly disk = new MortalDisk();
  readonly writer: JournalWriter;
  readonly kept = new Map<CallId, Kept[]>();
  nowMs = 1000;
  #journals = new Map<CallId, CallJournal>();

  constructor(folder: string, more: Partial<JournalOptions> = {}) {
    const edges = { files: this.disk, monotonicMs: () => this.nowMs };
    const sizes = { segmentBytes: SEGMENT_BYTES, maxBlockBytes: 1024, ...more };
    this.writer = new JournalWriter(options(folder, sizes), undefined, edges);
  }

  put(id: CallId, n: number, length = 160): void {
    const journal = this.#journals.get(id) ?? this.writer.begin(id);
    this.#journals.set(id, journal);
    const kept = this.kept.get(id) ?? [];
    this.kept.set(id, kept);
    const one = makeKept((n % 2) as 0 | 1, n, length);
    if (put(journal, one)) kept.push(one);
  }

  snapshot(id: CallId): void {
    this.#journals.get(id)?.snapshot(callRecord(id));
  }

  end(id: CallId, more: object = {}): JournalPosition {
    const position = this.#journals.get(id)!.end({ ...callRecord(id), ...more })!;
    this.#journals.delete(id);
    return position;
  }

  release(id: CallId): void {
    this.writer.release(id);
    this.kept.delete(id);
    this.#journals.delete(id);
  }

  position(id: CallId): JournalPosition {
    this.writer.flush();
    return this.#journals.get(id)!.lastPosition!;
  }

  /** Time passes, and syncs come back. */
  async pass(steps = 1): Promise<void> {
    for (let i = 0; i < steps; i++) {
      this.nowMs += STEP_MS;
      this.writer.tick(START_US + this.nowMs * 1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Calls of two seconds with ten times the audio of the one that stays: 4 of them at a time. */
async function runOffice(box: Box, long: CallId, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const short = [0, 1, 2, 3].map((n) => callId(10 + ((round * 4 + n) % 200)));
    for (let n = 0; n < 40; n++) {
      for (const id of short) box.put(id, n);
      if (n % 10 === 0) box.put(long, round * 4 + n / 10);
      await box.pass();
    }
    box.snapshot(long);
    for (const id of short) {
      box.end(id);
      await box.pass();
      box.release(id);
    }
  }
}

function fileSizes(folder: string): number {
  return segmentFiles(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

describe("a call of hours among short ones", () => {
  for (const key of [undefined, KEY]) {
    it(`keeps of the others only what is recent${key ? ", sealed" : ""}`, () =>
      withFolder(async (folder) => {
        const long = callId(1);
        const box = new Box(folder, { key });
        await runOffice(box, long, 30);
        await box.pass(200);
        const { counters } = box.writer;
        expect(counters["journal.bytes"]).toBeGreaterThan(25 * SEGMENT_BYTES);
        expect(counters["journal.segments-compacted"]).toBeGreaterThan(15);
        expect(counters["journal.compaction-errors"]).toBe(0);
        const wanted = box.kept.get(long)!.reduce((sum, { hex }) => sum + hex.length / 2, 0);
        // Blocks of it are small here, a record or two; its snapshots and the file being written come on top.
        expect(fileSizes(folder)).toBeLessThan(4 * wanted + 3 * SEGMENT_BYTES);

        const inProgress = readCall(folder, box.position(long), long, key);
        expect(inProgress.records).toEqual(box.kept.get(long));
        expect(inProgress.damagedBlocks).toBe(0);
        const position = box.end(long);
        const read = readCall(folder, position, long, key);
        expect(read).toEqual({ records: box.kept.get(long), record: callRecord(long), damagedBlocks: 0 });
        const run = recoverRun(folder);
        expect(run).toMatchObject({ damagedBlocks: 0, tornTail: false });
        expect(run.calls.find(({ id }) => id === long)).toMatchObject({ position, ended: true });
        box.release(long);
        await box.writer.close();
        expect(segmentFiles(folder)).toEqual([]);
      }));
  }

  it(
    "loses nothing at whatever step the box dies",
    () =>
      withFolder(async (parent) => {
        const long = callId(1);
        const rehearsal = join(parent, "rehearsal");
        const whole = new Box(rehearsal);
        await runOffice(whole, long, 4);
        await whole.pass(60);
        expect(whole.writer.counters["journal.segments-compacted"]).toBeGreaterThan(2);
        for (let diesAt = 1; diesAt <= whole.disk.operations; diesAt += 3) {
          const folder = join(parent, String(diesAt));
          const box = new Box(folder);
          box.disk.diesAt = diesAt;
          await runOffice(box, long, 4);
          await box.pass(60);
          if (!existsSync(folder)) continue;
          const call = recoverRun(folder).calls.find(({ id }) => id === long);
          if (call === undefined) continue;
          const read = readCall(folder, call.position, long);
          // What the files had taken when the disk died is a beginning of what was admitted, without a hole.
          expect(read.damagedBlocks).toBe(0);
          const kept = box.kept.get(long)!;
          for (const side of [0, 1]) {
            const ofSide = read.records.filter((one) => one.side === side);
            expect(ofSide).toEqual(kept.filter((one) => one.side === side).slice(0, ofSide.length));
          }
          const before = box.writer.counters["journal.segments"];
          if (before > 6) expect(read.records.length).toBeGreaterThan(8);
        }
      }),
    60_000,
  );
});

describe("what is not copied", () => {
  /** A long call's block and much of another's in segment 1, which is full; the other one is released. */
  async function sparse(folder: string, more: { isEnded?: boolean; record?: object } = {}): Promise<Box> {
    const box = new Box(folder);
    box.put(callId(1), 0);
    for (let n = 0; n < 150; n++) box.put(callId(2), n);
    box.put(callId(3), 1);
    if (more.isEnded) box.end(callId(3));
    box.writer.flush();
    if (more.record) box.end(callId(2), more.record);
    for (let n = 150; n < 300; n++) box.put(callId(4), n);
    box.put(callId(1), 1);
    box.writer.flush();
    await box.writer.sync();
    box.release(callId(2));
    box.release(callId(4));
    return box;
  }

  it("a segment in which a call has ended and may be being read; once it is released the segment is", () =>
    withFolder(async (folder) => {
      const box = await sparse(folder, { isEnded: true });
      const path = join(folder, segmentName(1));
      const { ino } = statSync(path);
      await box.pass(100);
      expect(statSync(path).ino).toBe(ino);
      expect(box.writer.counters["journal.segments-compacted"]).toBe(0);
      box.release(callId(3));
      await box.pass(100);
      expect(statSync(path).ino).not.toBe(ino);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(readCall(folder, box.position(callId(1)), callId(1)).records).toEqual(box.kept.get(callId(1)));
    }));

  it("a segment whose call ends while it is copied", () =>
    withFolder(async (folder) => {
      const box = await sparse(folder);
      box.disk.holdSyncs = true;
      await box.pass(30);
      expect(segmentFiles(folder)).toContain(`${segmentName(1)}.copy`);
      const position = box.end(callId(3));
      box.disk.holdSyncs = false;
      box.disk.finishSyncs();
      await box.pass(3);
      expect(segmentFiles(folder)).not.toContain(`${segmentName(1)}.copy`);
      expect(box.writer.counters["journal.segments-compacted"]).toBe(0);
      expect(readCall(folder, position, callId(3)).records).toEqual(box.kept.get(callId(3)));
    }));

  it("what a disk refuses, which is tried again after a minute and is no fault of the journal", () =>
    withFolder(async (folder) => {
      const box = await sparse(folder);
      const before = folderBytes(folder);
      box.disk.freeBytes = 100;
      await box.pass(30);
      expect(folderBytes(folder)).toEqual(before);
      expect(box.writer.counters).toMatchObject({ "journal.compaction-errors": 1, "journal.write-errors": 0 });
      box.disk.freeBytes = Number.POSITIVE_INFINITY;
      await box.pass(500);
      expect(box.writer.counters["journal.segments-compacted"]).toBe(0);
      await box.pass(150);
      expect(box.writer.counters["journal.segments-compacted"]).toBeGreaterThan(0);
      expect(readCall(folder, box.position(callId(1)), callId(1)).records).toEqual(box.kept.get(callId(1)));
    }));

  it("a segment with damage in it, however much later it is looked at", () =>
    withFolder(async (folder) => {
      const box = await sparse(folder);
      const path = join(folder, segmentName(1));
      const bytes = readFileSync(path);
      bytes.fill(0xff, 20_000, 22_000);
      writeFileSync(path, bytes);
      await box.pass(2000);
      expect(readFileSync(path)).toEqual(bytes);
      expect(box.writer.counters["journal.compaction-errors"]).toBe(1);
      expect(readCall(folder, box.position(callId(1)), callId(1)).records).toEqual(box.kept.get(callId(1)));
    }));

  it("nothing more once the writer is closed, and no copy is left", () =>
    withFolder(async (folder) => {
      for (const held of [false, true]) {
        const run = join(folder, String(held));
        const box = await sparse(run);
        box.disk.holdSyncs = held;
        await box.pass(held ? 30 : 12);
        box.disk.holdSyncs = false;
        const closed = box.writer.close();
        box.disk.finishSyncs();
        await closed;
        await box.pass(30);
        expect(segmentFiles(run).every((name) => name.endsWith(".seg"))).toBe(true);
        expect(recoverRun(run).calls.map(({ id }) => id)).toContain(callId(1));
      }
    }));

  it("keeps the word that a call's audio is another's, as long as there may be audio of it", () =>
    withFolder(async (folder) => {
      const box = await sparse(folder, { record: { absorbedBy: callId(1) } });
      await box.pass(100);
      expect(box.writer.counters["journal.segments-compacted"]).toBeGreaterThan(0);
      const absorbed = recoverRun(folder).calls.find(({ id }) => id === callId(2));
      expect(absorbed?.record?.absorbedBy).toBe(callId(1));
    }));
});

it("any interleaving of calls gives back every call that is not released", async () => {
  const operation = fc.oneof(
    { weight: 12, arbitrary: fc.record({ kind: fc.constant("put" as const), call: fc.nat(7), count: fc.nat(60) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("end" as const), call: fc.nat(7), count: fc.nat(1) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("release" as const), call: fc.nat(7), count: fc.nat(1) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("pass" as const), call: fc.nat(1), count: fc.nat(40) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 20, maxLength: 120 }), (operations) =>
      withFolder(async (folder) => {
        const box = new Box(folder, { segmentBytes: 8 * 1024 });
        const ended = new Map<CallId, JournalPosition>();
        // A call that is there all along, so that segments outlive the others.
        let generation = 0;
        const ids = Array.from({ length: 8 }, (_, n) => callId(n + 1));
        for (const [at, { kind, call, count }] of operations.entries()) {
          const id = ids[call]!;
          box.put(callId(0), at);
          if (kind === "pass") await box.pass(count);
          else if (kind === "put" && !ended.has(id)) for (let n = 0; n < count; n++) box.put(id, at * 100 + n);
          else if (kind === "end" && box.kept.has(id) && !ended.has(id)) ended.set(id, box.end(id));
          else if (kind === "release" && ended.has(id)) {
            box.release(id);
            ended.delete(id);
            ids[call] = callId(20 + generation++);
          }
        }
        await box.pass(60);
        box.writer.flush();
        const recovered = new Map(recoverRun(folder).calls.map((one) => [one.id, one]));
        for (const [id, kept] of box.kept) {
          const position = ended.get(id) ?? box.position(id);
          expect(recovered.get(id)?.position).toEqual(position);
          const read = readCall(folder, position, id);
          expect(read.damagedBlocks).toBe(0);
          for (const side of [0, 1])
            expect(read.records.filter((one) => one.side === side)).toEqual(kept.filter((one) => one.side === side));
        }
        await box.writer.close();
      }),
    ),
    { numRuns: 15 },
  );
}, 60_000);

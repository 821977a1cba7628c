import { appendFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import { listRuns, recoverRun, removeRun } from "../../../device/journal/recovery.js";
import { JournalWriter } from "../../../device/journal/writer.js";
import {
  callId,
  callRecord,
  makeKept,
  options,
  put,
  readCall,
  START_US,
  segmentFiles,
  withFolder,
} from "./journal-kit.js";

function writeRun(folder: string, segmentBytes = 700): void {
  const writer = new JournalWriter(options(folder, { segmentBytes, maxBlockBytes: 256 }));
  const ended = writer.begin(callId(1));
  const open = writer.begin(callId(2));
  ended.snapshot(callRecord(callId(1), "early"));
  for (let n = 0; n < 12; n++) {
    put(ended, makeKept(n % 2 === 0 ? 0 : 1, n, 60));
    put(open, makeKept(1, 100 + n, 60));
    if (n % 4 === 0) writer.flush();
  }
  ended.end(callRecord(callId(1), "final"));
}

describe("recoverRun", () => {
  it("finds every call with its last block, its newest record, its times, and whether it ended", () =>
    withFolder((folder) => {
      writeRun(folder);
      const run = recoverRun(folder);
      expect(run).toMatchObject({ damagedBlocks: 0, tornTail: false });
      const [ended, open] = run.calls;
      expect(ended).toMatchObject({
        id: callId(1),
        ended: true,
        record: callRecord(callId(1), "final"),
        firstUs: START_US,
        lastUs: START_US + 11 * 20_000,
      });
      expect(open).toMatchObject({ id: callId(2), ended: false, record: undefined, firstUs: START_US + 100 * 20_000 });
      expect(readCall(folder, ended!.position).records.length).toBe(12);
      expect(readCall(folder, open!.position).damagedBlocks).toBe(0);
    }));

  it("finds nothing in an empty folder, and throws for one that cannot be read", () =>
    withFolder((folder) => {
      expect(recoverRun(folder)).toEqual({ calls: [], damagedBlocks: 0, tornTail: false });
      expect(() => recoverRun(join(folder, "gone"))).toThrow(SidetoneError);
    }));

  it("leaves foreign files alone and counts a segment that is none", () =>
    withFolder((folder) => {
      writeRun(folder);
      const calls = recoverRun(folder).calls;
      writeFileSync(join(folder, "notes.txt"), "hello");
      writeFileSync(join(folder, "000001.seg.bak"), readFileSync(join(folder, "000001.seg")));
      expect(recoverRun(folder)).toEqual({ calls, damagedBlocks: 0, tornTail: false });
      writeFileSync(join(folder, "000900.seg"), Buffer.alloc(5000, "SDB1"));
      mkdirSync(join(folder, "000901.seg"));
      expect(recoverRun(folder)).toEqual({ calls, damagedBlocks: 2, tornTail: false });
    }));

  it("takes an empty or barely begun segment as torn", () =>
    withFolder((folder) => {
      writeRun(folder);
      const calls = recoverRun(folder).calls;
      writeFileSync(join(folder, "000900.seg"), "");
      expect(recoverRun(folder)).toEqual({ calls, damagedBlocks: 0, tornTail: true });
      writeFileSync(join(folder, "000900.seg"), "SDTJ");
      expect(recoverRun(folder)).toEqual({ calls, damagedBlocks: 0, tornTail: true });
    }));

  it("takes bytes after the last block as torn: part of a block, or the zeros of a lost write", () =>
    withFolder((folder) => {
      writeRun(folder, 1 << 20);
      const path = join(folder, "000001.seg");
      const whole = readFileSync(path);
      const calls = recoverRun(folder).calls;
      for (const tail of [Buffer.alloc(1), Buffer.alloc(9000), whole.subarray(32, 80), whole.subarray(32, 92 + 10)]) {
        writeFileSync(path, whole);
        appendFileSync(path, tail);
        expect(recoverRun(folder)).toEqual({ calls, damagedBlocks: 0, tornTail: true });
      }
    }));

  it("believes no payload whose checksum does not hold", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder));
      const journal = writer.begin(callId(1));
      put(journal, makeKept(0, 5));
      writer.flush();
      put(journal, makeKept(0, 0));
      const position = journal.end(callRecord(callId(1), "final"))!;
      const path = join(folder, "000001.seg");
      const bytes = readFileSync(path);
      // The second packet's block, and the record's final block with its note.
      bytes[position.offset - 1]! ^= 1;
      bytes[bytes.indexOf("final")]! ^= 1;
      writeFileSync(path, bytes);
      expect(recoverRun(folder)).toEqual({
        calls: [
          {
            id: callId(1),
            position: { segment: 1, offset: 32 },
            record: undefined,
            ended: false,
            firstUs: START_US + 100_000,
            lastUs: START_US + 100_000,
          },
        ],
        damagedBlocks: 2,
        tornTail: false,
      });
    }));

  it("gets over a missing segment and a segment cut in the middle of the run", () =>
    withFolder((folder) => {
      writeRun(folder);
      const names = segmentFiles(folder);
      expect(names.length).toBeGreaterThan(4);
      const calls = recoverRun(folder).calls;
      rmSync(join(folder, names[1]!));
      truncateSync(join(folder, names[2]!), 100);
      const run = recoverRun(folder);
      expect(run.tornTail).toBe(true);
      expect(run.calls.map(({ id, position, ended }) => ({ id, position, ended }))).toEqual(
        calls.map(({ id, position, ended }) => ({ id, position, ended })),
      );
      for (const call of run.calls) expect(readCall(folder, call.position).records.length).toBeGreaterThan(0);
    }));

  it("dates a call by its record when no packet of it is left", () =>
    withFolder((folder) => {
      const writer = new JournalWriter(options(folder, { segmentBytes: 256 }));
      const journal = writer.begin(callId(1));
      put(journal, makeKept(0, 0, 100));
      journal.end(callRecord(callId(1)));
      rmSync(join(folder, "000001.seg"));
      const { startedAtUs, endedAtUs } = callRecord(callId(1));
      expect(recoverRun(folder).calls).toMatchObject([{ firstUs: startedAtUs, lastUs: endedAtUs, ended: true }]);
    }));
});

describe("run folders", () => {
  it("lists the folders, sorted, and nothing else", () =>
    withFolder((folder) => {
      for (const name of ["b", "a", "c"]) mkdirSync(join(folder, name));
      writeFileSync(join(folder, "file"), "");
      symlinkSync(join(folder, "a"), join(folder, "link"));
      expect(listRuns(folder).map((path) => basename(path))).toEqual(["a", "b", "c"]);
      expect(listRuns(join(folder, "gone"))).toEqual([]);
      expect(() => listRuns(join(folder, "file"))).toThrow(SidetoneError);
    }));

  it("removes a run with all that is in it, once or twice", () =>
    withFolder((folder) => {
      const run = join(folder, "run");
      writeRun(run);
      writeFileSync(join(run, "foreign"), "");
      removeRun(run);
      removeRun(run);
      expect(listRuns(folder)).toEqual([]);
    }));
});

// A call that is taken out of a run leaves nothing there, and costs the others nothing.
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { CallId } from "../../../device/base/ids.js";
import { sha256Of } from "../../../device/base/sha256.js";
import { removeCalls } from "../../../device/journal/call-removal.js";
import { segmentName } from "../../../device/journal/format.js";
import { recoverRun } from "../../../device/journal/recovery.js";
import { JournalWriter } from "../../../device/journal/writer.js";
import {
  callId,
  callRecord,
  folderBytes,
  type Kept,
  makeKept,
  options,
  put,
  readCall,
  segmentFiles,
  withFolder,
} from "./journal-kit.js";

const CALLS = 3;
const PACKETS = 400;

/** Calls whose blocks stand between each other's, over several segments. */
function journal(folder: string): Kept[][] {
  const writer = new JournalWriter(options(folder, { segmentBytes: 16_384 }));
  const calls = Array.from({ length: CALLS }, (_, n) => writer.begin(callId(n)));
  for (const [n, call] of calls.entries()) call.snapshot(callRecord(callId(n), `person ${n}`));
  const kept: Kept[][] = calls.map(() => []);
  for (let at = 0; at < PACKETS; at++) {
    for (const [n, call] of calls.entries()) {
      const one = { ...makeKept(0, at * CALLS + n), hex: sha256Of(`${n} ${at}`) };
      kept[n]!.push(one);
      put(call, one);
    }
    if (at % 20 === 0) writer.flush();
  }
  for (const [n, call] of calls.entries()) call.end(callRecord(callId(n), `person ${n}`));
  writer.flush();
  return kept;
}

const leftOf = (folder: string): CallId[] => recoverRun(folder).calls.map(({ id }) => id);

test("nothing of it is left, the others are as they were, and doing it again does nothing", () => {
  withFolder((folder) => {
    const kept = journal(folder);
    expect(segmentFiles(folder).length).toBeGreaterThan(2);
    const { length } = folderBytes(folder);
    expect(removeCalls(folder, new Set([callId(1)]))).toBeGreaterThan(10);
    expect(folderBytes(folder).length).toBe(length);
    const left = folderBytes(folder);
    expect(left.includes("person 1")).toBe(false);
    for (const { hex } of kept[1]!) expect(left.includes(Buffer.from(hex, "hex"))).toBe(false);
    const { calls } = recoverRun(folder);
    expect(calls.map(({ id }) => id)).toEqual([callId(0), callId(2)]);
    for (const [at, n] of [0, 2].entries()) {
      const read = readCall(folder, calls[at]!.position, callId(n));
      expect(read).toMatchObject({ records: kept[n], damagedBlocks: 0 });
      expect(read.record!.parties[0].name).toBe(`person ${n}`);
    }
    expect(removeCalls(folder, new Set([callId(1)]))).toBe(0);
    expect(removeCalls(folder, new Set([callId(0), callId(2)]))).toBeGreaterThan(20);
    expect(leftOf(folder)).toEqual([]);
  });
});

test("blocks of it that are damaged, or cut off with the file, go as well", () => {
  withFolder((folder) => {
    journal(folder);
    for (const name of segmentFiles(folder)) {
      const bytes = readFileSync(join(folder, name));
      const at = bytes.indexOf("person 1");
      if (at < 0) continue;
      // The payload is damaged now, its header is not.
      bytes.write("PERSON 1", at);
      writeFileSync(join(folder, name), bytes);
    }
    const last = segmentName(segmentFiles(folder).length);
    const bytes = readFileSync(join(folder, last));
    const cut = bytes.lastIndexOf("PERSON 1") + 20;
    expect(cut).toBeGreaterThan(20);
    const descriptor = openSync(join(folder, last), "r+");
    ftruncateSync(descriptor, cut);
    closeSync(descriptor);
    removeCalls(folder, new Set([callId(1)]));
    expect(folderBytes(folder).includes("PERSON 1")).toBe(false);
    expect(leftOf(folder)).toEqual([callId(0), callId(2)]);
  });
});

// Calls in order of arrival: what counts as arriving, and that a cursor holds for as long as its index does. What filters find in
// this order is listing.test.ts's.
import { copyFileSync, existsSync, rmSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CallId } from "../../../../device/base/ids.js";
import { StaleCursor } from "../../../../device/store/index/arrival.js";
import type { CallIndex } from "../../../../device/store/index/call-index.js";
import type { CallFilter } from "../../../../device/store/index/call-source.js";
import { openForWriting } from "../../../../device/store/index/database.js";
import { IndexFiles } from "../../../../device/store/index/index-files.js";
import { CallListing, type CallPage } from "../../../../device/store/index/listing.js";
import { IndexRebuild } from "../../../../device/store/index/rebuild.js";
import { RecordingPaths } from "../../../../device/store/recording-paths.js";
import { type GeneratedCall, generateCalls, storeCall } from "../../../fakes/indexed-calls.js";
import { DAY_US, FIRST_US, makeDataFolder, NUMBERS, newestOf, openIndex, takeBackToVersion2 } from "./index-kit.js";

function arrivals(listing: CallListing, cursor = "", filter: CallFilter = {}, limit = 500): CallPage {
  return listing.list(filter, { order: "arrival", cursor, limit });
}

function idsOf({ calls }: CallPage): CallId[] {
  return calls.map(({ id }) => id);
}

let folder: string;
let calls: GeneratedCall[];
let index: CallIndex;
const listing = (): CallListing => index.listing!;
const take = (call: GeneratedCall): void => {
  storeCall(folder, call);
  index.write(call.line);
};

beforeEach(async () => {
  folder = makeDataFolder();
  // The newest first: the order of arrival is not that of time.
  calls = [...generateCalls({ seed: 3, count: 12, firstUs: FIRST_US, spanUs: 2 * DAY_US })].reverse();
  index = openIndex(folder).index;
  await index.caughtUp();
});
afterEach(() => {
  index.close();
  rmSync(folder, { recursive: true, force: true });
});

async function reopen(): Promise<void> {
  index.close();
  index = openIndex(folder).index;
  await index.caughtUp();
}

test("calls come as they arrived, and the end has a cursor for what comes later", async () => {
  const nothing = arrivals(listing());
  expect([nothing.calls, nothing.next]).toEqual([[], ""]);
  for (const call of calls.slice(0, 8)) take(call);
  const ids = calls.map(({ line }) => line.id);
  const first = arrivals(listing(), nothing.resume, {}, 5);
  expect(idsOf(first)).toEqual(ids.slice(0, 5));
  expect(first.next).toBe(first.resume);
  const second = arrivals(listing(), first.next, {}, 5);
  expect([idsOf(second), second.next]).toEqual([ids.slice(5, 8), ""]);
  await reopen();
  for (const call of calls.slice(8)) take(call);
  expect(idsOf(arrivals(listing(), second.resume))).toEqual(ids.slice(8));
});

test("written again, tagged or deleted, a call stays where it arrived", () => {
  for (const call of calls) take(call);
  const ids = calls.map(({ line }) => line.id);
  const { resume } = arrivals(listing());
  const recorded = calls.find(({ manifest }) => manifest)!;
  index.changeTags(ids[0]!, { added: ["vip"], removed: [] });
  index.write(calls[1]!.line);
  index.setDelivery(recorded.line.id, { target: "crm", state: "done", attempts: 1, atUs: FIRST_US, note: "" });
  index.markDeleted(recorded.line.id, "retention");
  expect(arrivals(listing(), resume).calls).toEqual([]);
  expect(idsOf(arrivals(listing()))).toEqual(ids);
  expect(listing().find(recorded.line.id)).toMatchObject({ deleted: "retention", tags: [] });
});

test("a call that had no audio and is recovered arrives again; one without its line yet arrives once", () => {
  const recorded = calls.filter(({ manifest }) => manifest);
  const [late, early] = [recorded[0]!, recorded[1]!];
  const lost: GeneratedCall = {
    line: { ...late.line, noAudio: "journal-locked", file: "", durationMs: 0 },
    manifest: undefined,
  };
  take(lost);
  take(calls.find(({ manifest }) => !manifest)!);
  const { resume } = arrivals(listing());
  expect(arrivals(listing(), "", { outcome: "recorded" }).calls).toEqual([]);
  take(late);
  const again = arrivals(listing(), resume, { outcome: "recorded" });
  expect(idsOf(again)).toEqual([late.line.id]);
  // As catch-up does with a manifest whose line is not there yet.
  take(early);
  index.write(early.line);
  expect(idsOf(arrivals(listing(), again.resume))).toEqual([early.line.id]);
});

test("a call that went from the top takes its number with it", () => {
  for (const call of calls.slice(0, 3)) take(call);
  const { resume } = arrivals(listing());
  index.remove(calls[2]!.line.id);
  take(calls[3]!);
  expect(idsOf(arrivals(listing(), resume))).toEqual([calls[3]!.line.id]);
});

test("a rehearsal gives no number away", () => {
  take(calls[0]!);
  const before = arrivals(listing()).resume;
  expect(index.rehearse({ ...calls[1]!, folder: "self-test" })).toBe("");
  expect(arrivals(listing()).resume).toBe(before);
});

test("cursors of an index that was made anew, put back from a copy or never was, are told apart", async () => {
  for (const call of calls.slice(0, 4)) take(call);
  index.close();
  const copy = `${folder}/copy`;
  copyFileSync(newestOf(folder), copy);
  index = openIndex(folder).index;
  await index.caughtUp();
  const old = arrivals(listing()).resume;
  const rebuild = new IndexRebuild(new RecordingPaths(folder), NUMBERS);
  for (const _ of rebuild.steps());
  index.adopt(rebuild.name);
  await index.caughtUp();
  expect(() => arrivals(listing(), old)).toThrow(StaleCursor);
  for (const call of calls.slice(4)) take(call);
  const { calls: all, resume } = arrivals(listing());
  expect(all).toHaveLength(calls.length);
  expect(() => listing().list({}, { cursor: resume })).toThrow("that is no cursor");
  for (const bad of ["x", "!!", listing().list({}, { limit: 1 }).next]) {
    expect(() => arrivals(listing(), bad)).toThrow("that is no cursor");
    expect(() => arrivals(listing(), bad)).not.toThrow(StaleCursor);
  }
  index.close();
  const path = newestOf(folder);
  copyFileSync(path, copy);
  index = openIndex(folder).index;
  await index.caughtUp();
  take([...generateCalls({ seed: 9, count: 1, firstUs: FIRST_US, spanUs: 1 })][0]!);
  const ahead = arrivals(listing()).resume;
  index.close();
  copyFileSync(copy, path);
  const database = openForWriting(path, new IndexFiles(folder));
  expect(() => arrivals(new CallListing(database, NUMBERS), ahead)).toThrow(StaleCursor);
  database.close();
  index = openIndex(folder).index;
});

test("what a power cut takes from the index comes again, behind every cursor that was given", async () => {
  for (const call of calls.slice(0, 4)) take(call);
  await reopen();
  const path = newestOf(folder);
  const wal = `${path}-wal`;
  // What is durable once it is open; all that follows is lost.
  copyFileSync(path, `${folder}/kept`);
  if (existsSync(wal)) copyFileSync(wal, `${folder}/kept-wal`);
  for (const call of calls.slice(4, 9)) take(call);
  const { resume } = arrivals(listing());
  index.close();
  copyFileSync(`${folder}/kept`, path);
  if (existsSync(`${folder}/kept-wal`)) copyFileSync(`${folder}/kept-wal`, wal);
  index = openIndex(folder).index;
  for (const call of calls.slice(9)) take(call);
  await index.caughtUp();
  const found = idsOf(arrivals(listing(), resume));
  for (const { line } of calls.slice(9)) expect(found).toContain(line.id);
  expect(new Set(idsOf(arrivals(listing()))).size).toBe(calls.length);
});

test("calls of an older version have the order of their names", async () => {
  for (const call of calls) take(call);
  index.close();
  takeBackToVersion2(newestOf(folder));
  index = openIndex(folder).index;
  await index.caughtUp();
  const ids = calls.map(({ line }) => line.id).sort();
  const { calls: found, resume } = arrivals(listing());
  expect(found.map(({ id }) => id)).toEqual(ids);
  const [late] = generateCalls({ seed: 5, count: 1, firstUs: FIRST_US, spanUs: 1 });
  take(late!);
  expect(idsOf(arrivals(listing(), resume))).toEqual([late!.line.id]);
});

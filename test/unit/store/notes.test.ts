// Notes on recordings: who wrote what, durable and signed; gone with the recording whatever takes it; and that both verifiers see when
// somebody changes, adds or takes one away, and find nothing where all is in order, whatever a crash has left.
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CallId, makeCallId } from "../../../device/base/ids.js";
import { sha256Of } from "../../../device/base/sha256.js";
import type { AuditEntryInput } from "../../../device/contract/audit.js";
import type { CallRecord } from "../../../device/contract/call-record.js";
import { MAX_NOTES } from "../../../device/contract/note.js";
import { filesOfRecording } from "../../../device/store/export/about.js";
import { NoteBook } from "../../../device/store/notes.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { signLine } from "../../../device/store/signed-line.js";
import { chooseKey } from "../../../device/store/verify/key-choice.js";
import { verifyDataFolder } from "../../../device/store/verify/verify.js";
import { verifyFolder } from "../../../host/verify/verify-folder.js";
import { readAudit } from "./audit-kit.js";
import { callFrom, filesOf, filesWith, keep, orderFor } from "./retention/deletion-kit.js";
import { dyingFiles, makeFolder, publicKeyOf, removeFolder } from "./store-kit.js";

const TEXT = "Wants to be called back\non Monday: ☎ 0171 5550123";
let folder: string;
let store: RecordingStore;
let record: CallRecord;

beforeEach(async () => {
  folder = makeFolder();
  store = RecordingStore.open(folder, { device: "box", gatherMs: 0 });
  record = callFrom(1);
  await keep(store, record);
});
afterEach(() => {
  store.close();
  removeFolder(folder);
});

const enter = (entry: Omit<AuditEntryInput, "actor">): Promise<void> =>
  store.audit.enterDurably({ ...entry, actor: "token desk" });
const add = (text = TEXT, call: CallId = record.id) => store.notes.add(call, { by: "desk", text }, enter);
const day = (): string => new Date(record.startedAtUs / 1000).toISOString().slice(0, 10).replaceAll("-", "/");
const path = (): string => join(folder, "recordings", day(), `${record.id}.notes`);

/** What both verifiers find, of a folder that is closed. */
function found(): string[] {
  store.close();
  try {
    const box = verifyDataFolder({ dataFolder: folder, publicKey: chooseKey(folder) }).findings;
    const copy = verifyFolder(folder, publicKeyOf(folder)).findings;
    return [...box.map((one) => ["box", one] as const), ...copy.map((one) => ["copy", one] as const)].map(
      ([who, { kind, file }]) => `${who}: ${kind} ${file.replace(record.id, "<id>").replace(day(), "**")}`,
    );
  } finally {
    store = RecordingStore.open(folder, { device: "box", gatherMs: 0 });
  }
}

test("written, listed and taken away, with entries that have none of the words", async () => {
  const first = await add();
  const second = await add("☂ second");
  expect(store.notes.list(record.id)).toEqual([first, second]);
  expect(first).toMatchObject({ schema: "sidetone.note/1", call: record.id, by: "desk", text: TEXT });
  expect(readFileSync(path(), "utf8").split("\n")).toHaveLength(3);
  expect(await store.notes.remove(record.id, first.id, enter)).toEqual([second]);
  const entries = readAudit(folder).filter(({ kind }) => kind === "noted");
  expect(entries.map(({ actor, call, detail }) => [actor, call, detail["note"], detail["removed"] ?? false])).toEqual([
    ["token desk", record.id, first.id, false],
    ["token desk", record.id, second.id, false],
    ["token desk", record.id, first.id, true],
  ]);
  expect(entries[1]!.detail["sha256"]).toBe(sha256Of(readFileSync(path()).subarray(0, -1)));
  expect(filesWith(folder, "call")).not.toEqual([]);
  expect(filesWith(join(folder, "audit"), "called back", "second")).toEqual([]);
  expect(filesOfRecording(store.paths, { id: record.id, day: day() })).toContain(path());
  expect(found()).toEqual([]);
  expect(await store.notes.remove(record.id, second.id, enter)).toEqual([]);
  expect(existsSync(path())).toBe(false);
  expect(found()).toEqual([]);
});

test("not on what is not there, not without end, and none is taken away twice", async () => {
  const other = callFrom(9);
  await expect(add(TEXT, other.id)).rejects.toMatchObject({ reason: "recording-not-found" });
  const missing = store.notes.remove(record.id, makeCallId(0), enter);
  await expect(missing).rejects.toMatchObject({ reason: "note-not-found" });
  const several = await Promise.all(Array.from({ length: MAX_NOTES }, (_, i) => add(`note ${i}`)));
  expect(store.notes.list(record.id)).toEqual(several);
  await expect(add()).rejects.toMatchObject({ reason: "too-many-notes" });
});

test.each(["request", "erasure", "retention"] as const)("they go with their recording: %s", async (reason) => {
  await add();
  const deleting = store.deletion.delete([orderFor(record, { reason, keepsManifest: reason === "retention" })]);
  // Whoever comes while it is deleted comes too late.
  await expect(add("late")).rejects.toMatchObject({ reason: "recording-deleted" });
  await deleting;
  expect(() => store.notes.list(record.id)).toThrow(expect.objectContaining({ reason: "recording-deleted" }));
  expect(filesOf(folder, record.id)).not.toContain(".notes");
  expect(filesWith(folder, "called back")).toEqual([]);
  expect(found()).toEqual([]);
});

describe("whatever is done to them shows", () => {
  let bytes: Buffer;
  beforeEach(async () => {
    await add();
    await add("second");
    bytes = readFileSync(path());
  });

  test.each<[string, () => void, string]>([
    ["a word", () => writeFileSync(path(), bytes.toString("utf8").replace("second", "secund")), "changed"],
    [
      "the author",
      () => writeFileSync(path(), bytes.toString("utf8").replace('"by":"desk"', '"by":"boss"')),
      "changed",
    ],
    ["a line that is none", () => appendFileSync(path(), "hello\n"), "changed"],
    ["the last byte", () => writeFileSync(path(), bytes.subarray(0, -1)), "changed"],
    ["a note", () => writeFileSync(path(), bytes.subarray(bytes.indexOf("\n") + 1)), "missing"],
    ["all of them", () => rmSync(path()), "missing"],
    ["that they are of a recording", () => writeFileSync(path().replace(record.id, callFrom(3).id), bytes), "added"],
  ])("%s", (_, spoil, kind) => {
    spoil();
    const all = found();
    for (const who of ["box", "copy"]) expect(all.filter((one) => one.startsWith(`${who}: ${kind} `))).not.toEqual([]);
  });

  test("only what the box has signed is listed", () => {
    const line = signLine({ ...store.notes.list(record.id)[0], text: "forged" }, store.key.privateKey);
    appendFileSync(path(), `${line.toString("utf8").replace("forged", "Forged")}\n`);
    expect(store.notes.list(record.id).map(({ text }) => text)).toEqual([TEXT, "second"]);
  });
});

test("a disk that dies at any step leaves the notes as they were or as they should be, and nothing that looks forged", async () => {
  await add("before");
  let steps = 0;
  for (let step = 0; ; step++) {
    const files = dyingFiles(step);
    const alone = <Result>(work: () => Promise<Result>): Promise<Result> => work();
    const book = new NoteBook({ paths: store.paths, key: store.key, files, alone });
    const error = await book.add(record.id, { by: "desk", text: `at ${step}` }, enter).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const texts = store.notes.list(record.id).map(({ text }) => text);
    expect([["before"], ["before", `at ${step}`]]).toContainEqual(texts);
    expect(found()).toEqual([]);
    steps = files.steps.length;
    if (error === undefined) break;
    writeFileSync(path(), readFileSync(path(), "utf8").split("\n").slice(0, 1).join("\n").concat("\n"));
  }
  expect(steps).toBe(4);
});

test("what the audit chain does not take is not there", async () => {
  const refusing = (): Promise<void> => Promise.reject(new Error("the disk is full"));
  await expect(store.notes.add(record.id, { by: "desk", text: TEXT }, refusing)).rejects.toThrow("full");
  expect(store.notes.list(record.id)).toEqual([]);
  const kept = await add();
  await expect(store.notes.remove(record.id, kept.id, refusing)).rejects.toThrow("full");
  expect(store.notes.list(record.id)).toEqual([kept]);
  expect(found()).toEqual([]);
});

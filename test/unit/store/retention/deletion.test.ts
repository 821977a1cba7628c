// Deleting: what goes and what is left, and a run that dies, or a disk that fails, at every single step of it.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sha256Of } from "../../../../device/base/sha256.js";
import type { CallLogLine } from "../../../../device/contract/manifest.js";
import { ManifestChain } from "../../../../device/store/chain.js";
import { diskFiles } from "../../../../device/store/file-layer.js";
import { RecordingStore } from "../../../../device/store/recordings.js";
import { verifyTombstone } from "../../../../device/store/retention/tombstone.js";
import { problemsOf, readAudit } from "../audit-kit.js";
import { dyingFiles, makeFolder, publicKeyOf, removeFolder } from "../store-kit.js";
import {
  CALLER,
  CONTENT,
  callFrom,
  entriesOf,
  filesOf,
  filesWith,
  isDeleting,
  keep,
  orderFor,
} from "./deletion-kit.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const CALLS = [0, 1, 2, 3].map((number) => callFrom(number, number === 3 ? "+4940999999" : CALLER));
/** Two of them, of one day. */
const [FIRST, GONE, ALSO_GONE, LAST] = [CALLS[0]!, CALLS[1]!, CALLS[2]!, CALLS[3]!];
const DAY_FOLDER = "22";
const STEPS = [
  "write deleting.json.partial",
  "sync deleting.json.partial",
  "rename to deleting.json",
  "sync retention",
  ...[1, 2].flatMap(() => ["write .<id>.deleted.partial", "sync .<id>.deleted.partial", "rename to <id>.deleted"]),
  `sync ${DAY_FOLDER}`,
  ...[1, 2].flatMap(() => ["remove <id>.wav", "remove <id>.json"]),
  `sync ${DAY_FOLDER}`,
  "write 2026-11-22.jsonl.partial",
  "sync 2026-11-22.jsonl.partial",
  "rename to 2026-11-22.jsonl",
  "sync calls",
  "remove deleting.json",
  "sync retention",
];

async function makeStore(): Promise<void> {
  const store = RecordingStore.open(folder, { gatherMs: 0 });
  // The folder is there: its making is no step of what is tested.
  await store.deletion.delete([orderFor(FIRST)]);
  for (const call of CALLS) await keep(store, call);
  await store.deletion.finish();
  await diskFiles.makeFolder(join(folder, "retention"));
  store.close();
}

const orders = [orderFor(GONE), orderFor(ALSO_GONE, { reason: "erasure" })];

function expectGone(): void {
  for (const { id } of [GONE, ALSO_GONE]) {
    expect(filesOf(folder, id)).toEqual([".deleted"]);
    expect(entriesOf(folder, id)).toEqual(["recorded", "deleting", "deleted"]);
  }
  expect(isDeleting(folder)).toBe(false);
  expect(filesWith(folder, CALLER, `${CONTENT} ${GONE.id}`, `${CONTENT} ${ALSO_GONE.id}`).sort()).toEqual([
    "calls/2026-11-21.jsonl",
    expect.stringContaining(`${FIRST.id}.json`),
  ]);
  expect(problemsOf(folder)).toEqual([]);
}

test("audio and manifest go, a signed tombstone stays that names no person, and the audit chain certifies it", async () => {
  await makeStore();
  const manifest = readFileSync(join(folder, "recordings/2026/11/22", `${GONE.id}.json`));
  const store = RecordingStore.open(folder, { gatherMs: 0 });
  const gone = await store.deletion.delete(orders);
  expect(gone.map(({ id }) => id)).toEqual([GONE.id, ALSO_GONE.id]);
  expect(store.isDeleted(GONE)).toBe(true);
  expect(store.isDeleted(LAST)).toBe(false);
  expect(await store.deletion.delete(orders)).toEqual([]);
  expect(store.deletion.counters).toMatchObject({ deleted: 2, failed: 0 });
  store.close();
  expectGone();

  const bytes = readFileSync(join(folder, "recordings/2026/11/22", `${GONE.id}.deleted`));
  const signed = verifyTombstone(bytes, GONE.id, publicKeyOf(folder))!;
  expect(signed.tombstone).toMatchObject({
    startedOn: "2026-11-22",
    endedOn: "2026-11-22",
    manifest: sha256Of(manifest),
    previous: (JSON.parse(manifest.toString()) as { previous: string }).previous,
    reason: "request",
    text: "asked for in a letter",
    by: "cli root",
  });
  expect(bytes.toString()).not.toMatch(/\d{2}:\d{2}:\d{2}.*\d{2}:\d{2}:\d{2}|sip:|203\.0\.113/);
  expect(verifyTombstone(bytes, ALSO_GONE.id, publicKeyOf(folder))).toBeUndefined();
  expect(verifyTombstone(Buffer.from(bytes.toString().replace("letter", "Letter")), GONE.id, publicKeyOf(folder))).toBe(
    undefined,
  );
  const certificate = readAudit(folder).find(({ kind, call }) => kind === "deleted" && call === GONE.id)!;
  expect(certificate.detail).toMatchObject({
    tombstone: signed.sha256,
    manifest: sha256Of(manifest),
    reason: "request",
  });
});

test("its line in the call log keeps times and counts, loses its people, and the chain has the file's new hash", async () => {
  await makeStore();
  const store = RecordingStore.open(folder, { gatherMs: 0 });
  await store.deletion.delete(orders);
  // The service goes on logging the same day.
  await keep(store, callFrom(5));
  store.close();
  const text = readFileSync(join(folder, "calls/2026-11-22.jsonl"), "utf8");
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as CallLogLine);
  expect(lines.map(({ id, deleted }) => [id, deleted])).toEqual([
    [GONE.id, "request"],
    [ALSO_GONE.id, "erasure"],
    [LAST.id, undefined],
    [callFrom(5).id, undefined],
  ]);
  expect(lines[0]).toMatchObject({ sipCallIds: [], file: "", durationMs: 1000 });
  expect(lines[0]!.parties.map(({ number }) => number)).toEqual(["", ""]);
  const [entry] = readAudit(folder).filter(({ kind }) => kind === "call-log");
  const withoutTheNewest = text.slice(0, text.trimEnd().lastIndexOf("\n") + 1);
  expect(entry!.detail).toMatchObject({ file: "calls/2026-11-22.jsonl", sha256: sha256Of(withoutTheNewest), lines: 2 });
});

test("the steps are these, in this order", async () => {
  await makeStore();
  const files = dyingFiles(Number.POSITIVE_INFINITY);
  const store = RecordingStore.open(folder, { deletionFiles: files, gatherMs: 0 });
  await store.deletion.delete(orders);
  store.close();
  expect(files.steps.filter((step) => !step.startsWith("make "))).toEqual(STEPS);
});

const ALL_STEPS = ["make retention", ...STEPS].map((name, step) => [step, name] as const);

test.each(ALL_STEPS)(
  "a run that dies at step %i (%s) has deleted nothing or is completed by the next start",
  async (step) => {
    await makeStore();
    const dying = RecordingStore.open(folder, { deletionFiles: dyingFiles(step), gatherMs: 0 });
    await expect(dying.deletion.delete(orders)).rejects.toThrow();
    dying.close();
    const isPromised = step > 3;
    if (!isPromised) expect(filesOf(folder, GONE.id)).toEqual([".json", ".wav"]);
    // Never a recording without audio that does not say that it was deleted.
    for (const { id } of [GONE, ALSO_GONE])
      if (filesOf(folder, id).length < 2) expect(filesOf(folder, id)).toContain(".deleted");

    const store = RecordingStore.open(folder, { gatherMs: 0 });
    await store.deletion.finish();
    if (filesOf(folder, GONE.id).includes(".json")) await store.deletion.delete(orders);
    // The chain of manifests goes on.
    await keep(store, callFrom(6, "+4940999999"));
    store.close();
    expectGone();
  },
);

test.each(ALL_STEPS)(
  "a disk that fails at step %i (%s) and recovers within the run: the next try completes it",
  async (step) => {
    await makeStore();
    const [disk, well] = [dyingFiles(step), dyingFiles(Number.POSITIVE_INFINITY)];
    let isFailing = true;
    const either = new Proxy(disk, { get: (_, name) => Reflect.get(isFailing ? disk : well, name) });
    const store = RecordingStore.open(folder, { deletionFiles: either, gatherMs: 0 });
    await expect(store.deletion.delete(orders)).rejects.toThrow();
    expect(store.deletion.counters.failed).toBe(1);
    isFailing = false;
    await store.deletion.delete(orders);
    store.close();
    expectGone();
  },
);

test("an audit chain that cannot be written keeps everything from going", async () => {
  await makeStore();
  const refuse = () => {
    throw Object.assign(new Error("no space"), { code: "ENOSPC" });
  };
  const disk = { write: refuse, sync: async () => refuse(), syncNow: refuse };
  const store = RecordingStore.open(folder, { gatherMs: 0, audit: { disk } });
  await expect(store.deletion.delete(orders)).rejects.toThrow();
  store.close();
  expect(filesOf(folder, GONE.id)).toEqual([".json", ".wav"]);
  // It was promised, and is carried out when the disk takes it again.
  const next = RecordingStore.open(folder, { gatherMs: 0 });
  expect(await next.deletion.finish()).toBe(2);
  next.close();
  expectGone();
});

test("whoever derived something is told until it has taken it, and the manifest stays where the class says so", async () => {
  await makeStore();
  const told: string[] = [];
  let fails = true;
  const forget = (tombstone: { id: string }): void => {
    if (fails) throw new Error("busy");
    told.push(tombstone.id);
  };
  const store = RecordingStore.open(folder, { gatherMs: 0, forget });
  const order = orderFor(GONE, { reason: "retention", keepsManifest: true });
  await expect(store.deletion.delete([order])).rejects.toThrow("busy");
  fails = false;
  await store.deletion.finish();
  expect(told).toEqual([GONE.id]);
  expect(filesOf(folder, GONE.id)).toEqual([".deleted", ".json"]);
  expect(entriesOf(folder, GONE.id)).toEqual(["recorded", "deleting", "tombstone"]);
  expect(filesWith(folder, CALLER)).toContain("calls/2026-11-22.jsonl");
  // An erasure takes the manifest as well.
  await store.deletion.delete([orderFor(GONE, { reason: "erasure" })]);
  store.close();
  expect(filesOf(folder, GONE.id)).toEqual([".deleted"]);
  expect(entriesOf(folder, GONE.id)).toEqual(["recorded", "deleting", "tombstone", "deleting", "deleted"]);
});

test("whatever form the audio has goes, and nothing of another recording", async () => {
  await makeStore();
  const day = join(folder, "recordings/2026/11/22");
  for (const name of [`${GONE.id}.wav.age`, `${GONE.id}.json.tsr`, `${GONE.id}.2.wav`, `${GONE.id}X.wav`])
    writeFileSync(join(day, name), "x");
  rmSync(join(day, `${GONE.id}.wav`));
  const store = RecordingStore.open(folder, { gatherMs: 0 });
  await store.deletion.delete([orderFor(GONE)]);
  store.close();
  expect(filesOf(folder, GONE.id)).toEqual([".deleted", "X.wav"]);
});

test("a manifest that cannot be read any more can be deleted by order; a file of somebody else's orders counts for nothing", async () => {
  await makeStore();
  const day = join(folder, "recordings/2026/11/22");
  writeFileSync(join(day, `${GONE.id}.json`), "{torn");
  mkdirRetention();
  const forged = { day: "2026/11/22", tombstone: JSON.stringify({ schema: "sidetone.tombstone/1", id: LAST.id }) };
  writeFileSync(
    join(folder, "retention/deleting.json"),
    JSON.stringify({ schema: "sidetone.deleting/1", deletions: [forged] }),
  );
  const store = RecordingStore.open(folder, { gatherMs: 0 });
  expect(await store.deletion.finish()).toBe(0);
  await store.deletion.delete([orderFor(GONE)]);
  store.close();
  expect(filesOf(folder, GONE.id)).toEqual([".deleted"]);
  expect(filesOf(folder, LAST.id)).toEqual([".json", ".wav"]);

  function mkdirRetention(): void {
    if (!existsSync(join(folder, "retention"))) throw new Error("it is there since the first deletion");
  }
});

test("a lost head of the chain of manifests is found past deleted recordings", async () => {
  await makeStore();
  const store = RecordingStore.open(folder, { gatherMs: 0 });
  await store.deletion.delete([orderFor(GONE), orderFor(LAST)]);
  const { paths } = store;
  const { head } = ManifestChain.open(paths, diskFiles);
  store.close();
  rmSync(join(folder, "chain.json"));
  expect(ManifestChain.open(paths, diskFiles).head).toBe(head);
});

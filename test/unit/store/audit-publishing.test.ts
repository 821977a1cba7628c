// Recordings and the audit chain vouch for each other, whenever a run dies between the two.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sha256Of } from "../../../device/base/sha256.js";
import { RecordingStore, type StoreOptions } from "../../../device/store/recordings.js";
import { failingDisk, linesOf, problemsOf, readAudit } from "./audit-kit.js";
import { callOf, dyingFiles, filesBelow, makeFolder, publish, readChain, removeFolder } from "./store-kit.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const open = (options: StoreOptions = {}) => RecordingStore.open(folder, { gatherMs: 0, ...options });

/** Hashes of all manifests by id, and those that the chain enters. */
function published(): Map<string, string> {
  const paths = filesBelow(join(folder, "recordings")).filter((path) => path.endsWith(".json"));
  return new Map(
    paths.map((path) => [path.slice(-31, -5), sha256Of(readFileSync(join(folder, "recordings", path)))] as const),
  );
}

function entered(): Map<string, string[]> {
  const hashes = new Map<string, string[]>();
  for (const { kind, call, detail } of readAudit(folder)) {
    if (kind === "recorded") hashes.set(call!, [...(hashes.get(call!) ?? []), String(detail["manifest"])]);
  }
  return hashes;
}

test("each recording is entered, durably, before it counts as published; each manifest names the chain's head", async () => {
  const store = open();
  store.audit.append({ kind: "started", actor: "service" });
  await store.audit.flush();
  for (const number of [1, 2]) {
    const { head } = store.audit;
    const { manifest } = await publish(store, callOf(number));
    expect(manifest.audit).toEqual(head);
    expect(Object.keys(manifest).slice(-3)).toEqual(["audit", "previous", "signature"]);
    expect(store.audit.head.seq).toBe(number + 1);
  }
  const file = filesBelow(join(folder, "audit"))[0]!;
  const [first, second] = linesOf(folder, file);
  expect(readChain(folder).map(({ audit }) => audit)).toEqual([
    { seq: 1, sha256: sha256Of(Buffer.from(first!)) },
    { seq: 2, sha256: sha256Of(Buffer.from(second!)) },
  ]);
  // Publishing again, or finding it, is no news.
  await publish(store, callOf(1), "again");
  expect(store.find(callOf(1))).toBeDefined();
  store.close();
  expect([...entered()]).toEqual([...published()].map(([id, hash]) => [id, [hash]]));
  expect(problemsOf(folder)).toEqual([]);
});

test("a manifest names no entry when there was none", async () => {
  const store = open();
  expect((await publish(store, callOf(1))).manifest.audit).toEqual({ seq: 0, sha256: "" });
  store.close();
});

test("whatever step a run dies at, what the next one finds is entered", async () => {
  for (let step = 0; step < 13; step++) {
    const number = 3 * step + 1;
    // On a slow machine too, it writes nothing after its death.
    const dying = open({ files: dyingFiles(step), audit: { gatherMs: 600_000 } });
    await publish(dying, callOf(number)).catch(() => {});
    // Killed: what was entered and not yet written is gone.
    dying.audit.close = () => {};
    dying.close();
    const next = open();
    // As for every call whose journal is still there.
    if (next.find(callOf(number)) === undefined) await publish(next, callOf(number));
    next.close();
  }
  const hashes = entered();
  for (const [id, hash] of published()) expect(hashes.get(id), id).toContain(hash);
  expect(problemsOf(folder)).toEqual([]);
});

test("a run that died with a recording in place and no entry of it", async () => {
  const first = open({ audit: { disk: Object.assign(failingDisk(), { fails: "write" as const }) } });
  const { manifest } = await publish(first, callOf(1));
  first.close();
  expect([published().size, readAudit(folder)]).toEqual([1, []]);
  const second = open();
  expect(second.find(callOf(1))!.manifest).toEqual(manifest);
  // In this turn already: the journal goes next.
  expect([...entered()]).toEqual([...published()].map(([id, hash]) => [id, [hash]]));
  second.close();
});

test("a disk that refuses the audit chain keeps no recording from being published", async () => {
  const disk = failingDisk();
  const faults: string[] = [];
  const store = open({ audit: { disk, gatherMs: 10, onFault: (message) => faults.push(message) } });
  disk.fails = "sync";
  await publish(store, callOf(1));
  await publish(store, callOf(2));
  expect(faults.length).toBe(1);
  disk.fails = "";
  await publish(store, callOf(3));
  store.close();
  expect([...entered().keys()].sort()).toEqual([...published().keys()].sort());
  expect(problemsOf(folder)).toEqual([]);
});

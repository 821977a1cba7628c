// Recordings that come together are published together, and a run may die at any step of that too.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { callOf, dyingFiles, filesBelow, makeFolder, publish, readChain, removeFolder } from "./store-kit.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const ids = (...numbers: number[]) => numbers.map((number) => callOf(number).id);

/** Calls 1, 2 and 3, of one day. */
const THREE = [1, 2, 3];
/** The steps of publishing them, when that day's folder is there. */
const STEPS = [
  ...THREE.flatMap(() => ["write .<id>.json.partial", "sync .<id>.json.partial"]),
  "sync .partial",
  // The lines of what was published before.
  "sync 2026-11-22.jsonl",
  "sync calls",
  "write chain.json.partial",
  "sync chain.json.partial",
  "rename to chain.json",
  "sync data",
  ...THREE.flatMap((number) => [
    "make 22",
    // The first of a run: what the run before made may not be durable.
    ...(number === 1 ? ["sync 11", "sync 2026", "sync recordings"] : []),
    "rename to <id>.wav",
    "rename to <id>.json",
  ]),
  "sync 22",
];

/** A store with one recording of that day. */
async function makeStore(): Promise<void> {
  const store = RecordingStore.open(folder, { gatherMs: 0 });
  await publish(store, callOf(0));
  await publish(store, callOf(4));
  store.close();
}

/** All of them before any is begun. */
function publishAll(store: RecordingStore, numbers: readonly number[]) {
  return Promise.allSettled(numbers.map((number) => publish(store, callOf(number), `audio of ${number}`)));
}

test("what comes together is published together, in the order of its coming, each step for all", async () => {
  await makeStore();
  const files = dyingFiles(Number.POSITIVE_INFINITY);
  const store = RecordingStore.open(folder, { files, gatherMs: 5 });
  const results = await publishAll(store, [3, 1, 2]);
  store.close();
  expect(results.every(({ status }) => status === "fulfilled")).toBe(true);
  expect(files.steps).toEqual(STEPS);
  expect(readChain(folder).map(({ id }) => id)).toEqual(ids(0, 4, 3, 1, 2));
});

test("more than fit one group are published in several, and the same call twice is published once", async () => {
  const store = RecordingStore.open(folder, { gatherMs: 5 });
  const numbers = Array.from({ length: 150 }, (_, number) => number);
  const results = await publishAll(store, [...numbers, 149, 0]);
  store.close();
  expect(results.filter(({ status }) => status === "rejected")).toEqual([]);
  expect(readChain(folder).map(({ id }) => id)).toEqual(ids(...numbers));
  expect(filesBelow(join(folder, "recordings", ".partial"))).toEqual([]);
});

test("one that cannot be stored does not keep the others from it, and all that is published is durable", async () => {
  await makeStore();
  for (const missing of [0, 1, 2]) {
    const files = dyingFiles(Number.POSITIVE_INFINITY);
    const store = RecordingStore.open(folder, { files, gatherMs: 5 });
    const numbers = THREE.map((number) => number + 4 * (missing + 1));
    const started = publishAll(store, numbers);
    rmSync(store.temporaryPathFor(callOf(numbers[missing]!)));
    const results = await started;
    store.close();
    expect(results.map(({ status }) => status === "fulfilled")).toEqual([0, 1, 2].map((at) => at !== missing));
    expect((results[missing] as PromiseRejectedResult).reason).toBeInstanceOf(SidetoneError);
    expect(files.steps.lastIndexOf("sync 22")).toBeGreaterThan(files.steps.lastIndexOf("rename to <id>.json"));
  }
  expect(readChain(folder).length).toBe(2 + 6);
});

test.each(STEPS.map((name, step) => [step, name] as const))(
  "a run that dies at step %i (%s) of three leaves nothing half, and the next one completes them",
  async (step) => {
    await makeStore();
    const dying = RecordingStore.open(folder, { files: dyingFiles(step), gatherMs: 5 });
    await publishAll(dying, THREE);
    dying.close();

    const manifests = readdirSync(join(folder, "recordings/2026/11/22")).filter((name) => name.endsWith(".json"));
    for (const name of manifests) {
      expect(existsSync(join(folder, "recordings/2026/11/22", name.replace(/json$/, "wav")))).toBe(true);
    }
    // Other calls may come first, and those that were interrupted in another order.
    const store = RecordingStore.open(folder, { gatherMs: 0 });
    expect(filesBelow(join(folder, "recordings", ".partial"))).toEqual([]);
    for (const number of [5, 3, 1, 2]) await publish(store, callOf(number), `audio of ${number}`);
    store.close();
    expect(
      readChain(folder)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(ids(0, 1, 2, 3, 4, 5));
  },
);

test.each(STEPS.map((name, step) => [step, name] as const))(
  "a disk that fails at step %i (%s) of three and recovers within the run breaks no chain",
  async (step) => {
    await makeStore();
    const disk = dyingFiles(step);
    const well = dyingFiles(Number.POSITIVE_INFINITY);
    let isFailing = true;
    const either = new Proxy(disk, { get: (_, name) => Reflect.get(isFailing ? disk : well, name) });
    const store = RecordingStore.open(folder, { files: either, gatherMs: 5 });
    await publishAll(store, THREE);
    isFailing = false;
    await publishAll(store, [5, 2, 3, 1]);
    store.close();
    const next = RecordingStore.open(folder, { gatherMs: 0 });
    await publish(next, callOf(6));
    next.close();
    expect(readChain(folder).length).toBe(7);
  },
);

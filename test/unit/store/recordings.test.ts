import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import type { CallId } from "../../../device/base/ids.js";
import { audioFileName } from "../../../device/contract/manifest.js";
import { buildCallLogLine } from "../../../device/seal/manifest.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { callOf, dyingFiles, filesBelow, makeFolder, publish, readChain, removeFolder, sealedAt } from "./store-kit.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

function withStore<Result>(use: (store: RecordingStore) => Promise<Result>): Promise<Result> {
  const store = RecordingStore.open(folder, { device: "box", gatherMs: 0 });
  return use(store).finally(() => store.close());
}

test("a recording lies by the day of its start in UTC, for its owner only, with its manifest beside it", async () => {
  await withStore(async (store) => {
    const record = callOf(0);
    const published = await publish(store, record, "some audio");
    expect(published.file).toBe(`recordings/2026/11/21/${record.id}.wav`);
    expect(published.wavPath).toBe(join(folder, published.file));
    expect(readFileSync(published.wavPath, "utf8")).toBe("some audio");
    const manifestPath = published.wavPath.replace(/wav$/, "json");
    expect(JSON.parse(readFileSync(manifestPath, "utf8"))).toEqual(published.manifest);
    expect(published.manifest).toMatchObject({ device: "box", previous: "", id: record.id });
    for (const path of [published.wavPath, manifestPath, join(folder, "keys/device.key"), join(folder, "chain.json")]) {
      expect(statSync(path).mode & 0o777, path).toBe(0o600);
    }
    expect((await publish(store, callOf(1))).file).toMatch(/^recordings\/2026\/11\/22\//);
    expect(filesBelow(join(folder, "recordings", ".partial"))).toEqual([]);
  });
});

test("manifests form one chain, across runs, whoever publishes first", async () => {
  await withStore((store) => Promise.all([publish(store, callOf(5)), publish(store, callOf(1))]));
  await withStore((store) => publish(store, callOf(3)));
  expect(readChain(folder).map(({ id }) => id)).toEqual([5, 1, 3].map((number) => callOf(number).id));
});

test("publishing again changes nothing and leaves nothing behind", async () => {
  await withStore(async (store) => {
    const first = await publish(store, callOf(1), "first");
    const files = filesBelow(folder);
    const chain = readFileSync(join(folder, "chain.json"));
    expect(await publish(store, callOf(1), "second")).toEqual(first);
    expect(readFileSync(first.wavPath, "utf8")).toBe("first");
    expect(filesBelow(folder)).toEqual(files);
    expect(readFileSync(join(folder, "chain.json"))).toEqual(chain);
  });
});

test("a recording is known by its id, and found by its record", async () => {
  await withStore(async (store) => {
    const record = callOf(1);
    expect([store.has(record.id), store.find(record)]).toEqual([false, undefined]);
    const published = await publish(store, record);
    expect([store.has(record.id), store.find(record)]).toEqual([true, published]);
    expect(() => store.has("../../../../etc/passwd" as CallId)).toThrow(RangeError);
    expect(() => store.temporaryPathFor({ ...record, id: "../x" as CallId })).toThrow(RangeError);
  });
});

/** The steps of one publication, as the file layer sees them. */
const STEPS = [
  "write .<id>.json.partial",
  "sync .<id>.json.partial",
  "sync .partial",
  "sync 2026-11-22.jsonl",
  "sync calls",
  "write chain.json.partial",
  "sync chain.json.partial",
  "rename to chain.json",
  "sync data",
  "make 22",
  "sync 11",
  "sync 2026",
  "sync recordings",
  "rename to <id>.wav",
  "rename to <id>.json",
  "sync 22",
];

test("the steps of publishing come in their order", async () => {
  await withStore((store) => publish(store, callOf(1)));
  const files = dyingFiles(Number.POSITIVE_INFINITY);
  const store = RecordingStore.open(folder, { files, gatherMs: 0 });
  await publish(store, callOf(2));
  store.close();
  expect(files.steps).toEqual(STEPS);
});

test("the folders that were made for a recording are durable before it is put there", async () => {
  const files = dyingFiles(Number.POSITIVE_INFINITY);
  const store = RecordingStore.open(folder, { files, gatherMs: 0 });
  await publish(store, callOf(1));
  store.close();
  const moved = ["rename to <id>.wav", "rename to <id>.json", "sync 22"];
  expect(files.steps.slice(-6)).toEqual(["sync 11", "sync 2026", "sync recordings", ...moved]);
});

test.each(STEPS.map((name, step) => [step, name] as const))(
  "a run that dies at step %i (%s) leaves nothing half, and the next one completes it",
  async (step) => {
    await withStore((store) => publish(store, callOf(1)));
    const dying = RecordingStore.open(folder, { files: dyingFiles(step), gatherMs: 0 });
    await expect(publish(dying, callOf(2), "audio of two")).rejects.toMatchObject({ code: "seal-failed" });
    dying.close();

    const published = filesBelow(join(folder, "recordings")).filter((name) => name.endsWith(".json"));
    for (const path of published)
      expect(existsSync(join(folder, "recordings", path.replace(/json$/, "wav")))).toBe(true);
    await withStore(async (store) => {
      expect(filesBelow(join(folder, "recordings", ".partial"))).toEqual([]);
      // Another call may come first; the one that was interrupted is sealed again from its journal.
      await publish(store, callOf(3));
      const { wavPath } = await publish(store, callOf(2), "audio of two");
      expect(readFileSync(wavPath, "utf8")).toBe("audio of two");
    });
    expect(readChain(folder).length).toBe(3);
  },
);

test.each(STEPS.map((name, step) => [step, name] as const))(
  "a disk that fails at step %i (%s) and recovers within the run breaks no chain",
  async (step) => {
    const failing = dyingFiles(step);
    let isFailing = true;
    const files = dyingFiles(Number.POSITIVE_INFINITY);
    const either = new Proxy(files, { get: (_, name: keyof typeof files) => (isFailing ? failing : files)[name] });
    await withStore((store) => publish(store, callOf(1)));
    const store = RecordingStore.open(folder, { files: either, gatherMs: 0 });
    await expect(publish(store, callOf(2))).rejects.toBeInstanceOf(SidetoneError);
    isFailing = false;
    await publish(store, callOf(3));
    await publish(store, callOf(2));
    store.close();
    await withStore((next) => publish(next, callOf(4)));
    expect(readChain(folder).length).toBe(4);
  },
);

test("a manifest that was deleted shows as a gap in the chain, even when it was the last", async () => {
  await withStore((store) => publish(store, callOf(1)));
  const { wavPath } = await withStore((store) => publish(store, callOf(2)));
  rmSync(wavPath.replace(/wav$/, "json"));
  await withStore((store) => publish(store, callOf(3)));
  expect(() => readChain(folder)).toThrow(/off the chain/);
});

test.each(["missing", "empty", "damaged"])(
  "a chain file that is %s is rebuilt from the newest manifest",
  async (how) => {
    await withStore(async (store) => {
      for (const number of [1, 30, 60, 2]) await publish(store, callOf(number));
    });
    const path = join(folder, "chain.json");
    if (how === "missing") rmSync(path);
    else writeFileSync(path, how === "empty" ? "" : '{"schema":"sidetone.chain/1","head":"abc"}');
    writeFileSync(join(folder, "recordings/2026/11/24/notes.json"), "not a manifest", { flag: "a" });
    rmSync(join(folder, "recordings/2026/11/24/notes.json"));
    await withStore((store) => publish(store, callOf(61)));
    expect(readChain(folder).map(({ id }) => id)).toEqual([1, 30, 60, 2, 61].map((number) => callOf(number).id));
  },
);

test("a WAV without manifest is replaced; a torn manifest is written anew", async () => {
  await withStore(async (store) => {
    const record = callOf(1);
    const wavPath = join(folder, `recordings/2026/11/22/${record.id}.wav`);
    mkdirSync(dirname(wavPath), { recursive: true });
    writeFileSync(wavPath, "half of it");
    await publish(store, record, "whole");
    expect(readFileSync(wavPath, "utf8")).toBe("whole");
    writeFileSync(wavPath.replace(/wav$/, "json"), '{"schema":');
    await publish(store, record, "again");
    expect(readFileSync(wavPath, "utf8")).toBe("again");
  });
});

test.each([
  ["in clear, now encrypted", false],
  ["encrypted, now in clear", true],
])("audio without a manifest, %s, does not stay beside the recording", async (_, wasEncrypted) => {
  await withStore(async (store) => {
    const record = callOf(1);
    const paths = [true, false].map((isEncrypted) =>
      join(folder, "recordings/2026/11/22", audioFileName(record.id, isEncrypted)),
    );
    const [left, expected] = wasEncrypted ? paths : [...paths].reverse();
    mkdirSync(dirname(left!), { recursive: true });
    writeFileSync(left!, "of an attempt that was cut off");
    const encryption = { format: "age" as const, recipients: [], plainBytes: 1, plainSha256: "" };
    const sealed = sealedAt(store.temporaryPathFor(record), "audio");
    const { file, manifest } = await store.publish(record, wasEncrypted ? sealed : { ...sealed, encryption });
    expect(join(folder, file)).toBe(expected);
    expect(manifest.audio.file).toBe(basename(expected!));
    expect([existsSync(left!), existsSync(expected!)]).toEqual([false, true]);
    expect(store.find(record)!.file).toBe(file);
  });
});

test("what a dead run was writing is removed at the next start", async () => {
  const { temporaryPath } = await withStore(async (store) => sealedAt(store.temporaryPathFor(callOf(1)), "half"));
  expect(existsSync(temporaryPath)).toBe(true);
  await withStore(async () => expect(existsSync(temporaryPath)).toBe(false));
});

test("a WAV that is not where sealing should have left it is one line, and nothing is published", async () => {
  await withStore(async (store) => {
    const record = callOf(1);
    const sealed = { ...sealedAt(store.temporaryPathFor(record), "x"), temporaryPath: join(folder, "gone.wav") };
    await expect(store.publish(record, sealed)).rejects.toThrow(/^cannot store the recording of call .* \(ENOENT\)$/);
    expect(store.has(record.id)).toBe(false);
    await publish(store, callOf(2));
  });
  expect(readChain(folder).length).toBe(1);
});

test("one store per data folder; the folder is free again after closing", async () => {
  const store = RecordingStore.open(folder);
  expect(() => RecordingStore.open(folder)).toThrow(/is in use by process \d+: stop it or choose/);
  expect(() => RecordingStore.open(folder)).toThrow(SidetoneError);
  store.close();
  RecordingStore.open(folder).close();
});

test("a data folder that cannot be made is one line with its code", () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  for (const path of [file, join(file, "below"), "/proc/sidetone"]) {
    let error: unknown;
    try {
      RecordingStore.open(path);
    } catch (thrown) {
      error = thrown;
    }
    expect(error, path).toMatchObject({ code: "data-unwritable" });
    expect((error as Error).message).toMatch(/^cannot use the data folder [^\n]+$/);
  }
});

test("calls are logged by the day of their start, each once across runs", async () => {
  const line = buildCallLogLine(callOf(0), undefined);
  const later = buildCallLogLine(callOf(1), undefined);
  await withStore(async (store) => store.recordCall(line));
  await withStore(async (store) => {
    store.recordCall(line);
    store.recordCall(later);
  });
  expect(readFileSync(join(folder, "calls/2026-11-21.jsonl"), "utf8")).toBe(`${JSON.stringify(line)}\n`);
  expect(readFileSync(join(folder, "calls/2026-11-22.jsonl"), "utf8")).toBe(`${JSON.stringify(later)}\n`);
});

test("a call log that cannot be written is one line with its code", async () => {
  await withStore(async (store) => {
    rmSync(join(folder, "calls"), { recursive: true });
    writeFileSync(join(folder, "calls"), "");
    const log = () => store.recordCall(buildCallLogLine(callOf(0), undefined));
    expect(log).toThrow(SidetoneError);
    expect(log).toThrow(/^cannot log call /);
  });
});

test("a call that was logged is known as such, in this run and the next, with a torn line in between", async () => {
  await withStore(async (store) => {
    expect(store.isLogged(callOf(1))).toBe(false);
    store.recordCall(buildCallLogLine(callOf(1), undefined));
    expect([store.isLogged(callOf(1)), store.isLogged(callOf(2))]).toEqual([true, false]);
  });
  const log = join(folder, "calls/2026-11-22.jsonl");
  appendFileSync(log, '{"schema":"sidetone.call-lo');
  await withStore(async (store) => {
    expect([store.isLogged(callOf(1)), store.isLogged(callOf(2))]).toEqual([true, false]);
    store.recordCall(buildCallLogLine(callOf(2), undefined));
  });
  expect(
    readFileSync(log, "utf8")
      .split("\n")
      .filter((line) => line.endsWith("}")).length,
  ).toBe(2);
});

// A run whose key is gone is put aside with all that is in it, whatever the process that does so dies of, and nothing of it is
// stored twice or brought back. One of which nothing is needed any more is removed.
import { createPublicKey } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generateIdentity } from "../../device/age/keys.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import type { recoverRun } from "../../device/journal/recovery.js";
import { JournalWriter } from "../../device/journal/writer.js";
import { JournalKeys, unwrapJournalKey } from "../../device/journal-keys.js";
import { CallKeeper } from "../../device/keeper.js";
import { lockRun } from "../../device/locked-runs.js";
import { recoverOldRun } from "../../device/recovery.js";
import { SealPool } from "../../device/seal/pool.js";
import { LOCKED_FOLDER, listLockedRuns, readLockedRun } from "../../device/store/locked-runs.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { verifyDataFolder } from "../../device/store/verify/verify.js";
import { verifyFolder } from "../../host/verify/verify-folder.js";
import { readCallLog } from "../fakes/program.js";
import { makeRandom } from "../fakes/random.js";
import { makeKept, options, put } from "./journal/journal-kit.js";
import { callOf, makeFolder, publish, removeFolder } from "./store/store-kit.js";

const holder = generateIdentity();
const RUN = "01KAJ5QX00ABCDEFGHJKMNPQRS";
const silent = { debug() {}, info() {}, warn() {}, error() {} };

let data = "";
let folder = "";
let store: RecordingStore;
let keeper: CallKeeper;
beforeEach(() => {
  data = makeFolder();
  folder = join(data, "journal", RUN);
  mkdirSync(folder, { recursive: true });
  open();
});
afterEach(() => {
  store.close();
  removeFolder(data);
});

/** As a process that begins. */
function open(): void {
  store = RecordingStore.open(data, { gatherMs: 0 });
  keeper = new CallKeeper(store, new SealPool({ workers: 1 }), silent, 100);
}

/** Calls with some audio; what is not ended was in progress when the process died. */
function journal(calls: readonly CallRecord[], ended: readonly CallRecord[] = []): void {
  const key = new JournalKeys([holder.recipient.text]).make(folder)!;
  const writer = new JournalWriter(options(folder, { key }));
  for (const record of calls) {
    const one = writer.begin(record.id);
    one.snapshot(record);
    put(one, makeKept(0, 1));
    if (ended.includes(record)) one.end(record);
  }
  writer.flush();
}

async function recover(): Promise<void> {
  const lock = (path: string, run: ReturnType<typeof recoverRun>): Promise<void> =>
    lockRun(path, run, { dataFolder: data, device: "box", keeper, audit: store.audit, logger: silent });
  await recoverOldRun(folder, { keeper, logger: silent, lock });
}

function auditKinds(): string[] {
  const path = join(data, "audit");
  return readdirSync(path)
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) => readFileSync(join(path, name), "utf8").split("\n").filter(Boolean))
    .map((line) => (JSON.parse(line) as { kind: string }).kind);
}

/** Both verifiers: nothing in a run that nobody touched, and whatever is done to one of its files. */
function expectEveryChangeNamed(run: string): void {
  store.close();
  const key = createPublicKey(readFileSync(join(data, "keys/device.pub")));
  const verifiers = [
    () => verifyDataFolder({ dataFolder: data, publicKey: key }).findings,
    () => verifyFolder(data, key).findings,
  ].map((verify) => () => verify().map(({ kind, file }) => `${kind} ${file}`));
  const below = `${LOCKED_FOLDER}/${RUN}`;
  const expectNamed = (named: string[]): void => {
    for (const verify of verifiers) expect(verify()).toEqual(named);
  };
  expectNamed([]);
  for (const name of readdirSync(run)) {
    const path = join(run, name);
    const bytes = readFileSync(path);
    const random = makeRandom(bytes.length);
    for (const at of [0, bytes.length - 1, Math.floor(random() * bytes.length)]) {
      const other = Buffer.from(bytes);
      other[at]! ^= 1;
      writeFileSync(path, other);
      expectNamed([`changed ${below}/${name}`]);
    }
    writeFileSync(path, bytes.subarray(0, bytes.length - 1));
    expectNamed([`changed ${below}/${name}`]);
    rmSync(path);
    expectNamed([`missing ${below}/${name}`]);
    writeFileSync(path, bytes);
  }
  writeFileSync(join(run, "000099.seg"), "");
  expectNamed([`added ${below}/000099.seg`]);
  rmSync(join(run, "000099.seg"));
  renameSync(run, `${run}.gone`);
  renameSync(`${run}.gone`, join(data, "gone"));
  for (const verify of verifiers) expect(verify()).toContain(`missing ${below}`);
  renameSync(join(data, "gone"), run);
  expectNamed([]);
  open();
}

describe("a run whose key is gone", () => {
  it("is put aside, with its calls in the log and the run in the audit chain", async () => {
    const [one, two] = [callOf(1), { ...callOf(2), noAudio: "no-media" as const }];
    journal([one, two], [one]);
    const files = readdirSync(folder);
    await recover();
    store.audit.flushNow();
    expect(existsSync(folder)).toBe(false);
    const [listed, ...more] = listLockedRuns(data);
    expect(more).toEqual([]);
    expect(listed!.locked).toMatchObject({ run: RUN, device: "box", calls: [one.id, two.id] });
    expect(readdirSync(listed!.folder).sort()).toEqual([...files, "locked.json"].sort());
    expect(readCallLog(data).map(({ id, noAudio, endReason }) => [id, noAudio, endReason])).toEqual([
      [one.id, "journal-locked", "bye"],
      // What it said before its first packet was in the journal does not count.
      [two.id, "journal-locked", "recovered"],
    ]);
    expect(auditKinds()).toContain("locked");
    expectEveryChangeNamed(listed!.folder);
    expect(unwrapJournalKey(listed!.folder, [holder])).toHaveLength(32);
  });

  it("keeps back what is stored already, or was logged and deleted since", async () => {
    const [stored, logged, published, wanted] = [1, 2, 3, 4].map(callOf) as [
      CallRecord,
      CallRecord,
      CallRecord,
      CallRecord,
    ];
    journal([stored, logged, published, wanted], [stored, logged, published]);
    keeper.logLocked(logged);
    await publish(store, published);
    await keeper.keep({ ...stored, noAudio: "erased" }, undefined);
    await recover();
    expect(readLockedRun(join(data, LOCKED_FOLDER, RUN))!.calls).toEqual([wanted.id]);
    const lines = readCallLog(data).map(({ id, noAudio }) => [id, noAudio]);
    expect(lines).toEqual([
      [stored.id, "erased"],
      [logged.id, "journal-locked"],
      [published.id, ""],
      [wanted.id, "journal-locked"],
    ]);
  });

  it("is removed when nothing in it is needed any more", async () => {
    const [one, two] = [callOf(1), callOf(2)];
    journal([one, two], [one, two]);
    await publish(store, one);
    await keeper.keep({ ...two, noAudio: "erased" }, undefined);
    await recover();
    expect(existsSync(folder)).toBe(false);
    expect(existsSync(join(data, LOCKED_FOLDER))).toBe(false);
  });

  it("without a call that can be read is removed, as any other is", async () => {
    new JournalKeys([holder.recipient.text]).make(folder);
    await recover();
    expect(existsSync(folder)).toBe(false);
  });

  it.each(["locked.json was written", "the calls were logged", "the folder could not be moved"])(
    "is put aside whole by the next process when the one before died after %s",
    async (died) => {
      const [one, two] = [callOf(1), callOf(2)];
      journal([one, two], [one]);
      const calls = [one.id, two.id];
      writeFileSync(
        join(folder, "locked.json"),
        JSON.stringify({ schema: "sidetone.locked-journal/1", run: RUN, device: "box", lockedAt: "", calls }),
      );
      if (died !== "locked.json was written") for (const record of [one, two]) keeper.logLocked(record);
      store.close();
      open();
      if (died === "the folder could not be moved") {
        mkdirSync(join(data, LOCKED_FOLDER));
        writeFileSync(join(data, LOCKED_FOLDER, RUN), "in the way");
        await recover();
        expect(existsSync(folder)).toBe(true);
        removeFolder(join(data, LOCKED_FOLDER, RUN));
      }
      await recover();
      expect(existsSync(folder)).toBe(false);
      expect(readLockedRun(join(data, LOCKED_FOLDER, RUN))!.calls).toEqual(calls);
      expect(readCallLog(data).map(({ id }) => id)).toEqual(calls);
    },
  );
});

describe("the keys of journals", () => {
  it("are none without recipients", () => {
    const keys = new JournalKeys([]);
    expect(keys.make(folder)).toBeUndefined();
    expect(keys.of(folder)).toBeUndefined();
    expect(readdirSync(folder)).toEqual([]);
    expect(unwrapJournalKey(folder, [holder])).toBeUndefined();
  });

  it("are others for each run, on the disk for their recipients only, and forgotten with the journal", () => {
    const keys = new JournalKeys([holder.recipient.text]);
    const other = join(data, "journal", "01KAJ5QX00ABCDEFGHJKMNPQRT");
    mkdirSync(other);
    const [one, two] = [keys.make(folder)!, keys.make(other)!];
    expect(one.equals(two)).toBe(false);
    expect(keys.of(folder)).toBe(one);
    expect(unwrapJournalKey(folder, [holder])!.equals(one)).toBe(true);
    expect(() => unwrapJournalKey(folder, [generateIdentity()])).toThrow("none of the identities");
    keys.forget(folder);
    expect(keys.of(folder)).toBeUndefined();
    expect(one).toEqual(Buffer.alloc(32));
    // The key of another run in this one's place.
    writeFileSync(join(folder, "key.age"), readFileSync(join(other, "key.age")));
    expect(() => unwrapJournalKey(folder, [holder])).toThrow("not of this folder's");
    writeFileSync(join(folder, "key.age"), "nonsense");
    expect(() => unwrapJournalKey(folder, [holder])).toThrow("it is no age file");
  });

  it("stop an engine that could not keep one: nothing is written that nobody could open", () => {
    expect(() => new JournalKeys([holder.recipient.text]).make(join(data, "missing"))).toThrow("ENOENT");
  });
});

it("lets a self-test's call go that a killed box had not ended, locked or not, and puts no run aside for it", async () => {
  journal([{ ...callOf(1), isSelfTest: true }]);
  await recover();
  expect(existsSync(folder)).toBe(false);
  expect(existsSync(join(data, LOCKED_FOLDER))).toBe(false);
  expect([readCallLog(data), existsSync(join(data, "audit"))]).toEqual([[], false]);
});

it("keeps the others of its run, which is locked with them alone", async () => {
  journal([{ ...callOf(1), isSelfTest: true }, callOf(2)]);
  await recover();
  expect(listLockedRuns(data).map(({ locked }) => locked?.calls)).toEqual([[callOf(2).id]]);
  expect(readCallLog(data).map(({ id }) => id)).toEqual([callOf(2).id]);
});

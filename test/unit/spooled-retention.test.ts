// Deletions and holds as faces ask for them: done at once, accepted where they cannot be, and refused with a reason also when that
// comes up between the look and the deed.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeCallId } from "../../device/base/ids.js";
import type { Logger } from "../../device/base/logger.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import { RetentionRequests } from "../../device/retention-requests.js";
import { SpooledRetention } from "../../device/spooled-retention.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { Disposal } from "../../device/store/retention/disposal.js";
import { SpoolKeeper } from "../../device/store/spool-keeper.js";
import { configOf } from "./retention-kit.js";
import { callFrom, filesOf, keep } from "./store/retention/deletion-kit.js";
import { makeFolder, removeFolder } from "./store/store-kit.js";

const BY = "token desk";
const ORDER = { reason: "letter", overridesMinimum: false };
let folder: string;
let store: RecordingStore;
let disposal: Disposal;
let keeper: SpoolKeeper;
let record: CallRecord;
const said: string[] = [];
const say = (text: string): void => void said.push(text);
const logger: Logger = { debug: () => {}, info: () => {}, warn: say, error: say };

beforeEach(async () => {
  said.length = 0;
  folder = makeFolder();
  store = RecordingStore.open(folder, { gatherMs: 0 });
  record = callFrom(1);
  await keep(store, record);
  const config = configOf({});
  const clock = { nowUs: () => record.endedAtUs + 3600e6, monotonicMs: () => performance.now() };
  disposal = new Disposal({ store, config, device: "box", logger, clock });
  const kinds = new RetentionRequests({ store, disposal, config, clock }).kinds();
  keeper = new SpoolKeeper({ dataFolder: folder, kinds, onFault: say, clock });
});
afterEach(() => {
  store.close();
  removeFolder(folder);
});

function desk(drain: () => Promise<void> = () => keeper.drain(), waitMs = 60): SpooledRetention {
  return new SpooledRetention({ paths: store.paths, disposal, drain, logger, waitMs });
}
const waiting = (): string[] => readdirSync(join(folder, "spool")).filter((name) => /^[0-9A-Z]{26}\.json$/.test(name));

test("what nobody carries out yet is accepted, waits on the disk, and is carried out then", async () => {
  const outcome = await desk(async () => {}).deleteRecording(record.id, ORDER, BY);
  expect(outcome).toMatchObject({ ok: true, state: "accepted" });
  expect(waiting()).toEqual([expect.stringContaining((outcome as { id: string }).id)]);
  expect(filesOf(folder, record.id)).toContain(".wav");
  await keeper.drain();
  expect(waiting()).toEqual([]);
  expect(filesOf(folder, record.id)).toEqual([".deleted"]);
  expect(await desk().deleteRecording(record.id, ORDER, BY)).toMatchObject({ ok: false, error: "recording-deleted" });
});

test("a hold that comes between the look and the deed is the reason", async () => {
  const late = desk(async () => {
    const hold = { id: makeCallId(0), at: new Date(0).toISOString(), by: "cli root", reason: "court" };
    disposal.holds.add({ ...hold, covers: { call: record.id } });
    await keeper.drain();
  });
  expect(await late.deleteRecording(record.id, ORDER, BY)).toMatchObject({ ok: false, error: "on-hold" });
  expect(filesOf(folder, record.id)).toContain(".wav");
});

test("a hold is there when its answer is, by its name, and can be lifted once", async () => {
  const made = await desk().addHold({ call: record.id }, "court", BY);
  expect(made).toMatchObject({ ok: true, state: "done" });
  const { id } = made as { id: string };
  expect(desk().holds()).toMatchObject([{ id, by: BY, reason: "court", covers: { call: record.id } }]);
  expect(await desk().deleteRecording(record.id, ORDER, BY)).toMatchObject({ error: "on-hold" });
  expect(await desk().liftHold(id, "over", BY)).toMatchObject({ ok: true, state: "done" });
  expect(await desk().liftHold(id, "over", BY)).toMatchObject({ ok: false, error: "hold-not-found" });
});

test("where requests cannot be left, that is said", async () => {
  rmSync(join(folder, "spool"), { recursive: true, force: true });
  writeFileSync(join(folder, "spool"), "in the way");
  expect(await desk().deleteRecording(record.id, ORDER, BY)).toMatchObject({ ok: false, error: "data-unwritable" });
  expect(said).not.toEqual([]);
  rmSync(join(folder, "spool"));
  mkdirSync(join(folder, "spool"));
  expect(await desk().deleteRecording(record.id, ORDER, BY)).toMatchObject({ ok: true, state: "done" });
});

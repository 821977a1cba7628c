// A dead run's journal that was damaged: what can be used is, and the damage is told.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeLogger } from "../../device/base/logger.js";
import { AlarmBook } from "../../device/health/alarms.js";
import { JournalWriter } from "../../device/journal/writer.js";
import { JournalWatch } from "../../device/journal-watch.js";
import { CallKeeper } from "../../device/keeper.js";
import { recoverOldRun } from "../../device/recovery.js";
import { SealPool } from "../../device/seal/pool.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { makeKept, options, put } from "./journal/journal-kit.js";
import { callOf } from "./store/store-kit.js";

it("tells of damaged blocks, and of a call of which nobody can say any more whose it is; its journal stays", async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), "sidetone-recovery-"));
  const run = join(dataFolder, "run");
  const alarms = new AlarmBook({ clock: { nowUs: () => 0, monotonicMs: () => 0 } });
  const logger = makeLogger({ level: "error", json: true, write: () => {}, nowIso: () => "" });
  const store = RecordingStore.open(dataFolder);
  const pool = new SealPool({ workers: 1 });
  try {
    const writer = new JournalWriter(options(run));
    const one = writer.begin(callOf(1).id);
    one.snapshot(callOf(1));
    put(one, makeKept(0, 1));
    await writer.close();
    const [segment] = readdirSync(run);
    const bytes = readFileSync(join(run, segment!));
    // Within the call's record, which is the first block.
    bytes[bytes.indexOf(callOf(1).sipCallIds[0]!)]! ^= 1;
    writeFileSync(join(run, segment!), bytes);
    const journalWatch = new JournalWatch({ dataFolder, alarms });
    const keeper = new CallKeeper(store, pool, logger, 0, [], { alarms, journalWatch });
    await recoverOldRun(run, { keeper, logger, journalWatch, lock: () => expect.fail() });
    const detail = { blocks: 1, recordings: 0, unreadableCalls: 1 };
    expect(alarms.standing).toMatchObject([{ code: "journal-damaged", detail }]);
    expect(readdirSync(run)).toEqual([segment]);
  } finally {
    await pool.close();
    store.close();
    rmSync(dataFolder, { recursive: true });
  }
});

it("removes a self-test's call instead of storing it, ended or cut off, and stores the real ones beside it", async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), "sidetone-recovery-"));
  const run = join(dataFolder, "run");
  const logger = makeLogger({ level: "error", json: true, write: () => {}, nowIso: () => "" });
  const store = RecordingStore.open(dataFolder);
  const pool = new SealPool({ workers: 1 });
  try {
    const writer = new JournalWriter(options(run));
    for (const [n, isSelfTest] of [true, true, false].entries()) {
      const record = { ...callOf(n + 1), ...(isSelfTest && { isSelfTest: true as const }) };
      const one = writer.begin(record.id);
      one.snapshot(record);
      put(one, makeKept(0, 1));
      if (n > 0) one.end({ ...record, noAudio: "policy-none" });
    }
    await writer.close();
    const keeper = new CallKeeper(store, pool, logger, 10);
    await recoverOldRun(run, { keeper, logger, lock: () => expect.fail() });
    expect(keeper.lines.map(({ id }) => id)).toEqual([callOf(3).id]);
    expect(existsSync(run)).toBe(false);
  } finally {
    await pool.close();
    store.close();
    rmSync(dataFolder, { recursive: true });
  }
});

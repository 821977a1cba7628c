// What the keeper says of calls that sealing refuses, or finds damaged: the alarms of a running box.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { SidetoneError } from "../../device/base/errors.js";
import { makeLogger } from "../../device/base/logger.js";
import { AlarmBook } from "../../device/health/alarms.js";
import { JournalWatch } from "../../device/journal-watch.js";
import { CallKeeper } from "../../device/keeper.js";
import type { SealPool } from "../../device/seal/pool.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { callOf } from "./store/store-kit.js";

it("says that nothing can be encrypted until something is, and that recordings lack what was damaged", async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), "sidetone-keeper-"));
  const alarms = new AlarmBook({ clock: { nowUs: () => 0, monotonicMs: () => 0 } });
  const logger = makeLogger({ level: "error", json: true, write: () => {}, nowIso: () => "" });
  const warnings: { code: string }[] = [];
  let isRefusing = true;
  // Sealing threads are compiled modules, which tests of the source have none of.
  const pool = {
    seal: async () => {
      if (isRefusing) throw new SidetoneError("encryption-failed", "cannot encrypt to the configured recipients");
      return { sealed: { kind: "no-audio", reason: "no-media", warnings }, cpuUs: 0 };
    },
  } as unknown as SealPool;
  const store = RecordingStore.open(dataFolder);
  try {
    const journalWatch = new JournalWatch({ dataFolder, alarms });
    const keeper = new CallKeeper(store, pool, logger, 10, ["age1..."], { alarms, journalWatch });
    const place = { folder: dataFolder, position: { segment: 1, offset: 0 } };
    const kept = keeper.keep(callOf(1), place);
    await keeper.idle();
    expect(alarms.standing.map(({ code }) => code)).toEqual(["seal-failed", "encryption-failed"]);
    isRefusing = false;
    keeper.tryAgain();
    expect(await kept).toBe(true);
    expect(alarms.standing).toEqual([]);
    warnings.push({ code: "journal-damaged" });
    expect(await keeper.keep(callOf(2), place)).toBe(true);
    expect(alarms.standing).toMatchObject([{ code: "journal-damaged", detail: { recordings: 1 } }]);
  } finally {
    store.close();
    rmSync(dataFolder, { recursive: true });
  }
});

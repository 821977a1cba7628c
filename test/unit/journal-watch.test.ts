// Which alarms about journals stand: of damage, as it is met; of runs that nobody here can read, as long as they lie there.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { AlarmBook } from "../../device/health/alarms.js";
import { JournalWatch } from "../../device/journal-watch.js";
import { LOCKED_FOLDER, writeLockedRun } from "../../device/store/locked-runs.js";

let dataFolder = "";
let alarms: AlarmBook;
let watch: JournalWatch;
beforeEach(() => {
  vi.useFakeTimers();
  dataFolder = mkdtempSync(join(tmpdir(), "sidetone-journal-watch-"));
  alarms = new AlarmBook({ clock: { nowUs: () => 0, monotonicMs: () => 0 } });
  watch = new JournalWatch({ dataFolder, alarms });
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
  rmSync(dataFolder, { recursive: true });
});

const standing = (): [string, object][] => alarms.standing.map(({ code, detail }) => [code, detail]);

it("adds up what of journals is damaged, and says nothing where nothing is", () => {
  watch.noteBlocks(0);
  expect(standing()).toEqual([]);
  watch.noteBlocks(3);
  watch.noteRecording();
  watch.noteUnreadable();
  watch.noteBlocks(2);
  expect(standing()).toEqual([["journal-damaged", { blocks: 5, recordings: 1, unreadableCalls: 1 }]]);
});

it("says that locked runs lie there until somebody has removed them", () => {
  const folder = join(dataFolder, LOCKED_FOLDER, "01KQ0000000000000000000001");
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(dataFolder, LOCKED_FOLDER, "01KQ0000000000000000000002"));
  writeLockedRun(folder, { run: "01KQ0000000000000000000001", device: "", lockedAt: "", calls: ["a", "b"] as never });
  writeFileSync(join(folder, "000001.seg"), "");
  watch.start();
  expect(standing()).toEqual([["journals-locked", { runs: 2, calls: 2 }]]);
  rmSync(join(dataFolder, LOCKED_FOLDER), { recursive: true });
  vi.advanceTimersByTime(60_000);
  expect(standing()).toEqual([]);
});

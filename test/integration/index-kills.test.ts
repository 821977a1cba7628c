// A process that writes, rebuilds or migrates the index is killed (SIGKILL) at random moments: every time the index opens, is
// sound, and comes to have exactly what a rebuild out of the files gives.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import Sqlite from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openForWriting } from "../../device/store/index/database.js";
import { IndexFiles } from "../../device/store/index/index-files.js";
import { SCHEMA_VERSION, versionOf } from "../../device/store/index/schema.js";
import { generateCalls, storeCall } from "../fakes/indexed-calls.js";
import { PROJECT_ROOT } from "../fakes/program.js";
import { makeRandom } from "../fakes/random.js";
import {
  contentAt,
  contentOf,
  DAY_US,
  FIRST_US,
  makeDataFolder,
  newestOf,
  openIndex,
  rebuilt,
  takeBackToVersion2,
} from "../unit/store/index/index-kit.js";

const SCRIPT = join(PROJECT_ROOT, "dist/test/fakes/killed-index.js");
const KILLS = 10;
/** A process takes a tenth of a second to start, on a busy machine ten times that. */
const PATIENCE_MS = 120_000;
const SEED = 20261128;
let folder: string;
beforeEach(() => {
  folder = makeDataFolder();
  for (const call of generateCalls({ seed: 1, count: 150, firstUs: FIRST_US, spanUs: 2 * DAY_US }))
    storeCall(folder, call);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Whether it was killed before it ended by itself. */
async function killAfter(mode: string, seed: number, afterMs: number): Promise<boolean> {
  const child = spawn(process.execPath, [SCRIPT, mode, folder, String(seed)], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  await Promise.race([once(child.stdout, "data"), closed]);
  await wait(afterMs);
  child.kill("SIGKILL");
  const [code, signal] = await closed;
  if (code !== null) expect(code).toBe(0);
  return signal === "SIGKILL";
}

function expectSound(): void {
  const database = new Sqlite(newestOf(folder));
  expect(database.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
  database.close();
}

async function expectComplete(): Promise<void> {
  const { index, said } = openIndex(folder);
  await index.caughtUp();
  index.close();
  expect(said).toEqual({ faults: [], notices: [], recoveries: 0 });
  expect(contentAt(newestOf(folder))).toEqual(contentOf(rebuilt(folder)));
}

async function fill(): Promise<void> {
  const { index } = openIndex(folder);
  await index.caughtUp();
  index.close();
}

test.each(["write", "rebuild"])(
  `killed ${KILLS} times while it is at %s, it is sound and complete`,
  async (mode) => {
    await fill();
    const random = makeRandom(SEED);
    for (let kill = 0; kill < KILLS; kill++) {
      expect(await killAfter(mode, 100 + kill, Math.floor(random() * 120))).toBe(true);
      expectSound();
      await expectComplete();
    }
    expect(readdirSync(join(folder, "index")).filter((name) => name.endsWith(".sqlite"))).toHaveLength(1);
  },
  PATIENCE_MS,
);

test(
  "killed while it is brought to a newer version, it is of the old one or of the new one, whole",
  async () => {
    await fill();
    const expected = contentAt(newestOf(folder));
    const random = makeRandom(SEED);
    const versions = new Set<number>();
    for (let kill = 0; kill < KILLS; kill++) {
      const path = newestOf(folder);
      takeBackToVersion2(path);
      // The first time it may end by itself.
      await killAfter("migrate", 0, kill === 0 ? 2000 : Math.floor(random() * 30));
      expectSound();
      const left = new Sqlite(path);
      versions.add(versionOf(left));
      left.close();
      openForWriting(path, new IndexFiles(folder)).close();
      expect(contentAt(path)).toEqual(expected);
    }
    expect([...versions].every((version) => version === 2 || version === SCHEMA_VERSION)).toBe(true);
    expect(versions).toContain(2);
  },
  PATIENCE_MS,
);

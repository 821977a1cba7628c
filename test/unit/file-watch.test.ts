// Files that somebody else changes: told at once, and what no command explains by the hash of what is there once it stands
// still.
import { appendFileSync, mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sha256Of } from "../../device/base/sha256.js";
import { FileWatch } from "../../device/file-watch.js";
import type { WatchedFile } from "../../device/store/file-change.js";
import { WatchedFiles } from "../../device/store/watched-files.js";
import { makeFolder, removeFolder } from "../fakes/program.js";

const EVERY_MS = 20;
const ONE: WatchedFile = "registers/consent.jsonl";
const OTHER: WatchedFile = "keys/tokens.json";

let folder: string;
let watched: WatchedFiles;
let watch: FileWatch;
let changed: string[];
let entered: { file: string; sha256: string; how: string }[];
let isReady: boolean;
let refusal: Error | undefined;
beforeEach(() => {
  vi.useFakeTimers();
  folder = makeFolder();
  for (const file of [ONE, OTHER]) mkdirSync(dirname(path(file)), { recursive: true });
  [changed, entered, isReady, refusal] = [[], [], true, undefined];
  begin();
});
afterEach(async () => {
  await watch.stop();
  vi.useRealTimers();
  removeFolder(folder);
});

const path = (name: string): string => join(folder, name);
const looks = (count: number): Promise<unknown> => vi.advanceTimersByTimeAsync(count * EVERY_MS);
/** What is entered when all stands still. */
async function news(): Promise<{ file: string; sha256: string }[]> {
  await looks(3);
  return entered.splice(0).map(({ file, sha256 }) => ({ file, sha256 }));
}
/** A service's start. */
function begin(): void {
  watched = new WatchedFiles(folder);
  watch = new FileWatch({
    dataFolder: folder,
    files: [ONE, OTHER],
    watched,
    isReady: () => isReady,
    changed: (file) => changed.push(file),
    async enter(found) {
      entered.push(...found);
      if (refusal) throw refusal;
    },
  });
}

describe("FileWatch", () => {
  it("names what it sees first once, and is silent while nothing changes", async () => {
    writeFileSync(path(ONE), "a");
    watch.start(EVERY_MS);
    await looks(5);
    expect(entered).toEqual([{ file: ONE, sha256: sha256Of("a"), how: "first seen", present: sha256Of("a") }]);
    expect(changed).toEqual([]);
  });

  it("tells of a change at the next look, and enters it once it stands still for two", async () => {
    watch.start(EVERY_MS);
    await news();
    writeFileSync(path(ONE), "a");
    await looks(1);
    expect([changed, entered]).toEqual([[ONE], []]);
    appendFileSync(path(ONE), "a");
    await looks(1);
    expect([changed, entered]).toEqual([[ONE, ONE], []]);
    await looks(1);
    expect(entered).toEqual([{ file: ONE, sha256: sha256Of("aa"), how: "by hand", present: sha256Of("aa") }]);
    await looks(5);
    expect(entered).toHaveLength(1);
  });

  it("enters nothing that a command has explained, and waits until all that commands left is known", async () => {
    writeFileSync(path(ONE), "a");
    watch.start(EVERY_MS);
    await news();
    isReady = false;
    writeFileSync(path(ONE), "aa");
    await looks(5);
    expect(entered).toEqual([]);
    watched.explain(ONE, { before: sha256Of("a"), after: sha256Of("aa") });
    isReady = true;
    expect(await news()).toEqual([]);
  });

  it("notices what was changed while it was away", async () => {
    writeFileSync(path(ONE), "a");
    watch.start(EVERY_MS);
    await news();
    await watch.stop();
    writeFileSync(path(ONE), "b");
    begin();
    watch.start(EVERY_MS);
    expect(await news()).toEqual([{ file: ONE, sha256: sha256Of("b") }]);
    expect(entered).toEqual([]);
  });

  it("enters again what could not be entered durably", async () => {
    watch.start(EVERY_MS);
    await news();
    refusal = new Error("the disk is full");
    writeFileSync(path(ONE), "a");
    await looks(4);
    await watch.stop();
    entered = [];
    refusal = undefined;
    begin();
    watch.start(EVERY_MS);
    expect(await news()).toEqual([{ file: ONE, sha256: sha256Of("a") }]);
  });

  it.each([
    [
      "that another one took the place of, of the same length and time",
      () => {
        const { atime, mtime } = statSync(path(ONE));
        writeFileSync(path("new"), "new!");
        utimesSync(path("new"), atime, mtime);
        renameSync(path("new"), path(ONE));
        expect(statSync(path(ONE))).toMatchObject({ size: 4, mtime });
      },
      "new!",
    ],
    ["that was overwritten with as many bytes", () => writeFileSync(path(ONE), "new!"), "new!"],
    [
      "that has grown without its time saying so",
      () => {
        writeFileSync(path(ONE), "longer");
        utimesSync(path(ONE), 1, 1);
      },
      "longer",
    ],
  ])("notices a file %s", async (_, change, content) => {
    writeFileSync(path(ONE), "old!");
    utimesSync(path(ONE), 1, 1);
    watch.start(EVERY_MS);
    await news();
    change();
    expect(await news()).toEqual([{ file: ONE, sha256: sha256Of(content) }]);
  });

  it("notices a file that is gone, and that is there again", async () => {
    writeFileSync(path(ONE), "a");
    watch.start(EVERY_MS);
    await news();
    rmSync(path(ONE));
    expect(await news()).toEqual([{ file: ONE, sha256: "" }]);
    writeFileSync(path(ONE), "a");
    writeFileSync(path(OTHER), "b");
    expect(await news()).toEqual([
      { file: ONE, sha256: sha256Of("a") },
      { file: OTHER, sha256: sha256Of("b") },
    ]);
  });

  it("notices a file that cannot be read", async () => {
    watch.start(EVERY_MS);
    await news();
    mkdirSync(path(ONE));
    expect(await news()).toEqual([{ file: ONE, sha256: "unreadable" }]);
  });

  it("says nothing of a file that was only touched", async () => {
    writeFileSync(path(ONE), "a");
    watch.start(EVERY_MS);
    await news();
    utimesSync(path(ONE), 1, 1);
    expect(await news()).toEqual([]);
    expect(changed).toEqual([ONE]);
  });

  it("tells nothing more once it was stopped", async () => {
    watch.start(EVERY_MS);
    await news();
    await watch.stop();
    writeFileSync(path(ONE), "a");
    expect(await news()).toEqual([]);
    expect(changed).toEqual([]);
  });
});

// Files that somebody else changes: told once each time, by the hash of what is there then.
import { createHash } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FileWatch } from "../../device/file-watch.js";

const EVERY_MS = 20;

let folder: string;
let watch: FileWatch;
let told: { name: string; sha256: string }[];
beforeEach(() => {
  vi.useFakeTimers();
  folder = mkdtempSync(join(tmpdir(), "sidetone-watch-"));
  told = [];
  watch = new FileWatch(
    ["one", "other"].map((name) => ({ path: path(name), changed: (sha256) => told.push({ name, sha256 }) })),
  );
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const path = (name: string): string => join(folder, name);
const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
const wait = (rounds = 1): unknown => vi.advanceTimersByTime(rounds * EVERY_MS);
/** What was told since the last time. */
function news(): typeof told {
  wait();
  return told.splice(0);
}

describe("FileWatch", () => {
  it("tells nothing of what was there, or was not there, when it began", () => {
    writeFileSync(path("one"), "a");
    watch.start(EVERY_MS);
    wait(5);
    expect(told).toEqual([]);
  });

  it("tells of a change once, within its interval, and of that file only", () => {
    writeFileSync(path("one"), "a");
    writeFileSync(path("other"), "b");
    watch.start(EVERY_MS);
    writeFileSync(path("one"), "aa");
    vi.advanceTimersByTime(EVERY_MS - 1);
    expect(told).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(told.splice(0)).toEqual([{ name: "one", sha256: hashOf("aa") }]);
    wait(5);
    expect(told).toEqual([]);
    writeFileSync(path("other"), "bb");
    expect(news()).toEqual([{ name: "other", sha256: hashOf("bb") }]);
  });

  it("tells of a file that another one took the place of, of the same length and the same time", () => {
    writeFileSync(path("one"), "old!");
    watch.start(EVERY_MS);
    const { atime, mtime } = statSync(path("one"));
    writeFileSync(path("new"), "new!");
    utimesSync(path("one"), atime, mtime);
    wait();
    told.splice(0);
    utimesSync(path("new"), atime, mtime);
    renameSync(path("new"), path("one"));
    expect(statSync(path("one"))).toMatchObject({ size: 4, mtime });
    expect(news()).toEqual([{ name: "one", sha256: hashOf("new!") }]);
  });

  it("tells of a file that was overwritten with as many bytes", () => {
    writeFileSync(path("one"), "old!");
    utimesSync(path("one"), 1, 1);
    watch.start(EVERY_MS);
    writeFileSync(path("one"), "new!");
    expect(news()).toEqual([{ name: "one", sha256: hashOf("new!") }]);
  });

  it("tells of a file that has grown without its time saying so", () => {
    writeFileSync(path("one"), "old!");
    utimesSync(path("one"), 1, 1);
    watch.start(EVERY_MS);
    writeFileSync(path("one"), "longer");
    utimesSync(path("one"), 1, 1);
    expect(news()).toEqual([{ name: "one", sha256: hashOf("longer") }]);
  });

  it("tells of a file that is gone, and that is there again", () => {
    writeFileSync(path("one"), "a");
    watch.start(EVERY_MS);
    rmSync(path("one"));
    expect(news()).toEqual([{ name: "one", sha256: "" }]);
    expect(news()).toEqual([]);
    writeFileSync(path("one"), "a");
    expect(news()).toEqual([{ name: "one", sha256: hashOf("a") }]);
  });

  it("tells of the last of several changes between two looks", () => {
    watch.start(EVERY_MS);
    for (const text of ["a", "bb", "ccc"]) writeFileSync(path("one"), text);
    expect(news()).toEqual([{ name: "one", sha256: hashOf("ccc") }]);
  });

  it("tells nothing more once it was stopped, and may be stopped before it began", () => {
    watch.stop();
    watch.start(EVERY_MS);
    watch.stop();
    writeFileSync(path("one"), "a");
    wait(5);
    expect(told).toEqual([]);
  });
});

// One pull at a time: whose lock counts, and whose is taken over.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FolderLock } from "../../../../host/pull/folder-lock.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-pull-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = (): string => join(folder, "lock");
const age = (seconds: number): void => utimesSync(path(), new Date(), new Date(Date.now() - seconds * 1000));
const held = (changes: object): string =>
  `${JSON.stringify({ pid: 1, host: "elsewhere", startedAt: "", ...changes })}\n`;

test("a process that has it keeps others out, says who it is, and gives it back", () => {
  const lock = FolderLock.take(folder);
  age(3600);
  expect(() => FolderLock.take(folder)).toThrow(new RegExp(`in use by process ${process.pid} on `));
  lock.release();
  FolderLock.take(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("a process that was killed has it no longer", async () => {
  const child = spawn("sleep", ["60"]);
  const lock = FolderLock.take(folder);
  const own = JSON.parse(readFileSync(path(), "utf8")) as object;
  lock.release();
  writeFileSync(path(), `${JSON.stringify({ ...own, pid: child.pid })}\n`);
  child.kill("SIGKILL");
  await once(child, "exit");
  FolderLock.take(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("another computer has it for a minute after it touched it last", () => {
  writeFileSync(path(), held({}));
  expect(() => FolderLock.take(folder)).toThrow(/process 1 on elsewhere/);
  age(61);
  FolderLock.take(folder).release();
  expect(existsSync(path())).toBe(false);
});

test("one without content is being written, or was cut off by a crash", () => {
  writeFileSync(path(), "");
  expect(() => FolderLock.take(folder)).toThrow(/in use/);
  age(6);
  FolderLock.take(folder).release();
});

test("one that was taken over is not given back", () => {
  const lock = FolderLock.take(folder);
  writeFileSync(path(), held({}));
  lock.release();
  expect(readFileSync(path(), "utf8")).toContain("elsewhere");
});

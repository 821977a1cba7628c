import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buildCallLogLine } from "../../../device/seal/manifest.js";
import { CallLog } from "../../../device/store/call-log.js";
import { openDeviceKey } from "../../../device/store/device-key.js";
import { FolderLock } from "../../../device/store/folder-lock.js";
import { openPatiently } from "../../../device/store/patient-open.js";
import { ownHolder } from "../../../device/store/process-holder.js";
import { isoDay } from "../../../device/store/recording-paths.js";
import { callOf, filesBelow, makeFolder, removeFolder, START_US } from "./store-kit.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const lockFile = () => join(folder, "lock");

test("the lock is taken once, and given back", () => {
  const lock = FolderLock.take(folder);
  expect(() => FolderLock.take(folder)).toThrow(expect.objectContaining({ code: "data-in-use" }));
  lock.release();
  expect(filesBelow(folder)).toEqual([]);
  FolderLock.take(folder).release();
});

test.each([
  ["of a process that is gone", () => ({ pid: spawnSync("true").pid, startedAt: "b 1" })],
  ["of a process number that was given away again", () => ({ pid: process.ppid, startedAt: "another boot 1" })],
])("a lock %s is taken over", (_, holder) => {
  writeFileSync(lockFile(), JSON.stringify(holder()));
  const lock = FolderLock.take(folder);
  expect(JSON.parse(readFileSync(lockFile(), "utf8"))).toMatchObject({ pid: process.pid });
  lock.release();
  expect(filesBelow(folder)).toEqual([]);
});

test.each(["", "{", "null", '{"pid":-1,"startedAt":""}'])("a lock that says nothing (%j) is taken over", (text) => {
  writeFileSync(lockFile(), text);
  FolderLock.take(folder).release();
});

test("a lock says whether a command has it; one that says nothing is a service's", () => {
  expect(FolderLock.holder(folder)).toBeUndefined();
  const lock = FolderLock.take(folder, "command");
  expect(FolderLock.holder(folder)).toBe("command");
  expect(() => FolderLock.take(folder)).toThrow(/in use by a command/);
  lock.release();
  const { pid, startedAt } = ownHolder();
  writeFileSync(lockFile(), JSON.stringify({ pid, startedAt }));
  expect(FolderLock.holder(folder)).toBe("service");
});

test("a service waits for a command, says so once, and neither for ever nor for another service", async () => {
  let waits = 0;
  const open = (waitMs = 10_000) =>
    openPatiently(folder, () => FolderLock.take(folder), { onWait: () => waits++, waitMs });
  const command = FolderLock.take(folder, "command");
  setTimeout(() => command.release(), 250);
  const service = await open();
  expect([FolderLock.holder(folder), waits]).toEqual(["service", 1]);
  await expect(open()).rejects.toMatchObject({ code: "data-in-use" });
  service.release();
  const stuck = FolderLock.take(folder, "command");
  await expect(open(150)).rejects.toMatchObject({ code: "data-in-use" });
  stuck.release();
  expect(waits).toBe(2);
});

test("a lock that another process has taken meanwhile is not given back", () => {
  const lock = FolderLock.take(folder);
  writeFileSync(lockFile(), "another's");
  lock.release();
  expect(readFileSync(lockFile(), "utf8")).toBe("another's");
});

test("the key is made once, for its owner only, with its public half beside it", () => {
  const made = openDeviceKey(folder);
  const path = join(folder, "keys/device.key");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const again = openDeviceKey(folder);
  expect(again.privateKey.equals(made.privateKey)).toBe(true);
  expect(again.publicKey.equals(made.publicKey)).toBe(true);
  rmSync(join(folder, "keys/device.pub"));
  openDeviceKey(folder);
  expect(filesBelow(folder)).toEqual(["keys/device.key", "keys/device.pub"]);
});

test("a damaged key is reported and left alone", () => {
  openDeviceKey(folder);
  const path = join(folder, "keys/device.key");
  writeFileSync(path, "-----BEGIN PRIVATE KEY-----\nnonsense");
  expect(() => openDeviceKey(folder)).toThrow(/is no Ed25519 key: restore it/);
  expect(readFileSync(path, "utf8")).toContain("nonsense");
});

test("a line that was torn stays on a line of its own, and its call is logged again", () => {
  const lines = [1, 2].map((number) => buildCallLogLine(callOf(number), undefined));
  const path = join(folder, "2026-11-22.jsonl");
  const torn = JSON.stringify(lines[1]).slice(0, 200);
  writeFileSync(path, `${JSON.stringify(lines[0])}\n${torn}`);
  const log = new CallLog(folder);
  expect(lines.map((line) => log.append(line))).toEqual([false, true]);
  expect(readFileSync(path, "utf8").split("\n")).toEqual([
    JSON.stringify(lines[0]),
    torn,
    JSON.stringify(lines[1]),
    "",
  ]);
});

test("of a long log only the end is looked through", () => {
  const path = join(folder, "2026-11-22.jsonl");
  const line = buildCallLogLine(callOf(1), undefined);
  writeFileSync(path, `${JSON.stringify(line)}\n${"x".repeat(1 << 20)}\n`);
  expect(new CallLog(folder).append(line)).toBe(true);
  expect(new CallLog(folder).append(line)).toBe(false);
});

test("more days than are remembered are all written", () => {
  const log = new CallLog(folder);
  for (let number = 0; number < 24 * 20; number += 24) log.append(buildCallLogLine(callOf(number), undefined));
  log.append(buildCallLogLine(callOf(0), undefined));
  expect(filesBelow(folder).length).toBe(20);
  expect(readFileSync(join(folder, "2026-11-21.jsonl"), "utf8").trim().split("\n").length).toBe(1);
});

test("days are UTC and have four-digit years, whatever a packet's time says", () => {
  expect(isoDay(START_US)).toBe("2026-11-21");
  expect(isoDay(START_US + 1e6)).toBe("2026-11-22");
  expect(isoDay(-5)).toBe("1970-01-01");
  expect(isoDay(1e18)).toBe("9999-12-31");
  expect(existsSync(folder)).toBe(true);
});

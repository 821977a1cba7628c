// The archive against GNU tar, which every Debian has: what it lists, what it extracts, and members beyond 8 GiB.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TarWriter, tarHeader } from "../../../device/store/tar.js";
import { makeFolder, removeFolder } from "./store-kit.js";

const AT_MS = Date.UTC(2026, 10, 21, 9);
let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const tar = (...args: string[]): string =>
  execFileSync("tar", args, { encoding: "utf8", env: { ...process.env, TZ: "UTC", LC_ALL: "C" } });
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

test("GNU tar lists and extracts what was written, whatever its size", async () => {
  const archive = join(folder, "a.tar");
  const descriptor = openSync(archive, "w");
  const writer = new TarWriter((bytes) => void writeSync(descriptor, bytes));
  const members = [0, 1, 511, 512, 513, 100_000].map((size) => ({
    name: `m/${size}.bin`,
    bytes: Buffer.alloc(size, size),
  }));
  const hashes: string[] = [];
  for (const { name, bytes } of members) {
    const chunks = [bytes.subarray(0, bytes.length / 3), bytes.subarray(bytes.length / 3)];
    hashes.push(await writer.add({ name, size: bytes.length, modifiedAtMs: AT_MS, chunks }));
  }
  const written = await writer.end();
  closeSync(descriptor);
  const bytes = readFileSync(archive);
  expect(written).toEqual({ bytes: bytes.length, sha256: sha256(bytes) });
  const lines = tar("-tvf", archive).trimEnd().split("\n");
  expect(lines.map((line) => line.split(/\s+/))).toEqual(
    members.map(({ name, bytes: own }) => ["-rw-------", "0/0", String(own.length), "2026-11-21", "09:00", name]),
  );
  tar("-xf", archive, "-C", folder, "--no-same-owner");
  for (const [at, { name, bytes: own }] of members.entries()) {
    expect(readFileSync(join(folder, name)).equals(own)).toBe(true);
    expect(hashes[at]).toBe(sha256(own));
  }
});

test.each([8 ** 11 - 1, 8 ** 11, 30e9])("a member of %i bytes has its size", (size) => {
  const archive = join(folder, "large.tar");
  const descriptor = openSync(archive, "w");
  const head = tarHeader("large.wav", size, AT_MS);
  writeSync(descriptor, head);
  const next = head.length + Math.ceil(size / 512) * 512;
  writeSync(descriptor, tarHeader("next", 0, AT_MS), 0, 512, next);
  ftruncateSync(descriptor, next + 3 * 512);
  closeSync(descriptor);
  const sizes = tar("-tvf", archive).trimEnd().split("\n");
  expect(sizes.map((line) => [line.split(/\s+/)[2], line.split(/\s+/).at(-1)])).toEqual([
    [String(size), "large.wav"],
    ["0", "next"],
  ]);
});

test("what is not as it said ends the archive", async () => {
  const writer = new TarWriter(() => {});
  const member = { name: "a", size: 3, modifiedAtMs: AT_MS };
  await expect(writer.add({ ...member, chunks: [Buffer.from("ab")] })).rejects.toThrow("has not 3 bytes");
  await expect(writer.add({ ...member, chunks: [Buffer.from("abcd")] })).rejects.toThrow(RangeError);
  expect(() => tarHeader("ü", 0, 0)).toThrow(RangeError);
  expect(() => tarHeader("x".repeat(100), 0, 0)).toThrow(RangeError);
  const full = new TarWriter(() => {
    throw Object.assign(new Error("no space"), { code: "ENOSPC" });
  });
  await expect(full.add({ ...member, chunks: [] })).rejects.toMatchObject({ code: "ENOSPC" });
});

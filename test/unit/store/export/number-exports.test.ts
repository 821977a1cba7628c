// Everything about a number as a stream: the archive is the command's, the audit chain knows of it before its first byte, and
// whoever goes away in the middle leaves nothing behind that waits.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { sha256Of } from "../../../../device/base/sha256.js";
import { openBook } from "../../../../device/console/retention-command.js";
import { NumberExports } from "../../../../device/store/export/number-exports.js";
import { configOf, makeCalls, OTHER, RetentionBox } from "../../retention-kit.js";
import { problemsOf, readAudit } from "../audit-kit.js";
import { filesWith } from "../retention/deletion-kit.js";
import { filesBelow } from "../store-kit.js";

let box: RetentionBox;
let out: string;
let exports: NumberExports;
beforeEach(async () => {
  box = new RetentionBox();
  out = mkdtempSync(join(tmpdir(), "sidetone-export-"));
  box.open(configOf());
  const [first] = await makeCalls(box.store);
  // More than one piece, and more than waits for whoever reads.
  const { id } = first!;
  const path = filesBelow(box.folder).find((name) => name.endsWith(`${id}.wav`))!;
  writeFileSync(join(box.folder, path), Buffer.alloc(5 << 20, "x"));
  const { store, folder, clock } = box;
  exports = new NumberExports({
    store,
    config: configOf(),
    device: "box",
    clock,
    openBook: () => openBook(folder, configOf(), clock),
  });
});
afterEach(() => {
  box.close();
  rmSync(out, { recursive: true, force: true });
});

const begin = (number = "030 1234567", reason = "letter of the 3rd"): Promise<Readable> =>
  exports.begin({ number, reason, by: "token front-desk", address: "10.0.0.9" });
const exported = async () => {
  await box.store.audit.flush();
  return readAudit(box.folder).filter(({ kind }) => kind === "exported");
};

test("is the archive of the command, with two entries: that it begins, and what was sent", async () => {
  const stream = await begin();
  expect(readAudit(box.folder).at(-1)).toMatchObject({
    kind: "exported",
    actor: "token front-desk",
    detail: { state: "begun", reason: "letter of the 3rd", recordings: 2, calls: 3, address: "10.0.0.9" },
  });
  const tar = await buffer(stream);
  writeFileSync(join(out, "a.tar"), tar);
  execFileSync("tar", ["-xf", join(out, "a.tar"), "-C", out, "--no-same-owner"]);
  rmSync(join(out, "a.tar"));
  const contents = JSON.parse(readFileSync(join(out, "contents.json"), "utf8"));
  expect(contents).toMatchObject({ by: "token front-desk", number: "030 1234567" });
  for (const { name, bytes, sha256 } of contents.files) {
    const own = readFileSync(join(out, name));
    expect([name, own.length, sha256Of(own)]).toEqual([name, bytes, sha256]);
  }
  expect(filesWith(out, OTHER)).toEqual([]);
  const [, sent, ...more] = await exported();
  expect(more).toEqual([]);
  expect(sent).toMatchObject({
    actor: "token front-desk",
    detail: { state: "sent", bytes: tar.length, sha256: sha256Of(tar), address: "10.0.0.9" },
  });
  expect(sent!.detail["number"]).toMatch(/^hmac-sha256:/);
  expect(exports.isRunning).toBe(false);
  expect(problemsOf(box.folder)).toEqual([]);
});

test("whoever goes in the middle stops it, and the next one can begin", async () => {
  const stream = await begin();
  stream.once("readable", () => stream.destroy());
  await vi.waitFor(() => expect(exports.isRunning).toBe(false));
  expect((await exported()).map(({ detail }) => detail["state"])).toEqual(["begun", "stopped"]);
  expect((await buffer(await begin())).length).toBeGreaterThan(5 << 20);
});

test("one that a stop of the service cuts off ends quietly", async () => {
  const stream = await begin();
  box.store.close();
  stream.destroy();
  await vi.waitFor(() => expect(exports.isRunning).toBe(false));
  box.open(configOf());
});

test("there is one at a time", async () => {
  const stream = await begin();
  expect(exports.isRunning).toBe(true);
  await expect(begin()).rejects.toThrow("running");
  await buffer(stream);
  await vi.waitFor(() => expect(exports.isRunning).toBe(false));
});

test("a number that names nobody and a reason that names the number are refused, unentered", async () => {
  await expect(begin("anonymous")).rejects.toMatchObject({ code: "usage" });
  await expect(begin("030 1234567", "asked by 030-1234567")).rejects.toMatchObject({ code: "usage" });
  expect(await exported()).toEqual([]);
  expect(exports.isRunning).toBe(false);
});

test("nothing is given while the audit chain takes no entry", async () => {
  vi.spyOn(box.store.audit, "flush").mockRejectedValueOnce(Object.assign(new Error("full"), { code: "ENOSPC" }));
  await expect(begin()).rejects.toMatchObject({ code: "data-unwritable" });
  expect(exports.isRunning).toBe(false);
});

// Everything about a number as one archive: what is in it and what is not, its entry in the audit chain, and that being stopped or
// refused at any place leaves neither a file nor a lie.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sha256Of } from "../../../../device/base/sha256.js";
import { runExportCommand } from "../../../../device/console/export-command.js";
import type { ExportCommand } from "../../../../device/console/retention-command.js";
import type { CallRecord } from "../../../../device/contract/call-record.js";
import { EXPORTED, exportedKind, intendExport } from "../../../../device/store/export/export-trail.js";
import { SpoolDesk } from "../../../../device/store/spool-desk.js";
import { SpoolKeeper } from "../../../../device/store/spool-keeper.js";
import { configOf, makeCalls, OTHER, RetentionBox } from "../../retention-kit.js";
import { problemsOf, readAudit } from "../audit-kit.js";
import { CALLER, callFrom, filesWith, keep } from "../retention/deletion-kit.js";
import { filesBelow } from "../store-kit.js";

let box: RetentionBox;
let out: string;
let said: string;
beforeEach(() => {
  box = new RetentionBox();
  out = mkdtempSync(join(tmpdir(), "sidetone-export-"));
  said = "";
});
afterEach(() => {
  box.close();
  rmSync(out, { recursive: true, force: true });
});

const command = (rest: Partial<ExportCommand> = {}): ExportCommand => ({
  verb: "export",
  number: "030 1234567",
  reason: "letter of the 3rd",
  file: join(out, "a.tar"),
  isDryRun: false,
  json: false,
  ...rest,
});

function exportNumber(rest: Partial<ExportCommand> = {}, signal = new AbortController().signal): Promise<number> {
  return runExportCommand(command(rest), box.folder, configOf(), {
    write: (text) => {
      said += text;
    },
    actor: "cli root",
    device: "box",
    signal,
    carryOut: drain,
    clock: box.clock,
  });
}

/** Whoever has the data folder takes what waits in the spool. */
async function drain(): Promise<void> {
  const kinds = { [EXPORTED]: exportedKind(box.store.audit, box.folder) };
  const keeper = new SpoolKeeper({ dataFolder: box.folder, kinds, onFault: (text) => box.said.push(text) });
  await keeper.drain();
  await keeper.stop();
}

function extract(): { files: string[]; text(name: string): string } {
  execFileSync("tar", ["-xf", join(out, "a.tar"), "-C", out, "--no-same-owner"]);
  rmSync(join(out, "a.tar"));
  return { files: filesBelow(out), text: (name) => readFileSync(join(out, name), "utf8") };
}

const exported = () => readAudit(box.folder).filter(({ kind }) => kind === "exported");
const register = (number: string) =>
  `${JSON.stringify({ schema: "sidetone.consent-register/1", number, purpose: "recording", effect: "granted", validFrom: "2026-01-01", source: "form" })}\n`;

async function fill(): Promise<CallRecord[]> {
  box.open(configOf());
  const calls = await makeCalls(box.store);
  mkdirSync(join(box.folder, "registers"));
  writeFileSync(join(box.folder, "registers/consent.jsonl"), register(CALLER) + register(OTHER));
  for (const { id } of calls) box.store.audit.append({ kind: "listen", actor: "token front-desk", call: id });
  await box.store.audit.flush();
  return calls;
}

test("all that there is about the number is in it, with hashes that fit, and nothing of others", async () => {
  const [first, second, other, unanswered] = await fill();
  await box.ask("hold-add", { covers: { number: CALLER }, reason: "court order 7" });
  await box.ask("hold-add", { covers: { number: OTHER }, reason: "another" });
  expect(await exportNumber()).toBe(0);
  const archive = readFileSync(join(out, "a.tar"));
  expect(said).toContain(`SHA-256 ${sha256Of(archive)}`);
  expect(said).not.toContain("1234567");
  const { files, text } = extract();
  expect(files).toEqual(
    [
      "README.txt",
      "audit/2026-11.jsonl",
      "calls/2026-11-21.jsonl",
      "calls/2026-11-22.jsonl",
      "contents.json",
      "device.pub",
      "holds.json",
      ...[first!, second!].flatMap(({ id }) => [`recordings/${id}.json`, `recordings/${id}.wav`]),
      "registers/consent.jsonl",
    ].sort(),
  );
  const contents = JSON.parse(text("contents.json")) as { files: { name: string; bytes: number; sha256: string }[] };
  expect(contents.files.map(({ name }) => name).sort()).toEqual(files.filter((name) => name !== "contents.json"));
  for (const { name, bytes, sha256 } of contents.files) {
    const own = readFileSync(join(out, name));
    expect([own.length, sha256Of(own)]).toEqual([bytes, sha256]);
  }
  expect(text(`recordings/${first!.id}.wav`)).toContain(`what the caller said in call ${first!.id}`);
  const calls = [...text("calls/2026-11-21.jsonl").split("\n"), ...text("calls/2026-11-22.jsonl").split("\n")];
  expect(calls.filter(Boolean).map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(
    [first, second, unanswered].map((call) => call!.id),
  );
  const kinds = text("audit/2026-11.jsonl")
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { kind: string }).kind);
  expect(kinds).toEqual(["recorded", "recorded", "listen", "listen", "listen", "hold"]);
  expect(text("registers/consent.jsonl")).toBe(register(CALLER));
  expect(filesWith(out, OTHER, OTHER.slice(3), other!.id)).toEqual([]);
  expect(text("README.txt")).toContain(`about the number 030 1234567`);
  expect(text("README.txt")).toMatch(/rights of others \(GDPR art. 15\(4\)\),[\s\S]*has to decide/);

  const [entry, ...more] = exported();
  expect(more).toEqual([]);
  expect(entry).toMatchObject({
    actor: "cli root",
    detail: { reason: "letter of the 3rd", recordings: 2, calls: 3, bytes: archive.length, sha256: sha256Of(archive) },
  });
  expect(entry!.detail["number"]).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
  expect(filesBelow(join(box.folder, "spool"))).toEqual([]);
  expect(problemsOf(box.folder)).toEqual([]);
  // The next one has the entry of this one.
  await exportNumber({ number: CALLER });
  expect(extract().text("audit/2026-11.jsonl")).toContain('"kind":"exported"');
});

test("certificates of an erasure are in the next export, unless others were erased in the same words", async () => {
  await fill();
  const erasing = (number: string, reason: string) => ({
    number,
    reason,
    overridesMinimum: true,
    forgetsRefusals: false,
  });
  await box.ask("erase", erasing(CALLER, "letter of the 3rd"));
  const later = callFrom(30);
  await keep(box.store, later);
  await exportNumber();
  const first = extract();
  expect(first.files.filter((name) => name.startsWith("deleted/")).length).toBe(2);
  expect(first.files.filter((name) => name.startsWith("recordings/")).length).toBe(2);
  expect(first.text("audit/2026-11.jsonl")).toMatch(/"kind":"deleted"[\s\S]*"reason":"erasure"/);
  await box.ask("erase", erasing(OTHER, "letter of the 3rd"));
  rmSync(join(out, "deleted"), { recursive: true });
  await exportNumber();
  expect(extract().files.filter((name) => name.startsWith("deleted/"))).toEqual([]);
});

test("a dry run says what would be in it and leaves nothing", async () => {
  const calls = await fill();
  await exportNumber({ isDryRun: true, json: true, reason: "" });
  expect(JSON.parse(said)).toMatchObject({
    calls: 3,
    recordings: calls.slice(0, 2).map(({ id }) => id),
    logLines: 3,
    registerEntries: 1,
    auditEntries: 5,
    holds: [],
  });
  expect(readdirSync(out)).toEqual([]);
  expect(exported()).toEqual([]);
});

test("of a number that is nowhere the archive says so", async () => {
  await fill();
  await exportNumber({ number: "+4989000000" });
  const { files, text } = extract();
  expect(files).toEqual(["README.txt", "contents.json", "device.pub"]);
  expect(text("README.txt")).toContain("It is about 0 calls");
});

test("where it may not be, or cannot be, there is one line, and nothing is left", async () => {
  await fill();
  const refused = (rest: Partial<ExportCommand>, line: RegExp) => expect(exportNumber(rest)).rejects.toThrow(line);
  await refused({ file: join(box.folder, "a.tar") }, /inside the data folder/);
  await refused({ file: join(box.folder, "calls/../calls/a.tar") }, /inside the data folder/);
  await refused({ file: join(out, "missing/a.tar") }, /is no folder/);
  await refused({ number: "anonymous" }, /names nobody/);
  await refused({ reason: "asked by 030-1234567" }, /names the number/);
  writeFileSync(join(out, "b.tar"), "x");
  await refused({ file: join(out, "b.tar") }, /is there already/);
  writeFileSync(join(out, "c.tar.partial"), "x");
  await refused({ file: join(out, "c.tar") }, /another export writes it, or one was killed/);
  // A disk that takes nothing.
  await expect(exportNumber({ file: "/proc/self/a.tar" })).rejects.toMatchObject({
    code: "export-failed",
    exitCode: 4,
  });
  const stopped = AbortSignal.abort();
  await expect(exportNumber({}, stopped)).rejects.toMatchObject({ code: "export-failed" });
  expect(readdirSync(out).sort()).toEqual(["b.tar", "c.tar.partial"]);
  expect(exported()).toEqual([]);
  expect(existsSync(join(box.folder, "spool"))).toBe(false);
});

test.each([
  ["before the archive has its name is dropped", false],
  ["after that is entered", true],
])("an intent of a process that was killed %s", async (_, isRenamed) => {
  await fill();
  const file = join(out, "a.tar");
  writeFileSync(isRenamed ? file : `${file}.partial`, "archive");
  const spool = join(box.folder, "spool");
  intendExport(new SpoolDesk(box.folder), "cli root", { file, bytes: 7, detail: { reason: "r" } });
  const [name] = filesBelow(spool);
  // As of a process that is no more.
  const text = readFileSync(join(spool, name!), "utf8");
  writeFileSync(join(spool, name!), text.replace(/"pid":\d+/, '"pid":4194303'));
  await drain();
  await drain();
  expect(exported().length).toBe(isRenamed ? 1 : 0);
  expect(existsSync(file)).toBe(isRenamed);
  expect(filesBelow(spool)).toEqual([]);
});

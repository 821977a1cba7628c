// What the audit chain is told of files that are not signed themselves.
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeCallId } from "../../../device/base/ids.js";
import type { AuditEntry } from "../../../device/contract/audit.js";
import { buildCallLogLine } from "../../../device/seal/manifest.js";
import { auditFolder, listAuditFiles, parseEntry, readLines } from "../../../device/store/audit-files.js";
import type { WitnessedFile } from "../../../device/store/file-witness.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { chooseKey } from "../../../device/store/verify/key-choice.js";
import { verifyDataFolder } from "../../../device/store/verify/verify.js";
import { callOf, makeFolder, removeFolder } from "./store-kit.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

function witnessed(): WitnessedFile[][] {
  const entries: AuditEntry[] = [];
  for (const file of listAuditFiles(folder))
    for (const { bytes } of readLines(join(auditFolder(folder), file))) entries.push(parseEntry(bytes)!);
  return entries
    .filter(({ kind }) => kind === "witnessed")
    .map(({ detail }) => detail["files"] as unknown as WitnessedFile[]);
}

function run(use: (store: RecordingStore) => void = () => {}): void {
  const store = RecordingStore.open(folder);
  use(store);
  store.close();
}

const log = (store: RecordingStore, number: number) =>
  store.recordCall(buildCallLogLine({ ...callOf(number), noAudio: "no-media" }, undefined));
const DAY = "calls/2026-11-22.jsonl";
const stateOf = (file: string) => {
  const bytes = readFileSync(join(folder, file));
  return { file, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
};

test("nothing is said of an empty folder", () => {
  run();
  expect(witnessed()).toEqual([]);
});

test("the call log is vouched for up to its length, when it is closed and when it is opened", () => {
  run((store) => {
    log(store, 1);
    log(store, 2);
  });
  const first = stateOf(DAY);
  expect(witnessed()).toEqual([[first]]);
  run((store) => {
    log(store, 3);
    log(store, 4);
  });
  const second = stateOf(DAY);
  expect(second.bytes).toBeGreaterThan(first.bytes);
  expect(witnessed()).toEqual([[first], [first], [second]]);
});

test("calls of a hundred days in one run, in any order", () => {
  const days = 100;
  run((store) => {
    for (let i = 0; i < 3 * days; i++) {
      const startedAtUs = callOf(1).startedAtUs + ((i * 37) % days) * 86_400_000_000;
      const id = makeCallId(startedAtUs, Buffer.alloc(10, i));
      const record = { ...callOf(i + 1), id, startedAtUs, noAudio: "no-media" as const };
      store.recordCall(buildCallLogLine(record, undefined));
    }
  });
  const files = readdirSync(join(folder, "calls")).map((name) => `calls/${name}`);
  expect(files.length).toBe(days);
  const told = witnessed();
  expect(told.flat().sort((a, b) => (a.file < b.file ? -1 : 1))).toEqual(files.sort().map(stateOf));
  expect(Math.max(...told.map((entry) => entry.length))).toBe(64);
  const { findings } = verifyDataFolder({ dataFolder: folder, publicKey: chooseKey(folder) });
  expect(findings).toEqual([]);
});

test("lines that a crash kept from the chain, and a torn one, are in it after the next start", () => {
  run((store) => log(store, 1));
  appendFileSync(join(folder, DAY), '{"schema":"torn');
  const torn = stateOf(DAY);
  run((store) => log(store, 2));
  expect(witnessed().slice(1)).toEqual([[torn], [stateOf(DAY)]]);
  expect(readFileSync(join(folder, DAY), "utf8").split("\n")).toHaveLength(4);
});

test("a log that somebody replaced meanwhile is read anew before it is vouched for", () => {
  run((store) => {
    log(store, 1);
    const path = join(folder, DAY);
    const text = readFileSync(path, "utf8");
    writeFileSync(`${path}.new`, text.replaceAll("sip", "none"));
    renameSync(`${path}.new`, path);
    log(store, 2);
  });
  expect(witnessed()).toEqual([[stateOf(DAY)]]);
});

test("registers and tokens are vouched for whole, at the start and where they have changed since", () => {
  mkdirSync(join(folder, "registers"), { recursive: true });
  writeFileSync(join(folder, "registers/consent.jsonl"), "one\n");
  const before = stateOf("registers/consent.jsonl");
  const none = { file: "registers/agents.jsonl", bytes: 0, sha256: "" };
  run(() => {
    writeFileSync(join(folder, "registers/agents.jsonl"), "two\n");
    writeFileSync(join(folder, "keys/tokens.json"), "{}\n");
  });
  expect(witnessed()).toEqual([
    [before, none],
    [stateOf("keys/tokens.json"), stateOf("registers/agents.jsonl")],
  ]);
  run(() => rmSync(join(folder, "registers/consent.jsonl")));
  expect(witnessed().at(-1)).toEqual([{ file: "registers/consent.jsonl", bytes: 0, sha256: "" }]);
});

test("what cannot be read keeps nobody from recording", () => {
  mkdirSync(join(folder, "registers/consent.jsonl"), { recursive: true });
  run((store) => log(store, 1));
  expect(witnessed().at(-1)).toEqual([stateOf(DAY)]);
});

test("what somebody else has entered of a file is put right, however short the run", () => {
  mkdirSync(join(folder, "registers"), { recursive: true });
  const file = "registers/consent.jsonl";
  writeFileSync(join(folder, file), "changed by a command, and by hand since\n");
  // What the command left in the spool says what it wrote.
  const sha256 = createHash("sha256").update("changed by a command\n").digest("hex");
  run((store) => store.audit.append({ kind: "register", actor: "cli root", detail: { file, before: "", sha256 } }));
  expect(witnessed().at(-1)).toEqual([stateOf(file)]);
  const { findings } = verifyDataFolder({ dataFolder: folder, publicKey: chooseKey(folder) });
  expect(findings).toEqual([]);
});

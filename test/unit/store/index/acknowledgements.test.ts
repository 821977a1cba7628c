// Who has said to have a recording: entered once, found by it, and there again after the index was lost; of a recording that is
// another, or gone, nothing is said.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CallId } from "../../../../device/base/ids.js";
import type { AuditEntryInput } from "../../../../device/contract/audit.js";
import { DigestMismatch } from "../../../../device/store/index/acknowledgement-desk.js";
import { RecordingStore } from "../../../../device/store/recordings.js";
import { type GeneratedCall, generateCalls, storeCall } from "../../../fakes/indexed-calls.js";
import { readAudit } from "../audit-kit.js";
import { contentAt, DAY_US, FIRST_US, makeDataFolder, NUMBERS, newestOf } from "./index-kit.js";

let folder: string;
let store: RecordingStore;
let calls: GeneratedCall[];
const quiet = { onFault: () => {}, onRecovery: () => {}, onNotice: () => {} };

beforeEach(async () => {
  folder = makeDataFolder();
  calls = [...generateCalls({ seed: 6, count: 40, firstUs: FIRST_US, spanUs: DAY_US })];
  for (const call of calls) storeCall(folder, call);
  await open();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(): Promise<void> {
  store = RecordingStore.open(folder, { index: { numbers: NUMBERS, ...quiet } });
  await store.index!.caughtUp();
}

function enter(by: string): (entry: Omit<AuditEntryInput, "actor">) => Promise<void> {
  return (entry) => store.audit.enterDurably({ ...entry, actor: `token ${by}` });
}

function give(call: GeneratedCall, by: string, sha256 = call.manifest!.audio.sha256) {
  return store.acknowledgements!.give({ call: call.line.id, by, sha256 }, enter(by));
}

function withdraw(call: GeneratedCall, by: string) {
  return store.acknowledgements!.withdraw({ call: call.line.id, by }, enter(by));
}

function listed(by: string, is: boolean): CallId[] {
  const filter = { acknowledged: { by, is }, outcome: "recorded" } as const;
  return store.index!.listing!.list(filter, { limit: 500 }).calls.map(({ id }) => id);
}

const recorded = (): GeneratedCall[] => calls.filter(({ manifest }) => manifest).reverse();

test("said by each of them once, taken back, and found by it", async () => {
  const [one, other] = recorded();
  expect(await give(one!, "crm")).toMatchObject([{ by: "crm" }]);
  const twice = await Promise.all([give(one!, "archive"), give(one!, "archive"), give(one!, "crm")]);
  expect(twice.at(-1)!.map(({ by }) => by)).toEqual(["archive", "crm"]);
  await give(other!, "crm");
  expect(listed("crm", true)).toEqual([one!.line.id, other!.line.id]);
  expect(listed("archive", false)).toHaveLength(recorded().length - 1);
  expect(listed("nobody", false)).toHaveLength(recorded().length);
  expect(await withdraw(other!, "crm")).toEqual([]);
  expect(await withdraw(other!, "crm")).toEqual([]);
  expect(listed("crm", true)).toEqual([one!.line.id]);
  const entries = readAudit(folder).filter(({ kind }) => kind === "collected");
  expect(entries.map(({ actor, call, detail }) => [actor, call, detail["withdrawn"] ?? false])).toEqual([
    ["token crm", one!.line.id, false],
    ["token archive", one!.line.id, false],
    ["token crm", other!.line.id, false],
    ["token crm", other!.line.id, true],
  ]);
});

test("not of a call that is unknown, has no audio, has another or was deleted", async () => {
  const [one] = recorded();
  await expect(give(one!, "crm", "0".repeat(64))).rejects.toThrow(DigestMismatch);
  const silent = calls.find(({ manifest }) => !manifest)!;
  await expect(give(silent, "crm", "0".repeat(64))).rejects.toMatchObject({ reason: "recording-not-found" });
  const unknown = { ...one!, line: { ...one!.line, id: "01KAJ5QX00ABCDEFGHJKMNPQRS" as CallId } };
  await expect(withdraw(unknown, "crm")).rejects.toMatchObject({ reason: "recording-not-found" });
  await give(one!, "crm");
  store.index!.markDeleted(one!.line.id, "request");
  await expect(give(one!, "crm")).rejects.toMatchObject({ reason: "recording-deleted" });
  expect(store.index!.listing!.find(one!.line.id)!.acknowledgements).toEqual([]);
  expect(listed("crm", true)).toEqual([]);
});

test("it outlives the index, and not the audio that was meant", async () => {
  const [one, other] = recorded();
  await give(one!, "crm");
  await give(other!, "crm");
  await withdraw(other!, "crm");
  await give(other!, "crm");
  const before = store.index!.listing!.find(one!.line.id)!.acknowledgements[0]!.at.slice(0, 16);
  store.close();
  rmSync(join(folder, "index"), { recursive: true });
  await open();
  expect(listed("crm", true)).toEqual([one!.line.id, other!.line.id]);
  expect(store.index!.listing!.find(one!.line.id)!.acknowledgements[0]!.at.slice(0, 16)).toBe(before);
  const { manifest } = one!;
  const resealed = { ...one!, manifest: { ...manifest!, audio: { ...manifest!.audio, sha256: "f".repeat(64) } } };
  storeCall(folder, resealed);
  store.index!.write(one!.line);
  expect(listed("crm", true)).toEqual([other!.line.id]);
  store.close();
  const content = contentAt(newestOf(folder));
  rmSync(join(folder, "index"), { recursive: true });
  await open();
  expect(listed("crm", true)).toEqual([other!.line.id]);
  store.close();
  expect(contentAt(newestOf(folder))).toEqual(content);
  await open();
});

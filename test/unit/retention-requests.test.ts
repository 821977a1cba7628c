// What people ask of retention: holds, erasures and their waiting, deletions by order, and what a number leaves behind.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { generateIdentity } from "../../device/age/keys.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import type { CallLogLine } from "../../device/contract/manifest.js";
import { JournalWriter } from "../../device/journal/writer.js";
import { JournalKeys } from "../../device/journal-keys.js";
import { buildCallLogLine } from "../../device/seal/manifest.js";
import { LOCKED_FOLDER, readLockedRun, writeLockedRun } from "../../device/store/locked-runs.js";
import { makeKept, options, put } from "./journal/journal-kit.js";
import { configOf, makeCalls, OTHER, RetentionBox } from "./retention-kit.js";
import { problemsOf, readAudit } from "./store/audit-kit.js";
import { CALLER, callFrom, filesOf, filesWith, keep } from "./store/retention/deletion-kit.js";

let box: RetentionBox;
beforeEach(() => {
  box = new RetentionBox();
});
afterEach(() => box.close());

const erasing = (number: string, rest: object = {}) => ({
  number,
  reason: "letter of the 3rd",
  overridesMinimum: false,
  forgetsRefusals: false,
  ...rest,
});

test("a hold beats age, erasure, order and disk; lifted, what waited goes", async () => {
  const keeper = box.open(configOf());
  const [first, second, other] = await makeCalls(box.store);
  const { hold } = await box.ask("hold-add", { covers: { number: "030 1234567" }, reason: "court order 7" });
  box.pass(20);
  const erased = await box.ask("erase", erasing(CALLER));
  expect(erased).toMatchObject({ recordings: 0, lines: 0, waiting: 3 });
  expect(String(erased["reasons"])).toContain(`held by ${String(hold)}`);
  await expect(box.ask("delete", { call: first!.id, reason: "x", overridesMinimum: true })).rejects.toThrow(/held by/);
  expect(await keeper.deleteOldest()).toBeGreaterThan(0);
  expect(filesOf(box.folder, other!.id)).toEqual([".deleted"]);
  expect(await keeper.deleteOldest()).toBe(0);
  box.pass(20);
  await keeper.sweep();
  for (const call of [first!, second!]) expect(filesOf(box.folder, call.id)).toEqual([".json", ".wav"]);
  expect(keeper.counters.blocked).toBe(2);
  await box.ask("hold-remove", { id: hold, reason: "case closed" });
  for (const call of [first!, second!]) expect(filesOf(box.folder, call.id)).toEqual([".deleted"]);
  expect(filesWith(box.folder, CALLER, CALLER.slice(3))).toEqual([]);
  expect(existsSync(join(box.folder, "retention/erasures.json"))).toBe(true);
  const kinds = readAudit(box.folder).map(({ kind }) => kind);
  expect(kinds).toContain("hold");
  expect(kinds.indexOf("hold-lifted")).toBeGreaterThan(kinds.indexOf("hold"));
});

test("holds cover a call, a time, or a number; damaged ones keep everything", async () => {
  const keeper = box.open(configOf());
  const [first, second, other] = await makeCalls(box.store);
  await box.ask("hold-add", { covers: { call: first!.id }, reason: "a" });
  const at = new Date(second!.startedAtUs / 1000).toISOString();
  await box.ask("hold-add", { covers: { from: at, to: at }, reason: "b" });
  box.pass(31);
  await keeper.sweep();
  expect([first, second, other].map((call) => filesOf(box.folder, call!.id).length)).toEqual([2, 2, 1]);
  writeFileSync(join(box.folder, "retention/holds.json"), "{");
  await keeper.sweep();
  expect(box.said.join()).toContain("holds.json is damaged: nothing is deleted");
  expect(filesOf(box.folder, first!.id).length).toBe(2);
  await expect(box.ask("hold-add", { covers: { call: first!.id }, reason: "c" })).rejects.toThrow(/damaged/);
});

test("an erasure leaves nothing of the number in the data box.folder: recordings, log, index, register", async () => {
  const keeper = box.open(configOf());
  const calls = await makeCalls(box.store);
  await box.store.index?.caughtUp();
  expect(filesWith(box.folder, CALLER).length).toBeGreaterThan(3);
  mkdirSync(join(box.folder, "registers"));
  const entry = (number: string, effect: string) =>
    `${JSON.stringify({ schema: "sidetone.consent-register/1", number, purpose: "recording", effect, validFrom: "2026-01-01", source: "form" })}\n`;
  writeFileSync(
    join(box.folder, "registers/consent.jsonl"),
    entry("030 1234567", "granted") + entry(OTHER, "granted") + entry(CALLER, "refused"),
  );
  const early = await box.ask("erase", erasing("030/1234567"));
  expect(early).toMatchObject({ recordings: 0, lines: 1, waiting: 2, registerEntries: 1, refusalsKept: 1 });
  expect(String(early["reasons"])).toContain("minimum age of 10 days");
  // By law: it goes at once, and that is in the chain.
  const late = await box.ask("erase", erasing(CALLER, { overridesMinimum: true, forgetsRefusals: true }));
  expect(late).toMatchObject({ recordings: 2, waiting: 0, registerEntries: 1, refusalsKept: 0 });
  expect(filesWith(box.folder, CALLER, CALLER.slice(3), "030 1234567")).toEqual([]);
  expect(filesWith(box.folder, ...calls.slice(0, 2).map(({ id }) => `what the caller box.said in call ${id}`))).toEqual(
    [],
  );
  expect(filesWith(box.folder, OTHER)).toContain("registers/consent.jsonl");
  expect(filesOf(box.folder, calls[2]!.id)).toEqual([".json", ".wav"]);
  const certificate = readAudit(box.folder).find(({ kind }) => kind === "deleted")!;
  expect(certificate.detail).toMatchObject({ reason: "erasure", text: "letter of the 3rd", overridesMinimum: true });
  // The first erasure has nothing to wait for any more, and says so once.
  await keeper.sweep();
  await keeper.sweep();
  expect(JSON.parse(readFileSync(join(box.folder, "retention/erasures.json"), "utf8"))).toMatchObject({ erasures: [] });
  const lines = readFileSync(join(box.folder, "calls/2026-11-22.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as CallLogLine);
  expect(lines.map(({ deleted }) => deleted)).toEqual(["erasure", undefined, "erasure"]);
  expect(problemsOf(box.folder)).toEqual([]);
});

test("a request that is carried out twice is entered once; one that names the number in its reason is refused", async () => {
  box.open(configOf({}));
  await makeCalls(box.store);
  await box.ask("erase", erasing(CALLER));
  await box.ask("erase", erasing(CALLER), true);
  const entered = readAudit(box.folder).filter(
    ({ kind, detail }) => kind === "erasure" && detail["number"] !== undefined,
  );
  expect(entered.length).toBe(1);
  expect(entered[0]!.detail["number"]).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
  await expect(box.ask("erase", erasing(CALLER, { reason: "erase 030-1234567" }))).rejects.toThrow(/names the number/);
  await expect(box.ask("erase", erasing("anonymous"))).rejects.toThrow(/names nobody/);
  await expect(box.ask("hold-remove", { id: callFrom(0).id, reason: "x" })).rejects.toThrow(/no hold/);
  await expect(box.ask("delete", { call: callFrom(7).id, reason: "x", overridesMinimum: false })).rejects.toThrow(
    /no recording/,
  );
});

test("by order it goes once its minimum age has passed, or with the override, which the certificate says", async () => {
  box.open(configOf());
  const [first, second] = await makeCalls(box.store);
  const order = (call: CallRecord, overridesMinimum: boolean) => ({
    call: call.id,
    reason: "wrong call",
    overridesMinimum,
  });
  await expect(box.ask("delete", order(first!, false))).rejects.toThrow(/minimum age of 10 days keeps it until/);
  await box.ask("delete", order(first!, true));
  box.pass(11);
  await box.ask("delete", order(second!, false));
  const overrides = readAudit(box.folder)
    .filter(({ kind }) => kind === "deleted")
    .map(({ detail }) => detail["overridesMinimum"]);
  expect(overrides).toEqual([true, false]);
});

const RUN = "01KAJ5QX00ABCDEFGHJKMNPQRS";

/** A run that this box cannot read any more, with its calls in the log as locking leaves them. */
function lock(records: readonly CallRecord[]): string {
  const folder = join(box.folder, LOCKED_FOLDER, RUN);
  mkdirSync(folder, { recursive: true });
  const key = new JournalKeys([generateIdentity().recipient.text]).make(folder)!;
  const writer = new JournalWriter(options(folder, { key }));
  for (const record of records) {
    const one = writer.begin(record.id);
    one.snapshot(record);
    put(one, makeKept(0, 1));
    one.end(record);
    box.store.recordCall(buildCallLogLine({ ...record, noAudio: "journal-locked" }, undefined));
  }
  writer.flush();
  writeLockedRun(folder, { run: RUN, device: "box", lockedAt: "", calls: records.map(({ id }) => id) });
  return folder;
}

test("calls in a journal that the box cannot read go out of it one by one, held ones when the hold is lifted", async () => {
  box.open(configOf());
  const [mine, others, later] = [callFrom(10), callFrom(11, OTHER), callFrom(12)];
  const folder = lock([mine, others, later]);
  const { hold } = await box.ask("hold-add", { covers: { call: later.id }, reason: "court order 7" });
  const early = await box.ask("erase", erasing(CALLER));
  expect(early).toMatchObject({ recordings: 0, lines: 0, locked: 0, waiting: 2 });
  expect(String(early["reasons"])).toMatch(/minimum age of 10 days.*held by/);
  const late = await box.ask("erase", erasing(CALLER, { overridesMinimum: true }));
  expect(late).toMatchObject({ recordings: 0, lines: 1, locked: 1, waiting: 1 });
  expect(filesWith(folder, mine.sipCallIds[0]!)).toEqual([]);
  expect(filesWith(folder, later.sipCallIds[0]!).length).toBe(1);
  expect(readLockedRun(folder)!.calls).toEqual([others.id, later.id]);
  await box.ask("hold-remove", { id: hold, reason: "case closed" });
  expect(filesWith(box.folder, CALLER, CALLER.slice(3))).toEqual([]);
  expect(filesWith(folder, OTHER).length).toBe(1);
  expect(readLockedRun(folder)!.calls).toEqual([others.id]);
  await box.ask("erase", erasing(OTHER, { overridesMinimum: true }));
  expect(existsSync(folder)).toBe(false);
  expect(problemsOf(box.folder)).toEqual([]);
});

test("who passed a call on, and to whom it was passed, is found as its parties are", async () => {
  box.open(configOf({}));
  const diverted = callFrom(0, OTHER, {
    events: [{ atUs: 0, kind: "diverted", detail: { by: "0301234567", reason: "" } }],
  });
  const passed = callFrom(1, OTHER, { events: [{ atUs: 0, kind: "transfer", detail: { kind: "refer", to: CALLER } }] });
  const named = callFrom(2, OTHER);
  named.parties[0].name = "030 / 1234567";
  const foreign = callFrom(3, OTHER, { events: [{ atUs: 0, kind: "hold", detail: { by: 1 } }] });
  for (const call of [diverted, passed, named, foreign]) await keep(box.store, call);
  expect(await box.ask("erase", erasing(CALLER))).toMatchObject({ recordings: 3, waiting: 0 });
  expect(filesOf(box.folder, foreign.id)).toEqual([".json", ".wav"]);
  expect(filesWith(box.folder, CALLER, "0301234567", "030 / 1234567")).toEqual([]);
});

/** A call that began before the box's present and is stored now. */
const endsNow = async (number: number, caller = CALLER): Promise<CallRecord> => {
  const record = callFrom(number, caller);
  await keep(box.store, record);
  return record;
};

test("a call that was in progress when its number was erased goes when it has ended, and no later one", async () => {
  const keeper = box.open(configOf({}));
  await makeCalls(box.store);
  mkdirSync(join(box.folder, "journal", RUN), { recursive: true });
  box.pass(1);
  expect(await box.ask("erase", erasing(CALLER))).toMatchObject({ recordings: 2, lines: 1, isWatched: true });
  expect(filesWith(box.folder, CALLER, CALLER.slice(3))).toEqual([]);
  const [before, others, after] = [await endsNow(20), await endsNow(21, OTHER), await endsNow(48)];
  const unanswered = callFrom(22);
  box.store.recordCall(buildCallLogLine({ ...unanswered, noAudio: "not-answered" }, undefined));
  await keeper.sweep();
  expect(box.said).toEqual([]);
  expect(filesOf(box.folder, before.id)).toEqual([".deleted"]);
  expect(filesOf(box.folder, others.id)).toEqual([".json", ".wav"]);
  expect(filesOf(box.folder, after.id)).toEqual([".json", ".wav"]);
  expect(filesWith(join(box.folder, "calls"), CALLER.slice(3))).toEqual(["2026-11-23.jsonl"]);
  // The next process knows of it as well, holds bind, and at last it is over.
  const { hold } = await box.ask("hold-add", { covers: { call: callFrom(18).id }, reason: "court order 7" });
  const again = box.reopen(configOf({}));
  const [held, free] = [await endsNow(18), await endsNow(19)];
  await again.sweep();
  expect([held, free].map(({ id }) => filesOf(box.folder, id).length)).toEqual([2, 1]);
  await box.ask("hold-remove", { id: hold, reason: "case closed" });
  expect(filesOf(box.folder, held.id)).toEqual([".deleted"]);
  const waiting = () =>
    (JSON.parse(readFileSync(join(box.folder, "retention/erasures.json"), "utf8")) as { erasures: object[] }).erasures;
  expect(waiting().length).toBe(1);
  expect(JSON.stringify(waiting())).not.toContain(CALLER.slice(3));
  box.pass(8);
  await again.sweep();
  expect(waiting()).toEqual([]);
  expect(problemsOf(box.folder)).toEqual([]);
});

test("it goes within seconds of its end, not with the next sweep", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const keeper = box.open(configOf({}));
  try {
    mkdirSync(join(box.folder, "journal", RUN), { recursive: true });
    keeper.start();
    await vi.advanceTimersByTimeAsync(2000);
    await keeper.sweep();
    await box.ask("erase", erasing(CALLER));
    const keeping = [keep(box.store, callFrom(0)), keep(box.store, callFrom(1, OTHER))];
    await vi.advanceTimersByTimeAsync(100);
    await Promise.all(keeping);
    keeper.callEnded(callFrom(1, OTHER));
    await vi.advanceTimersByTimeAsync(2000);
    expect(filesOf(box.folder, callFrom(0).id)).toEqual([".json", ".wav"]);
    keeper.callEnded(callFrom(0));
    await vi.advanceTimersByTimeAsync(2000);
    await keeper.stop();
    expect(filesOf(box.folder, callFrom(0).id)).toEqual([".deleted"]);
  } finally {
    vi.useRealTimers();
  }
});

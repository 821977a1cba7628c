// Retention at work on a data folder: sweeps, holds, erasures and their waiting, the clock, and what a number leaves behind.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeCallId } from "../../device/base/ids.js";
import type { Logger } from "../../device/base/logger.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import { type Config, configSchema } from "../../device/contract/config.js";
import type { CallLogLine } from "../../device/contract/manifest.js";
import { RetentionKeeper } from "../../device/retention-keeper.js";
import { buildCallLogLine } from "../../device/seal/manifest.js";
import { proveRecording } from "../../device/store/prove.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { DAY_US } from "../../device/store/retention/decision.js";
import { TermsTable } from "../../device/store/retention/terms.js";
import type { SpoolResult } from "../../device/store/spool-kinds.js";
import { problemsOf, readAudit } from "./store/audit-kit.js";
import { CALLER, callFrom, filesOf, filesWith, keep } from "./store/retention/deletion-kit.js";
import { makeFolder, publicKeyOf, removeFolder } from "./store/store-kit.js";

let folder: string;
let store: RecordingStore;
let said: string[];
let clock: { us: number; ms: number; nowUs(): number; monotonicMs(): number };
beforeEach(() => {
  folder = makeFolder();
  said = [];
  clock = {
    us: callFrom(0).endedAtUs + 3600e6,
    ms: 0,
    nowUs() {
      return this.us;
    },
    monotonicMs() {
      return this.ms;
    },
  };
});
afterEach(() => {
  store.close();
  removeFolder(folder);
});

const STANDARD = { classes: [{ name: "standard", minDays: 10, maxDays: 30 }], defaultClass: "standard" };
const OTHER = "+4940888888";

const configOf = (retention: object = STANDARD): Config =>
  configSchema.parse({ retention, numbers: { countryCode: "49" } });

function open(config: Config, clockFault = (): string => ""): RetentionKeeper {
  const table = new TermsTable(config.retention);
  store = RecordingStore.open(folder, {
    gatherMs: 0,
    promiseFor: (retention) => table.promiseFor(retention),
    index: { numbers: config.numbers, onFault: (text) => said.push(text), onRecovery: () => {}, onNotice: () => {} },
  });
  const say = (text: string, fields: object = {}): void =>
    void said.push([text, ...Object.values(fields).map(String)].join(": "));
  const logger: Logger = { debug: () => {}, info: () => {}, warn: say, error: say };
  return new RetentionKeeper({ store, config, device: "box", logger, clock, clockFault });
}

/** Closes, and opens as the next start does. */
function reopen(config: Config, clockFault?: () => string): RetentionKeeper {
  store.close();
  return open(config, clockFault);
}

/** Time as it passes: both clocks. */
function pass(days: number): void {
  clock.us += days * DAY_US;
  clock.ms += days * 86_400_000;
}

let requests = 0;
async function ask(keeper: RetentionKeeper, kind: string, body: unknown, mayBeRepeat = false): Promise<SpoolResult> {
  const id = makeCallId(clock.us, Buffer.alloc(10, mayBeRepeat ? requests : ++requests));
  const context = { id, actor: "cli root", atUs: clock.us, mayBeRepeat, signal: new AbortController().signal };
  const spooled = keeper.kinds()[kind]!;
  return spooled.carryOut(spooled.body.parse(body), context);
}

const erasing = (number: string, rest: object = {}) => ({
  number,
  reason: "letter of the 3rd",
  overridesMinimum: false,
  forgetsRefusals: false,
  ...rest,
});

/** Two of the caller, one of somebody else, and one that left no recording. */
async function makeCalls(): Promise<CallRecord[]> {
  const calls = [callFrom(0), callFrom(1), callFrom(2, OTHER)];
  for (const call of calls) await keep(store, call);
  const unanswered = { ...callFrom(3), noAudio: "not-answered" as const };
  store.recordCall(buildCallLogLine(unanswered, undefined));
  return [...calls, unanswered];
}

test("a recording goes with its class's maximum age and not before, whatever its manifest keeps", async () => {
  const keeper = open(configOf());
  const [first] = await makeCalls();
  await keeper.sweep();
  pass(29);
  await keeper.sweep();
  expect(filesOf(folder, first!.id)).toEqual([".json", ".wav"]);
  pass(1.5);
  await keeper.sweep();
  expect(keeper.counters).toMatchObject({ deleted: 3, failed: 0 });
  expect(filesOf(folder, first!.id)).toEqual([".deleted"]);
  expect(said).toEqual([]);
  expect(problemsOf(folder)).toEqual([]);
  const proof = proveRecording(folder, first!.id, publicKeyOf(folder))!;
  expect(proof.checks.flatMap(({ faults }) => faults)).toEqual([]);
  expect(proof.checks.map(({ name }) => name)).toEqual(["tombstone", "certificate", "gone"]);
  expect(proof.checks[0]!.figures).toMatchObject({ reason: "retention", by: "service", class: "standard" });
  // What was put back by somebody shows.
  writeFileSync(join(folder, "recordings/2026/11/21", `${first!.id}.wav`), "x");
  expect(proveRecording(folder, first!.id, publicKeyOf(folder))!.proved).toBe(false);
});

test("under lengthenOnly a shorter class later takes nothing earlier, not even after a switch back; a longer one counts", async () => {
  const days = (maxDays: number, lengthenOnly = true) =>
    configOf({ classes: [{ name: "standard", minDays: 5, maxDays }], defaultClass: "standard", lengthenOnly });
  open(days(20));
  const [first] = await makeCalls();
  const manifest = readFileSync(join(folder, "recordings/2026/11/21", `${first!.id}.json`), "utf8");
  expect(manifest).toContain('"retentionTerms":{"class":"standard","minDays":5,"maxDays":20,"lengthenOnly":true}');
  pass(2);
  reopen(days(25));
  pass(2);
  let keeper = reopen(days(7, false));
  pass(18);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(0);
  pass(4);
  keeper = reopen(days(7, false));
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(3);
  expect(readAudit(folder).filter(({ kind }) => kind === "retention").length).toBe(3);
  // A trail that somebody changed: nothing goes by age.
  const trail = join(folder, "retention/terms.jsonl");
  writeFileSync(trail, readFileSync(trail, "utf8").replace('"maxDays":25', '"maxDays":1'));
  keeper = reopen(days(7, false));
  await keep(store, callFrom(9));
  pass(300);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(0);
  expect(said.join()).toContain("terms.jsonl is not what this box has signed");
});

test("a class that is gone from the configuration keeps, and so does no class", async () => {
  open(configOf());
  await makeCalls();
  const keeper = reopen(configOf({}));
  pass(3000);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(0);
  expect(await keeper.deleteOldest()).toBe(0);
});

test("a hold beats age, erasure, order and disk; lifted, what waited goes", async () => {
  const keeper = open(configOf());
  const [first, second, other] = await makeCalls();
  const { hold } = await ask(keeper, "hold-add", { covers: { number: "030 1234567" }, reason: "court order 7" });
  pass(20);
  const erased = await ask(keeper, "erase", erasing(CALLER));
  expect(erased).toMatchObject({ recordings: 0, lines: 0, waiting: 3 });
  expect(String(erased["reasons"])).toContain(`held by ${String(hold)}`);
  await expect(ask(keeper, "delete", { call: first!.id, reason: "x", overridesMinimum: true })).rejects.toThrow(
    /held by/,
  );
  expect(await keeper.deleteOldest()).toBeGreaterThan(0);
  expect(filesOf(folder, other!.id)).toEqual([".deleted"]);
  expect(await keeper.deleteOldest()).toBe(0);
  pass(20);
  await keeper.sweep();
  for (const call of [first!, second!]) expect(filesOf(folder, call.id)).toEqual([".json", ".wav"]);
  expect(keeper.counters.blocked).toBe(2);
  await ask(keeper, "hold-remove", { id: hold, reason: "case closed" });
  for (const call of [first!, second!]) expect(filesOf(folder, call.id)).toEqual([".deleted"]);
  expect(filesWith(folder, CALLER, CALLER.slice(3))).toEqual([]);
  expect(existsSync(join(folder, "retention/erasures.json"))).toBe(true);
  const kinds = readAudit(folder).map(({ kind }) => kind);
  expect(kinds).toContain("hold");
  expect(kinds.indexOf("hold-lifted")).toBeGreaterThan(kinds.indexOf("hold"));
});

test("holds cover a call, a time, or a number; damaged ones keep everything", async () => {
  const keeper = open(configOf());
  const [first, second, other] = await makeCalls();
  await ask(keeper, "hold-add", { covers: { call: first!.id }, reason: "a" });
  const at = new Date(second!.startedAtUs / 1000).toISOString();
  await ask(keeper, "hold-add", { covers: { from: at, to: at }, reason: "b" });
  pass(31);
  await keeper.sweep();
  expect([first, second, other].map((call) => filesOf(folder, call!.id).length)).toEqual([2, 2, 1]);
  writeFileSync(join(folder, "retention/holds.json"), "{");
  await keeper.sweep();
  expect(said.join()).toContain("holds.json is damaged: nothing is deleted");
  expect(filesOf(folder, first!.id).length).toBe(2);
  await expect(ask(keeper, "hold-add", { covers: { call: first!.id }, reason: "c" })).rejects.toThrow(/damaged/);
});

test("an erasure leaves nothing of the number in the data folder: recordings, log, index, register", async () => {
  const keeper = open(configOf());
  const calls = await makeCalls();
  await store.index?.caughtUp();
  expect(filesWith(folder, CALLER).length).toBeGreaterThan(3);
  mkdirSync(join(folder, "registers"));
  const entry = (number: string, effect: string) =>
    `${JSON.stringify({ schema: "sidetone.consent-register/1", number, purpose: "recording", effect, validFrom: "2026-01-01", source: "form" })}\n`;
  writeFileSync(
    join(folder, "registers/consent.jsonl"),
    entry("030 1234567", "granted") + entry(OTHER, "granted") + entry(CALLER, "refused"),
  );
  const early = await ask(keeper, "erase", erasing("030/1234567"));
  expect(early).toMatchObject({ recordings: 0, lines: 1, waiting: 2, registerEntries: 1, refusalsKept: 1 });
  expect(String(early["reasons"])).toContain("minimum age of 10 days");
  // By law: it goes at once, and that is in the chain.
  const late = await ask(keeper, "erase", erasing(CALLER, { overridesMinimum: true, forgetsRefusals: true }));
  expect(late).toMatchObject({ recordings: 2, waiting: 0, registerEntries: 1, refusalsKept: 0 });
  expect(filesWith(folder, CALLER, CALLER.slice(3), "030 1234567")).toEqual([]);
  expect(filesWith(folder, ...calls.slice(0, 2).map(({ id }) => `what the caller said in call ${id}`))).toEqual([]);
  expect(filesWith(folder, OTHER)).toContain("registers/consent.jsonl");
  expect(filesOf(folder, calls[2]!.id)).toEqual([".json", ".wav"]);
  const certificate = readAudit(folder).find(({ kind }) => kind === "deleted")!;
  expect(certificate.detail).toMatchObject({ reason: "erasure", text: "letter of the 3rd", overridesMinimum: true });
  // The first erasure has nothing to wait for any more, and says so once.
  await keeper.sweep();
  await keeper.sweep();
  expect(JSON.parse(readFileSync(join(folder, "retention/erasures.json"), "utf8"))).toMatchObject({ erasures: [] });
  const lines = readFileSync(join(folder, "calls/2026-11-22.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as CallLogLine);
  expect(lines.map(({ deleted }) => deleted)).toEqual(["erasure", undefined, "erasure"]);
  expect(problemsOf(folder)).toEqual([]);
});

test("a request that is carried out twice is entered once; one that names the number in its reason is refused", async () => {
  const keeper = open(configOf({}));
  await makeCalls();
  await ask(keeper, "erase", erasing(CALLER));
  await ask(keeper, "erase", erasing(CALLER), true);
  const entered = readAudit(folder).filter(({ kind, detail }) => kind === "erasure" && detail["number"] !== undefined);
  expect(entered.length).toBe(1);
  expect(entered[0]!.detail["number"]).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
  await expect(ask(keeper, "erase", erasing(CALLER, { reason: "erase 030-1234567" }))).rejects.toThrow(
    /names the number/,
  );
  await expect(ask(keeper, "erase", erasing("anonymous"))).rejects.toThrow(/names nobody/);
  await expect(ask(keeper, "hold-remove", { id: callFrom(0).id, reason: "x" })).rejects.toThrow(/no hold/);
  await expect(ask(keeper, "delete", { call: callFrom(7).id, reason: "x", overridesMinimum: false })).rejects.toThrow(
    /no recording/,
  );
});

test("by order it goes once its minimum age has passed, or with the override, which the certificate says", async () => {
  const keeper = open(configOf());
  const [first, second] = await makeCalls();
  const order = (call: CallRecord, overridesMinimum: boolean) => ({
    call: call.id,
    reason: "wrong call",
    overridesMinimum,
  });
  await expect(ask(keeper, "delete", order(first!, false))).rejects.toThrow(/minimum age of 10 days keeps it until/);
  await ask(keeper, "delete", order(first!, true));
  pass(11);
  await ask(keeper, "delete", order(second!, false));
  const overrides = readAudit(folder)
    .filter(({ kind }) => kind === "deleted")
    .map(({ detail }) => detail["overridesMinimum"]);
  expect(overrides).toEqual([true, false]);
});

test("nothing goes by a clock that is not set, has jumped, or is far ahead; it goes on when the clock has kept for a day", async () => {
  let fault = "no time server sets the clock";
  let keeper = open(configOf(), () => fault);
  await makeCalls();
  pass(40);
  keeper = reopen(configOf(), () => fault);
  await keeper.sweep();
  expect(keeper.counters).toMatchObject({ deleted: 0, blocked: 3 });
  expect(said).toEqual(["nothing is deleted by age: no time server sets the clock: 3"]);
  // Off for 40 days, or a clock that is wrong: nobody can tell.
  fault = "";
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(0);
  pass(0.5);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(0);
  // Meanwhile a step of ten years: it begins anew.
  clock.us += 3650 * DAY_US;
  await keeper.sweep();
  clock.us -= 3650 * DAY_US;
  await keeper.sweep();
  pass(0.9);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(0);
  pass(0.2);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(3);

  // A jump within a run, and the next start right after it.
  await keep(store, callFrom(40 * 24));
  clock.us += 35 * DAY_US;
  await keeper.sweep();
  keeper = reopen(configOf(), () => fault);
  await keeper.sweep();
  expect(keeper.counters).toMatchObject({ deleted: 0, blocked: 1 });
});

test("what was made by a clock that was not set counts from when it was seen first by one that was", async () => {
  let keeper = open(configOf());
  const early = Date.UTC(1970, 0, 2) * 1000;
  const lost = callFrom(200, CALLER, { id: makeCallId(early), startedAtUs: early, endedAtUs: early + 60e6 });
  await keep(store, callFrom(0));
  await keep(store, lost);
  await keeper.sweep();
  expect(filesOf(folder, lost.id)).toEqual([".json", ".wav"]);
  pass(29);
  keeper = reopen(configOf());
  await keeper.sweep();
  expect(filesOf(folder, lost.id)).toEqual([".json", ".wav"]);
  pass(2);
  await keeper.sweep();
  expect(filesOf(folder, lost.id)).toEqual([".deleted"]);
});

test("the disk takes the oldest whose minimum age has passed, one at a time", async () => {
  const keeper = open(configOf());
  const calls = await makeCalls();
  expect(await keeper.deleteOldest()).toBe(0);
  pass(10);
  const bytes = await keeper.deleteOldest();
  expect(bytes).toBeGreaterThan(100);
  expect(calls.slice(0, 3).map(({ id }) => filesOf(folder, id).length)).toEqual([1, 2, 2]);
  expect(readAudit(folder).find(({ kind }) => kind === "deleted")!.detail).toMatchObject({ reason: "disk" });
});

test("a day in which nothing is due is not read again, until something changes", async () => {
  const keeper = open(configOf());
  await makeCalls();
  pass(29);
  await keeper.sweep();
  rmSync(join(folder, "retention/clock.json"), { force: true });
  const day = join(folder, "recordings/2026/11/21");
  expect(existsSync(day)).toBe(true);
  pass(1.2);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(3);
  await keeper.sweep();
  expect(keeper.counters).toMatchObject({ sweeps: 3, deleted: 3, failed: 0 });
});

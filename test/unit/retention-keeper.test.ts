// Retention at work on a data folder: sweeps, the clock, classes, and the oldest for the disk.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeCallId } from "../../device/base/ids.js";
import { proveRecording } from "../../device/store/prove.js";
import { DAY_US } from "../../device/store/retention/decision.js";
import { configOf, makeCalls, RetentionBox } from "./retention-kit.js";
import { problemsOf, readAudit } from "./store/audit-kit.js";
import { CALLER, callFrom, filesOf, keep } from "./store/retention/deletion-kit.js";
import { publicKeyOf } from "./store/store-kit.js";

let box: RetentionBox;
beforeEach(() => {
  box = new RetentionBox();
});
afterEach(() => box.close());

test("a recording goes with its class's maximum age and not before, whatever its manifest keeps", async () => {
  const keeper = box.open(configOf());
  const [first] = await makeCalls(box.store);
  await keeper.sweep();
  box.pass(29);
  await keeper.sweep();
  expect(filesOf(box.folder, first!.id)).toEqual([".json", ".wav"]);
  box.pass(1.5);
  await keeper.sweep();
  expect(keeper.counters).toMatchObject({ deleted: 3, failed: 0 });
  expect(filesOf(box.folder, first!.id)).toEqual([".deleted"]);
  expect(box.said).toEqual([]);
  expect(problemsOf(box.folder)).toEqual([]);
  const proof = proveRecording(box.folder, first!.id, publicKeyOf(box.folder))!;
  expect(proof.checks.flatMap(({ faults }) => faults)).toEqual([]);
  expect(proof.checks.map(({ name }) => name)).toEqual(["tombstone", "certificate", "gone"]);
  expect(proof.checks[0]!.figures).toMatchObject({ reason: "retention", by: "service", class: "standard" });
  // What was put back by somebody shows.
  writeFileSync(join(box.folder, "recordings/2026/11/21", `${first!.id}.wav`), "x");
  expect(proveRecording(box.folder, first!.id, publicKeyOf(box.folder))!.proved).toBe(false);
});

test("under lengthenOnly a shorter class later takes nothing earlier, not even after a switch back; a longer one counts", async () => {
  const days = (maxDays: number, lengthenOnly = true) =>
    configOf({ classes: [{ name: "standard", minDays: 5, maxDays }], defaultClass: "standard", lengthenOnly });
  box.open(days(20));
  const [first] = await makeCalls(box.store);
  const manifest = readFileSync(join(box.folder, "recordings/2026/11/21", `${first!.id}.json`), "utf8");
  expect(manifest).toContain('"retentionTerms":{"class":"standard","minDays":5,"maxDays":20,"lengthenOnly":true}');
  box.pass(2);
  box.reopen(days(25));
  box.pass(2);
  let keeper = box.reopen(days(7, false));
  box.pass(18);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(0);
  box.pass(4);
  keeper = box.reopen(days(7, false));
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(3);
  expect(readAudit(box.folder).filter(({ kind }) => kind === "retention").length).toBe(3);
  // A trail that somebody changed: nothing goes by age.
  const trail = join(box.folder, "retention/terms.jsonl");
  writeFileSync(trail, readFileSync(trail, "utf8").replace('"maxDays":25', '"maxDays":1'));
  keeper = box.reopen(days(7, false));
  await keep(box.store, callFrom(9));
  box.pass(300);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(0);
  expect(box.said.join()).toContain("terms.jsonl is not what this box has signed");
});

test("a class that is gone from the configuration keeps, and so does no class", async () => {
  box.open(configOf());
  await makeCalls(box.store);
  const keeper = box.reopen(configOf({}));
  box.pass(3000);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(0);
  expect(await keeper.deleteOldest()).toBe(0);
});

test("nothing goes by a clock that is not set, has jumped, or is far ahead; it goes on when the clock has kept for a day", async () => {
  let fault = "no time server sets the clock";
  let keeper = box.open(configOf(), () => fault);
  await makeCalls(box.store);
  box.pass(40);
  keeper = box.reopen(configOf(), () => fault);
  await keeper.sweep();
  expect(keeper.counters).toMatchObject({ deleted: 0, blocked: 3 });
  expect(box.said).toEqual(["nothing is deleted by age: no time server sets the clock: 3"]);
  // Off for 40 days, or a clock that is wrong: nobody can tell.
  fault = "";
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(0);
  box.pass(0.5);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(0);
  // Meanwhile a step of ten years: it begins anew.
  box.clock.us += 3650 * DAY_US;
  await keeper.sweep();
  box.clock.us -= 3650 * DAY_US;
  await keeper.sweep();
  box.pass(0.9);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(0);
  box.pass(0.2);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(3);

  // A jump within a run, and the next start right after it.
  await keep(box.store, callFrom(40 * 24));
  box.clock.us += 35 * DAY_US;
  await keeper.sweep();
  keeper = box.reopen(configOf(), () => fault);
  await keeper.sweep();
  expect(keeper.counters).toMatchObject({ deleted: 0, blocked: 1 });
});

test("what was made by a clock that was not set counts from when it was seen first by one that was", async () => {
  let keeper = box.open(configOf());
  const early = Date.UTC(1970, 0, 2) * 1000;
  const lost = callFrom(200, CALLER, { id: makeCallId(early), startedAtUs: early, endedAtUs: early + 60e6 });
  await keep(box.store, callFrom(0));
  await keep(box.store, lost);
  await keeper.sweep();
  expect(filesOf(box.folder, lost.id)).toEqual([".json", ".wav"]);
  box.pass(29);
  keeper = box.reopen(configOf());
  await keeper.sweep();
  expect(filesOf(box.folder, lost.id)).toEqual([".json", ".wav"]);
  box.pass(2);
  await keeper.sweep();
  expect(filesOf(box.folder, lost.id)).toEqual([".deleted"]);
});

test("the disk takes the oldest whose minimum age has passed, one at a time", async () => {
  const keeper = box.open(configOf());
  const calls = await makeCalls(box.store);
  expect(await keeper.deleteOldest()).toBe(0);
  box.pass(10);
  const bytes = await keeper.deleteOldest();
  expect(bytes).toBeGreaterThan(100);
  expect(calls.slice(0, 3).map(({ id }) => filesOf(box.folder, id).length)).toEqual([1, 2, 2]);
  expect(readAudit(box.folder).find(({ kind }) => kind === "deleted")!.detail).toMatchObject({ reason: "disk" });
});

test("a day in which nothing is due is not read again, until something changes", async () => {
  const keeper = box.open(configOf());
  await makeCalls(box.store);
  box.pass(29);
  await keeper.sweep();
  rmSync(join(box.folder, "retention/clock.json"), { force: true });
  const day = join(box.folder, "recordings/2026/11/21");
  expect(existsSync(day)).toBe(true);
  box.pass(1.2);
  await keeper.sweep();
  expect(keeper.counters.deleted).toBe(3);
  await keeper.sweep();
  expect(keeper.counters).toMatchObject({ sweeps: 3, deleted: 3, failed: 0 });
});

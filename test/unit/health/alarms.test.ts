// The alarm book: what stands, since when, how often; what is past; what outlives a restart. And the file it is kept in.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Clock } from "../../../device/base/clock.js";
import { ALARM_CODES, type AlarmCode, type PastAlarm, type StandingAlarm } from "../../../device/contract/alarms.js";
import { AlarmBook, type AlarmBookState, FOUND_AGAIN_MS, MAX_PAST_ALARMS } from "../../../device/health/alarms.js";
import { readAlarms, writeAlarms } from "../../../device/store/alarm-file.js";

const START_US = Date.parse("2026-11-28T00:00:00Z") * 1000;
let nowS = 0;
const clock: Clock = { nowUs: () => START_US + nowS * 1_000_000, monotonicMs: () => nowS * 1000 };
let folder: string;
beforeEach(() => {
  nowS = 0;
  folder = mkdtempSync(join(tmpdir(), "sidetone-alarms-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("keeps since and count of what is raised again, and tells of changes only", () => {
  const told: string[] = [];
  const book = new AlarmBook({ clock });
  book.listen({
    raised: (alarm, isNew) => told.push(`${alarm.code} ${isNew ? "new" : "again"} ${JSON.stringify(alarm.detail)}`),
    cleared: (alarm) => told.push(`${alarm.code} over after ${alarm.count}`),
  });
  book.raise("seal-failed", { waiting: 1 });
  nowS = 5;
  book.raise("seal-failed", { waiting: 1 });
  book.raise("seal-failed", { waiting: 2 });
  expect(book.standing).toEqual([
    {
      code: "seal-failed",
      severity: "error",
      title: "Recordings not stored",
      remedy: expect.any(String),
      since: "2026-11-28T00:00:00.000000Z",
      count: 3,
      detail: { waiting: 2 },
    },
  ]);
  book.clear("seal-failed");
  book.clear("seal-failed");
  book.clear("disk-full");
  expect(told).toEqual([
    'seal-failed new {"waiting":1}',
    'seal-failed again {"waiting":2}',
    "seal-failed over after 3",
  ]);
  expect(book.standing).toEqual([]);
  expect(book.past).toEqual([
    expect.objectContaining({ clearedAt: "2026-11-28T00:00:05.000000Z", clearedBy: "condition", count: 3 }),
  ]);
});

it("lists what stands in the catalogue's order and bounds what is past", () => {
  const book = new AlarmBook({ clock });
  for (const code of [...ALARM_CODES].reverse()) book.raise(code);
  expect(book.standing.map(({ code }) => code)).toEqual(ALARM_CODES);
  for (let i = 0; i < MAX_PAST_ALARMS + 10; i++) {
    book.raise("disk-full", { i });
    book.clear("disk-full");
  }
  expect(book.past).toHaveLength(MAX_PAST_ALARMS);
  expect(book.past.at(-1)!.detail).toEqual({ i: MAX_PAST_ALARMS + 9 });
});

it("looks at every condition anew after a restart, but at those that a restart does not mend", () => {
  const keep = (state: AlarmBookState): void => writeAlarms(folder, state);
  const first = new AlarmBook({ clock, before: readAlarms(folder), keep });
  first.raise("disk-full", { freeBytes: 5 });
  first.raise("integrity-failed", { recordings: 2 });
  nowS = 60;
  const second = new AlarmBook({ clock, before: readAlarms(folder), keep });
  expect(second.standing.map(({ code, since }) => [code, since])).toEqual([
    ["integrity-failed", "2026-11-28T00:00:00.000000Z"],
  ]);
  expect(second.past).toEqual([expect.objectContaining({ code: "disk-full", clearedBy: "restart" })]);
});

it("takes a damaged file, or entries of another version, for none", () => {
  expect(readAlarms(folder)).toEqual({ standing: [], past: [] });
  const path = join(folder, "alarms.json");
  const standing: StandingAlarm[] = [];
  const past: PastAlarm[] = [
    {
      code: "disk-full",
      severity: "critical",
      since: "x",
      count: 1,
      detail: {},
      clearedAt: "y",
      clearedBy: "condition",
    },
    {
      code: "of-tomorrow" as AlarmCode,
      severity: "error",
      since: "",
      count: 1,
      detail: {},
      clearedAt: "",
      clearedBy: "restart",
    },
  ];
  writeAlarms(folder, { standing, past });
  expect(readAlarms(folder)).toEqual({ standing, past: [past[0]] });
  const whole = readFileSync(path, "utf8");
  for (const text of ["", "{", whole.slice(0, -10), whole.replace("alarms/1", "alarms/9"), "null", "[]"]) {
    writeFileSync(path, text);
    expect(readAlarms(folder)).toEqual({ standing: [], past: [] });
  }
});

it("is acknowledged until it clears, over a restart as well", () => {
  const open = () => new AlarmBook({ clock, before: readAlarms(folder), keep: (state) => writeAlarms(folder, state) });
  const told: string[] = [];
  const book = open();
  book.listen({ acknowledged: ({ code, acknowledged }) => told.push(`${code} ${acknowledged!.by}`) });
  expect(book.acknowledge("no-agents", "somebody")).toBeUndefined();
  for (const code of ["no-agents", "integrity-failed", "seal-failed"] as const) book.raise(code);
  for (const code of ["no-agents", "integrity-failed", "seal-failed"] as const) book.acknowledge(code, "somebody");
  book.raise("no-agents", { again: true });
  const acknowledged = { at: "2026-11-28T00:00:00.000000Z", by: "somebody" };
  expect(book.standing.map((alarm) => alarm.acknowledged)).toEqual([acknowledged, acknowledged, acknowledged]);
  expect(told).toEqual(["no-agents somebody", "integrity-failed somebody", "seal-failed somebody"]);

  nowS = 10;
  const after = open();
  expect(after.standing).toMatchObject([{ code: "integrity-failed", acknowledged }]);
  // Found again after the start: it has been seen. Once it was over, or long after, it has not.
  after.raise("no-agents");
  expect(after.standing.at(-1)).toMatchObject({ code: "no-agents", acknowledged });
  after.clear("no-agents");
  after.raise("no-agents");
  expect(after.standing.at(-1)?.acknowledged).toBeUndefined();
  nowS = 10 + FOUND_AGAIN_MS / 1000 + 1;
  after.raise("seal-failed");
  expect(after.standing.find(({ code }) => code === "seal-failed")?.acknowledged).toBeUndefined();
});

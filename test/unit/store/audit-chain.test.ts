import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { sha256Of } from "../../../device/base/sha256.js";
import { AUDIT_KINDS, auditEntryOf } from "../../../device/contract/audit.js";
import type { AuditedEvent } from "../../../device/contract/engine-messages.js";
import { openDeviceKey } from "../../../device/store/device-key.js";
import { isSignedLine, parseLine, signLine } from "../../../device/store/signed-line.js";
import {
  auditFile,
  CALL,
  DAY_US,
  editLines,
  entryOf,
  failingDisk,
  linesOf,
  NOVEMBER_US,
  openChain,
  problemsOf,
  readAudit,
  standingClock,
} from "./audit-kit.js";
import { makeFolder, publicKeyOf, removeFolder } from "./store-kit.js";

const NOVEMBER = "2026-11.jsonl";
/** For what comes by itself in some milliseconds, on a machine that may be busy. */
const WAIT = { timeout: 10_000, interval: 5 };

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const numbersOf = () => readAudit(folder).map(({ detail }) => detail["number"]);

test("entries stand one a line, numbered, signed, each naming the one before", () => {
  const clock = standingClock();
  const chain = openChain(folder, { clock });
  expect(chain.head).toEqual({ seq: 0, sha256: "" });
  chain.append({ kind: "started", actor: "service" });
  clock.us += 1;
  chain.append({
    kind: "consent",
    actor: "token a",
    call: CALL,
    packetAtUs: NOVEMBER_US - 5,
    detail: { from: "unknown", to: 'granted\n"' },
  });
  chain.close();
  const lines = linesOf(folder, NOVEMBER);
  expect(lines.map((line) => Object.keys(JSON.parse(line)).join(" "))).toEqual([
    "schema seq at kind actor detail previous signature",
    "schema seq at packetAt kind actor call detail previous signature",
  ]);
  const [first, second] = readAudit(folder);
  expect(first).toMatchObject({ schema: "sidetone.audit/1", seq: 1, at: "2026-11-21T09:00:00.000000Z", previous: "" });
  expect(second).toMatchObject({
    seq: 2,
    at: "2026-11-21T09:00:00.000001Z",
    packetAt: "2026-11-21T08:59:59.999995Z",
    previous: sha256Of(Buffer.from(lines[0]!)),
    detail: { to: 'granted\n"' },
  });
  expect(lines.every((line) => isSignedLine(Buffer.from(line), publicKeyOf(folder)))).toBe(true);
  expect(chain.head).toEqual({ seq: 2, sha256: sha256Of(Buffer.from(lines[1]!)) });
  expect(JSON.parse(readFileSync(auditFile(folder, "head.json"), "utf8"))).toMatchObject(chain.head);
  for (const name of [NOVEMBER, "head.json"]) expect(statSync(auditFile(folder, name)).mode & 0o777).toBe(0o600);
  expect(problemsOf(folder)).toEqual([]);
});

test("a line's signature is over all of it", () => {
  const { privateKey, publicKey } = openDeviceKey(folder);
  const line = signLine({ a: 1, text: "ü\u2028" }, privateKey);
  expect(isSignedLine(line, publicKey)).toBe(true);
  expect(parseLine(line)).toMatchObject({ a: 1, text: "ü\u2028" });
  for (let at = 0; at < line.length; at++) {
    const changed = Buffer.from(line);
    changed[at] = changed[at]! ^ 1;
    expect(isSignedLine(changed, publicKey), `byte ${at}`).toBe(false);
    expect(isSignedLine(line.subarray(0, at), publicKey)).toBe(false);
  }
  expect(parseLine(Buffer.from("[1]"))).toBeUndefined();
});

test("many entries share one write and one fsync, within the time they wait", async () => {
  const disk = failingDisk();
  const chain = openChain(folder, { disk, gatherMs: 30 });
  for (let number = 1; number <= 200; number++) chain.append(entryOf(number));
  expect([disk.writes, chain.head.seq]).toEqual([0, 0]);
  await vi.waitFor(() => expect([disk.writes, disk.syncs, chain.head.seq]).toEqual([1, 1, 200]), WAIT);
  chain.append(entryOf(201));
  await chain.flush();
  expect([disk.writes, chain.head.seq]).toEqual([2, 201]);
  chain.close();
  expect(numbersOf()).toEqual(Array.from({ length: 201 }, (_, i) => i + 1));
  expect(problemsOf(folder)).toEqual([]);
});

test("flush waits for all that was entered before it, also while a group is on its way", async () => {
  const chain = openChain(folder, { disk: failingDisk(), gatherMs: 10_000 });
  chain.append(entryOf(1));
  const first = chain.flush();
  for (let number = 2; number <= 600; number++) chain.append(entryOf(number));
  const heads: number[] = [];
  await Promise.all([
    first.then(() => heads.push(chain.head.seq)),
    chain.flush().then(() => heads.push(chain.head.seq)),
  ]);
  expect(heads).toEqual([1, 600]);
  chain.close();
  expect(numbersOf().length).toBe(600);
  expect(problemsOf(folder)).toEqual([]);
});

test("what is written at once while a group is on its way is written once, in order", async () => {
  const chain = openChain(folder, { disk: failingDisk(), gatherMs: 10_000 });
  chain.append(entryOf(1));
  const flushed = chain.flush();
  chain.append(entryOf(2));
  expect(chain.flushNow()).toBe(true);
  expect(chain.head.seq).toBe(2);
  chain.append(entryOf(3));
  await flushed;
  await chain.flush();
  chain.close();
  expect(numbersOf()).toEqual([1, 2, 3]);
  expect(problemsOf(folder)).toEqual([]);
});

test("the next run goes on where the last one ended, in the file of its month; a clock set back stays in the newest", () => {
  for (const [number, days] of [0, 5, 15, 2, 45].entries()) {
    const chain = openChain(folder, { clock: standingClock(NOVEMBER_US + days * DAY_US) });
    chain.append(entryOf(number));
    chain.close();
  }
  expect(readdirSync(auditFile(folder, "")).sort()).toEqual([
    "2026-11.jsonl",
    "2026-12.jsonl",
    "2027-01.jsonl",
    "head.json",
  ]);
  expect(["2026-11.jsonl", "2026-12.jsonl", "2027-01.jsonl"].map((name) => linesOf(folder, name).length)).toEqual([
    2, 2, 1,
  ]);
  expect(numbersOf()).toEqual([0, 1, 2, 3, 4]);
  expect(problemsOf(folder)).toEqual([]);
});

test("one group over the turn of a month is two files", async () => {
  const clock = standingClock(Date.UTC(2026, 10, 30, 23, 59, 59) * 1000);
  const chain = openChain(folder, { clock });
  chain.append(entryOf(1));
  clock.us += 2e6;
  chain.append(entryOf(2));
  clock.us -= 2e6;
  chain.append(entryOf(3));
  await chain.flush();
  chain.close();
  expect([linesOf(folder, NOVEMBER).length, linesOf(folder, "2026-12.jsonl").length]).toEqual([1, 2]);
  expect(problemsOf(folder)).toEqual([]);
});

test("at the limit of what may wait, entries are written at once rather than lost", () => {
  const disk = failingDisk();
  const chain = openChain(folder, { disk, maxWaiting: 10, gatherMs: 10_000 });
  for (let number = 1; number <= 25; number++) chain.append(entryOf(number));
  expect([disk.writes, chain.head.seq, chain.dropped]).toEqual([2, 20, 0]);
  chain.close();
  expect(numbersOf().length).toBe(25);
});

test.each(["write", "half", "sync"] as const)(
  "a disk that refuses (%s) is reported once, is asked again, and leaves no trace",
  async (how) => {
    const disk = failingDisk();
    const faults: string[] = [];
    const options = { disk, gatherMs: 10, onFault: (message: string) => faults.push(message) };
    const chain = openChain(folder, options);
    chain.append(entryOf(1));
    await chain.flush();
    disk.fails = how;
    chain.append(entryOf(2));
    await expect(chain.flush()).rejects.toThrow("no space");
    chain.append(entryOf(3));
    await delay(100);
    expect(chain.head.seq).toBe(1);
    expect(faults).toEqual(["cannot write the audit chain: no space is left on the disk (ENOSPC)"]);
    disk.fails = "";
    await vi.waitFor(() => expect(chain.head.seq).toBe(3), WAIT);
    await chain.flush();
    disk.fails = how;
    chain.append(entryOf(4));
    await expect(chain.flush()).rejects.toThrow();
    expect(faults.length).toBe(2);
    disk.fails = "";
    chain.close();
    expect(numbersOf()).toEqual([1, 2, 3, 4]);
    expect(problemsOf(folder)).toEqual([]);
  },
);

test("only what a disk refuses for too long is given up, and the chain says how much", async () => {
  const disk = failingDisk();
  const clock = standingClock();
  const chain = openChain(folder, { disk, clock, gatherMs: 1000, maxWaiting: 4 });
  disk.fails = "write";
  for (let number = 1; number <= 300; number++) chain.append(entryOf(number));
  // Those of the group that was refused, and as many as may wait.
  expect(chain.dropped).toBe(300 - 4 - 4);
  disk.fails = "";
  clock.ms += 2000;
  await chain.flush();
  chain.close();
  expect(numbersOf()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, undefined]);
  expect(readAudit(folder).at(-1)).toMatchObject({ kind: "lost", detail: { entries: 292 } });
  expect(problemsOf(folder)).toEqual([]);
});

test("a head that cannot be written costs no entry", async () => {
  const faults: string[] = [];
  const chain = openChain(folder, { gatherMs: 10, onFault: (message) => faults.push(message) });
  mkdirSync(auditFile(folder, "head.json"), { recursive: true });
  chain.append(entryOf(1));
  await chain.flush();
  await delay(50);
  expect([chain.head.seq, faults.length]).toEqual([1, 1]);
  rmSync(auditFile(folder, "head.json"), { recursive: true });
  const head = () => JSON.parse(readFileSync(auditFile(folder, "head.json"), "utf8"));
  await vi.waitFor(() => expect(head().seq).toBe(1), WAIT);
  chain.close();
});

/** Six entries of which the last three stand behind the head, as a power cut right after a write leaves them. */
function crashBehindHead(): { whole: Buffer; headEnd: number } {
  const chain = openChain(folder, { clock: standingClock() });
  for (const number of [1, 2, 3]) chain.append(entryOf(number));
  chain.flushNow();
  const head = readFileSync(auditFile(folder, "head.json"));
  const headEnd = statSync(auditFile(folder, NOVEMBER)).size;
  for (const number of [4, 5, 6]) chain.append(entryOf(number));
  chain.close();
  writeFileSync(auditFile(folder, "head.json"), head);
  return { whole: readFileSync(auditFile(folder, NOVEMBER)), headEnd };
}

test("an end that was torn at any byte is cut off, said so, and the chain goes on", () => {
  const { whole, headEnd } = crashBehindHead();
  const head = readFileSync(auditFile(folder, "head.json"));
  for (let length = headEnd; length <= whole.length; length += 7) {
    writeFileSync(auditFile(folder, NOVEMBER), whole.subarray(0, length));
    writeFileSync(auditFile(folder, "head.json"), head);
    openChain(folder, { clock: standingClock() }).close();
    const kept = whole.subarray(0, length).lastIndexOf("\n") + 1;
    const entries = readAudit(folder);
    expect(problemsOf(folder)).toEqual([]);
    const cut = whole.subarray(kept, length);
    const last = entries.at(-1)!;
    if (cut.length === 0) expect(last.kind).toBe("listen");
    else
      expect(last).toMatchObject({
        kind: "recovered",
        actor: "service",
        detail: { what: "audit-end-torn", bytes: cut.length, sha256: sha256Of(cut) },
      });
  }
});

test("a page that never reached the disk behind the head takes what follows it along", () => {
  const { whole, headEnd } = crashBehindHead();
  const zeroed = Buffer.from(whole).fill(0, headEnd + 100, headEnd + 200);
  writeFileSync(auditFile(folder, NOVEMBER), zeroed);
  openChain(folder, { clock: standingClock() }).close();
  expect(numbersOf()).toEqual([1, 2, 3, undefined]);
  expect(problemsOf(folder)).toEqual([]);
});

test("a bit that turned behind the head takes its line along", () => {
  const { whole } = crashBehindHead();
  const turned = Buffer.from(whole);
  turned[whole.lastIndexOf("token 6") + 6] = "7".charCodeAt(0);
  writeFileSync(auditFile(folder, NOVEMBER), turned);
  openChain(folder, { clock: standingClock() }).close();
  expect(numbersOf()).toEqual([1, 2, 3, 4, 5, undefined]);
  expect(problemsOf(folder)).toEqual([]);
});

test("a new month's file that is empty, or torn, behind a head in the old one", () => {
  for (const text of ["", '{"schema":"side']) {
    const chain = openChain(folder, { clock: standingClock() });
    chain.append(entryOf(1));
    chain.close();
    writeFileSync(auditFile(folder, "2026-12.jsonl"), text);
    openChain(folder, { clock: standingClock(NOVEMBER_US + 12 * DAY_US) }).close();
    expect(problemsOf(folder)).toEqual([]);
    rmSync(auditFile(folder, "2026-12.jsonl"));
    rmSync(auditFile(folder, "head.json"));
    rmSync(auditFile(folder, NOVEMBER));
  }
});

test("what stands before the head is never cut off, whatever it is", () => {
  const { whole } = crashBehindHead();
  for (const damage of [10, 400, 800]) {
    const damaged = Buffer.from(whole);
    damaged[damage] = 0;
    writeFileSync(auditFile(folder, NOVEMBER), damaged);
    openChain(folder, { clock: standingClock() }).close();
    expect(readFileSync(auditFile(folder, NOVEMBER)).subarray(0, damaged.length).equals(damaged)).toBe(true);
    expect(problemsOf(folder).length).toBeGreaterThan(0);
  }
});

test("a head that is missing is said so; entries that it names and that are gone stay a hole", () => {
  const chain = openChain(folder, { clock: standingClock() });
  for (const number of [1, 2, 3]) chain.append(entryOf(number));
  chain.close();
  rmSync(auditFile(folder, "head.json"));
  openChain(folder, { clock: standingClock() }).close();
  expect(readAudit(folder).at(-1)).toMatchObject({ seq: 4, kind: "recovered", detail: { what: "audit-head-missing" } });
  editLines(folder, NOVEMBER, (lines) => lines.slice(0, 1));
  openChain(folder, { clock: standingClock() }).close();
  expect(readAudit(folder).at(-1)).toMatchObject({
    seq: 5,
    kind: "recovered",
    detail: { what: "audit-end-missing", fromSeq: 2, toSeq: 4 },
  });
  expect(problemsOf(folder)).toEqual(["removed 2-4"]);
});

test("a last entry that was edited does not lead the chain astray", () => {
  const chain = openChain(folder, { clock: standingClock() });
  for (const number of [1, 2, 3]) chain.append(entryOf(number));
  chain.close();
  editLines(folder, NOVEMBER, (lines) => lines.with(2, lines[2]!.replace('"seq":3', '"seq":9007199254740991')));
  const next = openChain(folder, { clock: standingClock() });
  next.append(entryOf(4));
  next.close();
  expect(readAudit(folder).at(-1)!.seq).toBe(4);
  // The line after it follows on what stands there, which the key has not signed.
  expect(problemsOf(folder)).toEqual(["signature 3"]);
});

test("a chain longer than what is looked at when it is opened goes on as well", () => {
  const clock = standingClock();
  const chain = openChain(folder, { clock });
  const detail = { text: "x".repeat(50_000) };
  for (let number = 1; number <= 100; number++) chain.append({ ...entryOf(number), detail });
  chain.close();
  expect(statSync(auditFile(folder, NOVEMBER)).size).toBeGreaterThan(5e6);
  const next = openChain(folder, { clock });
  next.append(entryOf(101));
  next.close();
  truncateSync(auditFile(folder, NOVEMBER), statSync(auditFile(folder, NOVEMBER)).size);
  expect(readAudit(folder).at(-1)!.seq).toBe(101);
  expect(problemsOf(folder)).toEqual([]);
});

test("a detail that is too long for a line is named by its hash", () => {
  const chain = openChain(folder);
  chain.append({ kind: "configuration", actor: "service", detail: { changed: Array(30_000).fill("ä.b") } });
  chain.append({ kind: "configuration", actor: "x".repeat(9000), detail: {} });
  chain.close();
  const [long, actor] = readAudit(folder);
  expect(long!.detail).toMatchObject({ omittedBytes: expect.any(Number), omittedSha256: expect.any(String) });
  expect(actor!.actor.length).toBe(256);
  expect(problemsOf(folder)).toEqual([]);
});

test("a recording is entered once, by its manifest, across runs", () => {
  const first = openChain(folder);
  expect([first.recorded(CALL, "aa"), first.recorded(CALL, "aa"), first.recorded(CALL, "bb")]).toEqual([
    true,
    false,
    true,
  ]);
  first.close();
  const second = openChain(folder);
  expect([second.recorded(CALL, "bb"), second.recorded(CALL, "cc")]).toEqual([false, true]);
  second.close();
  expect(readAudit(folder).map(({ kind, call, detail }) => [kind, call, detail["manifest"]])).toEqual([
    ["recorded", CALL, "aa"],
    ["recorded", CALL, "bb"],
    ["recorded", CALL, "cc"],
  ]);
});

test("what cannot be opened throws; what is closed takes nothing", () => {
  writeFileSync(auditFile(folder, ""), "");
  expect(() => openChain(folder)).toThrow(/ENOTDIR/);
  rmSync(auditFile(folder, ""));
  const chain = openChain(folder);
  chain.close();
  chain.close();
  expect(() => chain.append(entryOf(1))).toThrow("closed");
  expect(readdirSync(folder).sort()).toEqual(["keys"]);
});

test("what the engine reports becomes an entry: who did it, in packet time, no numbers of people", () => {
  const base = { atUs: NOVEMBER_US, call: CALL };
  const events: AuditedEvent[] = [
    {
      ...base,
      kind: "consent",
      source: "dtmf",
      by: "caller pressed 1",
      side: 0,
      role: "caller",
      purpose: "recording",
      from: "unknown",
      to: "granted",
      notice: "v1",
    },
    { ...base, kind: "erased", source: "api", by: "token a", side: 1, packets: 5 },
    { ...base, kind: "paused", source: "panel", by: "panel", reason: "card" },
    { ...base, kind: "resumed", source: "mqtt", by: "client x", reason: "" },
    { ...base, kind: "started", source: "mqtt", by: "client x" },
    { ...base, kind: "stopped", source: "api", by: "" },
    { ...base, kind: "policy", source: "rule", by: "rule vip", policy: "none", rule: "vip", purpose: "recording" },
  ];
  const entries = events.map(auditEntryOf);
  expect(entries.map(({ kind, actor }) => [kind, actor])).toEqual([
    ["consent", "engine"],
    ["erased", "token a"],
    ["paused", "panel"],
    ["resumed", "client x"],
    ["recording-started", "client x"],
    ["recording-stopped", "engine"],
    ["policy", "engine"],
  ]);
  expect(
    entries.every(({ kind, call, packetAtUs }) => kind in AUDIT_KINDS && call === CALL && packetAtUs),
  ).toBeTruthy();
  expect(entries[0]!.detail).toEqual({
    source: "dtmf",
    by: "caller pressed 1",
    side: "originator",
    role: "caller",
    purpose: "recording",
    from: "unknown",
    to: "granted",
    notice: "v1",
  });
  expect(entries.slice(1).map(({ detail }) => detail)).toMatchObject([
    { side: "answerer", packets: 5 },
    { reason: "card", source: "panel" },
    { reason: "" },
    {},
    {},
    { policy: "none", rule: "vip", purpose: "recording" },
  ]);
});

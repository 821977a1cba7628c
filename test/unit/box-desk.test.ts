// Commands about the box, each against real parts: what it does, what it refuses and that it then changes nothing.
import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AuditEntry } from "../../device/contract/audit.js";
import { BOX_ANSWER_SCHEMAS } from "../../device/contract/box-answers.js";
import { boxCommandSchema } from "../../device/contract/box-commands.js";
import { MAX_TAGS } from "../../device/contract/listing.js";
import type { CallLogLine } from "../../device/contract/manifest.js";
import { Box, HEALTH } from "./box-kit.js";
import { readAudit } from "./store/audit-kit.js";

let box: Box;
beforeEach(async () => {
  box = new Box();
  await box.store.index!.caughtUp();
});
afterEach(() => box.close());

/** As a face hands it over: read by the schema. */
// biome-ignore lint/suspicious/noExplicitAny: each test knows what its verb answers
async function ask(body: Record<string, unknown>, wholeNumbers = true): Promise<any> {
  const result = await box.ask(boxCommandSchema.parse(body), "mqtt client test", wholeNumbers);
  if (result.ok) expect(BOX_ANSWER_SCHEMAS[result.verb].safeParse(result.data).error).toBeUndefined();
  return result;
}
const entries = (kind: AuditEntry["kind"]) => {
  box.store.audit.flushNow();
  return readAudit(box.folder).filter((entry) => entry.kind === kind);
};
const recorded = () => box.calls.filter(({ manifest }) => manifest !== undefined).map(({ line }) => line);

describe("tag", () => {
  it("changes a call's tags and enters who did it, once for each change", async () => {
    const { id } = recorded()[0]!;
    expect(await ask({ verb: "tag", call: { id }, add: ["vip", "b"] })).toMatchObject({
      ok: true,
      data: { call: id, tags: ["b", "vip"] },
    });
    await ask({ verb: "tag", call: { id }, add: ["vip"], remove: ["none"] });
    expect(await ask({ verb: "tag", call: { id }, add: ["c"], remove: ["b"] })).toMatchObject({
      data: { tags: ["c", "vip"] },
    });
    expect(await ask({ verb: "tag", call: { id } })).toMatchObject({ data: { tags: ["c", "vip"] } });
    expect(entries("tagged").map(({ actor, call, detail }) => [actor, call, detail])).toEqual([
      ["mqtt client test", id, { added: ["vip", "b"], removed: [] }],
      ["mqtt client test", id, { added: ["c"], removed: ["b"] }],
    ]);
    expect(box.store.index!.listing!.find(id)!.tags).toEqual(["c", "vip"]);
  });

  it("is refused for a call that is none, was deleted, or has enough", async () => {
    const [{ id }, other] = recorded() as [CallLogLine, CallLogLine];
    expect(await ask({ verb: "tag", call: { id: "01J00000000000000000000000" }, add: ["a"] })).toMatchObject({
      ok: false,
      error: "recording-not-found",
    });
    box.store.index!.markDeleted(other.id, "request");
    expect(await ask({ verb: "tag", call: { id: other.id }, add: ["a"] })).toMatchObject({
      error: "recording-deleted",
    });
    const many = Array.from({ length: MAX_TAGS }, (_, place) => `t${place}`);
    await ask({ verb: "tag", call: { id }, add: many });
    expect(await ask({ verb: "tag", call: { id }, add: ["one-more"] })).toMatchObject({ error: "too-many-tags" });
    expect(entries("tagged")).toHaveLength(1);
  });

  it("keeps to the limit when many come at once", async () => {
    const { id } = recorded()[0]!;
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, place) => ask({ verb: "tag", call: { id }, add: [`t${place}`] })),
    );
    expect(results.filter(({ ok }) => ok)).toHaveLength(MAX_TAGS);
    expect(box.store.index!.listing!.find(id)!.tags).toHaveLength(MAX_TAGS);
    expect(entries("tagged")).toHaveLength(MAX_TAGS);
  });
});

describe("recordings", () => {
  it("lists by pages, the newest first, each once", async () => {
    const ids: string[] = [];
    for (let cursor = ""; ; ) {
      const { data } = await ask({ verb: "recordings", limit: 7, cursor });
      ids.push(...data.recordings.map(({ id }: { id: string }) => id));
      if (data.next === "") break;
      cursor = data.next;
    }
    const wanted = recorded().map(({ id }) => id as string);
    expect(ids).toEqual(wanted.reverse());
  });

  it("finds by filters, and without audio when it is asked to", async () => {
    const any = await ask({ verb: "recordings", outcome: "any", limit: 100 });
    expect(any.data.recordings).toHaveLength(100);
    const missed = await ask({ verb: "recordings", outcome: "not-answered", limit: 100 });
    expect(missed.data.recordings.length).toBeGreaterThan(0);
    expect(missed.data.recordings.every(({ durationMs }: { durationMs: number }) => durationMs === 0)).toBe(true);
    const granted = await ask({ verb: "recordings", consent: "granted", policy: "agent-only", minDurationMs: 1000 });
    for (const { policy, durationMs } of granted.data.recordings)
      expect([policy, durationMs >= 1000]).toEqual(["agent-only", true]);
    const day = recorded()[0]!.startedAt.slice(0, 10);
    const ofDay = await ask({ verb: "recordings", from: day, to: day, limit: 100 });
    expect(ofDay.data.recordings.map(({ startedAt }: { startedAt: string }) => startedAt.slice(0, 10))).toEqual(
      recorded()
        .filter(({ startedAt }) => startedAt.startsWith(day))
        .map(() => day),
    );
  });

  it("shows no path, no name and no reason that holds a number", async () => {
    const { data } = await ask({ verb: "recordings", limit: 100 });
    const text = JSON.stringify(data);
    expect(text).not.toMatch(/\.wav|identifiedBy|"name"|"file"|\//);
  });

  it("does not find a number by its end for whoever does not see numbers", async () => {
    const numbers = recorded()[0]!.parties.map(({ number }) => number);
    const long = numbers.find((number) => number.replace(/\D/g, "").length > 6)!;
    const end = long.slice(-4);
    expect((await ask({ verb: "recordings", number: long })).data.recordings.length).toBeGreaterThan(0);
    expect((await ask({ verb: "recordings", number: end })).data.recordings).toEqual([]);
    expect((await ask({ verb: "recordings", number: end }, false)).data.recordings.length).toBeGreaterThan(0);
  });

  it.each([
    [{ cursor: "nonsense" }, "cursor"],
    [{ cursor: "LTE" }, "cursor"],
    [{ from: "2026-11-02", to: "2026-11-01" }, "to"],
    [{ minDurationMs: 2, maxDurationMs: 1 }, "maxDurationMs"],
  ])("refuses %j", async (more, field) => {
    expect(await ask({ verb: "recordings", ...more })).toMatchObject({ ok: false, error: "invalid", field });
  });

  it("says that the index cannot be used", async () => {
    box.store.index!.close();
    expect(await ask({ verb: "recordings" })).toMatchObject({ ok: false, error: "index-unusable" });
  });
});

describe("questions about the box", () => {
  it("health and span are as the box says them", async () => {
    expect(await ask({ verb: "health" })).toEqual({ ok: true, verb: "health", data: HEALTH });
    expect(await ask({ verb: "span" })).toMatchObject({ data: { state: "pass" } });
    expect(await ask({ verb: "self-test" })).toMatchObject({ data: { result: "skipped", reason: "a call goes on" } });
  });

  it("completeness counts as the command does", async () => {
    const { data } = await ask({ verb: "completeness", from: "2026-11-01", to: "2026-11-02", by: "hour" });
    expect(data.total.seen).toBe(100);
    expect(data.periods.length).toBeGreaterThan(24);
    const byDefault = await ask({ verb: "completeness" });
    expect(byDefault.data).toMatchObject({ by: "day", from: "2026-10-27T00:00:00.000Z" });
  });

  it("completeness is bounded, and one at a time", async () => {
    expect(await ask({ verb: "completeness", from: "2020-01-01" })).toMatchObject({ error: "invalid", field: "from" });
    expect(await ask({ verb: "completeness", from: "2026-09-01", to: "2026-11-01", by: "hour" })).toMatchObject({
      field: "from",
    });
    expect(await ask({ verb: "completeness", from: "2026-11-05", to: "2026-11-01" })).toMatchObject({ field: "to" });
    expect(await ask({ verb: "completeness", from: "2027-11-05" })).toMatchObject({ field: "from" });
    const both = await Promise.all([ask({ verb: "completeness" }), ask({ verb: "completeness" })]);
    expect(both.map(({ ok, error }) => (ok ? "ok" : error))).toEqual(["ok", "already-running"]);
  });
});

describe("alarms", () => {
  it("are listed, and acknowledged with who did it; the alarm stands on", async () => {
    box.alarms.raise("no-agents");
    box.alarms.raise("seal-failed", { waiting: 1 });
    box.alarms.clear("seal-failed");
    const told: unknown[] = [];
    box.alarms.listen({ acknowledged: ({ code, acknowledged }) => told.push([code, acknowledged?.by]) });
    const { data } = await ask({ verb: "alarms", action: "acknowledge", code: "no-agents" });
    expect(data.standing).toMatchObject([{ code: "no-agents", acknowledged: { by: "mqtt client test" } }]);
    expect(data.past).toMatchObject([{ code: "seal-failed" }]);
    expect(told).toEqual([["no-agents", "mqtt client test"]]);
    expect((await ask({ verb: "alarms" })).data).toEqual(data);
    expect(entries("acknowledged").map(({ actor, detail }) => [actor, detail["code"]])).toEqual([
      ["mqtt client test", "no-agents"],
    ]);
    expect(await ask({ verb: "alarms", action: "acknowledge", code: "disk-full" })).toMatchObject({
      error: "alarm-not-standing",
    });
    expect(entries("acknowledged")).toHaveLength(1);
  });
});

describe("restart", () => {
  it("is answered first and comes then, with the configuration as it is now", async () => {
    expect(await ask({ verb: "restart", reason: "test" })).toMatchObject({
      data: { when: "idle", calls: 0, withinS: 1 },
    });
    expect(box.restarts).toEqual([]);
    expect(await ask({ verb: "restart", when: "now" })).toMatchObject({ error: "already-running" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(box.restarts).toHaveLength(1);
    expect(entries("restart").map(({ actor, detail }) => [actor, detail])).toEqual([
      ["mqtt client test", { when: "idle", reason: "test", calls: 0 }],
    ]);
  });

  it("is refused while the configuration is wrong", async () => {
    const { writeFileSync } = await import("node:fs");
    writeFileSync(box.file, "call:\n  tailMs: -3\n");
    expect(await ask({ verb: "restart" })).toMatchObject({ error: "configuration-invalid", field: "call.tailMs" });
    expect(entries("restart")).toEqual([]);
  });
});

it("answers what it cannot do yet", async () => {
  box.alarms.raise("no-agents");
  const { desk } = box;
  Object.assign((desk as unknown as { parts: object }).parts, { store: () => undefined, health: () => undefined });
  for (const body of [
    { verb: "health" },
    { verb: "recordings" },
    { verb: "tag", call: { id: recorded()[0]!.id }, add: ["a"] },
    { verb: "restart" },
    { verb: "alarms", action: "acknowledge", code: "no-agents" },
  ])
    expect(await ask(body)).toMatchObject({ ok: false, error: "unavailable" });
  // Nobody would know who did it.
  expect(box.alarms.standing[0]?.acknowledged).toBeUndefined();
  expect(existsSync(box.folder)).toBe(true);
});

// When the box tests itself, that it never does so twice at once, and what follows from a result.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeLogger } from "../../device/base/logger.js";
import type { AuditEntryInput } from "../../device/contract/audit.js";
import { configSchema } from "../../device/contract/config.js";
import type { SelfTestOutcome, ServiceToEngine } from "../../device/contract/engine-messages.js";
import type { SelfTestReport } from "../../device/contract/self-test.js";
import { AlarmBook } from "../../device/health/alarms.js";
import { formatMetrics } from "../../device/health/metrics.js";
import { SelfTestKeeper } from "../../device/self-test-keeper.js";

const HOUR_MS = 3_600_000;
const clock = { nowUs: () => 0, monotonicMs: () => 0 };
const logger = makeLogger({ level: "error", json: true, write: () => {}, nowIso: () => "" });
const NOTHING: SelfTestOutcome = { startUs: 0, frames: 206, calls: [], counts: {} };

describe("the keeper of the self-test", () => {
  let alarms: AlarmBook;
  let sent: ServiceToEngine[];
  let entered: AuditEntryInput[];
  let shown: SelfTestReport[];
  let obstacle: string;
  let isEngineThere: boolean;
  let cleared: number;
  let keeper: SelfTestKeeper;
  beforeEach(() => {
    vi.useFakeTimers();
    alarms = new AlarmBook({ clock });
    [sent, entered, shown, obstacle, isEngineThere, cleared] = [[], [], [], "", true, 0];
    keeper = made({});
  });
  afterEach(async () => {
    await keeper.stop();
    vi.useRealTimers();
  });

  function made(selfTest: { everyHours?: number; firstAfterS?: number }): SelfTestKeeper {
    return new SelfTestKeeper({
      config: configSchema.parse({ selfTest, consent: { policy: "none" }, mqtt: { password: "secret" } }),
      logger,
      alarms,
      audit: (entry) => entered.push(entry),
      show: (report) => shown.push(report),
      obstacle: () => obstacle,
      send: (message) => {
        sent.push(message);
        return isEngineThere;
      },
      journalKey: () => undefined,
      edges: () => ({
        seal: () => Promise.reject(new Error("no thread")),
        files: { clear: () => cleared++, left: () => [] } as never,
        key: undefined as never,
        index: undefined,
        device: "box",
      }),
    });
  }

  const after = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
  const asked = (): { id: number }[] => sent.filter((message) => message.type === "self-test");

  it("makes the first a while after the start, and then one a day, each a little later or sooner at random", async () => {
    keeper.start();
    keeper.start();
    expect(cleared).toBe(1);
    await after(119_000);
    expect(asked()).toHaveLength(0);
    await after(32_000);
    expect(asked()).toHaveLength(1);
    keeper.answered(1, NOTHING, "/journal");
    await after(0);
    expect(shown).toMatchObject([{ result: "fail" }]);
    // After a failure not a day but some minutes.
    await after(600_000 * 1.25);
    expect(asked()).toHaveLength(2);
  });

  it("makes none by itself where that is switched off, and one when it is asked for", async () => {
    keeper = made({ everyHours: 0 });
    keeper.start();
    await after(48 * HOUR_MS);
    expect(asked()).toHaveLength(0);
    const report = keeper.selfTest();
    keeper.answered(1, NOTHING, "/journal");
    expect((await report).steps.map(({ step, ok }) => [step, ok])).toEqual([
      ["decode", false],
      ["delete", true],
    ]);
  });

  it("hands the engine limits and none of the office's rules or secrets", () => {
    void keeper.selfTest();
    const [message] = sent as [Extract<ServiceToEngine, { type: "self-test" }>];
    expect(message.config.consent).toMatchObject({ policy: "agent-only", rules: [] });
    expect(JSON.stringify(message.config)).not.toContain("secret");
    expect(message.seed).toMatch(/^[0-9a-f]{64}$/);
  });

  it("is one, however many ask for it", async () => {
    const reports = [keeper.selfTest(), keeper.selfTest()];
    expect(asked()).toHaveLength(1);
    keeper.answered(1, NOTHING, "/journal");
    const [one, other] = await Promise.all(reports);
    expect(other).toBe(one);
    void keeper.selfTest();
    expect(asked()).toMatchObject([{ id: 1 }, { id: 2 }]);
  });

  it("is skipped, and tried again later, while the box takes no calls: no alarm, no entry", async () => {
    obstacle = "the disk has no room for recordings";
    keeper.start();
    await after(151_000);
    expect(await keeper.selfTest()).toMatchObject({ result: "skipped", reason: obstacle, steps: [] });
    expect([sent, alarms.standing, entered, shown]).toEqual([[], [], [], []]);
    obstacle = "";
    await after(600_000 * 1.25);
    expect(asked()).toHaveLength(1);
  });

  it.each<[string, () => void, string]>([
    ["does not answer", () => {}, "the engine did not answer in time"],
    ["is lost meanwhile", () => keeper.engineGone(), "the engine was lost meanwhile"],
    [
      "has another test's answer only",
      () => keeper.answered(9, NOTHING, "/journal"),
      "the engine did not answer in time",
    ],
  ])("fails when the engine %s", async (_, then, reason) => {
    const report = keeper.selfTest();
    then();
    await after(20_000);
    expect((await report).steps[0]).toMatchObject({ step: "decode", ok: false, detail: reason });
    expect(alarms.standing).toMatchObject([{ code: "self-test-failed", detail: { step: "decode", reason } }]);
    expect(entered).toMatchObject([
      { kind: "self-test", actor: "service", detail: { result: "fail", step: "decode", reason } },
    ]);
    // Whatever the engine has of it, it is told that it may go.
    expect(sent.at(-1)).toEqual({ type: "self-test-over", id: 1 });
  });

  it("fails when there is no engine to send to", async () => {
    isEngineThere = false;
    expect((await keeper.selfTest()).steps[0]).toMatchObject({ detail: "there is no engine" });
  });

  it("ends at once when the service stops, and says nothing of it", async () => {
    const report = keeper.selfTest();
    await keeper.stop();
    expect(await report).toMatchObject({ result: "skipped", reason: "the service stops", steps: [] });
    expect([alarms.standing, entered, shown]).toEqual([[], [], []]);
    expect(await keeper.selfTest()).toMatchObject({ result: "skipped" });
  });
});

it("is in the metrics, with the last time that it passed", () => {
  const page = formatMetrics({
    version: "1",
    service: {},
    selfTest: { result: "fail", passedAt: "2026-11-28T09:00:00.000000Z" },
  });
  expect(page).toContain("\nsidetone_self_test_passed 0\n");
  expect(page).toContain("\nsidetone_self_test_last_pass_timestamp_seconds 1795856400\n");
  expect(formatMetrics({ version: "1", service: {} })).not.toContain("self_test");
});

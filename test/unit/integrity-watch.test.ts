// The box's check of itself: when it is made, what follows from its answers, and that an answer that is none changes nothing.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeLogger } from "../../device/base/logger.js";
import { AlarmBook } from "../../device/health/alarms.js";
import { type CheckAnswer, IntegrityWatch } from "../../device/integrity-watch.js";

const HOUR_MS = 3_600_000;
const clock = { nowUs: () => 0, monotonicMs: () => 0 };
const logger = makeLogger({ level: "error", json: true, write: () => {}, nowIso: () => "" });

describe("the box's check of itself", () => {
  let alarms: AlarmBook;
  let answers: (CheckAnswer | Error)[];
  let checks: number;
  let watch: IntegrityWatch;
  beforeEach(() => {
    vi.useFakeTimers();
    alarms = new AlarmBook({ clock });
    answers = [];
    checks = 0;
    watch = made(24);
  });
  afterEach(async () => {
    await watch.stop();
    vi.useRealTimers();
  });

  function made(everyHours: number): IntegrityWatch {
    const check = async (): Promise<CheckAnswer> => {
      checks++;
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    };
    return new IntegrityWatch({ everyHours, alarms, logger, check });
  }

  const after = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

  it("is made a while after the start and then at its interval, and says what was found until nothing is", async () => {
    answers = [
      { findings: 0, first: "" },
      { findings: 2, first: "changed recordings/2026/11/28/X.wav" },
      new Error("it could not be made"),
      { findings: 0, first: "" },
    ];
    watch.start([]);
    await after(HOUR_MS);
    expect([checks, alarms.standing]).toEqual([1, []]);
    await after(24 * HOUR_MS);
    const found = { code: "integrity-failed", detail: { findings: 2, first: "changed recordings/2026/11/28/X.wav" } };
    expect(alarms.standing).toMatchObject([found]);
    await after(24 * HOUR_MS);
    expect([checks, alarms.standing]).toMatchObject([3, [found]]);
    await after(24 * HOUR_MS);
    expect(alarms.standing).toEqual([]);
  });

  it("is made a minute after the start where something was found before, which a restart does not end", async () => {
    alarms.raise("integrity-failed", { findings: 1, first: "x" });
    alarms = new AlarmBook({ clock, before: { standing: alarms.standing, past: [] } });
    watch = made(24);
    answers = [{ findings: 0, first: "" }];
    watch.start([]);
    expect(alarms.isStanding("integrity-failed")).toBe(true);
    await after(60_000);
    expect([checks, alarms.isStanding("integrity-failed")]).toEqual([1, false]);
  });

  it("is not made where it is switched off; what the start finds missing is said all the same", async () => {
    watch = made(0);
    watch.start([
      { what: "audit-end-torn", bytes: 12, sha256: "" },
      { what: "audit-end-missing", fromSeq: 7, toSeq: 9 },
    ]);
    expect(alarms.standing).toMatchObject([{ detail: { findings: 1, first: "audit entries 7 to 9" } }]);
    await after(1000 * HOUR_MS);
    expect(checks).toBe(0);
  });

  it("a power cut's torn end alone is no finding", () => {
    watch.start([{ what: "audit-end-torn", bytes: 12, sha256: "" }]);
    expect(alarms.standing).toEqual([]);
  });
});

// The alarm that events were lost: at once, not for each of them, and over an hour after the last.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Clock } from "../../../device/base/clock.js";
import { LossAlarm } from "../../../device/mqtt/loss-alarm.js";

const clock: Clock = { nowUs: () => Date.now() * 1000, monotonicMs: () => Date.now() };

describe("LossAlarm", () => {
  let told: string[];
  let losses: LossAlarm;
  beforeEach(() => {
    vi.useFakeTimers();
    told = [];
    const desk = {
      raise: (code: string, detail: object = {}) => told.push(`${code} ${JSON.stringify(detail)}`),
      clear: (code: string) => told.push(`${code} is over`),
    };
    losses = new LossAlarm(desk, clock);
  });
  afterEach(() => {
    losses.stop();
    vi.useRealTimers();
  });

  it("is raised behind the turn in which the queue finds out, with all that were lost, and once a minute", async () => {
    losses.note(2);
    losses.note(3);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(0);
    for (let second = 0; second < 90; second++) {
      losses.note(1);
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(told).toEqual(['mqtt-events-lost {"events":5}', 'mqtt-events-lost {"events":66}']);
  });

  it("is over an hour after the last, and counts anew then", async () => {
    losses.note(1);
    await vi.advanceTimersByTimeAsync(3_000_000);
    losses.note(1);
    await vi.advanceTimersByTimeAsync(3_599_999);
    expect(told.at(-1)).toBe('mqtt-events-lost {"events":2}');
    await vi.advanceTimersByTimeAsync(1);
    expect(told.at(-1)).toBe("mqtt-events-lost is over");
    losses.note(4);
    await vi.advanceTimersByTimeAsync(0);
    expect(told.at(-1)).toBe('mqtt-events-lost {"events":4}');
  });
});

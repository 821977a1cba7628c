// The alarm that there is no broker: after a minute, not before, and over when there is one.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { AbsenceAlarm } from "../../../device/mqtt/absence-alarm.js";

let said: string[] = [];
const desk = {
  raise: (code: string) => said.push(`raise ${code}`),
  clear: (code: string) => said.push(`clear ${code}`),
};

beforeEach(() => {
  vi.useFakeTimers();
  said = [];
});
afterEach(() => {
  vi.useRealTimers();
});

it("stands after a minute without a broker, however often that is said, and until there is one", () => {
  const alarm = new AbsenceAlarm(desk);
  for (let second = 0; second < 60; second++) {
    alarm.begin();
    expect(said).toEqual([]);
    vi.advanceTimersByTime(1000);
  }
  alarm.begin();
  vi.advanceTimersByTime(600_000);
  expect(said).toEqual(["raise mqtt-broker-lost"]);
  alarm.end();
  vi.advanceTimersByTime(600_000);
  expect(said).toEqual(["raise mqtt-broker-lost", "clear mqtt-broker-lost"]);
});

it("says nothing of a short absence, nor of one at the end", () => {
  const alarm = new AbsenceAlarm(desk);
  alarm.begin();
  vi.advanceTimersByTime(59_000);
  alarm.end();
  alarm.begin();
  vi.advanceTimersByTime(59_000);
  alarm.stop();
  vi.advanceTimersByTime(600_000);
  expect(said).toEqual(["clear mqtt-broker-lost"]);
});

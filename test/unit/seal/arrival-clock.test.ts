import { expect, test } from "vitest";
import { ArrivalClock } from "../../../device/seal/arrival-clock.js";

const S = 1_000_000;
const YEAR = 365 * 24 * 3600 * S;

test("times in order, and a little out of it, are as captured", () => {
  const clock = new ArrivalClock(1000 * S);
  for (const atUs of [1000 * S, 1500 * S, 1499 * S, 20_000 * S]) expect(clock.read(0, atUs)).toBe(atUs);
  expect(clock.steps).toBe(0);
  expect(clock.latestUs).toBe(20_000 * S);
});

test.each([-3600 * S, 20 * YEAR])("after a step by %i both sides stay together", (stepUs) => {
  const clock = new ArrivalClock(1000 * S);
  clock.read(0, 1010 * S);
  clock.read(1, 1001 * S);
  expect(clock.read(0, 1010 * S + stepUs)).toBe(1010 * S);
  expect(clock.read(0, 1015 * S + stepUs)).toBe(1015 * S);
  expect(clock.read(1, 1012 * S + stepUs)).toBe(1012 * S);
  expect(clock.steps).toBe(2);
});

test("a clock that was wrong for one packet only is right again after it", () => {
  const clock = new ArrivalClock(1000 * S);
  clock.read(1, 1001 * S);
  expect(clock.read(0, 1002 * S - 20 * YEAR)).toBe(1000 * S);
  expect(clock.read(0, 1003 * S)).toBe(1003 * S);
  expect(clock.read(1, 1003 * S)).toBe(1003 * S);
});

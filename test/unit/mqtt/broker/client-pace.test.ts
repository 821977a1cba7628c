// A burst passes, a flood does not, its order stays, and who kept quiet may burst again.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { BURST, ClientPace, MESSAGES_PER_S } from "../../../../device/mqtt/broker/client-pace.js";

const clock = { monotonicMs: () => Date.now() } as never;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("lets a burst through, then a steady rate in order, and forgets in time", () => {
  const pace = new ClientPace(clock);
  const taken: number[] = [];
  const send = (number: number) => pace.take(() => taken.push(number));
  const waited = Array.from({ length: BURST + 200 }, (_, number) => send(number));
  expect(waited.filter((hadToWait) => !hadToWait)).toHaveLength(BURST);
  expect(taken).toHaveLength(BURST);
  vi.advanceTimersByTime(1000);
  expect(taken).toHaveLength(BURST + MESSAGES_PER_S);
  send(BURST + 200);
  vi.advanceTimersByTime(10_000);
  expect(taken).toEqual(Array.from({ length: BURST + 201 }, (_, number) => number));
  expect(Array.from({ length: BURST + 1 }, (_, number) => send(number)).filter(Boolean)).toEqual([true]);
});

it("tells those that wait that their client has gone", () => {
  const pace = new ClientPace(clock);
  const ends: boolean[] = [];
  for (let number = 0; number < BURST + 2; number++) pace.take((isEnded) => ends.push(isEnded));
  pace.end();
  expect(ends.slice(BURST)).toEqual([true, true]);
  vi.advanceTimersByTime(10_000);
  expect(ends).toHaveLength(BURST + 2);
});

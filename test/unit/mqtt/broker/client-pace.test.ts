// A burst passes, a flood does not, and who kept quiet may burst again.
import { expect, it } from "vitest";
import { BURST, ClientPace, MESSAGES_PER_S } from "../../../../device/mqtt/broker/client-pace.js";

it("lets a burst through, then a steady rate, and forgets in time", () => {
  const pace = new ClientPace();
  const waits = Array.from({ length: BURST + 10 }, () => pace.take(5000));
  expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(BURST);
  expect(waits.slice(BURST)).toEqual(Array.from({ length: 10 }, (_, n) => ((n + 1) * 1000) / MESSAGES_PER_S));
  const laterMs = 5000 + ((BURST + 10) * 1000) / MESSAGES_PER_S;
  expect(Array.from({ length: BURST }, () => pace.take(laterMs)).every((waitMs) => waitMs === 0)).toBe(true);
  expect(pace.take(laterMs)).toBeGreaterThan(0);
});

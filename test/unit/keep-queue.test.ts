// Calls that could not be stored: who is tried when, who is given up, what is bounded.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { KeepQueue, MAX_WAITING_CALLS, type Outcome, RETRY_FIRST_MS, RETRY_MAX_MS } from "../../device/keep-queue.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function scene() {
  const tried: string[] = [];
  const gaveUp: string[] = [];
  const sizes: number[] = [];
  const state: { outcome: Outcome } = { outcome: "disk" };
  const queue = new KeepQueue({ changed: (waiting) => sizes.push(waiting), gaveUp: (id) => gaveUp.push(id) });
  const add = (id: string, outcome?: Outcome, failures = 0): Promise<boolean> =>
    queue.add(id, failures, async () => {
      tried.push(id);
      return outcome ?? state.outcome;
    });
  return { tried, gaveUp, sizes, state, queue, add };
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

it("sends one ahead while the disk refuses, less and less often, and the others after it", async () => {
  const { tried, state, add, queue } = scene();
  const results = ["a", "b", "c"].map((id) => add(id));
  await pass(RETRY_FIRST_MS);
  expect(tried).toEqual(["a"]);
  await pass(RETRY_FIRST_MS);
  expect(tried).toEqual(["a"]);
  await pass(RETRY_FIRST_MS);
  expect(tried).toEqual(["a", "b"]);
  await pass(3_600_000);
  expect(tried.length).toBeLessThan(3_600_000 / RETRY_MAX_MS + 10);
  expect(tried.length).toBeGreaterThan(3_600_000 / RETRY_MAX_MS - 5);
  tried.length = 0;
  state.outcome = "kept";
  queue.nudge();
  await pass(0);
  expect([...tried].sort()).toEqual(["a", "b", "c"]);
  expect(await Promise.all(results)).toEqual([true, true, true]);
  expect(queue.size).toBe(0);
  await pass(RETRY_MAX_MS);
  expect(tried).toHaveLength(3);
});

it("gives up after three attempts what is not the disk's fault, and does not let it block the others", async () => {
  const { gaveUp, add, state } = scene();
  state.outcome = "kept";
  const bad = add("bad", "fault", 1);
  const good = add("good");
  await pass(RETRY_FIRST_MS);
  expect(await good).toBe(true);
  await pass(RETRY_MAX_MS);
  expect(await bad).toBe(false);
  expect(gaveUp).toEqual(["bad"]);
});

it("tells what becomes of a call that waits, while it is being tried as well", async () => {
  const { queue } = scene();
  let finish!: (outcome: Outcome) => void;
  const kept = queue.add("a", 0, () => new Promise((resolve) => (finish = resolve)));
  expect(queue.find("a")).toBeDefined();
  expect(queue.find("b")).toBeUndefined();
  await pass(RETRY_FIRST_MS);
  const asked = queue.find("a");
  finish("kept");
  expect([await kept, await asked]).toEqual([true, true]);
});

it("has a limit, and gives up at the end what waits, but for what is just being stored", async () => {
  const { queue, add, gaveUp, tried } = scene();
  let finish!: (outcome: Outcome) => void;
  const first = queue.add("first", 0, () => new Promise((resolve) => (finish = resolve)));
  const others = Array.from({ length: MAX_WAITING_CALLS - 1 }, (_, i) => add(`${i}`));
  expect(await add("beyond")).toBe(false);
  expect(gaveUp).toEqual(["beyond"]);
  await pass(RETRY_FIRST_MS);
  queue.close();
  expect((await Promise.all(others)).every((kept) => !kept)).toBe(true);
  finish("kept");
  expect(await first).toBe(true);
  expect(await add("late")).toBe(false);
  await pass(RETRY_MAX_MS);
  expect(tried).toEqual([]);
});

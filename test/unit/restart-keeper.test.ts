// A restart waits for the last call, is not made of a configuration that is wrong, and is given up rather than cut a call off.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { LoadedConfig } from "../../device/config/load.js";
import { ConfigurationRefused } from "../../device/configuration-keeper.js";
import { PATIENCE_S, RestartKeeper } from "../../device/restart-keeper.js";

const next = { config: {} } as LoadedConfig;
let calls = 0;
let isWrong = false;
let told: string[] = [];
let keeper: RestartKeeper;

beforeEach(() => {
  vi.useFakeTimers();
  [calls, isWrong, told] = [0, false, []];
  keeper = new RestartKeeper({
    clock: { nowUs: () => Date.now() * 1000, monotonicMs: () => Date.now() },
    calls: () => calls,
    reload: () => {
      if (isWrong) throw new ConfigurationRefused("configuration-invalid", "it is wrong");
      return next;
    },
    restart: (config) => told.push(config === next ? "restart" : "other"),
    note: (outcome, why) => told.push(`${outcome} ${why}`.trim()),
  });
});
afterEach(() => {
  keeper.stop();
  vi.useRealTimers();
});

it("comes at once without calls, and once only", () => {
  expect(keeper.ask("idle")).toEqual({ calls: 0, withinS: 1 });
  expect(keeper.ask("now")).toBeUndefined();
  vi.advanceTimersByTime(200);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(told).toEqual(["begun", "restart"]);
  expect(keeper.ask("now")).toBeUndefined();
});

it("waits for the last call to end", () => {
  calls = 2;
  expect(keeper.ask("idle")).toEqual({ calls: 2, withinS: PATIENCE_S });
  expect(keeper.ask("idle")).toBeUndefined();
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual([]);
  calls = 0;
  vi.advanceTimersByTime(1000);
  expect(told).toEqual(["begun", "restart"]);
});

it("waits no longer once it is asked for now", () => {
  calls = 1;
  keeper.ask("idle");
  expect(keeper.ask("now")).toEqual({ calls: 1, withinS: 1 });
  vi.advanceTimersByTime(5000);
  expect(told).toEqual(["begun", "restart"]);
});

it("is given up after an hour of calls, and can be asked for again", () => {
  calls = 1;
  keeper.ask("idle");
  vi.advanceTimersByTime((PATIENCE_S + 2) * 1000);
  expect(told).toEqual(["given-up"]);
  calls = 0;
  vi.advanceTimersByTime(10_000);
  expect(told).toEqual(["given-up"]);
  expect(keeper.ask("idle")).toBeDefined();
});

it("is refused at once, or when it is time, while the configuration is wrong", () => {
  isWrong = true;
  expect(() => keeper.ask("now")).toThrow("it is wrong");
  isWrong = false;
  calls = 1;
  keeper.ask("idle");
  isWrong = true;
  calls = 0;
  vi.advanceTimersByTime(2000);
  expect(told).toEqual(["refused it is wrong"]);
  isWrong = false;
  expect(keeper.ask("now")).toBeDefined();
  vi.advanceTimersByTime(1000);
  expect(told.slice(1)).toEqual(["begun", "restart"]);
});

it("is none any more when the service ends", () => {
  keeper.ask("now");
  keeper.stop();
  vi.advanceTimersByTime(10_000);
  expect(told).toEqual([]);
  expect(keeper.ask("now")).toBeUndefined();
});

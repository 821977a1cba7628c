// Which alarms stand after what the engine has reported, and for how long.
import { expect, it } from "vitest";
import { AlarmWatch } from "../../device/alarm-watch.js";
import type { Clock } from "../../device/base/clock.js";
import type { EngineCounters } from "../../device/contract/engine-messages.js";
import { AlarmBook } from "../../device/health/alarms.js";

function scene() {
  const state = { nowMs: 0 };
  const clock: Clock = { nowUs: () => state.nowMs * 1000, monotonicMs: () => state.nowMs };
  const book = new AlarmBook({ clock });
  const watch = new AlarmWatch(book, clock);
  const codes = () => book.standing.map(({ code }) => code);
  return { state, book, watch, codes };
}
const counters = (own: Partial<EngineCounters> = {}): EngineCounters => ({
  atUs: 0,
  sources: [],
  counts: {},
  encapsulations: [],
  tlsEndpoints: [],
  activeCalls: 0,
  isJournalFailing: false,
  rssBytes: 0,
  cpuUs: 0,
  ...own,
});

it("takes an engine for there again when it has run for a minute, not before", () => {
  const { state, book, watch, codes } = scene();
  watch.engineReady();
  watch.engineLost("SIGKILL");
  state.nowMs = 100_000;
  watch.note(counters(), 0);
  expect(codes()).toEqual(["engine-lost"]);
  watch.engineReady();
  state.nowMs += 59_000;
  watch.note(counters(), 0);
  watch.engineLost("SIGKILL");
  expect(book.standing[0]!.detail).toEqual({ how: "SIGKILL", times: 2 });
  watch.engineReady();
  state.nowMs += 60_000;
  watch.note(counters(), 0);
  expect(codes()).toEqual([]);
});

it("lets the alarm of dropped packets stand for ten minutes after the last one", () => {
  const { state, book, watch, codes } = scene();
  watch.note(counters(), 3);
  state.nowMs = 599_000;
  watch.note(counters(), 4);
  expect(book.standing[0]!.detail).toEqual({ packets: 7 });
  state.nowMs += 599_000;
  watch.note(counters(), 0);
  expect(codes()).toEqual(["capture-drops"]);
  state.nowMs += 1000;
  watch.note(counters(), 0);
  expect(codes()).toEqual([]);
});

it("follows the interfaces and the journal", () => {
  const { watch, book, codes } = scene();
  const source = { name: "eth1", frames: 0, bytes: 0, kernelDrops: 0, interfaceDrops: 0 };
  const fault = "eth1: the interface is down";
  watch.note(counters({ sources: [{ ...source, fault }], isJournalFailing: true }), 0);
  expect(codes()).toEqual(["journal-unwritable", "interface-down"]);
  expect(book.standing[1]!.detail).toEqual({ interfaces: fault });
  watch.note(counters({ sources: [{ ...source, fault: "" }] }), 0);
  expect(codes()).toEqual([]);
});

// What the service keeps of calls in progress, over engines: whose it is, when it goes, and that it stays bounded.
import { describe, expect, it } from "vitest";
import { makeCallId } from "../../device/base/ids.js";
import { CarriedCalls } from "../../device/carried-calls.js";
import type { CarriedCall } from "../../device/contract/engine-messages.js";

const NOW_US = 1_700_000_000_000_000;
const MOST = 20_000;
const pause = (endsUs: number) => ({ endsUs, source: "mqtt" as const, by: "client 7", reason: "" });
const refused = (...sipCallIds: string[]): CarriedCall => ({ sipCallIds, refusals: ["dtmf"], isStopped: false });
const newId = () => makeCallId(NOW_US);

describe("calls in progress", () => {
  it("are kept until they end, or nothing of them is to be carried", () => {
    const carried = new CarriedCalls();
    const [a, b] = [newId(), newId()];
    carried.note(a, refused("a"));
    carried.note(b, refused("b"));
    expect(carried.state(NOW_US)).toEqual({ calls: [refused("a"), refused("b")] });
    carried.note(a, undefined);
    expect(carried.state(NOW_US).calls).toEqual([refused("b")]);
    carried.ended({ id: b, sipCallIds: ["b"] });
    expect(carried.state(NOW_US).calls).toEqual([]);
  });

  it("outlast every engine that does not see them, until one does or they end", () => {
    const carried = new CarriedCalls({ calls: [refused("old")] });
    carried.note(newId(), refused("a", "a2"));
    carried.passOn();
    carried.passOn();
    expect(carried.state(NOW_US).calls).toEqual([refused("old"), refused("a", "a2")]);
    const again = newId();
    carried.note(again, { ...refused("a2"), refusals: ["api"] });
    expect(carried.state(NOW_US).calls).toEqual([refused("old"), { ...refused("a2"), refusals: ["api"] }]);
    carried.ended({ id: newId(), sipCallIds: ["old"] });
    carried.ended({ id: again, sipCallIds: ["a2"] });
    expect(carried.state(NOW_US)).toEqual({ calls: [] });
  });

  it("lose a pause that is over, and nothing else with it", () => {
    const carried = new CarriedCalls({ calls: [{ ...refused("a"), pause: pause(NOW_US) }], pauseOfAll: pause(NOW_US) });
    carried.note(newId(), { ...refused("b"), refusals: [], pause: pause(NOW_US) });
    carried.note(newId(), { ...refused("c"), refusals: [], pause: pause(NOW_US + 1) });
    expect(carried.state(NOW_US)).toEqual({
      calls: [refused("a"), { ...refused("c"), refusals: [], pause: pause(NOW_US + 1) }],
    });
    carried.notePauseOfAll(pause(NOW_US + 1));
    expect(carried.state(NOW_US).pauseOfAll).toEqual(pause(NOW_US + 1));
    carried.notePauseOfAll(undefined);
    expect(carried.state(NOW_US).pauseOfAll).toBeUndefined();
  });

  it("are bounded: the oldest goes", () => {
    const carried = new CarriedCalls();
    for (let i = 0; i <= MOST; i++) carried.note(newId(), refused(`${i}`));
    expect(carried.state(NOW_US).calls).toHaveLength(MOST);
    expect(carried.state(NOW_US).calls[0]).toEqual(refused("1"));
    carried.passOn();
    carried.note(newId(), refused("next"));
    carried.passOn();
    const { calls } = carried.state(NOW_US);
    expect(calls).toHaveLength(MOST);
    expect(calls.at(-1)).toEqual(refused("next"));
  });
});

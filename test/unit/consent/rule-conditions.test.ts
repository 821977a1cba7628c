// Each condition at its edges: days and hours over midnight and at the changes of the clocks, headers at their bounds,
// trunks as trunks.match takes them.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCidr } from "../../../device/base/address.js";
import { MatchRules } from "../../../device/call/match-rules.js";
import type { Answer } from "../../../device/consent/rule-conditions.js";
import { atUs, bookOf, type CallSketch, configOf, factsOf, IN_GERMANY, type RuleSketch, words } from "./rule-scene.js";

function answer(rule: RuleSketch, sketch: CallSketch): Answer {
  return bookOf([rule], {}, IN_GERMANY).explain(factsOf({ caller: "0301234567", agent: "21", ...sketch }))[0]!.answer;
}

describe("days and hours", () => {
  it.each([
    // Friday, 27 November 2026.
    [{ days: ["fri"] }, "2026-11-27T00:00:00+01:00", "yes"],
    [{ days: ["fri"] }, "2026-11-26T23:59:59.999+01:00", "no"],
    [{ days: ["fri"] }, "2026-11-27T23:59:59+01:00", "yes"],
    [{ days: ["fri"] }, "2026-11-28T00:00:00+01:00", "no"],
    [{ hours: ["08:00-18:00"] }, "2026-11-27T08:00:00+01:00", "yes"],
    [{ hours: ["08:00-18:00"] }, "2026-11-27T07:59:59.999+01:00", "no"],
    [{ hours: ["08:00-18:00"] }, "2026-11-27T17:59:59.999+01:00", "yes"],
    [{ hours: ["08:00-18:00"] }, "2026-11-27T18:00:00+01:00", "no"],
    [{ hours: ["08:00-12:00", "13:00-18:00"] }, "2026-11-27T12:30:00+01:00", "no"],
    [{ hours: ["08:00-12:00", "13:00-18:00"] }, "2026-11-27T13:00:00+01:00", "yes"],
    [{ hours: ["18:00-24:00"] }, "2026-11-27T23:59:59+01:00", "yes"],
    [{ hours: ["18:00-24:00"] }, "2026-11-28T00:00:00+01:00", "no"],
    [{ hours: ["22:00-06:00"] }, "2026-11-27T05:59:00+01:00", "yes"],
    [{ hours: ["22:00-06:00"] }, "2026-11-27T06:00:00+01:00", "no"],
    [{ hours: ["22:00-06:00"] }, "2026-11-27T21:59:00+01:00", "no"],
    // A night belongs to the day on which it began.
    [{ days: ["fri"], hours: ["22:00-06:00"] }, "2026-11-27T22:00:00+01:00", "yes"],
    [{ days: ["fri"], hours: ["22:00-06:00"] }, "2026-11-28T05:59:00+01:00", "yes"],
    [{ days: ["fri"], hours: ["22:00-06:00"] }, "2026-11-27T05:59:00+01:00", "no"],
    [{ days: ["sun"], hours: ["22:00-06:00"] }, "2026-11-30T01:00:00+01:00", "yes"],
    // Summer time begins on 29 March 2026: 02:00 becomes 03:00.
    [{ hours: ["02:00-03:00"] }, "2026-03-29T00:59:59Z", "no"],
    [{ hours: ["02:00-03:00"] }, "2026-03-29T01:00:00Z", "no"],
    [{ hours: ["03:00-04:00"] }, "2026-03-29T01:00:00Z", "yes"],
    [{ hours: ["08:00-18:00"] }, "2026-03-27T07:00:00Z", "yes"],
    [{ hours: ["08:00-18:00"] }, "2026-03-30T06:00:00Z", "yes"],
    [{ hours: ["08:00-18:00"] }, "2026-03-27T06:00:00Z", "no"],
    // It ends on 25 October 2026: the hour from 02:00 comes twice.
    [{ hours: ["02:00-03:00"] }, "2026-10-25T00:00:00Z", "yes"],
    [{ hours: ["02:00-03:00"] }, "2026-10-25T01:59:59Z", "yes"],
    [{ hours: ["02:00-03:00"] }, "2026-10-25T02:00:00Z", "no"],
  ] as [RuleSketch, string, Answer][])("%j at %s: %s", (rule, at, expected) =>
    expect(answer(rule, { at })).toBe(expected),
  );

  it("of a time that is no date nothing is known", () => {
    const book = bookOf([{ hours: ["08:00-18:00"], policy: "none" }], { policy: "both-parties" });
    for (const startedAtUs of [Number.NaN, Infinity, 1e300, -1e300])
      expect(book.choose({ ...factsOf(), startedAtUs })).toMatchObject({ isSettled: false, policy: "none" });
  });
});

describe("headers", () => {
  it.each([
    ["X-Queue: sales*", ["sales"], "yes"],
    ["x-queue:SALES?", ["Sales1"], "yes"],
    ["X-Queue: sales", [" sales "], "yes"],
    ["X-Queue: sales", ["sales, support"], "no"],
    ["X-Queue: *sales*", ["support, sales"], "yes"],
    ["X-Queue: *", [""], "yes"],
    ["X-Queue: ?*", [""], "no"],
    ["X-Queue: *", [], "no"],
    ["X-Queue: a:b", ["a:b"], "yes"],
    ["X-Queue: s", ["a", "b", "c", "d", "e", "f", "g", "s"], "yes"],
    // Behind what is looked at anything may stand.
    ["X-Queue: s", ["a", "b", "c", "d", "e", "f", "g", "h", "s"], "open"],
    ["X-Queue: *s", ["a".repeat(256)], "no"],
    ["X-Queue: *s", [`${"a".repeat(256)}s`], "open"],
    ["X-Queue: a*", ["a".repeat(9999)], "yes"],
  ] as [string, string[], Answer][])("%s with %j: %s", (header, values, expected) =>
    expect(answer({ headers: [header] }, { headers: values.length === 0 ? {} : { "x-queue": values } })).toBe(expected),
  );

  it("all of a rule's must match", () => {
    const headers = { "x-queue": ["sales"], "x-vip": ["no"] };
    expect(answer({ headers: ["X-Queue: sales", "X-Vip: yes"] }, { headers })).toBe("no");
    expect(answer({ headers: ["X-Queue: sales", "X-Vip: no"] }, { headers })).toBe("yes");
  });

  it("a pattern cannot be made to run away", () => {
    const value = "a".repeat(256);
    const started = performance.now();
    for (let i = 0; i < 200; i++)
      answer({ headers: [`X-Queue: ${"*a".repeat(60)}*b`] }, { headers: { "x-queue": [value] } });
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe("trunks", () => {
  it.each([
    [["203.0.113.0/24"], {}, "yes"],
    [["10.0.0.21"], {}, "yes"],
    [["198.51.100.0/24"], {}, "no"],
    [["198.51.100.0/24"], { callerAt: [] }, "open"],
    [["203.0.113.0/24"], { agentAt: [] }, "yes"],
    [["+4930*"], { callerAt: [], agentAt: [] }, "yes"],
    [["+4940*"], { callerAt: [], agentAt: [] }, "no"],
    [["0049301234567"], {}, "yes"],
    [["+4940*"], { users: [[], ["21"]] }, "open"],
    [["21"], { users: [[], ["21"]] }, "yes"],
  ] as [string[], CallSketch, Answer][])("%j with %j: %s", (trunks, sketch, expected) =>
    expect(answer({ trunks }, sketch)).toBe(expected),
  );

  it("are as trunks.match has them", () => {
    const entry = fc.constantFrom(
      "203.0.113.0/24",
      "10.0.0.9",
      "2001:db8::/32",
      "030*",
      "+4930*",
      "0301234567",
      "2?",
      "anon*",
    );
    const user = fc.constantFrom("0301234567", "+49301234567", "21", "anonymous", "0049 40 7654321");
    const address = fc.constantFrom("203.0.113.9", "10.0.0.9", "2001:db8::1", "192.0.2.1").map(words);
    const side = fc.record({
      users: fc.array(user, { minLength: 1, maxLength: 3 }),
      addresses: fc.array(address, { minLength: 1, maxLength: 2 }),
    });
    const config = configOf([], {}, IN_GERMANY);
    const met = new Set<boolean>();
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 3 }), fc.tuple(side, side), (trunks, sides) => {
        const rules = new MatchRules("trunks.match", trunks, config.numbers);
        const isMatch = sides.some(
          ({ users, addresses }) => rules.user(users) !== undefined || rules.anyAddress("media", addresses) !== "",
        );
        met.add(isMatch);
        const choice = bookOf([{ trunks }], {}, IN_GERMANY).choose({ ...factsOf(), sides });
        expect(choice.isSettled).toBe(true);
        expect(choice.index).toBe(isMatch ? 0 : -1);
      }),
      { numRuns: 500, seed: 3 },
    );
    expect(met.size).toBe(2);
    expect(parseCidr("030*")).toBeUndefined();
  });
});

describe("numbers and agents", () => {
  it.each([
    [{ numbers: ["*"] }, { caller: undefined, agent: undefined }, "yes"],
    [{ numbers: ["0301234567"] }, { caller: "+49301234567" }, "yes"],
    [{ numbers: [" 0301234567 "] }, {}, "yes"],
    [{ numbers: ["+4930*"] }, {}, "yes"],
    [{ numbers: ["anonymous"] }, { caller: "anonymous" }, "yes"],
    [{ numbers: ["?*"] }, { caller: "" }, "no"],
    [{ numbers: ["21"] }, {}, "no"],
    [{ agents: ["0301234567"] }, {}, "no"],
    [{ agents: ["*"] }, {}, "yes"],
    [{ agents: ["*"] }, { agent: undefined }, "open"],
    [{ numbers: ["0301234567"], direction: "inbound" }, { direction: "outbound", caller: undefined }, "no"],
  ] as [RuleSketch, CallSketch, Answer][])("%j with %j: %s", (rule, sketch, expected) =>
    expect(answer(rule, sketch)).toBe(expected),
  );
});

it("a time is the same however it is written", () =>
  expect(atUs("2026-11-27T10:00:00+01:00")).toBe(atUs("2026-11-27T09:00:00Z")));

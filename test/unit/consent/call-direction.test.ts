// Which way a call goes, as an installer would say it; and what is not surely internal is not called so.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DirectionFacts, directionOf } from "../../../device/consent/call-direction.js";
import { type Config, configSchema } from "../../../device/contract/config.js";

const setUp = (trunks: string[], numbers: Partial<Config["numbers"]> = { countryCode: "49" }): Config =>
  configSchema.parse({ trunks: { match: trunks }, numbers });
const WITH_TRUNKS = setUp(["203.0.113.0/24"]);
const WITHOUT = setUp([]);
const call = (facts: Partial<DirectionFacts>): DirectionFacts => ({
  agent: undefined,
  evidence: ["", ""],
  outside: ["", ""],
  users: [["0301234567"], ["21"]],
  ...facts,
});

describe("with trunks.match", () => {
  it.each([
    ["from outside to an agent", call({ agent: 1, evidence: ["", "21"], outside: ["trunk", ""] }), "inbound"],
    ["from an agent to outside", call({ agent: 0, evidence: ["21", ""], outside: ["", "trunk"] }), "outbound"],
    ["from outside, to somebody who may be an agent or not", call({ outside: ["trunk", ""] }), "inbound"],
    ["to outside, from somebody who may be an agent or not", call({ outside: ["", "trunk"] }), "outbound"],
    ["from outside to outside", call({ outside: ["trunk", "trunk"] }), undefined],
    [
      "an agent to a colleague's extension",
      call({ agent: 0, evidence: ["21", ""], users: [["21"], ["35"]] }),
      "internal",
    ],
    [
      "a colleague to an agent",
      call({ agent: 1, evidence: ["", "21"], users: [["anna.schmidt"], ["21"]] }),
      "internal",
    ],
    ["two agents", call({ evidence: ["21", "22"], users: [["21"], ["22"]] }), "internal"],
    ["two extensions of whom nobody is an agent", call({ users: [["35"], ["36"]] }), "internal"],
    [
      "two agents of whom one shows its telephone number",
      call({ evidence: ["21", "22"], users: [["+49301234521"], ["22"]] }),
      "internal",
    ],
    ["the agent's half of a call from outside", call({ agent: 1, evidence: ["", "21"] }), undefined],
    [
      "the same with the number withheld",
      call({ agent: 1, evidence: ["", "21"], users: [["anonymous"], ["21"]] }),
      undefined,
    ],
    [
      "two extensions of whom nobody has looked yet who is outside",
      call({ outside: undefined, users: [["35"], ["36"]] }),
      undefined,
    ],
    ["a side that was not seen yet", call({ agent: 1, evidence: ["", "21"], users: [[], ["21"]] }), undefined],
    ["one of several users is a telephone number", call({ users: [["35", "0301234535"], ["36"]] }), undefined],
  ] as [string, DirectionFacts, string | undefined][])("%s: %#", (_, facts, expected) =>
    expect(directionOf(facts, WITH_TRUNKS)).toBe(expected),
  );

  it.each([
    ["1234567", undefined],
    ["123456", "internal"],
    ["+4930", undefined],
    ["030/123 45-67", undefined],
  ])("%s by numbers.shortestNumber, also without a country code", (user, expected) => {
    for (const numbers of [{}, { countryCode: "49" }])
      expect(directionOf(call({ users: [[user], ["21"]] }), setUp(["203.0.113.0/24"], numbers))).toBe(expected);
  });
});

describe("without trunks.match", () => {
  it("goes by the agent's side, and nothing is internal", () => {
    expect(directionOf(call({ agent: 1 }), WITHOUT)).toBe("inbound");
    expect(directionOf(call({ agent: 0, users: [["21"], ["22"]] }), WITHOUT)).toBe("outbound");
    expect(directionOf(call({ users: [["21"], ["22"]], evidence: ["21", "22"] }), WITHOUT)).toBeUndefined();
  });
});

it("turns round with the call", () => {
  const text = fc.constantFrom("", "evidence");
  const users = fc.subarray(["21", "0301234567", "anonymous", "anna"]);
  const flip = <T>([a, b]: readonly [T, T]): [T, T] => [b, a];
  const turned = { inbound: "outbound", outbound: "inbound", internal: "internal" } as const;
  fc.assert(
    fc.property(
      fc.constantFrom(undefined, 0 as const, 1 as const),
      fc.tuple(text, text),
      fc.tuple(text, text),
      fc.tuple(users, users),
      fc.constantFrom(WITHOUT, WITH_TRUNKS),
      (agent, evidence, outside, names, config) => {
        const facts = { agent, evidence, outside, users: names };
        const other = agent === undefined ? undefined : ((1 - agent) as 0 | 1);
        const direction = directionOf(facts, config);
        const back = { agent: other, evidence: flip(evidence), outside: flip(outside), users: flip(names) };
        expect(directionOf(back, config)).toBe(direction && turned[direction]);
        if (outside.some((side) => side !== "")) expect(direction).not.toBe("internal");
      },
    ),
    { numRuns: 500, seed: 2 },
  );
});

// `sidetoned policy test`: what it answers is what the box would do; who is the caller, what is not known and what then.
import { describe, expect, it } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import { parseCall } from "../../../device/console/call-description.js";
import { describePolicyTest, type PolicyTest, runPolicyTest } from "../../../device/console/policy-report.js";
import { type Config, configSchema } from "../../../device/contract/config.js";
import type { ConsentRule } from "../../../device/contract/config-consent.js";

const RULES: Partial<ConsentRule>[] = [
  { name: "council", numbers: ["0309*"], policy: "none" },
  { name: "night", hours: ["22:00-06:00"], policy: "none" },
  {
    name: "sales",
    direction: "inbound",
    headers: ["X-Queue: sales*"],
    policy: "consent-first",
    purpose: "quality",
    retention: "long",
  },
  { name: "partner", trunks: ["203.0.113.7"], consent: "granted" },
  { name: "colleagues", direction: "internal", policy: "both-parties" },
];

function office(rest: object = {}, rules: Partial<ConsentRule>[] = RULES): Config {
  return configSchema.parse({
    agents: { match: ["2?"] },
    trunks: { match: ["203.0.113.0/24"] },
    numbers: { countryCode: "49" },
    ...rest,
    consent: { timeZone: "Europe/Berlin", rules },
  });
}
const AT = "at=2026-11-27T10:00:00+01:00";
const test = (call: string, config = office()): PolicyTest =>
  describePolicyTest(
    config,
    parseCall(
      [AT, call].filter((text) => text !== ""),
      0,
    ),
  );
const print = (call: string, config = office(), json = false): string =>
  runPolicyTest(config, parseCall([AT, call], 0), json);

describe("as text", () => {
  it("says of every rule why not, which it is, and what follows", () => {
    expect(print("from=0301234567,to=21,agent=21,direction=inbound,header=X-Queue: sales")).toBe(`\
Call: 0301234567 -> 21, inbound (direction=inbound), began Fri 2026-11-27 10:00 (Europe/Berlin)
Agent: 21, the answerer (agent=21)
Caller: 0301234567, the originator

rule  name              why
   1  council  no       numbers: the caller 0301234567 does not match 0309*
   2  night    no       hours: the call began Fri 10:00 (Europe/Berlin), not in 22:00-06:00
   3  sales    matches  direction: the call is inbound; header X-Queue: "sales" matches sales*

Decision: rule 3 "sales"
  policy     consent-first, by rule "sales": agent and caller only while the caller's consent is granted
  consent    none on file by rules
  purpose    quality
  retention  long
`);
  });

  it("says what is not known and what holds until then", () => {
    const text = print("from=0301234567,to=99,header=X-Queue: sales", office({ agents: {} }));
    expect(text).toContain("direction not known (nobody is in trunks.match, and not all are agents or extensions)");
    expect(text).toContain(
      "Agent and caller: not known; no number is in agents.match, and neither agent= nor direction= says it",
    );
    expect(text).toMatch(/3 {2}sales +may match {2}direction: not known whether the call is inbound/);
    expect(text).toContain(`\
Decision: not settled; it is no rule, so consent.policy, unless one that may match does (3, 4, 5)
Until that is known the strictest of them holds:
  policy     consent-first, by rule "sales": nothing is recorded while it is not known who the agent is
  consent    none on file by rules
  purpose    not known yet; consent for a named purpose does not count
  retention  no class
`);
  });

  it("without rules is consent.policy", () => {
    const text = print("to=21", office({}, []));
    expect(text).toContain("consent.rules is empty.");
    expect(text).toContain("Decision: no rule, so consent.policy");
    expect(text).toContain(
      "agent-only, by consent.policy: the agent is recorded, the caller only while the caller's consent",
    );
  });

  it("lets nothing through that moves a cursor", () => {
    const config = office({}, [{ name: "a\u001b[2Jb", numbers: ["\u202e1"], policy: "none" }]);
    for (const call of ["from=\u001b[2J,to=21", "from=1,to=21,header=X-A: \u001b]0;x", "to=21,trunk=\u202e"])
      expect(print(call, config)).not.toMatch(/[\u001b\u202e]/);
  });
});

it("as JSON is the same", () => {
  const call = "from=0301234567,to=21,trunk=203.0.113.7";
  const parsed = JSON.parse(print(call, office(), true)) as PolicyTest;
  expect(parsed).toEqual(test(call));
  expect(parsed).toMatchObject({
    schema: "sidetone.policy-test/1",
    call: {
      from: "0301234567",
      to: "21",
      startedAt: "2026-11-27T09:00:00.000000Z",
      localTime: "Fri 2026-11-27 10:00",
      timeZone: "Europe/Berlin",
      direction: "inbound",
      directionBy: "trunks.match 203.0.113.0/24 on trunk 203.0.113.7",
      agent: "21",
      agentSide: "answerer",
      agentBy: "agents.match 2? on user 21",
      caller: "0301234567",
    },
    decision: {
      isSettled: true,
      rule: 4,
      name: "partner",
      policy: "agent-only",
      policyRule: "",
      consent: "granted",
      consentRule: "partner",
      purpose: "recording",
      effect: "the agent is recorded, the caller while the caller does not refuse: consent is on file",
    },
    notes: [],
  });
  expect(parsed.rules.map(({ number, matches }) => [number, matches])).toEqual([
    [1, "no"],
    [2, "no"],
    [3, "no"],
    [4, "yes"],
  ]);
});

describe("who is the caller", () => {
  it.each([
    ["from=0301,to=21,agent=21", "answerer", "21", "0301"],
    ["from=21,to=0301,agent=21", "originator", "21", "0301"],
    ["from=0301,to=100,direction=inbound", "answerer", "100", "0301"],
    ["from=0301,to=100,agent=23,direction=inbound", "answerer", "23", "0301"],
    ["from=100,to=0301,direction=outbound", "originator", "100", "0301"],
    ["from=0301,agent=35", "answerer", "35", "0301"],
    ["to=0301,agent=35", "originator", "35", "0301"],
    ["agent=35,direction=inbound", "answerer", "35", ""],
    ["from=0049301234567,to=1,agent=0301234567", "originator", "0301234567", "1"],
    // Neither agent= nor direction=: what the box makes of the numbers.
    ["from=0301,to=21", "answerer", "21", "0301"],
    ["from=22,to=0301", "originator", "22", "0301"],
    ["from=0301,to=99", null, "", ""],
    ["from=21,to=22", null, "", ""],
    ["from=35,to=36,direction=internal", null, "", ""],
  ])("%s: agent %s", (call, agentSide, agent, caller) => {
    expect(test(call).call).toMatchObject({ agentSide, agent, caller });
  });

  it("trunks.otherSideIsAgent counts as on the box", () => {
    const config = office({ agents: {}, trunks: { match: ["03*"], otherSideIsAgent: true } });
    expect(test("from=0301,to=99", config).call).toMatchObject({
      agentSide: "answerer",
      direction: "inbound",
      caller: "0301",
    });
  });

  it.each([
    ["agent=21", "--call: agent= alone does not tell who called: say from=, to= or direction="],
    [
      "from=1,to=2,agent=21",
      "--call: agent=21 is neither from nor to: say direction=inbound or direction=outbound as well",
    ],
    ["from=21,to=21,agent=21", "--call: the agent is from and to: say direction=inbound or direction=outbound as well"],
    [
      "from=030 1234567,to=1,agent=0301234567,direction=inbound",
      "--call: agent=0301234567 is from, so the call is not inbound",
    ],
  ])("%s is refused", (call, line) => {
    expect(() => test(call)).toThrow(new SidetoneError("usage", line));
  });
});

describe("direction", () => {
  it.each([
    ["from=21,to=35", "internal", /^nobody is in trunks\.match, and all are/],
    ["from=21,to=22", "internal", /^nobody/],
    ["from=0301234567,to=21", "", /^nobody is in trunks\.match, and not all are/],
    ["from=0301234567,to=21,trunk=203.0.113.9", "inbound", /^trunks\.match .* on trunk 203\.0\.113\.9$/],
    ["from=21,to=0301234567,trunk=203.0.113.9", "outbound", /^trunks\.match/],
    ["from=0301234567,to=99,trunk=203.0.113.9", "", /^on which side the trunk is/],
    ["from=0301234567,to=21,trunk=192.0.2.1", "", /^nobody/],
    ["from=0301234567,to=21,direction=internal", "internal", /^direction=internal$/],
  ])("%s: %s", (call, direction, by) => {
    const { call: told } = test(call);
    expect(told.direction).toBe(direction);
    expect(told.directionBy).toMatch(by);
  });

  it("without trunks.match goes by the agent", () => {
    const config = office({ trunks: {} }, []);
    expect(test("from=0301234567,to=21", config).call).toMatchObject({ direction: "inbound" });
    expect(test("from=21,to=22", config).call.directionBy).toBe("trunks.match is empty, and the agent not known");
  });
});

describe("what follows", () => {
  const effect = (rule: Partial<ConsentRule>, call = "from=0301,to=21"): string =>
    test(call, office({}, [rule])).decision.effect;
  it.each<[Partial<ConsentRule>, string, string]>([
    [{ policy: "none" }, "from=0301,to=21", "nothing is recorded"],
    [{ policy: "both-parties" }, "from=0301,to=21", "both sides are recorded, whatever is said of consent"],
    [
      { policy: "both-parties" },
      "from=0301,to=99",
      "both sides are recorded, whatever is said of consent; originator left, answerer right, for the agent is not known",
    ],
    [{ consent: "refused" }, "from=0301,to=21", "the agent is recorded, the caller is not: refused on file"],
    [{ policy: "consent-first", consent: "refused" }, "from=0301,to=21", "nothing is recorded: refused on file"],
    [
      { policy: "consent-first", consent: "granted" },
      "from=0301,to=21",
      "agent and caller while the caller does not refuse: consent is on file",
    ],
    [{ consent: "granted" }, "from=0301,to=99", "nothing is recorded while it is not known who the agent is"],
  ])("%j for %s", (rule, call, text) => expect(effect(rule, call)).toBe(text));
});

it("notes what the configuration does not ask for", () => {
  const call = "from=0301,to=21,trunk=192.0.2.1,header=X-Foo: 1";
  expect(test(call).notes).toEqual([
    "trunk=192.0.2.1 is not in trunks.match: by that alone the box takes no side for outside",
    "no rule asks for header x-foo",
  ]);
  expect(test("from=1,to=0309,agent=0309", office({ trunks: { match: ["0309"] } })).notes).toEqual([
    "trunks.match 0309 on user 0309: the box takes nobody who is outside for the agent",
  ]);
});

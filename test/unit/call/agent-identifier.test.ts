// Who is the agent: each kind of evidence alone, against a trunk, against another, and out of registrations.
import { describe, expect, test } from "vitest";
import { AgentIdentifier } from "../../../device/call/agent-identifier.js";
import type { SideFacts } from "../../../device/call/agents.js";
import { type Config, configSchema } from "../../../device/contract/config.js";
import { PHONE, REGISTRAR, type RegisterScene, registerScene, words } from "./register-scene.js";

type Sections = { [Section in "agents" | "trunks" | "numbers"]?: Partial<Config[Section]> };

function makeIdentifier(sections: Sections, ...scenes: RegisterScene[]): AgentIdentifier {
  const identifier = new AgentIdentifier(configSchema.parse(sections));
  for (const scene of scenes) {
    const { requests, responses } = registerScene(scene);
    for (const { message, arrival } of [...requests, ...responses]) identifier.observe(message, arrival);
  }
  return identifier;
}

type Sketch = Partial<Omit<SideFacts, "addresses" | "signallingAddresses" | "signallingPeers">> & {
  media?: string[];
  from?: string[];
  to?: string[];
};

function side({ media = [], from = [], to, ...facts }: Sketch = {}): SideFacts {
  return {
    users: [],
    ...facts,
    addresses: media.map(words),
    signallingAddresses: from.map(words),
    ...(to && { signallingPeers: to.map(words) }),
  };
}

/** Judges both ways round and returns the verdict for (own, other). */
function judge(identifier: AgentIdentifier, own: Sketch, other: Sketch = {}) {
  const verdict = identifier.judge([side(own), side(other)]);
  const swapped = identifier.judge([side(other), side(own)]);
  expect(swapped.agent).toBe(verdict.agent === undefined ? undefined : 1 - verdict.agent);
  expect([...swapped.evidence].reverse()).toEqual(verdict.evidence);
  return verdict;
}

const OUTSIDE = "203.0.113.9";
const TRUNKS = { match: ["203.0.113.0/24", "+49900*"] };

describe("agents.match", () => {
  test.each<[string, string[], Sketch, string]>([
    ["a number", ["21"], { users: ["21"] }, "agents.match 21 on user 21"],
    ["a pattern", ["3?"], { users: ["x", "31"] }, "agents.match 3? on user 31"],
    ["a network", ["10.0.0.0/24"], { media: [PHONE] }, `agents.match 10.0.0.0/24 on media ${PHONE}`],
    [
      "a number dialled otherwise",
      ["030 123456"],
      { users: ["004930123456"] },
      "agents.match 030 123456 on user 004930123456",
    ],
    [
      "a pattern on the normalised number",
      ["+49301234*"],
      { users: ["0301234567"] },
      "agents.match +49301234* on user 0301234567",
    ],
    [
      "a pattern on the number as it is",
      ["0301234*"],
      { users: ["0301234567"] },
      "agents.match 0301234* on user 0301234567",
    ],
    [
      "both",
      ["21", PHONE],
      { users: ["21"], media: [PHONE] },
      `agents.match 21 on user 21; agents.match ${PHONE} on media ${PHONE}`,
    ],
  ])("%s", (_, match, facts, evidence) => {
    const identifier = makeIdentifier({ agents: { match }, numbers: { countryCode: "49" } });
    const verdict = judge(identifier, facts, { users: ["0171999"], media: ["192.0.2.1"] });
    expect(verdict).toEqual({
      agent: 0,
      contradictory: false,
      evidence: [evidence, ""],
      byAddressOnly: [facts.users === undefined, false],
      contradictions: [],
      outside: ["", ""],
    });
  });

  test("one foreign media address is enough against a network", () => {
    const identifier = makeIdentifier({ agents: { match: ["10.0.0.0/24"] } });
    expect(judge(identifier, { media: [PHONE, "192.0.2.1"] }).agent).toBeUndefined();
  });

  test.each(["anonymous", "Anonymous", "unavailable", ""])("%j is nobody, whatever the pattern", (user) => {
    expect(judge(makeIdentifier({ agents: { match: ["*"] } }), { users: [user] })).toMatchObject({
      agent: undefined,
      contradictory: false,
    });
  });

  test("who passed the call on is not who answers it", () => {
    const identifier = makeIdentifier({ agents: { match: ["21", "22"] }, numbers: { countryCode: "49" } });
    expect(judge(identifier, { users: ["21"], divertedUsers: ["21"] }).agent).toBeUndefined();
    expect(judge(identifier, { users: ["21", "22"], divertedUsers: ["21"] }).evidence[0]).toBe(
      "agents.match 22 on user 22",
    );
    const long = makeIdentifier({ agents: { match: ["+4930123456"] }, numbers: { countryCode: "49" } });
    expect(judge(long, { users: ["030123456"], divertedUsers: ["+4930123456"] }).agent).toBeUndefined();
  });

  test("both sides are a contradiction that names both", () => {
    const verdict = judge(makeIdentifier({ agents: { match: ["2?"] } }), { users: ["21"] }, { users: ["22"] });
    expect(verdict).toMatchObject({ agent: undefined, contradictory: true });
    expect(verdict.contradictions).toEqual([
      {
        code: "agent-contradictory",
        detail: { originator: "agents.match 2? on user 21", answerer: "agents.match 2? on user 22" },
      },
    ]);
  });

  test("nothing is known of nobody", () => {
    expect(judge(makeIdentifier({}), {}, {})).toEqual({
      agent: undefined,
      contradictory: false,
      evidence: ["", ""],
      byAddressOnly: [false, false],
      contradictions: [],
      outside: ["", ""],
    });
  });

  test("hostile users stay short in the evidence", () => {
    const [evidence] = judge(makeIdentifier({ agents: { match: ["*"] } }), { users: ["x".repeat(9000)] }).evidence;
    expect(evidence!.length).toBeLessThan(120);
  });
});

describe("the phone itself", () => {
  const agents = { userAgents: ["snom*"], macs: ["00:04:13"], vlans: [20] };
  const identifier = makeIdentifier({ agents, trunks: TRUNKS });

  test.each<[Sketch, string]>([
    [{ userAgents: ["snomD785/10.1"], from: [PHONE] }, "agents.userAgents snom* on snomD785/10.1"],
    [{ userAgents: ["SNOM 300"], from: [PHONE] }, "agents.userAgents snom* on SNOM 300"],
    [{ macs: ["00:04:13:aa:bb:cc"] }, "agents.macs 00:04:13 on 00:04:13:aa:bb:cc"],
    [{ vlans: [20] }, "agents.vlans 20 on VLAN 20"],
    [
      { vlans: [20], macs: ["00:04:13:aa:bb:cc"] },
      "agents.macs 00:04:13 on 00:04:13:aa:bb:cc; agents.vlans 20 on VLAN 20",
    ],
  ])("%j", (facts, evidence) => {
    expect(judge(identifier, facts)).toMatchObject({
      agent: 0,
      evidence: [evidence, ""],
      byAddressOnly: [false, false],
    });
    // A trunk beats it, and the record says so.
    for (const outside of [{ from: [OUTSIDE] }, { media: [OUTSIDE] }, { users: ["+4990012345"] }]) {
      const verdict = judge(identifier, { ...facts, ...outside });
      expect(verdict).toMatchObject({ agent: undefined, contradictory: true });
      const [trunk] = verdict.outside;
      expect(verdict.contradictions).toEqual([
        { code: "agent-on-trunk", detail: { side: "originator", agent: evidence, trunk } },
      ]);
      expect(trunk).toMatch(/^trunks.match /);
    }
    expect(judge(identifier, facts, { from: [OUTSIDE], ...facts, media: [OUTSIDE] }).agent).toBe(0);
  });

  test.each<[string, Sketch]>([
    ["a name from nowhere", { userAgents: ["snomD785"] }],
    ["another name", { userAgents: ["PBX"], from: [PHONE] }],
    ["two names of which one is another's", { userAgents: ["snomD785", "PBX"], from: [PHONE] }],
    ["another MAC", { macs: ["00:04:14:aa:bb:cc"] }],
    ["two MACs", { macs: ["00:04:13:aa:bb:cc", "00:11:22:33:44:55"] }],
    ["two VLANs", { vlans: [20, 30] }],
    ["no VLAN", { vlans: [-1] }],
    ["nothing", { userAgents: [], macs: [], vlans: [], from: [PHONE] }],
  ])("%s proves nothing", (_, facts) => expect(judge(identifier, facts).evidence).toEqual(["", ""]));

  test("does not lift the look at the media's source", () => {
    const both = makeIdentifier({ agents: { ...agents, match: ["10.0.0.0/24"] } });
    expect(judge(both, { vlans: [20], media: [PHONE] }).byAddressOnly).toEqual([true, false]);
  });
});

describe("trunks", () => {
  const identifier = makeIdentifier({
    agents: { match: ["2?", "10.0.0.0/8"] },
    trunks: { match: ["10.0.0.5", "+49900*"] },
  });

  test.each<[Sketch, string, string]>([
    [
      { users: ["21"], from: ["10.0.0.5"] },
      "agents.match 2? on user 21",
      "trunks.match 10.0.0.5 on signalling 10.0.0.5",
    ],
    [{ media: ["10.0.0.5"] }, "agents.match 10.0.0.0/8 on media 10.0.0.5", "trunks.match 10.0.0.5 on media 10.0.0.5"],
    [{ users: ["21", "+4990055"] }, "agents.match 2? on user 21", "trunks.match +49900* on user +4990055"],
  ])("%j is outside all the same, and said so", (facts, agent, trunk) => {
    const verdict = judge(identifier, facts);
    expect(verdict).toMatchObject({ agent: undefined, contradictory: true, evidence: ["", ""], outside: [trunk, ""] });
    expect(verdict.contradictions).toEqual([{ code: "agent-on-trunk", detail: { side: "originator", agent, trunk } }]);
    const withAgent = judge(identifier, facts, { users: ["22"] });
    expect(withAgent).toMatchObject({ agent: 1, contradictory: false });
    expect(withAgent.contradictions).toHaveLength(1);
  });

  test("the other side is not the agent by that alone, unless it is said to be", () => {
    const trunks = { match: ["203.0.113.0/24"] };
    const plain = makeIdentifier({ trunks });
    const switched = makeIdentifier({ agents: { match: ["21"] }, trunks: { ...trunks, otherSideIsAgent: true } });
    const outside = { from: [OUTSIDE] };
    expect(judge(plain, { users: ["55"] }, outside)).toMatchObject({ agent: undefined, contradictory: false });
    expect(judge(switched, { users: ["55"] }, outside)).toMatchObject({
      agent: 0,
      evidence: [`trunks.otherSideIsAgent, other side trunks.match 203.0.113.0/24 on signalling ${OUTSIDE}`, ""],
    });
    expect(judge(switched, { users: ["21"] }, outside).evidence[0]).toBe("agents.match 21 on user 21");
    expect(judge(switched, outside, outside).agent).toBeUndefined();
    expect(judge(switched, { users: ["55"] }, {}).agent).toBeUndefined();
    // An agent's number on the trunk: then it is not clear who is where.
    expect(judge(switched, { users: ["55"] }, { ...outside, users: ["21"] })).toMatchObject({
      agent: undefined,
      contradictory: true,
    });
  });

  test("no agent's media comes from one", () => {
    expect(identifier.addressIsAgent(words("10.0.0.7"))).toBe(true);
    expect(identifier.addressIsAgent(words("10.0.0.5"))).toBe(false);
    expect(identifier.addressIsAgent(words("192.0.2.1"))).toBe(false);
    expect(identifier.addressIsAgent([9, ...words("10.0.0.7")], 1)).toBe(true);
  });
});

describe("registrations", () => {
  const pbx: Sketch = { from: [REGISTRAR], media: [REGISTRAR] };
  const byNumber = { agents: { match: ["2?"] } };

  test("a phone is known by its address when its user is in agents.match", () => {
    const identifier = makeIdentifier(byNumber, {});
    expect(judge(identifier, { users: ["x7d9"], from: [PHONE] }, pbx)).toMatchObject({
      agent: 0,
      evidence: [`agents.match 2? on user 21 registered at ${PHONE}, on signalling ${PHONE}`, ""],
      byAddressOnly: [false, false],
    });
    expect(judge(identifier, { users: ["x7d9"], media: [PHONE] }, pbx)).toMatchObject({
      agent: 0,
      evidence: [`agents.match 2? on user 21 registered at ${PHONE}, on media ${PHONE}`, ""],
      byAddressOnly: [true, false],
    });
    expect([PHONE, "10.0.0.8", REGISTRAR].map((address) => identifier.addressIsAgent(words(address)))).toEqual([
      true,
      false,
      false,
    ]);
  });

  test("and by its user when its address is", () => {
    const identifier = makeIdentifier({ agents: { match: ["10.0.0.0/24"] } }, {});
    const facts = { users: ["21"], media: ["192.0.2.77"] };
    const evidence = `agents.match 10.0.0.0/24 on address ${PHONE} where user 21 is registered at ${PHONE}, on user 21`;
    for (const uri of ["sip:21@pbx.example", `sip:21@${REGISTRAR}:5060`])
      expect(judge(identifier, { ...facts, uris: [uri] }).evidence[0], uri).toBe(evidence);
    // The same extension of somebody else's office.
    for (const uri of ["sip:21@other.example", "sip:21@192.0.2.77", "sip:22@pbx.example", "tel:21"])
      expect(judge(identifier, { ...facts, uris: [uri] }).evidence[0], uri).toBe("");
    expect(judge(identifier, { ...facts, uris: ["sip:21@pbx.example"], divertedUsers: ["21"] }).evidence[0]).toBe("");
  });

  test("a user with a phone elsewhere too is not known by its name", () => {
    const granted = [`<sip:21@${PHONE}:5060>`, "<sip:21@192.0.2.9:5060>"];
    const scenes: RegisterScene[] = [{}, { path: ["192.0.2.9", REGISTRAR], granted }];
    const identifier = makeIdentifier({ agents: { match: ["10.0.0.0/24"] } }, ...scenes);
    expect(judge(identifier, { users: ["21"], uris: ["sip:21@pbx.example"] }).evidence[0]).toBe("");
  });

  test("makes nobody an agent whom agents.match does not name", () => {
    const identifier = makeIdentifier(byNumber, { record: "55@pbx.example" });
    expect(judge(identifier, { users: ["55"], from: [PHONE], media: [PHONE] }, pbx).agent).toBeUndefined();
    const empty = makeIdentifier({}, {});
    expect(judge(empty, { users: ["21"], uris: ["sip:21@pbx.example"], from: [PHONE] }, pbx).agent).toBeUndefined();
    const everyPhone = makeIdentifier({ agents: { registeredPhonesAreAgents: true } }, {});
    expect(judge(everyPhone, { from: [PHONE] }, pbx)).toMatchObject({
      agent: 0,
      evidence: [`agents.registeredPhonesAreAgents for user 21 registered at ${PHONE}, on signalling ${PHONE}`, ""],
    });
  });

  test("can be switched off", () => {
    const identifier = makeIdentifier({ agents: { match: ["2?"], learnFromRegistrations: false } }, {});
    expect(judge(identifier, { from: [PHONE] }, pbx).agent).toBeUndefined();
    expect(identifier.exportCounters()["agents.registrations"]).toBe(0);
  });

  test("runs out", () => {
    const identifier = makeIdentifier(byNumber, { expires: "60" });
    identifier.sweep(1059e6);
    expect(judge(identifier, { from: [PHONE] }, pbx).agent).toBe(0);
    identifier.sweep(1061e6);
    expect(judge(identifier, { from: [PHONE] }, pbx).agent).toBeUndefined();
    expect(identifier.addressIsAgent(words(PHONE))).toBe(false);
  });

  test("counts only towards the registrar", () => {
    const identifier = makeIdentifier(byNumber, {});
    const caller = { from: [PHONE] };
    expect(judge(identifier, caller, { from: ["10.0.0.99"] }).agent).toBeUndefined();
    expect(judge(identifier, caller, {}).agent).toBeUndefined();
    expect(judge(identifier, { ...caller, to: [REGISTRAR] }, { from: ["10.0.0.99"] }).agent).toBe(0);
    expect(judge(identifier, { ...caller, to: ["10.0.0.99"] }, pbx).agent).toBeUndefined();
  });

  test("a PBX that registers an agent's number with a provider is not the agent towards its own phones", () => {
    const identifier = makeIdentifier(
      { agents: { match: ["+4930*"] } },
      { record: "+4930123@provider.example", path: [REGISTRAR, "198.51.100.1"] },
    );
    const phoneSide = { users: ["55"], from: [PHONE], media: [PHONE] };
    expect(judge(identifier, pbx, phoneSide).agent).toBeUndefined();
    expect(judge(identifier, pbx, { from: ["198.51.100.1"] }).agent).toBe(0);
    const known = makeIdentifier(
      { agents: { match: ["+4930*"] } },
      { record: "+4930123@provider.example", path: [REGISTRAR, "198.51.100.1"] },
      { record: "55@pbx.example" },
    );
    expect(judge(known, pbx, { from: ["198.51.100.1"] }).agent).toBeUndefined();
    expect(known.addressIsAgent(words(REGISTRAR))).toBe(false);
  });

  test("towards a trunk nothing is learnt", () => {
    const sections = { agents: { match: ["+4930*"] }, trunks: { match: ["198.51.100.0/24", "99"] } };
    const identifier = makeIdentifier(
      sections,
      { record: "+4930123@provider.example", path: [REGISTRAR, "198.51.100.1"] },
      { record: "+4930124@x", path: ["198.51.100.2", REGISTRAR] },
    );
    expect(identifier.exportCounters()).toMatchObject({ "agents.registrations": 0, "agents.registrations-outside": 4 });
    const everyPhone = makeIdentifier(
      { agents: { registeredPhonesAreAgents: true }, trunks: sections.trunks },
      { record: "99@pbx.example" },
    );
    expect(judge(everyPhone, { from: [PHONE] }, pbx).agent).toBeUndefined();
  });

  test("a user whose phone sits behind a trunk is not known by its name", () => {
    const behindProxy = (received: string) => {
      const sections = { agents: { registeredPhonesAreAgents: true }, trunks: { match: ["198.51.100.0/24"] } };
      const identifier = makeIdentifier(sections);
      const path = [PHONE, "10.0.0.2", REGISTRAR];
      const { requests, responses } = registerScene({ path, via: `;received=${received}` });
      for (const { message, arrival } of [requests[1]!, responses[0]!]) identifier.observe(message, arrival);
      return judge(identifier, { users: ["21"], uris: ["sip:21@pbx.example"] }).agent;
    };
    expect(behindProxy("192.0.2.7")).toBe(0);
    expect(behindProxy("198.51.100.7")).toBeUndefined();
  });

  describe("an address that several users share", () => {
    const scene = (user: string, line = user): RegisterScene => ({
      record: `${user}@pbx.example`,
      contacts: [`<sip:${line}@${PHONE}:5060>`],
    });

    test("proves it of all when all are agents", () => {
      const identifier = makeIdentifier(byNumber, scene("21"), scene("22"));
      expect(judge(identifier, { from: [PHONE] }, pbx).agent).toBe(0);
      expect(identifier.addressIsAgent(words(PHONE))).toBe(true);
    });

    test("proves nothing when one is not", () => {
      const identifier = makeIdentifier(byNumber, scene("21"), scene("55"));
      expect(judge(identifier, { from: [PHONE] }, pbx).agent).toBeUndefined();
      expect(judge(identifier, { media: [PHONE] }, pbx).agent).toBeUndefined();
      expect(identifier.addressIsAgent(words(PHONE))).toBe(false);
    });

    test("but the line in Contact tells them apart", () => {
      const identifier = makeIdentifier(byNumber, scene("21", "line1"), scene("55", "line2"));
      const on = (contact: string) => judge(identifier, { from: [PHONE], contacts: [contact] }, pbx).agent;
      expect(on(`sip:line1@${PHONE}:5060`)).toBe(0);
      expect(on(`sip:21@${PHONE}`)).toBe(0);
      expect(on(`sip:line2@${PHONE}:5060`)).toBeUndefined();
      expect(on(`sip:unknown@${PHONE}`)).toBeUndefined();
      expect(on(`sip:${PHONE}:5060`)).toBeUndefined();
    });

    test("a line nobody registered is not the one that is known there", () => {
      const identifier = makeIdentifier(byNumber, scene("21"));
      expect(judge(identifier, { from: [PHONE], contacts: [`sip:55@${PHONE}:5061`] }, pbx).agent).toBeUndefined();
    });
  });

  describe("against agents.match", () => {
    const scenes: RegisterScene[] = [{}, { record: "55@pbx.example", path: ["10.0.0.55", REGISTRAR] }];

    test("an agent's number from another's phone counts for nobody", () => {
      const identifier = makeIdentifier(byNumber, ...scenes);
      const verdict = judge(identifier, { users: ["21"], from: ["10.0.0.55"] }, pbx);
      expect(verdict).toMatchObject({ agent: undefined, contradictory: true, evidence: ["", ""] });
      expect(verdict.contradictions).toEqual([
        {
          code: "agent-registered-otherwise",
          detail: {
            side: "originator",
            agent: "agents.match 2? on user 21",
            registration: `10.0.0.55 is registered for user 55, user 21 is registered at ${PHONE}`,
          },
        },
      ]);
      expect(judge(identifier, { users: ["21"], from: [PHONE] }, pbx).agent).toBe(0);
    });

    test("not where the number's own phone is unknown, the address is a PBX's or another agent's", () => {
      const alone = makeIdentifier(byNumber, scenes[1]!);
      expect(judge(alone, { users: ["21"], from: ["10.0.0.55"] }, pbx).agent).toBe(0);
      const identifier = makeIdentifier(byNumber, ...scenes);
      expect(judge(identifier, { users: ["21"], from: [REGISTRAR] }, { from: ["10.0.0.55"] }).agent).toBe(0);
      const agents = makeIdentifier(byNumber, {}, { record: "22@pbx.example", path: ["10.0.0.55", REGISTRAR] });
      expect(judge(agents, { users: ["21"], from: ["10.0.0.55"] }, pbx).agent).toBe(0);
    });
  });
});

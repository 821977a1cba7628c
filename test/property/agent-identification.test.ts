// Whatever evidence comes together: a side with a sign of being outside is never the agent, nobody is the agent without
// evidence of its own, and exchanging the sides exchanges the verdict.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AgentIdentifier } from "../../device/call/agent-identifier.js";
import type { SideFacts } from "../../device/call/agents.js";
import { configSchema } from "../../device/contract/config.js";
import { type RegisterScene, registerScene, words } from "../unit/call/register-scene.js";

const ADDRESSES = ["10.0.0.1", "10.0.0.7", "10.0.0.55", "203.0.113.9", "2001:db8::9"];
const USERS = ["21", "22", "55", "+4930123456", "030123456", "+4990055", "anonymous", ""];

const some = <T>(...values: T[]) => fc.uniqueArray(fc.constantFrom(...values), { maxLength: 2 });
const addresses = some(...ADDRESSES).map((list) => list.map(words));
const facts: fc.Arbitrary<SideFacts> = fc.record(
  {
    users: some(...USERS),
    addresses,
    signallingAddresses: addresses,
    signallingPeers: addresses,
    uris: some("sip:21@pbx.example", "sip:55@pbx.example", "sip:21@other.example", "tel:+4930123456"),
    contacts: some("sip:21@10.0.0.7:5060", "sip:55@10.0.0.55:5060", "sip:10.0.0.1"),
    userAgents: some("snomD785", "Trunk"),
    macs: some("00:04:13:00:00:01", "00:11:22:00:00:01"),
    vlans: some(20, 30, -1),
    divertedUsers: some("21", "55"),
  },
  { requiredKeys: ["users", "addresses"] },
);
const scene: fc.Arbitrary<RegisterScene> = fc.record({
  record: fc.constantFrom("21@pbx.example", "22@pbx.example", "55@pbx.example", "+4930123456@provider.example"),
  path: fc.uniqueArray(fc.constantFrom(...ADDRESSES.slice(0, 4)), { minLength: 2, maxLength: 3 }),
  status: fc.constantFrom(200, 200, 401),
  expires: fc.constantFrom("3600", "3600", "0"),
});
const config = fc
  .record({
    agents: fc.record({
      match: some("2?", "+4930123456", "10.0.0.0/24", "*"),
      registeredPhonesAreAgents: fc.boolean(),
      userAgents: some("snom*", "*"),
      macs: some("00:04:13"),
      vlans: some(20),
    }),
    trunks: fc.record({ match: some("203.0.113.0/24", "10.0.0.1", "+49900*", "55"), otherSideIsAgent: fc.boolean() }),
    numbers: fc.record({ countryCode: fc.constantFrom("", "49") }),
  })
  .map((sections) => configSchema.parse(sections));

function identifierOf(own: ReturnType<typeof configSchema.parse>, scenes: readonly RegisterScene[]): AgentIdentifier {
  const identifier = new AgentIdentifier(own);
  for (const [cseq, one] of scenes.entries()) {
    const { requests, responses } = registerScene({ ...one, cseq });
    for (const { message, arrival } of [...requests, ...responses]) identifier.observe(message, arrival);
  }
  return identifier;
}

/** What trunks.match says, worked out without the code under test: its entries above are few. */
function isOutside(
  match: readonly string[],
  { users, addresses: media, signallingAddresses = [] }: SideFacts,
): boolean {
  const seen = [...media, ...signallingAddresses].map((one) => one.join());
  const has = (address: string): boolean => seen.includes(words(address).join());
  return match.some((entry) => {
    if (entry === "203.0.113.0/24") return has("203.0.113.9");
    if (entry === "10.0.0.1") return has("10.0.0.1");
    return entry === "55" ? users.includes("55") : users.includes("+4990055");
  });
}

describe("any evidence", () => {
  test("a trunk's side is never the agent, and swapping the sides swaps the verdict", () => {
    const seen = { agent: 0, outsideWithAgent: 0, contradictory: 0, outsideAlone: 0 };
    fc.assert(
      fc.property(config, fc.array(scene, { maxLength: 4 }), facts, facts, (own, scenes, a, b) => {
        const identifier = identifierOf(own, scenes);
        const verdict = identifier.judge([a, b]);
        const outside = [a, b].map((side) => isOutside(own.trunks.match, side));
        expect(verdict.outside.map((text) => text !== "")).toEqual(outside);
        for (const side of [0, 1] as const) if (outside[side]) expect(verdict.agent).not.toBe(side);
        if (verdict.agent !== undefined) {
          expect(verdict.evidence[verdict.agent]).not.toBe("");
          expect(verdict.evidence[1 - verdict.agent]).toBe("");
          expect(verdict.contradictory).toBe(false);
        }
        for (const { detail } of verdict.contradictions)
          expect(Object.values(detail).every((value) => value !== "")).toBe(true);

        const swapped = identifier.judge([b, a]);
        expect(swapped.agent).toBe(verdict.agent === undefined ? undefined : 1 - verdict.agent);
        expect(swapped.contradictory).toBe(verdict.contradictory);
        expect(swapped.contradictions).toHaveLength(verdict.contradictions.length);
        for (const key of ["evidence", "byAddressOnly", "outside"] as const)
          expect([...swapped[key]].reverse()).toEqual(verdict[key]);
        // Judging learns nothing.
        expect(identifier.judge([a, b])).toEqual(verdict);

        if (verdict.agent !== undefined) seen.agent++;
        if (verdict.contradictory) seen.contradictory++;
        if (outside.some(Boolean)) verdict.agent === undefined ? seen.outsideAlone++ : seen.outsideWithAgent++;
      }),
      { numRuns: 4000, seed: 11 },
    );
    // The inputs reach what the properties speak of.
    for (const [name, count] of Object.entries(seen)) expect(count, name).toBeGreaterThan(50);
  });

  test("without anything configured nobody is the agent", () => {
    fc.assert(
      fc.property(fc.array(scene, { maxLength: 4 }), facts, facts, (scenes, a, b) => {
        const verdict = identifierOf(configSchema.parse({}), scenes).judge([a, b]);
        expect(verdict).toMatchObject({ agent: undefined, contradictory: false, evidence: ["", ""] });
      }),
      { numRuns: 500 },
    );
  });

  test("what is not seen of a side never makes it the agent more surely: facts left out prove nothing", () => {
    fc.assert(
      fc.property(config, facts, (own, a) => {
        const identifier = identifierOf(own, []);
        const bare = { users: [], addresses: [] };
        expect(identifier.judge([bare, bare]).evidence).toEqual(["", ""]);
        if (own.trunks.otherSideIsAgent) return;
        expect(identifier.judge([bare, a]).evidence[0]).toBe("");
      }),
      { numRuns: 500 },
    );
  });
});

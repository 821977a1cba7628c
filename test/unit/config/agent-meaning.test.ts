// Settings of agents, trunks and numbers that look right and would do nothing, and the words in which that is said.
import { describe, expect, it } from "vitest";
import type { SidetoneError } from "../../../device/base/errors.js";
import { findAgentFaults } from "../../../device/config/agent-meaning.js";
import { loadConfig } from "../../../device/config/load.js";
import { type Config, configSchema, namesAgents } from "../../../device/contract/config.js";

type Sections = { [Section in "agents" | "trunks" | "numbers"]?: Partial<Config[Section]> };
const faults = (sections: Sections): string[] =>
  findAgentFaults(configSchema.parse(sections)).map(({ path, text }) => `${path.join(".")}: ${text}`);

describe("match lists", () => {
  it.each([
    ["10.0.0.0/33", /neither an address nor a CIDR/],
    ["10.0.0.*", /write a network like/],
    ["sip:21@pbx", /without scheme and host: 21$/],
    ["00:04:13:aa:bb:cc", /belong in agents\.macs/],
  ])("%s", (entry, text) => {
    for (const section of ["agents", "trunks"] as const) {
      const [only, ...more] = faults({ [section]: { match: ["fine", entry] } });
      expect(more).toEqual([]);
      expect(only).toMatch(new RegExp(`^${section}\\.match\\.1: `));
      expect(only).toMatch(text);
    }
  });

  it.each([
    [["10.0.0.5"], ["10.0.0.0/24"]],
    [["10.0.0.0/25"], ["10.0.0.0/24"]],
    [["2001:db8::7"], ["2001:db8::/32"]],
    [["21"], ["21"]],
    [["21"], ["2?"]],
    [["+49301*"], ["+4930*"]],
  ])("agents %j inside trunks %j", (agents, trunks) => {
    expect(faults({ agents: { match: agents }, trunks: { match: trunks } })).toEqual([
      `agents.match.0: can make nobody the agent: ${trunks[0]} in trunks.match says that it is outside`,
    ]);
  });

  it.each([
    [["10.0.0.0/24"], ["10.0.0.5"]],
    [["2?"], ["21"]],
    [["10.0.0.0/24"], ["2001:db8::/32"]],
    [["21"], ["10.0.0.0/8"]],
  ])("agents %j beside trunks %j are fine", (agents, trunks) => {
    expect(faults({ agents: { match: agents }, trunks: { match: trunks } })).toEqual([]);
  });
});

describe("MAC addresses", () => {
  it.each([
    ["00:04:13:*", /needs no wildcard/],
    ["00:04:13:xx:xx:xx", /needs no wildcard/],
    ["01:00:5e:00:00:01", /group address/],
    ["00:04", /is no MAC address and no prefix/],
    ["10.0.0.7", /is no MAC address and no prefix/],
    ["phone-7", /is no MAC address and no prefix/],
  ])("%s", (entry, text) => {
    const found = faults({ agents: { macs: ["00:04:13", entry] } });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^agents\.macs\.1: /);
    expect(found[0]).toMatch(text);
  });
});

describe("switches without what they need", () => {
  it.each<[Sections, string]>([
    [{ trunks: { otherSideIsAgent: true } }, "trunks.otherSideIsAgent: has no effect without trunks.match"],
    [
      { agents: { registeredPhonesAreAgents: true, learnFromRegistrations: false } },
      "agents.registeredPhonesAreAgents: has no effect while agents.learnFromRegistrations is false",
    ],
    [{ numbers: { areaCode: "30" } }, "numbers.areaCode: has no effect without numbers.countryCode"],
    [{ numbers: { outsideLinePrefix: "0" } }, "numbers.outsideLinePrefix: has no effect without numbers.countryCode"],
    [
      { numbers: { countryCode: "49", areaCode: "030" } },
      "numbers.areaCode: begins with the national prefix; write it without: 30",
    ],
    [
      { numbers: { countryCode: "49", internationalPrefix: "0" } },
      "numbers.internationalPrefix: is the national prefix as well; a dialled number could mean both",
    ],
    [
      { numbers: { countryCode: "49", outsideLinePrefix: "00" } },
      "numbers.outsideLinePrefix: is the international prefix as well; a dialled number could mean both",
    ],
  ])("%j", (sections, line) => expect(faults(sections)).toEqual([line]));

  it("are fine with it", () => {
    expect(faults({})).toEqual([]);
    expect(faults({ trunks: { otherSideIsAgent: true, match: ["203.0.113.0/24"] } })).toEqual([]);
    expect(faults({ agents: { registeredPhonesAreAgents: true } })).toEqual([]);
    expect(faults({ numbers: { countryCode: "49", areaCode: "30", outsideLinePrefix: "0" } })).toEqual([]);
    expect(faults({ numbers: { countryCode: "34", nationalPrefix: "", areaCode: "91" } })).toEqual([]);
  });
});

describe("loaded", () => {
  const problem = (environment: Record<string, string>): string => {
    try {
      loadConfig({ environment, defaultFile: "/nonexistent/sidetone.yaml" });
    } catch (error) {
      return (error as SidetoneError).message;
    }
    return "";
  };
  it.each([
    ["SIDETONE_AGENTS_MACS", "00:04:13,nonsense", /agents\.macs\[1\]: "nonsense" is no MAC address/],
    ["SIDETONE_AGENTS_VLANS", "20,4095", /agents\.vlans\[1\]: found 4095, expected a whole number from 1 to 4094/],
    ["SIDETONE_AGENTS_VLANS", "voice", /agents\.vlans\[0\]: found "voice", expected a whole number/],
    ["SIDETONE_TRUNKS_MATCH", "10.0.0.0/40", /trunks\.match\[0\]: "10\.0\.0\.0\/40" looks like an address/],
    ["SIDETONE_NUMBERS_COUNTRY_CODE", "049", /numbers\.countryCode: found "049", expected text like/],
    [
      "SIDETONE_NUMBERS_SHORTEST_NUMBER",
      "2",
      /numbers\.shortestNumber: found 2, expected a whole number from 3 to 15 digits/,
    ],
    ["SIDETONE_AGENTS_MAX_REGISTRATIONS", "1", /agents\.maxRegistrations: found 1, expected/],
  ])("%s=%s", (name, value, text) => expect(problem({ [name]: value })).toMatch(text));

  it("takes everything that is right", () => {
    const { config } = loadConfig({
      environment: {
        SIDETONE_AGENTS_MACS: "00:04:13, 0011.2233.4455",
        SIDETONE_AGENTS_VLANS: "20,30",
        SIDETONE_AGENTS_USER_AGENTS: "snom*, Yealink *",
        SIDETONE_TRUNKS_MATCH: "203.0.113.0/24",
        SIDETONE_NUMBERS_COUNTRY_CODE: "49",
      },
      defaultFile: "/nonexistent/sidetone.yaml",
    });
    expect(config.agents.vlans).toEqual([20, 30]);
    expect(config.numbers).toEqual({ ...configSchema.parse({}).numbers, countryCode: "49" });
  });
});

it.each<[Sections, boolean]>([
  [{}, false],
  [{ agents: { learnFromRegistrations: true }, trunks: { match: ["10.0.0.1"] } }, false],
  [{ agents: { match: ["21"] } }, true],
  [{ agents: { vlans: [20] } }, true],
  [{ agents: { macs: ["00:04:13"] } }, true],
  [{ agents: { userAgents: ["snom*"] } }, true],
  [{ agents: { registeredPhonesAreAgents: true } }, true],
  [{ trunks: { otherSideIsAgent: true } }, true],
])("%j names agents: %s", (sections, isNamed) => expect(namesAgents(configSchema.parse(sections))).toBe(isNamed));

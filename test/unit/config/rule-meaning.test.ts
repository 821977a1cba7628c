// Rules that look right and would do nothing: conditions that nothing meets, rules to which earlier ones leave nothing,
// names that stand for two.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findRuleFaults } from "../../../device/config/rule-meaning.js";
import { RuleBook } from "../../../device/consent/rule-book.js";
import { type Config, configSchema } from "../../../device/contract/config.js";
import type { ConsentRule } from "../../../device/contract/config-consent.js";
import { arbitraryFacts, arbitraryRules, configOf, IN_GERMANY } from "../consent/rule-scene.js";

type Rules = Partial<ConsentRule>[];
const faultsOf = (config: Config): string[] =>
  findRuleFaults(config).map(({ path, text }) => `${path.join(".").replace("consent.rules.", "")}: ${text}`);
const faults = (rules: Rules, rest: object = {}): string[] =>
  faultsOf(configSchema.parse({ ...rest, consent: { rules } }));

describe("conditions", () => {
  it.each<[Partial<ConsentRule>, string]>([
    [{ numbers: ["sip:21@pbx"] }, "0.numbers.0: matches the user part only, so write it without scheme and host: 21"],
    [{ agents: ["x", "21@pbx"] }, "0.agents.1: matches the user part only, so write it without scheme and host: 21"],
    [
      { agents: ["10.0.0.0/24"] },
      "0.agents.0: is an address; numbers and patterns are compared here, networks go into trunks",
    ],
    [
      { numbers: ["2001:db8::1"] },
      "0.numbers.0: is an address; numbers and patterns are compared here, networks go into trunks",
    ],
    [
      { trunks: ["203.0.113.0/24", "10.0.0.0/33"] },
      "0.trunks.1: looks like an address but is neither an address nor a CIDR network",
    ],
    [
      { trunks: ["sip:4930@carrier"] },
      "0.trunks.0: matches the user part only, so write it without scheme and host: 4930",
    ],
    [{ hours: ["08:00-18:00", "09:00-09:00"] }, "0.hours.1: is no time at all; the whole day is 00:00-24:00"],
    [{ headers: ["X-Queue: "] }, "0.headers.0: has no pattern; for any value write * after the colon"],
    [{ headers: ["s: sales*"] }, "0.headers.0: is a header's short form; write its long name, as in Subject for s"],
    [
      { direction: "internal" },
      "0.direction: can never match: without trunks.match nothing tells that nobody is outside",
    ],
  ])("%j", (rule, line) => expect(faults([rule])).toEqual([line]));

  it("that can be met are fine", () => {
    const rule: Partial<ConsentRule> = {
      direction: "internal",
      trunks: ["203.0.113.0/24", "2001:db8::/32", "+4930*"],
      agents: ["2?", "anna"],
      numbers: ["030*"],
      days: ["sat", "sun"],
      hours: ["22:00-06:00", "18:00-24:00", "00:00-24:00"],
      headers: ["X-Queue: sales*", "Subject:*"],
    };
    expect(faults([rule], { trunks: { match: ["203.0.113.0/24"] } })).toEqual([]);
  });
});

describe("time zone", () => {
  const zone = (timeZone: string): string[] => faultsOf(configSchema.parse({ consent: { timeZone } }));
  it.each(["", "Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "europe/berlin"])("%j is fine", (name) =>
    expect(zone(name)).toEqual([]),
  );
  it.each([
    ["Europe/Berln", "consent.timeZone: is no time zone; names are like Europe/Berlin; did you mean Europe/Berlin?"],
    ["Mitteleuropa", "consent.timeZone: is no time zone; names are like Europe/Berlin"],
    ["\u001b[2J", "consent.timeZone: is no time zone; names are like Europe/Berlin"],
  ])("%j is refused", (name, line) => expect(zone(name)).toEqual([line]));
});

describe("rules that can never match", () => {
  const taken = (ranks: string, what: string): string =>
    `can never match: earlier rules (number ${ranks} of the list) take all its ${what}`;
  it.each<[string, Rules, string[]]>([
    ["everything is taken", [{ policy: "none" }, { days: ["sat"] }], [`1: ${taken("1", "calls")}`]],
    [
      "everything is taken by *",
      [{ numbers: ["*"] }, { agents: ["21"], numbers: ["1"] }],
      [`1: ${taken("1", "numbers")}`],
    ],
    ["the same conditions", [{ days: ["sat"] }, { days: ["sat"], numbers: ["1"] }], [`1: ${taken("1", "numbers")}`]],
    [
      "the same conditions in another order",
      [
        { agents: ["21", "22"], headers: ["X-A: 1", "X-B: 2"] },
        { agents: ["22", "21"], headers: ["X-B: 2", "X-A: 1"] },
      ],
      [`1: ${taken("1", "calls")}`],
    ],
    [
      "its numbers, whatever else it asks",
      [{ numbers: ["03*"] }, { numbers: ["030*"], hours: ["08:00-09:00"] }],
      [`1: ${taken("1", "numbers")}`],
    ],
    [
      "by two rules, of which one asks the same",
      [{ numbers: ["1"] }, { days: ["sat"], numbers: ["2"] }, { days: ["sat"], numbers: ["1", "2"] }],
      [`2: ${taken("1, 2", "numbers")}`],
    ],
    [
      "more conditions take nothing from others",
      [{ days: ["sat"] }, { hours: ["08:00-09:00"] }, { numbers: ["1"] }, {}],
      [],
    ],
    [
      "other conditions",
      [
        { days: ["sat"], numbers: ["*"] },
        { days: ["sun"], numbers: ["1"] },
      ],
      [],
    ],
    ["a further condition takes less", [{ days: ["sat"], agents: ["21"] }, { days: ["sat"] }], []],
    [
      "direction",
      [{ direction: "inbound" }, { direction: "outbound" }, { direction: "inbound", numbers: ["1"] }],
      [`2: ${taken("1", "numbers")}`],
    ],
  ])("%s", (_, rules, lines) => expect(faults(rules)).toEqual(lines));

  it("a number that others write otherwise is not taken by a pattern that fits one form", () => {
    const rules = [{ numbers: ["030*"] }, { numbers: ["0301234567"] }];
    expect(faults(rules)).toHaveLength(1);
    expect(faults(rules, { numbers: { countryCode: "49" } })).toEqual([]);
    expect(faults([{ numbers: ["+49 30*"] }, { numbers: ["+49 30 1234567"] }])).toEqual([]);
    for (const first of ["0301234567", "*"])
      expect(
        faults([{ numbers: [first] }, { numbers: ["0301234567"] }], { numbers: { countryCode: "49" } }),
      ).toHaveLength(1);
    expect(faults([{ numbers: ["2?"] }, { numbers: ["21"] }], { numbers: { countryCode: "49" } })).toHaveLength(1);
  });

  it("are never met by a call", () => {
    let unreachable = 0;
    fc.assert(
      fc.property(arbitraryRules, fc.array(arbitraryFacts, { minLength: 20, maxLength: 20 }), (rules, calls) => {
        const config = configOf(rules, {}, IN_GERMANY);
        const never = findRuleFaults(config).filter(({ text }) => text.startsWith("can never match: earlier"));
        unreachable += never.length;
        const book = new RuleBook(config);
        const met = calls.map((facts) => book.choose(facts).index);
        for (const { path } of never) expect(met).not.toContain(path[2]);
      }),
      { numRuns: 300, seed: 4 },
    );
    expect(unreachable).toBeGreaterThan(20);
  });

  it("costs little with as many rules as there may be", () => {
    const rules = Array.from({ length: 4096 }, (_, i) => ({
      name: `r${i}`,
      numbers: [`*${i}?`, `0${i}*`],
      hours: ["08:00-18:00"],
    }));
    const config = configSchema.parse({ consent: { rules } });
    const before = process.cpuUsage();
    expect(findRuleFaults(config).length).toBeGreaterThan(0);
    expect(process.cpuUsage(before).user).toBeLessThan(2_000_000);
  });
});

describe("names", () => {
  it("of two rules are two", () => {
    const rules = [
      { name: "sales", numbers: ["1"] },
      { numbers: ["2"] },
      { name: "sales", numbers: ["3"] },
      { numbers: ["4"] },
    ];
    expect(faults(rules)).toEqual([
      "2.name: is also the name of number 1 of the list; manifests could not tell them apart",
    ]);
    expect(
      faults([
        { name: "sales", numbers: ["1"] },
        { name: "Sales", numbers: ["2"] },
      ]),
    ).toEqual([]);
  });
});

// Which rule a call meets: the first that matches, against a plain reading of the rules; and while facts are missing,
// never more than what all the facts would allow.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { normalizeNumber } from "../../../device/call/numbers.js";
import { type CallFacts, mostRestrictive, RuleBook } from "../../../device/consent/rule-book.js";
import type { Config } from "../../../device/contract/config.js";
import { isAnonymousForm } from "../../../device/sip/identity.js";
import { arbitraryFacts, arbitraryRules, bookOf, configOf, factsOf, IN_GERMANY, person } from "./rule-scene.js";

const RANK = ["none", "consent-first", "agent-only", "both-parties"];
const nothingKnown: CallFacts = {
  ...factsOf(),
  sides: [
    { users: [], addresses: [] },
    { users: [], addresses: [] },
  ],
  headers: undefined,
};

describe("choose", () => {
  it("without rules is consent.policy", () => {
    const book = bookOf([], { policy: "consent-first", purpose: "quality" });
    expect(book.isEmpty).toBe(true);
    expect(book.choose(nothingKnown)).toEqual({
      rule: undefined,
      index: -1,
      isSettled: true,
      policy: "consent-first",
      policyRule: "",
      consent: undefined,
      consentRule: "",
      purpose: "quality",
      retention: "",
    });
  });

  it("takes the first that matches, with all its terms", () => {
    const book = bookOf([
      { name: "council", numbers: ["0309*"], policy: "none" },
      {
        name: "sales",
        agents: ["2?"],
        policy: "both-parties",
        consent: "granted",
        purpose: "quality",
        retention: "long",
      },
      { name: "rest", policy: "none" },
    ]);
    const choice = book.choose(factsOf({ caller: "0301", agent: "21" }));
    expect(choice).toMatchObject({ index: 1, isSettled: true, policy: "both-parties", policyRule: "sales" });
    expect(choice).toMatchObject({ consent: "granted", consentRule: "sales", purpose: "quality", retention: "long" });
    expect(book.choose(factsOf({ caller: "0309", agent: "21" })).rule?.name).toBe("council");
    expect(book.choose(factsOf({ caller: "0301", agent: "31" })).rule?.name).toBe("rest");
  });

  it("a rule without a policy keeps consent.policy and stops the search", () => {
    const book = bookOf([{ name: "friends", numbers: ["0301"], consent: "granted" }, { policy: "none" }]);
    expect(book.choose(factsOf({ caller: "0301", agent: "21" }))).toMatchObject({
      index: 0,
      policy: "agent-only",
      policyRule: "",
      consent: "granted",
    });
  });

  it("a number is recognised however it is written", () => {
    const book = bookOf([{ numbers: ["030 2222222"], policy: "none" }], {}, IN_GERMANY);
    for (const caller of ["0302222222", "+49302222222", "0049302222222"])
      expect(book.choose(factsOf({ caller, agent: "21" })).policy, caller).toBe("none");
  });

  it("agrees with a plain reading of the rules wherever all is known", () => {
    const met = new Set<number>();
    fc.assert(
      fc.property(arbitraryRules, arbitraryFacts, (rules, facts) => {
        const config = configOf(rules, {}, IN_GERMANY);
        const choice = new RuleBook(config).choose(facts);
        expect(choice.isSettled).toBe(true);
        expect(choice.index).toBe(plainlyRead(config, facts));
        met.add(choice.index);
      }),
      { numRuns: 1500, seed: 11 },
    );
    expect([...met].sort()).toEqual([-1, 0, 1, 2, 3, 4, 5]);
  });

  it("of many rules looks at those that can match only, and finds the same", () => {
    const rules = Array.from({ length: 500 }, (_, i) => ({
      name: `r${i}`,
      ...(i % 3 === 0 ? { agents: [`${20 + (i % 90)}`] } : { numbers: [`030${i % 40}`, `040${i}*`] }),
      ...(i % 5 === 0 && { days: ["sat" as const] }),
      ...(i % 97 === 96 && { numbers: ["*7"] }),
    }));
    const config = configOf(rules);
    const book = new RuleBook(config);
    for (let i = 0; i < 60; i++) {
      const facts = factsOf({ caller: i % 2 ? `030${i}` : `040${i}55`, agent: `${20 + ((i * 7) % 95)}` });
      expect(book.choose(facts).index, `call ${i}`).toBe(plainlyRead(config, facts));
    }
  });
});

describe("while facts are missing", () => {
  it("the strictest rule that may still match holds", () => {
    const book = bookOf(
      [
        { name: "council", numbers: ["0309"], policy: "none" },
        { name: "desk", agents: ["21"], policy: "consent-first" },
      ],
      { policy: "both-parties" },
    );
    const unknown = (...users: [string[], string[]]) => book.choose(factsOf({ users }));
    expect(unknown(["0309"], ["21"])).toMatchObject({
      isSettled: false,
      policy: "none",
      policyRule: "council",
      index: -1,
    });
    expect(unknown(["0301"], ["21"])).toMatchObject({ isSettled: false, policy: "consent-first", policyRule: "desk" });
    // Neither of the two can be whom a rule names.
    expect(unknown(["0301"], ["22"])).toMatchObject({ isSettled: true, policy: "both-parties", policyRule: "" });
    // Of one of them nothing is known.
    expect(unknown(["0301"], [])).toMatchObject({ isSettled: false, policy: "none" });
    expect(book.choose(nothingKnown)).toMatchObject({ isSettled: false, policy: "none" });
  });

  it("a rule that surely matches is the last that is looked at", () => {
    const book = bookOf([
      { name: "in", direction: "inbound", policy: "both-parties" },
      { name: "all", policy: "consent-first" },
      { name: "never reached", numbers: ["0301"], policy: "none" },
    ]);
    expect(book.choose(nothingKnown)).toMatchObject({
      index: 1,
      isSettled: false,
      policy: "consent-first",
      policyRule: "all",
    });
  });

  it("consent on file: one possible refusal refuses, only all grants grant", () => {
    const rules = (first: "granted" | "refused" | undefined, second: "granted" | undefined) =>
      bookOf([
        { name: "a", direction: "inbound", ...(first && { consent: first }) },
        { name: "b", ...(second && { consent: second }) },
      ]).choose(nothingKnown);
    expect(rules("refused", "granted")).toMatchObject({ consent: "refused", consentRule: "a" });
    expect(rules("granted", undefined)).toMatchObject({ consent: undefined, consentRule: "" });
    expect(rules(undefined, "granted")).toMatchObject({ consent: undefined, consentRule: "" });
    expect(rules("granted", "granted")).toMatchObject({ consent: "granted", consentRule: "a" });
  });

  it("purpose and retention are open where the possible rules differ", () => {
    const book = (second: object) =>
      bookOf([{ direction: "inbound", purpose: "quality", retention: "long" }, second]).choose(nothingKnown);
    expect(book({ purpose: "quality", retention: "long" })).toMatchObject({ purpose: "quality", retention: "long" });
    expect(book({ purpose: "training" })).toMatchObject({ purpose: "", retention: "" });
    expect(book({})).toMatchObject({ purpose: "", retention: "" });
  });

  it("is never more permissive than all the facts will be, and what is settled stays", () => {
    const hidden = fc.record({
      people: fc.boolean(),
      direction: fc.boolean(),
      headers: fc.boolean(),
      side: fc.constantFrom(-1, 0, 1),
      addresses: fc.constantFrom(-1, 0, 1),
    });
    let [unsettled, stricter] = [0, 0];
    fc.assert(
      fc.property(arbitraryRules, arbitraryFacts, hidden, (rules, facts, hide) => {
        const book = bookOf(rules, {}, IN_GERMANY);
        const known = book.choose(facts);
        const sides = facts.sides.map((side, i) => ({
          users: i === hide.side && hide.people ? [] : side.users,
          addresses: i === hide.addresses ? [] : side.addresses,
        }));
        const partly: CallFacts = {
          ...facts,
          sides,
          ...(hide.people && { agent: undefined, caller: undefined }),
          ...(hide.direction && { direction: undefined }),
          ...(hide.headers && { headers: undefined }),
        };
        const choice = book.choose(partly);
        expect(RANK.indexOf(choice.policy)).toBeLessThanOrEqual(RANK.indexOf(known.policy));
        if (choice.isSettled) expect(choice).toEqual(known);
        if (known.consent === "refused") expect(choice.consent).toBe("refused");
        if (choice.consent === "granted") expect(known.consent).toBe("granted");
        expect(["", known.purpose]).toContain(choice.purpose);
        if (!choice.isSettled) unsettled++;
        if (choice.policy !== known.policy) stricter++;
      }),
      { numRuns: 1500, seed: 5 },
    );
    expect(unsettled).toBeGreaterThan(300);
    expect(stricter).toBeGreaterThan(80);
  });

  it("caller and agent may be either side: every way it can turn out is within what was said", () => {
    fc.assert(
      fc.property(arbitraryRules, arbitraryFacts, (rules, facts) => {
        const book = bookOf(rules, {}, IN_GERMANY);
        const choice = book.choose({ ...facts, agent: undefined, caller: undefined });
        for (const [agent, caller] of [
          [facts.agent, facts.caller],
          [facts.caller, facts.agent],
        ]) {
          const turned = book.choose({ ...facts, agent, caller });
          expect(RANK.indexOf(choice.policy)).toBeLessThanOrEqual(RANK.indexOf(turned.policy));
          if (choice.isSettled) expect(turned).toEqual(choice);
        }
      }),
      { numRuns: 700, seed: 6 },
    );
  });
});

it("mostRestrictive", () => {
  expect(mostRestrictive([])).toBe("none");
  for (const [i, policy] of RANK.entries())
    for (const [k, other] of RANK.entries())
      expect(mostRestrictive([policy, other] as Config["consent"]["policy"][])).toBe(RANK[Math.min(i, k)]);
});

describe("headers that are kept", () => {
  const book = bookOf([{ headers: ["X-Queue: sales*", "x-vip: y"] }, { headers: ["X-VIP: no"] }]);
  it("are those that rules ask for", () => {
    expect([...book.headerNames]).toEqual(["x-queue", "x-vip"]);
    const headers = new Map([
      ["x-queue", ["sales"]],
      ["via", ["SIP/2.0"]],
    ]);
    expect([...book.keepHeaders(headers)]).toEqual([["x-queue", ["sales"]]]);
  });

  it("are few and short, and judged as the whole would be", () => {
    const many = Array.from({ length: 5000 }, (_, i) => `${i}${"x".repeat(5000)}`);
    const kept = book.keepHeaders(new Map([["x-queue", many]])).get("x-queue")!;
    expect(kept.length).toBeLessThanOrEqual(9);
    expect(Math.max(...kept.map((value) => value.length))).toBeLessThanOrEqual(257);
    for (const values of [
      ["sales"],
      Array(8).fill("a"),
      Array(9).fill("a"),
      ["a".repeat(256)],
      ["a".repeat(257)],
      many,
    ]) {
      const rule = bookOf([{ headers: ["X-Queue: sales*"], policy: "none" }]);
      const whole = { ...factsOf({ caller: "1", agent: "2" }), headers: new Map([["x-queue", values]]) };
      const bounded = { ...whole, headers: rule.keepHeaders(whole.headers) };
      expect(rule.choose(bounded)).toEqual(rule.choose(whole));
    }
  });
});

describe("explain", () => {
  it("says of every rule until the first that matches which condition decided", () => {
    const book = bookOf([
      { name: "council", numbers: ["0309*", "0308*"], policy: "none" },
      { name: "night", days: ["fri"], hours: ["22:00-06:00"] },
      { name: "out", direction: "outbound", agents: ["21"] },
      { name: "sales", headers: ["X-Queue: sales*"], agents: ["2?"] },
      { name: "rest" },
    ]);
    const facts = factsOf({ caller: "0301", agent: "21", direction: "inbound", headers: { "x-queue": ["Sales 1"] } });
    expect(
      book.explain(facts).map(({ index, answer, condition, reason }) => [index, answer, condition, reason]),
    ).toEqual([
      [0, "no", "numbers", "numbers: the caller 0301 does not match 0309*, 0308*"],
      [1, "no", "days and hours", "days and hours: the call began Fri 10:00 (Europe/Berlin), not in fri 22:00-06:00"],
      [2, "no", "direction", "direction: inbound, not outbound"],
      [3, "yes", "agents, header X-Queue", 'agents: the agent 21 matches 2?; header X-Queue: "Sales 1" matches sales*'],
    ]);
    expect(book.explain(factsOf({ caller: "0301", agent: "31", direction: "inbound" })).at(-1)).toMatchObject({
      index: 4,
      answer: "yes",
      condition: "",
      reason: "every call",
    });
  });

  it("names what is not known", () => {
    const book = bookOf([
      { numbers: ["0301"] },
      { agents: ["99"] },
      { direction: "internal" },
      { headers: ["X-Queue: a"] },
      { trunks: ["10.0.0.0/8"] },
    ]);
    const facts = { ...factsOf({ users: [["0301"], ["21"]], callerAt: [] }), headers: undefined };
    expect(
      book
        .explain({ ...facts, sides: facts.sides.map((side) => ({ ...side, addresses: [] })) })
        .map(({ answer, reason }) => [answer, reason]),
    ).toEqual([
      ["open", "numbers: the caller is not known, and may be 0301"],
      ["no", "agents: the agent is not known, and nobody in the call matches 99"],
      ["open", "direction: not known whether the call is internal"],
      ["open", "header X-Queue: no INVITE was seen"],
      ["open", "trunks: not known whether a side matches 10.0.0.0/8"],
    ]);
  });

  it("agrees with choose, and is one bounded line whatever the network sent", () => {
    fc.assert(
      fc.property(arbitraryRules, arbitraryFacts, fc.boolean(), (rules, facts, isPartly) => {
        const book = bookOf(rules, {}, IN_GERMANY);
        const judged = isPartly ? { ...facts, agent: undefined, caller: undefined, direction: undefined } : facts;
        const choice = book.choose(judged);
        const verdicts = book.explain(judged);
        const sure = verdicts.find(({ answer }) => answer === "yes");
        expect(sure?.index ?? -1).toBe(choice.index);
        expect(verdicts.some(({ answer }) => answer === "open")).toBe(!choice.isSettled);
        expect(verdicts).toHaveLength(choice.index < 0 ? rules.length : choice.index + 1);
      }),
      { numRuns: 400, seed: 8 },
    );
    const long = "9".repeat(5000);
    const book = bookOf([
      { numbers: Array(500).fill("8".repeat(200)), headers: ["X-Queue: b*"] },
      { headers: ["X-Queue: c"] },
    ]);
    const facts = factsOf({ caller: long, agent: long, headers: { "x-queue": Array(50).fill(`b${long}`) } });
    for (const { reason } of book.explain(facts)) expect(reason.length).toBeLessThan(600);
  });
});

/** The rules as their reference page describes them, with regular expressions and nothing kept for speed. */
function plainlyRead(config: Config, facts: CallFacts): number {
  const glob = (pattern: string): RegExp => {
    const source = pattern
      .replace(/[\\^$.|+()[\]{}]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    return new RegExp(`^${source}$`, "s");
  };
  const fits = (entry: string, user: string): boolean => {
    const number = normalizeNumber(user, config.numbers);
    const forms = /[*?]/.test(entry) ? [entry] : [entry, normalizeNumber(entry, config.numbers)];
    return forms.some((form) => glob(form).test(user) || glob(form).test(number));
  };
  const onList = (entries: string[], who: { user: string } | undefined): boolean =>
    entries.length === 0 || entries.some((entry) => fits(entry, who!.user));
  const wall = new Date(Math.floor(facts.startedAtUs / 1000) + 3600_000);
  const minute = wall.getUTCHours() * 60 + wall.getUTCMinutes();
  const dayOf = (offset: number) =>
    ["sun", "mon", "tue", "wed", "thu", "fri", "sat"][(wall.getUTCDay() + offset + 7) % 7];
  const inTime = (days: readonly string[], hours: readonly string[]): boolean =>
    (hours.length === 0 ? ["00:00-24:00"] : hours).some((text) => {
      const [from, to] = text.split("-").map((clock) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3)));
      const isOn = (offset: number): boolean => days.length === 0 || days.includes(dayOf(offset)!);
      if (from! <= to!) return minute >= from! && minute < to! && isOn(0);
      return (minute >= from! && isOn(0)) || (minute < to! && isOn(-1));
    });
  const onTrunk = (entries: string[]): boolean =>
    entries.length === 0 ||
    entries.some((entry) =>
      facts.sides.some(({ users, addresses }) => {
        const [network] = entry.split("/");
        if (/^\d+\.\d+\.\d+\.\d+/.test(entry)) {
          const bytes = network!.split(".").map(Number);
          const length = entry.includes("/") ? 3 : 4;
          return addresses.some((words) =>
            bytes.slice(0, length).every((byte, i) => ((words[3]! >>> (24 - 8 * i)) & 255) === byte),
          );
        }
        return users.some((user) => user !== "" && !isAnonymousForm(user) && fits(entry, user));
      }),
    );
  return config.consent.rules.findIndex(
    (rule) =>
      (rule.direction === undefined || rule.direction === facts.direction) &&
      onList(rule.agents, facts.agent) &&
      onList(rule.numbers, facts.caller) &&
      inTime(rule.days, rule.hours) &&
      onTrunk(rule.trunks) &&
      rule.headers.every((header) => {
        const [name, pattern] = [header.split(":")[0]!, header.slice(header.indexOf(":") + 1).trim()];
        const values = facts.headers?.get(name.toLowerCase()) ?? [];
        return values.some((value) => new RegExp(glob(pattern), "i").test(value.trim()));
      }),
  );
}

it("knows a person by user part and number", () => expect(person("0302222222").number).toBe("+49302222222"));

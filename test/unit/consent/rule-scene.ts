// Calls and rules for the tests of consent.rules: facts by a short sketch, and random ones out of small pools in which
// rules and calls meet often.
import fc from "fast-check";
import { type AddressWords, parseAddress } from "../../../device/base/address.js";
import { normalizeNumber } from "../../../device/call/numbers.js";
import { type CallFacts, type FactPerson, RuleBook } from "../../../device/consent/rule-book.js";
import { POLICIES } from "../../../device/contract/call-record.js";
import { type Config, configSchema } from "../../../device/contract/config.js";
import { type ConsentRule, ruleSchema } from "../../../device/contract/config-consent.js";

export type RuleSketch = Partial<ConsentRule>;

const PLAIN = configSchema.parse({});
const GERMAN = configSchema.parse({ numbers: { countryCode: "49" } }).numbers;
export const IN_GERMANY = { numbers: GERMAN };

/** As the schema makes it, without the schema's cost for all that is no rule. */
export function configOf(
  rules: readonly RuleSketch[],
  consent: Partial<Config["consent"]> = {},
  rest: Partial<Config> = {},
): Config {
  const parsed = rules.map((rule) => ruleSchema.parse(rule));
  return { ...PLAIN, ...rest, consent: { ...PLAIN.consent, timeZone: "Europe/Berlin", ...consent, rules: parsed } };
}

export function bookOf(
  rules: readonly RuleSketch[],
  consent: Partial<Config["consent"]> = {},
  rest: Partial<Config> = {},
) {
  return new RuleBook(configOf(rules, consent, rest));
}

export const words = (text: string): AddressWords => parseAddress(text)!;

export function atUs(iso: string): number {
  return Date.parse(iso) * 1000;
}

export function person(user: string): FactPerson {
  return { user, number: normalizeNumber(user, GERMAN) };
}

export interface CallSketch {
  caller?: string | undefined;
  agent?: string | undefined;
  direction?: CallFacts["direction"];
  at?: string;
  headers?: Record<string, string[]>;
  callerAt?: string[];
  agentAt?: string[];
  /** Users of the two sides; without them those of caller and agent. */
  users?: [string[], string[]];
}

/** A call of which all is known that the sketch says. */
export function factsOf(sketch: CallSketch = {}): CallFacts {
  const { caller, agent, users, callerAt = ["203.0.113.9"], agentAt = ["10.0.0.21"] } = sketch;
  const usersOf = (user: string | undefined): string[] => (user === undefined ? [] : Object.values(person(user)));
  const [one, two] = users ?? [usersOf(caller), usersOf(agent)];
  return {
    direction: sketch.direction,
    sides: [
      { users: one, addresses: callerAt.map(words) },
      { users: two, addresses: agentAt.map(words) },
    ],
    agent: agent === undefined ? undefined : person(agent),
    caller: caller === undefined ? undefined : person(caller),
    startedAtUs: atUs(sketch.at ?? "2026-11-27T10:00:00+01:00"),
    headers: new Map(Object.entries(sketch.headers ?? {})),
  };
}

const CALLERS = ["0301", "0302222222", "+49302222222", "anonymous", "22", ""];
const AGENTS = ["21", "22", "anna"];
const TIMES = ["2026-11-27T10:00:00+01:00", "2026-11-27T23:30:00+01:00", "2026-11-28T05:59:00+01:00"];

const some = <T>(...values: T[]) => fc.subarray(values, { minLength: 1, maxLength: 2 });

const condition: fc.Arbitrary<RuleSketch> = fc.oneof(
  fc.record({ direction: fc.constantFrom("inbound" as const, "outbound" as const, "internal" as const) }),
  fc.record({ trunks: some("203.0.113.0/24", "198.51.100.7", "2?", "+4930*", "0302222222") }),
  fc.record({ agents: some("21", "2?", "a*", "*") }),
  fc.record({ numbers: some("0301", "0302222222", "+4930*", "030*", "?2", "anon*", "*2") }),
  fc.record({ numbers: some("0301", "0302222222", "22") }),
  fc.record({ days: some("fri" as const, "sat" as const), hours: some("08:00-18:00", "22:00-06:00") }),
  fc.record({ hours: some("08:00-18:00", "22:00-06:00") }),
  fc.record({ headers: some("X-Queue: sales*", "X-Queue: *", "X-Vip: y") }),
);
const terms: fc.Arbitrary<RuleSketch> = fc.record(
  {
    policy: fc.constantFrom(...POLICIES),
    consent: fc.constantFrom("granted" as const, "refused" as const),
    retention: fc.constantFrom("", "long"),
    purpose: fc.constantFrom("", "quality"),
  },
  { requiredKeys: [] },
);

/** Rules of one to three conditions, at times of none. */
export const arbitraryRules: fc.Arbitrary<RuleSketch[]> = fc
  .array(
    fc.tuple(
      terms,
      fc.oneof(
        { weight: 15, arbitrary: fc.array(condition, { minLength: 1, maxLength: 3 }) },
        { weight: 1, arbitrary: fc.constantFrom<RuleSketch[]>([], [{ numbers: ["*"] }]) },
      ),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((rules) => rules.map(([what, conditions], i) => Object.assign({ name: `r${i}` }, what, ...conditions)));

export const arbitraryFacts: fc.Arbitrary<CallFacts> = fc
  .record({
    caller: fc.constantFrom(...CALLERS),
    agent: fc.constantFrom(...AGENTS),
    direction: fc.constantFrom("inbound" as const, "outbound" as const, "internal" as const),
    at: fc.constantFrom(...TIMES),
    headers: fc.constantFrom<Record<string, string[]>[]>(
      {},
      { "x-queue": ["Sales Berlin"] },
      { "x-queue": ["support", "sales"], "x-vip": ["Y"] },
      { "x-queue": [`${" ".repeat(10)}sales`] },
    ),
    callerAt: fc.constantFrom<string[][]>(["203.0.113.9"], ["10.0.0.9", "198.51.100.7"], ["10.0.0.9"]),
  })
  .map(factsOf);

// The conditions of rules, compiled, and what each says of a call: it holds, it does not, or that is open because what it
// asks for is not known yet. Decides nothing: which rule wins is rule-book.ts's. Pure.
import { type AddressWords, type Cidr, cidrContains, formatAddress, parseCidr } from "../base/address.js";
import type { TimeUs } from "../base/ids.js";
import { compileUserPattern, type UserPattern } from "../call/agents.js";
import { type NumberRules, normalizeNumber } from "../call/numbers.js";
import type { Config } from "../contract/config.js";
import type { ConsentRule } from "../contract/config-consent.js";
import { isAnonymousForm } from "../sip/identity.js";
import type { CallDirection } from "./call-direction.js";
import { NumberList } from "./number-list.js";
import { formatWeekTime, type WeekClock, type WeekDay, type WeekTime } from "./week-clock.js";

/** Whoever is on a side: user part as signalled, and the same as E.164 where it is a telephone number. */
export interface FactPerson {
  user: string;
  number: string;
}

export interface FactSide {
  /**
   * User parts and numbers, as signalled and as E.164, that name whoever is on the side. `agent` and `caller` are among
   * them, whichever side they turn out to be: so is "anonymous". None = nothing is known of the side yet.
   */
  users: readonly string[];
  /** Where its signalling and its media come from; none = not known yet. */
  addresses: readonly AddressWords[];
}

/** What is known of the call when it is judged; undefined = not known yet. */
export interface CallFacts {
  direction: CallDirection | undefined;
  /** Both sides, in any order. */
  sides: readonly FactSide[];
  agent: FactPerson | undefined;
  caller: FactPerson | undefined;
  startedAtUs: TimeUs;
  /** Of the first INVITE, by lower-case long name, as `RuleBook.keepHeaders` makes it; undefined = no INVITE was seen. */
  headers: ReadonlyMap<string, readonly string[]> | undefined;
}

export type Answer = "yes" | "no" | "open";

export interface RuleCondition {
  /** As in the configuration: "numbers", "days and hours". */
  readonly name: string;
  judge(call: JudgedCall): Answer;
  /** Why `judge` says so, in words that follow the name. */
  tell(call: JudgedCall): string;
}

/** Values of one header that are looked at, and of each so many characters. */
const MAX_HEADER_VALUES = 8;
const MAX_HEADER_CHARACTERS = 256;
/** Entries of a list, and characters of a text, that an explanation shows. */
const MAX_SHOWN_ENTRIES = 4;
const MAX_SHOWN_CHARACTERS = 64;
const MINUTES_PER_DAY = 1440;

/** The facts, and what was worked out of them for one judgement, each at most once. */
export class JudgedCall {
  readonly facts: CallFacts;
  /** What conditions that several rules share have said. */
  readonly answers = new Map<RuleCondition, Answer>();
  readonly #clock: WeekClock;
  readonly #numbers: NumberRules;
  #names: readonly string[] | undefined;
  readonly #headers = new Map<string, HeaderValues>();
  #began: WeekTime | undefined;
  #isTimed = false;

  constructor(facts: CallFacts, clock: WeekClock, numbers: NumberRules) {
    this.facts = facts;
    this.#clock = clock;
    this.#numbers = numbers;
  }

  get zone(): string {
    return this.#clock.zone;
  }

  /** Everybody in the call, as signalled and in the form in which numbers are compared; nobody anonymous. */
  get names(): readonly string[] {
    if (this.#names) return this.#names;
    const users = this.facts.sides.flatMap((side) => side.users);
    const named = users.filter((user) => user !== "" && !isAnonymousForm(user));
    this.#names = [...new Set(named.flatMap((user) => [user, normalizeNumber(user, this.#numbers)]))];
    return this.#names;
  }

  get began(): WeekTime | undefined {
    if (!this.#isTimed) this.#began = this.#clock.at(this.facts.startedAtUs);
    this.#isTimed = true;
    return this.#began;
  }

  /** `name` in lower case. */
  header(name: string): HeaderValues {
    const known = this.#headers.get(name);
    if (known) return known;
    const all = this.facts.headers?.get(name) ?? [];
    const values = all.slice(0, MAX_HEADER_VALUES);
    const judged = {
      lower: values.map((value) => value.slice(0, MAX_HEADER_CHARACTERS).trim().toLowerCase()),
      isCut: all.length > MAX_HEADER_VALUES || values.some((value) => value.length > MAX_HEADER_CHARACTERS),
    };
    this.#headers.set(name, judged);
    return judged;
  }
}

interface HeaderValues {
  lower: readonly string[];
  /** There was more than is looked at. */
  isCut: boolean;
}

/** What may be kept of a header's values: enough to be judged, and to see that there was more. */
export function boundedHeader(values: readonly string[]): string[] {
  return values.slice(0, MAX_HEADER_VALUES + 1).map((value) => value.slice(0, MAX_HEADER_CHARACTERS + 1));
}

/** Compiles rules' conditions; equal lists of trunks are compiled once. */
export class ConditionCompiler {
  readonly #numbers: NumberRules;
  readonly #trunks = new Map<string, TrunkCondition>();

  constructor({ numbers }: Pick<Config, "numbers">) {
    this.#numbers = numbers;
  }

  /** Those that cost least first. None = every call. */
  compile(rule: ConsentRule): RuleCondition[] {
    const conditions: RuleCondition[] = [];
    if (rule.direction) conditions.push(new DirectionCondition(rule.direction));
    if (rule.days.length > 0 || rule.hours.length > 0) conditions.push(new TimeCondition(rule.days, rule.hours));
    if (asksForNumbers(rule)) conditions.push(new PersonCondition("caller", rule.numbers, this.#numbers));
    if (rule.agents.length > 0) conditions.push(new PersonCondition("agent", rule.agents, this.#numbers));
    for (const header of rule.headers) conditions.push(new HeaderCondition(header));
    if (rule.trunks.length > 0) conditions.push(this.#trunksOf(rule.trunks));
    return conditions;
  }

  #trunksOf(entries: readonly string[]): TrunkCondition {
    const key = JSON.stringify(entries);
    const known = this.#trunks.get(key);
    if (known) return known;
    const condition = new TrunkCondition(entries, this.#numbers);
    this.#trunks.set(key, condition);
    return condition;
  }
}

/** `*` is every caller, as an empty list is. */
function asksForNumbers({ numbers }: ConsentRule): boolean {
  return numbers.length > 0 && !numbers.some((entry) => /^\*+$/.test(entry.trim()));
}

/** Lower-case name out of "X-Queue: sales*". */
export function headerNameOf(header: string): string {
  return header.slice(0, header.indexOf(":")).toLowerCase();
}

class DirectionCondition implements RuleCondition {
  readonly name = "direction";
  readonly #wanted: CallDirection;

  constructor(wanted: CallDirection) {
    this.#wanted = wanted;
  }

  judge({ facts }: JudgedCall): Answer {
    if (facts.direction === undefined) return "open";
    return facts.direction === this.#wanted ? "yes" : "no";
  }

  tell({ facts }: JudgedCall): string {
    if (facts.direction === undefined) return `not known whether the call is ${this.#wanted}`;
    return facts.direction === this.#wanted ? `the call is ${this.#wanted}` : `${facts.direction}, not ${this.#wanted}`;
  }
}

/** Minutes since midnight, `from` included, `to` not; from > to goes over midnight. */
interface Hours {
  from: number;
  to: number;
}

/** Hours that go over midnight belong to the day on which they began. */
class TimeCondition implements RuleCondition {
  readonly name: string;
  readonly #days: ReadonlySet<WeekDay>;
  readonly #hours: readonly Hours[];
  readonly #text: string;

  constructor(days: readonly WeekDay[], hours: readonly string[]) {
    this.name = [days.length > 0 ? "days" : "", hours.length > 0 ? "hours" : ""].filter(Boolean).join(" and ");
    this.#days = new Set(days);
    this.#hours = hours.length === 0 ? [{ from: 0, to: MINUTES_PER_DAY }] : hours.map(readHours);
    this.#text = [days.join(", "), listed(hours)].filter(Boolean).join(" ");
  }

  judge({ began }: JudgedCall): Answer {
    if (began === undefined) return "open";
    return this.#hours.some((hours) => this.#isIn(hours, began)) ? "yes" : "no";
  }

  tell(call: JudgedCall): string {
    const { began, zone } = call;
    if (began === undefined) return "not known when the call began";
    const when = `the call began ${formatWeekTime(began)} (${zone})`;
    return `${when}, ${this.judge(call) === "yes" ? "in" : "not in"} ${this.#text}`;
  }

  #isIn({ from, to }: Hours, { day, dayBefore, minute }: WeekTime): boolean {
    if (from < to) return minute >= from && minute < to && this.#isOn(day);
    if (from === to) return false;
    return minute >= from ? this.#isOn(day) : minute < to && this.#isOn(dayBefore);
  }

  #isOn(day: WeekDay): boolean {
    return this.#days.size === 0 || this.#days.has(day);
  }
}

/** "08:00-18:00", as the schema lets it pass. */
function readHours(text: string): Hours {
  const [from, to] = text.split("-").map((clock) => {
    const [hours, minutes] = clock.split(":").map(Number);
    return hours! * 60 + minutes!;
  });
  return { from: from!, to: to! };
}

/** `agents` and `numbers`. */
export class PersonCondition implements RuleCondition {
  readonly name: string;
  readonly who: "agent" | "caller";
  readonly list: NumberList;
  readonly #text: string;

  constructor(who: "agent" | "caller", entries: readonly string[], numbers: NumberRules) {
    this.name = who === "agent" ? "agents" : "numbers";
    this.who = who;
    this.list = new NumberList(entries, numbers);
    this.#text = listed(entries);
  }

  /** Somebody who is not known yet is on one of the sides: what names neither of them does not name him. */
  judge({ facts }: JudgedCall): Answer {
    const person = facts[this.who];
    if (person) return this.#find(person) === undefined ? "no" : "yes";
    return this.#candidates(facts) === undefined ? "no" : "open";
  }

  tell({ facts }: JudgedCall): string {
    const person = facts[this.who];
    if (!person) {
      const candidates = this.#candidates(facts);
      const unknown = `the ${this.who} is not known`;
      if (candidates === undefined) return `${unknown}, and nobody in the call matches ${this.#text}`;
      return candidates === "" ? unknown : `${unknown}, and may be ${shown(candidates)}`;
    }
    const entry = this.#find(person);
    const name = `the ${this.who} ${shown(person.user || person.number) || "without a number"}`;
    return entry === undefined ? `${name} does not match ${this.#text}` : `${name} matches ${entry}`;
  }

  #find({ user, number }: FactPerson): string | undefined {
    return this.list.find(user) ?? this.list.find(number);
  }

  /** Who of the call it may be, "" when nothing is known of a side, undefined when nobody. */
  #candidates({ sides }: CallFacts): string | undefined {
    for (const { users } of sides) {
      const named = users.find((user) => this.list.find(user) !== undefined);
      if (named !== undefined) return named;
    }
    return knowsBoth(sides, ({ users }) => users) ? undefined : "";
  }
}

class HeaderCondition implements RuleCondition {
  readonly name: string;
  readonly #key: string;
  readonly #pattern: UserPattern;
  readonly #text: string;

  /** "X-Queue: sales*" */
  constructor(header: string) {
    this.#key = headerNameOf(header);
    this.#text = header.slice(header.indexOf(":") + 1).trim();
    this.#pattern = compileUserPattern(this.#text.toLowerCase());
    this.name = `header ${header.slice(0, header.indexOf(":"))}`;
  }

  /** A header that is longer than what is looked at can hide what would match. */
  judge(call: JudgedCall): Answer {
    if (call.facts.headers === undefined) return "open";
    const { lower, isCut } = call.header(this.#key);
    if (lower.some((value) => this.#pattern.matches(value))) return "yes";
    return isCut ? "open" : "no";
  }

  tell(call: JudgedCall): string {
    const answer = this.judge(call);
    if (call.facts.headers === undefined) return "no INVITE was seen";
    const values = call.facts.headers.get(this.#key) ?? [];
    if (values.length === 0) return "not in the first INVITE";
    const text = listed(values.map((value) => JSON.stringify(value.trim())));
    if (answer === "open") return `${text} is longer than what is compared with ${this.#text}`;
    return `${text} ${answer === "yes" ? "matches" : "does not match"} ${this.#text}`;
  }
}

class TrunkCondition implements RuleCondition {
  readonly name = "trunks";
  readonly #networks: readonly Cidr[];
  readonly #list: NumberList;
  /** What entries are about: a side of which that is not known may still match. */
  readonly #hasUsers: boolean;
  readonly #text: string;

  constructor(entries: readonly string[], numbers: NumberRules) {
    const users = entries.filter((entry) => parseCidr(entry.trim()) === undefined);
    this.#networks = entries.flatMap((entry) => parseCidr(entry.trim()) ?? []);
    this.#list = new NumberList(users, numbers);
    this.#hasUsers = users.length > 0;
    this.#text = listed(entries);
  }

  judge(call: JudgedCall): Answer {
    const known = call.answers.get(this);
    if (known) return known;
    const answer = this.#evidence(call) !== "" ? "yes" : this.#isOpen(call.facts) ? "open" : "no";
    call.answers.set(this, answer);
    return answer;
  }

  tell(call: JudgedCall): string {
    const evidence = this.#evidence(call);
    if (evidence !== "") return evidence;
    if (this.#isOpen(call.facts)) return `not known whether a side matches ${this.#text}`;
    const seen = call.facts.sides.flatMap(({ users, addresses }) => [
      ...(this.#hasUsers ? users : []),
      ...(this.#networks.length > 0 ? addresses.map((words) => formatAddress(words)) : []),
    ]);
    return `no side matches ${this.#text} (seen: ${listed([...new Set(seen)])})`;
  }

  /** As MatchRules has it: anonymous users are nobody, and one address of a side is enough. */
  #evidence(call: JudgedCall): string {
    if (this.#hasUsers)
      for (const text of call.names) {
        const entry = this.#list.find(text);
        if (entry !== undefined) return `${shown(text)} matches ${entry}`;
      }
    if (this.#networks.length > 0)
      for (const { addresses } of call.facts.sides)
        for (const words of addresses) {
          const network = this.#networks.find((one) => cidrContains(one, words));
          if (network) return `${formatAddress(words)} is in ${network.text}`;
        }
    return "";
  }

  #isOpen({ sides }: CallFacts): boolean {
    const lacksAddresses = this.#networks.length > 0 && !knowsBoth(sides, ({ addresses }) => addresses);
    return lacksAddresses || (this.#hasUsers && !knowsBoth(sides, ({ users }) => users));
  }
}

function knowsBoth(sides: readonly FactSide[], what: (side: FactSide) => readonly unknown[]): boolean {
  return sides.length >= 2 && sides.every((side) => what(side).length > 0);
}

function listed(entries: readonly string[]): string {
  const more = entries.length - MAX_SHOWN_ENTRIES;
  const text = entries.slice(0, MAX_SHOWN_ENTRIES).map(shown).join(", ");
  return more > 0 ? `${text} and ${more} more` : text;
}

function shown(text: string): string {
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}...` : text;
}

// What the schema cannot say about `consent.rules` and `consent.timeZone`: conditions that nothing can meet, rules that
// earlier ones leave nothing to, names that stand for two rules.
import { parseCidr } from "../base/address.js";
import { nearest, suggestion } from "../base/nearest.js";
import type { Config } from "../contract/config.js";
import type { ConsentRule } from "../contract/config-consent.js";
import { matchFault, userPartFault } from "./agent-meaning.js";
import type { MeaningFault } from "./meaning.js";
import { covers } from "./pattern-cover.js";

/** Earlier patterns with wildcards that a rule is compared with; enough for people, and bounded for machines. */
const MAXIMUM_EARLIER_PATTERNS = 64;
/** The name of rules that were given none. */
const DEFAULT_NAME = "rule";

export function findRuleFaults(config: Config): MeaningFault[] {
  const { rules } = config.consent;
  return [
    ...timeZoneFaults(config),
    ...rules.flatMap((rule, index) => conditionFaults(rule, index, config)),
    ...coverFaults(config),
    ...nameFaults(rules),
  ];
}

function timeZoneFaults({ consent: { timeZone } }: Config): MeaningFault[] {
  if (timeZone === "" || isTimeZone(timeZone)) return [];
  const near = suggestion(nearest(timeZone, Intl.supportedValuesOf("timeZone")));
  const text = `is no time zone; names are like Europe/Berlin${near}`;
  return [{ path: ["consent", "timeZone"], text }];
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function conditionFaults(rule: ConsentRule, index: number, { trunks }: Config): MeaningFault[] {
  const faults: MeaningFault[] = [];
  const check = (key: "agents" | "numbers" | "trunks" | "hours" | "headers", find: (entry: string) => string): void => {
    for (const [at, entry] of rule[key].entries()) {
      const text = find(entry);
      if (text !== "") faults.push({ path: ["consent", "rules", index, key, at], text });
    }
  };
  if (rule.direction === "internal" && trunks.match.length === 0)
    faults.push({
      path: ["consent", "rules", index, "direction"],
      related: ["trunks", "match"],
      text: "can never match: without trunks.match nothing tells that nobody is outside",
    });
  check("trunks", matchFault);
  check("agents", numberFault);
  check("numbers", numberFault);
  check("hours", hoursFault);
  check("headers", headerFault);
  return faults;
}

/** Why an entry can match no number, or "". */
function numberFault(entry: string): string {
  if (parseCidr(entry)) return "is an address; numbers and patterns are compared here, networks go into trunks";
  return userPartFault(entry);
}

function hoursFault(hours: string): string {
  const [from, to] = hours.split("-");
  return from === to ? "is no time at all; the whole day is 00:00-24:00" : "";
}

function headerFault(header: string): string {
  const colon = header.indexOf(":");
  if (header.slice(colon + 1).trim() === "") return "has no pattern; for any value write * after the colon";
  // RFC 3261 §7.3.3: compact forms are read as what they are short for.
  return colon === 1 ? "is a header's short form; write its long name, as in Subject for s" : "";
}

/** Rules to which earlier ones leave nothing. */
function coverFaults({ consent: { rules }, numbers }: Config): MeaningFault[] {
  const faults: MeaningFault[] = [];
  const earlier = new Map<string, EarlierRules>();
  for (const [index, rule] of rules.entries()) {
    const conditions = conditionsBesidesNumbers(rule);
    // A rule that asks for more than numbers takes nothing from those that do not ask for the same.
    const takers = [earlier.get(""), earlier.get(conditions)];
    const patterns = rule.numbers.length === 0 ? ["*"] : rule.numbers;
    const coveredBy = patterns.map((pattern) => {
      const hasForms = isWrittenInSeveralForms(pattern, numbers);
      return earliest(takers.map((taker) => taker?.find(pattern, hasForms)));
    });
    if (coveredBy.every((rank) => rank !== undefined)) {
      const ranks = [...new Set(coveredBy.map((rank) => rank + 1))].sort((a, b) => a - b).slice(0, 5);
      const what = rule.numbers.length === 0 ? "calls" : "numbers";
      const text = `can never match: earlier rules (number ${ranks.join(", ")} of the list) take all its ${what}`;
      faults.push({ path: ["consent", "rules", index], text });
    }
    const own = earlier.get(conditions) ?? new EarlierRules();
    earlier.set(conditions, own);
    for (const pattern of patterns) own.add(pattern, index);
  }
  return faults;
}

/** The same text for the same conditions, "" for none. */
function conditionsBesidesNumbers({ direction, trunks, agents, days, hours, headers }: ConsentRule): string {
  const lists = [trunks, agents, days, hours, headers];
  if (direction === undefined && lists.every((list) => list.length === 0)) return "";
  return JSON.stringify([direction ?? "", ...lists.map((list) => [...new Set<string>(list)].sort())]);
}

/** Whether the number is compared in E.164 form as well, and that is not the form in which it stands here. */
function isWrittenInSeveralForms(entry: string, { countryCode, shortestNumber }: Config["numbers"]): boolean {
  const written = entry.trim();
  if (!/^\+?[\d\s()./-]+$/.test(written) || /^\+\d+$/.test(written)) return false;
  return written.startsWith("+") || (countryCode !== "" && written.replace(/\D/g, "").length >= shortestNumber);
}

function earliest(ranks: readonly (number | undefined)[]): number | undefined {
  const found = ranks.filter((rank) => rank !== undefined);
  return found.length === 0 ? undefined : Math.min(...found);
}

/** Two rules of one name could not be told apart in manifests. */
function nameFaults(rules: readonly ConsentRule[]): MeaningFault[] {
  const faults: MeaningFault[] = [];
  const owners = new Map<string, number>();
  for (const [index, { name }] of rules.entries()) {
    const owner = owners.get(name);
    if (owner === undefined) owners.set(name, index);
    else if (name !== DEFAULT_NAME)
      faults.push({
        path: ["consent", "rules", index, "name"],
        related: ["consent", "rules", owner, "name"],
        text: `is also the name of number ${owner + 1} of the list; manifests could not tell them apart`,
      });
  }
  return faults;
}

/** The numbers that rules before the current one take. */
class EarlierRules {
  readonly #exact = new Map<string, number>();
  readonly #patterns: { pattern: string; rank: number }[] = [];

  add(pattern: string, rank: number): void {
    if (!this.#exact.has(pattern)) this.#exact.set(pattern, rank);
    if (/[*?]/.test(pattern) && this.#patterns.length < MAXIMUM_EARLIER_PATTERNS)
      this.#patterns.push({ pattern, rank });
  }

  /**
   * Index of an earlier rule that takes everything that `pattern` takes; undefined when none surely does. `hasForms`: it
   * is a number that is recognised as others write it, too, so that a pattern which fits what is written may miss those.
   */
  find(pattern: string, hasForms: boolean): number | undefined {
    const takes = (wide: string): boolean => (hasForms ? /^\*+$/.test(wide) : covers(wide, pattern));
    return this.#exact.get(pattern) ?? this.#patterns.find((wider) => takes(wider.pattern))?.rank;
  }
}

// What the schema cannot say about a configuration: entries that look right and would silently match nothing. Works on
// a configuration that the schema has accepted.
import type { Config } from "../contract/config.js";
import { findAgentFaults, userPartFault } from "./agent-meaning.js";
import { covers } from "./pattern-cover.js";

export interface MeaningFault {
  /** Keys and indexes that lead to the value at fault. */
  path: PropertyKey[];
  /** The other value that it clashes with, if there is one: where to look when `path` is a default. */
  related?: PropertyKey[];
  text: string;
}

/** Earlier patterns with wildcards that a rule is compared with; enough for people, and bounded for machines. */
const MAXIMUM_EARLIER_PATTERNS = 64;

export function findMeaningFaults(config: Config): MeaningFault[] {
  return [...findAgentFaults(config), ...headerFaults(config), ...ruleFaults(config)];
}

function headerFaults(config: Config): MeaningFault[] {
  const faults: MeaningFault[] = [];
  const owners = new Map<string, { list: string; index: number }>();
  for (const list of ["granted", "refused", "withdrawn"] as const) {
    for (const [index, value] of config.consent.header[list].entries()) {
      const plain = value.trim().toLowerCase();
      const owner = owners.get(plain);
      if (!owner) owners.set(plain, { list, index });
      if (!owner || owner.list === list) continue;
      faults.push({
        path: ["consent", "header", list, index],
        related: ["consent", "header", owner.list, owner.index],
        text: `is also in consent.header.${owner.list}; a value can mean one thing only`,
      });
    }
  }
  return faults;
}

function ruleFaults(config: Config): MeaningFault[] {
  const faults: MeaningFault[] = [];
  const earlier = new EarlierRules();
  for (const [index, rule] of config.consent.rules.entries()) {
    const path: PropertyKey[] = ["consent", "rules", index];
    for (const [at, number] of rule.numbers.entries()) {
      const text = userPartFault(number);
      if (text !== "") faults.push({ path: [...path, "numbers", at], text });
    }
    const patterns = rule.numbers.length === 0 ? ["*"] : rule.numbers;
    const coveredBy = patterns.map((pattern) => earlier.find(pattern));
    if (coveredBy.every((rank) => rank !== undefined)) {
      const ranks = [...new Set(coveredBy.map((rank) => rank + 1))].sort((a, b) => a - b).slice(0, 5);
      const text = `can never match: earlier rules (number ${ranks.join(", ")} of the list) take all its numbers`;
      faults.push({ path, text });
    }
    for (const pattern of patterns) earlier.add(pattern, index);
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

  /** Index of an earlier rule that takes everything that `pattern` takes; undefined when none surely does. */
  find(pattern: string): number | undefined {
    return this.#exact.get(pattern) ?? this.#patterns.find((wider) => covers(wider.pattern, pattern))?.rank;
  }
}

// What the schema cannot say about a configuration: entries that look right and would silently match nothing. Works on
// a configuration that the schema has accepted.
import { parseCidr } from "../base/address.js";
import type { Config } from "../contract/config.js";

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
  return [...agentFaults(config), ...headerFaults(config), ...ruleFaults(config)];
}

function agentFaults(config: Config): MeaningFault[] {
  const faults: MeaningFault[] = [];
  for (const [index, entry] of config.agents.match.entries()) {
    const text = addressFault(entry) || userPartFault(entry);
    if (text !== "") faults.push({ path: ["agents", "match", index], text });
  }
  return faults;
}

/** Why an entry that is meant as a network is none, or "". */
function addressFault(entry: string): string {
  const isMeantAsAddress =
    entry.includes("/") || /^\d{1,3}(\.[\d*?]{1,3}){2,}/.test(entry) || /^[0-9a-f]*:[0-9a-f.]*:/i.test(entry);
  if (!isMeantAsAddress || parseCidr(entry)) return "";
  const hint = /[*?-]/.test(entry)
    ? "; wildcards and ranges work on numbers only, write a network like 10.0.0.0/24"
    : "";
  return `looks like an address but is neither an address nor a CIDR network${hint}`;
}

/** Why an entry can match no user part, or "". */
function userPartFault(entry: string): string {
  const user = /^(?:sips?:|tel:)?([^@]*)(?:@.*)?$/i.exec(entry)?.[1] ?? "";
  if (user === entry) return "";
  return `matches the user part only, so write it without scheme and host${user === "" ? "" : `: ${user.slice(0, 64)}`}`;
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

/**
 * Whether everything that `narrow` matches is surely matched by `wide` (* any text, ? one character). A wildcard of
 * `narrow` counts as a character that only `*`, or `?` for `?`, can stand for, so some true cases are missed and no
 * false one is reported. Costs at most the product of the lengths.
 */
export function covers(wide: string, narrow: string): boolean {
  let at = 0;
  let starAt = -1;
  let resumeAt = 0;
  let narrowAt = 0;
  while (narrowAt < narrow.length) {
    if (at < wide.length && wide[at] === "*") {
      starAt = at++;
      resumeAt = narrowAt;
    } else if (at < wide.length && standsFor(wide[at]!, narrow[narrowAt]!)) {
      at++;
      narrowAt++;
    } else if (starAt >= 0) {
      at = starAt + 1;
      narrowAt = ++resumeAt;
    } else return false;
  }
  while (wide[at] === "*") at++;
  return at === wide.length;
}

function standsFor(wide: string, narrow: string): boolean {
  return narrow === "*" ? false : wide === narrow || wide === "?";
}

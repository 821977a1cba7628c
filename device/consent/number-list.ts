// Numbers and patterns out of a rule, compiled for many look-ups: what names a user part or a telephone number, and what
// cannot is told quickly. Compares as MatchRules does, with texts that are given in both their forms. Pure.
import { compileUserPattern, type UserPattern } from "../call/agents.js";
import { type NumberRules, normalizeNumber } from "../call/numbers.js";

interface ListedPattern extends UserPattern {
  /** The longest text without wildcards in it: what lacks that cannot match. */
  literal: string;
}

export class NumberList {
  /** Entries without wildcards, as written and in the form in which numbers are compared → as written. */
  readonly #exact = new Map<string, string>();
  readonly #patterns: ListedPattern[] = [];

  constructor(entries: readonly string[], numbers: NumberRules) {
    for (const entry of entries.map((text) => text.trim())) {
      if (/[*?]/.test(entry)) this.#patterns.push({ ...compileUserPattern(entry), literal: longestLiteral(entry) });
      else for (const form of [normalizeNumber(entry, numbers), entry]) this.#exact.set(form, entry);
    }
  }

  /** Texts that the list names. */
  get forms(): Iterable<string> {
    return this.#exact.keys();
  }

  /** With one of these begins all else that the list names; "" where it may begin with anything. */
  get beginnings(): readonly string[] {
    return [...new Set(this.#patterns.map(({ text }) => text.slice(0, text.search(/[*?]/))))];
  }

  /** The entry that names the user part or number, undefined when none does. */
  find(text: string): string | undefined {
    const exact = this.#exact.size === 0 ? undefined : this.#exact.get(text);
    if (exact !== undefined) return exact;
    for (const pattern of this.#patterns)
      if (text.includes(pattern.literal) && pattern.matches(text)) return pattern.text;
    return undefined;
  }
}

function longestLiteral(pattern: string): string {
  return pattern.split(/[*?]/).reduce((longest, part) => (part.length > longest.length ? part : longest), "");
}

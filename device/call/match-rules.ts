// One list of networks, numbers and patterns out of the configuration (`agents.match`, `trunks.match`), compiled, and
// what it says about a user part or an address. A user part is compared as it is and as a normalised number. Pure.
import { type AddressWords, type Cidr, cidrContains, formatAddress, parseCidr } from "../base/address.js";
import { isAnonymousForm } from "../sip/identity.js";
import { shorten } from "../sip/text.js";
import { compileUserPattern, type UserPattern } from "./agents.js";
import { type NumberRules, normalizeNumber } from "./numbers.js";

/** Of what came from the network, in a text that goes into records. */
const MAX_FACT_CHARACTERS = 64;

export interface UserMatch {
  /** "agents.match 3? on user 31" */
  evidence: string;
  user: string;
}

export class MatchRules {
  readonly #setting: string;
  readonly #numbers: NumberRules;
  readonly #cidrs: Cidr[] = [];
  /** Entries without wildcards, as written and normalised → as written. */
  readonly #exact = new Map<string, string>();
  readonly #patterns: UserPattern[] = [];

  /** `setting` is the path that evidence names. */
  constructor(setting: string, entries: readonly string[], numbers: NumberRules) {
    this.#setting = setting;
    this.#numbers = numbers;
    for (const entry of entries) this.#add(entry.trim());
  }

  #add(entry: string): void {
    const cidr = parseCidr(entry);
    if (cidr) this.#cidrs.push(cidr);
    else if (/[*?]/.test(entry)) this.#patterns.push(compileUserPattern(entry));
    else for (const form of [entry, normalizeNumber(entry, this.#numbers)]) this.#exact.set(form, entry);
  }

  /** The first of `users` that an entry names; anonymous ones are nobody. */
  user(users: readonly string[]): UserMatch | undefined {
    for (const user of users) {
      if (user === "" || isAnonymousForm(user)) continue;
      const entry = this.#entryFor(user);
      if (entry !== undefined)
        return { evidence: `${this.#setting} ${entry} on user ${shorten(user, MAX_FACT_CHARACTERS)}`, user };
    }
    return undefined;
  }

  /** "agents.match 10.0.0.0/24 on media 10.0.0.7" for four address words (from `at`); "" when no entry has them. */
  address(where: string, words: ArrayLike<number>, at = 0): string {
    const cidr = this.#cidrs.find((candidate) => cidrContains(candidate, words, at));
    return cidr ? `${this.#setting} ${cidr.text} on ${where} ${formatAddress(words, at)}` : "";
  }

  /** The first of `addresses` that an entry has, as for `address`. */
  anyAddress(where: string, addresses: readonly AddressWords[]): string {
    for (const words of addresses) {
      const evidence = this.address(where, words);
      if (evidence !== "") return evidence;
    }
    return "";
  }

  #entryFor(user: string): string | undefined {
    const number = normalizeNumber(user, this.#numbers);
    return (
      this.#exact.get(user) ??
      this.#exact.get(number) ??
      this.#patterns.find((pattern) => pattern.matches(user) || pattern.matches(number))?.text
    );
  }
}

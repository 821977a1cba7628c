// Which rules can match at all, by the numbers in a call: of thousands of rules that name numbers, or how they begin, only
// those are looked at that name somebody in the call. Says nothing of the other conditions. Pure.
import { type CallFacts, type FactPerson, PersonCondition, type RuleCondition } from "./rule-conditions.js";

export class RuleIndex {
  readonly #places = { agent: new NumberPlaces(), caller: new NumberPlaces() };
  /** Rules that have to be looked at for every call, ascending. */
  readonly #others: number[] = [];
  readonly #all: readonly number[];

  /** Conditions of each rule, in the order of the rules. */
  constructor(rules: readonly (readonly RuleCondition[])[]) {
    this.#all = rules.map((_, place) => place);
    for (const [place, conditions] of rules.entries()) {
      const person = conditions.find((one) => one instanceof PersonCondition && !one.list.beginnings.includes(""));
      if (person instanceof PersonCondition) this.#places[person.who].add(person, place);
      else this.#others.push(place);
    }
  }

  /** Places of the rules that no number in the facts rules out, ascending. */
  candidates(facts: CallFacts): readonly number[] {
    if (this.#others.length === this.#all.length) return this.#all;
    const named = new Set<number>();
    for (const who of ["agent", "caller"] as const) {
      const texts = textsFor(facts, facts[who]);
      if (texts === undefined) return this.#all;
      for (const text of texts) this.#places[who].find(text, named);
    }
    return named.size === 0
      ? this.#others
      : merge(
          this.#others,
          [...named].sort((a, b) => a - b),
        );
  }
}

/** Places of rules by what they name. */
class NumberPlaces {
  readonly #exact = new Map<string, number[]>();
  readonly #beginnings = new Map<string, number[]>();
  /** How long beginnings are. */
  readonly #lengths = new Set<number>();

  add({ list }: PersonCondition, place: number): void {
    for (const form of list.forms) push(this.#exact, form, place);
    for (const beginning of list.beginnings) {
      push(this.#beginnings, beginning, place);
      this.#lengths.add(beginning.length);
    }
  }

  find(text: string, found: Set<number>): void {
    for (const place of this.#exact.get(text) ?? []) found.add(place);
    for (const length of this.#lengths) {
      if (length > text.length) continue;
      for (const place of this.#beginnings.get(text.slice(0, length)) ?? []) found.add(place);
    }
  }
}

function push(places: Map<string, number[]>, key: string, place: number): void {
  const known = places.get(key);
  if (known) known.push(place);
  else places.set(key, [place]);
}

/** All that may name the person; undefined when that is not known. */
function textsFor({ sides }: CallFacts, person: FactPerson | undefined): readonly string[] | undefined {
  if (person) return [person.user, person.number];
  if (sides.length < 2 || sides.some(({ users }) => users.length === 0)) return undefined;
  return sides.flatMap(({ users }) => users);
}

/** Two ascending lists without common members. */
function merge(a: readonly number[], b: readonly number[]): number[] {
  const merged: number[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (j >= b.length || (i < a.length && a[i]! < b[j]!)) merged.push(a[i++]!);
    else merged.push(b[j++]!);
  }
  return merged;
}

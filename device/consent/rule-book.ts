// Which of consent.rules a call is recorded by: the first whose conditions all hold, and a rule without conditions takes
// every call. Fails closed: what is not known yet never makes a choice more permissive than it will be. Pure.
import type { NumberRules } from "../call/numbers.js";
import type { Policy } from "../contract/call-record.js";
import type { Config } from "../contract/config.js";
import type { ConsentRule } from "../contract/config-consent.js";
import {
  type Answer,
  boundedHeader,
  type CallFacts,
  ConditionCompiler,
  headerNameOf,
  JudgedCall,
  type RuleCondition,
} from "./rule-conditions.js";
import { RuleIndex } from "./rule-index.js";
import { WeekClock } from "./week-clock.js";

export type { CallFacts, FactPerson, FactSide } from "./rule-conditions.js";

/**
 * The rule, and the terms that follow for the call.
 *
 * While a condition of a rule is open (it asks for what is not known yet, and no other condition rules the rule out) the
 * rule may still turn out to be the first that matches. The choice is unsettled then, and its terms are those that hold
 * whichever of the possible rules it will be: these are all open rules before the first that surely matches, and that
 * one, or consent.policy where none does.
 */
export interface RuleChoice {
  /** The first rule that surely matches; undefined = none, consent.policy applies. */
  rule: ConsentRule | undefined;
  /** Its place in consent.rules, -1 = none. */
  index: number;
  /** Whatever else becomes known of these facts, the choice stays. */
  isSettled: boolean;
  /** Of the possible rules the most restrictive policy; one without a policy has consent.policy. */
  policy: Policy;
  /** Name of the rule that `policy` is from, "" for consent.policy itself. */
  policyRule: string;
  /** Consent on file for the caller: a refusal if any possible rule says so, a grant only if all of them do. */
  consent: "granted" | "refused" | undefined;
  /** Name of the rule that `consent` is from, "" when there is none. */
  consentRule: string;
  /** "" while the possible rules differ: no consent that was given for a named purpose counts then. */
  purpose: string;
  /** Retention class; "" when none is named, or the possible rules differ. */
  retention: string;
}

export interface RuleVerdict {
  /** Place in consent.rules. */
  index: number;
  rule: ConsentRule;
  answer: Answer;
  /** For "no" and "open" the condition that decided, as "numbers"; for "yes" all of them; "" for a rule without any. */
  condition: string;
  /** Why, in words. */
  reason: string;
}

interface CompiledRule {
  rule: ConsentRule;
  index: number;
  conditions: readonly RuleCondition[];
}

/** Least permissive first. */
const STRICTEST_FIRST: readonly Policy[] = ["none", "consent-first", "agent-only", "both-parties"];

/** none < consent-first < agent-only < both-parties; of nothing it is none. */
export function mostRestrictive(possible: Iterable<Policy>): Policy {
  const ranks = [...possible].map(rankOf);
  return ranks.length === 0 ? "none" : STRICTEST_FIRST[Math.min(...ranks)]!;
}

export class RuleBook {
  /** Names of the headers that rules ask for, lower case: only these are kept of a call. */
  readonly headerNames: ReadonlySet<string>;
  readonly #config: Config["consent"];
  readonly #rules: readonly CompiledRule[];
  readonly #index: RuleIndex;
  readonly #clock: WeekClock;
  readonly #numbers: NumberRules;

  constructor(config: Config) {
    const compiler = new ConditionCompiler(config);
    const { rules, timeZone } = config.consent;
    this.#config = config.consent;
    this.#rules = rules.map((rule, index) => ({ rule, index, conditions: compiler.compile(rule) }));
    this.#index = new RuleIndex(this.#rules.map(({ conditions }) => conditions));
    this.#clock = new WeekClock(timeZone);
    this.#numbers = config.numbers;
    this.headerNames = new Set(rules.flatMap(({ headers }) => headers.map(headerNameOf)));
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** Time zone of days and hours. */
  get zone(): string {
    return this.#clock.zone;
  }

  /** What is kept of the first INVITE's headers for `CallFacts.headers`: few and short. */
  keepHeaders(headers: ReadonlyMap<string, readonly string[]>): Map<string, readonly string[]> {
    const kept = new Map<string, readonly string[]>();
    for (const name of this.headerNames) {
      const values = headers.get(name);
      if (values) kept.set(name, boundedHeader(values));
    }
    return kept;
  }

  choose(facts: CallFacts): RuleChoice {
    const call = new JudgedCall(facts, this.#clock, this.#numbers);
    const possible = new PossibleTerms(this.#config);
    for (const place of this.#index.candidates(facts)) {
      const { rule, index, conditions } = this.#rules[place]!;
      const answer = judgeAll(conditions, call);
      if (answer === "no") continue;
      possible.add(rule);
      if (answer === "yes") return possible.choice(rule, index);
    }
    possible.add(undefined);
    return possible.choice(undefined, -1);
  }

  /** For every rule until the first that surely matches: what decided. */
  explain(facts: CallFacts): RuleVerdict[] {
    const call = new JudgedCall(facts, this.#clock, this.#numbers);
    const verdicts: RuleVerdict[] = [];
    for (const compiled of this.#rules) {
      const verdict = explainRule(compiled, call);
      verdicts.push(verdict);
      if (verdict.answer === "yes") break;
    }
    return verdicts;
  }
}

/** "no" outweighs "open". */
function judgeAll(conditions: readonly RuleCondition[], call: JudgedCall): Answer {
  let answer: Answer = "yes";
  for (const condition of conditions) {
    const one = condition.judge(call);
    if (one === "no") return "no";
    if (one === "open") answer = "open";
  }
  return answer;
}

function explainRule({ rule, index, conditions }: CompiledRule, call: JudgedCall): RuleVerdict {
  const answer = judgeAll(conditions, call);
  if (conditions.length === 0) return { index, rule, answer, condition: "", reason: "every call" };
  if (answer === "yes") {
    const condition = conditions.map(({ name }) => name).join(", ");
    const reason = conditions.map((one) => `${one.name}: ${one.tell(call)}`).join("; ");
    return { index, rule, answer, condition, reason };
  }
  const decisive = conditions.find((one) => one.judge(call) === answer)!;
  return { index, rule, answer, condition: decisive.name, reason: `${decisive.name}: ${decisive.tell(call)}` };
}

/** What follows from all the rules that it may be. */
class PossibleTerms {
  readonly #config: Config["consent"];
  #count = 0;
  #rank = STRICTEST_FIRST.length;
  #policyRule = "";
  #refusedBy: string | undefined;
  #grantedBy: string | undefined;
  #grants = 0;
  #purpose: string | undefined;
  #retention: string | undefined;

  constructor(config: Config["consent"]) {
    this.#config = config;
  }

  /** undefined = no rule. */
  add(rule: ConsentRule | undefined): void {
    const rank = rankOf(rule?.policy ?? this.#config.policy);
    if (rank < this.#rank) {
      this.#rank = rank;
      this.#policyRule = rule?.policy ? rule.name : "";
    }
    if (rule?.consent === "refused") this.#refusedBy ??= rule.name;
    if (rule?.consent === "granted") {
      this.#grantedBy ??= rule.name;
      this.#grants++;
    }
    const purpose = rule?.purpose || this.#config.purpose;
    const retention = rule?.retention ?? "";
    if (this.#count++ === 0) [this.#purpose, this.#retention] = [purpose, retention];
    if (purpose !== this.#purpose) this.#purpose = "";
    if (retention !== this.#retention) this.#retention = "";
  }

  choice(rule: ConsentRule | undefined, index: number): RuleChoice {
    return {
      rule,
      index,
      isSettled: this.#count === 1,
      policy: STRICTEST_FIRST[this.#rank]!,
      policyRule: this.#policyRule,
      ...this.#consent(),
      purpose: this.#purpose ?? "",
      retention: this.#retention ?? "",
    };
  }

  #consent(): Pick<RuleChoice, "consent" | "consentRule"> {
    if (this.#refusedBy !== undefined) return { consent: "refused", consentRule: this.#refusedBy };
    if (this.#grantedBy !== undefined && this.#grants === this.#count)
      return { consent: "granted", consentRule: this.#grantedBy };
    return { consent: undefined, consentRule: "" };
  }
}

function rankOf(policy: Policy): number {
  return STRICTEST_FIRST.indexOf(policy);
}

// The answer of `sidetoned policy test`: which rule a described call meets and why the others not, what follows for its
// recording, and what the box does while something is not known. Decides nothing: that is consent/rule-book.ts's.
import { isoUs } from "../base/clock.js";
import type { Side } from "../base/ids.js";
import { type FactPerson, RuleBook, type RuleChoice, type RuleVerdict } from "../consent/rule-book.js";
import type { Policy } from "../contract/call-record.js";
import type { Config } from "../contract/config.js";
import type { CallDescription } from "./call-description.js";
import { type DescribedCall, describeCall } from "./described-call.js";
import { formatTable, plainLine } from "./table.js";

export const POLICY_TEST_SCHEMA = "sidetone.policy-test/1";

/** For --json. Empty texts and null stand for what is not known, or not there. */
export interface PolicyTest {
  schema: typeof POLICY_TEST_SCHEMA;
  call: {
    from: string;
    to: string;
    startedAt: string;
    /** In the time zone of days and hours: "Fri 2026-11-27 10:00". */
    localTime: string;
    timeZone: string;
    direction: string;
    directionBy: string;
    agent: string;
    agentSide: "originator" | "answerer" | null;
    agentBy: string;
    caller: string;
  };
  /** Every rule until the first that surely matches; `number` counts from 1 as the list does. */
  rules: { number: number; name: string; matches: "yes" | "no" | "open"; condition: string; reason: string }[];
  decision: {
    /** false: what is not known yet may bring another rule; what stands here holds until then. */
    isSettled: boolean;
    /** The first rule that surely matches, null = consent.policy. */
    rule: number | null;
    name: string;
    policy: Policy;
    /** Name of the rule that the policy is from, "" for consent.policy. */
    policyRule: string;
    consent: "granted" | "refused" | null;
    consentRule: string;
    purpose: string;
    retention: string;
    /** One sentence: what is recorded on these terms. */
    effect: string;
  };
  notes: string[];
}

/** Text for a person, or JSON; ends with a newline. Throws SidetoneError usage where the call contradicts itself. */
export function runPolicyTest(config: Config, call: CallDescription, json: boolean): string {
  const test = describePolicyTest(config, call);
  return json ? `${JSON.stringify(test, null, 2)}\n` : formatPolicyTest(test);
}

export function describePolicyTest(config: Config, call: CallDescription): PolicyTest {
  const book = new RuleBook(config);
  const described = describeCall(config, call, book);
  const { facts, agentSide, agentBy, directionBy, notes } = described;
  const choice = book.choose(facts);
  return {
    schema: POLICY_TEST_SCHEMA,
    call: {
      from: call.from ?? "",
      to: call.to ?? "",
      startedAt: isoUs(call.atUs),
      localTime: localTime(call, book.zone),
      timeZone: book.zone,
      direction: facts.direction ?? "",
      directionBy,
      agent: nameOf(facts.agent),
      agentSide: agentSide === undefined ? null : sideName(agentSide),
      agentBy,
      caller: nameOf(facts.caller),
    },
    rules: book.explain(facts).map(describeVerdict),
    decision: describeDecision(choice, described),
    notes,
  };
}

function describeVerdict({ index, rule, answer, condition, reason }: RuleVerdict): PolicyTest["rules"][number] {
  return { number: index + 1, name: rule.name, matches: answer, condition, reason };
}

function describeDecision(choice: RuleChoice, { agentSide }: DescribedCall): PolicyTest["decision"] {
  const { rule, index, isSettled, policy, policyRule, consent, consentRule, purpose, retention } = choice;
  return {
    isSettled,
    rule: rule ? index + 1 : null,
    name: rule?.name ?? "",
    policy,
    policyRule,
    consent: consent ?? null,
    consentRule,
    purpose,
    retention,
    effect: effectOf(policy, consent, agentSide),
  };
}

function effectOf(policy: Policy, consent: RuleChoice["consent"], agentSide: Side | undefined): string {
  if (policy === "none") return "nothing is recorded";
  if (policy === "both-parties") {
    const channels = agentSide === undefined ? "; originator left, answerer right, for the agent is not known" : "";
    return `both sides are recorded, whatever is said of consent${channels}`;
  }
  if (agentSide === undefined) return "nothing is recorded while it is not known who the agent is";
  const [always, onConsent] =
    policy === "agent-only" ? ["the agent is recorded", "the caller"] : ["", "agent and caller"];
  const onFile = {
    granted: `${onConsent} while the caller does not refuse: consent is on file`,
    refused: policy === "agent-only" ? "the caller is not: refused on file" : "nothing is recorded: refused on file",
    none: `${onConsent} only while the caller's consent is granted`,
  }[consent ?? "none"];
  return [always, onFile].filter(Boolean).join(", ");
}

function formatPolicyTest(test: PolicyTest): string {
  const blocks = [formatCall(test), formatRules(test), formatDecision(test)];
  if (test.notes.length > 0) blocks.push(test.notes.map((note) => `Note: ${plainLine(note)}`));
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function formatCall({ call }: PolicyTest): string[] {
  const { from, to, direction, directionBy, agent, agentSide, agentBy, caller, localTime, timeZone } = call;
  const way = direction === "" ? `direction not known (${directionBy})` : `${direction} (${directionBy})`;
  const lines = [`Call: ${from || "unknown"} -> ${to || "unknown"}, ${way}, began ${localTime} (${timeZone})`];
  if (agentSide === null) {
    const why = agentBy === "" ? "no number is in agents.match, and neither agent= nor direction= says it" : agentBy;
    lines.push(`Agent and caller: not known; ${why}`);
  } else {
    lines.push(`Agent: ${agent || "unknown number"}, the ${agentSide} (${agentBy})`);
    lines.push(`Caller: ${caller || "unknown number"}, the ${agentSide === "originator" ? "answerer" : "originator"}`);
  }
  return lines.map(plainLine);
}

const ANSWER_TEXT = { yes: "matches", no: "no", open: "may match" } as const;

function formatRules({ rules }: PolicyTest): string[] {
  if (rules.length === 0) return ["consent.rules is empty."];
  const rows = rules.map(({ number, name, matches, reason }) => [
    String(number),
    plainLine(name),
    ANSWER_TEXT[matches],
    plainLine(reason),
  ]);
  return formatTable(
    [
      { title: "rule", align: "right" },
      { title: "name", align: "left" },
      { title: "", align: "left" },
      { title: "why", align: "left" },
    ],
    rows,
  );
}

function formatDecision({ rules, decision }: PolicyTest): string[] {
  const { isSettled, rule, name, policy, policyRule, consent, consentRule, purpose, retention, effect } = decision;
  const chosen = rule === null ? "no rule, so consent.policy" : `rule ${rule} "${name}"`;
  const lines = isSettled ? [`Decision: ${chosen}`] : unsettledLines(rules, chosen);
  const source = policyRule === "" ? "consent.policy" : `rule "${policyRule}"`;
  lines.push(`  policy     ${policy}, by ${source}: ${effect}`);
  lines.push(
    `  consent    ${consent === null ? "none on file by rules" : `${consent} on file, by rule "${consentRule}"`}`,
  );
  lines.push(`  purpose    ${purpose === "" ? "not known yet; consent for a named purpose does not count" : purpose}`);
  lines.push(`  retention  ${retention === "" ? "no class" : retention}`);
  return lines.map(plainLine);
}

function unsettledLines(rules: PolicyTest["rules"], chosen: string): string[] {
  const open = rules.filter(({ matches }) => matches === "open").map(({ number }) => number);
  const shown = open.slice(0, 8).join(", ") + (open.length > 8 ? " and more" : "");
  return [
    `Decision: not settled; it is ${chosen}, unless one that may match does (${shown})`,
    "Until that is known the strictest of them holds:",
  ];
}

/** "Fri 2026-11-27 10:00" in the zone. */
function localTime({ atUs }: CallDescription, zone: string): string {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone,
    weekday: "short",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  const parts = new Map(format.formatToParts(Math.floor(atUs / 1000)).map(({ type, value }) => [type, value]));
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? "";
  const weekday = part("weekday").replace(".", "");
  return `${weekday} ${part("year")}-${part("month")}-${part("day")} ${part("hour")}:${part("minute")}`;
}

function nameOf(person: FactPerson | undefined): string {
  return person?.user ?? "";
}

function sideName(side: Side): "originator" | "answerer" {
  return side === 0 ? "originator" : "answerer";
}

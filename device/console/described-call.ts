// What the box would know of a call that was only described: who is the agent, which way the call goes, what rules are
// judged by. Uses the box's own identification, by numbers alone, where the description leaves that open.
import { type AddressWords, parseAddress } from "../base/address.js";
import { otherSide, type Side } from "../base/ids.js";
import { AgentIdentifier } from "../call/agent-identifier.js";
import { MatchRules } from "../call/match-rules.js";
import { normalizeNumber } from "../call/numbers.js";
import { type CallDirection, directionOf } from "../consent/call-direction.js";
import type { CallFacts, FactPerson, RuleBook } from "../consent/rule-book.js";
import type { Config } from "../contract/config.js";
import type { CallDescription } from "./call-description.js";
import { usage } from "./command-flags.js";

/** By side, 0 = from; undefined = not said. */
type People = readonly [FactPerson | undefined, FactPerson | undefined];

export interface DescribedCall {
  facts: CallFacts;
  agentSide: Side | undefined;
  /** On what grounds the agent, or that nobody, is known: "agent=21", "agents.match 2? on user 21"; "" for no grounds. */
  agentBy: string;
  /** The same for the direction; where it is not known, why. */
  directionBy: string;
  /** What the description, or the configuration, lacks; sentences without a full stop. */
  notes: string[];
}

/** Throws SidetoneError usage, with one line, where agent= is nobody in the call. */
export function describeCall(config: Config, call: CallDescription, book: RuleBook): DescribedCall {
  const people: People = [personOf(call.from, config), personOf(call.to, config)];
  const trunkAddresses = call.trunks.flatMap((trunk) => addressOf(trunk));
  const trunkUsers = call.trunks.filter((trunk) => addressOf(trunk).length === 0);
  const named = nameAgent(config, call, people);
  const agentSide = named.side;
  const agent = personOf(call.agent, config) ?? (agentSide === undefined ? undefined : people[agentSide]);
  const caller = agentSide === undefined ? undefined : people[otherSide(agentSide)];

  const users: [string[], string[]] = [usersOf(people[0]), usersOf(people[1])];
  if (agentSide !== undefined) users[agentSide] = [...new Set([...users[agentSide], ...usersOf(agent)])];
  const outside = outsideOf(config, call, users, agentSide);
  const way = directionBy(config, call, named, users, outside);
  // Which side the line is on makes no difference to rules, and of the other side no address is said.
  const sides = users.map((own) => ({ users: own, addresses: trunkAddresses }));
  if (trunkUsers.length > 0) sides.push({ users: trunkUsers, addresses: trunkAddresses });
  return {
    facts: {
      direction: way.direction,
      sides,
      agent,
      caller,
      startedAtUs: call.atUs,
      headers: book.keepHeaders(call.headers),
    },
    agentSide,
    agentBy: named.by,
    directionBy: way.by,
    notes: [...agentNotes(config, agent), ...trunkNotes(config, call), ...headerNotes(call, book)],
  };
}

interface NamedAgent {
  side: Side | undefined;
  by: string;
  /** Evidence per side that it is an agent's. */
  evidence: [string, string];
}

function nameAgent(config: Config, call: CallDescription, people: People): NamedAgent {
  const said = saidAgent(config, call, people);
  if (said) return { ...said, evidence: said.side === 0 ? [said.by, ""] : ["", said.by] };
  const sides = [0, 1].map((side) => ({ users: usersOf(people[side]), addresses: [] }));
  const verdict = new AgentIdentifier(config).judge([sides[0]!, sides[1]!]);
  const clashes = verdict.contradictions.map(({ code, detail }) => `${code}: ${Object.values(detail).join("; ")}`);
  const by = verdict.agent === undefined ? clashes.join(", ") : verdict.evidence[verdict.agent];
  return { side: verdict.agent, by, evidence: verdict.evidence };
}

/** The agent's side as the description has it. */
function saidAgent(
  config: Config,
  { agent, direction }: CallDescription,
  people: People,
): { side: Side; by: string } | undefined {
  const byDirection = direction === "inbound" ? 1 : direction === "outbound" ? 0 : undefined;
  if (agent === undefined)
    return byDirection === undefined ? undefined : { side: byDirection, by: `direction=${direction}` };
  const number = normalizeNumber(agent, config.numbers);
  const isAgent = ([0, 1] as const).filter((side) => people[side]?.number === number);
  const isOpen = ([0, 1] as const).filter((side) => people[side] === undefined);
  if (isAgent.length === 2 && byDirection === undefined)
    throw usage("--call: the agent is from and to: say direction=inbound or direction=outbound as well");
  if (isAgent.length === 1 && byDirection !== undefined && isAgent[0] !== byDirection)
    throw usage(`--call: agent=${agent} is ${nameOf(isAgent[0]!)}, so the call is not ${direction}`);
  const side = byDirection ?? isAgent[0] ?? (isOpen.length === 1 ? isOpen[0] : undefined);
  if (side !== undefined) return { side, by: `agent=${agent}` };
  if (isOpen.length === 2) throw usage("--call: agent= alone does not tell who called: say from=, to= or direction=");
  throw usage(`--call: agent=${agent} is neither from nor to: say direction=inbound or direction=outbound as well`);
}

function nameOf(side: Side): string {
  return side === 0 ? "from" : "to";
}

/** Evidence per side that it is outside. */
function outsideOf(
  config: Config,
  call: CallDescription,
  users: readonly [string[], string[]],
  agentSide: Side | undefined,
): [string, string] {
  const rules = new MatchRules("trunks.match", config.trunks.match, config.numbers);
  const outside: [string, string] = [rules.user(users[0])?.evidence ?? "", rules.user(users[1])?.evidence ?? ""];
  // Somebody who is the agent by the description stays so.
  if (agentSide === undefined) return outside;
  outside[agentSide] = "";
  outside[otherSide(agentSide)] ||= trunkEvidence(rules, call.trunks);
  return outside;
}

function directionBy(
  config: Config,
  call: CallDescription,
  { side, evidence }: NamedAgent,
  users: readonly [string[], string[]],
  outside: [string, string],
): { direction: CallDirection | undefined; by: string } {
  if (call.direction) return { direction: call.direction, by: `direction=${call.direction}` };
  const rules = new MatchRules("trunks.match", config.trunks.match, config.numbers);
  if (side === undefined && trunkEvidence(rules, call.trunks) !== "")
    return { direction: undefined, by: "on which side the trunk is, agent= or direction= would tell" };
  const direction = directionOf({ agent: side, evidence, outside, users }, config);
  if (outside[0] !== "" && outside[1] !== "") return { direction, by: "both sides are in trunks.match" };
  if (outside[0] !== "" || outside[1] !== "") return { direction, by: outside[0] || outside[1] };
  if (config.trunks.match.length === 0)
    return {
      direction,
      by: `trunks.match is empty, and the agent ${side === undefined ? "not known" : sideWord(side)}`,
    };
  const isInside = direction === "internal";
  return { direction, by: `nobody is in trunks.match, and ${isInside ? "all" : "not all"} are agents or extensions` };
}

function sideWord(side: Side): string {
  return side === 0 ? "calls" : "is called";
}

function trunkEvidence(rules: MatchRules, trunks: readonly string[]): string {
  for (const trunk of trunks) {
    const evidence = rules.user([trunk])?.evidence ?? rules.anyAddress("trunk", addressOf(trunk));
    if (evidence !== "") return evidence;
  }
  return "";
}

function agentNotes(config: Config, agent: FactPerson | undefined): string[] {
  const rules = new MatchRules("trunks.match", config.trunks.match, config.numbers);
  const outside = rules.user(usersOf(agent))?.evidence;
  return outside === undefined ? [] : [`${outside}: the box takes nobody who is outside for the agent`];
}

function trunkNotes(config: Config, { trunks }: CallDescription): string[] {
  const rules = new MatchRules("trunks.match", config.trunks.match, config.numbers);
  return trunks
    .filter((trunk) => trunkEvidence(rules, [trunk]) === "")
    .map((trunk) => `trunk=${trunk} is not in trunks.match: by that alone the box takes no side for outside`);
}

function headerNotes({ headers }: CallDescription, book: RuleBook): string[] {
  return [...headers.keys()]
    .filter((name) => !book.headerNames.has(name))
    .map((name) => `no rule asks for header ${name}`);
}

function personOf(user: string | undefined, { numbers }: Config): FactPerson | undefined {
  return user === undefined ? undefined : { user, number: normalizeNumber(user, numbers) };
}

function usersOf(person: FactPerson | undefined): string[] {
  return person ? [...new Set([person.user, person.number])] : [];
}

function addressOf(trunk: string): AddressWords[] {
  const words = parseAddress(trunk);
  return words ? [words] : [];
}

// Who is the agent: positive evidence from `agents.match` for one side, and nothing else. Both sides matching is a
// contradiction and none is the agent (fail closed). Pure functions.
import { type AddressWords, type Cidr, cidrContains, formatAddress, parseCidr } from "../base/address.js";
import type { Side } from "../base/ids.js";

export interface UserPattern {
  text: string;
  matches(user: string): boolean;
}

export interface AgentRules {
  cidrs: Cidr[];
  users: UserPattern[];
}

/** What is known of a side when it is judged. What is left out was not seen and proves nothing. */
export interface SideFacts {
  /** User parts and numbers from From or To and asserted identities. */
  users: readonly string[];
  /** Addresses at which the side receives media by its current description. */
  addresses: readonly AddressWords[];
  /** Addresses from which the side sent SIP, at the hop nearest to it. */
  signallingAddresses?: readonly AddressWords[];
  /** Where it sent that SIP to. Without them the other side's signalling addresses stand in. */
  signallingPeers?: readonly AddressWords[];
  /** URIs that name it (From or To, asserted identities): users of one host are not users of another. */
  uris?: readonly string[];
  /** URIs of its Contact fields. */
  contacts?: readonly string[];
  /** User-Agent and Server of its messages. */
  userAgents?: readonly string[];
  /** "00:11:22:aa:bb:cc" of the frames that carried its SIP, at the hop nearest to it. */
  macs?: readonly string[];
  /** VLANs of those frames. */
  vlans?: readonly number[];
  /** User parts that passed this call on (Diversion, History-Info): whoever is on this side, it is not they. */
  divertedUsers?: readonly string[];
}

/** Signs that do not go together: what the call's record is to say of them, in the form of its warnings. */
export interface AgentContradiction {
  code: "agent-contradictory" | "agent-on-trunk" | "agent-registered-otherwise";
  detail: Record<string, string | number | boolean>;
}

export interface AgentVerdict {
  /** The agent's side, undefined when unknown or contradictory. */
  agent: Side | undefined;
  contradictory: boolean;
  /** Per side the evidence found, "" when none. */
  evidence: [string, string];
  /** Per side: identified by media address alone, so a stream must come from a matching address as well. */
  byAddressOnly: [boolean, boolean];
  /** Pairs of evidence that exclude each other, each named. */
  contradictions?: AgentContradiction[];
  /** Per side the evidence that it is outside, "" when none. */
  outside?: [string, string];
}

export const UNKNOWN_AGENT: AgentVerdict = {
  agent: undefined,
  contradictory: false,
  evidence: ["", ""],
  byAddressOnly: [false, false],
};

/** `*` stands for any run of characters, `?` for one; everything else, case included, for itself. */
export function compileUserPattern(text: string): UserPattern {
  if (!/[*?]/.test(text)) return { text, matches: (user) => user === text };
  return { text, matches: (user) => globMatches(text, user) };
}

/** Linear-time glob (one backtrack point), so that a pattern cannot be made to run away. */
function globMatches(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let starText = 0;
  let p = 0;
  while (at < text.length) {
    if (p < pattern.length && (pattern[p] === "?" || (pattern[p] !== "*" && pattern[p] === text[at]))) {
      p++;
      at++;
    } else if (pattern[p] === "*") {
      star = p++;
      starText = at;
    } else if (star >= 0) {
      p = star + 1;
      at = ++starText;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

export function compileAgentRules(match: readonly string[]): AgentRules {
  const rules: AgentRules = { cidrs: [], users: [] };
  for (const entry of match) {
    const cidr = parseCidr(entry);
    if (cidr) rules.cidrs.push(cidr);
    else rules.users.push(compileUserPattern(entry.trim()));
  }
  return rules;
}

/** Four address words from `at`: may an agent's media come from there? */
export function addressIsAgent(rules: AgentRules, words: ArrayLike<number>, at = 0): boolean {
  return rules.cidrs.some((cidr) => cidrContains(cidr, words, at));
}

export function identifyAgent(rules: AgentRules, facts: readonly [SideFacts, SideFacts]): AgentVerdict {
  const users = facts.map((side) => userEvidence(rules, side));
  const addresses = facts.map((side) => addressEvidence(rules, side));
  const evidence = [0, 1].map((i) => [users[i], addresses[i]].filter(Boolean).join("; ")) as [string, string];
  const byAddressOnly = [0, 1].map((i) => users[i] === "" && addresses[i] !== "") as [boolean, boolean];
  const contradictory = evidence[0] !== "" && evidence[1] !== "";
  const first: Side = evidence[0] !== "" ? 0 : 1;
  const agent = contradictory || (evidence[0] === "" && evidence[1] === "") ? undefined : first;
  return { agent, contradictory, evidence, byAddressOnly };
}

function userEvidence(rules: AgentRules, side: SideFacts): string {
  for (const pattern of rules.users) {
    if (side.users.some((user) => user !== "" && pattern.matches(user))) return `agents.match ${pattern.text} on user`;
  }
  return "";
}

/** Every address of the side must match: a description that also names a foreign address is no evidence. */
function addressEvidence(rules: AgentRules, side: SideFacts): string {
  if (side.addresses.length === 0) return "";
  let found = "";
  for (const words of side.addresses) {
    const cidr = rules.cidrs.find((candidate) => cidrContains(candidate, words));
    if (!cidr) return "";
    found ||= `agents.match ${cidr.text} on media ${formatAddress(words)}`;
  }
  return found;
}

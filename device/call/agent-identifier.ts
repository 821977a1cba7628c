// Who is the agent, weighed out of all evidence there is: `agents.match`, registrations, the phone's name, MAC and VLAN
// for it; `trunks.match` against it. Fails closed: a side with a sign of being outside is never the agent, and signs
// that exclude each other are reported and count for nobody. `judge` changes nothing; only `observe` and `sweep` do.
import type { AddressWords } from "../base/address.js";
import { otherSide, type Side, type TimeUs } from "../base/ids.js";
import type { Config } from "../contract/config.js";
import { splitUri } from "../sip/address.js";
import type { SipArrival } from "../sip/arrival.js";
import type { SipMessage } from "../sip/message.js";
import type { AgentContradiction, AgentVerdict, SideFacts } from "./agents.js";
import { LinkEvidence } from "./link-evidence.js";
import { MatchRules } from "./match-rules.js";
import { normalizeNumber } from "./numbers.js";
import { RegisteredPhones } from "./registered-phones.js";

export type AgentIdentifierConfig = Pick<Config, "agents" | "trunks" | "numbers">;

export interface AgentJudgement extends AgentVerdict {
  contradictions: AgentContradiction[];
  outside: [string, string];
}

/** What speaks for and against one side. Texts, "" for nothing. */
interface SideWeight {
  trunk: string;
  /** A user part that agents.match names. */
  user: string;
  /** Where it receives media. */
  media: string;
  /** A registration, by user or by where its SIP comes from. */
  registered: string;
  /** Phone's name, MAC, VLAN. */
  link: readonly string[];
  /** A registration that speaks against `user`. */
  objection: string;
}

export class AgentIdentifier {
  readonly #agents: MatchRules;
  readonly #trunks: MatchRules;
  readonly #links: LinkEvidence;
  readonly #phones: RegisteredPhones;
  readonly #config: AgentIdentifierConfig;

  constructor(config: AgentIdentifierConfig) {
    this.#config = config;
    this.#agents = new MatchRules("agents.match", config.agents.match, config.numbers);
    this.#trunks = new MatchRules("trunks.match", config.trunks.match, config.numbers);
    this.#links = new LinkEvidence(config.agents);
    this.#phones = new RegisteredPhones(config.agents, this.#agents, this.#trunks);
  }

  /** Another one than before: the same facts may give another verdict. */
  get version(): number {
    const { learned, removed, expired, forgotten } = this.#phones.table.counters;
    return learned + removed + expired + forgotten;
  }

  /** Learns from REGISTER and its responses; takes any message. */
  observe(message: SipMessage, arrival: SipArrival): void {
    if (this.#config.agents.learnFromRegistrations) this.#phones.observe(message, arrival);
  }

  /** Forgets registrations that ran out. `nowUs` is packet time. */
  sweep(nowUs: TimeUs): void {
    this.#phones.sweep(nowUs);
  }

  /** May an agent's media come from the address at `words[at]`? For a side that is known by its media address alone. */
  addressIsAgent(words: ArrayLike<number>, at = 0): boolean {
    if (this.#trunks.address("", words, at) !== "") return false;
    return this.#agents.address("", words, at) !== "" || this.#phones.isAgentAddress(words, at);
  }

  /** The verdict on two sides; exchanging them exchanges it. */
  judge(facts: readonly [SideFacts, SideFacts]): AgentJudgement {
    const weights: [SideWeight, SideWeight] = [this.#weigh(facts[0], facts[1]), this.#weigh(facts[1], facts[0])];
    const contradictions = weights.flatMap((weight, side) => contradictionsOf(weight, side as Side));
    const evidence: [string, string] = [evidenceOf(weights[0]), evidenceOf(weights[1])];
    if (this.#config.trunks.otherSideIsAgent) addOtherSide(evidence, weights);
    const isOnBoth = evidence[0] !== "" && evidence[1] !== "";
    if (isOnBoth)
      contradictions.push({
        code: "agent-contradictory",
        detail: { originator: evidence[0], answerer: evidence[1] },
      });
    const agent = isOnBoth || evidence[0] === evidence[1] ? undefined : evidence[0] !== "" ? 0 : 1;
    return {
      agent,
      contradictory: agent === undefined && contradictions.length > 0,
      evidence,
      byAddressOnly: [isByAddressOnly(weights[0], evidence[0]), isByAddressOnly(weights[1], evidence[1])],
      contradictions,
      outside: [weights[0].trunk, weights[1].trunk],
    };
  }

  exportCounters(): Record<string, number> {
    const { table, outside } = this.#phones;
    return {
      "agents.registrations": table.size,
      "agents.registrations-learned": table.counters.learned,
      "agents.registrations-removed": table.counters.removed,
      "agents.registrations-expired": table.counters.expired,
      "agents.registrations-forgotten": table.counters.forgotten,
      "agents.registrations-outside": outside,
      "agents.registers-forgotten": table.exchanges.forgotten,
    };
  }

  #weigh(side: SideFacts, other: SideFacts): SideWeight {
    const named = this.#agents.user(this.#ownUsers(side));
    const media = this.#mediaEvidence(side, other);
    const signalling = side.signallingAddresses ?? [];
    const registered = (): string =>
      this.#phones.evidenceAt("signalling", signalling, side, other) ||
      this.#phones.evidenceOfUser(this.#ownUris(side));
    return {
      trunk:
        this.#trunks.anyAddress("signalling", signalling) ||
        this.#trunks.anyAddress("media", side.addresses) ||
        (this.#trunks.user(side.users)?.evidence ?? ""),
      user: named?.evidence ?? "",
      media,
      registered: named || media !== "" ? "" : registered(),
      link: this.#links.find(side),
      objection: named ? this.#phones.objection(named.user, side, other) : "",
    };
  }

  /** Every address must be an agent's: a description that also names a foreign address is no evidence. */
  #mediaEvidence(side: SideFacts, other: SideFacts): string {
    let found = "";
    for (const words of side.addresses) {
      const evidence = this.#mediaAddress(words, side, other);
      if (evidence === "") return "";
      found ||= evidence;
    }
    return found;
  }

  #mediaAddress(words: AddressWords, side: SideFacts, other: SideFacts): string {
    return this.#agents.address("media", words) || this.#phones.evidenceAt("media", [words], side, other);
  }

  /** Without whoever passed the call on: it went away from them. */
  #ownUsers({ users, divertedUsers = [] }: SideFacts): readonly string[] {
    return divertedUsers.length === 0 ? users : users.filter((user) => !this.#isAmong(user, divertedUsers));
  }

  #ownUris({ uris = [], divertedUsers = [] }: SideFacts): readonly string[] {
    if (divertedUsers.length === 0) return uris;
    return uris.filter((uri) => !this.#isAmong(splitUri(uri).user, divertedUsers));
  }

  #isAmong(user: string, users: readonly string[]): boolean {
    const number = normalizeNumber(user, this.#config.numbers);
    return users.some((other) => other === user || normalizeNumber(other, this.#config.numbers) === number);
  }
}

/** What makes a side the agent's; "" where anything speaks against it. */
function evidenceOf({ trunk, user, media, registered, link, objection }: SideWeight): string {
  if (trunk !== "" || objection !== "") return "";
  return [user, media, registered, ...link].filter((text) => text !== "").join("; ");
}

function contradictionsOf(weight: SideWeight, side: Side): AgentContradiction[] {
  const { trunk, user, link, objection } = weight;
  const evidence = [strongEvidence(weight), ...link].filter((text) => text !== "").join("; ");
  const name = side === 0 ? "originator" : "answerer";
  const found: AgentContradiction[] = [];
  if (trunk !== "" && evidence !== "")
    found.push({ code: "agent-on-trunk", detail: { side: name, agent: evidence, trunk } });
  if (objection !== "")
    found.push({ code: "agent-registered-otherwise", detail: { side: name, agent: user, registration: objection } });
  return found;
}

/** What says that it is the agent in person, not only that it is like an agent's phone: a whole office may share a VLAN. */
function strongEvidence({ user, media, registered }: SideWeight): string {
  return [user, media, registered].filter((text) => text !== "").join("; ");
}

/** `trunks.otherSideIsAgent`: exactly one side is outside, not contradicted by more than its kind of phone, and nobody has evidence of its own. */
function addOtherSide(evidence: [string, string], weights: readonly [SideWeight, SideWeight]): void {
  if (evidence[0] !== "" || evidence[1] !== "") return;
  for (const side of [0, 1] as const) {
    const [own, other] = [weights[side], weights[otherSide(side)]];
    if (own.trunk !== "" || own.objection !== "" || other.trunk === "") continue;
    if (strongEvidence(other) !== "" || other.objection !== "") continue;
    evidence[side] = `trunks.otherSideIsAgent, other side ${other.trunk}`;
  }
}

/** Only where it receives media speaks for it; what the far end or a neighbour could forge does not count as more. */
function isByAddressOnly({ user, media, registered }: SideWeight, evidence: string): boolean {
  return evidence !== "" && media !== "" && user === "" && registered === "";
}

// What registrations add to who is the agent: a phone's address stands for the user registered there and the other way
// round, as far as one of the two is in `agents.match`. A shared address (PBX, ATA, NAT) proves something only if it
// proves it of everybody there, and only towards the registrar: a PBX that registers with a provider carries anybody's
// voice towards its own phones.
import { type AddressWords, addressKey, formatAddress, parseAddress } from "../base/address.js";
import type { TimeUs } from "../base/ids.js";
import type { Config } from "../contract/config.js";
import { splitUri } from "../sip/address.js";
import type { SipArrival } from "../sip/arrival.js";
import type { SipMessage } from "../sip/message.js";
import { shorten } from "../sip/text.js";
import type { SideFacts } from "./agents.js";
import type { MatchRules } from "./match-rules.js";
import { type Binding, RegistrationTable } from "./registrations.js";

const MAX_FACT_CHARACTERS = 64;

export class RegisteredPhones {
  readonly table: RegistrationTable;
  /** REGISTERs from or to a trunk: the office as somebody else's customer. */
  outside = 0;
  readonly #trunks: MatchRules;

  constructor(config: Config["agents"], agents: MatchRules, trunks: MatchRules) {
    this.#trunks = trunks;
    this.table = new RegistrationTable(config.maxRegistrations, (binding) =>
      agentRule(binding, agents, trunks, config.registeredPhonesAreAgents),
    );
  }

  observe(message: SipMessage, arrival: SipArrival): void {
    if (message.method !== "REGISTER") return;
    if (this.#trunks.anyAddress("", [arrival.source, arrival.destination]) !== "") this.outside++;
    else this.table.observe(message, arrival);
  }

  sweep(nowUs: TimeUs): void {
    this.table.sweep(nowUs);
  }

  /** Only agents are registered at four address words (from `at`). */
  isAgentAddress(words: ArrayLike<number>, at = 0): boolean {
    const bindings = this.table.isHub(words, at) ? [] : this.table.at(words, at);
    return bindings.length > 0 && bindings.every(({ rule }) => rule !== "");
  }

  /** Evidence from the phones registered at all of `addresses`; "" when there is none, or any of them is another's. */
  evidenceAt(where: string, addresses: readonly AddressWords[], side: SideFacts, other: SideFacts): string {
    let found = "";
    for (const words of addresses) {
      const bindings = this.#phonesAt(words, side, other);
      if (bindings.length === 0 || bindings.some(({ rule }) => rule === "")) return "";
      const [first] = bindings;
      found ||= `${first!.rule} registered${describePlace(first!)}, on ${where} ${formatAddress(words)}`;
    }
    return found;
  }

  /** Evidence from a user that is registered nowhere but at agents' addresses. */
  evidenceOfUser(uris: readonly string[]): string {
    for (const uri of uris) {
      const { user, host } = splitUri(uri);
      const bindings = user === "" ? [] : this.table.of(user);
      const isSameRecord = (binding: Binding): boolean => binding.host === host || hasPeer(binding, host);
      if (!bindings.some(isSameRecord) || bindings.some(({ rule }) => rule === "")) continue;
      const [first] = bindings;
      return `${first!.rule} registered${describePlace(first!)}, on user ${shorten(user, MAX_FACT_CHARACTERS)}`;
    }
    return "";
  }

  /**
   * What speaks against `user`, which `agents.match` names, being on this side: it is registered, but elsewhere, and
   * the side's own address is registered for others, none of them an agent. "" when nothing does.
   */
  objection(user: string, side: SideFacts, other: SideFacts): string {
    const addresses = side.signallingAddresses ?? [];
    const elsewhere = this.table.of(user).filter(({ address }) => address !== undefined);
    if (addresses.length === 0 || elsewhere.length === 0) return "";
    let found = "";
    for (const words of addresses) {
      const here = this.#phonesAt(words, side, other);
      if (here.length === 0 || here.some(({ rule, user: own }) => rule !== "" || own === user)) return "";
      found ||= `${formatAddress(words)} is registered for user ${shorten(here[0]!.user, MAX_FACT_CHARACTERS)}`;
    }
    return `${found}, user ${shorten(user, MAX_FACT_CHARACTERS)} is registered${describePlace(elsewhere[0]!)}`;
  }

  /** The phones at an address that this side may be: those that talk to its peer, on the line that its Contact names. */
  #phonesAt(words: AddressWords, side: SideFacts, other: SideFacts): Binding[] {
    if (this.table.isHub(words)) return [];
    const peers = new Set((side.signallingPeers ?? other.signallingAddresses ?? []).map((peer) => addressKey(peer)));
    const bindings = this.table.at(words);
    if (!bindings.every((binding) => binding.peers.some((peer) => peers.has(addressKey(peer))))) return [];
    const lines = (side.contacts ?? []).map((uri) => splitUri(uri).user).filter((user) => user !== "");
    if (lines.length === 0) return bindings;
    return bindings.filter(({ contactUser, user }) => lines.includes(contactUser) || lines.includes(user));
  }
}

function agentRule(binding: Binding, agents: MatchRules, trunks: MatchRules, isEveryPhone: boolean): string {
  const { user, address } = binding;
  if (trunks.user([user]) || (address && trunks.address("", address) !== "")) return "";
  const byUser = agents.user([user])?.evidence;
  if (byUser !== undefined) return byUser;
  const byAddress = address ? agents.address("address", address) : "";
  if (byAddress !== "") return `${byAddress} where user ${shorten(user, MAX_FACT_CHARACTERS)} is`;
  return isEveryPhone ? `agents.registeredPhonesAreAgents for user ${shorten(user, MAX_FACT_CHARACTERS)}` : "";
}

function hasPeer(binding: Binding, host: string): boolean {
  const words = parseAddress(host);
  return words !== undefined && binding.peers.some((peer) => addressKey(peer) === addressKey(words));
}

function describePlace({ address }: Binding): string {
  return address ? ` at ${formatAddress(address)}` : "";
}

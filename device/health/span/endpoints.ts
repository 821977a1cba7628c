// What each address that speaks SIP or sends media appears to be: an agent's phone, a trunk, the telephone system, or unknown,
// with the reason. For the installer's eyes; decides nothing about recording. Bounded: the longest silent goes first.
import { type AddressWords, parseAddress } from "../../base/address.js";
import type { TimeUs } from "../../base/ids.js";
import { MatchRules } from "../../call/match-rules.js";
import type { CallRecord } from "../../contract/call-record.js";
import type { Config } from "../../contract/config.js";
import type { SipPeerFigures, SpanEndpoint } from "../../contract/span.js";
import { addressOf } from "./call-sights.js";

const MAX_ENDPOINTS = 256;
/** Who speaks SIP with so many others routes calls. A phone has its registrar and sometimes a proxy. */
const PEERS_OF_A_PBX = 3;

interface Sight {
  address: string;
  calls: number;
  /** Of an agent in a call whose media came from here: why it was one. */
  agentBy: string;
  lastAtUs: TimeUs;
}

export class SpanEndpoints {
  private readonly trunks: MatchRules;
  private readonly sights = new Map<string, Sight>();

  constructor(config: Pick<Config, "trunks" | "numbers">) {
    this.trunks = new MatchRules("trunks.match", config.trunks.match, config.numbers);
  }

  note(record: CallRecord): void {
    const senders = new Map<string, string>();
    for (const { source, side, party } of record.streams) {
      const index = party ?? record.parties.findIndex((one) => one.side === side);
      const sender = record.parties[index];
      senders.set(addressOf(source), sender?.role === "agent" ? sender.identifiedBy : "");
    }
    for (const [address, agentBy] of senders) {
      const sight = this.take(address);
      sight.calls++;
      if (agentBy !== "") sight.agentBy = agentBy;
      sight.lastAtUs = record.endedAtUs;
    }
  }

  /** The newest first. */
  list(peers: readonly SipPeerFigures[]): SpanEndpoint[] {
    const partners = new Map<string, { others: Set<string>; lastAtUs: TimeUs; relays: boolean }>();
    const meet = (address: string, other: string, lastAtUs: TimeUs): void => {
      const known = partners.get(address) ?? { others: new Set<string>(), lastAtUs: 0, relays: false };
      known.others.add(other);
      known.lastAtUs = Math.max(known.lastAtUs, lastAtUs);
      partners.set(address, known);
    };
    for (const { a, b, lastAtUs } of peers) {
      meet(a, b, lastAtUs);
      meet(b, a, lastAtUs);
    }
    const all = new Set([...this.sights.keys(), ...partners.keys()]);
    return [...all]
      .map((address) => {
        const sight = this.sights.get(address);
        const sipPeers = partners.get(address)?.others.size ?? 0;
        return {
          address,
          ...this.classify(address, sight, sipPeers),
          calls: sight?.calls ?? 0,
          sipPeers,
          lastAtUs: Math.max(sight?.lastAtUs ?? 0, partners.get(address)?.lastAtUs ?? 0),
        };
      })
      .toSorted((a, b) => b.lastAtUs - a.lastAtUs)
      .slice(0, MAX_ENDPOINTS);
  }

  private classify(
    address: string,
    sight: Sight | undefined,
    sipPeers: number,
  ): Pick<SpanEndpoint, "kind" | "evidence"> {
    const words: AddressWords | undefined = parseAddress(address);
    const trunk = words === undefined ? "" : this.trunks.address("address", words);
    if (trunk !== "") return { kind: "trunk", evidence: trunk };
    if (sipPeers >= PEERS_OF_A_PBX) return { kind: "pbx", evidence: `speaks SIP with ${sipPeers} others` };
    if (sight !== undefined && sight.agentBy !== "") return { kind: "agent", evidence: sight.agentBy };
    return { kind: "unknown", evidence: "" };
  }

  private take(address: string): Sight {
    const sight = this.sights.get(address) ?? { address, calls: 0, agentBy: "", lastAtUs: 0 };
    this.sights.delete(address);
    if (this.sights.size >= MAX_ENDPOINTS) {
      const [oldest] = this.sights.keys();
      if (oldest !== undefined) this.sights.delete(oldest);
    }
    this.sights.set(address, sight);
    return sight;
  }
}

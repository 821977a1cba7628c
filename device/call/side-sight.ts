// What the messages of one side of a dialog showed of it besides the session: who it says it is, where it sits in the
// network, what it is. Bounded; kept for identification and correlation, decides nothing.
import type { AddressWords } from "../base/address.js";
import type { SipArrival } from "../sip/arrival.js";
import { type PartyIdentities, senderUsers } from "../sip/identity.js";
import type { SipMessage } from "../sip/message.js";

const MAX_VALUES = 4;
const MAX_USERS = 8;
const MAX_TEXT = 256;

export class SideSight {
  /** Addresses the side itself sent from, as far as hops can be told apart, and where it sent to. */
  readonly addresses: AddressWords[] = [];
  readonly peers: AddressWords[] = [];
  readonly macs: string[] = [];
  readonly vlans: number[] = [];
  /** User parts and URIs that name it. */
  readonly users: string[] = [];
  readonly uris: string[] = [];
  readonly userAgents: string[] = [];
  readonly contacts: string[] = [];
  /** RFC 4579 §5.2: the side says that it is a conference. */
  isFocus = false;
  /** Grows with everything new. */
  version = 0;
  private requestVias = Number.POSITIVE_INFINITY;
  private responseVias = 0;

  /** Takes a message the side sent, as seen at one hop. */
  note(message: SipMessage, identities: PartyIdentities, arrival: SipArrival): void {
    if (this.isNearest(message)) this.notePlace(arrival);
    for (const user of senderUsers(identities)) this.push(this.users, user, MAX_USERS);
    for (const { uri } of [identities.own, ...identities.asserted]) this.push(this.uris, uri, MAX_USERS);
    const agent = message.headers.get("user-agent") ?? message.headers.get("server");
    this.push(this.userAgents, agent?.[0] ?? "");
    this.push(this.contacts, message.contact);
    if (message.headers.get("contact")?.some((value) => /;\s*isfocus\b/i.test(value))) this.isFocus = true;
  }

  private notePlace({ source, destination, sourceMac, vlan }: SipArrival): void {
    this.pushAddress(this.addresses, source);
    this.pushAddress(this.peers, destination);
    this.push(this.macs, sourceMac);
    if (vlan < 0 || this.vlans.length >= MAX_VALUES || this.vlans.includes(vlan)) return;
    this.vlans.push(vlan);
    this.version++;
  }

  private push(list: string[], text: string, limit = MAX_VALUES): void {
    const value = text.slice(0, MAX_TEXT);
    if (value === "" || list.length >= limit || list.includes(value)) return;
    list.push(value);
    this.version++;
  }

  private pushAddress(list: AddressWords[], address: AddressWords): void {
    if (list.length >= MAX_VALUES || list.some((known) => known.every((word, i) => word === address[i]))) return;
    list.push(address);
    this.version++;
  }

  /** Another user agent of the side answered than those noted so far (a fork). */
  clear(): void {
    const { users, uris, userAgents, contacts } = this;
    for (const list of [users, uris, userAgents, contacts]) list.length = 0;
    this.isFocus = false;
    this.clearPlace();
    this.version++;
  }

  private clearPlace(): void {
    for (const list of [this.addresses, this.peers, this.macs, this.vlans]) list.length = 0;
    this.version++;
  }

  /**
   * A request is nearest to its sender where it has the fewest Via values, a response where it has the most (RFC 3261
   * §8.1.1.7, §8.2.6.2). What proxies write themselves tells nothing of the side.
   */
  private isNearest(message: SipMessage): boolean {
    const { viaCount } = message;
    if (isOfEveryHop(message)) return false;
    const isRequest = message.kind === "request";
    if (isRequest ? viaCount > this.requestVias : viaCount < this.responseVias) return false;
    if (isRequest ? viaCount < this.requestVias : viaCount > this.responseVias) this.clearPlace();
    if (isRequest) this.requestVias = viaCount;
    else this.responseVias = viaCount;
    return true;
  }
}

/** RFC 3261 §9.1, §16.7, §17.1.1.3: CANCEL, the ACK of a refusal, 100 and refusals may be a proxy's own. */
function isOfEveryHop(message: SipMessage): boolean {
  if (message.kind === "request") return message.method === "CANCEL" || message.method === "ACK";
  return message.status === 100 || message.status >= 300;
}

// Who a SIP message says its sender and its addressee are, out of every field that names them. Says who claims what and
// never decides whom to believe. RFC 3261 §20.20, §20.39; RFC 3323 (Privacy); RFC 3325 (P-Asserted-Identity,
// P-Preferred-Identity); RFC 7315 §4.2 (P-Called-Party-ID); draft-ietf-sip-privacy-04 (Remote-Party-ID).
import type { Side } from "../base/ids.js";
import { type AddressParts, parameterOf, splitAddresses, splitUri } from "./address.js";
import { type Diversion, readDiversions } from "./diversions.js";
import type { SipAddress, SipMessage } from "./message.js";
import { shorten, splitOutsideQuotes } from "./text.js";

/** Values looked at per field. */
const MAX_VALUES = 8;
const MAX_PRIVACY_VALUES = 16;
export const MAX_URI_CHARACTERS = 1024;
/** A user part beyond this names nobody. */
export const MAX_USER_CHARACTERS = 256;

export type IdentitySource =
  | "from"
  | "to"
  | "p-asserted-identity"
  | "p-preferred-identity"
  | "remote-party-id"
  | "p-called-party-id";

export interface PartyIdentity {
  /** Display name as text, "" when none. */
  name: string;
  uri: string;
  /** User part, or the number of a tel: URI; "" when none. */
  user: string;
  host: string;
  source: IdentitySource;
  /** A form that withholds the identity, or one marked as withheld. */
  isAnonymous: boolean;
}

export interface PartyIdentities {
  /** What network elements assert of the sender if they do, else what it says of itself; not anonymous if possible. */
  sender: PartyIdentity;
  /** From of a request, To of a response. */
  own: PartyIdentity;
  /** P-Asserted-Identity, then Remote-Party-ID of the sender. */
  asserted: readonly PartyIdentity[];
  /** P-Preferred-Identity: the sender's own wish. */
  preferred: readonly PartyIdentity[];
  /** Whom the message is for: P-Called-Party-ID, Remote-Party-ID of the other party, To of a request. */
  addressee: readonly PartyIdentity[];
  /** Who passed the call on, first to last. */
  diversions: readonly Diversion[];
  /** Values of Privacy, lower case. */
  privacy: readonly string[];
  /** The sender's identity is not to be shown to the other party. */
  isWithheld: boolean;
}

/**
 * `sender` is the session side that sent the message, where it is known (0 = originator): Remote-Party-ID speaks of
 * "calling" and "called" in terms of the session, which a request within it does not tell.
 */
export function readIdentities(message: SipMessage, sender?: Side): PartyIdentities {
  const own = message.kind === "request" ? identityOf(message.from, "from") : identityOf(message.to, "to");
  const privacy = readPrivacy(message.headers.get("privacy") ?? []);
  const remote = readRemoteParties(message, sender);
  const asserted = [...listed(message, "p-asserted-identity"), ...remote.sender];
  const preferred = listed(message, "p-preferred-identity");
  const addressee = [...listed(message, "p-called-party-id"), ...remote.other];
  if (message.kind === "request") addressee.push(identityOf(message.to, "to"));
  return {
    sender: [...asserted, own, ...preferred].find((identity) => !identity.isAnonymous && identity.uri !== "") ?? own,
    own,
    asserted,
    preferred,
    addressee,
    diversions: readDiversions(message),
    privacy,
    isWithheld: own.isAnonymous || remote.isWithheld || privacy.some((value) => WITHHOLDING.has(value)),
  };
}

/** RFC 3323 §4.2, RFC 3325 §9.3; "full" is what some gateways make of the other draft's word. */
const WITHHOLDING: ReadonlySet<string> = new Set(["id", "user", "header", "full"]);

/** User parts of all that names the sender, each once; anonymous forms are nobody's. */
export function senderUsers(identities: PartyIdentities): string[] {
  return distinctUsers([identities.own, ...identities.asserted, ...identities.preferred]);
}

/** User parts of all that names the addressee of a request, each once. */
export function addresseeUsers(identities: PartyIdentities): string[] {
  return distinctUsers(identities.addressee);
}

function distinctUsers(identities: readonly PartyIdentity[]): string[] {
  const users = identities
    .filter(({ user, host }) => user !== "" && !isAnonymousForm(user, host))
    .map(({ user }) => user);
  return [...new Set(users)];
}

const ANONYMOUS_USERS: ReadonlySet<string> = new Set([
  "anonymous",
  "unavailable",
  "unknown",
  "restricted",
  "withheld",
  "private",
  "null",
]);

/** "anonymous@anonymous.invalid" (RFC 3323 §4.1.1.3) and what gateways write instead. */
export function isAnonymousForm(user: string, host = ""): boolean {
  return ANONYMOUS_USERS.has(user.toLowerCase()) || host === "invalid" || host.endsWith(".invalid");
}

function listed(message: SipMessage, field: IdentitySource): PartyIdentity[] {
  return splitAddresses(message.headers.get(field) ?? [], MAX_VALUES).map((parts) => identityOfParts(parts, field));
}

function identityOf(address: SipAddress, source: IdentitySource): PartyIdentity {
  return bounded(address.name, address.uri, address.user, address.host, source);
}

function identityOfParts(parts: AddressParts, source: IdentitySource): PartyIdentity {
  const { user, host } = splitUri(parts.uri);
  return bounded(parts.name, parts.uri, user, host, source);
}

function bounded(name: string, uri: string, user: string, host: string, source: IdentitySource): PartyIdentity {
  return {
    name,
    uri: shorten(uri, MAX_URI_CHARACTERS),
    user: user.length > MAX_USER_CHARACTERS ? "" : user,
    host: shorten(host, MAX_USER_CHARACTERS),
    source,
    isAnonymous: isAnonymousForm(user, host),
  };
}

/** Values are separated by ";" (RFC 3323 §4.2), by "," where a stack takes it for a list. */
function readPrivacy(values: readonly string[]): string[] {
  const pieces = values.slice(0, MAX_VALUES).flatMap((value) => value.split(/[;,]/, MAX_PRIVACY_VALUES));
  const words = pieces.map((piece) => piece.trim().toLowerCase()).filter((word) => /^[a-z-]{1,32}$/.test(word));
  return [...new Set(words)].slice(0, MAX_PRIVACY_VALUES);
}

interface RemoteParties {
  sender: PartyIdentity[];
  other: PartyIdentity[];
  isWithheld: boolean;
}

function readRemoteParties(message: SipMessage, sender: Side | undefined): RemoteParties {
  const result: RemoteParties = { sender: [], other: [], isWithheld: false };
  for (const parts of splitAddresses(message.headers.get("remote-party-id") ?? [], MAX_VALUES)) {
    const identity = identityOfParts(parts, "remote-party-id");
    const isWithheld = isPrivate(parameterOf(parts.parameters, "privacy") ?? "");
    const isSender = speaksOfSender(message, parameterOf(parts.parameters, "party"), sender);
    if (isSender === undefined) continue;
    if (isSender) result.sender.push({ ...identity, isAnonymous: identity.isAnonymous || isWithheld });
    else result.other.push({ ...identity, isAnonymous: identity.isAnonymous || isWithheld });
    if (isSender && isWithheld) result.isWithheld = true;
  }
  return result;
}

/** "full", "uri-network", "full,name": the number is not to be shown. A withheld name alone leaves the number. */
function isPrivate(privacy: string): boolean {
  return splitOutsideQuotes(privacy, ",", MAX_VALUES).some((word) => /^\s*(?:full|uri)\b/i.test(word));
}

/** Whether party= means the sender; undefined when that cannot be told, or it means neither. */
function speaksOfSender(message: SipMessage, party: string | undefined, sender: Side | undefined): boolean | undefined {
  const word = (party ?? "").toLowerCase();
  if (word === "") return true;
  if (word !== "calling" && word !== "called") return undefined;
  // A response to a dialog-opening request comes from the called party, the request from the calling one.
  const opensDialog = message.to.tag === "" || message.kind === "response";
  const side = sender ?? (opensDialog ? (message.kind === "request" ? 0 : 1) : undefined);
  if (side === undefined) return undefined;
  return (word === "calling") === (side === 0);
}

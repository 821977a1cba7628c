// What a REGISTER request or its response says: whose address of record, which contacts, for how long, and where the
// phone itself was seen. Pure; keeps and trusts nothing. RFC 3261 §10.2, §10.3, §20.10, §20.19; RFC 3581 (received).
import { type AddressWords, parseAddress } from "../base/address.js";
import { type AddressParts, parameterOf, splitAddresses, splitUri } from "./address.js";
import type { SipMessage } from "./message.js";
import { splitOutsideQuotes } from "./text.js";

/** Contacts read of one message; a phone registers one or two. */
export const MAX_CONTACTS = 16;
const MAX_VIA_VALUES = 256;
/** Longer is no user part or host that a registrar would keep. */
const MAX_NAME_CHARACTERS = 256;
/** RFC 3261 §10.2: where nobody says how long. */
const DEFAULT_EXPIRES_S = 3600;

export interface RegisteredContact {
  /** "user@host:port": the same for the same contact in request and response. */
  key: string;
  user: string;
  /** The host where it is a literal address. */
  address: AddressWords | undefined;
  /** Lifetime as the contact itself says; undefined when it does not. */
  expiresS: number | undefined;
}

export interface Registration {
  /** Address of record: user and host of To. */
  user: string;
  host: string;
  contacts: RegisteredContact[];
  /** "Contact: *" */
  removesAll: boolean;
  /** Expires of the message; undefined when it has none. */
  expiresS: number | undefined;
}

/** undefined when the message has no address of record that could be kept. */
export function readRegistration(message: SipMessage): Registration | undefined {
  const { user, host } = message.to;
  if (user === "" || user.length > MAX_NAME_CHARACTERS || host.length > MAX_NAME_CHARACTERS) return undefined;
  const values = message.headers.get("contact") ?? [];
  return {
    user,
    host,
    contacts: splitAddresses(values, MAX_CONTACTS).flatMap(toContact),
    removesAll: values.some((value) => value.trim() === "*"),
    expiresS: readExpires(message.headers.get("expires")?.[0]),
  };
}

/** Seconds until a contact runs out: by itself, else by its message, else `fallback`. */
export function lifetimeS(contact: RegisteredContact, registration: Registration, fallback?: number): number {
  return contact.expiresS ?? registration.expiresS ?? fallback ?? DEFAULT_EXPIRES_S;
}

/**
 * Where the first element saw the phone that sent a forwarded request: `received` of its own Via (the last value), set
 * when that differs from what the phone believes (RFC 3261 §18.2.1); undefined when nothing says so.
 */
export function receivedFrom(message: SipMessage): AddressWords | undefined {
  const last = message.headers.get("via")?.at(-1);
  const own = last === undefined ? undefined : splitOutsideQuotes(last, ",", MAX_VIA_VALUES).at(-1);
  const semicolon = own?.indexOf(";") ?? -1;
  const received = own === undefined || semicolon < 0 ? undefined : parameterOf(own.slice(semicolon), "received");
  return received === undefined ? undefined : parseAddress(received.replace(/^\[|\]$/g, ""));
}

function toContact(parts: AddressParts): RegisteredContact[] {
  const { user, host } = splitUri(parts.uri);
  if (host === "" || host.length > MAX_NAME_CHARACTERS || user.length > MAX_NAME_CHARACTERS) return [];
  return [
    {
      key: `${user}@${host}:${portOf(parts.uri)}`,
      user,
      address: parseAddress(host),
      expiresS: readExpires(parameterOf(parts.parameters, "expires")),
    },
  ];
}

function portOf(uri: string): string {
  const rest = uri.slice(uri.lastIndexOf("@") + 1);
  return /^(?:sips?:)?(?:\[[^\]]{0,64}\]|[^:;?[]{0,256}):(\d{1,5})/i.exec(rest)?.[1] ?? "";
}

/** What is no number is as if it were not there (RFC 3261 §20.10). */
function readExpires(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

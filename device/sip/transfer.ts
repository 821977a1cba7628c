// What a message says of other dialogs and of where a call is to go: Replaces (RFC 3891), Join (RFC 3911), Target-Dialog
// (RFC 4538), Refer-To and the progress of a REFER (RFC 3515), Referred-By (RFC 3892), Refer-Sub (RFC 4488), the contacts
// of a redirection (RFC 3261 §8.1.3.4). Pure readers with bounds; follows nothing and trusts nothing.
import { splitAddress, splitAddresses, splitUri } from "./address.js";
import type { SipAddress, SipMessage } from "./message.js";
import { percentDecode, shorten } from "./text.js";

const MAX_IDENTIFIER_CHARACTERS = 1024;
const MAX_URI_CHARACTERS = 1024;
const MAX_PARAMETERS = 16;
const MAX_URI_HEADERS = 16;
const MAX_CONTACTS = 8;

/** A dialog as Replaces and Join name it, from the view of the one who receives the request (RFC 3891 §3). */
export interface DialogReference {
  callId: string;
  /** The receiver's own tag in that dialog. */
  toTag: string;
  /** The tag of the receiver's peer. */
  fromTag: string;
  /** The dialog counts only while it is unanswered. */
  earlyOnly: boolean;
}

/** A dialog as Target-Dialog names it, from the view of the sender (RFC 4538 §3). */
export interface TargetDialog {
  callId: string;
  localTag: string;
  remoteTag: string;
}

export interface ReferTarget {
  /** Without embedded header fields, with its parameters. */
  uri: string;
  /** User part or number, "" when none. */
  user: string;
  host: string;
  /** What the receiver is to send: the URI's method parameter, else INVITE. */
  method: string;
  /** An attended transfer: the dialog that the new one is to replace. */
  replaces?: DialogReference;
}

/** Undefined when there is none, it is malformed, or there are several (RFC 3891 §3 has those refused). */
export function readReplaces(message: SipMessage): DialogReference | undefined {
  return readDialogReference(singleValue(message, "replaces"));
}

/** As `readReplaces`; `earlyOnly` is always false. */
export function readJoin(message: SipMessage): DialogReference | undefined {
  const reference = readDialogReference(singleValue(message, "join"));
  return reference && { ...reference, earlyOnly: false };
}

export function readTargetDialog(message: SipMessage): TargetDialog | undefined {
  const dialog = splitDialog(singleValue(message, "target-dialog"));
  const localTag = dialog?.parameters.get("local-tag");
  const remoteTag = dialog?.parameters.get("remote-tag");
  return dialog && localTag && remoteTag ? { callId: dialog.callId, localTag, remoteTag } : undefined;
}

/** Undefined when there is no Refer-To, or several different ones (RFC 3515 §2.4.2 has those refused). */
export function readReferTo(message: SipMessage): ReferTarget | undefined {
  const value = singleValue(message, "refer-to");
  return value === undefined ? undefined : splitReferTarget(referUri(value));
}

/** Who asked for the transfer that this request carries out. */
export function readReferredBy(message: SipMessage): SipAddress | undefined {
  const value = message.headers.get("referred-by")?.[0];
  if (!value) return undefined;
  const { name, uri } = splitAddress(value);
  if (uri === "") return undefined;
  const { user, host } = splitUri(uri);
  return {
    name,
    uri: shorten(uri, MAX_URI_CHARACTERS),
    user: shorten(user, MAX_IDENTIFIER_CHARACTERS),
    host: shorten(host, MAX_IDENTIFIER_CHARACTERS),
    tag: "",
  };
}

/** False when the referrer wants no NOTIFY, or the receiver sends none; undefined when nothing is said. */
export function readReferSub(message: SipMessage): boolean | undefined {
  const word = /^(true|false)(?:\s*;|$)/i.exec(message.headers.get("refer-sub")?.[0] ?? "")?.[1];
  return word === undefined ? undefined : word.toLowerCase() === "true";
}

/** The URIs that a 3xx names, in order; at most eight. */
export function readRedirection(message: SipMessage): string[] {
  return splitAddresses(message.headers.get("contact") ?? [], MAX_CONTACTS)
    .map(({ uri }) => shorten(uri, MAX_URI_CHARACTERS))
    .filter((uri) => uri !== "" && uri !== "*");
}

/** Status of the status line that a message/sipfrag body opens with (RFC 3515 §2.4.5); 0 when it has none. */
export function readSipfragStatus(bodyText: string | undefined): number {
  const status = /^\s{0,64}SIP\/2\.0[ \t]{1,64}([1-6]\d\d)(?!\d)/i.exec(bodyText ?? "")?.[1];
  return status === undefined ? 0 : Number(status);
}

/** The field's one value; undefined when it is missing, empty, or there twice with different values. */
function singleValue(message: SipMessage, name: string): string | undefined {
  const values = message.headers.get(name) ?? [];
  const first = values[0];
  return first && values.every((value) => value === first) ? first : undefined;
}

/** "callid;to-tag=x;from-tag=y": a Call-ID may hold quotes and brackets, which therefore mean nothing here. */
function splitDialog(
  value: string | undefined,
): { callId: string; parameters: ReadonlyMap<string, string> } | undefined {
  const [callId = "", ...pieces] = (value ?? "").split(";", MAX_PARAMETERS + 1).map((piece) => piece.trim());
  if (!isIdentifier(callId)) return undefined;
  const parameters = new Map<string, string>();
  for (const piece of pieces) {
    const equals = piece.indexOf("=");
    const name = (equals < 0 ? piece : piece.slice(0, equals)).trim().toLowerCase();
    const tag = equals < 0 ? "" : piece.slice(equals + 1).trim();
    if (equals >= 0 && !isIdentifier(tag)) return undefined;
    if (parameters.has(name) && parameters.get(name) !== tag) return undefined;
    parameters.set(name, tag);
  }
  return { callId, parameters };
}

function isIdentifier(text: string): boolean {
  return text.length > 0 && text.length <= MAX_IDENTIFIER_CHARACTERS && !/[\s,]/.test(text);
}

function readDialogReference(value: string | undefined): DialogReference | undefined {
  const dialog = splitDialog(value);
  const toTag = dialog?.parameters.get("to-tag");
  const fromTag = dialog?.parameters.get("from-tag");
  if (!dialog || !toTag || !fromTag) return undefined;
  return { callId: dialog.callId, toTag, fromTag, earlyOnly: dialog.parameters.has("early-only") };
}

/** Refer-To with "?" or ";" wants <> (RFC 3261 §20.10); without them, all up to a blank is the URI here. */
function referUri(value: string): string {
  return value.includes("<") ? splitAddress(value).uri : (value.split(/[\s,]/, 1)[0] ?? "");
}

function splitReferTarget(whole: string): ReferTarget | undefined {
  const question = headerStart(whole);
  const uri = question < 0 ? whole : whole.slice(0, question);
  if (uri === "" || uri.length > MAX_URI_CHARACTERS) return undefined;
  const { user, host } = splitUri(uri);
  const target: ReferTarget = { uri, user: shorten(user, MAX_IDENTIFIER_CHARACTERS), host, method: methodOf(uri) };
  const replaces = question < 0 ? undefined : readDialogReference(embeddedReplaces(whole.slice(question + 1)));
  if (replaces) target.replaces = replaces;
  return target;
}

/**
 * Where the embedded header fields begin: at the first "?" behind the user part, which may hold one itself. Their own
 * "@" should be escaped and often is not, so that the last one says nothing.
 */
function headerStart(uri: string): number {
  const behindUser = uri.indexOf("?", uri.indexOf("@") + 1);
  return behindUser < 0 ? uri.indexOf("?") : behindUser;
}

function embeddedReplaces(headers: string): string | undefined {
  let found: string | undefined;
  for (const piece of headers.split("&", MAX_URI_HEADERS)) {
    const equals = piece.indexOf("=");
    if (equals < 0 || percentDecode(piece.slice(0, equals)).toLowerCase() !== "replaces") continue;
    const value = percentDecode(piece.slice(equals + 1));
    if (found !== undefined && found !== value) return undefined;
    found = value;
  }
  return found;
}

function methodOf(uri: string): string {
  const method = /;method=([A-Za-z]{1,32})(?:;|$)/i.exec(uri)?.[1];
  return method?.toUpperCase() ?? "INVITE";
}

// The first line of a message: the cheap test that every UDP datagram takes, and the reading of request and status
// lines. RFC 3261 §7.1, §7.2, §25.1. Accepts white-space runs and spaces inside a Request-URI, as deployed stacks do.
import type { SipReject } from "./message.js";
import { isToken, isTokenOctet } from "./text.js";

const LF = 10;
const CR = 13;
const SPACE = 32;
/** Empty lines in front of a start line (RFC 3261 §7.5: keep-alives and sloppy senders). */
const MAX_LEADING_OCTETS = 64;
const MAX_METHOD_OCTETS = 64;
/** How far into a request line the protocol version is looked for. */
const MAX_LOOK_AHEAD = 4096;
/** Compared without case: the grammar's literals have none. */
const VERSION_TEXT = "sip/2.0";
const VERSION = Uint8Array.from(VERSION_TEXT, (character) => character.charCodeAt(0));

export type StartLine =
  | { kind: "request"; method: string; uri: string }
  | { kind: "response"; status: number; reason: string };

/** First octet that is no line end, at most MAX_LEADING_OCTETS further on. */
export function skipLineEnds(data: Buffer, start: number, end: number): number {
  const limit = Math.min(end, start + MAX_LEADING_OCTETS);
  let at = start;
  while (at < limit && (data[at] === CR || data[at] === LF)) at++;
  return at;
}

/**
 * True when `data[start..end)` opens like a SIP message. Allocates nothing, looks at most at MAX_LOOK_AHEAD octets,
 * and at two or three of nearly everything that is not SIP.
 */
export function looksLikeSip(data: Buffer, start: number, end: number): boolean {
  const at = skipLineEnds(data, start, end);
  let space = at;
  const methodLimit = Math.min(end, at + MAX_METHOD_OCTETS);
  while (space < methodLimit && isTokenOctet(data[space]!)) space++;
  if (isVersion(data, at, end)) return data[at + VERSION.length] === SPACE && at + VERSION.length < end;
  if (space === at || space >= end || data[space] !== SPACE) return false;
  return requestLineHasVersion(data, space, Math.min(end, at + MAX_LOOK_AHEAD));
}

/** Looks for a URI and SP "SIP/2.0" with nothing but blanks behind it before the line's end. */
function requestLineHasVersion(data: Buffer, from: number, to: number): boolean {
  let hasUri = false;
  for (let i = from; i < to; i++) {
    const octet = data[i]!;
    if (octet === LF) return false;
    if (octet !== SPACE) hasUri = true;
    else if (hasUri && isVersion(data, i + 1, to) && lineEndsAt(data, i + 1 + VERSION.length, to)) return true;
  }
  return false;
}

function lineEndsAt(data: Buffer, from: number, to: number): boolean {
  let at = from;
  while (at < to && data[at] === SPACE) at++;
  return at >= to || data[at] === CR || data[at] === LF;
}

function isVersion(data: Buffer, at: number, end: number): boolean {
  if (end - at < VERSION.length) return false;
  for (let i = 0; i < VERSION.length; i++) {
    const octet = data[at + i]!;
    const folded = octet >= 65 && octet <= 90 ? octet | 32 : octet;
    if (folded !== VERSION[i]) return false;
  }
  return true;
}

/** Reads a start line whose white space is collapsed already. */
export function parseStartLine(line: string): StartLine | SipReject {
  if (/^SIP\/2\.0 /i.test(line)) return parseStatusLine(line.slice(8));
  const first = line.indexOf(" ");
  const last = line.lastIndexOf(" ");
  if (first < 1 || last <= first || !/^SIP\/2\.0$/i.test(line.slice(last + 1))) return "start-line";
  const method = line.slice(0, first);
  if (method.length > MAX_METHOD_OCTETS || !isToken(method)) return "start-line";
  return { kind: "request", method, uri: line.slice(first + 1, last) };
}

/** Three digits, 100 to 699 (RFC 3261 §7.2), then any reason. */
function parseStatusLine(rest: string): StartLine | SipReject {
  const space = rest.indexOf(" ");
  const code = space < 0 ? rest : rest.slice(0, space);
  if (!/^[1-6]\d\d$/.test(code)) return "status";
  return { kind: "response", status: Number(code), reason: space < 0 ? "" : rest.slice(space + 1) };
}

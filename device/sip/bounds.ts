// The bounded front of the parser: finds a head's lines in raw octets, unfolds them and refuses what is too long, too
// many or no header field, so that nothing behind it meets unbounded text. Linear in the input. RFC 3261 §7.3.1.
// Bare LF line ends are accepted, as deployed stacks do; names that are no tokens are left out, never keys.
import { longHeaderName } from "./header-names.js";
import type { SipLimits, SipReject } from "./message.js";
import { collapseWhiteSpace, decodeText, decodeUtf8, isTokenOctet } from "./text.js";

const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;
const COLON = 58;
/** Fields whose octets tell dialogs and hops apart: none may become the same as another's. */
const IDENTIFIER_FIELDS: ReadonlySet<string> = new Set(["call-id", "via"]);

export interface HeadField {
  /** Lower-case long form, a token. */
  name: string;
  /** One line, white space collapsed. */
  value: string;
}

export interface MessageHead {
  /** White space collapsed; "" when the caller asked for fields only. */
  startLine: string;
  fields: HeadField[];
  /** Offset of the first body octet in the octets given. */
  bodyStart: number;
  /** False when the octets ended before the empty line. */
  complete: boolean;
}

export type HeadResult = { ok: true; head: MessageHead } | { ok: false; reject: SipReject; detail: string };

export interface HeadOptions {
  /** False for a body part, whose head has no start line. */
  startLine: boolean;
  /** The octets were cut: a last line without its end is not used. */
  truncated: boolean;
}

/** Reads the head that starts at `octets[0]`; leading line ends must be gone already. */
export function splitHead(octets: Buffer, limits: SipLimits, options: HeadOptions): HeadResult {
  const head: MessageHead = { startLine: "", fields: [], bodyStart: octets.length, complete: false };
  let awaitsStartLine = options.startLine;
  let lines = 0;
  for (let at = 0; at < octets.length; ) {
    const next = logicalLineEnd(octets, at, limits.maxLineBytes);
    if (next === TOO_LONG) return refuse("line-too-long", `header line ${lines + 1}`);
    const terminated = octets[next - 1] === LF;
    const contentEnd = withoutLineEnd(octets, at, next);
    if (contentEnd === at) {
      head.bodyStart = next;
      head.complete = true;
      break;
    }
    if (!terminated && options.truncated) break;
    if (awaitsStartLine) {
      head.startLine = collapseWhiteSpace(decodeText(octets.subarray(at, contentEnd)));
      awaitsStartLine = false;
    } else {
      if (++lines > limits.maxHeaderLines) return refuse("too-many-headers", `more than ${limits.maxHeaderLines}`);
      const fault = readField(octets, at, contentEnd, head.fields);
      if (fault !== "") return refuse("header-malformed", `${fault} in header line ${lines}`);
    }
    at = next;
  }
  return { ok: true, head };
}

const TOO_LONG = -1;

/** Offset behind the line that starts at `at`, continuation lines included; TOO_LONG beyond `maximum` octets. */
function logicalLineEnd(octets: Buffer, at: number, maximum: number): number {
  let end = at;
  do {
    const lineFeed = octets.indexOf(LF, end);
    end = lineFeed < 0 ? octets.length : lineFeed + 1;
    if (end - at > maximum) return TOO_LONG;
    // An empty line ends the head whatever follows it.
    if (withoutLineEnd(octets, at, end) === at) return end;
  } while (end < octets.length && (octets[end] === SPACE || octets[end] === TAB));
  return end;
}

function withoutLineEnd(octets: Buffer, from: number, to: number): number {
  let end = to;
  if (end > from && octets[end - 1] === LF) end--;
  if (end > from && octets[end - 1] === CR) end--;
  return end;
}

/** Appends the field in `octets[from..to)`; returns what is wrong with it, "" when nothing is. */
function readField(octets: Buffer, from: number, to: number, fields: HeadField[]): string {
  let nameEnd = from;
  while (nameEnd < to && isTokenOctet(octets[nameEnd]!)) nameEnd++;
  let colon = nameEnd;
  while (colon < to && isBlank(octets[colon]!)) colon++;
  if (colon < to && octets[colon] === COLON && nameEnd > from) {
    const name = longHeaderName(octets.toString("latin1", from, nameEnd));
    const value = octets.subarray(colon + 1, to);
    const text = IDENTIFIER_FIELDS.has(name) ? decodeText(value) : decodeUtf8(value);
    fields.push({ name, value: collapseWhiteSpace(text) });
    return "";
  }
  // A name with a stray printable octet costs this field, not the call: deployed stacks skip it as well.
  for (let i = from; i < to; i++) {
    const octet = octets[i]!;
    if (octet === COLON) return "";
    if (octet < SPACE && !isBlank(octet)) return "control character in name";
  }
  return "no colon";
}

function isBlank(octet: number): boolean {
  return octet === SPACE || octet === TAB || octet === CR || octet === LF;
}

function refuse(reject: SipReject, detail: string): HeadResult {
  return { ok: false, reject, detail };
}

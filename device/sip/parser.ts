// One SIP message out of octets, as plain values. The bounded front (bounds.ts, start-line.ts, address.ts) reads and
// refuses first; the npm library `sip`, imported here and nowhere else, structures a small head that is rebuilt from
// clean pieces: it takes quadratic time on raw text, unescapes names into object keys and loses faults silently.
// RFC 3261 §7, §8.1.1, §20. Never throws on input, never validates more than a recorder needs.
import { createRequire } from "node:module";
import type { LibraryMessage, LibraryParameters, SipLibrary } from "sip";
import { type AddressParts, cleanParameters, splitAddress, splitUri } from "./address.js";
import { readBody } from "./body.js";
import { type HeadField, splitHead } from "./bounds.js";
import type { SipAddress, SipLimits, SipMessage, SipParseResult, SipReject } from "./message.js";
import { parseStartLine, type StartLine, skipLineEnds } from "./start-line.js";
import { isToken, splitOutsideQuotes, unquote } from "./text.js";

export { looksLikeSip } from "./start-line.js";

/** Required, not imported: Node would search the source of this CommonJS package for names that nobody imports. */
const library = createRequire(import.meta.url)("sip") as SipLibrary;

/** Longest Call-ID and tag that is kept per call. */
const MAX_IDENTIFIER_CHARACTERS = 1024;
/** Via values counted in one message (Max-Forwards is 70 where it is respected). */
const MAX_VIA_VALUES = 256;
const MAX_CSEQ = 2 ** 32 - 1;
/** Fields that identify the dialog: twice with different values means two messages in one (RFC 4475 §3.3.8). */
const SINGLE_FIELDS = ["from", "to", "call-id", "cseq"] as const;
type SingleField = (typeof SINGLE_FIELDS)[number];

export interface SipParseOptions {
  /** The capture holds fewer octets than the datagram had. */
  truncated?: boolean;
}

/** Reads the message in `data[start..end)`; octets behind its body are ignored (RFC 3261 §18.3). */
export function parseSip(
  data: Buffer,
  start: number,
  end: number,
  limits: SipLimits,
  options: SipParseOptions = {},
): SipParseResult {
  if (end - start > limits.maxMessageBytes) return refuse("too-long", `${end - start} bytes`);
  const truncated = options.truncated === true;
  const octets = data.subarray(skipLineEnds(data, start, end), end);
  const split = splitHead(octets, limits, { startLine: true, truncated });
  if (!split.ok) return split;
  const startLine = parseStartLine(split.head.startLine);
  if (typeof startLine === "string") return refuse(startLine, "start line");
  const headers = groupFields(split.head.fields);
  const fault = findMissing(headers, startLine);
  // What a cut head lacks may have stood behind the cut.
  if (fault)
    return truncated && !split.head.complete && fault.reject === "missing-header" ? cutHead() : { ok: false, ...fault };
  const head = structure(startLine, headers);
  if (!head.ok) return head;
  const body = split.head.complete
    ? readBody(headers, octets.subarray(split.head.bodyStart), limits, truncated)
    : { fault: truncated ? "truncated" : "" };
  const message: SipMessage = { ...head.message, bodyFault: body.fault };
  if ("sdp" in body && body.sdp) message.sdp = body.sdp;
  if ("text" in body && body.text !== undefined) message.bodyText = body.text;
  return { ok: true, message };
}

function groupFields(fields: readonly HeadField[]): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const { name, value } of fields) {
    const known = headers.get(name);
    if (known) known.push(value);
    else headers.set(name, [value]);
  }
  return headers;
}

interface Fault {
  reject: SipReject;
  detail: string;
}

/** RFC 3261 §8.1.1: what every message needs. Via only in requests: nothing here hangs on a response's. */
function findMissing(headers: ReadonlyMap<string, readonly string[]>, startLine: StartLine): Fault | undefined {
  for (const name of SINGLE_FIELDS) {
    const values = headers.get(name);
    if (!values?.[0]) return { reject: "missing-header", detail: name };
    if (values.some((value) => value !== values[0])) return { reject: "duplicate-header", detail: name };
  }
  if (startLine.kind === "request" && !headers.get("via")?.[0]) return { reject: "missing-header", detail: "via" };
  return undefined;
}

type HeadMessage = Omit<SipMessage, "bodyFault" | "bodyText" | "sdp">;

/** Has the library structure a rebuilt head and checks what it does not. */
function structure(
  startLine: StartLine,
  headers: ReadonlyMap<string, readonly string[]>,
): { ok: true; message: HeadMessage } | { ok: false; reject: SipReject; detail: string } {
  const single = (name: SingleField): string => headers.get(name)![0]!;
  const cseq = parseCseq(single("cseq"));
  if (!cseq) return refuse("cseq", "number or method");
  // RFC 3261 §8.1.1.5
  if (startLine.kind === "request" && cseq.method !== startLine.method)
    return refuse("cseq", "method of another request");
  const from = splitAddress(single("from"));
  const to = splitAddress(single("to"));
  const contact = splitAddress(headers.get("contact")?.[0] ?? "");
  const via = topVia(headers.get("via") ?? []);
  const read = library.parse(rebuiltHead(from, to, contact, via.parameters, cseq));
  if (!read?.headers.from || !read.headers.to || !read.headers.cseq) return refuse("parser", "head");
  const fromAddress = toAddress(from, read.headers.from.uri, read.headers.from.params);
  const toAddressOfMessage = toAddress(to, read.headers.to.uri, read.headers.to.params);
  const callId = single("call-id");
  const longest = Math.max(callId.length, fromAddress.tag.length, toAddressOfMessage.tag.length);
  if (longest > MAX_IDENTIFIER_CHARACTERS) return refuse("header-malformed", "identifier too long");
  const message: HeadMessage = {
    kind: startLine.kind,
    method: cseq.method,
    requestUri: startLine.kind === "request" ? startLine.uri : "",
    status: startLine.kind === "response" ? startLine.status : 0,
    reason: startLine.kind === "response" ? startLine.reason : "",
    callId,
    cseq: read.headers.cseq.seq,
    from: fromAddress,
    to: toAddressOfMessage,
    branch: branchOf(read),
    viaCount: via.count,
    contact: read.headers.contact?.[0]?.uri ?? "",
    headers,
  };
  const asserted = headers.get("p-asserted-identity")?.[0];
  if (asserted) message.assertedIdentity = assertedIdentity(asserted);
  return { ok: true, message };
}

/** Number up to 2^32-1 (RFC 3261 §8.1.1.5 asks for less than 2^31; stacks in use send more) and a method. */
function parseCseq(value: string): { number: number; method: string } | undefined {
  const match = /^(\d{1,64}) (\S+)$/.exec(value);
  if (!match) return undefined;
  const number = Number(match[1]);
  const method = match[2]!;
  return number <= MAX_CSEQ && isToken(method) ? { number, method } : undefined;
}

/** Parameters of the topmost Via and the number of values; its sent-by is not needed. */
function topVia(values: readonly string[]): { parameters: string; count: number } {
  let count = 0;
  let top = "";
  for (const value of values) {
    const pieces = splitOutsideQuotes(value, ",", MAX_VIA_VALUES).filter((piece) => piece.trim() !== "");
    if (count === 0) top = pieces[0] ?? "";
    count += pieces.length;
  }
  const semicolon = top.indexOf(";");
  return { parameters: semicolon < 0 ? "" : top.slice(semicolon), count };
}

/**
 * The head for the library. Its start line and sent-by are fixed: ours are read already, and an IPv6 sent-by would
 * cost the library the parameters behind it.
 */
function rebuiltHead(
  from: AddressParts,
  to: AddressParts,
  contact: AddressParts,
  viaParameters: string,
  cseq: { number: number; method: string },
): string {
  const lines = [
    "OPTIONS sip:sidetone SIP/2.0",
    `From: ${addressText(from)}`,
    `To: ${addressText(to)}`,
    `CSeq: ${cseq.number} ${cseq.method}`,
    `Via: SIP/2.0/UDP sidetone${cleanParameters(viaParameters)}`,
  ];
  if (contact.uri !== "") lines.push(`Contact: ${addressText({ ...contact, parameters: "" })}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function addressText(parts: AddressParts): string {
  return `<${parts.uri}>${cleanParameters(parts.parameters)}`;
}

function toAddress(parts: AddressParts, uri: string, parameters: LibraryParameters): SipAddress {
  return { name: parts.name, uri, ...splitUri(uri), tag: unquote(parameters["tag"] ?? "") };
}

function branchOf(read: LibraryMessage): string {
  return unquote(read.headers.via?.[0]?.params["branch"] ?? "");
}

/** First value of P-Asserted-Identity (RFC 3325 §9.1), which the library leaves as text inside a message. */
function assertedIdentity(value: string): SipAddress {
  const parts = splitAddress(value);
  const read = library.parseAOR({ s: addressText({ ...parts, parameters: "" }), i: 0 });
  return { ...toAddress(parts, read.uri, {}), tag: "" };
}

function cutHead(): SipParseResult {
  return refuse("truncated", "head");
}

function refuse(reject: SipReject, detail: string): { ok: false; reject: SipReject; detail: string } {
  return { ok: false, reject, detail };
}

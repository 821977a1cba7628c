// A message's body: which octets belong to it, and the session description or the short text in it, alone or as a part
// of a multipart body. Never touches the head's fields beyond those that describe the body. RFC 3261 §20.14, §20.15;
// RFC 2046 §5.1; RFC 5621. Parts, nesting and text are bounded.
import { type HeadField, splitHead } from "./bounds.js";
import type { SipLimits } from "./message.js";
import { parseSdp } from "./sdp.js";
import type { SessionDescription } from "./sdp-types.js";
import { decodeText, splitOutsideQuotes, unquote } from "./text.js";

const MAX_PARTS = 16;
/** multipart/mixed that holds a multipart/alternative: one level below the message's own. */
const MAX_NESTING = 2;
/** RFC 2046 §5.1.1. */
const MAX_BOUNDARY_CHARACTERS = 70;
/**
 * Bodies handed on as text: the progress of a transfer (RFC 3515 §2.4.5) and keys pressed, which are sent in INFO in
 * several makers' formats.
 */
const TEXT_TYPES: ReadonlySet<string> = new Set([
  "message/sipfrag",
  "application/dtmf-relay",
  "application/dtmf",
  "application/vnd.nortelnetworks.digits",
]);
const MAX_TEXT_CHARACTERS = 4096;
const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;
const HYPHEN = 45;

export interface BodyResult {
  sdp?: SessionDescription;
  /** A whole body of one of TEXT_TYPES, at most MAX_TEXT_CHARACTERS of it. */
  text?: string;
  /** Why there is no whole session description though the message announces a body; "" when nothing is wrong. */
  fault: "" | "truncated" | "content-length" | "content-encoding" | "no-sdp" | "multipart" | "sdp";
}

/** The session description in a message whose octets behind the head are `rest`. */
export function readBody(
  headers: ReadonlyMap<string, readonly string[]>,
  rest: Buffer,
  limits: SipLimits,
  isCut: boolean,
): BodyResult {
  const announced = contentLength(headers.get("content-length") ?? []);
  const body = announced.octets === undefined ? rest : rest.subarray(0, announced.octets);
  const truncated = announced.octets === undefined ? isCut : announced.octets > rest.length;
  const result = describeBody(headers, body, limits, truncated);
  if (truncated) return { ...result, fault: "truncated" };
  return result.fault === "" && announced.isFaulty ? { ...result, fault: "content-length" } : result;
}

/** undefined octets: absent or unusable, the body is all that is there (RFC 3261 §18.3 for datagrams). */
export function contentLength(values: readonly string[]): { octets: number | undefined; isFaulty: boolean } {
  const first = values[0];
  if (first === undefined) return { octets: undefined, isFaulty: false };
  const isUsable = /^\d{1,9}$/.test(first) && values.every((value) => value === first);
  return { octets: isUsable ? Number(first) : undefined, isFaulty: !isUsable };
}

function describeBody(
  headers: ReadonlyMap<string, readonly string[]>,
  body: Buffer,
  limits: SipLimits,
  isCut: boolean,
): BodyResult {
  const type = contentType(headers.get("content-type")?.[0]);
  if (body.length === 0) return { fault: "" };
  const encoding = headers.get("content-encoding")?.[0]?.toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "identity") return { fault: "content-encoding" };
  return readContent(type, body, limits, isCut, 0) ?? { fault: "no-sdp" };
}

interface ContentType {
  /** Lower case; "" when the field is missing. */
  type: string;
  boundary: string;
}

function contentType(value: string | undefined): ContentType {
  const [type = "", ...parameters] = splitOutsideQuotes(value ?? "", ";", 16);
  let boundary = "";
  for (const parameter of parameters) {
    const equals = parameter.indexOf("=");
    if (parameter.slice(0, equals).trim().toLowerCase() === "boundary")
      boundary = unquote(parameter.slice(equals + 1).trim());
  }
  return { type: type.trim().toLowerCase(), boundary };
}

/** undefined when the body is of another kind. */
function readContent(
  content: ContentType,
  body: Buffer,
  limits: SipLimits,
  isCut: boolean,
  depth: number,
): BodyResult | undefined {
  // RFC 3261 §20.15 wants a type with every body; phones that leave it out mean SDP.
  if (content.type === "application/sdp" || (content.type === "" && depth === 0)) return readSdp(body, isCut);
  if (TEXT_TYPES.has(content.type)) return isCut ? undefined : { text: readText(body), fault: "no-sdp" };
  if (!content.type.startsWith("multipart/")) return undefined;
  const { boundary } = content;
  if (boundary === "" || boundary.length > MAX_BOUNDARY_CHARACTERS || depth >= MAX_NESTING)
    return { fault: "multipart" };
  return findPart(body, boundary, limits, isCut, depth);
}

function readSdp(body: Buffer, isCut: boolean): BodyResult {
  // Of a cut body the last line may be half a line: a port with digits missing is worse than none.
  const octets = isCut ? body.subarray(0, body.lastIndexOf(LF) + 1) : body;
  const sdp = parseSdp(octets.toString("latin1"));
  return sdp ? { sdp, fault: "" } : { fault: "sdp" };
}

function readText(body: Buffer): string {
  return decodeText(body.subarray(0, MAX_TEXT_CHARACTERS));
}

/** The first part that is or holds a session description, else the first text. Walks the body once. */
function findPart(
  body: Buffer,
  boundary: string,
  limits: SipLimits,
  isCut: boolean,
  depth: number,
): BodyResult | undefined {
  const delimiter = Buffer.from(`--${boundary}`, "latin1");
  let other: BodyResult | undefined;
  let open = nextDelimiter(body, delimiter, 0);
  for (let parts = 0; open >= 0 && parts < MAX_PARTS; parts++) {
    const lineEnd = body.indexOf(LF, open);
    if (lineEnd < 0 || body[open + delimiter.length] === HYPHEN) break;
    const close = nextDelimiter(body, delimiter, lineEnd);
    const part = body.subarray(lineEnd + 1, close < 0 ? body.length : close);
    const found = readPart(part, limits, isCut && close < 0, depth);
    if (found?.sdp) return found;
    if (!other || (found?.text !== undefined && other.text === undefined)) other = found;
    open = close;
  }
  return other;
}

/** A delimiter counts at a line's start only, and only whole (RFC 2046 §5.1.1). */
function nextDelimiter(body: Buffer, delimiter: Buffer, from: number): number {
  let at = body.indexOf(delimiter, from);
  while (at >= 0 && !isDelimiterAt(body, delimiter.length, at)) at = body.indexOf(delimiter, at + 1);
  return at;
}

function isDelimiterAt(body: Buffer, length: number, at: number): boolean {
  if (at > 0 && body[at - 1] !== LF) return false;
  const next = body[at + length];
  if (next === HYPHEN) return body[at + length + 1] === HYPHEN;
  return next === CR || next === LF || next === SPACE || next === TAB;
}

function readPart(part: Buffer, limits: SipLimits, isCut: boolean, depth: number): BodyResult | undefined {
  const split = splitHead(part, limits, { startLine: false, truncated: isCut });
  if (!split.ok || !split.head.complete) return { fault: "multipart" };
  const { fields, bodyStart } = split.head;
  const value = (name: string): string | undefined => fields.find((field: HeadField) => field.name === name)?.value;
  const encoding = value("content-transfer-encoding")?.toLowerCase() ?? "binary";
  if (!["binary", "7bit", "8bit"].includes(encoding)) return { fault: "content-encoding" };
  const content = contentType(value("content-type") ?? "text/plain");
  return readContent(content, part.subarray(bodyStart), limits, isCut, depth + 1);
}

// What a request for stored bytes asks beyond the bytes: conditions and a range (RFC 9110 §13, §14), for representations that
// have an entity tag and no date. Pure. Several ranges at once are answered with the whole (§14.2 leaves that open).
import type { IncomingHttpHeaders } from "node:http";

/** Bytes from … to − 1. */
export interface ByteRange {
  from: number;
  to: number;
}

export type Asked =
  | { kind: "whole" }
  | { kind: "part"; range: ByteRange }
  /** 304 and 412. */
  | { kind: "not-modified" }
  | { kind: "precondition-failed" }
  /** 416. */
  | { kind: "unsatisfiable" };

const BYTE_RANGE = /^bytes *= *(?:(\d+) *- *(\d+)?|- *(\d+))[ ,]*$/i;
/** RFC 9110 §8.8.3. */
const TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g;

export interface Representation {
  /** As in the header ETag. */
  etag: string;
  /** Undefined when there are no ranges of it. */
  bytes: number | undefined;
}

/** In the order of RFC 9110 §13.2.2. `headers` as Node gives them. */
export function askedOf(method: string, headers: IncomingHttpHeaders, { etag, bytes }: Representation): Asked {
  const ifMatch = headers["if-match"];
  if (ifMatch !== undefined && !matches(ifMatch, etag, isStrongMatch)) return { kind: "precondition-failed" };
  const ifNoneMatch = headers["if-none-match"];
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, etag, isWeakMatch)) return { kind: "not-modified" };
  // §14.2: a range is of GET alone.
  if (method !== "GET" || bytes === undefined || headers.range === undefined) return { kind: "whole" };
  const ifRange = headers["if-range"];
  // A date can name nothing here: there is no Last-Modified.
  if (ifRange !== undefined && !isStrongMatch(String(ifRange).trim(), etag)) return { kind: "whole" };
  return rangeOf(headers.range, bytes);
}

/** Of a header Range (§14.1.2): what is no single range of bytes is as if it were not there. */
export function rangeOf(header: string, bytes: number): Extract<Asked, { kind: "whole" | "part" | "unsatisfiable" }> {
  const match = BYTE_RANGE.exec(header.trim());
  if (match === null) return { kind: "whole" };
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), bytes);
    return length === 0 ? { kind: "unsatisfiable" } : { kind: "part", range: { from: bytes - length, to: bytes } };
  }
  const from = Number(first);
  if (last !== undefined && Number(last) < from) return { kind: "whole" };
  if (from >= bytes) return { kind: "unsatisfiable" };
  return { kind: "part", range: { from, to: last === undefined ? bytes : Math.min(bytes, Number(last) + 1) } };
}

function matches(header: string, etag: string, isMatch: (one: string, other: string) => boolean): boolean {
  if (header.trim() === "*") return true;
  return (header.match(TAG) ?? []).some((tag) => isMatch(tag, etag));
}

/** §8.8.3.2. */
function isStrongMatch(one: string, other: string): boolean {
  return one === other && !one.startsWith("W/");
}

function isWeakMatch(one: string, other: string): boolean {
  return one.replace(/^W\//, "") === other.replace(/^W\//, "");
}

// Tells where in arbitrary bytes a WebSocket frame begins that carries the beginning of a SIP message: for connections
// joined midway and after gaps. Looks at few bytes per place; a place that only might be one counts for nothing.
import { isTokenOctet } from "./text.js";
import {
  type FrameHeader,
  HEADER_INCOMPLETE,
  HEADER_INVALID,
  OPCODE_BINARY,
  OPCODE_TEXT,
  readFrameHeader,
} from "./websocket-frame.js";

export type Sight = "yes" | "no" | "more";

const SPACE = 32;
const COLON = 58;
const VERSION = "SIP/2.0 ";
const MAX_METHOD_OCTETS = 24;
const SCHEMES = ["sip", "sips", "tel", "urn", "im", "pres"];
const MAX_SCHEME_OCTETS = 5;

/** Whether a frame stands at `data[at]` that opens a message which is not compressed and begins like SIP. */
export function sightFrame(data: Buffer, at: number, end: number, header: FrameHeader): Sight {
  const opcode = data[at]! & 0x7f;
  if (opcode !== OPCODE_TEXT && opcode !== OPCODE_BINARY) return "no";
  const headerBytes = readFrameHeader(data, at, end, header);
  if (headerBytes === HEADER_INVALID) return "no";
  if (headerBytes === HEADER_INCOMPLETE) return "more";
  const start = at + headerBytes;
  const sight = sightSip(data, start, Math.min(end, start + header.payloadBytes), header.mask);
  return sight === "more" && start + header.payloadBytes <= end ? "no" : sight;
}

/** Whether `data[start..end)`, less its mask, begins like a SIP message: decided within some thirty octets. */
export function sightSip(data: Buffer, start: number, end: number, mask: Uint8Array): Sight {
  const octet = (i: number): number => data[start + i]! ^ mask[i & 3]!;
  const length = end - start;
  let matched = 0;
  while (matched < VERSION.length && matched < length && octet(matched) === VERSION.charCodeAt(matched)) matched++;
  if (matched === VERSION.length) return "yes";
  if (matched === length) return "more";
  let space = 0;
  while (space < length && space < MAX_METHOD_OCTETS && isTokenOctet(octet(space))) space++;
  if (space === length) return "more";
  if (space === 0 || octet(space) !== SPACE) return "no";
  return sightScheme(octet, space + 1, length);
}

/** The scheme of a Request-URI in any case. */
function sightScheme(octet: (i: number) => number, from: number, length: number): Sight {
  let scheme = "";
  for (let i = from; scheme.length < MAX_SCHEME_OCTETS; i++) {
    if (i >= length) return "more";
    if (octet(i) === COLON) break;
    scheme += String.fromCharCode(octet(i));
  }
  return SCHEMES.includes(scheme.toLowerCase()) ? "yes" : "no";
}

// The little SIP and SDP that a test phone needs, written and read as text (RFC 3261 §7, RFC 8866). Reads what phones
// and exchanges send in answer; what it cannot read is undefined, never an error.
import { G711_PAYLOAD_TYPE, type G711Codec } from "./g711.js";

export type SipHeader = readonly [name: string, value: string];

export interface SipText {
  startLine: string;
  /** Request method, or that of CSeq for a response; "" when absent. */
  method: string;
  /** 0 for requests. */
  status: number;
  /** Names as long names in lower case, folded lines joined. */
  headers: readonly SipHeader[];
  body: string;
}

const MAX_MESSAGE_BYTES = 16_384;
const MAX_HEADERS = 128;
const LONG_NAME: Readonly<Record<string, string>> = {
  c: "content-type",
  f: "from",
  i: "call-id",
  k: "supported",
  l: "content-length",
  m: "contact",
  t: "to",
  v: "via",
};

/** Content-Length is added here. */
export function writeSip(startLine: string, headers: readonly SipHeader[], body = ""): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(
    `${[startLine, ...lines, `Content-Length: ${Buffer.byteLength(body)}`].join("\r\n")}\r\n\r\n${body}`,
  );
}

/** Undefined when the bytes are no SIP message, or longer than a test call's messages can be. */
export function readSip(bytes: Buffer): SipText | undefined {
  if (bytes.length > MAX_MESSAGE_BYTES) return undefined;
  const text = bytes.toString("utf8");
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [startLine = "", ...lines] = unfolded(text.slice(0, headEnd));
  const status = Number(/^SIP\/2\.0 ([1-6]\d\d) /.exec(startLine)?.[1] ?? 0);
  const requestMethod = /^([A-Z]+) \S+ SIP\/2\.0$/.exec(startLine)?.[1];
  if ((status === 0 && requestMethod === undefined) || lines.length > MAX_HEADERS) return undefined;
  const headers: SipHeader[] = [];
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) return undefined;
    const name = line.slice(0, colon).trimEnd().toLowerCase();
    headers.push([LONG_NAME[name] ?? name, line.slice(colon + 1).trim()]);
  }
  const message = { startLine, method: "", status, headers, body: text.slice(headEnd + 4) };
  return { ...message, method: requestMethod ?? headerOf(message, "cseq").split(/\s+/)[1] ?? "" };
}

/** RFC 3261 §7.3.1: a line that begins with white space continues the one before it. */
function unfolded(head: string): string[] {
  const lines: string[] = [];
  for (const line of head.split("\r\n")) {
    if (lines.length > 0 && (line.startsWith(" ") || line.startsWith("\t")))
      lines.push(`${lines.pop()} ${line.trim()}`);
    else lines.push(line);
  }
  return lines;
}

/** First value, "" when there is none; `name` in lower case. */
export function headerOf(message: Pick<SipText, "headers">, name: string): string {
  return message.headers.find(([own]) => own === name)?.[1] ?? "";
}

/** Header fields of a name, as they stand, in order. */
export function headersOf(message: Pick<SipText, "headers">, name: string): SipHeader[] {
  return message.headers.filter(([own]) => own === name);
}

/** The URI inside <> or the bare one before parameters. */
export function uriIn(value: string): string {
  return /<([^>]*)>/.exec(value)?.[1] ?? value.split(";")[0]!.trim();
}

export interface AudioOffer {
  address: string;
  port: number;
  codec: G711Codec;
}

export function writeSdp(offer: AudioOffer): string {
  const family = offer.address.includes(":") ? "IP6" : "IP4";
  const payloadType = G711_PAYLOAD_TYPE[offer.codec];
  return [
    "v=0",
    `o=- 1 1 IN ${family} ${offer.address}`,
    "s=-",
    `c=IN ${family} ${offer.address}`,
    "t=0 0",
    `m=audio ${offer.port} RTP/AVP ${payloadType}`,
    `a=rtpmap:${payloadType} ${offer.codec}/8000`,
    "a=ptime:20",
    "a=sendrecv",
    "",
  ].join("\r\n");
}

/** Where the other side wants its audio and the first G.711 it names; undefined when it wants none or no G.711. */
export function readSdp(body: string): AudioOffer | undefined {
  const [head = "", ...media] = body.split(/^m=/m);
  const audio = media.find((one) => one.startsWith("audio "));
  const [, port, types] = /^audio (\d{1,5})\S* RTP\/AVP ([\d ]+)/.exec(audio ?? "") ?? [];
  const address = /^c=IN IP[46] ([^\s/]+)/m;
  const at = address.exec(audio ?? "")?.[1] ?? address.exec(head)?.[1];
  const codec = (types ?? "")
    .split(" ")
    .map(codecOf)
    .find((one) => one !== undefined);
  if (at === undefined || !(Number(port) > 0) || codec === undefined) return undefined;
  return { address: at, port: Number(port), codec };
}

function codecOf(payloadType: string): G711Codec | undefined {
  return (Object.keys(G711_PAYLOAD_TYPE) as G711Codec[]).find((one) => String(G711_PAYLOAD_TYPE[one]) === payloadType);
}

// Writes SIP requests and responses (RFC 3261) and their bodies (RFC 8866, RFC 5621) as text, in the forms that a
// parser must take: long or compact names, folded lines, multipart. Never parses.

export type SipHeader = readonly [name: string, value: string];

export interface SipStyle {
  /** RFC 3261 §7.3.3. */
  isCompact?: boolean;
  /** Continues every header on a second line (RFC 3261 §7.3.1). */
  isFolded?: boolean;
}

export interface SipNameAddress {
  uri: string;
  name?: string;
  tag?: string;
}

export interface SipBody {
  type: string;
  text: string;
}

export interface SipRequest {
  method: string;
  requestUri: string;
  /** Sent-by and parameters, topmost first, e.g. "10.0.0.1:5060;branch=z9hG4bK1". */
  via: string[];
  from: SipNameAddress;
  to: SipNameAddress;
  callId: string;
  cseq: number;
  contact?: string;
  headers?: readonly SipHeader[];
  body?: SipBody;
  style?: SipStyle;
}

export interface SipResponse {
  status: number;
  reason?: string;
  /** Added to the request's To; needed from 180 on. */
  toTag?: string;
  contact?: string;
  headers?: readonly SipHeader[];
  body?: SipBody;
}

const COMPACT_NAME: Readonly<Record<string, string>> = {
  "Call-ID": "i",
  Contact: "m",
  "Content-Length": "l",
  "Content-Type": "c",
  From: "f",
  Subject: "s",
  Supported: "k",
  To: "t",
  Via: "v",
};
const REASON: Readonly<Record<number, string>> = {
  100: "Trying",
  180: "Ringing",
  183: "Session Progress",
  200: "OK",
  202: "Accepted",
  302: "Moved Temporarily",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  480: "Temporarily Unavailable",
  486: "Busy Here",
  487: "Request Terminated",
  603: "Decline",
};

export function requestText(request: SipRequest): string {
  return messageText(
    `${request.method} ${request.requestUri} SIP/2.0`,
    [
      ...commonHeaders(request, request.to),
      ["Max-Forwards", "70"],
      ...(request.contact === undefined ? [] : [["Contact", request.contact] as const]),
      ...(request.headers ?? []),
    ],
    request.body,
    request.style,
  );
}

/** The response to `request`: its Via, From, Call-ID and CSeq are copied (RFC 3261 §8.2.6.2). */
export function responseText(request: SipRequest, response: SipResponse): string {
  const tag = request.to.tag ?? response.toTag;
  const to = tag === undefined ? request.to : { ...request.to, tag };
  return messageText(
    `SIP/2.0 ${response.status} ${response.reason ?? REASON[response.status] ?? "Response"}`,
    [
      ...commonHeaders(request, to),
      ...(response.contact === undefined ? [] : [["Contact", response.contact] as const]),
      ...(response.headers ?? []),
    ],
    response.body,
    request.style,
  );
}

function commonHeaders(request: SipRequest, to: SipNameAddress): SipHeader[] {
  return [
    ...request.via.map((via): SipHeader => ["Via", `SIP/2.0/UDP ${via}`]),
    ["From", nameAddress(request.from)],
    ["To", nameAddress(to)],
    ["Call-ID", request.callId],
    ["CSeq", `${request.cseq} ${request.method}`],
  ];
}

function nameAddress(party: SipNameAddress): string {
  const name = party.name === undefined ? "" : `"${party.name.replace(/["\\]/g, "\\$&")}" `;
  return `${name}<${party.uri}>${party.tag === undefined ? "" : `;tag=${party.tag}`}`;
}

function messageText(
  startLine: string,
  headers: readonly SipHeader[],
  body: SipBody | undefined,
  style: SipStyle | undefined,
): string {
  const all: SipHeader[] = [
    ...headers,
    ...(body ? [["Content-Type", body.type] as const] : []),
    ["Content-Length", String(Buffer.byteLength(body?.text ?? ""))],
  ];
  const lines = all.map(([name, value]) => {
    const written = style?.isCompact ? (COMPACT_NAME[name] ?? name) : name;
    return style?.isFolded ? `${written}:\r\n ${foldedValue(value)}` : `${written}: ${value}`;
  });
  return `${[startLine, ...lines].join("\r\n")}\r\n\r\n${body?.text ?? ""}`;
}

/** Breaks the line once more before the parameters, where none of them stands inside <>. */
function foldedValue(value: string): string {
  const parameters = value.indexOf(";", value.lastIndexOf(">") + 1);
  return parameters < 0 ? value : `${value.slice(0, parameters)}\r\n\t${value.slice(parameters)}`;
}

export interface SdpCodec {
  payloadType: number;
  name: string;
  clockRate: number;
  format?: string;
}

export interface SdpOptions {
  address: string;
  port: number;
  codecs: readonly SdpCodec[];
  ptimeMs?: number;
  direction?: "sendrecv" | "sendonly" | "recvonly" | "inactive";
  sessionId?: number;
  sessionVersion?: number;
  /** Default RTP/AVP. */
  protocol?: string;
  /** Further lines of the audio description, e.g. "a=recordpref:off". */
  mediaLines?: readonly string[];
  /** Further media descriptions, whole lines. */
  furtherMedia?: readonly string[];
}

export function sdpBody(options: SdpOptions): SipBody {
  const family = options.address.includes(":") ? "IP6" : "IP4";
  const lines = [
    "v=0",
    `o=- ${options.sessionId ?? 1} ${options.sessionVersion ?? 1} IN ${family} ${options.address}`,
    "s=-",
    `c=IN ${family} ${options.address}`,
    "t=0 0",
    `m=audio ${options.port} ${options.protocol ?? "RTP/AVP"} ${options.codecs.map((one) => one.payloadType).join(" ")}`,
    ...options.codecs.map((one) => `a=rtpmap:${one.payloadType} ${one.name}/${one.clockRate}`),
    ...options.codecs.flatMap((one) => (one.format === undefined ? [] : [`a=fmtp:${one.payloadType} ${one.format}`])),
    ...(options.ptimeMs === undefined ? [] : [`a=ptime:${options.ptimeMs}`]),
    `a=${options.direction ?? "sendrecv"}`,
    ...(options.mediaLines ?? []),
    ...(options.furtherMedia ?? []),
  ];
  return { type: "application/sdp", text: `${lines.join("\r\n")}\r\n` };
}

/** multipart/mixed out of several bodies (RFC 2046 §5.1, RFC 5621). */
export function multipartBody(parts: readonly SipBody[], boundary = "part-boundary"): SipBody {
  const text = parts.map((part) => `--${boundary}\r\nContent-Type: ${part.type}\r\n\r\n${part.text}\r\n`).join("");
  return { type: `multipart/mixed;boundary=${boundary}`, text: `${text}--${boundary}--\r\n` };
}

// Hostile SIP messages of up to 64 kB, made of fragments that are repeated until something is full: in the start line, in
// any header field, over many header lines, in session descriptions and in multipart bodies. And all that reads a message.
import { readIdentities } from "../../device/sip/identity.js";
import type { SipMessage } from "../../device/sip/message.js";
import { dialogKeysOf } from "../../device/sip/session-dialogs.js";
import { readSessionExpires } from "../../device/sip/session-timer.js";
import {
  readJoin,
  readRedirection,
  readReferredBy,
  readReferSub,
  readReferTo,
  readReplaces,
  readSipfragStatus,
  readTargetDialog,
} from "../../device/sip/transfer.js";
import { inviteLines, LIMITS, messageText } from "../unit/sip/sip-text.js";

/** What parsers stumble over when there is much of it. */
export const UNITS: readonly string[] = [
  ...'\n \r\t,;:="\\<>%@?&/-(1a\0\x7f\xff\xa0',
  ...[
    "\r\n",
    " \t",
    '\\"',
    '"\\',
    "<>",
    "><",
    '"<',
    '"a"',
    "''",
    "%4",
    "%41",
    "%ff",
    "%%",
    "\xc3\xa9",
    "\r\n ",
    " \r\n\t",
  ],
  ...[
    "a ",
    "1 ",
    "a,",
    "a;",
    ";a",
    ";a=",
    ';a="',
    ";a=b",
    ";a=b,",
    ";tag=1",
    ";branch=z9hG4bK",
    ";;,",
    "a=b&",
    "?a=b&",
  ],
  ...["<sip:a@b>,", '"a" <sip:a@b>,', "<sip:a@b?X=y>;q=1,", "sip:a@b ", "SIP/2.0/UDP a;branch=b,", "<a;b=c>;d=e,"],
  ...["x: y\r\n", "X:\r\n y\r\n", "X:\r\n", "c;to-tag=1;from-tag=2,", "%3Bto-tag%3D", "a".repeat(64), "(\\)"],
];

/** Lines and parts of bodies. */
export const BODY_UNITS: readonly string[] = [
  "v=0\r\n",
  "m=audio 1 RTP/AVP 0\r\n",
  "m=audio 1 RTP/AVP 0 8 96 97\r\na=rtpmap:96 x/8000\r\n",
  "a=candidate:1 1 UDP 1 192.0.2.1 8998 typ host\r\n",
  "a=rtpmap:96 a/8000\r\n",
  "a=fmtp:96 x\r\n",
  "a=fmtp:96   \r",
  "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n",
  "c=IN IP4 1.2.3.4\r\n",
  "o=- 1 1 IN IP4 1.2.3.4\r\n",
  "a=\n",
  "96 ",
  "127/",
  "--a",
  "--a\n",
  "--a\r\n\r\n",
  "--a--\r\n",
  "\n--a ",
  "--a\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n",
  "--a\r\nContent-Type: multipart/mixed;boundary=a\r\n\r\n",
  "--a\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\n\r\n--b--\r\n",
  "SIP/2.0 200 OK\r\n",
];

export const FIELDS: readonly string[] = [
  ...["Via", "From", "To", "Call-ID", "CSeq", "Contact", "Route", "Record-Route", "Subject", "Supported", "Event"],
  ...["P-Asserted-Identity", "P-Preferred-Identity", "P-Called-Party-ID", "Remote-Party-ID", "Privacy", "Diversion"],
  ...["History-Info", "Refer-To", "Referred-By", "Refer-Sub", "Replaces", "Join", "Target-Dialog", "Session-Expires"],
  ...["Content-Type", "Content-Length", "Content-Encoding", "User-Agent", "X-Recording-Consent"],
];

/** What a body may open with; the hostile part follows. */
export const BODY_STARTS: readonly string[] = [
  "",
  "v=0\r\n",
  "v=0\r\no=",
  "v=0\r\nc=",
  "v=0\r\nc=IN IP4 ",
  "v=0\r\nm=",
  "v=0\r\nm=audio 1 RTP/AVP ",
  "v=0\r\na=",
  ...[
    "",
    "a=fmtp:96",
    "a=rtpmap:96 ",
    "a=rtpmap:96 x/8000/",
    "a=candidate:",
    "a=ptime:1",
    "a=rtcp:1 ",
    "c=IN IP4 ",
  ].map((line) => `v=0\r\nm=audio 1 RTP/AVP 0\r\n${line}`),
];

/** Octets of one field that stay within a header line. */
export const LINE_OCTETS = LIMITS.maxLineBytes - 64;
const BODY_OCTETS = 60_000;

export function fill(unit: string, octets: number): string {
  return unit.repeat(Math.ceil(octets / unit.length)).slice(0, octets);
}

/** An INVITE of the session "a" to "b" (answered by INVITE_ANSWER below) with one field, or several lines of it, hostile. */
export function withField(name: string, value: string, lines = 1, method = "INVITE"): string {
  const head: Record<string, string> = {
    Via: "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
    From: "From: <sip:100@x>;tag=a",
    To: "To: <sip:200@x>;tag=b",
    "Call-ID": "Call-ID: c@h",
    CSeq: `CSeq: 2 ${method}`,
    Contact: "",
  };
  const line = `${name}: ${value}`;
  const further = Array.from({ length: lines - 1 }, () => line);
  if (name in head) head[name] = line;
  else further.push(line);
  return messageText(`${method} sip:200@x SIP/2.0`, [...inviteLines(head), ...further]);
}

export function withBody(type: string, text: string, method = "INVITE"): string {
  const body = text.slice(0, BODY_OCTETS);
  return withField("Content-Type", type, 1, method) + body;
}

/** The shapes that are always tried, by name. Made one at a time: together they are hundreds of megabytes. */
export function* fixedShapes(): Generator<[name: string, message: string]> {
  for (const unit of UNITS) {
    const shown = JSON.stringify(unit);
    yield [`${shown} all over`, fill(unit, 65_000)];
    yield [`${shown} in the start line`, `INVITE ${fill(unit, LINE_OCTETS)} SIP/2.0\r\n\r\n`];
    for (const field of FIELDS) {
      const run = fill(unit, LINE_OCTETS);
      yield [`${shown} in ${field}`, withField(field, run)];
      yield [`${shown} behind ${field}`, withField(field, `<sip:a@b>;tag=1${run.slice(64)}`)];
      yield [`${shown} within ${field}`, withField(field, `"N" <sip:a${run.slice(64)}@b?A=b>;c=d\rX`)];
    }
    for (const field of ["Via", "Contact", "Record-Route", "P-Asserted-Identity", "Remote-Party-ID", "History-Info"])
      yield [`${shown} in seven ${field}`, withField(field, fill(unit, LINE_OCTETS), 7)];
  }
  for (const unit of [...UNITS, ...BODY_UNITS]) {
    const shown = JSON.stringify(unit);
    const run = fill(unit, BODY_OCTETS);
    for (const start of BODY_STARTS) {
      yield [`${shown} behind ${JSON.stringify(start)}`, withBody("application/sdp", start + run)];
      yield [
        `${shown} behind ${JSON.stringify(start)}, and a stray CR`,
        withBody("application/sdp", `${start}${run.slice(64)}x\rX`),
      ];
    }
    yield [`${shown} in parts`, withBody("multipart/mixed;boundary=a", `--a\r\n${run}`)];
    yield [`${shown} in text`, withBody("message/sipfrag", run, "NOTIFY")];
  }
}

/** Has everything that reads a message read it. */
export function readAll(message: SipMessage): void {
  readReplaces(message);
  readJoin(message);
  readTargetDialog(message);
  readReferTo(message);
  readReferredBy(message);
  readReferSub(message);
  readRedirection(message);
  readSipfragStatus(message.bodyText);
  readSessionExpires(message);
  readIdentities(message, 0);
  dialogKeysOf(message);
}

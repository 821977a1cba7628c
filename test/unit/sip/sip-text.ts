// Raw SIP messages for the parser's tests, written by hand so that every octet is in view, and the limits they use.
import type { SipLimits, SipMessage, SipParseResult } from "../../../device/sip/message.js";
import { parseSip, type SipParseOptions } from "../../../device/sip/parser.js";

export const LIMITS: SipLimits = { maxMessageBytes: 65535, maxLineBytes: 12288, maxHeaderLines: 256 };

export const SDP = [
  "v=0",
  "o=alice 2890844526 1 IN IP4 192.0.2.1",
  "s=-",
  "c=IN IP4 192.0.2.1",
  "t=0 0",
  "m=audio 49170 RTP/AVP 8 0",
  "",
].join("\r\n");

/** Header lines of a valid INVITE without body; `replace` exchanges lines by their name, "" removes one. */
export function inviteLines(replace: Readonly<Record<string, string>> = {}): string[] {
  const lines: Record<string, string> = {
    Via: "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds",
    From: 'From: "Alice" <sip:alice@example.com>;tag=1928301774',
    To: "To: <sip:bob@example.com>",
    "Call-ID": "Call-ID: a84b4c76e66710@192.0.2.1",
    CSeq: "CSeq: 314159 INVITE",
    Contact: "Contact: <sip:alice@192.0.2.1:5060>",
    ...replace,
  };
  return Object.values(lines).filter((line) => line !== "");
}

export function messageText(startLine: string, lines: readonly string[], body = ""): string {
  return `${[startLine, ...lines].join("\r\n")}\r\n\r\n${body}`;
}

/** A valid INVITE, changed by `replace`, with further header lines and a body. */
export function invite(
  replace: Readonly<Record<string, string>> = {},
  further: readonly string[] = [],
  body = "",
): string {
  return messageText("INVITE sip:bob@example.com SIP/2.0", [...inviteLines(replace), ...further], body);
}

export function parse(text: string | Buffer, options: SipParseOptions = {}, limits = LIMITS): SipParseResult {
  const data = typeof text === "string" ? Buffer.from(text, "utf8") : text;
  return parseSip(data, 0, data.length, limits, options);
}

/** The message; fails the test when it is refused. */
export function accept(text: string | Buffer, options: SipParseOptions = {}, limits = LIMITS): SipMessage {
  const result = parse(text, options, limits);
  if (!result.ok) throw new Error(`refused: ${result.reject} (${result.detail})`);
  return result.message;
}

/** The reject code; fails the test when the message is accepted. */
export function refusal(text: string | Buffer, options: SipParseOptions = {}, limits = LIMITS): string {
  const result = parse(text, options, limits);
  if (result.ok) throw new Error("accepted");
  return result.reject;
}

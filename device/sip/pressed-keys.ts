// Keys pressed that an INFO request tells of, in the three formats that makers use without a standard: Cisco's
// application/dtmf-relay, application/dtmf, and Nortel's application/vnd.nortelnetworks.digits. They are told apart by
// what is in the body, whose type is not kept; message/sipfrag, the only other text that body.ts hands on, is like none
// of them. Bounded; text that is none of this is no key.
import type { SipMessage } from "./message.js";

const MAX_KEYS = 16;
/** Lines of a body that are looked at. */
const MAX_LINES = 64;
/** A key by its character or, as some gateways write it, by its number among the events of RFC 4733 §3.2. */
const KEY = /^(?:[0-9*#A-D]|1[0-5])$/i;
const KEYS_BY_EVENT = "0123456789*#ABCD";
/** dtmf-relay: "Signal=5" or "Signal= 5", one key; "Duration=160" beside it. */
const SIGNAL_LINE = /^signal[ \t]*=(.*)$/i;
/** Nortel: "d=5", or all digits that were collected; "p=Digit-Collection", "y=Digits" and others beside it. */
const DIGITS_LINE = /^d[ \t]*=(.*)$/i;
const DIGITS = /^[0-9*#A-D]+$/i;

/** "0"–"9", "*", "#", "A"–"D" in the order pressed, at most 16; none in other messages than INFO requests. */
export function readPressedKeys(message: SipMessage): string[] {
  if (message.kind !== "request" || message.method !== "INFO" || message.bodyText === undefined) return [];
  const text = message.bodyText.trim();
  if (KEY.test(text)) return [keyFrom(text)];
  return text
    .split(/\r\n|\r|\n/, MAX_LINES)
    .flatMap(keysInLine)
    .slice(0, MAX_KEYS);
}

function keysInLine(line: string): string[] {
  const signal = SIGNAL_LINE.exec(line)?.[1]?.trim();
  if (signal !== undefined) return KEY.test(signal) ? [keyFrom(signal)] : [];
  const digits = DIGITS_LINE.exec(line)?.[1]?.trim() ?? "";
  return DIGITS.test(digits) ? [...digits.toUpperCase()] : [];
}

function keyFrom(value: string): string {
  return value.length === 1 ? value.toUpperCase() : KEYS_BY_EVENT[Number(value)]!;
}

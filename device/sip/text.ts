// Octets of a SIP message as text: character classes, decoding, white space, quoting and percent-escapes.
// Knows no header field. Every function is linear in its input. RFC 3261 §25.1, RFC 3986 §2.1.
import { isUtf8 } from "node:buffer";

const TOKEN_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~";

/** 1 for every octet that may stand in a token (RFC 3261 §25.1). Read-only. */
const TOKEN_TABLE = makeTokenTable();

function makeTokenTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of TOKEN_CHARACTERS) table[character.charCodeAt(0)] = 1;
  return table;
}

export function isTokenOctet(octet: number): boolean {
  return TOKEN_TABLE[octet] === 1;
}

export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255 || TOKEN_TABLE[code] !== 1) return false;
  }
  return text.length > 0;
}

/** UTF-8 as RFC 3261 §7.3.1 asks for; Latin-1 for the phones that send that instead, so that no octet is lost. */
export function decodeText(octets: Buffer): string {
  return isUtf8(octets) ? octets.toString("utf8") : octets.toString("latin1");
}

/** UTF-8 with U+FFFD for every octet run that is none: for fields that people read, where nothing is guessed. */
export function decodeUtf8(octets: Buffer): string {
  return octets.toString("utf8");
}

/** At most `maximum` UTF-16 units, never half a character. */
export function shorten(text: string, maximum: number): string {
  if (text.length <= maximum) return text;
  const isSplit = (text.charCodeAt(maximum - 1) & 0xfc00) === 0xd800;
  return text.slice(0, isSplit ? maximum - 1 : maximum);
}

/** Runs of white space, line folds included, become one space each (RFC 3261 §7.3.1); none at the ends. */
export function collapseWhiteSpace(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** Index just behind the closing quote of the quoted string that opens at `open`; -1 when it never closes. */
export function quotedStringEnd(text: string, open: number): number {
  for (let i = open + 1; i < text.length; i++) {
    const character = text[i];
    if (character === "\\") i++;
    else if (character === '"') return i + 1;
  }
  return -1;
}

/** The text that a quoted string stands for; text that is not quoted comes back as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || text[0] !== '"' || quotedStringEnd(text, 0) !== text.length) return text;
  return text.slice(1, -1).replace(/\\([^\r\n])/g, "$1");
}

/**
 * Splits at `separator` outside quoted strings and <>; at most `maximum` pieces, the rest is dropped. A quote that
 * never closes is an ordinary character.
 */
export function splitOutsideQuotes(text: string, separator: string, maximum: number): string[] {
  const pieces: string[] = [];
  let from = 0;
  let lastQuoteTried = false;
  let insideAngle = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"' && !lastQuoteTried) {
      const end = quotedStringEnd(text, i);
      // Looked for once only: an unclosed quote must not be searched for again from every later quote.
      if (end < 0) lastQuoteTried = true;
      else i = end - 1;
    } else if (character === "<") insideAngle = true;
    else if (character === ">") insideAngle = false;
    else if (character === separator && !insideAngle) {
      pieces.push(text.slice(from, i));
      if (pieces.length >= maximum) return pieces;
      from = i + 1;
    }
  }
  pieces.push(text.slice(from));
  return pieces;
}

/** Decodes %XX runs as UTF-8, else Latin-1; what is no valid escape stays as written. */
export function percentDecode(text: string): string {
  if (!text.includes("%")) return text;
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => decodeText(Buffer.from(run.replaceAll("%", ""), "hex")));
}

/**
 * Control characters become spaces, and so do those that end lines or turn the direction of what stands around them (UAX #9):
 * names are shown to people and written to logs. What joins letters stays.
 */
export function withoutControlCharacters(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, " ");
}

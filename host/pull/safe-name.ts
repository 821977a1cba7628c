// Makes names of files and folders out of text that anybody may have written: a display name, a number, a tag. What comes out
// is one component of a path that Linux, macOS and Windows (NTFS) all take, that none of them reads as another one's, and
// that shows in a terminal as what it is. Knows nothing of what the text means.

/** Of NTFS 255 UTF-16 units, of most others 255 bytes; bytes are the more. */
export const MAX_COMPONENT_BYTES = 255;

/**
 * Control, format and bidirectional characters, what is invisible, private or unassigned (which another system may normalise
 * otherwise), line ends; separators and what NTFS keeps for itself; "~", by which NTFS names files a second time (`SIDETO~1`).
 */
const UNSAFE = /[\p{C}\p{DI}\p{Zl}\p{Zp}<>:"/\\|?*~]/gu;
const BLANK = /\p{Zs}/gu;
/** A mark would join what stands before it, and make another letter of it. */
const LEADING_MARKS = /^\p{M}+/u;
/** Names of devices, with whatever follows a dot; the last three are superscript digits. */
const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\.|$)/i;

/** A piece of a name; may be "". At most `maxBytes` bytes of UTF-8, in Unicode's form NFC. */
export function safePiece(text: string, maxBytes: number): string {
  // By way of bytes: half a surrogate pair becomes U+FFFD.
  const whole = Buffer.from(text.slice(0, 4 * maxBytes)).toString("utf8");
  const safe = whole.normalize("NFC").replace(UNSAFE, "_").replace(BLANK, " ").replace(LEADING_MARKS, "_").trim();
  return cutTo(safe, maxBytes);
}

/** A whole component out of pieces; never "", "." or "..", never beginning with a dot, a blank or a hyphen. */
export function safeComponent(pieces: string): string {
  const trimmed = pieces
    .normalize("NFC")
    .replace(/^[ .-]+/, (found) => "_".repeat(Math.min(found.length, 3)))
    // Windows takes dots and blanks at the end away.
    .replace(/[ .]+$/, "");
  const named = trimmed === "" ? "_" : trimmed;
  return RESERVED.test(named) ? `_${named}` : named;
}

/** The beginning of a text that has no more bytes; whole characters. */
export function cutTo(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  let bytes = 0;
  let cut = "";
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    cut += character;
  }
  return cut;
}

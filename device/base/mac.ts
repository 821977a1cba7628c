// MAC addresses and their leading octets as text, in one comparable form (IEEE 802 §8.2).

const MAX_OCTETS = 6;
/** An organisation's prefix; fewer octets name nobody. */
const LEAST_OCTETS = 3;

/**
 * "0011.22AA.BBCC", "00-11-22" or "001122aabbcc" as lower-case hexadecimal digits without separators: 3 to 6 octets of
 * an address that can send (no group address, not all zero). undefined when the text is none.
 */
export function parseMacPrefix(text: string): string | undefined {
  const plain = text.trim().toLowerCase();
  const isSeparated = /^[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2})*$/.test(plain);
  const isGrouped = /^(?:[0-9a-f]{4}\.){1,2}[0-9a-f]{4}$/.test(plain);
  if (!isSeparated && !isGrouped && !/^[0-9a-f]+$/.test(plain)) return undefined;
  const digits = plain.replace(/[:.-]/g, "");
  const octets = digits.length / 2;
  if (!Number.isInteger(octets) || octets < LEAST_OCTETS || octets > MAX_OCTETS) return undefined;
  const isGroup = (Number.parseInt(digits.slice(0, 2), 16) & 1) === 1;
  return isGroup || /^0+$/.test(digits) ? undefined : digits;
}

/** "00:11:22:aa:bb:cc" begins with one of the octets that `prefix` (of parseMacPrefix) names. */
export function macHasPrefix(mac: string, prefix: string): boolean {
  return mac.replaceAll(":", "").toLowerCase().startsWith(prefix);
}

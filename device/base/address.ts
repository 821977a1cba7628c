// IP addresses as four signed 32-bit words (IPv4 mapped into ::ffff:0:0/96, RFC 4291 §2.5.5.2): parse, write, CIDR test.
// The one form in which addresses are compared.
import { isIP } from "node:net";

/** Four signed 32-bit words in network order. */
export type AddressWords = readonly [number, number, number, number];
const V4_PREFIX = 0x0000ffff;

/** Words of an IPv4 or IPv6 literal, or undefined when the text is no address (zone ids are not accepted). */
export function parseAddress(text: string): AddressWords | undefined {
  const family = isIP(text);
  if (family === 4) return [0, 0, V4_PREFIX, parseIpv4(text)];
  if (family !== 6 || text.includes("%")) return undefined;
  return parseIpv6(text);
}

function parseIpv4(text: string): number {
  let word = 0;
  for (const part of text.split(".")) word = (word << 8) | Number(part);
  return word | 0;
}

function parseIpv6(text: string): AddressWords {
  let source = text;
  const lastColon = text.lastIndexOf(":");
  if (text.includes(".")) {
    const v4 = parseIpv4(text.slice(lastColon + 1)) >>> 0;
    source = `${text.slice(0, lastColon + 1)}${(v4 >>> 16).toString(16)}:${(v4 & 0xffff).toString(16)}`;
  }
  const [head = "", tail] = source.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...front, ...Array<string>(8 - front.length - back.length).fill("0"), ...back].map((g) =>
    Number.parseInt(g, 16),
  );
  const word = (i: number): number => (groups[i]! << 16) | groups[i + 1]! | 0;
  return [word(0), word(2), word(4), word(6)];
}

/** Text of the address that starts at `words[at]`: dotted for mapped IPv4, else RFC 5952 compressed IPv6. */
export function formatAddress(words: ArrayLike<number>, at = 0): string {
  if (words[at] === 0 && words[at + 1] === 0 && words[at + 2] === V4_PREFIX) {
    const v4 = words[at + 3]!;
    return `${(v4 >>> 24) & 255}.${(v4 >>> 16) & 255}.${(v4 >>> 8) & 255}.${v4 & 255}`;
  }
  const groups: number[] = [];
  for (let i = 0; i < 4; i++) groups.push((words[at + i]! >>> 16) & 0xffff, words[at + i]! & 0xffff);
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; ) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) [bestStart, bestLength] = [i, length];
    i += Math.max(1, length);
  }
  const hex = groups.map((g) => g.toString(16));
  if (bestStart < 0) return hex.join(":");
  return `${hex.slice(0, bestStart).join(":")}::${hex.slice(bestStart + bestLength).join(":")}`;
}

/** "192.0.2.1:5060" or "[2001:db8::1]:5060" for the address at `words[at]`. */
export function formatEndpoint(words: ArrayLike<number>, at: number, port: number): string {
  const address = formatAddress(words, at);
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The address at `words[at]` as a key of a Map: the same text for the same address only. */
export function addressKey(words: ArrayLike<number>, at = 0): string {
  return `${words[at]},${words[at + 1]},${words[at + 2]},${words[at + 3]}`;
}

export interface Cidr {
  words: AddressWords;
  /** 0..128, on the mapped form. */
  prefixBits: number;
  text: string;
}

/** "10.0.0.0/24", "2001:db8::/32" or a bare address (one host); undefined when it is neither. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = "", bits, ...rest] = text.trim().split("/");
  const words = parseAddress(address);
  if (!words || rest.length > 0) return undefined;
  const maximum = isIP(address) === 4 ? 32 : 128;
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return undefined;
  const own = bits === undefined ? maximum : Number(bits);
  if (own > maximum) return undefined;
  return { words, prefixBits: own + (128 - maximum), text: text.trim() };
}

export function cidrContains(cidr: Cidr, words: ArrayLike<number>, at = 0): boolean {
  let left = cidr.prefixBits;
  for (let i = 0; i < 4 && left > 0; i++, left -= 32) {
    const mask = left >= 32 ? -1 : -1 << (32 - left);
    if ((cidr.words[i]! & mask) !== (words[at + i]! & mask)) return false;
  }
  return true;
}

export function isUnspecified(words: ArrayLike<number>, at = 0): boolean {
  const high = words[at] === 0 && words[at + 1] === 0;
  return high && (words[at + 2] === 0 || words[at + 2] === V4_PREFIX) && words[at + 3] === 0;
}

// What the matcher knows of an RTP payload: whether its content is looked at, whether it says anything, and its 32-bit
// fingerprint. All three depend on the payload alone, so that every stream that carries it comes to the same answer.
// Nothing here allocates, and nothing of the payload but the fingerprint outlives the call.

/** Shorter payloads (telephone events, RFC 4733; comfort noise, RFC 3389) and longer ones are not looked at. */
export const MIN_PAYLOAD_BYTES = 20;
export const MAX_PAYLOAD_BYTES = 2048;
/** One of so many contents is looked at. */
export const SAMPLED_ONE_IN = 8;
/** So many of the bytes looked at must differ from each other. */
const MIN_DISTINCT_BYTES = 6;

const PROBE_BYTES_LOG2 = 3;
const SAMPLED_SHIFT = 29;
const VARIETY_BYTES_LOG2 = 5;
const EVERY_BYTE = 0x01010101;
const PRIME_A = 0x9e3779b1;
const PRIME_B = 0x85ebca6b;
const PRIME_C = 0xc2b2ae35;

/**
 * Whether a payload of `length` (at least 8) bytes at `start` is looked at: eight bytes spread over it decide. Digital
 * silence never is.
 */
export function isSampled(data: Buffer, start: number, length: number): boolean {
  const step = length >>> PROBE_BYTES_LOG2;
  const first = data[start]!;
  const a = first | (data[start + step]! << 8) | (data[start + 2 * step]! << 16) | (data[start + 3 * step]! << 24);
  const at = start + 4 * step;
  const b = data[at]! | (data[at + step]! << 8) | (data[at + 2 * step]! << 16) | (data[at + 3 * step]! << 24);
  if (a === b && a === Math.imul(first, EVERY_BYTE)) return false;
  let mixed = Math.imul(a ^ length, PRIME_A);
  mixed = Math.imul(mixed ^ (mixed >>> 15) ^ b, PRIME_B);
  mixed ^= mixed >>> 13;
  return Math.imul(mixed, PRIME_C) >>> SAMPLED_SHIFT === 0;
}

/** A fingerprint of length and content, 32 bits. Two lanes, so that the processor works on both at once. */
export function fingerprint(data: Buffer, start: number, end: number): number {
  let a = Math.imul(end - start, PRIME_B);
  let b = PRIME_C | 0;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
    const high = data[at + 4]! | (data[at + 5]! << 8) | (data[at + 6]! << 16) | (data[at + 7]! << 24);
    // Folded before they are multiplied, or the highest bits of two words could cancel each other out.
    a ^= low;
    b ^= high;
    a = Math.imul(a ^ (a >>> 15), PRIME_A);
    b = Math.imul(b ^ (b >>> 13), PRIME_B);
  }
  for (; at < end; at++) {
    a ^= data[at]!;
    a = Math.imul(a ^ (a >>> 15), PRIME_A);
  }
  let mixed = Math.imul(a ^ (a >>> 16), PRIME_C);
  mixed = Math.imul(mixed ^ (mixed >>> 15) ^ b, PRIME_A);
  mixed = Math.imul(mixed ^ (mixed >>> 16), PRIME_B);
  return mixed ^ (mixed >>> 13);
}

/** Tells payloads that could be alike by chance (silence, idle patterns, a click in silence) from those that cannot. */
export class PayloadVariety {
  /** By byte value: the number of the payload in which it was last met. */
  private readonly metIn = new Int32Array(256);
  private payload = 0;

  /** Whether at least six different values are among 32 bytes spread over the payload. */
  suffices(data: Buffer, start: number, end: number): boolean {
    const metIn = this.metIn;
    this.payload = (this.payload + 1) | 0;
    const payload = this.payload;
    const step = Math.max(1, (end - start) >>> VARIETY_BYTES_LOG2);
    let distinct = 0;
    for (let at = start; at < end; at += step) {
      const value = data[at]!;
      if (metIn[value] === payload) continue;
      metIn[value] = payload;
      if (++distinct === MIN_DISTINCT_BYTES) return true;
    }
    return false;
  }
}

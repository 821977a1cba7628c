// Branded identifiers and counters that must not be mixed, and the ULID that names a call and its recording.
// Never derives anything from network input.
import { randomBytes } from "node:crypto";

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** ULID, 26 characters of Crockford's base 32: names a call, its journal blocks and its recording. */
export type CallId = Brand<string, "CallId">;
/** RTP synchronisation source, 0..2^32-1 (RFC 3550 §5.1). */
export type Ssrc = Brand<number, "Ssrc">;
/** Microseconds since 1970-01-01T00:00:00Z as a double (exact until the year 2255). */
export type TimeUs = number;
/** Which side of a call: 0 sent the first INVITE (originator), 1 answers it (answerer). */
export type Side = 0 | 1;

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ULID_PATTERN = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
export const CALL_ID_BYTES = 16;

/** A new ULID whose time part is `atUs` (packet time), so that names sort by the time of the call. */
export function makeCallId(atUs: TimeUs, random: Buffer = randomBytes(10)): CallId {
  const bytes = Buffer.alloc(CALL_ID_BYTES);
  bytes.writeUIntBE(Math.max(0, Math.floor(atUs / 1000)) % 2 ** 48, 0, 6);
  random.copy(bytes, 6, 0, 10);
  return callIdFromBytes(bytes);
}

/** The 26 characters for 16 bytes (big endian). */
export function callIdFromBytes(bytes: Uint8Array): CallId {
  let value = 0n;
  for (let i = 0; i < CALL_ID_BYTES; i++) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  let text = "";
  for (let i = 0; i < 26; i++) {
    text = CROCKFORD[Number(value & 31n)]! + text;
    value >>= 5n;
  }
  return text as CallId;
}

/** The 16 bytes of a ULID; throws RangeError on anything that `isCallId` refuses. */
export function callIdToBytes(id: CallId): Buffer {
  if (!isCallId(id)) throw new RangeError(`not a ULID: ${JSON.stringify(id)}`);
  let value = 0n;
  for (const character of id) value = (value << 5n) | BigInt(CROCKFORD.indexOf(character));
  const bytes = Buffer.alloc(CALL_ID_BYTES);
  for (let i = CALL_ID_BYTES - 1; i >= 0; i--) {
    bytes[i] = Number(value & 255n);
    value >>= 8n;
  }
  return bytes;
}

export function isCallId(text: string): text is CallId {
  return ULID_PATTERN.test(text);
}

export function otherSide(side: Side): Side {
  return side === 0 ? 1 : 0;
}

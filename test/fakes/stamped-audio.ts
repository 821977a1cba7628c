// Audio whose every packet can be told again in a recording: it begins with a stamp of its stream and its number, in A-law
// codes, which have each a sample of their own.
import { decodeG711 } from "./tone.js";

export interface Stamp {
  stream: number;
  number: number;
  /** Place of its first sample. */
  at: number;
}

const SYNC = Buffer.from([0x11, 0x7a, 0x2e, 0x63]);
const STAMP_BYTES = SYNC.length + 6;
/** A-law's quietest code. */
const QUIET = 0xd5;

/** `count` A-law codes, at least ten; `stream` has 16 bits and `number` 32. */
export function stampedPayload(stream: number, number: number, count: number): Buffer {
  const payload = Buffer.alloc(count, QUIET);
  SYNC.copy(payload);
  payload.writeUInt16BE(stream, SYNC.length);
  payload.writeUInt32BE(number, SYNC.length + 2);
  return payload;
}

/** The stamps in one channel, in their order. */
export function readStamps(samples: Int16Array): Stamp[] {
  const codes = Buffer.alloc(samples.length, QUIET);
  for (let i = 0; i < samples.length; i++) codes[i] = CODE_OF[samples[i]! & 0xffff]!;
  const stamps: Stamp[] = [];
  for (let at = codes.indexOf(SYNC); at >= 0 && at + STAMP_BYTES <= codes.length; ) {
    const stream = codes.readUInt16BE(at + SYNC.length);
    stamps.push({ stream, number: codes.readUInt32BE(at + SYNC.length + 2), at });
    at = codes.indexOf(SYNC, at + STAMP_BYTES);
  }
  return stamps;
}

/** By sample, as 16 bits without sign: its A-law code; samples that stand for none are as quiet. */
const CODE_OF = invert();

function invert(): Uint8Array {
  const codes = new Uint8Array(0x10000).fill(QUIET);
  const samples = decodeG711(Buffer.from(Array.from({ length: 256 }, (_, code) => code)), "PCMA");
  for (const [code, sample] of samples.entries()) codes[sample & 0xffff] = code;
  return codes;
}

// G.711 A-law and µ-law, 16-bit linear samples in and out (ITU-T G.711; arithmetic as in the G.191 reference tools).
// For test calls and checks; the recorder has its own decoder, so that the two check each other.

export type G711Codec = "PCMA" | "PCMU";
/** Static payload types (RFC 3551 §6). */
export const G711_PAYLOAD_TYPE: Readonly<Record<G711Codec, number>> = { PCMA: 8, PCMU: 0 };
export const G711_SAMPLE_RATE_HZ = 8000;
const ALAW_INVERT_EVEN = 0x55;
const MULAW_BIAS = 33;
const MULAW_CLIP = 0x1fff;

/** One byte per sample. */
export function encodeG711(samples: ArrayLike<number>, codec: G711Codec): Buffer {
  const encode = codec === "PCMA" ? encodeAlawSample : encodeMulawSample;
  const bytes = Buffer.alloc(samples.length);
  for (let i = 0; i < samples.length; i++) bytes[i] = encode(samples[i]!);
  return bytes;
}

export function decodeG711(bytes: ArrayLike<number>, codec: G711Codec): Int16Array {
  const decode = codec === "PCMA" ? decodeAlawSample : decodeMulawSample;
  const samples = new Int16Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) samples[i] = decode(bytes[i]!);
  return samples;
}

/** 13 bits: sign, 3 bits of segment, 4 of the value; even bits inverted. Negative values by ones' complement. */
function encodeAlawSample(sample: number): number {
  const magnitude = (sample < 0 ? ~sample : sample) >> 4;
  const segment = Math.max(0, 28 - Math.clz32(magnitude));
  const value = segment === 0 ? magnitude : (segment << 4) | ((magnitude >> (segment - 1)) & 0x0f);
  return (value | (sample >= 0 ? 0x80 : 0)) ^ ALAW_INVERT_EVEN;
}

function decodeAlawSample(byte: number): number {
  const value = byte ^ ALAW_INVERT_EVEN;
  const segment = (value >> 4) & 0x07;
  const step = ((value & 0x0f) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 0x100) << (segment - 1);
  return value & 0x80 ? magnitude : -magnitude;
}

/** 14 bits: biased so that every segment starts at a power of two; all bits inverted. */
function encodeMulawSample(sample: number): number {
  const magnitude = Math.min(((sample < 0 ? ~sample : sample) >> 2) + MULAW_BIAS, MULAW_CLIP);
  const segment = 26 - Math.clz32(magnitude);
  const value = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0f);
  return (~value & 0x7f) | (sample >= 0 ? 0x80 : 0);
}

function decodeMulawSample(byte: number): number {
  const value = ~byte & 0xff;
  const segment = (value >> 4) & 0x07;
  const magnitude = ((((value & 0x0f) << 1) + MULAW_BIAS) << (segment + 2)) - (MULAW_BIAS << 2);
  return value & 0x80 ? -magnitude : magnitude;
}

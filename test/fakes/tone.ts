// What the synthesised RTP carries: tones that a test finds again by frequency, and byte patterns that a leak search
// finds again in any file. G.711 and the tone detector are the test phone's own.
import { encodeG711, G711_SAMPLE_RATE_HZ, type G711Codec } from "../../host/caller/g711.js";
import { type PcmSource, sine } from "../../host/caller/tone.js";

export { decodeG711, encodeG711, G711_PAYLOAD_TYPE, type G711Codec } from "../../host/caller/g711.js";
export { toneLevel, tonePresentMs } from "../../host/caller/tone.js";

/** Payload bytes of one packet, one per sample, for the samples [firstSample, firstSample + count). */
export type PayloadSource = (firstSample: number, count: number, codec: G711Codec) => Buffer;

/** A sine at 8 kHz; `amplitude` 0…1 of full scale. */
export function toneSource(frequencyHz: number, amplitude = 0.5): PayloadSource {
  return pcmPayload(sine(frequencyHz, amplitude, G711_SAMPLE_RATE_HZ));
}

export function pcmPayload(source: PcmSource): PayloadSource {
  return (first, count, codec) => encodeG711(source(first, count), codec);
}

export function silenceSource(): PayloadSource {
  return (_first, count, codec) => Buffer.alloc(count, codec === "PCMA" ? 0xd5 : 0xff);
}

/**
 * Every packet repeats `pattern` from its beginning, so that each one alone betrays itself in a search of the disk.
 * Throws RangeError when a packet cannot hold the pattern once.
 */
export function markerSource(pattern: Uint8Array): PayloadSource {
  return (_first, count) => {
    if (pattern.length === 0 || count < pattern.length) {
      throw new RangeError(`marker of ${pattern.length} bytes in a payload of ${count}`);
    }
    return Buffer.alloc(count, pattern);
  };
}

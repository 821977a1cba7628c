// Which codecs this box can decode, and which one a stream's payload type means. What it does not know stays silent in
// the recording and is counted as undecoded; it never guesses a dynamic payload type.
import type { CodecMapping, StreamRecord } from "../contract/call-record.js";
import type { AudioCodec } from "./codec.js";
import { pcma, pcmu } from "./g711.js";

const CODECS: readonly AudioCodec[] = [pcma, pcmu];
/** RFC 3551 §6, table 4: the payload types that mean one of our codecs without any description. */
const STATIC_PAYLOAD_TYPES: readonly [number, AudioCodec][] = [
  [0, pcmu],
  [8, pcma],
];
const PAYLOAD_TYPES = 128;

export type CodecTable = readonly (AudioCodec | undefined)[];

/** The codec for a mapping, or undefined when this box cannot decode it. Recordings take one channel per party. */
export function codecFor(mapping: CodecMapping): AudioCodec | undefined {
  if (mapping.channels !== 1) return undefined;
  const name = mapping.name.toUpperCase();
  return CODECS.find((codec) => codec.name === name && codec.clockRateHz === mapping.clockRate);
}

/**
 * Codecs by payload type (128 places) for a stream; a stream that the call's record does not describe has the static
 * payload types. Codecs of another sample rate than the recording's are left out.
 */
export function codecTable(stream: StreamRecord | undefined, sampleRateHz: number): CodecTable {
  const table: (AudioCodec | undefined)[] = Array(PAYLOAD_TYPES).fill(undefined);
  for (const [payloadType, codec] of STATIC_PAYLOAD_TYPES) table[payloadType] = codec;
  for (const { codec } of stream?.payloadTypes ?? []) table[codec.payloadType & 0x7f] = codecFor(codec);
  return table.map((codec) => (codec?.sampleRateHz === sampleRateHz ? codec : undefined));
}

/** The highest rate of any codec that the streams carry and this box decodes; 8000 when there is none. */
export function recordingRateHz(streams: readonly StreamRecord[]): number {
  let rateHz = pcma.sampleRateHz;
  for (const { payloadTypes } of streams) {
    for (const { codec } of payloadTypes) rateHz = Math.max(rateHz, codecFor(codec)?.sampleRateHz ?? 0);
  }
  return rateHz;
}

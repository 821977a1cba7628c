// The static RTP payload types: what a number means when no a=rtpmap says so. RFC 3551 §6, tables 4 and 5.
import type { CodecMapping } from "../contract/call-record.js";

/** Payload type, encoding name, RTP clock in Hz, channels. G722's clock is 8000 though it samples at 16000 (§4.5.2). */
const STATIC_PAYLOAD_TYPES: readonly (readonly [number, string, number, number])[] = [
  [0, "PCMU", 8000, 1],
  [3, "GSM", 8000, 1],
  [4, "G723", 8000, 1],
  [5, "DVI4", 8000, 1],
  [6, "DVI4", 16000, 1],
  [7, "LPC", 8000, 1],
  [8, "PCMA", 8000, 1],
  [9, "G722", 8000, 1],
  [10, "L16", 44100, 2],
  [11, "L16", 44100, 1],
  [12, "QCELP", 8000, 1],
  [13, "CN", 8000, 1],
  [14, "MPA", 90000, 1],
  [15, "G728", 8000, 1],
  [16, "DVI4", 11025, 1],
  [17, "DVI4", 22050, 1],
  [18, "G729", 8000, 1],
  [25, "CELB", 90000, 1],
  [26, "JPEG", 90000, 1],
  [28, "NV", 90000, 1],
  [31, "H261", 90000, 1],
  [32, "MPV", 90000, 1],
  [33, "MP2T", 90000, 1],
  [34, "H263", 90000, 1],
];

const BY_PAYLOAD_TYPE: ReadonlyMap<number, CodecMapping> = new Map(
  STATIC_PAYLOAD_TYPES.map(([payloadType, name, clockRate, channels]) => [
    payloadType,
    Object.freeze({ payloadType, name, clockRate, channels }),
  ]),
);

/** The static meaning of a payload type, undefined when RFC 3551 gives it none. The result is shared and frozen. */
export function staticCodec(payloadType: number): CodecMapping | undefined {
  return BY_PAYLOAD_TYPE.get(payloadType);
}

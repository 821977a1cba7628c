// What the header of a WAV says of its samples: RIFF (Microsoft/IBM 1991) and RF64 (EBU Tech 3306 §3), 16-bit PCM or G.711, one
// or two channels. Independent of what writes them.

/** Of one sample: 16-bit PCM (format tag 1), or a G.711 code (6, 7; RFC 2361 appendix A). */
export type SampleEncoding = "pcm16" | "alaw" | "mulaw";

export interface WavShape {
  encoding: SampleEncoding;
  sampleRateHz: number;
  channels: number;
  frames: number;
  frameBytes: number;
  /** Of the first sample in the file. */
  dataAt: number;
  dataBytes: number;
}

/** As many bytes from the file's beginning hold the header. */
export const MAX_WAV_HEADER_BYTES = 4096;

const RIFF_HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
const FORMAT_BYTES = 16;
const SIZE_IN_DS64 = 0xffffffff;
const ENCODINGS: Readonly<Record<number, { encoding: SampleEncoding; bits: number }>> = {
  1: { encoding: "pcm16", bits: 16 },
  6: { encoding: "alaw", bits: 8 },
  7: { encoding: "mulaw", bits: 8 },
};

/** `bytes` from the file's beginning; undefined when it is no such WAV. */
export function parseWavShape(bytes: Buffer): WavShape | undefined {
  const kind = bytes.toString("latin1", 0, 4);
  if ((kind !== "RIFF" && kind !== "RF64") || bytes.toString("latin1", 8, 12) !== "WAVE") return undefined;
  let format: Buffer | undefined;
  let longDataBytes: number | undefined;
  for (let at = RIFF_HEADER_BYTES; at + CHUNK_HEADER_BYTES <= bytes.length; ) {
    const name = bytes.toString("latin1", at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    const body = bytes.subarray(at + CHUNK_HEADER_BYTES, at + CHUNK_HEADER_BYTES + length);
    if (name === "data") {
      const isLong = kind === "RF64" && length === SIZE_IN_DS64;
      const dataBytes = isLong ? longDataBytes : length;
      return dataBytes === undefined ? undefined : shapeOf(format, at + CHUNK_HEADER_BYTES, dataBytes);
    }
    if (name === "fmt ") format = body;
    if (name === "ds64" && body.length >= 16) longDataBytes = Number(body.readBigUInt64LE(8));
    at += CHUNK_HEADER_BYTES + length + (length & 1);
  }
  return undefined;
}

function shapeOf(format: Buffer | undefined, dataAt: number, dataBytes: number): WavShape | undefined {
  if (format === undefined || format.length < FORMAT_BYTES) return undefined;
  const known = ENCODINGS[format.readUInt16LE(0)];
  const channels = format.readUInt16LE(2);
  // Pieces of a file are whole frames of one or two channels.
  if (known === undefined || format.readUInt16LE(14) !== known.bits || channels < 1 || channels > 2) return undefined;
  const frameBytes = (channels * known.bits) / 8;
  return {
    encoding: known.encoding,
    sampleRateHz: format.readUInt32LE(4),
    channels,
    frames: Math.floor(dataBytes / frameBytes),
    frameBytes,
    dataAt,
    dataBytes,
  };
}

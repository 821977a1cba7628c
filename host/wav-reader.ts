// Reads WAV files: what the header says (RIFF, RF64), and a recording's samples, PCM of 16 bits, any number of channels. The
// samples are for checks of whole short files in memory; not for hours.
import { readFileSync } from "node:fs";

const CHUNK_HEADER_BYTES = 8;
const RIFF_HEADER_BYTES = 12;
const FORMAT_BYTES = 16;
const SIZE_IN_DS64 = 0xffffffff;
const FORMAT_PCM = 1;
const FORMAT_EXTENSIBLE = 0xfffe;

export interface WavAudio {
  sampleRateHz: number;
  /** One per channel, all of one length. */
  channels: Int16Array[];
}

export interface WavHeader {
  /** RFC 2361. */
  formatTag: number;
  channels: number;
  sampleRateHz: number;
  bitsPerSample: number;
  /** Of the first sample in the file. */
  dataAt: number;
  dataBytes: number;
}

/** `bytes` from the file's beginning. Throws Error with a reason when they are no header of a WAV (EBU Tech 3306 for RF64). */
export function readWavHeader(bytes: Buffer): WavHeader {
  const kind = bytes.toString("latin1", 0, 4);
  if ((kind !== "RIFF" && kind !== "RF64") || bytes.toString("latin1", 8, 12) !== "WAVE")
    throw new Error("not a RIFF WAVE file");
  let format: Buffer | undefined;
  let longBytes = 0;
  for (let at = RIFF_HEADER_BYTES; at + CHUNK_HEADER_BYTES <= bytes.length; ) {
    const name = bytes.toString("latin1", at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    const dataAt = at + CHUNK_HEADER_BYTES;
    if (name === "data")
      return {
        ...readFormat(format),
        dataAt,
        dataBytes: kind === "RF64" && length === SIZE_IN_DS64 ? longBytes : length,
      };
    const body = bytes.subarray(dataAt, dataAt + length);
    if (body.length < length) throw new Error(`chunk ${JSON.stringify(name)} is cut`);
    if (name === "fmt ") format = body;
    if (name === "ds64" && body.length >= 16) longBytes = Number(body.readBigUInt64LE(8));
    at = dataAt + length + (length & 1);
  }
  throw new Error("no data chunk");
}

function readFormat(format: Buffer | undefined): Omit<WavHeader, "dataAt" | "dataBytes"> {
  if (!format || format.length < FORMAT_BYTES) throw new Error("no format chunk before the data");
  return {
    formatTag: format.readUInt16LE(0),
    channels: format.readUInt16LE(2),
    sampleRateHz: format.readUInt32LE(4),
    bitsPerSample: format.readUInt16LE(14),
  };
}

/** Throws Error with a reason when the file is not what a recording is. */
export function readWav(path: string): WavAudio {
  return parseWav(readFileSync(path));
}

export function parseWav(bytes: Buffer): WavAudio {
  const { formatTag, channels: count, sampleRateHz, bitsPerSample: bits, dataAt, dataBytes } = readWavHeader(bytes);
  const data = bytes.subarray(dataAt, dataAt + dataBytes);
  if (data.length < dataBytes) throw new Error('chunk "data" is cut');
  if ((formatTag !== FORMAT_PCM && formatTag !== FORMAT_EXTENSIBLE) || bits !== 16 || count === 0) {
    throw new Error(`format ${formatTag} with ${bits} bits in ${count} channels is not read here`);
  }
  const length = Math.floor(data.length / (2 * count));
  const channels = Array.from({ length: count }, () => new Int16Array(length));
  channels.forEach((samples, channel) => {
    for (let i = 0; i < length; i++) samples[i] = data.readInt16LE(2 * (i * count + channel));
  });
  return { sampleRateHz, channels };
}

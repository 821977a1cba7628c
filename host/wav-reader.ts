// Reads a recording's WAV file: RIFF, PCM of 16 bits, any number of channels. For checks of whole short files in
// memory; not for hours.
import { readFileSync } from "node:fs";

const CHUNK_HEADER_BYTES = 8;
const RIFF_HEADER_BYTES = 12;
const FORMAT_PCM = 1;
const FORMAT_EXTENSIBLE = 0xfffe;

export interface WavAudio {
  sampleRateHz: number;
  /** One per channel, all of one length. */
  channels: Int16Array[];
}

/** Throws Error with a reason when the file is not what a recording is. */
export function readWav(path: string): WavAudio {
  return parseWav(readFileSync(path));
}

export function parseWav(bytes: Buffer): WavAudio {
  if (bytes.toString("latin1", 0, 4) !== "RIFF" || bytes.toString("latin1", 8, 12) !== "WAVE") {
    throw new Error("not a RIFF WAVE file");
  }
  let format: Buffer | undefined;
  for (let at = RIFF_HEADER_BYTES; at + CHUNK_HEADER_BYTES <= bytes.length; ) {
    const name = bytes.toString("latin1", at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    const body = bytes.subarray(at + CHUNK_HEADER_BYTES, at + CHUNK_HEADER_BYTES + length);
    if (body.length < length) throw new Error(`chunk ${JSON.stringify(name)} is cut`);
    if (name === "fmt ") format = body;
    if (name === "data") return deinterleave(body, format);
    at += CHUNK_HEADER_BYTES + length + (length & 1);
  }
  throw new Error("no data chunk");
}

function deinterleave(data: Buffer, format: Buffer | undefined): WavAudio {
  if (!format || format.length < 16) throw new Error("no format chunk before the data");
  const tag = format.readUInt16LE(0);
  const count = format.readUInt16LE(2);
  const bits = format.readUInt16LE(14);
  if ((tag !== FORMAT_PCM && tag !== FORMAT_EXTENSIBLE) || bits !== 16 || count === 0) {
    throw new Error(`format ${tag} with ${bits} bits in ${count} channels is not read here`);
  }
  const length = Math.floor(data.length / (2 * count));
  const channels = Array.from({ length: count }, () => new Int16Array(length));
  channels.forEach((samples, channel) => {
    for (let i = 0; i < length; i++) samples[i] = data.readInt16LE(2 * (i * count + channel));
  });
  return { sampleRateHz: format.readUInt32LE(4), channels };
}

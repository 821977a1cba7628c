// Reads a recording's WAV once, in constant memory: its size, hash and format, and whether the samples that should be digital
// silence are. Never writes.
import { createHash } from "node:crypto";
import type { Identity } from "../age/keys.js";
import { AgeFileError, AgeReader, type ByteSource, withFileBytes } from "../age/reader.js";
import { SidetoneError } from "../base/errors.js";
import { MAX_WAV_HEADER_BYTES, parseWavShape, type WavShape } from "./wav-shape.js";

/** Frames fromFrame … toFrame − 1. */
export interface FrameRange {
  fromFrame: number;
  toFrame: number;
}

export interface SilenceFound {
  /** Samples looked at. */
  samples: number;
  /** Of them, those that are not 0. */
  audible: number;
  /** The first of those; -1 = none. */
  firstAudible: number;
}

export interface AudioRead {
  bytes: number;
  sha256: string;
  sha512: string;
  /** Undefined when the file is no WAV of 16-bit PCM. */
  shape: WavShape | undefined;
  /** By request. */
  silence: SilenceFound[];
}

/** What was found in an age file: what is encrypted in it, or why that is not known. */
export interface EncryptedAudioRead extends AudioRead {
  content: { bytes: number; sha256: string } | "locked" | "damaged";
}

/** Samples of a channel that should be silent. Ranges are in order and do not overlap. */
export interface SilenceRequest {
  channel: number;
  ranges: readonly FrameRange[];
}

const CHUNK_BYTES = 1 << 20;

type RequestsFor = (shape: WavShape) => readonly SilenceRequest[];

/** `requestsFor` is asked once the format is known. Throws file system errors. */
export function readAudio(path: string, requestsFor: RequestsFor): AudioRead {
  return withFileBytes(path, (source) => scanAudio(source, requestsFor));
}

/**
 * The same of an encrypted recording: size and hashes are of the file as it is stored; the audio is read, in memory, if one
 * of the identities opens it. Throws SidetoneError usage when there are identities and none does.
 */
export function readEncryptedAudio(
  path: string,
  requestsFor: RequestsFor,
  identities: readonly Identity[],
): EncryptedAudioRead {
  return withFileBytes(path, (source) => {
    const { bytes, sha256, sha512 } = scanAudio(source, () => []);
    const stored = { bytes, sha256, sha512, shape: undefined, silence: [] };
    if (identities.length === 0) return { ...stored, content: "locked" };
    try {
      const content = scanAudio(new AgeReader(source, identities), requestsFor);
      const { shape, silence } = content;
      return { ...stored, shape, silence, content: { bytes: content.bytes, sha256: content.sha256 } };
    } catch (error) {
      if (!(error instanceof AgeFileError)) throw error;
      if (error.fault === "not-for-these-keys")
        throw new SidetoneError("usage", `--identity: ${path} cannot be opened: ${error.message}`);
      return { ...stored, content: "damaged" };
    }
  });
}

function scanAudio(source: ByteSource, requestsFor: RequestsFor): AudioRead {
  const { size } = source;
  const header = Buffer.alloc(Math.min(MAX_WAV_HEADER_BYTES, size));
  source.read(header, 0, header.length, 0);
  const shape = pcmShape(header);
  const scans = (shape ? requestsFor(shape) : []).map((request) => new SilenceScan(request, shape!.channels));
  const sha256 = createHash("sha256");
  const sha512 = createHash("sha512");
  const chunk = Buffer.from(new ArrayBuffer(CHUNK_BYTES));
  let at = 0;
  const pass = (end: number, sink?: (bytes: Buffer, at: number) => void): void => {
    while (at < end) {
      const read = source.read(chunk, 0, Math.min(CHUNK_BYTES, end - at), at);
      if (read === 0) return;
      const bytes = chunk.subarray(0, read);
      sha256.update(bytes);
      sha512.update(bytes);
      sink?.(bytes, at);
      at += read;
    }
  };
  if (shape) {
    pass(shape.dataAt);
    pass(Math.min(size, shape.dataAt + shape.dataBytes), (bytes, from) => {
      const frame = (from - shape.dataAt) / shape.frameBytes;
      const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
      for (const scan of scans) scan.take(samples, frame);
    });
  }
  pass(size);
  const hashes = { sha256: sha256.digest("hex"), sha512: sha512.digest("hex") };
  return { bytes: size, ...hashes, shape, silence: scans.map(({ found }) => found) };
}

/** Ranges of [0, frames) that are in none of the others. */
export function complement(ranges: readonly FrameRange[], frames: number): FrameRange[] {
  const rest: FrameRange[] = [];
  let at = 0;
  for (const { fromFrame, toFrame } of [...ranges].sort((a, b) => a.fromFrame - b.fromFrame)) {
    if (fromFrame > at) rest.push({ fromFrame: at, toFrame: Math.min(frames, fromFrame) });
    at = Math.max(at, toFrame);
    if (at >= frames) return rest;
  }
  rest.push({ fromFrame: at, toFrame: frames });
  return rest;
}

class SilenceScan {
  readonly found: SilenceFound = { samples: 0, audible: 0, firstAudible: -1 };
  readonly #request: SilenceRequest;
  readonly #channels: number;
  #at = 0;

  constructor(request: SilenceRequest, channels: number) {
    this.#request = request;
    this.#channels = channels;
  }

  /** Whole frames from `first` on, in the order of the file. */
  take(samples: Int16Array, first: number): void {
    const { ranges, channel } = this.#request;
    const end = first + Math.floor(samples.length / this.#channels);
    for (; this.#at < ranges.length; this.#at++) {
      const { fromFrame, toFrame } = ranges[this.#at]!;
      if (fromFrame >= end) return;
      const from = Math.max(first, fromFrame);
      const to = Math.min(end, toFrame);
      this.#scan(samples, (from - first) * this.#channels + channel, (to - first) * this.#channels, first);
      // The rest of it is in the next piece.
      if (toFrame > end) return;
    }
  }

  #scan(samples: Int16Array, from: number, to: number, first: number): void {
    const { found } = this;
    for (let i = from; i < to; i += this.#channels) {
      found.samples++;
      if (samples[i] === 0) continue;
      found.audible++;
      if (found.firstAudible < 0) found.firstAudible = first + Math.floor(i / this.#channels);
    }
  }
}

/** What sealing writes by default; silence is looked for in nothing else. */
function pcmShape(header: Buffer): WavShape | undefined {
  const shape = parseWavShape(header);
  return shape?.encoding === "pcm16" ? shape : undefined;
}

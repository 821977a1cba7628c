// A recording's audio as it is given out: the file's bytes as stored, or the samples of one channel, of both or of their mix,
// as 16-bit PCM. One open file, read in pieces when the receiver takes them. Never writes. What is deleted meanwhile is not read
// to its end: the reader is told.
import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CallId } from "../base/ids.js";
import type { Manifest } from "../contract/manifest.js";
import type { Tombstone } from "../contract/tombstone.js";
import { ALAW_SAMPLES, MULAW_SAMPLES } from "../rtp/g711-samples.js";
import { wavHeader } from "../seal/wav.js";
import { type RecordingPaths, timeOfCallId } from "./recording-paths.js";
import { parseManifest } from "./signature.js";
import { MAX_WAV_HEADER_BYTES, parseWavShape, type WavShape } from "./wav-shape.js";

/** A channel by its place, both interleaved, or their sum. */
export type ChannelChoice = 0 | 1 | "both" | "mix";

/** Bytes that can be read from any place. */
export interface ByteView {
  readonly bytes: number;
  /** Bytes from … to − 1, in pieces. Rejects with file system errors and with RecordingGone. */
  read(from: number, to: number): AsyncGenerator<Buffer, void>;
}

/** The recording was deleted, or its file cut, while it was read. */
export class RecordingGone extends Error {}

const PIECE_BYTES = 256 * 1024;
const SAMPLE_BYTES = 2;

/** The manifest's bytes as stored, while there is one to show; undefined when there is no such recording. */
export async function readManifest(paths: RecordingPaths, id: CallId): Promise<Buffer | undefined> {
  const startedAtUs = timeOfCallId(id);
  const tombstone = await readIfThere(paths.tombstone(id, startedAtUs));
  if (tombstone !== undefined && !keepsManifest(tombstone)) return undefined;
  return readIfThere(paths.manifest(id, startedAtUs));
}

export class RecordingAudio {
  readonly manifest: Manifest;
  /** As the manifest says. */
  readonly isEncrypted: boolean;
  /** Undefined when the file is no WAV that can be taken apart: what is encrypted is not. */
  readonly shape: WavShape | undefined;
  /** The file's, as stored. */
  readonly bytes: number;
  readonly #file: FileHandle;

  private constructor(manifest: Manifest, file: FileHandle, bytes: number, shape: WavShape | undefined) {
    this.manifest = manifest;
    this.isEncrypted = manifest.audio.encryption !== undefined;
    this.shape = shape;
    this.bytes = bytes;
    this.#file = file;
  }

  /** Undefined when there is no such recording, or no more. Rejects with file system errors. Whoever opens it closes it. */
  static async open(paths: RecordingPaths, id: CallId): Promise<RecordingAudio | undefined> {
    const startedAtUs = timeOfCallId(id);
    if ((await readIfThere(paths.tombstone(id, startedAtUs))) !== undefined) return undefined;
    const manifest = parseManifest((await readIfThere(paths.manifest(id, startedAtUs))) ?? Buffer.alloc(0));
    if (manifest?.audio === undefined) return undefined;
    const isEncrypted = manifest.audio.encryption !== undefined;
    const path = join(paths.dataFolder, paths.relativeAudio(id, startedAtUs, isEncrypted));
    const file = await ifThere(() => open(path, "r"));
    if (file === undefined) return undefined;
    try {
      const { size } = await file.stat();
      const header = Buffer.alloc(Math.min(MAX_WAV_HEADER_BYTES, size));
      const { bytesRead } = await file.read(header, 0, header.length, 0);
      const shape = isEncrypted ? undefined : wholeShape(header.subarray(0, bytesRead), size);
      return new RecordingAudio(manifest, file, size, shape);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** A second call is nothing. */
  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Whether the file has the length that its manifest says. */
  get isWhole(): boolean {
    return this.bytes === this.manifest.audio.bytes;
  }

  /** The file as it is. */
  stored(): ByteView {
    return { bytes: this.bytes, read: (from, to) => this.#read(from, to, 1) };
  }

  /** A WAV of its own, 16-bit PCM, of what is chosen. Only of a file that has a shape. */
  wav(choice: ChannelChoice): ByteView {
    const { sampleRateHz, frames } = this.#shape();
    const header = wavHeader({ sampleRateHz, channels: channelsOf(choice, this.#shape()), frames });
    const samples = this.samples(choice);
    const bytes = header.length + samples.bytes;
    return {
      bytes,
      async *read(from, to) {
        if (from < header.length) yield header.subarray(from, Math.min(to, header.length));
        if (to > header.length) yield* samples.read(Math.max(0, from - header.length), to - header.length);
      },
    };
  }

  /** The samples alone, interleaved. Only of a file that has a shape. */
  samples(choice: ChannelChoice): ByteView {
    const shape = this.#shape();
    const frameBytes = channelsOf(choice, shape) * SAMPLE_BYTES;
    const read = (from: number, to: number, alignment: number) => this.#read(from, to, alignment);
    return {
      bytes: shape.frames * frameBytes,
      async *read(from, to) {
        if (from >= to) return;
        let frame = Math.floor(from / frameBytes);
        const at = (place: number) => shape.dataAt + place * shape.frameBytes;
        for await (const piece of read(at(frame), at(Math.ceil(to / frameBytes)), shape.frameBytes)) {
          const samples = choose(piece, shape, choice);
          const start = frame * frameBytes;
          yield samples.subarray(Math.max(0, from - start), Math.min(samples.length, to - start));
          frame += piece.length / shape.frameBytes;
        }
      },
    };
  }

  #shape(): WavShape {
    if (this.shape === undefined) throw new Error("the samples of this recording cannot be read");
    return this.shape;
  }

  /** Pieces that are multiples of `alignment`. */
  async *#read(from: number, to: number, alignment: number): AsyncGenerator<Buffer, void> {
    const pieceBytes = PIECE_BYTES - (PIECE_BYTES % alignment);
    for (let at = from; at < to; ) {
      const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, to - at));
      for (let filled = 0; filled < piece.length; ) {
        const { bytesRead } = await this.#file.read(piece, filled, piece.length - filled, at + filled);
        if (bytesRead === 0) throw new RecordingGone("the file ends early");
        filled += bytesRead;
      }
      if ((await this.#file.stat()).nlink === 0) throw new RecordingGone("the recording was deleted");
      yield piece;
      at += piece.length;
    }
  }
}

/** Frames of a WAV as 16-bit PCM of what is chosen. A mix is the sum, held within 16 bits: who speaks alone keeps his level. */
export function choose(frames: Buffer, shape: WavShape, choice: ChannelChoice): Buffer {
  const { channels, frameBytes } = shape;
  const source = linear(frames, shape);
  if (channels === 1 || choice === "both") return bytesOf(source);
  const chosen = new Int16Array(frames.length / frameBytes);
  for (let i = 0; i < chosen.length; i++) {
    const left = source[2 * i]!;
    const right = source[2 * i + 1]!;
    if (choice === "mix") chosen[i] = Math.max(-32768, Math.min(32767, left + right));
    else chosen[i] = choice === 0 ? left : right;
  }
  return bytesOf(chosen);
}

function linear(frames: Buffer, { encoding }: WavShape): Int16Array {
  if (encoding === "pcm16") return new Int16Array(frames.buffer, frames.byteOffset, frames.length / SAMPLE_BYTES);
  const table = encoding === "alaw" ? ALAW_SAMPLES : MULAW_SAMPLES;
  const samples = new Int16Array(frames.length);
  for (let i = 0; i < frames.length; i++) samples[i] = table[frames[i]!]!;
  return samples;
}

function bytesOf(samples: Int16Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}

export function channelsOf(choice: ChannelChoice, { channels }: WavShape): number {
  return choice === "both" ? channels : 1;
}

/** A file that is shorter than its header says has no shape that could be trusted. */
function wholeShape(header: Buffer, bytes: number): WavShape | undefined {
  const shape = parseWavShape(header);
  return shape !== undefined && shape.dataAt + shape.dataBytes <= bytes ? shape : undefined;
}

function keepsManifest(tombstone: Buffer): boolean {
  try {
    return (JSON.parse(tombstone.toString("utf8")) as Partial<Tombstone>).keepsManifest === true;
  } catch {
    return false;
  }
}

function readIfThere(path: string): Promise<Buffer | undefined> {
  return ifThere(() => readFile(path));
}

async function ifThere<Result>(act: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await act();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

// A WAV file written in one go: header first (npm `wavefile` makes it), then interleaved 16-bit PCM, encrypted where that is
// asked for, hashed on the way. RIFF (Microsoft/IBM 1991, Multimedia Programming Interface), RF64 beyond 4 GiB (EBU Tech 3306
// §3). The length is known before the first sample.
import { createRequire } from "node:module";
import { endianness } from "node:os";
import { EncryptedFile, type EncryptedFileOptions, type WrittenEncryptedFile } from "./encrypted-file.js";
import { OutputFile, type WrittenFile } from "./output-file.js";

// Not imported: for an import Node goes through the minified file in search of its exports, which takes a sealing thread
// longer than all of its other modules. Loaded with the first header: the API may never make one.
const require = createRequire(import.meta.url);

export interface WavFormat {
  sampleRateHz: number;
  channels: number;
  /** Sample frames: samples per channel. */
  frames: number;
}

const BYTES_PER_SAMPLE = 2;
const RIFF_HEADER_BYTES = 44;
const RF64_HEADER_BYTES = 80;
/** `RIFF` and the size itself, which the size does not count. */
const RIFF_PREFIX_BYTES = 8;
const RIFF_SIZE_AT = 4;
const FIRST_CHUNK_AT = 12;
const DATA_SIZE_AT = 40;
const DS64_CHUNK_BYTES = 28;
/** What stands in a 32-bit size that the ds64 chunk gives (EBU Tech 3306 §3.2). */
const SIZE_IN_DS64 = 0xffffffff;

export interface WavOptions {
  /** Longest file, less 8 bytes, that is still RIFF; what the format can say unless a test wants less. */
  maxRiffBytes?: number;
  /** Without it the file is written in clear. */
  encrypt?: EncryptedFileOptions;
}

export type WrittenAudio = WrittenFile | WrittenEncryptedFile;

/** The bytes before the first sample; RIFF when the sizes fit its 32 bits, else RF64. */
export function wavHeader(format: WavFormat, options: WavOptions = {}): Buffer {
  const dataBytes = format.frames * format.channels * BYTES_PER_SAMPLE;
  const riffBytes = RIFF_HEADER_BYTES - RIFF_PREFIX_BYTES + dataBytes;
  const header = emptyWav(format);
  if (riffBytes > (options.maxRiffBytes ?? SIZE_IN_DS64 - 1)) return rf64Header(header, dataBytes, format.frames);
  header.writeUInt32LE(riffBytes, RIFF_SIZE_AT);
  header.writeUInt32LE(dataBytes, DATA_SIZE_AT);
  return header;
}

/** A RIFF file without samples: its 44 bytes are the header of one with samples, but for the two sizes. */
function emptyWav(format: WavFormat): Buffer {
  const { WaveFile } = require("wavefile") as typeof import("wavefile");
  const wav = new WaveFile();
  wav.fromScratch(format.channels, format.sampleRateHz, String(BYTES_PER_SAMPLE * 8), new Int16Array(0));
  const header = Buffer.from(wav.toBuffer());
  if (header.length !== RIFF_HEADER_BYTES) throw new Error(`an empty WAV has ${header.length} bytes`);
  return header;
}

/** The same with a ds64 chunk that holds the sizes (EBU Tech 3306 §3.2); wavefile writes RF64 without one. */
function rf64Header(riff: Buffer, dataBytes: number, frames: number): Buffer {
  const header = Buffer.alloc(RF64_HEADER_BYTES);
  header.write("RF64", 0, "latin1");
  header.writeUInt32LE(SIZE_IN_DS64, RIFF_SIZE_AT);
  header.write("WAVE", 8, "latin1");
  header.write("ds64", FIRST_CHUNK_AT, "latin1");
  header.writeUInt32LE(DS64_CHUNK_BYTES, FIRST_CHUNK_AT + 4);
  header.writeBigUInt64LE(BigInt(RF64_HEADER_BYTES - RIFF_PREFIX_BYTES + dataBytes), FIRST_CHUNK_AT + 8);
  header.writeBigUInt64LE(BigInt(dataBytes), FIRST_CHUNK_AT + 16);
  header.writeBigUInt64LE(BigInt(frames), FIRST_CHUNK_AT + 24);
  riff.copy(header, FIRST_CHUNK_AT + RIFF_PREFIX_BYTES + DS64_CHUNK_BYTES, FIRST_CHUNK_AT);
  header.writeUInt32LE(SIZE_IN_DS64, RF64_HEADER_BYTES - 4);
  return header;
}

/** Writes one file; throws the file system's errors as they come. After a throw, `abandon` removes what was written. */
export class WavWriter {
  /** The bytes before the first sample, as whole frames; they are the first to be written. */
  readonly header: Int16Array;
  readonly #file: OutputFile | EncryptedFile;
  readonly #expectedBytes: number;

  /** Replaces whatever stands at `path`; only the owner may read the file. */
  constructor(path: string, format: WavFormat, options: WavOptions = {}) {
    if (endianness() !== "LE") throw new Error("WAV samples are written as they lie in memory: little endian only");
    this.header = new Int16Array(new Uint8Array(wavHeader(format, options)).buffer);
    this.#expectedBytes = this.header.byteLength + format.frames * format.channels * BYTES_PER_SAMPLE;
    this.#file = options.encrypt ? new EncryptedFile(path, options.encrypt) : new OutputFile(path);
  }

  /** Appends the header, then interleaved samples, in pieces as `OutputFile.append` likes them. */
  write(piece: Int16Array): void {
    this.#file.append(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
  }

  /** Makes the file durable and closes it; throws when it has not exactly the length that its header says. */
  finish(): WrittenAudio {
    const { bytes } = this.#file;
    if (bytes !== this.#expectedBytes) throw new Error(`WAV of ${bytes} bytes, its header says ${this.#expectedBytes}`);
    return this.#file.finish();
  }

  /** Closes and removes the file. */
  abandon(): void {
    this.#file.abandon();
  }
}

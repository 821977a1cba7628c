// A WAV file written in one go: header first, then interleaved 16-bit PCM, hashed on the way. RIFF (Microsoft/IBM 1991,
// Multimedia Programming Interface), RF64 beyond 4 GiB (EBU Tech 3306 §3). The length is known before the first sample.
import { createHash } from "node:crypto";
import { closeSync, fchmodSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { endianness } from "node:os";

export interface WavFormat {
  sampleRateHz: number;
  channels: number;
  /** Sample frames: samples per channel. */
  frames: number;
}

export interface WrittenWav {
  bytes: number;
  /** SHA-256 of the file, lower-case hex. */
  sha256: string;
}

const BYTES_PER_SAMPLE = 2;
const RIFF_HEADER_BYTES = 44;
const RF64_HEADER_BYTES = 80;
/** `RIFF` and the size itself, which the size does not count. */
const RIFF_PREFIX_BYTES = 8;
const FORMAT_CHUNK_BYTES = 16;
const DS64_CHUNK_BYTES = 28;
const FORMAT_PCM = 1;
/** What stands in a 32-bit size that the ds64 chunk gives (EBU Tech 3306 §3.2). */
const SIZE_IN_DS64 = 0xffffffff;

export interface WavOptions {
  /** Longest file, less 8 bytes, that is still RIFF; what the format can say unless a test wants less. */
  maxRiffBytes?: number;
}

/** The bytes before the first sample; RIFF when the sizes fit its 32 bits, else RF64. */
export function wavHeader(format: WavFormat, options: WavOptions = {}): Buffer {
  const frameBytes = format.channels * BYTES_PER_SAMPLE;
  const dataBytes = format.frames * frameBytes;
  const riffBytes = RIFF_HEADER_BYTES - RIFF_PREFIX_BYTES + dataBytes;
  const isRf64 = riffBytes > (options.maxRiffBytes ?? SIZE_IN_DS64 - 1);
  const header = Buffer.alloc(isRf64 ? RF64_HEADER_BYTES : RIFF_HEADER_BYTES);
  header.write(isRf64 ? "RF64" : "RIFF", 0, "latin1");
  header.writeUInt32LE(isRf64 ? SIZE_IN_DS64 : riffBytes, 4);
  header.write("WAVE", 8, "latin1");
  let at = 12;
  if (isRf64) {
    header.write("ds64", at, "latin1");
    header.writeUInt32LE(DS64_CHUNK_BYTES, at + 4);
    header.writeBigUInt64LE(BigInt(RF64_HEADER_BYTES - RIFF_PREFIX_BYTES + dataBytes), at + 8);
    header.writeBigUInt64LE(BigInt(dataBytes), at + 16);
    header.writeBigUInt64LE(BigInt(format.frames), at + 24);
    at += RIFF_PREFIX_BYTES + DS64_CHUNK_BYTES;
  }
  header.write("fmt ", at, "latin1");
  header.writeUInt32LE(FORMAT_CHUNK_BYTES, at + 4);
  header.writeUInt16LE(FORMAT_PCM, at + 8);
  header.writeUInt16LE(format.channels, at + 10);
  header.writeUInt32LE(format.sampleRateHz, at + 12);
  header.writeUInt32LE(format.sampleRateHz * frameBytes, at + 16);
  header.writeUInt16LE(frameBytes, at + 20);
  header.writeUInt16LE(BYTES_PER_SAMPLE * 8, at + 22);
  header.write("data", at + 24, "latin1");
  header.writeUInt32LE(isRf64 ? SIZE_IN_DS64 : dataBytes, at + 28);
  return header;
}

/** Writes one file; throws the file system's errors as they come. After a throw, `abandon` removes what was written. */
export class WavWriter {
  readonly #path: string;
  readonly #hash = createHash("sha256");
  readonly #expectedBytes: number;
  #descriptor: number | undefined;
  #bytes = 0;

  /** Replaces whatever stands at `path`; only the owner may read the file. */
  constructor(path: string, format: WavFormat, options: WavOptions = {}) {
    if (endianness() !== "LE") throw new Error("WAV samples are written as they lie in memory: little endian only");
    const header = wavHeader(format, options);
    this.#path = path;
    this.#expectedBytes = header.length + format.frames * format.channels * BYTES_PER_SAMPLE;
    this.#descriptor = openSync(path, "w", 0o600);
    fchmodSync(this.#descriptor, 0o600);
    this.#append(header);
  }

  /** Appends interleaved samples; best given in large pieces. */
  write(interleaved: Int16Array): void {
    this.#append(Buffer.from(interleaved.buffer, interleaved.byteOffset, interleaved.byteLength));
  }

  /** Makes the file durable and closes it; throws when it has not exactly the length that its header says. */
  finish(): WrittenWav {
    if (this.#bytes !== this.#expectedBytes) {
      throw new Error(`WAV of ${this.#bytes} bytes, its header says ${this.#expectedBytes}`);
    }
    fdatasyncSync(this.#descriptor!);
    this.#close();
    return { bytes: this.#bytes, sha256: this.#hash.digest("hex") };
  }

  /** Closes and removes the file. */
  abandon(): void {
    this.#close();
    rmSync(this.#path, { force: true });
  }

  #append(bytes: Buffer): void {
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(this.#descriptor!, bytes, written, bytes.length - written);
    }
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

// Reads one capture file, or standard input, and feeds its frames to a sink. Owns reading, progress and back-pressure;
// the format is CaptureParser's. What is wrong with the file is a value in the result, never a throw.
import { constants, readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ErrorCode } from "../base/errors.js";
import { CaptureParser } from "./file-format.js";
import type { FrameSink } from "./frame.js";
import type { FileCounters } from "./record-format.js";

/** Bytes read at once; between two reads the event loop turns. */
export const CHUNK_BYTES = 1024 * 1024;
/** The path that means standard input. */
export const STANDARD_INPUT = "-";

export interface FileRunOptions {
  /** After each chunk; `totalBytes` 0 = unknown. */
  onProgress?(readBytes: number, totalBytes: number): void;
  /** Before each chunk: a promise holds reading back until it resolves. */
  pause?(): Promise<void> | undefined;
  /** Stops between two chunks; the result then says `isStopped` and has no fault for the rest. */
  signal?: AbortSignal;
}

export interface FileFault {
  code: ErrorCode;
  /** One line: the file, what is wrong with it, what to do. */
  message: string;
}

export interface FileResult {
  frames: number;
  /** Bytes of the file that were read. */
  bytes: number;
  counters: Readonly<FileCounters>;
  isStopped: boolean;
  fault?: FileFault;
}

export class FileSource {
  /** The name users see: the path, or "standard input". */
  readonly name: string;
  readonly #path: string;
  readonly #parser: CaptureParser;
  readonly #standardInput: () => Readable;
  #readBytes = 0;
  #totalBytes = 0;
  #isStopped = false;

  /** `standardInput` is asked for only when `path` is "-". */
  constructor(path: string, sink: FrameSink, standardInput: () => Readable = () => process.stdin) {
    this.#path = path;
    this.name = path === STANDARD_INPUT ? "standard input" : printable(path);
    this.#parser = new CaptureParser(sink);
    this.#standardInput = standardInput;
  }

  /** What was read so far; grows while `run` works. */
  get counters(): Readonly<FileCounters> {
    return this.#parser.counters;
  }

  /** Reads to the end, once. Rejects only when the sink throws. */
  async run(options: FileRunOptions = {}): Promise<FileResult> {
    const isStandardInput = this.#path === STANDARD_INPUT;
    const systemFault = await (isStandardInput ? this.#runStream(options) : this.#runFile(options));
    if (systemFault === undefined && !this.#isStopped) this.#parser.finish();
    const fault = systemFault ?? this.#parserFault();
    const counters = this.#parser.counters;
    const result = { frames: counters.frames, bytes: this.#readBytes, counters, isStopped: this.#isStopped };
    return fault === undefined ? result : { ...result, fault };
  }

  async #runFile(options: FileRunOptions): Promise<FileFault | undefined> {
    let file: FileHandle;
    try {
      file = await open(this.#path, constants.O_RDONLY);
    } catch (error) {
      return this.#openFault(error);
    }
    try {
      const status = await file.stat();
      if (status.isDirectory()) return this.#folderFault();
      const isRegular = status.isFile();
      this.#totalBytes = isRegular ? status.size : 0;
      const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      while (await this.#mayGoOn(options)) {
        const bytesRead = await (isRegular ? this.#readNow(file, chunk) : this.#read(file, chunk));
        if (typeof bytesRead !== "number") return bytesRead;
        if (bytesRead === 0) return undefined;
        this.#take(bytesRead === chunk.length ? chunk : chunk.subarray(0, bytesRead), options);
      }
      return undefined;
    } finally {
      await file.close();
    }
  }

  /**
   * A regular file never waits for a writer, so this thread reads it: the bytes are then in the cache of the processor that
   * takes them apart, and no other thread need be woken.
   */
  async #readNow(file: FileHandle, chunk: Buffer): Promise<number | FileFault> {
    await nextTurn();
    try {
      return readSync(file.fd, chunk, 0, chunk.length, null);
    } catch (error) {
      return this.#readFault(error);
    }
  }

  async #read(file: FileHandle, chunk: Buffer): Promise<number | FileFault> {
    try {
      return (await file.read(chunk, 0, chunk.length, null)).bytesRead;
    } catch (error) {
      return this.#readFault(error);
    }
  }

  async #runStream(options: FileRunOptions): Promise<FileFault | undefined> {
    const stream = this.#standardInput();
    const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    const stop = (): void => void stream.destroy();
    options.signal?.addEventListener("abort", stop, { once: true });
    let sinceTurn = 0;
    try {
      while (await this.#mayGoOn(options)) {
        const chunk = await this.#nextOf(iterator, options);
        if (chunk === undefined) return undefined;
        if (!Buffer.isBuffer(chunk)) return chunk;
        this.#take(chunk, options);
        sinceTurn += chunk.length;
        if (sinceTurn < CHUNK_BYTES) continue;
        sinceTurn = 0;
        // A stream that always has data would otherwise resolve without the event loop turning.
        await nextTurn();
      }
      return undefined;
    } finally {
      options.signal?.removeEventListener("abort", stop);
      stream.destroy();
    }
  }

  /** The stream's next chunk, undefined at its end or when stopped, or the fault that ended it. */
  async #nextOf(iterator: AsyncIterator<Buffer>, options: FileRunOptions): Promise<Buffer | FileFault | undefined> {
    try {
      const next = await iterator.next();
      this.#isStopped = isAborted(options);
      return next.done === true || this.#isStopped ? undefined : next.value;
    } catch (error) {
      this.#isStopped = isAborted(options);
      return this.#isStopped ? undefined : this.#readFault(error);
    }
  }

  /** Waits while the consumer asks for it; false once there is no point in reading on. */
  async #mayGoOn(options: FileRunOptions): Promise<boolean> {
    await options.pause?.();
    this.#isStopped = isAborted(options);
    return !this.#isStopped && this.#parser.fault === undefined;
  }

  #take(chunk: Buffer, options: FileRunOptions): void {
    this.#readBytes += chunk.length;
    this.#parser.push(chunk);
    options.onProgress?.(this.#readBytes, this.#totalBytes);
  }

  #parserFault(): FileFault | undefined {
    const fault = this.#parser.fault;
    return fault && { code: fault.code, message: `${this.name}: ${fault.message}` };
  }

  #openFault(error: unknown): FileFault {
    const code = systemCode(error);
    if (code === "EISDIR") return this.#folderFault();
    if (code === "ENOENT" || code === "ENOTDIR") {
      return this.#notFound("there is no such file; check the path");
    }
    if (code === "EACCES" || code === "EPERM") {
      return this.#notFound("this user may not read it; change its permissions or run as a user who may");
    }
    return this.#notFound(`cannot be opened (${code})`);
  }

  #folderFault(): FileFault {
    return this.#notFound("is a folder; name the capture files in it");
  }

  #notFound(what: string): FileFault {
    return { code: "capture-not-found", message: `${this.name}: ${what}` };
  }

  /** The disk or the pipe failed midway. */
  #readFault(error: unknown): FileFault {
    const where = `reading failed at byte ${this.#readBytes} (${systemCode(error)})`;
    return { code: "capture-cut", message: `${this.name}: ${where}; check the disk and fetch the file again` };
  }
}

function isAborted(options: FileRunOptions): boolean {
  return options.signal?.aborted === true;
}

function systemCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

/** A path that may stand in one line of a log. */
function printable(path: string): string {
  return /[\x00-\x1f\x7f]/.test(path) ? JSON.stringify(path) : path;
}

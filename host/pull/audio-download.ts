// Brings a recording's audio into its partial file, from where the last try ended, until it has the bytes and the SHA-256 that the
// signed manifest says: a connection that breaks off is taken up again, bytes that were altered on the way are fetched anew.
import { createHash } from "node:crypto";
import { causeOf, HostError } from "../errors.js";
import { sha256OfFile } from "./audio-hash.js";
import { type Box, isPassing, type LinkAnswer, piecesOf, type Refusal } from "./box.js";
import type { Patience } from "./patience.js";
import type { TargetFolder } from "./target-folder.js";

/** Whole downloads that are not what was signed; then it is the box's file, and not the way. */
const MAX_WRONG = 3;
/** Tries of which none brings more than the one before, while the box answers. */
const MAX_TRIES = 20;

export interface AudioWanted {
  id: string;
  bytes: number;
  sha256: string;
}

export type Downloaded = "whole" | "wrong" | { refusal: Refusal };

export interface AudioDownloadOptions {
  box: Box;
  folder: TargetFolder;
  patience: Patience;
  /** Told how many bytes of a recording's audio are there. */
  onProgress(id: string, bytes: number): void;
}

export class AudioDownload {
  readonly #options: AudioDownloadOptions;

  constructor(options: AudioDownloadOptions) {
    this.#options = options;
  }

  /** "whole": synced in the partial file. Throws file system errors, HostError `network` when patience is at its end. */
  async fetch(wanted: AudioWanted, signal: AbortSignal): Promise<Downloaded> {
    const { folder, patience } = this.#options;
    let wrong = 0;
    for (let attempt = 1; ; ) {
      const before = (await this.#progressOf(wanted)).bytes;
      try {
        const result = await this.#fetchRest(wanted, signal);
        if (result !== "wrong") return result;
        await folder.removePartial(wanted.id);
        // What an earlier run left may have been altered since.
        if (before === 0) wrong++;
        if (wrong >= MAX_WRONG) return "wrong";
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) throw error;
        // Its beginning is all that ever comes.
        if (attempt >= MAX_TRIES) throw new HostError("bad-answer", error.message, { cause: error });
        attempt = (await this.#progressOf(wanted)).bytes > before ? 1 : attempt + 1;
        await patience.pause(attempt, error, 0, signal);
      }
    }
  }

  async #progressOf({ id }: AudioWanted): Promise<{ bytes: number }> {
    const { file, bytes } = await this.#options.folder.openPartial(id);
    await file.close();
    return { bytes };
  }

  async #fetchRest({ id, bytes, sha256 }: AudioWanted, signal: AbortSignal): Promise<Downloaded> {
    const { box, folder, onProgress } = this.#options;
    const partial = await folder.openPartial(id);
    try {
      let at = partial.bytes;
      if (at > bytes) {
        await partial.file.truncate(0);
        at = 0;
      }
      let hash = at === 0 ? createHash("sha256") : await sha256OfFile(partial.path);
      onProgress(id, at);
      if (at < bytes) {
        const asked = await box.audio(id, at, sha256, signal);
        if ("refusal" in asked) {
          // 416: the box's file is another one than that of which this is the beginning.
          if (asked.refusal.status !== 416) return asked;
          return "wrong";
        }
        if (startOf(asked.value, at) !== at) {
          await partial.file.truncate(0);
          at = 0;
          hash = createHash("sha256");
        }
        for await (const piece of piecesOf(asked.value.body)) {
          if (at + piece.length > bytes) return "wrong";
          await writeAll(partial.file, piece, at);
          hash.update(piece);
          at += piece.length;
          onProgress(id, at);
          this.#options.patience.answered();
        }
      }
      // The answer came to its end: a connection that breaks off is another thing.
      if (at < bytes) return "wrong";
      if (hash.digest("hex") !== sha256) return "wrong";
      await partial.file.sync();
      return "whole";
    } finally {
      await partial.file.close();
    }
  }
}

/** Of the first byte that comes (RFC 9110 §14.4): the one that was asked for, or 0. */
function startOf(answer: LinkAnswer, wanted: number): number {
  if (answer.status !== 206) return 0;
  const start = /^bytes (\d+)-/.exec(answer.header("content-range") ?? "")?.[1];
  if (start !== undefined && (Number(start) === wanted || Number(start) === 0)) return Number(start);
  answer.body.destroy();
  throw new HostError("bad-answer", "the box sends another part than it was asked for");
}

async function writeAll(
  file: { write(piece: Buffer, offset: number, length: number, at: number): Promise<{ bytesWritten: number }> },
  piece: Buffer,
  at: number,
): Promise<void> {
  try {
    for (let done = 0; done < piece.length; ) {
      const { bytesWritten } = await file.write(piece, done, piece.length - done, at + done);
      done += bytesWritten;
    }
  } catch (cause) {
    throw new HostError("file-unwritable", `cannot write what comes (${causeOf(cause)})`, { cause });
  }
}

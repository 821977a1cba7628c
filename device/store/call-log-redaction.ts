// Takes people out of the call log: lines of calls whose recording is gone, or whose people were erased, lose numbers,
// Call-IDs and names and keep times, counts and reasons. A day's file is written anew beside the old one, made durable and
// put in its place in one step; what the service appended meanwhile is in it.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CallId } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import type { CallLogLine } from "../contract/manifest.js";
import type { DeletionReason } from "../contract/tombstone.js";
import type { FileLayer } from "./file-layer.js";

/** The service may log calls while the new file is on its way to the disk: then it is written again. */
const MAX_ATTEMPTS = 20;

export interface RedactedLog {
  /** Lines that lost their people now. */
  lines: number;
  /** Of the day's file as it is now: what the chain vouches for. */
  bytes: number;
  /** "" when there is none. */
  sha256: string;
}

export class CallLogRedaction {
  readonly #folder: string;
  readonly #files: FileLayer;

  /** `folder`: `<data>/calls`. */
  constructor(folder: string, files: FileLayer) {
    this.#folder = folder;
    this.#files = files;
  }

  /** Lines of one day ("2026-11-21") and these calls. Doing it again changes nothing. Rejects with file system errors. */
  async redact(day: string, calls: ReadonlyMap<CallId, DeletionReason>): Promise<RedactedLog> {
    const path = join(this.#folder, `${day}.jsonl`);
    const temporary = `${path}.partial`;
    for (let attempt = 1; existsSync(path); attempt++) {
      const bytes = readFileSync(path);
      const { lines, text } = redactLines(bytes, calls);
      if (lines === 0) {
        // An attempt whose last sync was refused has left the old file to come back with a power cut.
        await this.#files.sync(this.#folder);
        return { lines, bytes: bytes.length, sha256: sha256Of(bytes) };
      }
      const redacted = Buffer.from(text, "utf8");
      await this.#files.write(temporary, redacted);
      await this.#files.sync(temporary);
      if (statSync(path).size !== bytes.length && attempt < MAX_ATTEMPTS) continue;
      // Nothing else runs between the look at the size and this: renaming is one call.
      await this.#files.rename(temporary, path);
      await this.#files.sync(this.#folder);
      return { lines, bytes: redacted.length, sha256: sha256Of(redacted) };
    }
    return { lines: 0, bytes: 0, sha256: "" };
  }
}

/** A line without its people. Members stay in their order. */
export function redactLine(line: CallLogLine, reason: DeletionReason): CallLogLine {
  return {
    ...line,
    sipCallIds: [],
    file: "",
    parties: line.parties.map((party) => ({ ...party, number: "", identifiedBy: "" })),
    deleted: reason,
  };
}

/** The line, if it is one; a torn one is not. */
export function parseLogLine(text: string): CallLogLine | undefined {
  try {
    const value = JSON.parse(text) as Partial<CallLogLine> | null;
    return value?.schema === "sidetone.call-log/1" && Array.isArray(value.parties) ? (value as CallLogLine) : undefined;
  } catch {
    return undefined;
  }
}

function redactLines(bytes: Buffer, calls: ReadonlyMap<CallId, DeletionReason>): { lines: number; text: string } {
  let lines = 0;
  const redacted = bytes
    .toString("utf8")
    .split("\n")
    .map((text) => {
      const line = text === "" ? undefined : parseLogLine(text);
      const reason = line && calls.get(line.id);
      if (line === undefined || reason === undefined || line.deleted !== undefined) return text;
      lines++;
      return JSON.stringify(redactLine(line, reason));
    });
  return { lines, text: redacted.join("\n") };
}

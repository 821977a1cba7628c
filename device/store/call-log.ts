// The call log: `calls/YYYY-MM-DD.jsonl`, one line for every call, with or without audio, by the day of its start. Lines
// are only ever appended, each in one write; a line that a power cut tore stays behind on a line of its own.
import { closeSync, existsSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type CallId, isCallId } from "../base/ids.js";
import type { CallLogLine } from "../contract/manifest.js";
import { makeFolders } from "./durable-file.js";
import { isoDay } from "./recording-paths.js";

/**
 * A call that was logged but whose journal was not released before a crash is logged again after it: its first line is
 * within the last bytes of its day's file. As many are looked through once per file and run.
 */
const TAIL_BYTES = 1 << 20;
/** Days whose tails are remembered; the one looked at first goes first. */
const MAX_DAYS = 8;
/** Calls remembered per day's file, the newest. */
const MAX_IDS = 65_536;
const NEWLINE = 0x0a;
const ID_MEMBER = /"id":"([0-9A-Z]{26})"/;

export class CallLog {
  readonly #folder: string;
  /** By file: calls that are in it, as far as they were looked at or written. */
  readonly #logged = new Map<string, Set<string>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Whether an earlier run, or this one, has logged the call that began at `startedAt` (ISO 8601). */
  has(id: CallId, startedAt: string): boolean {
    const path = this.#pathFor(startedAt);
    const known = this.#logged.get(path);
    if (known) return known.has(id);
    if (!existsSync(path)) return false;
    const descriptor = openSync(path, "a+", 0o600);
    try {
      return this.#begin(path, descriptor).has(id);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Appends the line; false when the call is logged already. Throws file system errors. */
  append(line: CallLogLine): boolean {
    const path = this.#pathFor(line.startedAt);
    const descriptor = this.#open(path);
    try {
      const logged = this.#logged.get(path) ?? this.#begin(path, descriptor);
      if (logged.has(line.id)) return false;
      writeWhole(descriptor, Buffer.from(`${JSON.stringify(line)}\n`, "utf8"));
      if (logged.size >= MAX_IDS) logged.delete(logged.values().next().value!);
      logged.add(line.id);
      return true;
    } catch (error) {
      // Whatever was written of the line, the next one looks at the file's end again.
      this.#logged.delete(path);
      throw error;
    } finally {
      closeSync(descriptor);
    }
  }

  #open(path: string): number {
    try {
      return openSync(path, "a+", 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      makeFolders(this.#folder);
      return openSync(path, "a+", 0o600);
    }
  }

  #pathFor(startedAt: string): string {
    return join(this.#folder, `${isoDay(Date.parse(startedAt) * 1000)}.jsonl`);
  }

  /** Looks at what is there: which calls an earlier run logged, and whether its last line was torn. */
  #begin(path: string, descriptor: number): Set<string> {
    const tail = readTail(descriptor);
    if (tail.length > 0 && tail.at(-1) !== NEWLINE) writeWhole(descriptor, Buffer.from("\n"));
    const logged = idsIn(tail);
    if (this.#logged.size >= MAX_DAYS) this.#logged.delete(this.#logged.keys().next().value!);
    this.#logged.set(path, logged);
    return logged;
  }
}

function readTail(descriptor: number): Buffer {
  const { size } = fstatSync(descriptor);
  const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
  const read = readSync(descriptor, tail, 0, tail.length, size - tail.length);
  return tail.subarray(0, read);
}

/** Call ids of the whole lines: the first `id` of a line is the call's. */
function idsIn(tail: Buffer): Set<string> {
  const ids = new Set<string>();
  const lines = tail.toString("utf8").split("\n").slice(0, -1);
  for (const line of lines) {
    const id = ID_MEMBER.exec(line.slice(0, 128))?.[1];
    if (id !== undefined && isCallId(id as CallId)) ids.add(id);
  }
  return ids;
}

function writeWhole(descriptor: number, bytes: Buffer): void {
  const written = writeSync(descriptor, bytes);
  if (written < bytes.length) throw Object.assign(new Error("short write to the call log"), { code: "ENOSPC" });
}

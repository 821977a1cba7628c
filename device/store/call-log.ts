// The call log: `calls/YYYY-MM-DD.jsonl`, one line for every call, with or without audio, by the day of its start. Lines
// are only ever appended, each in one write, and made durable together; a line that a power cut tore stays behind on a line of
// its own. Knows the hash of what it has written, so that the audit chain can vouch for it.
import { createHash, type Hash } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type CallId, isCallId } from "../base/ids.js";
import type { CallLogLine } from "../contract/manifest.js";
import { makeFolders } from "./durable-file.js";
import { diskFiles, type FileLayer } from "./file-layer.js";
import { LineSync } from "./line-sync.js";
import { isoDay } from "./recording-paths.js";

/**
 * A call that was logged but whose journal was not released before a crash is logged again after it: its first line is
 * within the last bytes of its day's file. As many are looked through once per file and run.
 */
const TAIL_BYTES = 1 << 20;
/** Days whose tails are remembered; the one looked at first goes first. */
const MAX_DAYS = 8;
/** Days that have grown and are remembered no more, until they are asked for: a replay may be of many. */
const MAX_LEFT_DAYS = 4096;
/** Calls remembered per day's file, the newest. */
const MAX_IDS = 65_536;
const NEWLINE = 0x0a;
const CHUNK_BYTES = 256 * 1024;

/** A day's file, as far as it was looked at or written. */
interface Day {
  inode: bigint;
  /** Calls that are in it. */
  ids: Set<string>;
  /** Of its first `bytes` bytes, which are all that it had. */
  hash: Hash;
  bytes: number;
  /** Written to since `takeGrown`. */
  hasGrown: boolean;
}

/** What a day's file holds: its first `bytes` bytes never change. */
export interface GrownDay {
  path: string;
  bytes: number;
  sha256: string;
  /** Of the file that holds them: another one has taken its place otherwise. */
  inode: bigint;
}

export class CallLog {
  readonly #folder: string;
  readonly #sync: LineSync;
  readonly #days = new Map<string, Day>();
  /** By path; beyond MAX_LEFT_DAYS the first goes, and is witnessed when the store is opened again, if it is new enough. */
  readonly #left = new Map<string, GrownDay>();

  /** Only tests give other files than the disk's. */
  constructor(folder: string, files: FileLayer = diskFiles) {
    this.#folder = folder;
    this.#sync = new LineSync(folder, files);
  }

  /** Resolves when every line appended or found before is durable. Rejects with file system errors. */
  sync(): Promise<void> {
    return this.#sync.sync();
  }

  /** The same of one file at once, whoever wrote it. Throws file system errors. */
  syncNow(path: string): void {
    this.#sync.syncNow(path);
  }

  /** Whether an earlier run, or this one, has logged the call that began at `startedAt` (ISO 8601). */
  has(id: CallId, startedAt: string): boolean {
    const path = this.#pathFor(startedAt);
    const known = this.#days.get(path);
    if (known) return known.ids.has(id);
    if (!existsSync(path)) return false;
    const descriptor = openSync(path, "a+", 0o600);
    try {
      return this.#begin(path, descriptor).ids.has(id);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Appends the line; false when the call is logged already. Throws file system errors. */
  append(line: CallLogLine): boolean {
    const path = this.#pathFor(line.startedAt);
    const descriptor = this.#open(path);
    try {
      const day = this.#known(path, descriptor) ?? this.#begin(path, descriptor);
      const { ids } = day;
      if (ids.has(line.id)) return false;
      this.#sync.note(path, false);
      grow(day, descriptor, Buffer.from(`${JSON.stringify(line)}\n`, "utf8"));
      if (ids.size >= MAX_IDS) ids.delete(ids.values().next().value!);
      ids.add(line.id);
      return true;
    } catch (error) {
      // Whatever was written of the line, the next one looks at the file's end again.
      if (this.#days.has(path)) this.#leave(path);
      throw error;
    } finally {
      closeSync(descriptor);
    }
  }

  /** The files that were written to since the last call. */
  takeGrown(): GrownDay[] {
    const grown = [...this.#left.values()];
    this.#left.clear();
    for (const [path, day] of this.#days) {
      if (!day.hasGrown) continue;
      day.hasGrown = false;
      grown.push(grownDay(path, day));
    }
    return grown;
  }

  /** Forgets a day, but not that it has grown. */
  #leave(path: string): void {
    const day = this.#days.get(path)!;
    this.#days.delete(path);
    if (!day.hasGrown) return;
    if (this.#left.size >= MAX_LEFT_DAYS) this.#left.delete(this.#left.keys().next().value!);
    this.#left.set(path, grownDay(path, day));
  }

  /** What is known of a file, unless it was changed by somebody else. */
  #known(path: string, descriptor: number): Day | undefined {
    const day = this.#days.get(path);
    const { ino, size } = fstatSync(descriptor, { bigint: true });
    return day?.inode === ino && BigInt(day.bytes) === size ? day : undefined;
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
  #begin(path: string, descriptor: number): Day {
    // It may be new, and the run before may not have synced it.
    this.#sync.note(path, true);
    const tail = readTail(descriptor);
    const { ino } = fstatSync(descriptor, { bigint: true });
    const day: Day = { inode: ino, ids: idsIn(tail), hash: createHash("sha256"), bytes: 0, hasGrown: false };
    hashWhole(day, descriptor);
    if (tail.length > 0 && tail.at(-1) !== NEWLINE) grow(day, descriptor, Buffer.from("\n"));
    this.#days.delete(path);
    if (this.#left.delete(path)) day.hasGrown = true;
    if (this.#days.size >= MAX_DAYS) this.#leave(this.#days.keys().next().value!);
    this.#days.set(path, day);
    return day;
  }
}

function grownDay(path: string, { bytes, hash, inode }: Day): GrownDay {
  return { path, bytes, sha256: hash.copy().digest("hex"), inode };
}

function grow(day: Day, descriptor: number, bytes: Buffer): void {
  writeWhole(descriptor, bytes);
  day.hash.update(bytes);
  day.bytes += bytes.length;
  day.hasGrown = true;
}

function hashWhole(day: Day, descriptor: number): void {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let read = -1; read !== 0; day.bytes += read) {
    read = readSync(descriptor, chunk, 0, CHUNK_BYTES, day.bytes);
    day.hash.update(chunk.subarray(0, read));
  }
}

function readTail(descriptor: number): Buffer {
  const { size } = fstatSync(descriptor);
  const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
  const read = readSync(descriptor, tail, 0, tail.length, size - tail.length);
  return tail.subarray(0, read);
}

/** Call ids of the whole lines. One that was torn, and is a line only by the newline put behind it, logs nothing. */
function idsIn(tail: Buffer): Set<string> {
  const ids = new Set<string>();
  const lines = tail.toString("utf8").split("\n").slice(0, -1);
  for (const line of lines) {
    const id = idOf(line);
    if (id !== undefined && isCallId(id)) ids.add(id);
  }
  return ids;
}

function idOf(line: string): string | undefined {
  try {
    const { id } = JSON.parse(line) as Partial<CallLogLine>;
    return typeof id === "string" ? id : undefined;
  } catch {
    return undefined;
  }
}

function writeWhole(descriptor: number, bytes: Buffer): void {
  const written = writeSync(descriptor, bytes);
  if (written < bytes.length) throw Object.assign(new Error("short write to the call log"), { code: "ENOSPC" });
}

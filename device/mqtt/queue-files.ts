// The queue's segment files, `mqtt-queue/<first sequence number>.log`: lines are only ever appended, a file goes as a whole. Each
// begins with a mark, so that the newest file alone says how far the queue had come. Throws the file system's errors as they
// come; what it reads and cannot use is skipped and counted.
import { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { makeFolders, replaceDurably } from "../store/durable-file.js";
import { diskFiles } from "../store/file-layer.js";
import { LineSync } from "../store/line-sync.js";
import { formatMark, parseLine, type QueuedEvent, type QueueMark } from "./queue-lines.js";

const FILE = /^(\d{16})\.log$/;
const PARTIAL = /^\d{16}\.log\.\d+\.partial$/;
const FILE_MODE = 0o600;
/** What a file takes on the disk at least. */
const BLOCK_BYTES = 4096;
/** The limit is kept to by removing whole files: so many of them make it up. */
const SEGMENTS = 16;
const MIN_SEGMENT_BYTES = 16 * 1024;
const MAX_SEGMENT_BYTES = 1 << 20;
/** A file of which nothing is owed any more is not filled up first. */
const SPENT_BYTES = 64 * 1024;

interface Segment {
  path: string;
  /** Sequence numbers; `last` below `first` = no events. */
  first: number;
  last: number;
  bytes: number;
}

/** What the files say at the start: the newest mark, the highest sequence number, whether there is anything at all. */
export interface QueueFound {
  mark: QueueMark | undefined;
  last: number;
  /** Of the oldest file; undefined without files. */
  first: number | undefined;
}

export class QueueFiles {
  readonly counters = { damagedLines: 0 };
  private readonly folder: string;
  private readonly limitBytes: number;
  private readonly segmentBytes: number;
  private readonly lines: LineSync;
  private segments: Segment[] = [];
  /** The last of them was begun by this run. */
  private isBegun = false;
  private endsInTornLine = false;

  constructor(folder: string, limitBytes: number) {
    this.folder = folder;
    this.limitBytes = limitBytes;
    this.segmentBytes = Math.max(MIN_SEGMENT_BYTES, Math.min(MAX_SEGMENT_BYTES, limitBytes / SEGMENTS));
    this.lines = new LineSync(folder, diskFiles);
  }

  /** Looks at what an earlier run has left; writes nothing but removes its half-made files. */
  find(): QueueFound {
    const names = this.list();
    this.removeHalfMade(names);
    const files = names.flatMap((name) => {
      const first = FILE.exec(name)?.[1];
      return first === undefined ? [] : [{ path: join(this.folder, name), first: Number(first) }];
    });
    files.sort((a, b) => a.first - b.first);
    this.segments = files.map(({ path, first }, place) => ({
      path,
      first,
      last: (files[place + 1]?.first ?? first) - 1,
      bytes: onDisk(statSync(path).size),
    }));
    let mark: QueueMark | undefined;
    for (const segment of [...this.segments].reverse()) {
      for (const line of this.linesOf(segment)) {
        if ("mark" in line) mark = line.mark;
        else segment.last = Math.max(segment.last, line.event.seq);
      }
      if (mark) break;
    }
    const last = Math.max(0, ...this.segments.map((segment) => Math.max(segment.last, segment.first - 1)));
    return { mark, last, first: this.segments[0]?.first };
  }

  /** Whether what comes next goes into a file of its own. `isSpent`: nothing that lies in the files is owed any more. */
  needsNew(isSpent: boolean): boolean {
    const bytes = this.segments.at(-1)?.bytes ?? 0;
    return !this.isBegun || bytes >= this.segmentBytes || (isSpent && bytes >= SPENT_BYTES);
  }

  /** Durable. `first`: what the first event in it will have. */
  begin(first: number, mark: QueueMark): void {
    makeFolders(this.folder);
    const path = join(this.folder, `${String(first).padStart(16, "0")}.log`);
    const header = formatMark(mark);
    // A file of this name has no event in it: they would have used the number up.
    replaceDurably(path, header, FILE_MODE);
    this.segments = this.segments.filter((segment) => segment.path !== path);
    this.segments.push({ path, first, last: first - 1, bytes: onDisk(header.length) });
    this.isBegun = true;
    this.endsInTornLine = false;
  }

  /** `last`: highest sequence number in the text, if there is one in it. */
  append(text: string, last?: number): void {
    const segment = this.segments.at(-1)!;
    const bytes = Buffer.from(this.endsInTornLine ? `\n${text}` : text);
    const descriptor = openSync(segment.path, "a", FILE_MODE);
    let written = 0;
    try {
      // A full disk writes a part and says so at the next one.
      while (written < bytes.length) written += writeSync(descriptor, bytes, written);
      this.endsInTornLine = false;
    } finally {
      if (written > 0 && written < bytes.length) this.endsInTornLine = true;
      segment.bytes = Math.max(segment.bytes, BLOCK_BYTES) + written;
      closeSync(descriptor);
      this.lines.note(segment.path, false);
    }
    if (last !== undefined) segment.last = Math.max(segment.last, last);
  }

  /** Resolves when all that was appended is durable. */
  sync(): Promise<void> {
    return this.lines.sync();
  }

  /** Removes files of which nothing is owed any more. */
  release(done: number): void {
    while (this.segments.length > 1 && this.segments[0]!.last <= done) this.removeOldest();
  }

  /** Keeps to the limit: removes the oldest file and says which sequence numbers were in it; undefined = there is room. */
  dropOldest(): { first: number; last: number } | undefined {
    const bytes = this.segments.reduce((sum, segment) => sum + segment.bytes, 0);
    if (bytes <= this.limitBytes || this.segments.length < 2) return undefined;
    const { first, last } = this.segments[0]!;
    this.removeOldest();
    return { first, last };
  }

  /** Events behind a sequence number, the oldest first, at most so many. */
  read(after: number, most: number): QueuedEvent[] {
    const events: QueuedEvent[] = [];
    let newest = after;
    for (const segment of this.segments) {
      if (segment.last <= newest) continue;
      for (const line of this.linesOf(segment)) {
        // What was written by halves was written once more.
        if (!("event" in line) || line.event.seq <= newest) continue;
        newest = line.event.seq;
        events.push(line.event);
        if (events.length >= most) return events;
      }
    }
    return events;
  }

  private removeHalfMade(names: readonly string[]): void {
    try {
      for (const name of names.filter((one) => PARTIAL.test(one))) rmSync(join(this.folder, name), { force: true });
    } catch {
      // The disk takes no writes now: the next start removes them.
    }
  }

  private removeOldest(): void {
    rmSync(this.segments[0]!.path, { force: true });
    this.segments.shift();
  }

  /** None of a file that cannot be read. */
  private *linesOf(segment: Segment): Generator<NonNullable<ReturnType<typeof parseLine>>> {
    let text: string;
    try {
      text = readFileSync(segment.path, "utf8");
    } catch {
      this.counters.damagedLines++;
      return;
    }
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const parsed = parseLine(line);
      if (parsed) yield parsed;
      else this.counters.damagedLines++;
    }
  }

  private list(): string[] {
    try {
      return readdirSync(this.folder);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR") return [];
      throw error;
    }
  }
}

function onDisk(bytes: number): number {
  return Math.max(BLOCK_BYTES, bytes);
}

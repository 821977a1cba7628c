// The audit chain a page at a time, by the entries' numbers and from either end, with filters; lines as they stand in the files. A page
// costs a bounded amount of reading, in small pieces, whatever the chain's length: where a filter finds little, it ends before it is
// full and says where to go on. Checks no signatures, writes nothing.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { CallId } from "../base/ids.js";
import type { AuditEntry, AuditKind } from "../contract/audit.js";
import { auditFolder, listAuditFiles, MAX_LINE_BYTES, parseEntry } from "./audit-files.js";

/** Read for one page at most. */
const MAX_PAGE_BYTES = 32 * 1024 * 1024;
/** Of the lines in one page at most. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Others have their turn after so much reading. */
const TURN_BYTES = 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

export interface AuditQuestion {
  order: "newest" | "oldest";
  /** `next` of the page before. */
  after?: number;
  /** Entries beyond it are not durable yet. */
  head: number;
  /** ISO 8601 without the Z: entered at or after `from`, before `to`. */
  from?: string;
  to?: string;
  kind?: AuditKind;
  call?: CallId;
  limit: number;
}

export interface AuditPage {
  /** Entries as they were signed: each a JSON object. */
  lines: string[];
  /** Undefined: there are no more. */
  next: number | undefined;
  /** Lines that are no entries, passed by. */
  damaged: number;
}

/** Throws file system errors. */
export async function readAuditPage(dataFolder: string, question: AuditQuestion): Promise<AuditPage> {
  const gathering = new Gathering(question);
  const { order, from = "" } = question;
  // A file has entries of the month of its name and, after a clock was set back, of earlier ones.
  const files = listAuditFiles(dataFolder).filter((name) => name.slice(0, 7) >= from.slice(0, 7));
  for (const name of order === "newest" ? files.reverse() : files) {
    const file = new ChainFile(join(auditFolder(dataFolder), name));
    try {
      const lines = order === "newest" ? file.backward(gathering.bound) : file.forward(gathering.bound);
      for (const line of lines) {
        if (!gathering.take(line)) return gathering.page;
        if (gathering.isTurnOver) await setImmediate();
      }
    } finally {
      file.close();
    }
  }
  return { ...gathering.page, next: undefined };
}

/** What has been found for a page, and whether it goes on. */
class Gathering {
  readonly #question: AuditQuestion;
  readonly #lines: string[] = [];
  readonly #needles: Buffer[];
  /** Number of the entry that was looked at last. */
  #at: number;
  #damaged = 0;
  #readBytes = 0;
  #answerBytes = 0;
  #turnAt = TURN_BYTES;

  constructor(question: AuditQuestion) {
    const { order, after, kind, call, head } = question;
    this.#question = question;
    this.#at = order === "newest" ? Math.min(after ?? head + 1, head + 1) : (after ?? 0);
    this.#needles = [
      ...(kind === undefined ? [] : [Buffer.from(`"kind":"${kind}"`)]),
      ...(call === undefined ? [] : [Buffer.from(`"call":"${call}"`)]),
    ];
  }

  /** Entries on its far side are wanted. */
  get bound(): number {
    return this.#at;
  }

  get page(): AuditPage {
    return { lines: this.#lines, next: this.#at, damaged: this.#damaged };
  }

  get isTurnOver(): boolean {
    if (this.#readBytes < this.#turnAt) return false;
    this.#turnAt = this.#readBytes + TURN_BYTES;
    return true;
  }

  /** False: the page is complete, and this line is not in it. */
  take(bytes: Buffer): boolean {
    const { limit, order, head } = this.#question;
    const isFull = this.#lines.length >= limit || this.#readBytes >= MAX_PAGE_BYTES;
    if (isFull || this.#answerBytes + bytes.length > MAX_ANSWER_BYTES) return false;
    const seq = seqOf(bytes);
    if (order === "oldest" && seq !== undefined && seq > head) return true;
    this.#readBytes += bytes.length + 1;
    if (seq === undefined) this.#damaged++;
    else this.#at = seq;
    if (!this.#needles.every((needle) => bytes.includes(needle))) return true;
    const entry = parseEntry(bytes);
    if (entry === undefined || !this.#isWanted(entry)) return true;
    this.#answerBytes += bytes.length;
    this.#lines.push(bytes.toString("utf8"));
    return true;
  }

  #isWanted({ at, kind, call }: AuditEntry): boolean {
    const { from, to, kind: kindWanted, call: callWanted } = this.#question;
    if ((kindWanted !== undefined && kind !== kindWanted) || (callWanted !== undefined && call !== callWanted))
      return false;
    return (from === undefined || at >= from) && (to === undefined || at < to);
  }
}

/** One file of the chain. Lines that are given out are good until the next one only. */
class ChainFile {
  readonly #descriptor: number;
  readonly #size: number;

  constructor(path: string) {
    this.#descriptor = openSync(path, "r");
    this.#size = fstatSync(this.#descriptor).size;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** Those after entry `seq`, in order; what stands behind the last newline is left out. */
  *forward(seq: number): Generator<Buffer, void> {
    for (const { bytes } of this.#linesFrom(this.#lowerEdge(seq + 1))) if ((seqOf(bytes) ?? seq + 1) > seq) yield bytes;
  }

  /** Those before entry `seq`, the last first. */
  *backward(seq: number): Generator<Buffer, void> {
    let end = this.#size;
    const edge = this.#lowerEdge(seq);
    for (const { bytes, offset } of this.#linesFrom(edge)) {
      const found = seqOf(bytes);
      if (found === undefined || found < seq) continue;
      end = offset;
      break;
    }
    yield* this.#linesBackTo(end);
  }

  /** Where a line begins, at most a few chunks before the first entry whose number is `seq` or more. */
  #lowerEdge(seq: number): number {
    let low = 0;
    let high = this.#size;
    while (high - low > CHUNK_BYTES) {
      const middle = low + Math.floor((high - low) / 2);
      const found = this.#firstEntry(middle, high);
      if (found === undefined) high = middle;
      else if (found.seq < seq) low = found.offset;
      else high = found.offset;
    }
    return low;
  }

  /** The first entry that begins behind `from` and before `to`. */
  #firstEntry(from: number, to: number): { seq: number; offset: number } | undefined {
    let isFirst = true;
    for (const { bytes, offset } of this.#linesFrom(from)) {
      if (offset >= to) return undefined;
      const seq = isFirst ? undefined : seqOf(bytes);
      isFirst = false;
      if (seq !== undefined) return { seq, offset };
    }
    return undefined;
  }

  *#linesFrom(from: number): Generator<{ bytes: Buffer; offset: number }, void> {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let held = 0;
    let offset = from;
    for (;;) {
      // Longer than any entry: what has been read of it goes, and its end is no entry either.
      if (held === CHUNK_BYTES) {
        offset += held;
        held = 0;
      }
      const read = readSync(this.#descriptor, chunk, held, CHUNK_BYTES - held, offset + held);
      if (read === 0) return;
      const filled = held + read;
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0 && end < filled; end = chunk.indexOf(NEWLINE, start)) {
        yield { bytes: chunk.subarray(start, end), offset: offset + start };
        start = end + 1;
      }
      chunk.copyWithin(0, start, filled);
      held = filled - start;
      offset += start;
    }
  }

  /** Whole lines before `end`, at which one begins or the file ends, the last first. */
  *#linesBackTo(end: number): Generator<Buffer, void> {
    const room = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let upTo = end; upTo > 0; ) {
      const start = Math.max(0, upTo - CHUNK_BYTES);
      const chunk = room.subarray(0, readSync(this.#descriptor, room, 0, upTo - start, start));
      // What stands behind the last newline is torn off, being written just now, or of a line longer than any entry.
      let stop = chunk.lastIndexOf(NEWLINE);
      for (let before = newlineBefore(chunk, stop); before >= 0; before = newlineBefore(chunk, stop)) {
        yield chunk.subarray(before + 1, stop);
        stop = before;
      }
      if (start === 0 && stop >= 0) yield chunk.subarray(0, stop);
      const isNothingDone = stop < 0 || start + stop + 1 === upTo;
      upTo = start === 0 || isNothingDone ? start : start + stop + 1;
    }
  }
}

function newlineBefore(chunk: Buffer, at: number): number {
  return at <= 0 ? -1 : chunk.lastIndexOf(NEWLINE, at - 1);
}

const SEQ_PATTERN = /"seq":(\d{1,15}),/;
/** The schema's name stands before it. */
const SEQ_WITHIN = 80;

/** An entry's number, as the chain writes it; undefined for what is no entry. */
function seqOf(bytes: Buffer): number | undefined {
  if (bytes.length > MAX_LINE_BYTES) return undefined;
  const found = SEQ_PATTERN.exec(bytes.toString("latin1", 0, SEQ_WITHIN));
  return found === null ? undefined : Number(found[1]);
}

// What the event queue has on the disk, and what the disk has refused: appended at once, made durable at most once a second,
// removed once the broker has it. Without a folder, or while the disk refuses writes, events stay in memory, the newest
// thousand. Never throws: trouble with the disk is told once and never reaches the recorder.
import { readFileSync } from "node:fs";
import { QueueFiles, type QueueFound } from "./queue-files.js";
import { formatEvent, formatMark, type QueuedEvent, type QueueMark } from "./queue-lines.js";

/** Events that the disk has not got. */
export const MAX_IN_MEMORY = 1000;
const COMMIT_MS = 1000;
/** The mark of what has been on its way is set ahead by so many, so that not each event needs one of its own. */
const SENT_AHEAD = 32;
/** After a power cut the numbers go on behind the limit: none of the last second's comes twice. */
const LIMIT_AHEAD = 1024;

export interface QueueStoreOptions {
  /** undefined = in memory only. */
  folder: string | undefined;
  limitBytes: number;
  /** The running kernel's id; "" = not known. */
  boot?: string;
  /** Events are gone that the broker has not had: `count` of those from `first` to `last`. */
  lost(first: number, last: number, count: number): void;
  /** Once, when the disk begins to refuse; and when it takes writes again. */
  onFault(message: string): void;
  onRecovery(): void;
}

/** Where the queue goes on. */
export interface QueuePlace {
  next: number;
  done: number;
  /** Up to here events may have been with the broker. */
  sent: number;
}

export class QueueStore {
  readonly counters = { writeFaults: 0 };
  private readonly options: QueueStoreOptions;
  private readonly boot: string;
  /** undefined = in memory only. */
  private files: QueueFiles | undefined;
  /** The newest; not on the disk. */
  private unwritten: QueuedEvent[] = [];
  private mark: QueueMark;
  private next = 1;
  private isMarkDue = false;
  private isSyncDue = false;
  private isLimitDue = false;
  /** What the disk refuses at the moment. */
  private readonly refused = new Set<"write" | "sync">();
  private isClosed = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: QueueStoreOptions) {
    this.options = options;
    const { folder, limitBytes, boot } = options;
    this.files = folder === undefined ? undefined : new QueueFiles(folder, limitBytes);
    this.boot = this.files ? (boot ?? kernelBoot()) : "";
    this.mark = { done: 0, sent: 0, limit: 0, boot: this.boot, isEnd: false };
  }

  get damagedLines(): number {
    return this.files?.counters.damagedLines ?? 0;
  }

  /** Reads what an earlier run has left. */
  open(): QueuePlace {
    const { mark } = this;
    const found = this.find();
    if (found) {
      const before = found.mark ?? { ...mark, done: 0, boot: "lost" };
      // What a killed process has written is there; after a power cut the end of it may not be.
      const isWhole = before.isEnd || (before.boot !== "" && before.boot === this.boot);
      const newest = Math.max(found.last, before.done);
      this.next = (isWhole ? newest : Math.max(newest, before.limit - 1)) + 1;
      mark.done = Math.max(before.done, (found.first ?? 1) - 1);
      mark.sent = isWhole ? Math.min(before.sent, newest) : this.next - 1;
    }
    this.isMarkDue = true;
    this.write();
    return { next: this.next, done: mark.done, sent: mark.sent };
  }

  add(event: QueuedEvent): void {
    this.next = event.seq + 1;
    this.unwritten.push(event);
    // A disk that refuses is asked again once a second.
    if (!this.refused.has("write")) this.write();
    this.arm();
    this.keepToMemory();
  }

  /** Events behind a sequence number, the oldest first, at most so many. */
  read(after: number, most: number): QueuedEvent[] {
    const events = this.files?.read(after, most) ?? [];
    const newest = events.at(-1)?.seq ?? after;
    return [...events, ...this.unwritten.filter(({ seq }) => seq > newest).slice(0, most - events.length)];
  }

  /** The event is about to be on its way to the broker. */
  sending(seq: number): void {
    if (seq > this.mark.sent) this.markSent(seq + SENT_AHEAD);
  }

  /** No event beyond this one has been, and none is at the moment. */
  sentUpTo(seq: number): void {
    if (seq !== this.mark.sent) this.markSent(seq);
  }

  /** Nothing up to here is owed any more. */
  settle(done: number): void {
    this.mark.done = done;
    while (this.unwritten[0] && this.unwritten[0].seq <= done) this.unwritten.shift();
    this.isMarkDue = true;
    this.arm();
  }

  /** Durable, as far as the disk lets it. `sent`: the highest sequence number that was on its way. */
  async close(sent: number): Promise<void> {
    clearTimeout(this.timer);
    if (this.isClosed || !this.files) return;
    this.isClosed = true;
    Object.assign(this.mark, { sent, isEnd: true });
    this.isMarkDue = true;
    this.write();
    await this.files.sync().catch((error: unknown) => this.fail("sync", error));
  }

  /** A folder that cannot be read is left alone, and this run's events are kept in memory. */
  private find(): QueueFound | undefined {
    try {
      return this.files?.find();
    } catch (error) {
      this.files = undefined;
      this.fail("write", error);
      return undefined;
    }
  }

  private markSent(sent: number): void {
    this.mark.sent = sent;
    this.isMarkDue = true;
    if (!this.refused.has("write")) this.write();
  }

  /** Everything that the disk has not got yet. */
  private write(): void {
    const { files, mark, unwritten } = this;
    if (!files) return;
    try {
      const last = unwritten.at(-1)?.seq;
      if (this.next + LIMIT_AHEAD / 2 > mark.limit) {
        mark.limit = this.next + LIMIT_AHEAD;
        this.isMarkDue = true;
        this.isLimitDue = true;
      }
      if (files.needsNew(mark.done >= this.next - 1 - unwritten.length)) {
        files.begin(unwritten[0]?.seq ?? this.next, mark);
        this.isMarkDue = false;
        this.isLimitDue = false;
      }
      const text = unwritten.map(formatEvent).join("") + (this.isMarkDue ? formatMark(mark) : "");
      if (text !== "") files.append(text, last);
      this.isSyncDue ||= last !== undefined;
      this.unwritten = [];
      this.isMarkDue = false;
      this.recover("write");
      this.keepToDisk();
    } catch (error) {
      this.fail("write", error);
    }
  }

  private arm(): void {
    if (this.isClosed || !this.files) return;
    this.timer ??= setTimeout(() => this.commit(), COMMIT_MS).unref();
  }

  /** Lines to the disk, files of which nothing is owed off it. */
  private commit(): void {
    this.timer = undefined;
    const files = this.files!;
    if (this.unwritten.length > 0 || this.isMarkDue) this.write();
    if (this.refused.has("write")) return;
    try {
      files.release(this.mark.done);
    } catch {
      // Tried again with whatever comes next.
      this.counters.writeFaults++;
    }
    // What the broker has already need not outlive a power cut.
    const isOwed = this.mark.done < this.next - 1;
    if (!this.isLimitDue && !(this.isSyncDue && isOwed) && !this.refused.has("sync")) return;
    this.isLimitDue = false;
    this.isSyncDue = false;
    files.sync().then(
      () => this.recover("sync"),
      (error: unknown) => this.fail("sync", error),
    );
  }

  private keepToDisk(): void {
    for (let gone = this.files!.dropOldest(); gone; gone = this.files!.dropOldest())
      this.tellLoss(gone.first, gone.last);
  }

  private keepToMemory(): void {
    if (this.unwritten.length <= MAX_IN_MEMORY) return;
    const { seq } = this.unwritten.shift()!;
    this.tellLoss(seq, seq);
  }

  private tellLoss(first: number, last: number): void {
    const count = last - Math.max(first - 1, this.mark.done);
    if (count > 0) this.options.lost(first, last, count);
  }

  /** It is tried again in a second. */
  private fail(what: "write" | "sync", error: unknown): void {
    this.counters.writeFaults++;
    // So that there is something to try it with.
    if (what === "write") this.isMarkDue = true;
    const wasWell = this.refused.size === 0;
    this.refused.add(what);
    this.arm();
    if (wasWell) this.options.onFault((error as Error).message);
  }

  private recover(what: "write" | "sync"): void {
    if (this.refused.delete(what) && this.refused.size === 0) this.options.onRecovery();
  }
}

/** Another after each start of the machine: what was written under the same one is still there, synced or not. */
function kernelBoot(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

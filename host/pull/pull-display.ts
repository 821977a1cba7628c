// A run of pull for the person who watches it: one line for each recording, and on a terminal one that is drawn over itself
// with how far it is. For programs the events themselves, one JSON line each.
import type { Output } from "../output.js";
import { firstColumns, safeText } from "../safe-text.js";
import type { PullEvent } from "./pull-events.js";

const BAR_CHARACTERS = 20;
const REDRAW_MS = 100;
/** The rate is that of the last seconds. */
const RATE_WINDOW_MS = 5000;
/** Carriage return, then erase to the end of the line (ECMA-48 EL). */
const ERASE = "\r\x1b[K";

export interface PullProgress {
  doneRecordings: number;
  recordings: number;
  doneBytes: number;
  bytes: number;
  bytesPerSecond: number;
}

export class PullDisplay {
  readonly #output: Output;
  readonly #now: () => number;
  readonly #isDrawn: boolean;
  #recordings = { done: 0, all: 0 };
  #bytes = { done: 0, all: 0 };
  /** Of recordings that are being fetched, by id. */
  readonly #coming = new Map<string, number>();
  #samples: { atMs: number; bytes: number }[] = [];
  #received = 0;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #isVisible = false;

  constructor(output: Output, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
    this.#isDrawn = output.stderr.isTTY === true && !output.isJson;
  }

  tell(event: PullEvent): void {
    this.#count(event);
    if (this.#output.isJson) {
      this.#output.json(event);
      return;
    }
    const line = lineOf(event);
    if (line !== undefined) {
      this.clear();
      if (line.isResult) this.#output.line(line.text);
      else this.#output.note(line.text);
    }
    if (event.event === "end" || event.event === "caught-up") this.clear();
    else this.#draw();
  }

  /** Bytes of a recording's audio that are there. */
  progress(id: string, bytes: number): void {
    const before = this.#coming.get(id);
    this.#coming.set(id, bytes);
    // What an earlier run left was not received now.
    if (before !== undefined) this.#received += Math.max(0, bytes - before);
    this.#draw();
  }

  clear(): void {
    if (this.#isVisible) this.#output.stderr.write(ERASE);
    this.#isVisible = false;
    this.#drawnMs = Number.NEGATIVE_INFINITY;
  }

  #count(event: PullEvent): void {
    if (event.event === "begin") this.#recordings.all += event.unfinished;
    if (event.event === "listed") {
      this.#recordings.all += event.recordings;
      this.#bytes.all += event.bytes;
    }
    if (event.event === "stored" || event.event === "found") this.#bytes.done += event.bytes;
    if (event.event === "stored" || event.event === "found" || event.event === "gone" || event.event === "fault") {
      this.#coming.delete(event.id);
      this.#recordings.done++;
    }
  }

  #draw(): void {
    const nowMs = this.#now();
    if (!this.#isDrawn || nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    this.#isVisible = true;
    const coming = [...this.#coming.values()].reduce((sum, bytes) => sum + bytes, 0);
    const doneBytes = this.#bytes.done + coming;
    const line = formatPull({
      doneRecordings: this.#recordings.done,
      recordings: Math.max(this.#recordings.all, this.#recordings.done),
      doneBytes,
      bytes: Math.max(this.#bytes.all, doneBytes),
      bytesPerSecond: this.#rate(nowMs),
    });
    // A line as wide as the terminal would wrap and could not be drawn over.
    const width = Math.max(0, (this.#output.stderr.columns ?? 80) - 1);
    this.#output.stderr.write(ERASE + firstColumns(safeText(line), width));
  }

  #rate(nowMs: number): number {
    this.#samples.push({ atMs: nowMs, bytes: this.#received });
    while (this.#samples.length > 2 && this.#samples[0]!.atMs < nowMs - RATE_WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0]!;
    return nowMs > first.atMs ? ((this.#received - first.bytes) * 1000) / (nowMs - first.atMs) : 0;
  }
}

/** "[#####...............]  12 of 48  3.1 of 12.0 MB  5.0 MB/s  0:02 left". */
export function formatPull(progress: PullProgress): string {
  const { doneRecordings, recordings, doneBytes, bytes, bytesPerSecond } = progress;
  const share = bytes > 0 ? doneBytes / bytes : recordings > 0 ? doneRecordings / recordings : 0;
  const filled = Math.floor(share * BAR_CHARACTERS);
  const bar = `[${"#".repeat(filled)}${".".repeat(BAR_CHARACTERS - filled)}]`;
  const left = bytesPerSecond > 0 && bytes > doneBytes ? `  ${clock((bytes - doneBytes) / bytesPerSecond)} left` : "";
  const amount = `${megabytes(doneBytes)} of ${megabytes(bytes)} MB`;
  return `${bar}  ${doneRecordings} of ${recordings}  ${amount}  ${megabytes(bytesPerSecond)} MB/s${left}`;
}

/** `isResult`: for stdout; else for the person only. Undefined: nothing is said of it. */
export function lineOf(event: PullEvent): { text: string; isResult: boolean } | undefined {
  const result = (text: string) => ({ text, isResult: true });
  const note = (text: string) => ({ text, isResult: false });
  switch (event.event) {
    case "stored":
      return result(`${event.file}  ${clock(event.durationMs / 1000)}  ${megabytes(event.bytes)} MB`);
    case "aside":
      return note(`${event.file} was not the recording: moved to ${event.to}`);
    case "kept":
      return note(`${event.id} stays on the box: ${event.detail}`);
    case "gone":
      return note(`${event.id} is no longer on the box: ${event.detail}`);
    case "fault":
      return note(`${event.id} NOT pulled: ${event.detail}`);
    case "stale":
      return note("the box has made its index anew: its listing is read again, what is here is passed over");
    case "outage":
      return note(`${event.detail}; waiting`);
    case "back":
      return note(`the box is there again after ${Math.round(event.outageMs / 1000)} s`);
    case "notice":
      return note(event.detail);
    case "end":
      return note(summaryOf(event));
    default:
      return undefined;
  }
}

function summaryOf(totals: Extract<PullEvent, { event: "end" }>): string {
  const { stored, found, bytes, acknowledged, deleted, kept, gone, faults } = totals;
  const parts: [number, string][] = [
    [found, "were here already"],
    [acknowledged, "acknowledged"],
    [deleted, "deleted on the box"],
    [kept, "kept by the box"],
    [gone, "gone from the box"],
    [faults, "NOT pulled"],
  ];
  const rest = parts.filter(([count]) => count > 0).map(([count, what]) => `, ${count} ${what}`);
  return `${stored} recordings pulled, ${megabytes(bytes)} MB${rest.join("")}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** "1:02:03" or "2:03". */
function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [minutes, rest] = [Math.floor(whole / 60), String(whole % 60).padStart(2, "0")];
  return minutes < 60
    ? `${minutes}:${rest}`
    : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

// How far a replay has come, on a terminal only: one line that is drawn over itself and leaves no trace. Has no timer:
// it is drawn when progress is reported.
import type { Clock } from "../base/clock.js";

/** Shorter replays need no bar. */
const QUIET_MS = 1000;
const REDRAW_MS = 100;
const BAR_CHARACTERS = 24;
const SPINNER = "|/-\\";
/** Carriage return, then erase to the end of the line (ECMA-48 EL). */
const ERASE = "\r\x1b[K";

/** process.stderr, as far as it is used. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class Progress {
  readonly #terminal: Terminal;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #startedMs: number;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #turn = 0;
  #isVisible = false;

  /** Time counts from here. */
  constructor(terminal: Terminal, clock: Pick<Clock, "monotonicMs">) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
  }

  /** `totalBytes` 0 = unknown. */
  update(readBytes: number, totalBytes: number): void {
    this.#draw((elapsedMs) => {
      const spinner = SPINNER[this.#turn++ % SPINNER.length]!;
      return formatProgress(readBytes, totalBytes, elapsedMs, spinner);
    });
  }

  /** `share` of a time that is over, 0 to 1. */
  pass(share: number): void {
    this.#draw((elapsedMs) => formatPassing(share, elapsedMs));
  }

  /** Takes the line away: before other output, and at the end. The next update draws it again. */
  clear(): void {
    if (!this.#isVisible) return;
    this.#isVisible = false;
    this.#drawnMs = Number.NEGATIVE_INFINITY;
    this.#terminal.write(ERASE);
  }

  #draw(line: (elapsedMs: number) => string): void {
    if (!this.#terminal.isTTY) return;
    const nowMs = this.#clock.monotonicMs();
    const elapsedMs = nowMs - this.#startedMs;
    if (elapsedMs < QUIET_MS || nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    this.#isVisible = true;
    // A line as wide as the terminal would wrap and could not be drawn over.
    this.#terminal.write(ERASE + line(elapsedMs).slice(0, Math.max(0, (this.#terminal.columns ?? 80) - 1)));
  }
}

/** "[######..................]  25%  0:45 left". */
export function formatPassing(share: number, elapsedMs: number): string {
  const left = share > 0 ? `  ${formatLeft((elapsedMs / share - elapsedMs) / 1000)} left` : "";
  return `${bar(share)}${left}`;
}

/** A line of any kind that says how far something is: drawn over itself on a terminal, a line of its own now and then elsewhere. */
export class ProgressLine {
  readonly #terminal: Terminal;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #startedMs: number;
  readonly #everyMs: number;
  #saidMs: number;
  #isVisible = false;

  /** `everyMs`: how often a line is written that cannot be drawn over. Time counts from here. */
  constructor(terminal: Terminal, clock: Pick<Clock, "monotonicMs">, everyMs: number) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
    this.#everyMs = terminal.isTTY ? REDRAW_MS : everyMs;
    this.#saidMs = terminal.isTTY ? Number.NEGATIVE_INFINITY : this.#startedMs;
  }

  update(text: (elapsedMs: number) => string): void {
    const nowMs = this.#clock.monotonicMs();
    const elapsedMs = nowMs - this.#startedMs;
    if (nowMs - this.#saidMs < this.#everyMs || (this.#terminal.isTTY && elapsedMs < QUIET_MS)) return;
    this.#saidMs = nowMs;
    if (!this.#terminal.isTTY) {
      this.#terminal.write(`${text(elapsedMs)}\n`);
      return;
    }
    this.#isVisible = true;
    this.#terminal.write(ERASE + text(elapsedMs).slice(0, Math.max(0, (this.#terminal.columns ?? 80) - 1)));
  }

  clear(): void {
    if (this.#isVisible) this.#terminal.write(ERASE);
    this.#isVisible = false;
  }
}

/** "[######..................]  25%  10.0 of 40.0 MB  5.0 MB/s  0:06 left"; without a total "/ 10.0 MB  5.0 MB/s". */
export function formatProgress(readBytes: number, totalBytes: number, elapsedMs: number, spinner: string): string {
  const bytesPerSecond = elapsedMs > 0 ? (readBytes * 1000) / elapsedMs : 0;
  const rate = `${megabytes(bytesPerSecond)} MB/s`;
  if (totalBytes <= 0) return `${spinner} ${megabytes(readBytes)} MB  ${rate}`;
  const share = Math.min(1, readBytes / totalBytes);
  const left = bytesPerSecond > 0 ? `  ${formatLeft(Math.max(0, totalBytes - readBytes) / bytesPerSecond)} left` : "";
  return `${bar(share)}  ${megabytes(readBytes)} of ${megabytes(totalBytes)} MB  ${rate}${left}`;
}

function bar(share: number): string {
  const filled = Math.floor(share * BAR_CHARACTERS);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `[${"#".repeat(filled)}${".".repeat(BAR_CHARACTERS - filled)}] ${percent}%`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function formatLeft(seconds: number): string {
  const whole = Math.ceil(seconds);
  const minutes = Math.floor(whole / 60);
  const rest = String(whole % 60).padStart(2, "0");
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

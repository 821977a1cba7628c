// How fast the disk fills, from its free space over the last week, and when it will be full at that rate. What was freed or put
// there at one blow is not load and is left out, and so is what happened while nobody looked. Pure: it is told readings, and keeps
// about a thousand of them.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** One point of the series every so often, and as many as make a week. */
const POINT_EVERY_MS = 10 * MINUTE_MS;
export const MAX_POINTS = (7 * DAY_MS) / POINT_EVERY_MS;
/** A shorter measurement says nothing. */
const LEAST_MS = HOUR_MS;
/** More than this part of the disk within a minute is no load. */
const JUMP_PART = 0.05;

/** A measurement to go on with: its points' ages when the last was taken, oldest first. */
export interface DiskSeries {
  totalBytes: number;
  points: { ageMs: number; freeBytes: number }[];
}

interface Point {
  atMs: number;
  freeBytes: number;
}

export class DiskForecast {
  /** Oldest first; free space as it would be without the jumps. */
  #points: Point[] = [];
  #last: Point | undefined;
  /** Added to what is read: the jumps so far. */
  #offset = 0;
  #totalBytes = 0;
  #pointsTaken = 0;
  /** Of an earlier run, until there is a reading to join it to. */
  #earlier: DiskSeries | undefined;

  constructor(earlier?: DiskSeries) {
    this.#earlier = earlier;
  }

  /** `atMs`: monotonic. */
  note(atMs: number, freeBytes: number, totalBytes: number): void {
    this.#goOn(atMs, freeBytes, totalBytes);
    const last = this.#last;
    if (last && atMs - last.atMs < MINUTE_MS) return;
    if (last && Math.abs(freeBytes - last.freeBytes) > totalBytes * JUMP_PART)
      this.#offset += last.freeBytes - freeBytes;
    this.#last = { atMs, freeBytes };
    const newest = this.#points.at(-1);
    if (newest && atMs - newest.atMs < POINT_EVERY_MS) return;
    this.#points.push({ atMs, freeBytes: freeBytes + this.#offset });
    if (this.#points.length > MAX_POINTS) this.#points.shift();
    this.#pointsTaken++;
  }

  /** Another number than before = the series has grown. */
  get pointsTaken(): number {
    return this.#pointsTaken;
  }

  /** For the next run. */
  get series(): DiskSeries {
    const newestMs = this.#points.at(-1)?.atMs ?? 0;
    const points = this.#points.map(({ atMs, freeBytes }) => ({ ageMs: newestMs - atMs, freeBytes }));
    return { totalBytes: this.#totalBytes, points };
  }

  /** As if the earlier run had ended now: what it was off for, and what was freed or used meanwhile, says nothing of the load. */
  #goOn(atMs: number, freeBytes: number, totalBytes: number): void {
    const { points = [], totalBytes: before } = this.#earlier ?? {};
    this.#earlier = undefined;
    this.#totalBytes = totalBytes;
    const newest = points.at(-1);
    // Another disk has another load.
    if (newest === undefined || before !== totalBytes) return;
    this.#points = points.map((point) => ({ atMs: atMs - point.ageMs, freeBytes: point.freeBytes }));
    this.#offset = newest.freeBytes - freeBytes;
    this.#last = { atMs, freeBytes };
  }

  /** How long it was measured. */
  get measuredMs(): number {
    const [oldest] = this.#points;
    return oldest === undefined ? 0 : this.#points.at(-1)!.atMs - oldest.atMs;
  }

  /** Bytes per day that the disk fills; below 0 when it empties, undefined while it was not measured long enough. */
  get bytesPerDay(): number | undefined {
    if (this.measuredMs < LEAST_MS) return undefined;
    return ((this.#points[0]!.freeBytes - this.#points.at(-1)!.freeBytes) / this.measuredMs) * DAY_MS;
  }

  /** Days until so many bytes are used up; undefined when that is not known, or never. */
  daysFor(bytes: number): number | undefined {
    const rate = this.bytesPerDay;
    if (rate === undefined || rate <= 0) return undefined;
    return Math.max(0, bytes) / rate;
  }
}

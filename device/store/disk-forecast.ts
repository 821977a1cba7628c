// How fast the disk fills, from its free space over the last week, and when it will be full at that rate. What was freed or put
// there at one blow is not load and is left out. Pure: it is told readings, and keeps about a thousand of them.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** One point of the series every so often, and as many as make a week. */
const POINT_EVERY_MS = 10 * MINUTE_MS;
const MAX_POINTS = (7 * DAY_MS) / POINT_EVERY_MS;
/** A shorter measurement says nothing. */
const LEAST_MS = HOUR_MS;
/** More than this part of the disk within a minute is no load. */
const JUMP_PART = 0.05;

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

  /** `atMs`: monotonic. */
  note(atMs: number, freeBytes: number, totalBytes: number): void {
    const last = this.#last;
    if (last && atMs - last.atMs < MINUTE_MS) return;
    if (last && Math.abs(freeBytes - last.freeBytes) > totalBytes * JUMP_PART)
      this.#offset += last.freeBytes - freeBytes;
    this.#last = { atMs, freeBytes };
    const newest = this.#points.at(-1);
    if (newest && atMs - newest.atMs < POINT_EVERY_MS) return;
    this.#points.push({ atMs, freeBytes: freeBytes + this.#offset });
    if (this.#points.length > MAX_POINTS) this.#points.shift();
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

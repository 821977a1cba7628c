// Finished calls that could not be stored and are tried again: the first in the queue is the scout; when it is stored all others are
// tried, when it is not the next attempt waits longer. Owns the order, the wait and the limits; knows nothing of storing.

/** Calls that wait at most; a further one stays in the journal for the next start. */
export const MAX_WAITING_CALLS = 5000;
/** First and longest wait between two attempts. */
export const RETRY_FIRST_MS = 2000;
export const RETRY_MAX_MS = 60_000;
/** Attempts at a call whose fault is not the disk's. */
const MAX_ATTEMPTS = 3;

interface Waiting {
  id: string;
  attempt(): Promise<Outcome>;
  failures: number;
  settle(isKept: boolean): void;
  result: Promise<boolean>;
}

/** `disk`: it may be another time; `fault`: it hardly will. */
export type Outcome = "kept" | "disk" | "fault";

export interface KeepQueueEdges {
  /** How many wait, after each change. */
  changed(waiting: number): void;
  /** One is given up: it stays in the journal for the next start. */
  gaveUp(id: string): void;
}

export class KeepQueue {
  private readonly edges: KeepQueueEdges;
  private waiting: Waiting[] = [];
  private timer: NodeJS.Timeout | undefined;
  private waitMs = RETRY_FIRST_MS;
  private isTrying = false;
  private isClosed = false;

  constructor(edges: KeepQueueEdges) {
    this.edges = edges;
  }

  get size(): number {
    return this.waiting.length;
  }

  /** What becomes of a call that waits already. */
  find(id: string): Promise<boolean> | undefined {
    return this.waiting.find((one) => one.id === id)?.result;
  }

  /** Fulfils with whether it was kept in the end: false when the queue is full or closed. */
  add(id: string, failures: number, attempt: () => Promise<Outcome>): Promise<boolean> {
    if (this.isClosed || this.waiting.length >= MAX_WAITING_CALLS || failures >= MAX_ATTEMPTS) {
      this.edges.gaveUp(id);
      return Promise.resolve(false);
    }
    let settle!: (isKept: boolean) => void;
    const result = new Promise<boolean>((resolve) => {
      settle = resolve;
    });
    this.waiting.push({ id, attempt, failures, settle, result });
    this.edges.changed(this.waiting.length);
    this.schedule();
    return result;
  }

  /** The disk takes writes again: no further wait. */
  nudge(): void {
    this.waitMs = RETRY_FIRST_MS;
    if (this.waiting.length > 0) void this.tryAll();
  }

  /** Nothing is tried from now on: what waits is given up. */
  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    // The one that is being tried settles itself.
    for (const one of this.waiting.splice(this.isTrying ? 1 : 0)) this.giveUp(one);
  }

  private schedule(): void {
    if (this.timer !== undefined || this.isTrying || this.isClosed || this.waiting.length === 0) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.tryAll();
    }, this.waitMs);
    this.waitMs = Math.min(this.waitMs * 2, RETRY_MAX_MS);
  }

  private async tryAll(): Promise<void> {
    if (this.isTrying) return;
    this.isTrying = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    // One after the other: a disk that has room again is short of it still.
    for (let left = this.waiting.length; left > 0 && !this.isClosed; left--) {
      const one = this.waiting[0]!;
      const outcome = await one.attempt();
      this.waiting.shift();
      if (outcome === "kept") {
        this.waitMs = RETRY_FIRST_MS;
        one.settle(true);
        continue;
      }
      this.putBack(one, outcome);
      if (outcome === "disk") break;
    }
    this.isTrying = false;
    this.edges.changed(this.waiting.length);
    this.schedule();
  }

  private putBack(one: Waiting, outcome: Outcome): void {
    if (outcome === "fault") one.failures++;
    if (this.isClosed || one.failures >= MAX_ATTEMPTS) this.giveUp(one);
    else this.waiting.push(one);
  }

  private giveUp(one: Waiting): void {
    this.edges.gaveUp(one.id);
    one.settle(false);
  }
}

// How fast one client's messages are taken: a burst at once, then at a steady rate; the rest waits in the client's own
// connection, which is not read on meanwhile. Knows monotonic milliseconds only.

export const MESSAGES_PER_S = 50;
export const BURST = 100;
const INTERVAL_MS = 1000 / MESSAGES_PER_S;

export class ClientPace {
  /** When a client that keeps to the rate would have sent all that was taken. */
  private dueMs = 0;

  /** The ms after which the message that has come is to be taken; 0 = at once. */
  take(nowMs: number): number {
    const waitMs = Math.max(0, this.dueMs - nowMs - (BURST - 1) * INTERVAL_MS);
    this.dueMs = Math.max(this.dueMs, nowMs) + INTERVAL_MS;
    return waitMs;
  }
}

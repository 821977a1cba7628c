// How fast one client's messages are taken: a burst at once, then at a steady rate and in their order; the rest waits, and the
// client's connection is not read on meanwhile, which is what bounds it.
import type { Clock } from "../../base/clock.js";

export const MESSAGES_PER_S = 50;
export const BURST = 100;
const INTERVAL_MS = 1000 / MESSAGES_PER_S;

export class ClientPace {
  private readonly clock: Clock;
  /** When a client that keeps to the rate would have sent all that was taken. */
  private dueMs = 0;
  private readonly waiting: ((isEnded: boolean) => void)[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Calls `go` once it is the message's turn; `isEnded`: the client has gone before. Returns whether it had to wait. */
  take(go: (isEnded: boolean) => void): boolean {
    if (this.waiting.length === 0 && this.spend()) {
      go(false);
      return false;
    }
    this.waiting.push(go);
    this.timer ??= setTimeout(() => this.run(), INTERVAL_MS).unref();
    return true;
  }

  end(): void {
    clearTimeout(this.timer);
    for (const go of this.waiting.splice(0)) go(true);
  }

  private run(): void {
    while (this.waiting.length > 0 && this.spend()) this.waiting.shift()!(false);
    this.timer = this.waiting.length === 0 ? undefined : setTimeout(() => this.run(), INTERVAL_MS).unref();
  }

  private spend(): boolean {
    const nowMs = this.clock.monotonicMs();
    if (this.dueMs - nowMs > (BURST - 1) * INTERVAL_MS) return false;
    this.dueMs = Math.max(this.dueMs, nowMs) + INTERVAL_MS;
    return true;
  }
}

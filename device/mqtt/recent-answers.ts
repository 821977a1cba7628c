// The answers to requests of the last minute that changed something, so that a second delivery of one gets the same answer
// and is not carried out again. Bounded: the oldest goes first.
import { createHash } from "node:crypto";
import type { Clock } from "../base/clock.js";
import type { IncomingMessage, ReplyAddress } from "./request.js";

export const REMEMBERED_MS = 60_000;
export const MAX_REMEMBERED = 128;

export class RecentAnswers {
  private readonly clock: Clock;
  /** In the order of coming. */
  private readonly entries = new Map<string, { atMs: number; text: Promise<string> }>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get size(): number {
    return this.entries.size;
  }

  find(key: string): Promise<string> | undefined {
    this.forget();
    return this.entries.get(key)?.text;
  }

  remember(key: string, text: Promise<string>): void {
    this.entries.delete(key);
    this.entries.set(key, { atMs: this.clock.monotonicMs(), text });
    this.forget();
  }

  private forget(): void {
    const oldestMs = this.clock.monotonicMs() - REMEMBERED_MS;
    for (const [key, { atMs }] of this.entries) {
      if (atMs > oldestMs && this.entries.size <= MAX_REMEMBERED) return;
      this.entries.delete(key);
    }
  }
}

/**
 * What makes two deliveries the same request: all that a requester gave, not the transaction alone, which two requesters
 * may both count from 1. undefined without a transaction: then nothing tells a second delivery from a second request.
 */
export function requestKey(message: IncomingMessage, reply: ReplyAddress): string | undefined {
  if (reply.transaction === undefined) return undefined;
  const { client = "", publisher = "", correlationData = "", responseTopic = "", topic, payload } = message;
  const head = JSON.stringify([topic, responseTopic, client, publisher]);
  return createHash("sha256").update(head).update(correlationData).update("\0").update(payload).digest("base64");
}

// The events that the broker is owed, in order: numbers them, hands them out once per connection, marks those that it may have
// had already. Holds the first few in memory; what is behind them, and what outlives the process, is queue-store.ts's.
import type { MqttEventKind } from "../contract/mqtt.js";
import type { OutgoingMessage } from "./outbox.js";
import type { QueuedEvent } from "./queue-lines.js";
import { QueueStore, type QueueStoreOptions } from "./queue-store.js";

/** Events that wait in memory, and are read from the disk at once. */
const MAX_WINDOW = 500;

interface Entry extends QueuedEvent {
  /** It may have been with the broker. */
  wasSent: boolean;
  isDone: boolean;
}

export interface EventQueueOptions extends Omit<QueueStoreOptions, "lost"> {
  topic(kind: MqttEventKind): string;
  /** So many events are gone that the broker has not had. */
  onLoss(count: number): void;
}

export class EventQueue {
  readonly counters = { dropped: 0, duplicates: 0 };
  private readonly options: EventQueueOptions;
  private readonly store: QueueStore;
  /** The first that are owed, in order: those on their way, and so many that wait. */
  private window: Entry[] = [];
  /** Of the next one to go out, in the window. */
  private cursor = 0;
  /** There may be more behind the window. */
  private hasMore = true;
  private nextSeq = 1;
  private done = 0;
  private sent = 0;
  private isOpen = false;

  constructor(options: EventQueueOptions) {
    this.options = options;
    this.store = new QueueStore({ ...options, lost: (first, last, count) => this.forget(first, last, count) });
  }

  /** Goes on where an earlier run has stopped. A second call does nothing. */
  open(): void {
    if (this.isOpen) return;
    this.isOpen = true;
    const { next, done, sent } = this.store.open();
    this.nextSeq = next;
    this.done = done;
    this.sent = sent;
  }

  /** `payload`: without its place in the queue; has a member at least. */
  add(kind: MqttEventKind, payload: object): void {
    this.open();
    const event = { seq: this.nextSeq++, kind, body: JSON.stringify(payload) };
    this.store.add(event);
    if (this.hasMore || this.window.length >= MAX_WINDOW) this.hasMore = true;
    else this.window.push({ ...event, wasSent: false, isDone: false });
  }

  /** The next to publish; undefined = none waits. */
  next(): OutgoingMessage | undefined {
    const entry = this.peek();
    if (!entry) return undefined;
    this.cursor++;
    this.sent = Math.max(this.sent, entry.seq);
    this.store.sending(entry.seq);
    const place = entry.wasSent ? `"seq":${entry.seq},"duplicate":true` : `"seq":${entry.seq}`;
    if (entry.wasSent) this.counters.duplicates++;
    entry.wasSent = true;
    return {
      topic: this.options.topic(entry.kind),
      payload: `{${place},${entry.body.slice(1)}`,
      isRetained: false,
      settled: () => this.settle(entry),
    };
  }

  /** The connection has ended: what was on its way is owed still. */
  again(): void {
    this.cursor = 0;
    if (this.isOpen) this.store.sentUpTo(this.sent);
  }

  /** Nothing waits to be handed out. */
  get isEmpty(): boolean {
    return this.peek() === undefined;
  }

  /** How many are owed, at most. */
  get waiting(): number {
    return this.nextSeq - 1 - this.done;
  }

  get faults(): { writeFaults: number; damagedLines: number } {
    return { writeFaults: this.store.counters.writeFaults, damagedLines: this.store.damagedLines };
  }

  /** What is owed stays on the disk. */
  async close(): Promise<void> {
    if (this.isOpen) await this.store.close(this.sent);
  }

  private peek(): Entry | undefined {
    // Acknowledged out of order, before the connection ended.
    while (this.window[this.cursor]?.isDone) this.cursor++;
    if (this.cursor >= this.window.length) this.refill();
    return this.window[this.cursor];
  }

  private refill(): void {
    if (!this.hasMore || !this.isOpen) return;
    const last = this.window.at(-1)?.seq ?? this.done;
    const events = this.store.read(last, MAX_WINDOW);
    this.hasMore = events.length === MAX_WINDOW;
    this.window.push(...events.map((event) => ({ ...event, wasSent: event.seq <= this.sent, isDone: false })));
    this.noteEnd();
  }

  /** The broker has it, or refuses it for good. */
  private settle(entry: Entry): void {
    if (entry.isDone) return;
    entry.isDone = true;
    while (this.window[0]?.isDone) {
      this.done = this.window.shift()!.seq;
      this.cursor = Math.max(0, this.cursor - 1);
    }
    this.noteEnd();
    this.store.settle(this.done);
  }

  /** Numbers that no event has any more are not owed. */
  private noteEnd(): void {
    if (this.window.length === 0 && !this.hasMore) this.done = this.nextSeq - 1;
  }

  /** Of what was handed out, what the broker has had after all is not counted. */
  private forget(first: number, last: number, count: number): void {
    let lost = count;
    const { cursor } = this;
    this.window = this.window.filter((entry, place) => {
      if (entry.seq < first || entry.seq > last) return true;
      if (entry.isDone) lost--;
      if (place < cursor) this.cursor--;
      entry.isDone = true;
      return false;
    });
    if (first <= this.done + 1) {
      this.done = Math.max(this.done, last);
      this.store.settle(this.done);
    }
    this.counters.dropped += lost;
    if (lost > 0) this.options.onLoss(lost);
  }
}

// What has happened, for whoever follows it over the API: the newest events, numbered from the start on, and who is told of them. Bounded
// in events and bytes; the oldest go. Every event is kept as two texts, with numbers and without.
import { randomBytes } from "node:crypto";
import { EVENT_SCHEMAS, type EventData, type EventKind } from "../contract/api-events.js";

export const MAX_EVENTS = 1000;
export const MAX_EVENT_BYTES = 512 * 1024;
/** Of one event; a longer one is left out, and counted. */
const MAX_ONE_EVENT_BYTES = 32 * 1024;

interface KnownEvent {
  number: number;
  /** As it goes over the wire. */
  full: string;
  masked: string;
}

export interface Follower {
  seesNumbers: boolean;
  take(text: string): void;
}

export class EventHub {
  readonly counters = { published: 0, forgotten: 0, tooLong: 0, invalid: 0 };
  /** Of this start: numbers of another one mean nothing. */
  readonly #start = randomBytes(6).toString("hex");
  readonly #followers = new Set<Follower>();
  readonly #known: KnownEvent[] = [];
  #bytes = 0;
  #newest = 0;

  /** `masked`: the same for who sees no numbers, where it differs. What the contract does not take is counted, and left out. */
  publish<Kind extends EventKind>(kind: Kind, data: EventData[Kind], masked: EventData[Kind] = data): void {
    const texts = [write(kind, data), masked === data ? undefined : write(kind, masked)];
    if (texts[0] === undefined || (masked !== data && texts[1] === undefined)) {
      this.counters.invalid++;
      return;
    }
    const number = ++this.#newest;
    const head = `id: ${this.#start}-${number}\nevent: ${kind}\n`;
    const full = `${head}data: ${texts[0]}\n\n`;
    const event = { number, full, masked: texts[1] === undefined ? full : `${head}data: ${texts[1]}\n\n` };
    if (sizeOf(event) > 2 * MAX_ONE_EVENT_BYTES) {
      this.counters.tooLong++;
      return;
    }
    this.counters.published++;
    this.#remember(event);
    for (const follower of this.#followers) follower.take(follower.seesNumbers ? event.full : event.masked);
  }

  /**
   * What happened after the event `last` (as its id was given), then everything as it happens. `last` undefined: nothing of before.
   * Returns the way to stop.
   */
  follow(follower: Follower, last: string | undefined): () => void {
    for (const text of this.since(last ?? `${this.#start}-${this.#newest}`, follower.seesNumbers)) follower.take(text);
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** What is remembered and happened after the event `last`; undefined: all. Begins with a `reset` where something may be missing. */
  since(last: string | undefined, seesNumbers: boolean): string[] {
    const texts = (after: number): string[] =>
      this.#known.filter(({ number }) => number > after).map(({ full, masked }) => (seesNumbers ? full : masked));
    if (last === undefined) return texts(0);
    const [start, number = ""] = last.split("-");
    const after = /^\d{1,15}$/.test(number) ? Number(number) : Number.NaN;
    if (start !== this.#start || !(after <= this.#newest)) return [this.#reset("restarted")];
    const oldest = this.#known[0]?.number ?? this.#newest + 1;
    return after + 1 < oldest ? [this.#reset("too-old")] : texts(after);
  }

  #reset(reason: EventData["reset"]["reason"]): string {
    return `id: ${this.#start}-${this.#newest}\nevent: reset\ndata: ${write("reset", { reason })}\n\n`;
  }

  #remember(event: KnownEvent): void {
    this.#known.push(event);
    this.#bytes += sizeOf(event);
    while (this.#known.length > MAX_EVENTS || this.#bytes > MAX_EVENT_BYTES) {
      this.#bytes -= sizeOf(this.#known.shift()!);
      this.counters.forgotten++;
    }
  }
}

/** What the contract does not list stays inside. */
function write<Kind extends EventKind>(kind: Kind, data: EventData[Kind]): string | undefined {
  const { success, data: listed } = EVENT_SCHEMAS[kind].safeParse(data);
  return success ? JSON.stringify(listed) : undefined;
}

/** Of its texts, characters of which take up to two bytes each. */
function sizeOf({ full, masked }: KnownEvent): number {
  return full.length + (masked === full ? 0 : masked.length);
}

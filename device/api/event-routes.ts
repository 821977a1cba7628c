// The stream of events: one connection each, which ends when the token is not good any more, when the other end does not read, and with
// the server. One timer for all of them.
import { Readable } from "node:stream";
import { type ApiParts, type ApiReply, type ApiRequest, type Handlers, seesNumbers } from "./handler.js";
import { tryLater } from "./problems.js";

export const MAX_STREAMS = 16;
/** Not yet read by the other end: all that is remembered, and as much again. */
export const MAX_BACKLOG_CHARACTERS = 1024 * 1024;
const HEARTBEAT_MS = 15_000;
const TOKEN_LOOK_MS = 1000;
/** When a client is to come again after it has lost the connection. */
const RETRY_MS = 3000;
/** Proxies are asked not to hold it back; nothing comes after it on its connection. */
const HEADERS = { "content-type": "text/event-stream", "x-accel-buffering": "no", connection: "close" };

interface Stream {
  readable: Readable;
  tokenId: string;
  stop(): void;
}

export class EventRoutes {
  readonly #parts: ApiParts;
  readonly #heartbeatMs: number;
  readonly #streams = new Set<Stream>();
  readonly #counters = { streams: 0, refused: 0, slow: 0, tokenEnded: 0 };
  #timer: NodeJS.Timeout | undefined;
  #beatAtMs = 0;

  constructor(parts: ApiParts, heartbeatMs = HEARTBEAT_MS) {
    this.#parts = parts;
    this.#heartbeatMs = heartbeatMs;
  }

  handlers(): Handlers<"streamEvents"> {
    return { streamEvents: (request) => this.#open(request) };
  }

  counters(): Record<string, number> {
    const { streams, refused, slow, tokenEnded } = this.#counters;
    const { published, forgotten, tooLong, invalid } = this.#parts.events.counters;
    return {
      "api.event-streams": this.#streams.size,
      "api.event-streams-opened": streams,
      "api.event-streams-refused": refused,
      "api.event-streams-slow": slow,
      "api.event-streams-token-ended": tokenEnded,
      "api.events": published,
      "api.events-forgotten": forgotten,
      "api.events-too-long": tooLong,
      "api.events-invalid": invalid,
    };
  }

  /** Ends them all. */
  close(): void {
    for (const stream of this.#streams) stream.readable.push(null);
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #open({ token, query, headers, method, signal }: ApiRequest<"streamEvents">): ApiReply {
    if (method === "HEAD") return { raw: null, status: 200, headers: HEADERS };
    const last = headers["last-event-id"];
    const from = typeof last === "string" && last !== "" ? last : undefined;
    const isSeen = seesNumbers(token);
    if (!query.follow) {
      const text = this.#parts.events.since(from, isSeen).join("");
      return { raw: Buffer.from(text, "utf8"), status: 200, headers: HEADERS };
    }
    if (this.#streams.size >= MAX_STREAMS) {
      this.#counters.refused++;
      return { problem: tryLater("too-many-streams", RETRY_MS) };
    }
    this.#counters.streams++;
    const readable = new Readable({ read: () => {} });
    readable.push(`retry: ${RETRY_MS}\n\n`);
    const take = (text: string): void => this.#take(stream, text);
    const stream: Stream = { readable, tokenId: token.id, stop: () => {} };
    this.#streams.add(stream);
    stream.stop = this.#parts.events.follow({ seesNumbers: isSeen, take }, from);
    readable.once("close", () => this.#forget(stream));
    signal.addEventListener("abort", () => readable.destroy(), { once: true });
    this.#startTimer();
    return { raw: readable, status: 200, headers: HEADERS };
  }

  #take({ readable, stop }: Stream, text: string): void {
    if (readable.readableEnded || readable.destroyed) return;
    readable.push(text);
    if (readable.readableLength <= MAX_BACKLOG_CHARACTERS) return;
    this.#counters.slow++;
    stop();
    readable.destroy();
  }

  #forget(stream: Stream): void {
    stream.stop();
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #startTimer(): void {
    if (this.#timer !== undefined) return;
    this.#beatAtMs = this.#parts.clock.monotonicMs();
    this.#timer = setInterval(() => this.#look(), Math.min(TOKEN_LOOK_MS, this.#heartbeatMs));
    this.#timer.unref();
  }

  #look(): void {
    for (const stream of this.#streams) {
      if (this.#parts.isGoodToken(stream.tokenId)) continue;
      this.#counters.tokenEnded++;
      stream.stop();
      stream.readable.push(null);
    }
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#beatAtMs < this.#heartbeatMs) return;
    this.#beatAtMs = nowMs;
    // A comment; whoever does not read it is found out by what waits for him.
    for (const stream of this.#streams) this.#take(stream, ":\n\n");
  }
}

// When to look for new recordings, for --follow: at what the box says of itself (server-sent events), where it does and the token
// may see it, and at any rate after a while.
import { EventStreamParser } from "../event-stream.js";
import { isPassing, type Link, type LinkAnswer, piecesOf } from "./box.js";
import { waitFor } from "./wait.js";

/** Calls that end together are one look. */
const GATHER_MS = 300;
const AGAIN_MS = { least: 1000, most: 60_000 };
/** Kinds of events: a recording was published; events were missed. */
const TELLING: ReadonlySet<string> = new Set(["recording", "reset"]);

export interface ArrivalsOptions {
  link: Link;
  /** Longest time between two looks. */
  intervalMs: number;
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  #hasCome = false;
  #wake: () => void = () => {};

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /** Listens until the signal, or until the box says that there is nothing to listen to. Never throws. */
  async listen(signal: AbortSignal): Promise<void> {
    const { link } = this.#options;
    let againMs = AGAIN_MS.least;
    while (!signal.aborted) {
      try {
        const request = { method: "GET", path: "/events", headers: { accept: "text/event-stream" } } as const;
        const answer = await link.send(request, signal);
        if (answer.status !== 200) {
          answer.body.destroy();
          if (answer.status < 500 && answer.status !== 429) return;
        } else {
          againMs = AGAIN_MS.least;
          await this.#read(answer);
        }
      } catch (error) {
        if (!isPassing(error) && !signal.aborted) return;
      }
      await waitFor(againMs, signal);
      againMs = Math.min(AGAIN_MS.most, againMs * 2);
    }
  }

  /** Resolves when there may be more than at its last call, and at the latest after the interval. */
  async next(signal: AbortSignal): Promise<void> {
    const { intervalMs } = this.#options;
    if (!this.#hasCome) {
      const woken = new AbortController();
      const wake = (): void => woken.abort();
      this.#wake = wake;
      signal.addEventListener("abort", wake, { once: true });
      if (signal.aborted) wake();
      await waitFor(intervalMs, woken.signal);
      signal.removeEventListener("abort", wake);
      this.#wake = () => {};
    }
    if (this.#hasCome) await waitFor(Math.min(GATHER_MS, intervalMs), signal);
    this.#hasCome = false;
  }

  async #read({ body }: LinkAnswer): Promise<void> {
    // What came while nobody listened.
    this.#come();
    const parser = new EventStreamParser();
    for await (const piece of piecesOf(body))
      if (parser.push(piece).some(({ event }) => TELLING.has(event))) this.#come();
  }

  #come(): void {
    this.#hasCome = true;
    this.#wake();
  }
}

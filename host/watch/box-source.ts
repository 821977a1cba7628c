// A box as its own API shows it, for who has no way to its broker: its server-sent events as they come; calls, alarms and health
// asked for now and then, and when an event says that something has changed.
import { setTimeout as sleep } from "node:timers/promises";
import { fetchInfo } from "../box-info.js";
import type { BoxClient } from "../client.js";
import { HostError } from "../errors.js";
import { EventStreamParser, type ServerEvent } from "../event-stream.js";
import type { WatchListener } from "./message.js";

const CALLS_EVERY_MS = 2000;
/** In rounds of asking for calls. */
const OTHERS_EVERY = 5;
const BACK_AFTER_MS = 2000;
/** Of an event stream: the box sends a sign of life more often. */
const EVENTS_LIMIT_MS = 30_000;

export interface BoxWatch {
  client: BoxClient;
  listener: WatchListener;
  /** How often calls are asked for. */
  callsEveryMs?: number;
}

/** Until `signal` is aborted. Throws HostError when the box cannot be reached, or refuses, at the first attempt. */
export async function watchBox(
  { client, listener, callsEveryMs = CALLS_EVERY_MS }: BoxWatch,
  signal: AbortSignal,
): Promise<void> {
  const { device, version } = await fetchInfo(client, signal);
  const poll = new Poll(client, listener, device || client.url.host);
  listener.connected();
  poll.tell("info", { device, version });
  poll.tell("state", { state: "online" });
  await poll.round(signal);
  await untilStopped(signal, [forEver(poll, listener, callsEveryMs, signal), followEvents(client, poll, signal)]);
}

/** The first fault that waiting does not mend ends both. */
async function untilStopped(signal: AbortSignal, loops: Promise<void>[]): Promise<void> {
  try {
    await Promise.all(loops);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function forEver(poll: Poll, listener: WatchListener, everyMs: number, signal: AbortSignal): Promise<void> {
  for (let isLost = false; !signal.aborted; ) {
    await sleep(everyMs, undefined, { signal });
    try {
      await poll.round(signal);
      if (isLost) listener.connected();
      if (isLost) poll.tellAll();
      isLost = false;
    } catch (error) {
      if (!(error instanceof HostError) || error.code !== "network") throw error;
      isLost = true;
      listener.lost(`${error.message}; trying to come back`);
    }
  }
}

/** A box of a version without events is watched by asking alone. */
async function followEvents(client: BoxClient, poll: Poll, signal: AbortSignal): Promise<void> {
  for (let lastId = ""; !signal.aborted; await sleep(BACK_AFTER_MS, undefined, { signal })) {
    const parser = new EventStreamParser();
    try {
      const response = await client.open("/events", {
        signal,
        answerLimitMs: EVENTS_LIMIT_MS,
        headers: { accept: "text/event-stream", ...(lastId !== "" && { "last-event-id": lastId }) },
      });
      for await (const piece of response)
        for (const event of parser.push(piece as Buffer)) {
          lastId = event.id;
          poll.tellEvent(event);
        }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof HostError && (error.problem === "not-found" || error.problem === "right-missing")) return;
      if (error instanceof HostError && error.code !== "network" && error.code !== "bad-answer") throw error;
    }
  }
}

/** Asks, and tells what is another one than before. */
class Poll {
  readonly #client: BoxClient;
  readonly #listener: WatchListener;
  readonly #device: string;
  readonly #told = new Map<string, { text: string; payload: unknown }>();
  #rounds = 0;

  constructor(client: BoxClient, listener: WatchListener, device: string) {
    this.#client = client;
    this.#listener = listener;
    this.#device = device;
  }

  async round(signal: AbortSignal): Promise<void> {
    this.tell("calls/active", await this.#client.json<unknown>("GET", "/calls/active", { signal }));
    if (this.#rounds++ % OTHERS_EVERY !== 0) return;
    const [health, alarms, span] = [
      await this.#ask("/box", signal),
      await this.#ask("/alarms", signal),
      await this.#ask("/span", signal),
    ];
    if (health !== undefined) this.tell("health", health);
    if (span !== undefined) this.tell("span", { state: (span as { state?: unknown } | null)?.state });
    if (alarms !== undefined) this.#tellAlarms(alarms);
  }

  tell(topic: string, payload: unknown): void {
    const text = JSON.stringify(payload) ?? "";
    if (this.#told.get(topic)?.text === text) return;
    if (payload === undefined) this.#told.delete(topic);
    else this.#told.set(topic, { text, payload });
    this.#listener.message({ device: this.#device, topic, payload, isRetained: false });
  }

  tellAll(): void {
    for (const [topic, { payload }] of this.#told)
      this.#listener.message({ device: this.#device, topic, payload, isRetained: true });
  }

  tellEvent({ event, data }: ServerEvent): void {
    let payload: unknown;
    try {
      payload = JSON.parse(data);
    } catch {
      payload = data;
    }
    this.#listener.message({ device: this.#device, topic: `event/${event}`, payload, isRetained: false });
  }

  #tellAlarms(answer: unknown): void {
    const { standing } = (answer ?? {}) as { standing?: unknown };
    if (!Array.isArray(standing)) return;
    const alarms = (standing as { code?: unknown }[]).filter((alarm) => typeof alarm?.code === "string");
    const topics = new Set(alarms.map(({ code }) => `alarm/${code}`));
    for (const alarm of alarms) this.tell(`alarm/${alarm.code}`, alarm);
    for (const topic of [...this.#told.keys()])
      if (topic.startsWith("alarm/") && !topics.has(topic)) this.tell(topic, undefined);
  }

  /** Undefined when the box has no such answer, or not for this token. */
  async #ask(path: string, signal: AbortSignal): Promise<unknown> {
    try {
      return await this.#client.json<unknown>("GET", path, { signal });
    } catch (error) {
      const passes = ["not-found", "unavailable", "right-missing"];
      if (error instanceof HostError && error.problem !== undefined && passes.includes(error.problem)) return undefined;
      throw error;
    }
  }
}

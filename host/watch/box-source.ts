// A box as its own API shows it, for who has no way to its broker: its server-sent events as they come; calls, alarms and health
// asked for now and then, and when an event says that something has changed.
import { setTimeout as sleep } from "node:timers/promises";
import { askIfTold } from "../answers.js";
import { fetchInfo } from "../box-info.js";
import type { BoxClient } from "../client.js";
import { HostError } from "../errors.js";
import { EventStreamParser, type ServerEvent } from "../event-stream.js";
import type { WatchListener } from "./message.js";

const CALLS_EVERY_MS = 2000;
/** While events come that say when to ask. */
const SLOWER_WITH_EVENTS = 5;
/** What comes together is asked for once. */
const NUDGED_AFTER_MS = 150;
/** In rounds of asking for calls. */
const OTHERS_EVERY = 5;
const BACK_AFTER_MS = 2000;
/** The box is of a version without events, or has none for this token or at the moment: it is watched by asking alone. */
const WITHOUT_EVENTS: readonly (string | undefined)[] = ["not-found", "right-missing", "too-many-streams"];

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
  // The first fault that waiting does not mend ends both.
  const end = new AbortController();
  const both = AbortSignal.any([signal, end.signal]);
  try {
    await Promise.all([forEver(poll, listener, callsEveryMs, both), followEvents(client, poll, both)]);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    end.abort();
  }
}

async function forEver(poll: Poll, listener: WatchListener, everyMs: number, signal: AbortSignal): Promise<void> {
  for (let isLost = false; !signal.aborted; ) {
    await poll.pause(everyMs, signal);
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

async function followEvents(client: BoxClient, poll: Poll, signal: AbortSignal): Promise<void> {
  for (let lastId = ""; !signal.aborted; await sleep(BACK_AFTER_MS, undefined, { signal })) {
    const parser = new EventStreamParser();
    const headers = { accept: "text/event-stream", ...(lastId !== "" && { "last-event-id": lastId }) };
    try {
      const response = await client.open("/events", { signal, headers });
      poll.hasEvents = true;
      for await (const piece of response)
        for (const event of parser.push(piece as Buffer)) {
          lastId = event.id;
          poll.tellEvent(event);
        }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof HostError && WITHOUT_EVENTS.includes(error.problem)) return;
      if (error instanceof HostError && ["unauthorised", "untrusted"].includes(error.code)) throw error;
    } finally {
      poll.hasEvents = false;
    }
  }
}

/** Asks, and tells what is another one than before. */
class Poll {
  readonly #client: BoxClient;
  readonly #listener: WatchListener;
  readonly #device: string;
  readonly #told = new Map<string, { text: string; payload: unknown }>();
  /** They say when something has changed. */
  hasEvents = false;
  #rounds = 0;
  #nudge: (() => void) | undefined;

  constructor(client: BoxClient, listener: WatchListener, device: string) {
    this.#client = client;
    this.#listener = listener;
    this.#device = device;
  }

  async round(signal: AbortSignal): Promise<void> {
    this.tell("calls/active", await this.#client.json<unknown>("GET", "/calls/active", { signal }));
    if (this.#rounds++ % OTHERS_EVERY !== 0) return;
    const [health, alarms, span] = [
      await askIfTold(this.#client, "/box", signal),
      await askIfTold(this.#client, "/alarms", signal),
      await askIfTold(this.#client, "/span", signal),
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

  /** Until it is time to ask again, or an event says so. */
  async pause(everyMs: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const longestMs = this.hasEvents ? everyMs * SLOWER_WITH_EVENTS : everyMs;
    this.#nudge = () => {
      setTimeout(() => over.abort(), NUDGED_AFTER_MS);
      this.#nudge = undefined;
    };
    await sleep(longestMs, undefined, { signal: AbortSignal.any([signal, over.signal]) }).catch((error: unknown) => {
      if (signal.aborted) throw error;
    });
    this.#nudge = undefined;
  }

  tellEvent({ event, data }: ServerEvent): void {
    let payload: unknown;
    try {
      payload = JSON.parse(data);
    } catch {
      payload = data;
    }
    const { code } = (payload ?? {}) as { code?: unknown };
    if (event === "health") {
      this.tell("health", payload);
      return;
    }
    if (event.startsWith("alarm-") && typeof code === "string")
      this.tell(`alarm/${code}`, event === "alarm-cleared" ? undefined : payload);
    else this.#nudge?.();
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
}

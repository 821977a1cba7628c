// The stream of events as real clients see it: everything once and in order, also over a lost connection; nothing that the token may not
// see; an end when the token is over, when nobody reads, and with the server.
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EventHub, MAX_EVENT_BYTES, MAX_EVENTS } from "../../../device/api/event-hub.js";
import { MAX_STREAMS } from "../../../device/api/event-routes.js";
import { isoUs } from "../../../device/base/clock.js";
import type { CallId, TimeUs } from "../../../device/base/ids.js";
import type { EventKind } from "../../../device/contract/api-events.js";
import { EventFeed } from "../../../device/event-feed.js";
import { ApiBench, CALL_ID, STORED, STORED_ID } from "./api-kit.js";

interface Received {
  id: string;
  event: string;
  data: Record<string, unknown>;
}

let bench: ApiBench;
let hub: EventHub;
let address: string;
let stops: AbortController[];
beforeEach(() => start());
afterEach(async () => {
  for (const stop of stops) stop.abort();
  // Instead of a cut connection fetch opens another one in advance, which would be waited for.
  bench.server.listener.destroyConnections();
  await bench.close();
});

async function start(options: ConstructorParameters<typeof ApiBench>[0] = {}): Promise<void> {
  hub = new EventHub();
  stops = [];
  bench = new ApiBench({ events: hub, ...options });
  address = await bench.server.app.listen({ port: 0, host: "127.0.0.1" });
}

async function again(options: ConstructorParameters<typeof ApiBench>[0]): Promise<void> {
  await bench.close();
  await start(options);
}

/** What a stream has brought so far. */
class Client {
  text = "";
  isOver = false;
  readonly stop = new AbortController();

  async open(secret: string, last?: string): Promise<this> {
    stops.push(this.stop);
    const headers = { authorization: `Bearer ${secret}`, ...(last !== undefined && { "last-event-id": last }) };
    const response = await fetch(`${address}/api/v1/events`, { headers, signal: this.stop.signal });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    void this.#read(response);
    await this.until(() => this.text.includes("retry: 3000"));
    return this;
  }

  get events(): Received[] {
    return eventsIn(this.text);
  }

  async until(isDone: () => boolean, forMs = 5000): Promise<void> {
    const endMs = performance.now() + forMs;
    while (!isDone()) {
      if (performance.now() > endMs) throw new Error(`not in time; so far: ${this.text.slice(-500)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async #read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body!) this.text += decoder.decode(chunk, { stream: true });
    } catch {
      // Cut off.
    }
    this.isOver = true;
  }
}

function eventsIn(text: string): Received[] {
  return text
    .split("\n\n")
    .map((block) => /^id: (\S+)\nevent: (\S+)\ndata: (.+)$/.exec(block))
    .flatMap((found) => (found ? [{ id: found[1]!, event: found[2]!, data: JSON.parse(found[3]!) }] : []));
}

const begin = (n: number): void =>
  hub.publish("call-started", { call: CALL_ID, at: isoUs((1_795_000_000_000_000 + n) as TimeUs) });
const times = (events: Received[]): unknown[] => events.map(({ data }) => data["at"]);

describe("a stream", () => {
  it("brings what happens from then on, in order, each with an id", async () => {
    begin(0);
    const client = await new Client().open(bench.token("t", "see"));
    for (let n = 1; n <= 50; n++) begin(n);
    await client.until(() => client.events.length === 50);
    const expected = Array.from({ length: 50 }, (_, at) => isoUs((1_795_000_000_000_001 + at) as TimeUs));
    expect(times(client.events)).toEqual(expected);
    const [start] = client.events[0]!.id.split("-");
    expect(client.events.map(({ id }) => id)).toEqual(expected.map((_, at) => `${start}-${at + 2}`));
  });

  it("goes on behind Last-Event-ID: nothing missed, nothing doubled, however often it is cut", async () => {
    const secret = bench.token("t", "see");
    let [published, last] = [0, "none"];
    const seen: unknown[] = [];
    for (let round = 0; round < 5; round++) {
      const client = await new Client().open(secret, round === 0 ? undefined : last);
      for (let i = 0; i < 7; i++) begin(published++);
      await client.until(() => client.events.length > 3);
      client.stop.abort();
      const got = client.events.slice(0, 4 + round);
      last = got.at(-1)!.id;
      seen.push(...times(got));
      begin(published++);
    }
    const rest = await new Client().open(secret, last);
    await rest.until(() => seen.length + rest.events.length === published);
    seen.push(...times(rest.events));
    expect(seen).toEqual(Array.from({ length: published }, (_, n) => isoUs((1_795_000_000_000_000 + n) as TimeUs)));
  });

  it("says reset where it cannot: of another start, too old, nonsense", async () => {
    const secret = bench.token("t", "see");
    begin(0);
    const [{ id }] = eventsIn(hub.since(undefined, true).join("")) as [Received];
    const start = id.split("-")[0];
    for (const last of ["0123456789ab-5", "x", "-", `${start}-7`, `${start}-x`, "a".repeat(300)]) {
      const client = await new Client().open(secret, last);
      expect(client.events).toMatchObject([{ id, event: "reset", data: { reason: "restarted" } }]);
    }
    for (let n = 0; n <= MAX_EVENTS; n++) begin(n);
    const late = await new Client().open(secret, id);
    expect(late.events).toMatchObject([{ id: `${start}-${MAX_EVENTS + 2}`, data: { reason: "too-old" } }]);
  });

  it("is alive without events, beyond the time that connections have", async () => {
    await again({ config: { requestTimeoutMs: 100 }, deskTimeoutMs: 200, heartbeatMs: 60 });
    const client = await new Client().open(bench.token("t", "see"));
    bench.clock.ms += 60;
    await client.until(() => client.text.includes(":\n\n"));
    await new Promise((resolve) => setTimeout(resolve, 2200));
    begin(1);
    await client.until(() => client.events.length === 1);
    expect(client.isOver).toBe(false);
  });

  it("ends when its token is revoked or expires, and not before", async () => {
    const tokens = [
      bench.tokens.create({ name: "a", rights: ["see"] }),
      bench.tokens.create({ name: "b", rights: ["see"], days: 1 }),
    ];
    const [revoked, expiring] = await Promise.all(tokens.map(({ secret }) => new Client().open(secret)));
    bench.tokens.revoke(tokens[0]!.token.id);
    bench.clock.ms += 1500;
    await revoked!.until(() => revoked!.isOver);
    expect(expiring!.isOver).toBe(false);
    bench.clock.ms += 86_400_000;
    await expiring!.until(() => expiring!.isOver);
    expect(bench.server.counters()).toMatchObject({ "api.event-streams": 0, "api.event-streams-token-ended": 2 });
  });

  it("of who does not read is cut, and others go on", async () => {
    const secret = bench.token("t", "see");
    const reader = await new Client().open(secret);
    const { port } = new URL(address);
    const deaf = connect(Number(port), "127.0.0.1");
    deaf.on("error", () => {});
    deaf.write(`GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\n\r\n`);
    await reader.until(() => bench.server.counters()["api.event-streams"] === 2);
    deaf.pause();
    const reason = "x".repeat(8000);
    for (let n = 0; n < 3000 && bench.server.counters()["api.event-streams-slow"] === 0; n++) {
      hub.publish("pause", { at: "", call: CALL_ID, source: "api", by: "", state: "paused", reason });
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(bench.server.counters()["api.event-streams-slow"]).toBe(1);
    begin(1);
    await reader.until(() => reader.text.includes("call-started"));
    deaf.destroy();
  });

  it("is one of sixteen; a further one is told to come again", async () => {
    const secret = bench.token("t", "see");
    const clients = await Promise.all(Array.from({ length: MAX_STREAMS }, () => new Client().open(secret)));
    const refused = await bench.ask("GET", "/api/v1/events", secret);
    expect([refused.status, refused.body.code, refused.headers["retry-after"]]).toEqual([503, "too-many-streams", "3"]);
    clients[0]!.stop.abort();
    await clients[1]!.until(() => bench.server.counters()["api.event-streams"] === MAX_STREAMS - 1);
    await new Client().open(secret);
  });

  it("ends with the server, at once", async () => {
    const client = await new Client().open(bench.token("t", "see"));
    const startedAt = performance.now();
    await bench.server.app.close();
    await client.until(() => client.isOver);
    expect(performance.now() - startedAt).toBeLessThan(1000);
    await again({});
  });

  it("of what is remembered ends by itself, and a HEAD has none", async () => {
    const secret = bench.token("t", "see");
    for (let n = 0; n < 3; n++) begin(n);
    const all = eventsIn((await bench.ask("GET", "/api/v1/events?follow=false", secret)).text);
    expect(all).toHaveLength(3);
    const headers = { "last-event-id": all[1]!.id };
    const rest = await bench.ask("GET", "/api/v1/events?follow=false", secret, undefined, headers);
    expect(eventsIn(rest.text)).toEqual([all[2]]);
    expect((await bench.ask("HEAD", "/api/v1/events", secret)).status).toBe(200);
    expect(bench.server.counters()["api.event-streams-opened"]).toBe(0);
  });
});

describe("what is told", () => {
  it("is what the box's parts say, with numbers for those only who see them", async () => {
    const feed = new EventFeed();
    await again({ stored: STORED, events: feed.hub });
    const [full, masked] = await Promise.all(
      (["listen", "command"] as const).map((right) => new Client().open(bench.token(right, "see", right))),
    );
    const call = CALL_ID as CallId;
    const atUs = 1_795_000_000_000_000 as TimeUs;
    feed.progressed({ kind: "started", call, atUs });
    feed.progressed({ kind: "answered", call, atUs });
    feed.audited({
      kind: "paused",
      call,
      atUs,
      source: "api",
      by: "token 0301234567",
      reason: "call 030 1234567 back",
    });
    feed.audited({ kind: "policy", call, atUs, source: "rule", by: "", policy: "agent-only", rule: "", purpose: "" });
    feed.kept(STORED_ID, bench.store!);
    feed.kept(call, bench.store!);
    feed.alarms.raised!(
      {
        ...{ code: "no-agents", severity: "warning", title: "t", remedy: "r", since: "", count: 1, detail: {} },
        acknowledged: { at: "", by: "token 0301234567" },
      },
      true,
    );
    await full!.until(() => full!.events.length === 6 && masked!.events.length === 6);
    const kinds: EventKind[] = ["call-started", "call-answered", "pause", "call", "recording", "alarm-raised"];
    for (const { events } of [full!, masked!]) expect(events.map(({ event }) => event)).toEqual(kinds);
    const listed = (secret: string) => bench.ask("GET", `/api/v1/recordings/${STORED_ID}`, secret);
    expect(full!.events[4]!.data).toEqual((await listed(bench.token("x", "see", "listen"))).body);
    expect(masked!.events[4]!.data).toEqual((await listed(bench.token("y", "see"))).body);
    expect(masked!.text).not.toMatch(/0301234567|030 1234567/);
    expect(masked!.events.map(({ id }) => id)).toEqual(full!.events.map(({ id }) => id));
  });

  it("is bounded: in events, in bytes, and each of them", () => {
    const reason = "x".repeat(10_000);
    const pause = (text: string) =>
      hub.publish("pause", { at: "", call: CALL_ID, source: "api", by: "", state: "paused", reason: text });
    for (let n = 0; n < 100; n++) pause(reason);
    const held = hub.since(undefined, true);
    expect(held.join("").length).toBeLessThanOrEqual(MAX_EVENT_BYTES);
    expect(held.length).toBeGreaterThan(40);
    pause("x".repeat(100_000));
    expect(hub.counters).toMatchObject({ published: 100, tooLong: 1, forgotten: 100 - held.length });
    hub.publish("call-started", { call: "no id", at: "" } as never);
    expect(hub.counters.invalid).toBe(1);
  });
});

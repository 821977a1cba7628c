// The box's own broker over real sockets, with the MQTT library as its clients and bytes of no library at all: who may do
// what, what is kept, what a client that floods, sleeps or lies does to the others.
import { connect as connectSocket } from "node:net";
import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../../device/base/clock.js";
import type { LogFields } from "../../../../device/base/logger.js";
import { configSchema } from "../../../../device/contract/config.js";
import { MAX_SUBSCRIPTIONS, OwnBroker } from "../../../../device/mqtt/broker/own-broker.js";
import type { IncomingMessage } from "../../../../device/mqtt/request.js";
import { freePort } from "../../../fakes/mosquitto.js";
import { waitUntil } from "../../../fakes/office-program.js";
import { makeRandom } from "../../../fakes/random.js";

const users = [
  { name: "desk", password: "desk's", rights: "command" },
  { name: "wall", password: "wall's", rights: "read" },
];
const desk = { username: "desk", password: "desk's" };
const wall = { username: "wall", password: "wall's" };

let running: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const part of running) await part.stop();
  running = [];
});

async function start(settings: object, slowestMs?: number) {
  const lines: string[] = [];
  const say = (message: string, fields: LogFields = {}) => lines.push(`${message} ${JSON.stringify(fields)}`);
  const requests: IncomingMessage[] = [];
  const broker = new OwnBroker({
    config: configSchema.parse({ mqtt: { broker: { port: 0, ...settings } } }).mqtt,
    requests: ["sidetone/box/request/+"],
    notes: ["homeassistant/status"],
    logger: { debug: () => {}, info: say, warn: say, error: say },
    clock: systemClock,
    listener: { connected: () => {}, disconnected: () => {}, message: (message) => requests.push(message) },
    ...(slowestMs !== undefined && { slowestMs }),
  });
  await broker.open();
  running.push({ stop: () => broker.close() });
  const [, url = "", webSocketUrl = ""] = /"address":"(\S+?)(?: (\S+))?"/.exec(lines[0]!) ?? [];
  const publish = (topic: string, payload: string, isRetained = false) =>
    new Promise<boolean>((resolve) => broker.publish({ topic, payload, isRetained }, resolve));
  const client = async (options: IClientOptions = {}, at = url) => {
    const own = new Client(at, options);
    running.unshift(own);
    await own.settled;
    return own;
  };
  return { broker, lines, requests, publish, client, url, webSocketUrl };
}

/** A client of version 3.1.1 that does not come again, and what it has seen. */
class Client {
  readonly received: string[] = [];
  readonly mqtt: MqttClient;
  /** The broker's answer to CONNECT: 0, or the code of its refusal; -1 = the connection ended without one. */
  answer: number | undefined;
  isClosed = false;
  readonly settled: Promise<void>;

  constructor(url: string, options: IClientOptions) {
    this.mqtt = connect(url, { protocolVersion: 4, reconnectPeriod: 0, ...options });
    this.mqtt.on("message", (topic, payload, { retain }) => {
      this.received.push(`${retain ? "retained " : ""}${topic} ${payload}`);
    });
    this.mqtt.on("error", (error) => {
      this.answer ??= typeof error === "object" && "code" in error ? Number(error.code) : -1;
    });
    this.mqtt.on("connect", () => {
      this.answer = 0;
    });
    this.mqtt.on("close", () => {
      this.isClosed = true;
    });
    this.settled = waitUntil("an answer", () => this.answer !== undefined || this.isClosed || undefined).then(() => {});
  }

  /** Whether the broker granted it. */
  async subscribe(topic: string): Promise<boolean> {
    return new Promise((resolve) => {
      this.mqtt.subscribe(topic, { qos: 1 }, (error) => resolve(error === null));
    });
  }

  publish(topic: string, payload = "", options = {}): void {
    this.mqtt.publish(topic, payload, { qos: 1, ...options });
  }

  async closed(): Promise<void> {
    await waitUntil("the end of the connection", () => this.isClosed || undefined);
  }

  async stop(): Promise<void> {
    await this.mqtt.endAsync(true);
  }
}

describe("OwnBroker", () => {
  it("shows what the box publishes to everybody on it, retained as such, and takes nothing from anybody", async () => {
    const { publish, client, requests, broker, lines } = await start({});
    await publish("sidetone/box/state", "online", true);
    const reader = await client();
    expect(await reader.subscribe("sidetone/#")).toBe(true);
    await publish("sidetone/box/event/call", "{}");
    await waitUntil("both", () => reader.received.length === 2 || undefined);
    expect(reader.received).toEqual(["retained sidetone/box/state online", "sidetone/box/event/call {}"]);
    for (const [topic, options] of [
      ["sidetone/box/state", { retain: true }],
      ["sidetone/box/request/pause", {}],
      ["sidetone/box/response/pause", { qos: 0 }],
      ["sidetone/other/state", { qos: 2 }],
      ["$SYS/x", {}],
    ] as const) {
      const bad = await client();
      bad.publish(topic, "bad", options);
      await bad.closed();
    }
    expect(requests).toEqual([]);
    const late = await client();
    await late.subscribe("sidetone/#");
    await waitUntil("the state", () => late.received.length === 1 || undefined);
    expect(late.received).toEqual(["retained sidetone/box/state online"]);
    expect(reader.received).toHaveLength(2);
    expect(broker.figures()).toMatchObject({ "broker-messages-refused": 5, "broker-clients": 2 });
    expect(lines.filter((line) => /rights: command/.test(line))).toHaveLength(1);
  });

  it("sends all that is published at once, in order, retained or not", async () => {
    const { publish, client } = await start({});
    const reader = await client();
    await reader.subscribe("sidetone/#");
    const late = await client();
    await late.subscribe("sidetone/box/event/+");
    const numbers = Array.from({ length: 300 }, (_, n) => n);
    await Promise.all(
      numbers.map((n) => publish(`sidetone/box/${n % 3 === 0 ? "calls" : "event/call"}`, String(n), n % 3 === 0)),
    );
    await waitUntil("all", () => reader.received.length >= 300 || undefined);
    const told = (topic: string) =>
      reader.received.filter((line) => line.includes(topic)).map((line) => Number(line.split(" ").at(-1)));
    expect(told("/calls")).toEqual(numbers.filter((n) => n % 3 === 0));
    expect(told("/event/")).toEqual(numbers.filter((n) => n % 3 !== 0));
    expect(late.received).toHaveLength(200);
  });

  it("takes requests of who may command, with who it was, and shows them to nobody", async () => {
    const { client, requests } = await start({ users });
    const reader = await client(wall);
    await reader.subscribe("#");
    const commander = await client({ ...desk, clientId: "node-red\u0007" });
    commander.publish("sidetone/box/request/pause", '{"call":"all"}');
    commander.publish("sidetone/box/request/calls", "", { qos: 2 });
    commander.publish("sidetone/box/request/stop", "{}", { retain: true, qos: 0 });
    await waitUntil("three requests", () => requests.length === 3 || undefined);
    const taken = requests.map(({ payload, ...rest }) => ({ ...rest, payload: String(payload) }));
    const publisher = "user desk client node-red";
    expect(taken.sort((a, b) => a.topic.localeCompare(b.topic))).toEqual([
      { topic: "sidetone/box/request/calls", payload: "", isRetained: false, isDuplicate: false, publisher },
      {
        topic: "sidetone/box/request/pause",
        payload: '{"call":"all"}',
        isRetained: false,
        isDuplicate: false,
        publisher,
      },
      { topic: "sidetone/box/request/stop", payload: "{}", isRetained: true, isDuplicate: false, publisher },
    ]);
    const bad = await client(wall);
    bad.publish("sidetone/box/request/pause");
    await bad.closed();
    // Nothing of it is kept, nor relayed.
    const late = await client(desk);
    await late.subscribe("#");
    late.publish("homeassistant/status", "online", { retain: true });
    await waitUntil("what is relayed", () => reader.received.length > 0 || undefined);
    const later = await client(wall);
    await later.subscribe("#");
    later.publish("elsewhere", "1");
    await waitUntil("its own", () => later.received.length > 0 || undefined);
    expect(reader.received.slice(0, 1)).toEqual(["homeassistant/status online"]);
    expect(later.received).toEqual(["elsewhere 1"]);
    expect(requests.slice(3).map(({ topic, payload }) => `${topic} ${payload}`)).toEqual([
      "homeassistant/status online",
    ]);
  });

  it("refuses who does not log in, wrong passwords, and at last the address; the log names no password", async () => {
    const { client, lines, broker } = await start({ users, badPasswordsPerMinute: 2, lockOutS: 60 });
    expect((await client()).answer).toBe(5);
    expect((await client({ ...desk, password: "guess-1" })).answer).toBe(4);
    expect((await client(wall)).answer).toBe(0);
    expect((await client({ ...wall, username: "desk" })).answer).toBe(4);
    expect((await client(desk)).answer).not.toBe(0);
    expect(broker.figures()).toMatchObject({
      "broker-wrong-passwords": 2,
      "broker-lock-outs": 1,
      "broker-connections-locked": 1,
      "broker-logins": 1,
    });
    expect(lines.join("\n")).toMatch(/wrong user name or password.*locked out/s);
    expect(lines.join("\n")).not.toMatch(/guess|desk's|wall's/);
  });

  it("refuses last wills that are requests or the box's, another user's client id, and more clients than it may", async () => {
    const { client } = await start({ users, maxClients: 3 });
    const will = (topic: string) => ({ will: { topic, payload: Buffer.from("x"), qos: 1 as const, retain: true } });
    expect((await client({ ...desk, ...will("sidetone/box/request/pause") })).answer).toBe(5);
    expect((await client({ ...desk, ...will("sidetone/box/state") })).answer).toBe(5);
    const first = await client({ ...desk, clientId: "one", ...will("desk/gone") });
    expect((await client({ ...wall, clientId: "one" })).answer).toBe(2);
    expect(first.isClosed).toBe(false);
    const reader = await client(wall);
    await reader.subscribe("desk/gone");
    // Its own user may come again, and throws the first out.
    const again = await client({ ...desk, clientId: "one" });
    await first.closed();
    await waitUntil("the will", () => reader.received.length > 0 || undefined);
    expect([again.answer, (await client(wall)).answer, (await client(wall)).answer]).toEqual([0, 0, 3]);
    await again.stop();
    await waitUntil("room", async () => ((await client(wall)).answer === 0 ? true : undefined));
  });

  it("keeps no session, and no more subscriptions than it may", async () => {
    const { client, publish } = await start({});
    const first = await client({ clean: false, clientId: "one" });
    expect(await first.subscribe("sidetone/#")).toBe(true);
    expect(await first.subscribe("$SYS/#")).toBe(false);
    for (let n = 1; n < MAX_SUBSCRIPTIONS; n++) expect(await first.subscribe(`topic/${n}`)).toBe(true);
    expect(await first.subscribe("one/more")).toBe(false);
    await first.mqtt.unsubscribeAsync("topic/1");
    expect(await first.subscribe("one/more")).toBe(true);
    await first.stop();
    await publish("sidetone/box/event/call", "missed");
    const again = await client({ clean: false, clientId: "one" });
    await publish("sidetone/box/event/call", "missed too");
    expect(await again.subscribe("sidetone/#")).toBe(true);
    await publish("sidetone/box/event/call", "seen");
    await waitUntil("the event", () => again.received.length > 0 || undefined);
    expect(again.received).toEqual(["sidetone/box/event/call seen"]);
  });

  it("refuses MQTT 5 with a code that says so", async () => {
    const { client, lines } = await start({});
    expect((await client({ protocolVersion: 5 })).answer).not.toBe(0);
    expect(lines.at(-1)).toMatch(/speaks MQTT 3\.1\.1/);
  });

  it("listens for WebSocket too, but not to a page from anywhere where nobody logs in", async () => {
    const open = await start({ webSocketPort: await freePort() });
    expect((await open.client({}, open.webSocketUrl)).answer).toBe(0);
    const page = { wsOptions: { origin: "https://evil.example" } };
    expect((await open.client(page, open.webSocketUrl)).answer).not.toBe(0);
    const shut = await start({ webSocketPort: await freePort(), users });
    expect((await shut.client({ ...wall, ...page }, shut.webSocketUrl)).answer).toBe(0);
  });

  it("says why it cannot listen: whose port it is, which file is no use", async () => {
    const { url } = await start({});
    const port = Number(url.split(":").at(-1));
    await expect(start({ port })).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(/^mqtt\.broker\.port: \d+ on 127\.0\.0\.1 is taken.*mqtt\.url$/),
    });
    const noPem = new URL("../../../../package.json", import.meta.url).pathname;
    await expect(start({ certFile: "/nonexistent.pem", keyFile: "/x" })).rejects.toMatchObject({
      message: "mqtt.broker.certFile: /nonexistent.pem cannot be read (ENOENT)",
    });
    await expect(start({ certFile: noPem, keyFile: noPem })).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(/^mqtt\.broker\.certFile .* do not make a TLS server/),
    });
    await expect(start({ host: "0.0.0.0" })).rejects.toMatchObject({ message: expect.stringMatching(/users/) });
  });

  it("cuts off who sends more at once than it takes, and who does not read", async () => {
    const { client, publish, broker, lines } = await start({}, 300);
    const long = await client();
    long.publish("long", "x".repeat(64 * 1024));
    await long.closed();
    const sleeper = await client();
    await sleeper.subscribe("sidetone/#");
    const reader = await client();
    await reader.subscribe("sidetone/#");
    sleeper.mqtt.stream.pause();
    const payload = "x".repeat(256 * 1024);
    for (let n = 0; n < 100; n++) await publish("sidetone/box/event/call", payload);
    await waitUntil("all", () => reader.received.length === 100 || undefined);
    expect(lines.join()).toMatch(/longer than the broker takes.*did not read/);
    expect(broker.figures()).toMatchObject({ "broker-clients-cut": 2, "broker-clients": 1 });
  });

  it("takes a flood of requests at its pace, while others are served", async () => {
    const { client, requests, publish, broker } = await start({ users });
    const flooder = await client(desk);
    const reader = await client(wall);
    await reader.subscribe("sidetone/#");
    for (let n = 0; n < 3000; n++) flooder.publish("sidetone/box/request/calls", String(n), { qos: 0 });
    await waitUntil("the burst", () => requests.length >= 100 || undefined);
    const startedAtMs = performance.now();
    await publish("sidetone/box/event/call", "amid");
    await waitUntil("the event", () => reader.received.length > 0 || undefined);
    expect(performance.now() - startedAtMs).toBeLessThan(500);
    expect(requests.length).toBeLessThan(300);
    const numbers = requests.map(({ payload }) => Number(String(payload)));
    expect(numbers).toEqual(numbers.map((_, n) => n));
    expect(broker.figures()["broker-messages-delayed"]).toBeGreaterThan(0);
  });

  it("outlives bytes of all kinds", async () => {
    const { client, url, broker, requests } = await start({ users, badPasswordsPerMinute: 100, lockOutS: 1 });
    const port = Number(url.split(":").at(-1));
    const random = makeRandom(20_261_128);
    for (let round = 0; round < 60; round++) {
      await Promise.all(Array.from({ length: 8 }, () => sendHostile(port, hostileBytes(random))));
    }
    await waitUntil("all to be gone", () => broker.figures()["broker-clients"] === 0 || undefined);
    const good = await waitUntil("a login", async () => {
      const own = await client(desk);
      return own.answer === 0 ? own : undefined;
    });
    good.publish("sidetone/box/request/calls", "after");
    await waitUntil("the request", () => requests.some(({ payload }) => String(payload) === "after") || undefined);
  }, 20_000);
});

/** CONNECT as user desk, MQTT 3.1.1 §3.1. */
function connectPacket(id: string): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
  };
  const head = Buffer.concat([text("MQTT"), Buffer.from([4, 0xc2, 0, 60])]);
  const body = Buffer.concat([head, text(id), text(desk.username), text(desk.password)]);
  return Buffer.concat([Buffer.from([0x10, body.length]), body]);
}

/** Half of them after a good login: packets of every kind with any content, and good ones with a byte changed. */
function hostileBytes(random: () => number): Buffer {
  const upTo = (limit: number) => Math.floor(random() * limit);
  const noise = (bytes: number) => Buffer.from(Array.from({ length: bytes }, () => upTo(256)));
  const parts: Buffer[] = random() < 0.5 ? [connectPacket(`hostile ${upTo(4)}`)] : [];
  for (let n = upTo(12); n >= 0; n--) {
    const bytes = upTo(100);
    const kind = random();
    if (kind < 0.2) parts.push(noise(bytes));
    else if (kind < 0.8) parts.push(Buffer.from([upTo(256), bytes]), noise(bytes));
    else {
      const packet = connectPacket("changed");
      packet[upTo(packet.length)] = upTo(256);
      parts.push(packet);
    }
  }
  return Buffer.concat(parts);
}

/** In two pieces, then the end. */
async function sendHostile(port: number, bytes: Buffer): Promise<void> {
  const socket = connectSocket({ port, host: "127.0.0.1" });
  const ended = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  socket.resume();
  socket.write(bytes.subarray(0, bytes.length >> 1));
  setTimeout(() => {
    socket.end(bytes.subarray(bytes.length >> 1));
    setTimeout(() => socket.destroy(), 50);
  }, 5);
  await ended;
}

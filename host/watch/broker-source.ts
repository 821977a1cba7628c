// Boxes as an MQTT broker shows them. Reconnects for ever once it was connected: the broker may be restarted. Asks the boxes for
// their calls in progress, where they are shown, when something about them has changed.
import type { IClientOptions, MqttClient } from "mqtt";
import { MQTT_ROOT } from "../../device/contract/mqtt.js";
import { connectionError } from "../certificates.js";
import { HostError } from "../errors.js";
import type { WatchListener } from "./message.js";

const CONNECT_LIMIT_MS = 10_000;
const RECONNECT_MS = 1000;
const MAX_PACKET_BYTES = 256 * 1024;
const ASK_AT_MOST_EVERY_MS = 1000;
const MAX_ASKED_DEVICES = 64;
/** Return codes of MQTT 3.1.1 (4, 5) and reason codes of MQTT 5. */
const NOT_AUTHORISED = new Set([4, 5, 134, 135, 140]);

export interface BrokerAddress {
  /** mqtt, mqtts, ws or wss. */
  url: URL;
  username?: string;
  password?: string;
  /** PEM; else those that the system trusts. */
  authorities?: string;
}

export interface BrokerWatch {
  address: BrokerAddress;
  /** "+" = all of them. */
  device: string;
  listener: WatchListener;
  asksForCalls: boolean;
}

/** Until `signal` is aborted. Throws HostError when the broker cannot be reached, or refuses, at the first attempt. */
export async function watchBroker(
  { address, device, listener, asksForCalls }: BrokerWatch,
  signal: AbortSignal,
): Promise<void> {
  const { connect } = await import("mqtt");
  const client = connect(address.url.href, optionsOf(address));
  const asker = new CallAsker(client);
  const lost = (): void => listener.lost(`the broker ${address.url.host} is gone; trying to come back`);
  const topics = ["state", "info", "health", "span", "calls", "disk", "self-test", "alarm/+", "event/+"];
  const subscriptions = [...topics, ...(asksForCalls ? ["response/calls"] : [])].map(
    (topic) => `${MQTT_ROOT}/${device}/${topic}`,
  );
  try {
    await firstConnection(client, address.url.host, signal);
    client.on("message", (topic, payload, { retain }) => {
      const [, from = "", ...rest] = topic.split("/");
      const name = rest.join("/");
      if (name === "response/calls") {
        const calls = dataOf(parse(payload));
        if (calls !== undefined)
          listener.message({ device: from, topic: "calls/active", payload: calls, isRetained: false });
        return;
      }
      listener.message({ device: from, topic: name, payload: parse(payload), isRetained: retain });
      if (asksForCalls && (name === "calls" || name.startsWith("event/"))) asker.ask(from);
    });
    // Whoever is connected again subscribes anew, and is told all that stands.
    client.on("connect", () => listener.connected());
    client.on("close", lost);
    listener.connected();
    await subscribe(client, subscriptions);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  } finally {
    asker.stop();
    client.off("close", lost);
    await client.endAsync(true).catch(() => {});
  }
}

/** Asks each box at most once a second, and once more when something has changed in between. */
class CallAsker {
  readonly #client: MqttClient;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(client: MqttClient) {
    this.#client = client;
  }

  ask(device: string): void {
    if (this.#timers.has(device) || this.#timers.size >= MAX_ASKED_DEVICES) return;
    this.#timers.set(
      device,
      setTimeout(() => {
        this.#timers.delete(device);
        if (this.#client.connected) this.#client.publish(`${MQTT_ROOT}/${device}/request/calls`, "{}", { qos: 0 });
      }, ASK_AT_MOST_EVERY_MS),
    );
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}

function optionsOf({ username, password, authorities }: BrokerAddress): IClientOptions {
  return {
    protocolVersion: 5,
    clean: true,
    connectTimeout: CONNECT_LIMIT_MS,
    reconnectPeriod: RECONNECT_MS,
    reconnectOnConnackError: true,
    resubscribe: true,
    queueQoSZero: false,
    properties: { maximumPacketSize: MAX_PACKET_BYTES },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(authorities !== undefined && { ca: authorities }),
  };
}

/** Takes away its own listeners only: the library hears its client's events too. */
function firstConnection(client: MqttClient, where: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (fault?: HostError): void => {
      client.off("connect", connected).off("error", failed).off("close", closed);
      signal.removeEventListener("abort", connected);
      // An attempt that fails later ends with "close", and another one follows.
      client.on("error", () => {});
      if (fault) reject(fault);
      else resolve();
    };
    const connected = (): void => end();
    const failed = (error: Error): void => end(brokerError(error, where));
    const closed = (): void =>
      end(new HostError("network", `the broker ${where} ended the connection, or does not answer`));
    client.on("connect", connected).on("error", failed).on("close", closed);
    signal.addEventListener("abort", connected, { once: true });
  });
}

function brokerError(error: Error, where: string): HostError {
  const { code } = error as { code?: unknown };
  if (typeof code === "number")
    return new HostError(
      NOT_AUTHORISED.has(code) ? "unauthorised" : "refused",
      `the broker ${where} refuses: ${error.message}`,
      { cause: error },
    );
  return connectionError(error, `the broker ${where}`);
}

async function subscribe(client: MqttClient, topics: string[]): Promise<void> {
  try {
    const granted = await client.subscribeAsync(topics, { qos: 1 });
    if (granted.every(({ qos }) => qos >= 128)) throw new Error("none is granted");
  } catch (cause) {
    // The connection is gone again: what was asked for is asked for when it is back.
    if (!client.connected) return;
    throw new HostError("unauthorised", `the broker refuses the subscription to ${topics[0]} and the others`, {
      cause,
    });
  }
}

function parse(payload: Buffer): unknown {
  if (payload.length === 0) return undefined;
  try {
    return JSON.parse(payload.toString("utf8"));
  } catch {
    return payload.toString("utf8");
  }
}

/** Of a response that says "ok". */
function dataOf(response: unknown): unknown {
  const { status, data } = (response ?? {}) as { status?: unknown; data?: unknown };
  return status === "ok" ? data : undefined;
}

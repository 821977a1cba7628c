// The connection to the broker, and the only user of the MQTT library, which is loaded when a broker is configured and not
// before. Reconnects for ever, more slowly each time; subscribes anew at each connect. What was on its way when a connection ended
// is given up, so that whoever published it says what goes out again. Knows no topic's meaning.
import type { IClientOptions, IConnackPacket, IPublishPacket, MqttClient } from "mqtt";
import type { OutgoingMessage } from "./outbox.js";
import type { IncomingMessage } from "./request.js";
import {
  connectTrouble,
  disconnectTrouble,
  LOST,
  NOTE_REFUSED,
  PUBLISH_REFUSED,
  REFUSED_SILENTLY,
  SHORT_LIVED,
  SUBSCRIPTION_REFUSED,
  TOO_LONG_FOR_BROKER,
  type Trouble,
  type TroubleLog,
} from "./trouble.js";

const FIRST_RETRY_MS = 1000;
/** With what it varies by: a broker that is back is found within a quarter of a minute. */
const LAST_RETRY_MS = 10_000;
/** A connection that lasted so long begins a new count of attempts: two boxes with one client id throw each other out. */
const STEADY_MS = 30_000;
/** So many that did not last, one after another, are no chance. Not every broker says why it ends a connection. */
const SHORT_LIVED_IN_A_ROW = 3;
const CLOSE_TIMEOUT_MS = 1000;
/** What MQTT puts around topic, payload and correlation data, at most (MQTT 5 §3.3). */
const PACKET_OVERHEAD_BYTES = 64;
/** MQTT 5 §2.4: the broker took the message, nobody is subscribed to it. */
const NO_SUBSCRIBERS = 16;

export interface BrokerListener {
  /** The broker is there and requests are subscribed to; `receiveMaximum`: unacknowledged messages it bears, if it says so. */
  connected(receiveMaximum: number | undefined): void;
  disconnected(): void;
  message(message: IncomingMessage): void;
}

/** A way to the broker, be it elsewhere or the box's own. */
export interface BrokerLink {
  readonly counters: { connects: number; publishRefused: number };
  readonly isConnected: boolean;
  open(): Promise<void>;
  /** While connected. `done` is called at most once; never when the connection ends before. */
  publish(message: OutgoingMessage, done: (isTaken: boolean) => void): void;
  close(): Promise<void>;
}

/** Pause before attempt `attempt` (from 0), in ms: doubles up to ten seconds, and varies by half, so that boxes that lost one
 * broker together do not come back together. `random` within 0 to 1. */
export function retryAfterMs(attempt: number, random: number): number {
  const plainMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt, 16));
  return Math.round(plainMs * (0.5 + random));
}

export class BrokerConnection implements BrokerLink {
  readonly counters = { connects: 0, publishRefused: 0 };
  private readonly settings: IClientOptions;
  private readonly subscription: string;
  /** Nice to know: without them the box does all that it is told to. */
  private readonly notes: readonly string[];
  private readonly troubles: TroubleLog;
  private readonly listener: BrokerListener;
  private client: MqttClient | undefined;
  private isClosed = false;
  private wasConnected = false;
  /** Why this attempt failed has been said. */
  private isExplained = false;
  private attempts = 0;
  private shortLived = 0;
  private steadyTimer: NodeJS.Timeout | undefined;
  private maxPacketBytes = Number.POSITIVE_INFINITY;
  /** The library's ids of what the broker has not acknowledged. */
  private readonly onTheWay = new Set<number>();

  constructor(
    settings: IClientOptions,
    { subscription, notes = [] }: { subscription: string; notes?: readonly string[] },
    troubles: TroubleLog,
    listener: BrokerListener,
  ) {
    this.settings = settings;
    this.subscription = subscription;
    this.notes = notes;
    this.troubles = troubles;
    this.listener = listener;
  }

  /** Begins to connect; does not wait for the broker. */
  async open(): Promise<void> {
    const { connect } = await import("mqtt");
    if (this.isClosed) return;
    const client = connect({ ...this.settings, reconnectPeriod: retryAfterMs(0, Math.random()) });
    this.client = client;
    client.on("connect", (packet) => this.onConnect(client, packet));
    client.on("reconnect", () => {
      this.attempts++;
      this.scheduleRetry(client);
    });
    client.on("disconnect", (packet) => this.explain(disconnectTrouble(packet.reasonCode ?? 0)));
    client.on("error", (error) => this.explain(connectTrouble(error)));
    client.on("close", () => this.onClose(client));
    client.on("message", (topic, payload, packet) => {
      if (!this.isClosed) this.listener.message(incomingMessage(topic, payload, packet));
    });
  }

  get isConnected(): boolean {
    return this.client?.connected ?? false;
  }

  /**
   * QoS 1, while connected. `done` is called at most once: the broker has taken the message or refuses it, or it is longer than
   * the broker takes; never when the connection ends before.
   */
  publish(message: OutgoingMessage, done: (isTaken: boolean) => void): void {
    const { topic, payload, isRetained, correlationData } = message;
    if (!this.client || this.packetBytes(message) > this.maxPacketBytes) {
      this.counters.publishRefused++;
      this.troubles.say(TOO_LONG_FOR_BROKER, { topic });
      done(false);
      return;
    }
    const properties = correlationData && { properties: { correlationData } };
    let id: number | undefined;
    this.client.publish(topic, payload, { qos: 1, retain: isRetained, ...properties }, (error) => {
      if (id !== undefined) this.onTheWay.delete(id);
      const { code } = (error ?? {}) as { code?: unknown };
      if (typeof code === "number" && code !== NO_SUBSCRIBERS) {
        this.counters.publishRefused++;
        this.troubles.say(PUBLISH_REFUSED, { topic });
      }
      // Any other error is no answer of the broker: the connection ends, or is being ended.
      if (!error || typeof code === "number") done(!error || code === NO_SUBSCRIBERS);
    });
    id = this.client.getLastMessageId();
    this.onTheWay.add(id);
  }

  /** Ends in an orderly way, so that the broker does not publish the last will; after a second, by force. */
  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.steadyTimer);
    const { client } = this;
    if (!client) return;
    if (!client.connected) client.end(true);
    // A second end would do nothing: what is left is the socket.
    else if (!(await within(CLOSE_TIMEOUT_MS, client.endAsync()))) client.stream.destroy();
  }

  private onConnect(client: MqttClient, packet: IConnackPacket): void {
    if (this.isClosed) return;
    this.counters.connects++;
    this.wasConnected = true;
    this.shortLived++;
    this.isExplained = false;
    this.maxPacketBytes = packet.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    this.troubles.connected();
    this.scheduleRetry(client);
    this.steadyTimer = setTimeout(() => {
      this.attempts = 0;
      this.shortLived = 0;
      this.scheduleRetry(client);
    }, STEADY_MS).unref();
    // MQTT 5: retained as published, so that a request that somebody retains is known as such at once; nothing of our own.
    client.subscribe(this.subscription, { qos: 1, rap: true, nl: true, rh: 0 }, (error, _, answer) => {
      if (!client.connected || this.isClosed) return;
      if (error && answer) this.troubles.say(SUBSCRIPTION_REFUSED, { topic: this.subscription });
      this.listener.connected(packet.properties?.receiveMaximum);
    });
    for (const topic of this.notes)
      client.subscribe(topic, { qos: 1, rap: true, nl: true, rh: 0 }, (error, _, answer) => {
        if (error && answer && !this.isClosed) this.troubles.say(NOTE_REFUSED, { topic });
      });
  }

  private onClose(client: MqttClient): void {
    clearTimeout(this.steadyTimer);
    this.listener.disconnected();
    // The library would send it again as it was.
    for (const id of [...this.onTheWay]) client.removeOutgoingMessage(id);
    this.onTheWay.clear();
    if (!this.isClosed && !this.isExplained) this.explain(this.whyClosed());
    this.wasConnected = false;
    this.isExplained = false;
  }

  private whyClosed(): Trouble {
    if (!this.wasConnected) return REFUSED_SILENTLY;
    return this.shortLived >= SHORT_LIVED_IN_A_ROW ? SHORT_LIVED : LOST;
  }

  private explain(trouble: Trouble): void {
    if (this.isClosed) return;
    this.isExplained = true;
    this.troubles.disconnected(trouble);
  }

  /** The library reads it when a connection has ended. */
  private scheduleRetry(client: MqttClient): void {
    client.options.reconnectPeriod = retryAfterMs(this.attempts, Math.random());
  }

  private packetBytes({ topic, payload, correlationData }: OutgoingMessage): number {
    const data = correlationData?.length ?? 0;
    return Buffer.byteLength(topic) + Buffer.byteLength(payload) + data + PACKET_OVERHEAD_BYTES;
  }
}

function incomingMessage(topic: string, payload: Buffer, packet: IPublishPacket): IncomingMessage {
  const { responseTopic, correlationData, userProperties } = packet.properties ?? {};
  const client = userProperties && Object.hasOwn(userProperties, "client") ? userProperties["client"] : undefined;
  const first = Array.isArray(client) ? client[0] : client;
  return {
    topic,
    payload,
    isRetained: packet.retain,
    isDuplicate: packet.dup,
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData && { correlationData }),
    ...(first !== undefined && { client: first }),
  };
}

/** Whether the work was done in time. */
async function within(timeoutMs: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  const isDone = await Promise.race([
    work.then(
      () => true,
      () => true,
    ),
    late,
  ]);
  clearTimeout(timer);
  return isDone;
}

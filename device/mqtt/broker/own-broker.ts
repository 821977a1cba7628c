// The box's own MQTT broker (3.1.1), for a box that has no other: the only user of `aedes`, which is loaded when it starts.
// Decides what each client may do and how much of it; the box itself is no client, and the only publisher of what is the
// box's. No session outlives its connection, and nothing that a client publishes is kept.
import type { Duplex } from "node:stream";
import type { Aedes, AedesOptions, AuthenticateError, Client, ConnectPacket, PublishPacket, Subscription } from "aedes";
import type { Clock } from "../../base/clock.js";
import { SidetoneError } from "../../base/errors.js";
import type { Logger } from "../../base/logger.js";
import { findBrokerFaults } from "../../config/broker-meaning.js";
import type { Config } from "../../contract/config.js";
import type { BrokerRights } from "../../contract/config-broker.js";
import type { BrokerLink, BrokerListener } from "../connection.js";
import type { OutgoingMessage } from "../outbox.js";
import { type Trouble, TroubleLog } from "../trouble.js";
import { ClientPace } from "./client-pace.js";
import { Door } from "./door.js";
import { Listeners } from "./listeners.js";
import * as notices from "./notices.js";
import { PacketGuard } from "./packet-guard.js";
import { matchesAny, TopicRules } from "./topic-rules.js";

/** Twice the longest request, so that one that is too long is answered and not cut off. */
const MAX_PACKET_BYTES = 32 * 1024;
export const MAX_SUBSCRIPTIONS = 32;
const MAX_TOPIC_LEVELS = 16;
const MAX_SHOWN_ID_CHARACTERS = 64;
const CONNECT_TIMEOUT_MS = 5000;
/** A client that reads nothing for so long holds up what the others are to get. */
const SLOWEST_MS = 5000;
/** Of one client, taken and not done with: before it is let in, and of QoS 2. */
const MAX_UNFINISHED = 16;
/** MQTT 3.1.1 §3.2.2.3. */
const CONNACK = { idRejected: 2, unavailable: 3, badCredentials: 4, notAuthorised: 5 };

export interface OwnBrokerOptions {
  config: Config["mqtt"];
  /** Filters of what the box takes as a command. */
  requests: readonly string[];
  /** Filters of what the box is told besides, by anybody: "homeassistant/status". */
  notes: readonly string[];
  logger: Logger;
  clock: Clock;
  listener: BrokerListener;
  /** After which a client that reads nothing is cut off. */
  slowestMs?: number;
}

/** One connection, until it ends. */
interface Session {
  address: string;
  pace: ClientPace;
  subscriptions: Set<string>;
  connect?: ConnectPacket;
  rights: BrokerRights;
  /** "" where nobody has to log in. */
  user: string;
}

export class OwnBroker implements BrokerLink {
  readonly counters = { connects: 0, publishRefused: 0 };
  private readonly totals = {
    "broker-logins": 0,
    "broker-messages": 0,
    "broker-messages-refused": 0,
    "broker-messages-delayed": 0,
    "broker-subscriptions-refused": 0,
    "broker-clients-cut": 0,
  };
  private readonly options: OwnBrokerOptions;
  private readonly rules: TopicRules;
  private readonly door: Door;
  private readonly listeners: Listeners;
  private readonly notices: TroubleLog;
  private readonly sessions = new WeakMap<Client, Session>();
  /** Of clients that are logged in, by client id. */
  private readonly sessionById = new Map<string, Session>();
  private readonly ended = new WeakSet<Client>();
  /** Taken, and published without the flag, so that nobody but the box learns of it. */
  private readonly wereRetained = new WeakSet<object>();
  private aedes: Aedes | undefined;
  private isOpen = false;

  constructor(options: OwnBrokerOptions) {
    this.options = options;
    const { config, requests, clock, logger } = options;
    this.rules = new TopicRules(requests);
    this.door = new Door(config.broker, clock);
    this.notices = new TroubleLog(logger, clock, "its own");
    this.listeners = new Listeners({
      config: config.broker,
      maxPacketBytes: MAX_PACKET_BYTES,
      admits: (address) => !this.door.isLocked(address),
      accept: (stream, address) => this.accept(stream, address),
    });
  }

  /** Listens. Throws SidetoneError config-invalid with one line when it cannot. */
  async open(): Promise<void> {
    const [fault] = findBrokerFaults({ mqtt: this.options.config });
    if (fault) throw new SidetoneError("config-invalid", `${fault.path.join(".")}: ${fault.text}`);
    const { Aedes } = await import("aedes");
    const aedes = await Aedes.createBroker(this.rulesForAedes());
    this.aedes = aedes;
    countInOrder(aedes);
    aedes.on("client", (client) => this.sessionById.set(client.id, this.sessions.get(client)!));
    aedes.on("unsubscribe", (filters, client) => {
      for (const filter of filters) this.sessions.get(client)?.subscriptions.delete(filter);
    });
    aedes.on("clientError", (client, error) => this.noteEnd(client, error));
    aedes.on("connectionError", (client, error) => this.noteEnd(client, error));
    (aedes as NodeJS.EventEmitter).on("error", (error: Error) => {
      this.options.logger.debug("MQTT: the box's own broker", { fault: error.message });
    });
    const addresses = await this.listeners.open().catch(async (error: unknown) => {
      await this.closeAedes();
      throw error;
    });
    this.isOpen = true;
    this.counters.connects++;
    this.options.logger.info("the MQTT broker listens", { address: addresses.join(" ") });
    this.options.listener.connected(undefined);
  }

  get isConnected(): boolean {
    return this.isOpen;
  }

  /** `done` once everybody who is subscribed has been sent it. */
  publish({ topic, payload, isRetained }: OutgoingMessage, done: (isTaken: boolean) => void): void {
    if (isRetained) this.rules.noteOwn(topic);
    const packet: PublishPacket = { cmd: "publish", topic, payload, qos: 1, retain: isRetained, dup: false };
    this.aedes!.publish(packet, (error) => {
      if (error) this.counters.publishRefused++;
      done(!error);
    });
  }

  async close(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.options.listener.disconnected();
    await this.listeners.close();
    await this.closeAedes();
  }

  /** Totals since the start, and how many clients there are. */
  figures(): Record<string, number> {
    const { dropped, locked } = this.listeners.counters;
    return {
      ...this.totals,
      ...this.door.counters,
      "broker-connections-dropped": dropped,
      "broker-connections-locked": locked,
      "broker-clients": this.sessionById.size,
    };
  }

  private rulesForAedes(): AedesOptions {
    return {
      connectTimeout: CONNECT_TIMEOUT_MS,
      drainTimeout: this.options.slowestMs ?? SLOWEST_MS,
      queueLimit: MAX_UNFINISHED,
      maxInflightInbound: MAX_UNFINISHED,
      maxTopicLevels: MAX_TOPIC_LEVELS,
      preConnect: (client, packet, done) => {
        // What waited at the broker for a client that is away would have no bound.
        packet.clean = true;
        const session = this.sessions.get(client);
        if (session) session.connect = packet;
        done(null, true);
      },
      authenticate: (client, username, password, done) => {
        void this.login(client, username, password).then((refusal) => done(refusal ?? null, refusal === undefined));
      },
      authorizePublish: (client, packet, done) => this.judge(client, packet, done),
      authorizeSubscribe: (client, subscription, done) => done(null, this.allow(client, subscription)),
      authorizeForward: (_client, packet) => (this.rules.isRequest(packet.topic) ? null : packet),
      published: (packet, client, done) => {
        if (client) this.take(client, packet);
        done(null);
      },
    };
  }

  private accept(stream: Duplex, address: string): void {
    const client = this.aedes!.handle(stream) as unknown as Client;
    this.sessions.set(client, {
      address,
      pace: new ClientPace(this.options.clock),
      subscriptions: new Set(),
      rights: "read",
      user: "",
    });
    stream.once("close", () => this.forget(client));
    // Told of what is read before it is parsed, as `readable` has a listener already.
    const guard = new PacketGuard(MAX_PACKET_BYTES);
    const watch = (chunk: Buffer): void => {
      if (guard.takes(chunk)) return;
      stream.off("data", watch);
      this.cut(notices.TOO_LONG);
      stream.destroy();
    };
    stream.on("data", watch);
  }

  /** undefined: let in. */
  private async login(
    client: Client,
    username: string | undefined,
    password: Uint8Array | undefined,
  ): Promise<AuthenticateError | undefined> {
    const session = this.sessions.get(client);
    if (!session) return refusal(CONNACK.unavailable);
    const verdict = await this.door.login({ address: session.address, username, password });
    if ("refusal" in verdict) {
      this.say(verdict.refusal, client);
      return refusal(verdict.isCredentials ? CONNACK.badCredentials : CONNACK.notAuthorised);
    }
    Object.assign(session, verdict);
    const [trouble, code] = this.whyNot(client, session) ?? [];
    if (trouble !== undefined) {
      this.say(trouble, client);
      return refusal(code!);
    }
    this.totals["broker-logins"]++;
    return undefined;
  }

  private whyNot(client: Client, { connect, rights, user }: Session): [Trouble, number] | undefined {
    const will = connect?.will;
    if (will && this.rules.judge(will.topic, rights) !== "relayed") return [notices.BAD_WILL, CONNACK.notAuthorised];
    const other = this.sessionById.get(client.id);
    if (other && other.user !== user) return [notices.ID_TAKEN, CONNACK.idRejected];
    const isFull = !other && this.sessionById.size >= this.options.config.broker.maxClients;
    return isFull ? [notices.TOO_MANY, CONNACK.unavailable] : undefined;
  }

  private judge(client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
    const session = client && this.sessions.get(client);
    if (!session || !this.mayPublish(client, session, packet)) {
      // MQTT 3.1.1 §3.3.5: there is no other way to tell it.
      done(new Error("not allowed"));
      return;
    }
    if (packet.retain) this.wereRetained.add(packet);
    packet.retain = false;
    this.totals["broker-messages"]++;
    const hasToWait = session.pace.take((isEnded) => done(isEnded ? new Error("connection closed") : null));
    if (hasToWait) this.totals["broker-messages-delayed"]++;
  }

  private mayPublish(client: Client, { rights }: Session, { topic }: PublishPacket): boolean {
    const verdict = this.rules.judge(topic, rights);
    if (verdict === "request" || verdict === "relayed") return true;
    this.totals["broker-messages-refused"]++;
    this.say(verdict === "refused" ? notices.NOT_THEIRS : notices.NO_RIGHT, client);
    return false;
  }

  private take(client: Client, packet: PublishPacket): void {
    const session = this.sessions.get(client);
    const isWanted = this.rules.isRequest(packet.topic) || matchesAny(this.options.notes, packet.topic);
    if (!session || !this.isOpen || !isWanted) return;
    const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
    this.options.listener.message({
      topic: packet.topic,
      payload,
      isRetained: this.wereRetained.has(packet),
      isDuplicate: packet.dup,
      publisher: `user ${session.user} client ${shownId(client.id)}`,
    });
  }

  /** null: refused, as MQTT 3.1.1 §3.9.3 says it. */
  private allow(client: Client, subscription: Subscription): Subscription | null {
    const subscriptions = this.sessions.get(client)?.subscriptions;
    const { topic } = subscription;
    const hasRoom = subscriptions && (subscriptions.has(topic) || subscriptions.size < MAX_SUBSCRIPTIONS);
    if (!hasRoom || !this.rules.maySubscribe(topic)) {
      this.totals["broker-subscriptions-refused"]++;
      return null;
    }
    subscriptions.add(topic);
    return subscription;
  }

  private forget(client: Client): void {
    this.sessions.get(client)?.pace.end();
    if (this.sessionById.get(client.id) === this.sessions.get(client)) this.sessionById.delete(client.id);
  }

  /** Of what ends a client the first word counts: what it leaves unfinished fails as well. */
  private noteEnd(client: Client, { message }: Error): void {
    if (this.ended.has(client)) return;
    this.ended.add(client);
    if (message === "unacceptable protocol version") this.say(notices.OTHER_VERSION);
    else if (message === "drain timeout") this.cut(notices.TOO_SLOW);
  }

  private cut(trouble: Trouble): void {
    this.totals["broker-clients-cut"]++;
    this.say(trouble);
  }

  private say(trouble: Trouble, client?: Client): void {
    const session = client && this.sessions.get(client);
    const who = session && { client: shownId(client.id), ...(session.user !== "" && { user: session.user }) };
    this.notices.say(trouble, { ...who, ...(session && { address: session.address }) });
  }

  private closeAedes(): Promise<void> {
    return new Promise((resolve) => this.aedes!.close(() => resolve()));
  }
}

/**
 * `aedes` numbers a message when it comes and drops, as a second copy for the same client, what has a lower number than the one
 * before: retained ones take longer than others, and would be lost. Numbered when it goes out, a message has the next number.
 */
function countInOrder(aedes: Aedes): void {
  const { mq } = aedes as unknown as { mq: { emit(packet: { brokerCounter: number }, done: () => void): void } };
  const emit = mq.emit.bind(mq);
  let count = 0;
  mq.emit = (packet, done) => {
    packet.brokerCounter = ++count;
    emit(packet, done);
  };
}

function refusal(returnCode: number): AuthenticateError {
  return Object.assign(new Error("refused"), { returnCode });
}

function shownId(id: string): string {
  return [...id.replace(/[\p{Cc}\p{Cs}]/gu, " ").trim()].slice(0, MAX_SHOWN_ID_CHARACTERS).join("");
}

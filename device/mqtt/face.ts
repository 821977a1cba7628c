// MQTT as one of the box's faces: says that the box is there, takes commands about calls, reports states and events. Puts
// its parts together and owns the order of start and stop. Trouble with the broker never reaches the recorder.
import { type Clock, systemClock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { AlarmCode, AlarmDesk, StandingAlarm } from "../contract/alarms.js";
import type { BoxCommandDesk } from "../contract/box-commands.js";
import type { CommandDesk } from "../contract/commands.js";
import type { Config } from "../contract/config.js";
import type { AuditedEvent } from "../contract/engine-messages.js";
import type { BoxState, MqttEventKind, MqttEvents, RetainedStates } from "../contract/mqtt.js";
import { retainedAlarm } from "../contract/shown-answers.js";
import { AbsenceAlarm } from "./absence-alarm.js";
import { OwnBroker } from "./broker/own-broker.js";
import { brokerSettings, sendsPlainPassword } from "./broker-settings.js";
import { BrokerConnection, type BrokerLink, type BrokerListener } from "./connection.js";
import { eventOf } from "./event.js";
import { EventQueue } from "./event-queue.js";
import { type HomeLine, Homes } from "./homes/homes.js";
import { HomieLink } from "./homes/homie-link.js";
import { LossAlarm } from "./loss-alarm.js";
import { Outbox } from "./outbox.js";
import type { IncomingMessage } from "./request.js";
import { Requests } from "./requests.js";
import { Topics } from "./topics.js";
import { TroubleLog } from "./trouble.js";

/** Longest wait at the end for what is under way, and again for the broker to take the last word. */
const STOP_TIMEOUT_MS = 2000;

export interface MqttFaceOptions {
  config: Config["mqtt"];
  /** The box's name, as in manifests. */
  device: string;
  desk: CommandDesk;
  box: BoxCommandDesk;
  logger: Logger;
  clock?: Clock;
  /** Where events wait for the broker; without it they do so in memory. */
  queueFolder?: string;
  /** Where it is kept what home automation was told, so that it can be taken back. */
  announcedFile?: string;
  /** Told that events were lost, or that the broker is away. */
  alarms?: AlarmDesk;
}

export class MqttFace {
  private readonly options: MqttFaceOptions;
  private readonly topics: Topics;
  private readonly queue: EventQueue;
  private readonly losses: LossAlarm;
  private readonly outbox: Outbox;
  private readonly requests: Requests;
  private readonly absence: AbsenceAlarm;
  private readonly homes: Homes;
  /** Where the broker is elsewhere. */
  private readonly homie: HomieLink | undefined;
  private connection: BrokerLink | undefined;
  private own: OwnBroker | undefined;
  /** Its own broker could not be started. */
  private isBrokerless = false;
  private isStopping = false;

  constructor(options: MqttFaceOptions) {
    this.options = options;
    const { config, device, desk, box, logger, clock = systemClock } = options;
    this.topics = new Topics(device);
    this.losses = new LossAlarm(options.alarms, clock);
    this.absence = new AbsenceAlarm(options.alarms);
    this.queue = this.makeQueue();
    this.outbox = new Outbox((message, done) => this.connection!.publish(message, done), this.queue);
    const send = this.outbox.addResponse.bind(this.outbox);
    this.requests = new Requests({ config, topics: this.topics, desk, box, clock, logger, send });
    this.homie = config.homie.enabled && config.url !== "" ? new HomieLink() : undefined;
    this.homes = this.makeHomes(clock);
  }

  /**
   * Begins to connect and does not wait for the broker; where none is configured, starts the box's own, unless that is off.
   * Throws SidetoneError config-invalid when a certificate or key cannot be used, or the own broker cannot listen.
   */
  async start(): Promise<void> {
    if (!this.isOn) return;
    this.setBoxState({ state: "online" });
    this.homes.start();
    if (this.options.config.url === "") await this.startOwn();
    else await this.connect();
  }

  private async connect(): Promise<void> {
    const { config, device, logger, clock = systemClock } = this.options;
    const settings = brokerSettings(config, device, this.topics);
    this.queue.open();
    if (sendsPlainPassword(config))
      logger.warn("MQTT: the password goes to the broker in plain text: begin mqtt.url with mqtts:// or wss://");
    const troubles = new TroubleLog(logger, clock, config.url);
    const subscription = this.topics.requests;
    const { notes } = this.homes;
    this.connection = new BrokerConnection(settings, { subscription, notes }, troubles, this.listener());
    this.absence.begin();
    const { lastWill, press } = this.homes;
    const message = (received: IncomingMessage): void => this.take(received);
    const second = new TroubleLog(logger, clock, `${config.url} (Homie)`);
    await Promise.all([
      this.connection.open(),
      this.homie?.open({ settings, lastWill, press, troubles: second, message }),
    ]);
  }

  private async startOwn(): Promise<void> {
    const { config, logger, clock = systemClock } = this.options;
    this.queue.open();
    const requests = [this.topics.requests, ...(this.options.config.homie.enabled ? [this.homes.press] : [])];
    const { notes } = this.homes;
    this.own = new OwnBroker({ config, requests, notes, logger, clock, listener: this.listener() });
    this.connection = this.own;
    try {
      await this.own.open();
    } catch (error) {
      this.isBrokerless = true;
      throw error;
    }
  }

  private listener(): BrokerListener {
    return {
      connected: (receiveMaximum) => {
        this.absence.end();
        this.outbox.open(receiveMaximum);
      },
      disconnected: () => {
        if (!this.isStopping) this.absence.begin();
        this.outbox.shut();
      },
      message: (message) => this.take(message),
    };
  }

  private take(message: IncomingMessage): void {
    if (!this.isStopping && !this.homes.take(message)) this.requests.take(message);
  }

  /** Takes no more requests, answers those under way, says that the box is gone on purpose. Within a few seconds. */
  async stop(): Promise<void> {
    if (this.isStopping) return;
    this.isStopping = true;
    if (this.connection?.isConnected) {
      await inTime(this.requests.idle().then(() => this.outbox.idle()));
      this.setBoxState({ state: "offline", clean: true });
      this.homes.stop();
      await inTime(this.outbox.idle());
      if (this.homie?.isConnected) await inTime(this.homie.idle());
    }
    this.outbox.shut();
    await this.homie?.close();
    await this.connection?.close();
    await this.queue.close();
    this.losses.stop();
    this.absence.stop();
  }

  /** Retained; the newest of each name stands, and is published again after each connect. `taken`: the broker has it. */
  setState<Name extends keyof RetainedStates>(name: Name, state: RetainedStates[Name], taken?: () => void): void {
    if (!this.isOn) return;
    this.outbox.setState(this.topics.retained(name), JSON.stringify(state), taken);
    this.homes.note(name, state);
  }

  /** Retained while it stands; undefined empties it, at the broker too, which may have it from an earlier run. */
  setAlarm(code: AlarmCode, alarm: StandingAlarm | undefined): void {
    if (!this.isOn) return;
    this.outbox.setState(this.topics.alarm(code), alarm === undefined ? "" : JSON.stringify(retainedAlarm(alarm)));
    this.homes.noteAlarm(code, alarm !== undefined);
  }

  /** Never retained. What the broker has not acknowledged waits on the disk, in order, over restarts. */
  publishEvent<Kind extends MqttEventKind>(kind: Kind, payload: MqttEvents[Kind]): void {
    if (!this.isOn) return;
    this.queue.add(kind, payload);
    this.outbox.wake();
  }

  /** The event for what the engine reports about a call in progress. */
  publishAudited(event: AuditedEvent): void {
    const { kind, payload } = eventOf(event);
    this.publishEvent(kind, payload);
  }

  /** Totals since the start, under flat names. */
  counters(): Record<string, number> {
    const { requests, refused, busy, duplicates, timeouts } = this.requests.counters;
    const { responsesDropped, published } = this.outbox.counters;
    const { counters, faults, waiting } = this.queue;
    const { connects, publishRefused } = this.connection?.counters ?? { connects: 0, publishRefused: 0 };
    return {
      "mqtt.connects": connects,
      "mqtt.requests": requests,
      "mqtt.requests-refused": refused,
      "mqtt.requests-busy": busy,
      "mqtt.requests-duplicate": duplicates,
      "mqtt.requests-timeout": timeouts,
      "mqtt.published": published,
      "mqtt.publish-refused": publishRefused,
      "mqtt.events-dropped": counters.dropped,
      "mqtt.events-duplicate": counters.duplicates,
      "mqtt.events-waiting": this.isOn ? waiting : 0,
      "mqtt.queue-write-faults": faults.writeFaults,
      "mqtt.queue-damaged": faults.damagedLines,
      "mqtt.responses-dropped": responsesDropped,
      "mqtt.homie-presses": this.homes.counters.presses,
      "mqtt.homie-ignored": this.homes.counters.ignored,
      ...Object.fromEntries(Object.entries(this.own?.figures() ?? {}).map(([name, value]) => [`mqtt.${name}`, value])),
    };
  }

  private get isOn(): boolean {
    const { url, broker } = this.options.config;
    return (url !== "" || broker.enabled) && !this.isBrokerless && !this.isStopping;
  }

  private makeHomes(clock: Clock): Homes {
    const { config, device, announcedFile, logger } = this.options;
    const line: HomeLine = {
      setState: (topic, payload, taken) => this.outbox.setState(topic, payload, taken),
      send: (message) => this.outbox.addResponse(message),
      again: () => this.outbox.again(),
    };
    return new Homes({
      config,
      device,
      topics: this.topics,
      line,
      homieLine: this.homie?.line ?? line,
      request: (message) => this.requests.take(message),
      descriptionVersion: Math.floor(clock.nowUs() / 1e6),
      clock,
      announcedFile,
      logger,
    });
  }

  private makeQueue(): EventQueue {
    const { config, queueFolder, logger } = this.options;
    return new EventQueue({
      folder: config.queueMegabytes === 0 ? undefined : queueFolder,
      limitBytes: config.queueMegabytes * 1024 * 1024,
      topic: (kind) => this.topics.event(kind),
      onLoss: (count) => this.losses.note(count),
      onFault: (message) => logger.error("MQTT: events cannot be written and wait in memory", { message }),
      onRecovery: () => logger.info("MQTT: events are written again"),
    });
  }

  private setBoxState(state: BoxState): void {
    this.outbox.setState(this.topics.state, JSON.stringify(state));
  }
}

async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, STOP_TIMEOUT_MS);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

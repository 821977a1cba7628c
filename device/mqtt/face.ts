// MQTT as one of the box's faces: says that the box is there, takes commands about calls, reports states and events. Puts
// its parts together and owns the order of start and stop. Trouble with the broker never reaches the recorder.
import { type Clock, systemClock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { AlarmCode, StandingAlarm } from "../contract/alarms.js";
import type { CommandDesk } from "../contract/commands.js";
import type { Config } from "../contract/config.js";
import type { AuditedEvent } from "../contract/engine-messages.js";
import type { BoxState, MqttEventKind, MqttEvents, RetainedStates } from "../contract/mqtt.js";
import { brokerSettings, sendsPlainPassword } from "./broker-settings.js";
import { BrokerConnection } from "./connection.js";
import { eventOf } from "./event.js";
import { Outbox } from "./outbox.js";
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
  logger: Logger;
  clock?: Clock;
}

export class MqttFace {
  private readonly options: MqttFaceOptions;
  private readonly topics: Topics;
  private readonly outbox: Outbox;
  private readonly requests: Requests;
  private connection: BrokerConnection | undefined;
  private isStopping = false;

  constructor(options: MqttFaceOptions) {
    this.options = options;
    const { config, device, desk, logger, clock = systemClock } = options;
    this.topics = new Topics(device);
    this.outbox = new Outbox((message, done) => this.connection!.publish(message, done));
    const send = this.outbox.addResponse.bind(this.outbox);
    this.requests = new Requests({ config, topics: this.topics, desk, clock, logger, send });
  }

  /**
   * Begins to connect and does not wait for the broker; does nothing when none is configured. Throws SidetoneError
   * config-invalid when a certificate or key cannot be used.
   */
  async start(): Promise<void> {
    const { config, device, logger, clock = systemClock } = this.options;
    if (config.url === "" || this.isStopping) return;
    const settings = brokerSettings(config, device, this.topics);
    if (sendsPlainPassword(config))
      logger.warn("MQTT: the password goes to the broker in plain text: begin mqtt.url with mqtts:// or wss://");
    this.setBoxState({ state: "online" });
    this.connection = new BrokerConnection(settings, this.topics.requests, new TroubleLog(logger, clock, config.url), {
      connected: (receiveMaximum) => this.outbox.open(receiveMaximum),
      disconnected: () => this.outbox.shut(),
      message: (message) => {
        if (!this.isStopping) this.requests.take(message);
      },
    });
    await this.connection.open();
  }

  /** Takes no more requests, answers those under way, says that the box is gone on purpose. Within a few seconds. */
  async stop(): Promise<void> {
    if (this.isStopping) return;
    this.isStopping = true;
    if (this.connection?.isConnected) {
      await inTime(this.requests.idle().then(() => this.outbox.idle()));
      this.setBoxState({ state: "offline", clean: true });
      await inTime(this.outbox.idle());
    }
    this.outbox.shut();
    await this.connection?.close();
  }

  /** Retained; the newest of each name stands, and is published again after each connect. `taken`: the broker has it. */
  setState<Name extends keyof RetainedStates>(name: Name, state: RetainedStates[Name], taken?: () => void): void {
    if (this.isOn) this.outbox.setState(this.topics.retained(name), JSON.stringify(state), taken);
  }

  /** Retained while it stands; undefined empties it, at the broker too, which may have it from an earlier run. */
  setAlarm(code: AlarmCode, alarm: StandingAlarm | undefined): void {
    if (!this.isOn) return;
    this.outbox.setState(this.topics.alarm(code), alarm === undefined ? "" : JSON.stringify(alarm));
  }

  /** Never retained. While the broker is away events wait in memory, the newest thousand of them. */
  publishEvent<Kind extends MqttEventKind>(kind: Kind, payload: MqttEvents[Kind]): void {
    if (!this.isOn) return;
    this.outbox.addEvent({ topic: this.topics.event(kind), payload: JSON.stringify(payload), isRetained: false });
  }

  /** The event for what the engine reports about a call in progress. */
  publishAudited(event: AuditedEvent): void {
    const { kind, payload } = eventOf(event);
    this.publishEvent(kind, payload);
  }

  /** Totals since the start, under flat names. */
  counters(): Record<string, number> {
    const { requests, refused, busy, duplicates, timeouts } = this.requests.counters;
    const { eventsDropped, responsesDropped, published } = this.outbox.counters;
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
      "mqtt.events-dropped": eventsDropped,
      "mqtt.responses-dropped": responsesDropped,
    };
  }

  private get isOn(): boolean {
    return this.options.config.url !== "" && !this.isStopping;
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

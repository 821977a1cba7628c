// Homie's own connection to a broker elsewhere: the convention wants `$state` to be the last will, and MQTT has one will to each
// connection. Made as the box's own is, under a client id of its own.
import type { IClientOptions } from "mqtt";
import { BrokerConnection } from "../connection.js";
import { type EventLine, Outbox } from "../outbox.js";
import type { IncomingMessage } from "../request.js";
import type { TroubleLog } from "../trouble.js";
import type { HomeLine } from "./homes.js";

const NO_EVENTS: EventLine = { next: () => undefined, again: () => {}, isEmpty: true };

export interface HomieLinkOptions {
  /** Of the box's own connection. */
  settings: IClientOptions;
  lastWill: { topic: string; payload: string };
  press: string;
  troubles: TroubleLog;
  message(message: IncomingMessage): void;
}

export class HomieLink {
  /** Takes states from the beginning on. */
  readonly line: HomeLine;
  private readonly outbox: Outbox;
  private connection: BrokerConnection | undefined;

  constructor() {
    this.outbox = new Outbox((message, done) => this.connection!.publish(message, done), NO_EVENTS);
    const { outbox } = this;
    this.line = {
      setState: (topic, payload, taken) => outbox.setState(topic, payload, taken),
      send: (message) => outbox.addResponse(message),
      again: () => outbox.again(),
    };
  }

  async open({ settings, lastWill, press, troubles, message }: HomieLinkOptions): Promise<void> {
    const { topic, payload } = lastWill;
    const own: IClientOptions = {
      ...settings,
      clientId: `${settings.clientId}-homie`,
      will: { topic, payload: Buffer.from(payload), qos: 1, retain: true },
    };
    this.connection = new BrokerConnection(own, { subscription: press }, troubles, {
      connected: (receiveMaximum) => {
        // Ready is what it says last.
        this.outbox.moveLast(topic);
        this.outbox.open(receiveMaximum);
      },
      disconnected: () => this.outbox.shut(),
      message,
    });
    await this.connection.open();
  }

  get isConnected(): boolean {
    return this.connection?.isConnected ?? false;
  }

  /** Fulfils when the broker has everything; not before it is there. */
  idle(): Promise<void> {
    return this.outbox.idle();
  }

  async close(): Promise<void> {
    this.outbox.shut();
    await this.connection?.close();
  }
}

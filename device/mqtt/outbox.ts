// What waits to be published: of every retained state the newest only, sent again after each connect; events and responses
// in order, responses up to a limit at which the oldest goes and is counted, events as event-queue.ts keeps them. Few are on
// their way to the broker at once, so that nothing piles up behind it; what was when a connection ended goes out again.

export const MAX_RESPONSES = 256;
/** Of all responses that wait, in characters. */
export const MAX_RESPONSE_CHARACTERS = 8 * 1024 * 1024;
/** Published and not yet acknowledged; fewer where the broker says so. */
export const MAX_ON_THE_WAY = 16;

export interface OutgoingMessage {
  topic: string;
  payload: string;
  isRetained: boolean;
  /** MQTT 5. */
  correlationData?: Buffer;
  /** The broker has it; told after each connect anew of what is retained. */
  taken?: (() => void) | undefined;
  /** The broker has it or refuses it: it is owed no more. */
  settled?: () => void;
}

/** Where events come from. */
export interface EventLine {
  next(): OutgoingMessage | undefined;
  /** The connection has ended: what is not settled comes again. */
  again(): void;
  readonly isEmpty: boolean;
}

/** Publishes; `done` is called once the broker has taken the message or it is given up; not when the connection ends before. */
export type Publish = (message: OutgoingMessage, done: (isTaken: boolean) => void) => void;

export class Outbox {
  readonly counters = { responsesDropped: 0, published: 0 };
  private readonly publish: Publish;
  private readonly states = new Map<string, { payload: string; isDue: boolean; taken: (() => void) | undefined }>();
  private readonly events: EventLine;
  private readonly responses: OutgoingMessage[] = [];
  private responseCharacters = 0;
  private readonly responsesOnTheWay = new Set<OutgoingMessage>();
  private onTheWay = 0;
  /** Counts connections: what is said of an earlier one's messages is no longer of interest. */
  private connection = 0;
  private maxOnTheWay = MAX_ON_THE_WAY;
  private isOpen = false;
  private waiting: (() => void)[] = [];

  constructor(publish: Publish, events: EventLine) {
    this.publish = publish;
    this.events = events;
  }

  /**
   * The broker is there: every state goes out again (it may have lost them), then what waited. `receiveMaximum`: how many
   * unacknowledged messages the broker bears (MQTT 5 §3.2.2.3.3).
   */
  open(receiveMaximum = MAX_ON_THE_WAY): void {
    this.maxOnTheWay = Math.min(MAX_ON_THE_WAY, receiveMaximum);
    for (const state of this.states.values()) state.isDue = true;
    this.isOpen = true;
    this.drain();
  }

  /** The connection has ended; what was on its way goes out at the next one. A second call does nothing. */
  shut(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.connection++;
    this.onTheWay = 0;
    this.events.again();
    for (const response of this.responsesOnTheWay) this.responseCharacters += response.payload.length;
    this.responses.unshift(...this.responsesOnTheWay);
    this.responsesOnTheWay.clear();
  }

  /** The same state again is not sent again; after a connect they go out in the order in which they were set last. */
  setState(topic: string, payload: string, taken?: () => void): void {
    const before = this.states.get(topic);
    if (before?.payload === payload) return;
    this.states.delete(topic);
    this.states.set(topic, { payload, isDue: true, taken });
    this.drain();
  }

  /** This state goes out after those that stand now. */
  moveLast(topic: string): void {
    const state = this.states.get(topic);
    if (!state) return;
    this.states.delete(topic);
    this.states.set(topic, state);
  }

  /** Every state goes out again, to whoever has only now come. */
  again(): void {
    for (const state of this.states.values()) state.isDue = true;
    this.drain();
  }

  /** There is an event. */
  wake(): void {
    this.drain();
  }

  addResponse(message: OutgoingMessage): void {
    this.responses.push(message);
    this.responseCharacters += message.payload.length;
    while (this.responses.length > MAX_RESPONSES || this.responseCharacters > MAX_RESPONSE_CHARACTERS) {
      this.takeResponse();
      this.counters.responsesDropped++;
    }
    this.drain();
  }

  /** Fulfils when everything is published and acknowledged; not before the broker is there. */
  async idle(): Promise<void> {
    while (!this.isIdle()) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private drain(): void {
    while (this.isOpen && this.onTheWay < this.maxOnTheWay) {
      const message = this.next();
      if (!message) break;
      this.onTheWay++;
      const { connection } = this;
      this.publish(message, (isTaken) => {
        if (connection === this.connection) this.settle(message, isTaken);
      });
    }
    if (!this.isIdle()) return;
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  private settle(message: OutgoingMessage, isTaken: boolean): void {
    if (isTaken) message.taken?.();
    message.settled?.();
    this.responsesOnTheWay.delete(message);
    this.onTheWay--;
    this.counters.published++;
    this.drain();
  }

  /** Events come at the pace of calls and responses at that of requests: a flood of requests holds back no event. */
  private next(): OutgoingMessage | undefined {
    for (const [topic, state] of this.states) {
      if (!state.isDue) continue;
      state.isDue = false;
      return { topic, payload: state.payload, isRetained: true, taken: state.taken };
    }
    const event = this.events.next();
    if (event) return event;
    const response = this.takeResponse();
    if (response) this.responsesOnTheWay.add(response);
    return response;
  }

  private takeResponse(): OutgoingMessage | undefined {
    const response = this.responses.shift();
    this.responseCharacters -= response?.payload.length ?? 0;
    return response;
  }

  private isIdle(): boolean {
    const hasDue = [...this.states.values()].some((state) => state.isDue);
    return !hasDue && this.responses.length + this.onTheWay === 0 && this.events.isEmpty;
  }
}

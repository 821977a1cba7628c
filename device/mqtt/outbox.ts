// What waits to be published: of every retained state the newest only, sent again after each connect; events and responses
// in order, each up to a limit at which the oldest goes and is counted. Few are on their way to the broker at once, so
// that nothing piles up behind it.

export const MAX_EVENTS = 1000;
export const MAX_RESPONSES = 256;
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
}

/** Publishes; `done` is called once, when the broker has taken the message or it is given up. */
export type Publish = (message: OutgoingMessage, done: (isTaken: boolean) => void) => void;

export class Outbox {
  readonly counters = { eventsDropped: 0, responsesDropped: 0, published: 0 };
  private readonly publish: Publish;
  private readonly states = new Map<string, { payload: string; isDue: boolean; taken: (() => void) | undefined }>();
  private readonly events: OutgoingMessage[] = [];
  private readonly responses: OutgoingMessage[] = [];
  private onTheWay = 0;
  private maxOnTheWay = MAX_ON_THE_WAY;
  private isOpen = false;
  private waiting: (() => void)[] = [];

  constructor(publish: Publish) {
    this.publish = publish;
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

  shut(): void {
    this.isOpen = false;
  }

  /** The same state again is not sent again. */
  setState(topic: string, payload: string, taken?: () => void): void {
    const before = this.states.get(topic);
    if (before?.payload === payload) return;
    this.states.set(topic, { payload, isDue: true, taken });
    this.drain();
  }

  addEvent(message: OutgoingMessage): void {
    this.counters.eventsDropped += append(this.events, message, MAX_EVENTS);
    this.drain();
  }

  addResponse(message: OutgoingMessage): void {
    this.counters.responsesDropped += append(this.responses, message, MAX_RESPONSES);
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
      this.publish(message, (isTaken) => {
        if (isTaken) message.taken?.();
        this.onTheWay--;
        this.counters.published++;
        this.drain();
      });
    }
    if (!this.isIdle()) return;
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Events come at the pace of calls and responses at that of requests: a flood of requests holds back no event. */
  private next(): OutgoingMessage | undefined {
    for (const [topic, state] of this.states) {
      if (!state.isDue) continue;
      state.isDue = false;
      return { topic, payload: state.payload, isRetained: true, taken: state.taken };
    }
    return this.events.shift() ?? this.responses.shift();
  }

  private isIdle(): boolean {
    const hasDue = [...this.states.values()].some((state) => state.isDue);
    return !hasDue && this.events.length + this.responses.length + this.onTheWay === 0;
  }
}

/** Returns how many went for it. */
function append(queue: OutgoingMessage[], message: OutgoingMessage, limit: number): number {
  queue.push(message);
  if (queue.length <= limit) return 0;
  queue.shift();
  return 1;
}

// The alarm that events were lost: raised at the first, told anew once a minute while it goes on, cleared an hour after the last.
import type { Clock } from "../base/clock.js";
import type { AlarmDesk } from "../contract/alarms.js";

const TELL_MS = 60_000;
const OVER_MS = 3_600_000;

export class LossAlarm {
  private readonly alarms: AlarmDesk | undefined;
  private readonly clock: Clock;
  private events = 0;
  private toldAtMs = Number.NEGATIVE_INFINITY;
  private isTelling = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(alarms: AlarmDesk | undefined, clock: Clock) {
    this.alarms = alarms;
    this.clock = clock;
  }

  note(count: number): void {
    this.events += count;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.clear(), OVER_MS).unref();
    if (this.isTelling || this.clock.monotonicMs() - this.toldAtMs < TELL_MS) return;
    this.isTelling = true;
    // Not in the middle of what the queue is doing: an alarm is published itself.
    queueMicrotask(() => this.tell());
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private tell(): void {
    this.isTelling = false;
    this.toldAtMs = this.clock.monotonicMs();
    this.alarms?.raise("mqtt-events-lost", { events: this.events });
  }

  private clear(): void {
    this.events = 0;
    this.toldAtMs = Number.NEGATIVE_INFINITY;
    this.alarms?.clear("mqtt-events-lost");
  }
}

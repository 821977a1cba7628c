// Tells from what the engine reports which alarms about capture and journal are to stand, and when they have stood long enough.
// Owns those conditions; the alarms themselves are health/alarms.ts's.
import type { Clock } from "./base/clock.js";
import type { AlarmDesk } from "./contract/alarms.js";
import type { EngineCounters } from "./contract/engine-messages.js";

/** An engine that has run for so long is there again. */
const ENGINE_PROVEN_MS = 60_000;
/** No packet dropped for so long: the alarm is over. */
const DROPS_OVER_MS = 600_000;
/** No step of the clock for so long. */
const STEPS_OVER_MS = 86_400_000;

export class AlarmWatch {
  private readonly alarms: AlarmDesk;
  private readonly clock: Clock;
  private engineSinceMs = Number.POSITIVE_INFINITY;
  private droppedAtMs = 0;
  private dropped = 0;
  private losses = 0;
  private steppedAtMs = Number.POSITIVE_INFINITY;

  constructor(alarms: AlarmDesk, clock: Clock) {
    this.alarms = alarms;
    this.clock = clock;
  }

  engineReady(): void {
    this.engineSinceMs = this.clock.monotonicMs();
  }

  engineLost(how: string): void {
    this.engineSinceMs = Number.POSITIVE_INFINITY;
    this.losses++;
    this.alarms.raise("engine-lost", { how, times: this.losses });
  }

  /** `calls`: how many were in progress; a clock that is set while there are none harms nobody. */
  clockStepped(offsetUs: number, calls: number): void {
    if (calls === 0) return;
    this.steppedAtMs = this.clock.monotonicMs();
    this.alarms.raise("clock-stepped", { offsetMs: Math.round(offsetUs / 1000), calls });
  }

  /** Every second or so. `drops`: packets that the kernel dropped since the last time. */
  note(counters: EngineCounters, drops: number): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.engineSinceMs >= ENGINE_PROVEN_MS) {
      this.losses = 0;
      this.alarms.clear("engine-lost");
    }
    if (nowMs - this.steppedAtMs >= STEPS_OVER_MS) this.alarms.clear("clock-stepped");
    this.noteDrops(drops, nowMs);
    const down = counters.sources.flatMap(({ fault }) => (fault ? [fault] : []));
    if (down.length > 0) this.alarms.raise("interface-down", { interfaces: down.join("; ") });
    else this.alarms.clear("interface-down");
    if (counters.isJournalFailing) this.alarms.raise("journal-unwritable");
    else this.alarms.clear("journal-unwritable");
  }

  private noteDrops(drops: number, nowMs: number): void {
    if (drops > 0) {
      this.dropped += drops;
      this.droppedAtMs = nowMs;
      this.alarms.raise("capture-drops", { packets: this.dropped });
    } else if (this.dropped > 0 && nowMs - this.droppedAtMs >= DROPS_OVER_MS) {
      this.dropped = 0;
      this.alarms.clear("capture-drops");
    }
  }
}

// The alarms of a running box: which stand, since when and how often, and the last ones that stood. Kept over a restart in
// `alarms.json`, as far as the disk takes it. Tells listeners of every change; decides no condition, and knows no face.
import { type Clock, isoUs } from "../base/clock.js";
import {
  ALARM_CODES,
  ALARMS,
  type AlarmAcknowledgement,
  type AlarmCode,
  type AlarmDesk,
  type AlarmDetail,
  type AlarmMeaning,
  type PastAlarm,
  type StandingAlarm,
} from "../contract/alarms.js";

/** Past alarms kept, the newest. */
export const MAX_PAST_ALARMS = 256;
/** What is found again so soon after a start is what stood before it: whoever has seen it need not see it twice. */
export const FOUND_AGAIN_MS = 600_000;

export interface AlarmBookState {
  standing: StandingAlarm[];
  past: PastAlarm[];
}

export interface AlarmBookEdges {
  clock: Clock;
  /** What the run before left. */
  before?: AlarmBookState;
  /** Called after each change; what it throws is the caller's fault. */
  keep?(state: AlarmBookState): void;
}

export interface AlarmListener {
  raised?(alarm: StandingAlarm, isNew: boolean): void;
  /** It stands on. */
  acknowledged?(alarm: StandingAlarm): void;
  cleared?(alarm: PastAlarm): void;
}

export class AlarmBook implements AlarmDesk {
  readonly #clock: Clock;
  readonly #keep: (state: AlarmBookState) => void;
  readonly #standing = new Map<AlarmCode, StandingAlarm>();
  /** Newest last. */
  #past: PastAlarm[];
  readonly #listeners = new Set<AlarmListener>();
  /** Of alarms that stood when the run before ended and are looked at anew. */
  readonly #seenBefore = new Map<AlarmCode, AlarmAcknowledgement>();
  readonly #startedAtMs: number;

  /** What stood before and does not outlive a restart is past: its condition is looked at anew. */
  constructor({ clock, before, keep }: AlarmBookEdges) {
    this.#clock = clock;
    this.#keep = keep ?? (() => {});
    this.#startedAtMs = clock.monotonicMs();
    this.#past = (before?.past ?? []).slice(-MAX_PAST_ALARMS);
    for (const alarm of before?.standing ?? []) {
      const meaning: AlarmMeaning = ALARMS[alarm.code];
      if (meaning.outlivesRestart) this.#standing.set(alarm.code, alarm);
      else {
        this.#addPast(alarm, "restart");
        if (alarm.acknowledged) this.#seenBefore.set(alarm.code, alarm.acknowledged);
      }
    }
  }

  /** In the catalogue's order. */
  get standing(): StandingAlarm[] {
    return ALARM_CODES.flatMap((code) => this.#standing.get(code) ?? []);
  }

  /** Newest last. */
  get past(): readonly PastAlarm[] {
    return this.#past;
  }

  isStanding(code: AlarmCode): boolean {
    return this.#standing.has(code);
  }

  listen(listener: AlarmListener): void {
    this.#listeners.add(listener);
  }

  raise(code: AlarmCode, detail: AlarmDetail = {}): void {
    const before = this.#standing.get(code);
    const { severity, title, remedy } = ALARMS[code];
    const since = before?.since ?? isoUs(this.#clock.nowUs());
    const acknowledged = before ? before.acknowledged : this.#seenBeforeStart(code);
    const alarm = {
      ...{ code, severity, title, remedy, since, count: (before?.count ?? 0) + 1, detail },
      ...(acknowledged && { acknowledged }),
    };
    this.#standing.set(code, alarm);
    // The same again is counted, and said with the next change.
    if (before && JSON.stringify(before.detail) === JSON.stringify(detail)) return;
    for (const listener of this.#listeners) listener.raised?.(alarm, before === undefined);
    this.#changed();
  }

  /** Somebody has seen it; it stands on. undefined when it does not stand. Again: the newest counts. */
  acknowledge(code: AlarmCode, by: string): StandingAlarm | undefined {
    const before = this.#standing.get(code);
    if (!before) return undefined;
    const alarm = { ...before, acknowledged: { at: isoUs(this.#clock.nowUs()), by } };
    this.#standing.set(code, alarm);
    for (const listener of this.#listeners) listener.acknowledged?.(alarm);
    this.#changed();
    return alarm;
  }

  clear(code: AlarmCode): void {
    this.#seenBefore.delete(code);
    const alarm = this.#standing.get(code);
    if (!alarm) return;
    this.#standing.delete(code);
    const past = this.#addPast(alarm, "condition");
    for (const listener of this.#listeners) listener.cleared?.(past);
    this.#changed();
  }

  #seenBeforeStart(code: AlarmCode): AlarmAcknowledgement | undefined {
    const seen = this.#seenBefore.get(code);
    this.#seenBefore.delete(code);
    return this.#clock.monotonicMs() - this.#startedAtMs <= FOUND_AGAIN_MS ? seen : undefined;
  }

  #addPast(alarm: StandingAlarm, clearedBy: PastAlarm["clearedBy"]): PastAlarm {
    const { code, severity, since, count, detail } = alarm;
    const past = { code, severity, since, count, detail, clearedAt: isoUs(this.#clock.nowUs()), clearedBy };
    this.#past = [...this.#past, past].slice(-MAX_PAST_ALARMS);
    return past;
  }

  #changed(): void {
    this.#keep({ standing: this.standing, past: this.#past });
  }
}

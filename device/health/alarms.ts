// The alarms of a running box: which stand, since when and how often, and the last ones that stood. Kept over a restart in
// `alarms.json`, as far as the disk takes it. Tells listeners of every change; decides no condition, and knows no face.
import { type Clock, isoUs } from "../base/clock.js";
import {
  ALARM_CODES,
  ALARMS,
  type AlarmCode,
  type AlarmDesk,
  type AlarmDetail,
  type AlarmMeaning,
  type PastAlarm,
  type StandingAlarm,
} from "../contract/alarms.js";

/** Past alarms kept, the newest. */
export const MAX_PAST_ALARMS = 256;

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
  cleared?(alarm: PastAlarm): void;
}

export class AlarmBook implements AlarmDesk {
  readonly #clock: Clock;
  readonly #keep: (state: AlarmBookState) => void;
  readonly #standing = new Map<AlarmCode, StandingAlarm>();
  /** Newest last. */
  #past: PastAlarm[];
  readonly #listeners = new Set<AlarmListener>();

  /** What stood before and does not outlive a restart is past: its condition is looked at anew. */
  constructor({ clock, before, keep }: AlarmBookEdges) {
    this.#clock = clock;
    this.#keep = keep ?? (() => {});
    this.#past = (before?.past ?? []).slice(-MAX_PAST_ALARMS);
    for (const alarm of before?.standing ?? []) {
      const meaning: AlarmMeaning = ALARMS[alarm.code];
      if (meaning.outlivesRestart) this.#standing.set(alarm.code, alarm);
      else this.#addPast(alarm, "restart");
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
    const alarm = { code, severity, title, remedy, since, count: (before?.count ?? 0) + 1, detail };
    this.#standing.set(code, alarm);
    // The same again is counted, and said with the next change.
    if (before && JSON.stringify(before.detail) === JSON.stringify(detail)) return;
    for (const listener of this.#listeners) listener.raised?.(alarm, before === undefined);
    this.#changed();
  }

  clear(code: AlarmCode): void {
    const alarm = this.#standing.get(code);
    if (!alarm) return;
    this.#standing.delete(code);
    const past = this.#addPast(alarm, "condition");
    for (const listener of this.#listeners) listener.cleared?.(past);
    this.#changed();
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

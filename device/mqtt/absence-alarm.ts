// The alarm that there is no broker: raised when there has been none for a minute, cleared when it is there again.
import type { AlarmDesk } from "../contract/alarms.js";

const ABSENT_MS = 60_000;

export class AbsenceAlarm {
  private readonly alarms: AlarmDesk | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isAbsent = false;

  constructor(alarms: AlarmDesk | undefined) {
    this.alarms = alarms;
  }

  /** There is no connection; again while that lasts does nothing. */
  begin(): void {
    if (this.isAbsent) return;
    this.isAbsent = true;
    this.timer = setTimeout(() => this.alarms?.raise("mqtt-broker-lost"), ABSENT_MS).unref();
  }

  end(): void {
    this.stop();
    this.alarms?.clear("mqtt-broker-lost");
  }

  stop(): void {
    this.isAbsent = false;
    clearTimeout(this.timer);
  }
}

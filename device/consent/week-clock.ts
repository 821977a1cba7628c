// When in the week something was, in one time zone: what days and hours of rules are compared with. Wall-clock time as
// the zone's law has it, summer time included. Pure.
import type { TimeUs } from "../base/ids.js";

export type WeekDay = "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun";

export interface WeekTime {
  day: WeekDay;
  /** The calendar day before: a time after midnight may belong to hours that began on it. */
  dayBefore: WeekDay;
  /** Since midnight by the clock on the wall, 0–1439. */
  minute: number;
}

const WEEK: readonly WeekDay[] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/** ECMA-262 §21.4.1.1: beyond it there is no date. */
const MAX_TIME_MS = 8.64e15;

export class WeekClock {
  /** IANA name. */
  readonly zone: string;
  readonly #format: Intl.DateTimeFormat;

  /** `zone` "" is the box's own. Throws RangeError on a zone that there is not; the configuration lets none pass. */
  constructor(zone: string) {
    this.#format = new Intl.DateTimeFormat("en-US", {
      ...(zone !== "" && { timeZone: zone }),
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
    this.zone = zone || this.#format.resolvedOptions().timeZone;
  }

  /** undefined for what is no date: time stamps come out of capture files, too. */
  at(atUs: TimeUs): WeekTime | undefined {
    const atMs = Math.floor(atUs / 1000);
    if (!(Math.abs(atMs) <= MAX_TIME_MS)) return undefined;
    const parts = this.#format.formatToParts(atMs);
    const part = (type: Intl.DateTimeFormatPartTypes): string => parts.find((one) => one.type === type)?.value ?? "";
    const index = WEEK.indexOf(part("weekday").toLowerCase() as WeekDay);
    if (index < 0) throw new Error(`no day of the week: ${part("weekday")}`);
    return {
      day: WEEK[index]!,
      dayBefore: WEEK[(index + 6) % 7]!,
      minute: Number(part("hour")) * 60 + Number(part("minute")),
    };
  }
}

/** "Fri 10:00" */
export function formatWeekTime({ day, minute }: WeekTime): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${day[0]!.toUpperCase()}${day.slice(1)} ${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

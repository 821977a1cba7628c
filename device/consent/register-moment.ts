// Dates and times of day as the registers write them: ISO 8601 calendar dates, alone or with a time (RFC 3339 §5.6, with
// seconds and offset optional). UTC unless an offset is given. Pure.
import type { TimeUs } from "../base/ids.js";

const DATE_CHARACTERS = 10;
const TIME = /^[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?$/;
/** Beyond any signature that can have been given, and before `Date` counts years otherwise. */
const FIRST_YEAR = 1900;

/**
 * The moment, µs since 1970; undefined when the text is none (30 February, 24:00, leap seconds). A date alone is its
 * first moment, or with edge "end" the first moment after it.
 */
export function readMoment(text: string, edge: "start" | "end"): TimeUs | undefined {
  const [year, month, day] = [digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2)];
  if (text[4] !== "-" || text[7] !== "-" || !(year >= FIRST_YEAR)) return undefined;
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return undefined;
  if (text.length === DATE_CHARACTERS) return Date.UTC(year, month - 1, edge === "end" ? day + 1 : day) * 1000;
  const timeUs = readTime(text.slice(DATE_CHARACTERS));
  return timeUs === undefined ? undefined : Date.UTC(year, month - 1, day) * 1000 + timeUs;
}

/** µs since the date began in UTC; undefined when it is no time of day. */
function readTime(text: string): TimeUs | undefined {
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [hour, minute, second] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  const [offsetHours, offsetMinutes] = [Number(match[6] ?? 0), Number(match[7] ?? 0)];
  if (hour > 23 || minute > 59 || second > 59 || offsetHours > 23 || offsetMinutes > 59) return undefined;
  const micros = Math.trunc(Number((match[4] ?? "").padEnd(9, "0")) / 1000);
  const offsetS = (match[5] === "-" ? -1 : 1) * (offsetHours * 3600 + offsetMinutes * 60);
  return (hour * 3600 + minute * 60 + second - offsetS) * 1e6 + micros;
}

/** The number that `count` digits from `at` make; NaN when they are none. */
function digits(text: string, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

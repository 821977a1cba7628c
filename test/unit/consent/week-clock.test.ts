// Day and minute in a time zone, against the system's own `date` and its time-zone data.
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { formatWeekTime, WeekClock } from "../../../device/consent/week-clock.js";

const ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC", "Pacific/Apia"];
const WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

function byDate(zone: string, seconds: readonly number[]): string[] {
  const input = seconds.map((second) => `@${second}`).join("\n");
  const options = { input, encoding: "utf8" as const, env: { TZ: zone, LC_ALL: "C", PATH: process.env["PATH"] } };
  return execFileSync("date", ["-f", "-", "+%a %H:%M"], options).trim().split("\n");
}

describe.each(ZONES)("%s", (zone) => {
  it("as date has it, around every change of the clocks from 2020 to 2031", () => {
    const seconds: number[] = [];
    for (let at = Date.UTC(2020, 0, 1) / 1000; at < Date.UTC(2031, 0, 1) / 1000; at += 47 * 3600 + 1799)
      seconds.push(at);
    const offsetAt = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
    const offset = (second: number): string => offsetAt.formatToParts(second * 1000).at(-1)!.value;
    for (let hour = Date.UTC(2026, 0, 1) / 1000; hour < Date.UTC(2027, 0, 1) / 1000; hour += 3600)
      if (offset(hour) !== offset(hour - 3600)) for (let k = -7; k <= 7; k++) seconds.push(hour + k * 1799);
    const clock = new WeekClock(zone);
    const expected = byDate(zone, seconds);
    expect(expected).toHaveLength(seconds.length);
    for (const [i, second] of seconds.entries()) {
      const time = clock.at(second * 1e6 + 999_999)!;
      expect(formatWeekTime(time), `${zone} ${second}`).toBe(expected[i]);
      expect(WEEK.indexOf(time.dayBefore)).toBe((WEEK.indexOf(time.day) + 6) % 7);
    }
  });
});

it("without a zone is the box's own", () => {
  expect(new WeekClock("").zone).toBe(Intl.DateTimeFormat().resolvedOptions().timeZone);
});

it("refuses what is no zone, and knows no time that is no date", () => {
  expect(() => new WeekClock("Europe/Atlantis")).toThrow(RangeError);
  for (const at of [Number.NaN, Infinity, 8.65e18, -8.65e18]) expect(new WeekClock("UTC").at(at)).toBeUndefined();
  expect(new WeekClock("UTC").at(8.64e18)).toBeDefined();
});

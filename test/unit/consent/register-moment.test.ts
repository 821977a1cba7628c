// Dates in the registers: the runtime's own parser is the reference where both know the form.
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { readMoment } from "../../../device/consent/register-moment.js";

const DAY_US = 86_400e6;

describe("readMoment", () => {
  test("a date alone is its first moment, or the first after it", () => {
    expect(readMoment("2026-03-01", "start")).toBe(Date.UTC(2026, 2, 1) * 1000);
    expect(readMoment("2026-03-01", "end")).toBe(Date.UTC(2026, 2, 2) * 1000);
    expect(readMoment("2026-12-31", "end")).toBe(Date.UTC(2027, 0, 1) * 1000);
    expect(readMoment("2024-02-29", "end")).toBe(Date.UTC(2024, 2, 1) * 1000);
    expect(readMoment("9999-12-31", "end")).toBeGreaterThan(Date.UTC(9999, 11, 31) * 1000);
  });

  it.each([
    ["2026-03-01T10:20", "2026-03-01T10:20:00Z"],
    ["2026-03-01 10:20:30", "2026-03-01T10:20:30Z"],
    ["2026-03-01T10:20:30Z", "2026-03-01T10:20:30Z"],
    ["2026-03-01T10:20:30+02:00", "2026-03-01T08:20:30Z"],
    ["2026-03-01T01:20:30+0200", "2026-02-28T23:20:30Z"],
    ["2026-03-01T10:20-08", "2026-03-01T18:20:00Z"],
    ["2026-03-01T10:20:30.25Z", "2026-03-01T10:20:30.250Z"],
    ["2026-03-01T10:20:30,5-00:30", "2026-03-01T10:50:30.500Z"],
  ])("reads %s", (text, meant) => {
    for (const edge of ["start", "end"] as const) expect(readMoment(text, edge)).toBe(Date.parse(meant) * 1000);
  });

  test("to the microsecond, what is finer is cut off", () => {
    expect(readMoment("2026-03-01T00:00:00.123456Z", "start")! % 1e6).toBe(123_456);
    expect(readMoment("2026-03-01T00:00:00.123456999Z", "start")! % 1e6).toBe(123_456);
  });

  it.each([
    ..."2026-02-30 2025-02-29 1900-02-29 2026-04-31 2026-13-01 2026-00-10 2026-01-00 1899-12-31 0000-01-01".split(" "),
    ..."2026-1-1 26-01-01 20260101 01.03.2026 2026/03/01 2026-03 +2026-03-01 2026-W10-1 2026-03-01Z".split(" "),
    ..."2026-03-01T 2026-03-01T10 2026-03-01T24:00 2026-03-01T10:60 2026-03-01T10:20:60Z 2026-03-01T1:20".split(" "),
    ..."2026-03-01T10:20+24:00 2026-03-01T10:20+02:60 2026-03-01T10:20+2 2026-03-01T10:20z 2026-03-01t10:20".split(" "),
    ...[
      "",
      " ",
      "2026-03-01 ",
      " 2026-03-01",
      "2026-03-01\n",
      "２０２６-03-01",
      "2026-03-01T10:20:30.1234567890Z",
      "now",
    ],
  ])("refuses %j", (text) => {
    expect(readMoment(text, "start")).toBeUndefined();
    expect(readMoment(text, "end")).toBeUndefined();
  });

  test("agrees with the runtime about every date and time, valid or not", () => {
    const two = (most: number) => fc.integer({ min: 0, max: most }).map((value) => String(value).padStart(2, "0"));
    const parts = fc.tuple(fc.integer({ min: 1900, max: 2400 }), two(14), two(33), two(23), two(59), two(59));
    fc.assert(
      fc.property(parts, fc.constantFrom("Z", "+00:00", "+13:45", "-09:30"), ([y, mo, d, h, mi, s], zone) => {
        const text = `${y}-${mo}-${d}T${h}:${mi}:${s}${zone}`;
        const parsed = Date.parse(text);
        // The runtime lets 31 April through as 1 May.
        const isDate =
          !Number.isNaN(parsed) && new Date(Date.parse(`${y}-${mo}-${d}`)).toISOString().startsWith(`${y}-${mo}-${d}`);
        expect(readMoment(text, "start")).toBe(isDate ? parsed * 1000 : undefined);
        if (isDate)
          expect(readMoment(text.slice(0, 10), "end")! - readMoment(text.slice(0, 10), "start")!).toBe(DAY_US);
      }),
      { numRuns: 2000 },
    );
  });
});

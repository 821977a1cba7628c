// The disk guard: levels with their margins, the reserve, deletion of the oldest, the forecast.
import { expect, it } from "vitest";
import { DAY_MS, DiskForecast } from "../../../device/store/disk-forecast.js";
import { DiskGuard, type DiskLimits, type DiskReading, type DiskState } from "../../../device/store/disk-guard.js";

const MB = 1024 * 1024;
const HOUR_MS = DAY_MS / 24;
const LIMITS: DiskLimits = {
  earlyDays: 30,
  lateDays: 3,
  lateBytes: 2000 * MB,
  stopBytes: 200 * MB,
  reserveBytes: 300 * MB,
  atLimit: "stop",
};

function scene(own: Partial<DiskLimits> = {}) {
  const guard = new DiskGuard({ ...LIMITS, ...own });
  let atMs = 0;
  return (freeMb: number, more: Partial<DiskReading> = {}): DiskState => {
    atMs += 1000;
    const free = { atMs, freeBytes: freeMb * MB, totalBytes: 100_000 * MB, freeInodes: undefined };
    return guard.note({ ...free, heldBytes: 0, wasRefused: false, ...more });
  };
}
const held = { heldBytes: 300 * MB };

it("goes from level to level and comes back with a margin, so that it does not flutter", () => {
  const note = scene();
  const levels = [50_000, 2301, 2299, 2499, 2501, 501, 499, 549, 551, 2501].map((free) => note(free).level);
  expect(levels).toEqual(["ok", "ok", "late", "late", "ok", "late", "full", "full", "late", "ok"]);
});

it("takes no new calls while it is full, and only then", () => {
  const note = scene();
  expect([2500, 501, 499, 520, 560].map((free) => note(free).takesNewCalls)).toEqual([true, true, false, false, true]);
});

it("sets the reserve aside when space is short, not before, and not out of what is too short already", () => {
  const note = scene();
  expect(note(50_000).reserve).toBe("leave");
  expect(note(2200).reserve).toBe("make");
  expect(note(1900, held).reserve).toBe("leave");
  expect(note(540).reserve).toBe("leave");
});

it("gives the reserve up when little is left beside it or somebody was refused, and makes it anew when there is room", () => {
  const note = scene();
  expect(note(199, held)).toMatchObject({ level: "full", reserve: "leave" });
  expect(note(24, held)).toMatchObject({ level: "full", reserve: "give-up" });
  expect(note(324)).toMatchObject({ level: "full", takesNewCalls: false, reserve: "leave" });
  expect(note(100, { ...held, wasRefused: true }).reserve).toBe("give-up");
  expect(note(560)).toMatchObject({ takesNewCalls: true, reserve: "make" });
});

it("counts inodes as space", () => {
  const note = scene();
  expect(note(50_000, { freeInodes: 1_000_000 }).level).toBe("ok");
  expect(note(50_000, { freeInodes: 8000 }).level).toBe("late");
  expect(note(50_000, { freeInodes: 1000 }).takesNewCalls).toBe(false);
});

it("asks for deletion before recording would have to stop, by policy only", () => {
  expect(scene()(510).deleteBytes).toBe(0);
  const note = scene({ atLimit: "delete-oldest" });
  expect(note(601).deleteBytes).toBe(0);
  expect(note(599)).toMatchObject({ takesNewCalls: true, deleteBytes: 101 * MB });
  expect(note(650).deleteBytes).toBe(50 * MB);
  expect(note(700).deleteBytes).toBe(0);
  expect(note(650).deleteBytes).toBe(0);
});

it("works without a reserve", () => {
  const note = scene({ reserveBytes: 0 });
  expect([2100, 1990, 199].map((free) => note(free))).toMatchObject([
    { level: "ok", reserve: "leave" },
    { level: "late", reserve: "leave" },
    { level: "full", reserve: "leave", freeBytes: 199 * MB },
  ]);
});

it("forecasts from the load of the days before: late after an hour, early after a day", () => {
  const guard = new DiskGuard(LIMITS);
  const run = (fromH: number, toH: number, free: (h: number) => number): DiskState => {
    let state!: DiskState;
    for (let h = fromH; h <= toH; h += 1 / 60)
      state = guard.note({
        atMs: h * HOUR_MS,
        freeBytes: free(h) * MB,
        totalBytes: 100_000 * MB,
        freeInodes: undefined,
        heldBytes: 0,
        wasRefused: false,
      });
    return state;
  };
  // 100 MB an hour, 2.4 GB a day.
  const load = (h: number) => 50_500 - 100 * h;
  expect(run(0, 0.9, load)).toMatchObject({ daysLeft: undefined, bytesPerDay: undefined });
  const soon = run(0.9, 2, load);
  expect(soon.level).toBe("ok");
  expect(soon.daysLeft).toBeCloseTo(20.75, 0);
  expect(run(2, 25, load).level).toBe("early");
});

it("leaves out of the load what was freed or put there at one blow, and knows no end of a disk that empties", () => {
  const forecast = new DiskForecast();
  let free = 50_000;
  for (let minute = 0; minute <= 600; minute++) {
    free -= 10;
    if (minute === 200) free += 20_000;
    if (minute === 400) free -= 30_000;
    forecast.note(minute * 60_000, free * MB, 100_000 * MB);
  }
  expect(forecast.bytesPerDay! / MB).toBeCloseTo(14_400, -3);
  expect(forecast.daysFor(14_400 * MB)).toBeCloseTo(1, 1);
  const emptying = new DiskForecast();
  for (let hour = 0; hour < 48; hour++) emptying.note(hour * HOUR_MS, (1000 + hour) * MB, 100_000 * MB);
  expect(emptying.daysFor(10 * MB)).toBeUndefined();
});

it("remembers a week", () => {
  const forecast = new DiskForecast();
  for (let hour = 0; hour < 24 * 30; hour++) forecast.note(hour * HOUR_MS, (100_000 - hour) * MB, 1_000_000 * MB);
  // Hourly readings: a thousand of them.
  for (let minute = 0; minute < 60 * 24 * 8; minute += 10)
    forecast.note(24 * 30 * HOUR_MS + minute * 60_000, 5000 * MB, 1_000_000 * MB);
  expect(forecast.measuredMs).toBeLessThanOrEqual(7 * DAY_MS);
  expect(Math.abs(forecast.bytesPerDay!)).toBe(0);
});

// The wall clock as a value that is injected, and how a time is written. Media time never comes from here: it comes
// from packets.
import type { TimeUs } from "./ids.js";

export interface Clock {
  /** Wall clock, µs since 1970. May step. */
  nowUs(): TimeUs;
  /** Monotonic, ms; only differences mean anything. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  // Not performance.timeOrigin: it stays what it was when the process began, however the clock is set.
  nowUs: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
};

/** ISO 8601 in UTC with microseconds: `2026-11-21T09:00:00.123456Z`. */
export function isoUs(atUs: TimeUs): string {
  const wholeMs = Math.floor(atUs / 1000);
  const micros = Math.floor(atUs - wholeMs * 1000);
  return `${new Date(wholeMs).toISOString().slice(0, -1)}${String(micros).padStart(3, "0")}Z`;
}

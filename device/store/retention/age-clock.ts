// Whether recordings' ages can be told by the wall clock: nothing is deleted by a clock that is not set, that has jumped, or
// that is far ahead of when ages were told last. A pure judgement, and what it has to remember in `retention/clock.json`.
//
// Ages are told by a clock that ran on as time did: within a run by the monotonic clock, across runs by how long the box can
// have been off. After a jump, or a longer time off, the new time counts once the clock has kept to it for a day.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { isoUs } from "../../base/clock.js";
import type { CallId, TimeUs } from "../../base/ids.js";
import { makeFolders, replaceDurably } from "../durable-file.js";
import type { RecordingPaths } from "../recording-paths.js";
import { DAY_US } from "./decision.js";

/** A box that was off for longer waits for a day before it deletes. */
export const MAX_OFF_US = 31 * DAY_US;
/** More than clocks drift, and than a leap second or an hour's correction. */
export const MAX_STEP_US = 2 * 3600e6;
export const PROBATION_MS = 86_400_000;

export interface ClockSight {
  nowUs: TimeUs;
  monotonicMs: number;
  /** What the box knows of its clock: "" = synchronised, else what is wrong. */
  fault: string;
}

export interface AgeClockState {
  /** Ages were told last at this time; undefined = never. */
  acceptedUs: TimeUs | undefined;
  /** When that was in this run, undefined = in an earlier one. */
  acceptedAtMs: number | undefined;
  /** A time that is on probation: since when. */
  probation: { nowUs: TimeUs; monotonicMs: number } | undefined;
}

/** `newestUs`: end of the newest recording when the run began; undefined = none. `fault`: "" = ages can be told. */
export function judgeClock(
  state: AgeClockState,
  sight: ClockSight,
  newestUs: TimeUs | undefined,
): { state: AgeClockState; fault: string } {
  const { nowUs, monotonicMs } = sight;
  if (sight.fault !== "") return { state: { ...state, probation: undefined }, fault: sight.fault };
  const accepted: AgeClockState = { acceptedUs: nowUs, acceptedAtMs: monotonicMs, probation: undefined };
  if (isPlausible(state, sight, newestUs)) return { state: accepted, fault: "" };
  const { probation } = state;
  const elapsedMs = probation === undefined ? 0 : monotonicMs - probation.monotonicMs;
  const driftUs = probation === undefined ? 0 : Math.abs(nowUs - probation.nowUs - elapsedMs * 1000);
  if (probation !== undefined && driftUs <= MAX_STEP_US) {
    if (elapsedMs >= PROBATION_MS) return { state: accepted, fault: "" };
    return { state, fault: JUMPED };
  }
  return { state: { ...state, probation: { nowUs, monotonicMs } }, fault: JUMPED };
}

const JUMPED =
  "the clock is ahead of when it was looked at last: ages count again when it has kept to its time for a day";

function isPlausible(
  { acceptedUs, acceptedAtMs }: AgeClockState,
  { nowUs, monotonicMs }: ClockSight,
  newestUs: TimeUs | undefined,
): boolean {
  if (acceptedUs !== undefined && acceptedAtMs !== undefined)
    return nowUs <= acceptedUs + (monotonicMs - acceptedAtMs) * 1000 + MAX_STEP_US;
  const known = acceptedUs ?? newestUs;
  // Without any recording there is nothing to be deleted.
  return known === undefined || nowUs <= known + MAX_OFF_US;
}

const CLOCK_SCHEMA = "sidetone.age-clock/1";
/** Recordings without a date of their own that are remembered; further ones stay until there is room. */
const MAX_UNDATED = 10_000;

const isoTime = z.string().refine((text) => Number.isFinite(Date.parse(text)));
const fileSchema = z.object({
  schema: z.literal(CLOCK_SCHEMA),
  acceptedAt: isoTime.exactOptional(),
  undated: z.record(z.string(), isoTime),
});

/** `retention/clock.json`. A damaged file counts as none: then the newest recording says what is plausible. */
export class AgeClockFile {
  acceptedUs: TimeUs | undefined;
  /** Recordings that were made while the clock was not set → when they were seen first by one that was. */
  readonly undated = new Map<string, TimeUs>();
  readonly #path: string;
  readonly #folder: string;
  #written = "";

  constructor({ retentionFolder }: RecordingPaths) {
    this.#folder = retentionFolder;
    this.#path = join(retentionFolder, "clock.json");
    const file = read(this.#path);
    this.acceptedUs = file?.acceptedAt === undefined ? undefined : Date.parse(file.acceptedAt) * 1000;
    for (const [id, at] of Object.entries(file?.undated ?? {})) this.undated.set(id, Date.parse(at) * 1000);
  }

  /** When the recording counts as having ended; undefined = that cannot be said. */
  dateOf(id: CallId, nowUs: TimeUs): TimeUs | undefined {
    const known = this.undated.get(id);
    if (known !== undefined) return known;
    if (this.undated.size >= MAX_UNDATED) return undefined;
    this.undated.set(id, nowUs);
    return nowUs;
  }

  /** Durable when it returns. Throws file system errors. */
  write(): void {
    const { acceptedUs } = this;
    const text = `${JSON.stringify({
      schema: CLOCK_SCHEMA,
      ...(acceptedUs !== undefined && { acceptedAt: isoUs(acceptedUs) }),
      undated: Object.fromEntries([...this.undated].map(([id, atUs]) => [id, isoUs(atUs)])),
    })}\n`;
    if (text === this.#written) return;
    makeFolders(this.#folder);
    replaceDurably(this.#path, text, 0o600);
    this.#written = text;
  }
}

function read(path: string): z.output<typeof fileSchema> | undefined {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}

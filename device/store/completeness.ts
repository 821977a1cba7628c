// Counts what became of every call, by hour or day, out of the call log and the recordings that are there. Reads a day's file
// line by line; whatever the length of the log it holds the ids of one day.
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { CompletenessPeriod, CompletenessReport, MissingReason } from "../contract/completeness.js";
import { MISSING_KINDS } from "../contract/completeness.js";
import type { CallLogLine } from "../contract/manifest.js";
import { parseLogLine } from "./call-log-redaction.js";
import { RecordingPaths } from "./recording-paths.js";

const DAY_FILE = /^(\d{4}-\d\d-\d\d)\.jsonl$/;
const DAY_LENGTH = "2026-11-28".length;
const HOUR_LENGTH = "2026-11-28T09".length;

export interface CompletenessQuestion {
  /** ISO 8601 in UTC, of calls' starts; both ends belong to it. */
  from: string;
  to: string;
  by: "hour" | "day";
}

/** Throws file system errors; a data folder without calls has none. */
export async function countCompleteness(
  dataFolder: string,
  { from, to, by }: CompletenessQuestion,
): Promise<CompletenessReport> {
  const paths = new RecordingPaths(dataFolder);
  const periods = new Map<string, CompletenessPeriod>();
  let badLines = 0;
  // Starts have microseconds, questions milliseconds: as text, what begins alike and goes on is later.
  const first = from.replace(/Z$/, "");
  for (const name of dayFiles(paths.callsFolder, from, to)) {
    // A call that was logged again after a crash is one.
    const seen = new Set<string>();
    for await (const text of linesOf(join(paths.callsFolder, name))) {
      if (text === "") continue;
      const line = parseLogLine(text);
      if (line === undefined) {
        badLines++;
        continue;
      }
      if (seen.has(line.id) || line.startedAt < first || line.startedAt > to) continue;
      seen.add(line.id);
      count(periods, line.startedAt.slice(0, by === "day" ? DAY_LENGTH : HOUR_LENGTH), fateOf(line, paths));
    }
  }
  const all = [...periods.values()].toSorted((a, b) => (a.period < b.period ? -1 : 1));
  const total = sumOf(all);
  const faults = Object.entries(total.missing)
    .filter(([reason]) => MISSING_KINDS[reason as MissingReason] === "fault")
    .reduce((sum, [, calls]) => sum + calls, 0);
  return { periods: all, total, faults, badLines };
}

/** undefined: it is recorded. */
function fateOf({ noAudio, deleted, file }: CallLogLine, { dataFolder }: RecordingPaths): MissingReason | undefined {
  if (noAudio !== "") return noAudio;
  if (deleted !== undefined) return "deleted";
  return existsSync(join(dataFolder, file)) ? undefined : "file-missing";
}

function count(periods: Map<string, CompletenessPeriod>, period: string, missing: MissingReason | undefined): void {
  const one = periods.get(period) ?? { period, seen: 0, recorded: 0, missing: {} };
  periods.set(period, one);
  one.seen++;
  if (missing === undefined) one.recorded++;
  else one.missing[missing] = (one.missing[missing] ?? 0) + 1;
}

function sumOf(periods: readonly CompletenessPeriod[]): CompletenessReport["total"] {
  const total: CompletenessReport["total"] = { seen: 0, recorded: 0, missing: {} };
  for (const { seen, recorded, missing } of periods) {
    total.seen += seen;
    total.recorded += recorded;
    for (const [reason, calls] of Object.entries(missing) as [MissingReason, number][])
      total.missing[reason] = (total.missing[reason] ?? 0) + calls;
  }
  return total;
}

function dayFiles(folder: string, from: string, to: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => {
      const day = DAY_FILE.exec(name)?.[1];
      return day !== undefined && day >= from.slice(0, DAY_LENGTH) && day <= to.slice(0, DAY_LENGTH);
    })
    .sort();
}

function linesOf(path: string): AsyncIterable<string> {
  return createInterface({ input: createReadStream(path, "utf8"), crlfDelay: Number.POSITIVE_INFINITY });
}

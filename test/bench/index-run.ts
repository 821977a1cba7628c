// How long the index takes: each listing query over a year's worth of calls, first page and a page by cursor, and how many calls a
// second it is made of, out of generated entries and out of files.
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CallFilter } from "../../device/store/index/call-source.js";
import { openForBuilding } from "../../device/store/index/database.js";
import { entryOf } from "../../device/store/index/entry.js";
import { EntryWriter } from "../../device/store/index/entry-writer.js";
import { CallListing, type ListingOrder } from "../../device/store/index/listing.js";
import { IndexRebuild } from "../../device/store/index/rebuild.js";
import { RecordingPaths } from "../../device/store/recording-paths.js";
import { type GeneratedCall, generateCalls, storeCall } from "../fakes/indexed-calls.js";

const NUMBERS = {
  ...{ countryCode: "49", internationalPrefix: "00", nationalPrefix: "0", areaCode: "" },
  ...{ outsideLinePrefix: "", shortestNumber: 7 },
};
const DAY_US = 86_400e6;
const FIRST_US = Date.UTC(2025, 10, 1) * 1000;
/** Two files a call: more would measure the disk. */
const MAX_REBUILT = 10_000;
const REPEATS = 25;
const LIMIT = 100;
/** The page by cursor is so far down, if there are as many. */
const PAGES_DOWN = 20;
const BATCH = 256;
const COLLECTED_BUT = 5000;

export const QUERIES: Readonly<Record<string, CallFilter>> = {
  newest: {},
  "a day": { fromUs: FIRST_US + 100 * DAY_US, toUs: FIRST_US + 101 * DAY_US },
  agent: { agent: "21" },
  number: { number: "030 1000007" },
  "end of a number": { number: "0007" },
  consent: { consent: "granted" },
  policy: { policy: "none" },
  outcome: { outcome: "no-consent" },
  "rare long calls": { minDurationMs: 7_000_000 },
  "longer than a minute": { minDurationMs: 60_000 },
  "rare tag": { tag: "complaint" },
  "frequent tag": { tag: "archived" },
  "six filters": {
    ...{ agent: "21", consent: "granted", policy: "agent-only", minDurationMs: 60_000 },
    ...{ fromUs: FIRST_US, toUs: FIRST_US + 200 * DAY_US },
  },
  "two broad filters": { policy: "none", tag: "archived" },
  "policy and duration that never meet": { policy: "none", minDurationMs: 1000 },
  "policy and outcome that never meet": { policy: "none", outcome: "recorded" },
  "consent, policy and duration that never meet": { consent: "granted", policy: "none", minDurationMs: 1 },
};

/** In order of arrival, as whoever takes recordings asks. */
export const ARRIVAL_QUERIES: Readonly<Record<string, CallFilter>> = {
  "all of them": {},
  recordings: { outcome: "recorded" },
  "recordings that one has not": { outcome: "recorded", acknowledged: { by: "crm", is: false } },
  "recordings of an agent": { outcome: "recorded", agent: "21" },
  "a rare tag": { outcome: "recorded", tag: "complaint" },
  "policy and outcome that never meet": { policy: "none", outcome: "recorded" },
};

export interface QueryTimes {
  found: number;
  firstPageMs: { median: number; max: number };
  laterPageMs: { median: number; max: number };
}

/** In `folder`, which is left as it was. */
export function measureIndex(folder: string, count: number) {
  const own = join(folder, "index-bench");
  mkdirSync(own);
  try {
    const rebuild = measureRebuild(own, Math.min(count, MAX_REBUILT));
    return {
      calls: count,
      limit: LIMIT,
      repeats: REPEATS,
      ...measureListings(join(own, "calls.sqlite"), count),
      rebuild,
    };
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

function measureListings(path: string, count: number) {
  const database = openForBuilding(path);
  const startedMs = performance.now();
  insert(new EntryWriter(database, NUMBERS), count);
  const insertedPerSecond = perSecond(count, startedMs);
  const listing = new CallListing(database, NUMBERS);
  const queries = Object.fromEntries(
    Object.entries(QUERIES).map(([name, filter]) => [name, timesOf(listing, filter, "time")] as const),
  );
  const arrivals = Object.fromEntries(
    Object.entries(ARRIVAL_QUERIES).map(([name, filter]) => [name, timesOf(listing, filter, "arrival")] as const),
  );
  database.close();
  const slowestMs = Math.max(
    ...[queries, arrivals]
      .flatMap((all) => Object.values(all))
      .flatMap((times) => [times.firstPageMs.max, times.laterPageMs.max]),
  );
  return { insertedPerSecond, databaseBytes: statSync(path).size, slowestMs, queries, arrivals };
}

function insert(writer: EntryWriter, count: number): void {
  let batch: GeneratedCall[] = [];
  let done = 0;
  const flush = (): void =>
    writer.transaction(() => {
      for (const { line, manifest } of batch) {
        writer.put(entryOf({ line, manifest, folder: "" })!);
        done++;
        if (done % 200 === 0) writer.setTags(line.id, ["complaint"]);
        if (done % 3 === 0) writer.setTags(line.id, ["archived"]);
        // All but the last thousands: as of somebody who is nearly done.
        if (manifest && done < count - COLLECTED_BUT)
          writer.collect(line.id, { by: "crm", at: line.endedAt, sha256: manifest.audio.sha256, isWithdrawn: false });
      }
      batch = [];
    });
  for (const call of generateCalls({ seed: 5, count, firstUs: FIRST_US, spanUs: 365 * DAY_US, callers: 50_000 })) {
    batch.push(call);
    if (batch.length === BATCH) flush();
  }
  flush();
}

function timesOf(listing: CallListing, filter: CallFilter, order: ListingOrder): QueryTimes {
  let cursor = "";
  for (let page = 0; page < PAGES_DOWN; page++) {
    const { next } = listing.list(filter, { order, limit: LIMIT, cursor });
    if (next === "") break;
    cursor = next;
  }
  const { calls } = listing.list(filter, { order, limit: LIMIT });
  const timed = (from: string) => timesFrom(listing, filter, order, from);
  return { found: calls.length, firstPageMs: timed(""), laterPageMs: timed(cursor) };
}

function timesFrom(listing: CallListing, filter: CallFilter, order: ListingOrder, cursor: string) {
  const times = Array.from({ length: REPEATS }, () => {
    const startedMs = performance.now();
    listing.list(filter, { order, limit: LIMIT, cursor });
    return performance.now() - startedMs;
  }).sort((a, b) => a - b);
  return { median: times[REPEATS >> 1]!, max: times.at(-1)! };
}

function measureRebuild(folder: string, count: number) {
  for (const call of generateCalls({ seed: 6, count, firstUs: FIRST_US, spanUs: 12 * DAY_US })) storeCall(folder, call);
  const startedMs = performance.now();
  const rebuild = new IndexRebuild(new RecordingPaths(folder), NUMBERS);
  const steps = rebuild.steps();
  let step = steps.next();
  while (!step.done) step = steps.next();
  return { calls: step.value.calls, files: step.value.files, callsPerSecond: perSecond(count, startedMs) };
}

function perSecond(count: number, sinceMs: number): number {
  return Math.round((count * 1000) / (performance.now() - sinceMs));
}

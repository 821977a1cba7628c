// Listings against a naive filter over the same calls, whatever is asked for together; and that SQLite goes through an index for
// each of them.
import type { Database } from "better-sqlite3";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CallId } from "../../../../device/base/ids.js";
import { type CallOutcome, type ListedAcknowledgement, outcomeOf } from "../../../../device/contract/listing.js";
import type { CallFilter } from "../../../../device/store/index/call-source.js";
import { openForBuilding } from "../../../../device/store/index/database.js";
import { entryOf, type IndexEntry, numberKey, usOfIso } from "../../../../device/store/index/entry.js";
import { EntryWriter, keyOf } from "../../../../device/store/index/entry-writer.js";
import { CallListing } from "../../../../device/store/index/listing.js";
import { generateCalls } from "../../../fakes/indexed-calls.js";
import { DAY_US, FIRST_US, NUMBERS } from "./index-kit.js";

const COUNT = 5000;
const TAGS = ["complaint", "training"];
let database: Database;
let listing: CallListing;
let entries: (IndexEntry & { tags: string[]; acknowledgements: ListedAcknowledgement[] })[];
/** By entry: when it began, and the numbers of its parties in the form in which they are compared. */
const facts = new Map<CallId, { startedUs: number; keys: string[] }>();

beforeAll(() => {
  database = openForBuilding(":memory:");
  const writer = new EntryWriter(database, NUMBERS);
  entries = [];
  writer.transaction(() => {
    for (const { line, manifest } of generateCalls({ seed: 7, count: COUNT, firstUs: FIRST_US, spanUs: 10 * DAY_US })) {
      const entry = entryOf({ line, manifest, folder: "" })!;
      writer.put(entry);
      const tags = TAGS.filter((_, i) => entries.length % (i === 0 ? 2 : 700) === 0);
      if (tags.length > 0) writer.setTags(entry.id, tags);
      const has = entry.recording !== undefined && entries.length % 3 === 0;
      const said = { by: "crm", at: entry.endedAt };
      if (has) writer.collect(entry.id, { ...said, sha256: entry.recording!.sha256, isWithdrawn: false });
      entries.push({ ...entry, tags, acknowledgements: has ? [said] : [] });
      const keys = entry.parties.map((party) => numberKey(party.number, NUMBERS));
      facts.set(entry.id, { startedUs: usOfIso(entry.startedAt)!, keys });
    }
  });
  database.exec("ANALYZE");
  listing = new CallListing(database, NUMBERS);
});
afterAll(() => database.close());

function naive(filter: CallFilter): CallId[] {
  const { fromUs = -1, toUs = Number.POSITIVE_INFINITY, minDurationMs = 0, maxDurationMs = 1e12 } = filter;
  const { agent, number, consent, policy, tag, outcome, acknowledged } = filter;
  const asked = (wanted = "") => ({
    key: numberKey(wanted, NUMBERS),
    end: !numberKey(wanted, NUMBERS).startsWith("+") && /^\d{3,}$/.test(wanted) ? wanted : undefined,
  });
  const [askedNumber, askedAgent] = [asked(number), asked(agent)];
  const isNumber = (key: string, { key: wanted, end }: ReturnType<typeof asked>): boolean =>
    key === wanted || (end !== undefined && key.endsWith(end));
  const fits = (entry: (typeof entries)[number]): boolean => {
    const { startedUs, keys } = facts.get(entry.id)!;
    return (
      startedUs >= fromUs &&
      startedUs < toUs &&
      entry.durationMs >= minDurationMs &&
      entry.durationMs <= maxDurationMs &&
      (policy === undefined || entry.policy === policy) &&
      (outcome === undefined || outcomeOf(entry) === outcome) &&
      (tag === undefined || entry.tags.includes(tag)) &&
      (acknowledged === undefined ||
        entry.acknowledgements.some(({ by }) => by === acknowledged.by) === acknowledged.is) &&
      (consent === undefined || entry.parties.some((party) => party.role !== "agent" && party.consent === consent)) &&
      (number === undefined || keys.some((key) => isNumber(key, askedNumber))) &&
      (agent === undefined || entry.parties.some(({ role }, i) => role === "agent" && isNumber(keys[i]!, askedAgent)))
    );
  };
  return entries
    .filter(fits)
    .sort((a, b) => facts.get(b.id)!.startedUs - facts.get(a.id)!.startedUs || keyOf(b.id) - keyOf(a.id))
    .map(({ id }) => id);
}

/** The first `most` pages. */
function pages(filter: CallFilter, limit: number, most: number): CallId[] {
  const found: CallId[] = [];
  for (let page = 0, cursor = ""; page < most; page++) {
    const { calls, next } = listing.list(filter, { limit, cursor });
    found.push(...calls.map(({ id }) => id));
    if (next === "") break;
    cursor = next;
  }
  return found;
}

const maybe = <Value>(...values: Value[]) => fc.option(fc.constantFrom(...values), { nil: undefined, freq: 1 });
const anyFilter = fc
  .record({
    fromUs: maybe(FIRST_US, FIRST_US + DAY_US, FIRST_US + 9.5 * DAY_US),
    toUs: maybe(FIRST_US, FIRST_US + 2 * DAY_US, FIRST_US + 20 * DAY_US),
    agent: maybe("20", "37", "99"),
    number: maybe("+49301000007", "030 1000007", "0049301000007", "007", "1007", "25", "nobody", "00"),
    consent: maybe("granted", "refused", "not-required"),
    policy: maybe("agent-only", "none"),
    minDurationMs: maybe(0, 60_000, 3_600_000),
    maxDurationMs: maybe(0, 30_000, 7_000_000),
    tag: maybe("complaint", "training", "unknown"),
    outcome: maybe<CallOutcome>("recorded", "policy-none", "disk-full"),
    acknowledged: maybe({ by: "crm", is: true }, { by: "crm", is: false }, { by: "archive", is: false }),
  })
  .map((record) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as CallFilter);

test("every combination of filters finds what a naive search finds, page by page", () => {
  fc.assert(
    fc.property(anyFilter, fc.constantFrom(3, 20, 150), (filter, limit) => {
      // The first pages of long lists are enough.
      const expected = naive(filter).slice(0, 4 * limit);
      expect(pages(filter, limit, 4)).toEqual(expected);
    }),
    { numRuns: 60, seed: 11 },
  );
});

test("in order of arrival every combination of filters finds the same, in steps that are bounded", () => {
  const bounded = new CallListing(database, NUMBERS, { few: 300, passed: 1000 });
  fc.assert(
    fc.property(anyFilter, fc.constantFrom(150, 500), (filter, limit) => {
      const found: CallId[] = [];
      let [cursor, pages] = ["", 0];
      do {
        const { calls, next, resume } = bounded.list(filter, { order: "arrival", limit, cursor });
        found.push(...calls.map(({ id }) => id));
        expect(next === "" || next === resume).toBe(true);
        cursor = next;
        pages++;
      } while (cursor !== "");
      expect(found).toEqual(naive(filter).reverse());
      expect(pages).toBeLessThanOrEqual(COUNT / 1000 + found.length / limit + 1);
    }),
    { numRuns: 8, seed: 12 },
  );
});

test.each<CallFilter>([{}, { outcome: "recorded" }, { consent: "granted" }, { policy: "agent-only", number: "007" }])(
  "%j comes in order of arrival by itself where it is frequent",
  (filter) => {
    const plan = new CallListing(database, NUMBERS, { few: 1, passed: 1000 }).explain(filter, "", "arrival");
    expect(plan[0]).toMatch(/^SEARCH c USING COVERING INDEX calls_by_arrival/);
    expect(plan.join()).not.toContain("ORDER BY");
  },
);

test("small pages neither lose nor double a call, also while new ones come in", () => {
  const filter = { policy: "none" } as const;
  const expected = naive(filter);
  const first = listing.list(filter, { limit: 50 });
  const { line } = [...generateCalls({ seed: 8, count: 30, firstUs: FIRST_US + 20 * DAY_US, spanUs: DAY_US })].find(
    (call) => call.line.policy === "none",
  )!;
  const writer = new EntryWriter(database, NUMBERS);
  writer.transaction(() => writer.put(entryOf({ line, folder: "" })!));
  const rest = listing.list(filter, { limit: 500, cursor: first.next });
  expect([...first.calls, ...rest.calls].map(({ id }) => id)).toEqual(expected.slice(0, 550));
  writer.transaction(() => writer.remove(line.id));
});

test.each<[string, CallFilter, RegExp]>([
  ["nothing", {}, /^SCAN c USING COVERING INDEX calls_by_time$/],
  ["a time", { fromUs: FIRST_US, toUs: FIRST_US + DAY_US }, /^SEARCH c USING COVERING INDEX calls_by_time/],
  ["an agent", { agent: "20" }, /^SEARCH postings USING PRIMARY KEY \(facet=\?/],
  ["a number", { number: "0301000007" }, /^SEARCH postings USING PRIMARY KEY \(facet=\?/],
  ["the end of a number", { number: "007" }, /^SEARCH postings USING PRIMARY KEY \(facet=\?/],
  ["consent", { consent: "granted" }, /^SEARCH postings USING PRIMARY KEY \(facet=\?/],
  ["a policy", { policy: "agent-only" }, /^SEARCH postings USING PRIMARY KEY \(facet=\?/],
  ["a rare duration", { minDurationMs: 6_000_000 }, /INDEX calls_by_duration/],
  ["a frequent duration", { minDurationMs: 0 }, /USING COVERING INDEX calls_by_time/],
  ["an outcome", { outcome: "no-consent" }, /^SEARCH postings USING PRIMARY KEY \(facet=\?/],
  ["a tag", { tag: "training" }, /^SEARCH postings USING PRIMARY KEY \(facet=\?/],
])("listing by %s goes through an index", (_, filter, first) => {
  const plan = listing.explain(filter);
  expect(plan[0]).toMatch(first);
  for (const step of plan) expect(step).not.toMatch(/^SCAN (?!c USING COVERING INDEX calls_by_time)/);
});

test.each<CallFilter>([{}, { agent: "20" }, { consent: "granted" }, { policy: "agent-only", consent: "granted" }])(
  "%j comes in order by itself: nothing is sorted",
  (filter) => {
    for (const step of listing.explain(filter)) expect(step).not.toContain("ORDER BY");
  },
);

test("a listed call has what its files have", () => {
  const withAudio = entries.findLast(({ noAudio }) => noAudio === "")!;
  const { evidence: _, ...expected } = withAudio;
  expect(listing.find(withAudio.id)).toEqual(expected);
  expect(listing.find("01KAJ5QX00ABCDEFGHJKMNPQRS" as CallId)).toBeUndefined();
});

test("recordings are listed by their end and class, for retention", () => {
  const beforeUs = FIRST_US + DAY_US;
  const due = entries
    .filter(({ endedAt, recording }) => recording?.retention === "short" && usOfIso(endedAt)! < beforeUs)
    .sort((a, b) => a.endedAt.localeCompare(b.endedAt));
  expect(listing.endedBefore(beforeUs, 10_000, "short").map(({ id }) => id)).toEqual(due.map(({ id }) => id));
  expect(listing.endedBefore(beforeUs, 3)).toHaveLength(3);
});

test.each(["x", "MS4y.", "!!", Buffer.from("1.2.3").toString("base64url")])("%s is no cursor", (cursor) => {
  expect(() => listing.list({}, { cursor })).toThrow(RangeError);
});

test.each([0, 501, 1.5])("a page of %d is refused", (limit) => {
  expect(() => listing.list({}, { limit })).toThrow(RangeError);
});

test("keys keep the order of names and stay exact numbers", () => {
  const ids = [...generateCalls({ seed: 3, count: 200, firstUs: 0, spanUs: 3.7e15 })].map(({ line }) => line.id).sort();
  const keys = ids.map(keyOf);
  expect(keys.every(Number.isSafeInteger)).toBe(true);
  for (let i = 1; i < keys.length; i++) expect(keys[i]).toBeGreaterThanOrEqual(keys[i - 1]!);
});

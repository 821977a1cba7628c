// Whoever takes recordings in order of arrival, page by page, while calls are written, recovered, tagged, deleted and forgotten,
// while the index is made anew, and while power cuts take its last writes: none is missed, and none comes twice but for those two.
import Sqlite, { type Database } from "better-sqlite3";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { CallId } from "../../device/base/ids.js";
import { outcomeOf } from "../../device/contract/listing.js";
import { StaleCursor } from "../../device/store/index/arrival.js";
import { openForBuilding } from "../../device/store/index/database.js";
import { entryOf, type IndexEntry, redacted } from "../../device/store/index/entry.js";
import { EntryWriter } from "../../device/store/index/entry-writer.js";
import { CallListing, type CallPage } from "../../device/store/index/listing.js";
import { generateCalls } from "../fakes/indexed-calls.js";
import { DAY_US, FIRST_US, NUMBERS } from "../unit/store/index/index-kit.js";

const POOL = 40;
const calls = [...generateCalls({ seed: 21, count: POOL * 4, firstUs: FIRST_US, spanUs: DAY_US })]
  .filter(({ manifest }) => manifest !== undefined)
  .slice(0, POOL)
  .map(({ line, manifest }) => ({
    whole: entryOf({ line, manifest, folder: "" })!,
    lost: entryOf({ line: { ...line, noAudio: "journal-locked", file: "" }, folder: "" })!,
  }));

const OPERATIONS = ["store", "lose", "tag", "delete", "forget", "settle", "cut", "rebuild", "pull"] as const;
type Step = { operation: (typeof OPERATIONS)[number]; call: number };

class Box {
  /** What the files have. */
  readonly files = new Map<CallId, IndexEntry>();
  database: Database = openForBuilding(":memory:");
  /** What of the index is durable. */
  #durable = this.database.serialize();

  put(entry: IndexEntry): void {
    const before = this.files.get(entry.id);
    if (before?.deleted !== undefined || (before?.recording !== undefined && entry.recording === undefined)) return;
    this.files.set(entry.id, entry);
    this.#write((writer) => writer.put(entry));
  }

  delete(id: CallId): void {
    const before = this.files.get(id);
    if (before === undefined) return;
    const entry = redacted(before, "request");
    this.files.set(id, entry);
    this.#write((writer) => writer.redact(entry));
  }

  forget(id: CallId): void {
    this.files.delete(id);
    this.#write((writer) => writer.remove(id));
  }

  tag(id: CallId): void {
    this.#write((writer) => writer.changeTags(id, { added: ["vip"], removed: [] }));
  }

  settle(): void {
    this.#durable = this.database.serialize();
  }

  /** As CallIndex does it: numbers are left out, and what the files have is taken in, whatever the index has of it. */
  cut(): void {
    this.database.close();
    this.database = new Sqlite(this.#durable);
    this.#write((writer) => writer.arrivals.skip());
    this.settle();
    this.#takeIn();
  }

  rebuild(): void {
    this.database.close();
    this.database = openForBuilding(":memory:");
    this.settle();
    this.#takeIn();
  }

  #takeIn(): void {
    const indexed = this.database.prepare("SELECT id FROM calls").pluck().all() as CallId[];
    for (const id of indexed) if (!this.files.has(id)) this.#write((writer) => writer.remove(id));
    for (const entry of [...this.files.values()].reverse()) this.#write((writer) => writer.put(entry));
  }

  #write(work: (writer: EntryWriter) => void): void {
    const writer = new EntryWriter(this.database, NUMBERS);
    writer.transaction(() => work(writer));
  }
}

class Puller {
  readonly has = new Map<CallId, string>();
  readonly doubled: CallId[] = [];
  #cursor = "";
  /** Calls that may come again: they were taken before the last cut or rebuild. */
  #old = new Set<CallId>();

  mayComeAgain(): void {
    this.#old = new Set(this.has.keys());
  }

  /** False at the end. */
  pull(box: Box): boolean {
    const page = this.#page(new CallListing(box.database, NUMBERS, { few: 4, passed: 7 }));
    for (const { id, recording } of page.calls) {
      if (this.has.get(id) === recording!.sha256 && !this.#old.delete(id)) this.doubled.push(id);
      this.has.set(id, recording!.sha256);
    }
    this.#cursor = page.resume;
    return page.next !== "";
  }

  #page(listing: CallListing): CallPage {
    const page = (): CallPage =>
      listing.list({ outcome: "recorded" }, { order: "arrival", limit: 3, cursor: this.#cursor });
    try {
      return page();
    } catch (error) {
      if (!(error instanceof StaleCursor)) throw error;
      this.#cursor = "";
      return page();
    }
  }
}

function carryOut({ operation, call }: Step, box: Box, puller: Puller): void {
  const { whole, lost } = calls[call]!;
  if (operation === "store") box.put(whole);
  if (operation === "lose") box.put(lost);
  if (operation === "tag") box.tag(whole.id);
  if (operation === "delete") box.delete(whole.id);
  if (operation === "forget") box.forget(whole.id);
  if (operation === "settle") box.settle();
  if (operation === "cut") box.cut();
  if (operation === "rebuild") box.rebuild();
  if (operation === "cut" || operation === "rebuild") puller.mayComeAgain();
  if (operation === "pull") puller.pull(box);
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  operation: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom("store" as const) },
    { weight: 4, arbitrary: fc.constantFrom("lose" as const) },
    { weight: 6, arbitrary: fc.constantFrom("pull" as const) },
    { weight: 4, arbitrary: fc.constantFrom("tag" as const, "delete" as const, "settle" as const) },
    { weight: 1, arbitrary: fc.constantFrom("forget" as const, "cut" as const, "rebuild" as const) },
  ),
  call: fc.nat(POOL - 1),
});

test("none is missed and none comes twice", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 20, maxLength: 120 }), (steps) => {
      const box = new Box();
      const puller = new Puller();
      const forgotten = new Set<CallId>();
      for (const step of steps) {
        carryOut(step, box, puller);
        // What went from the disk and came back is another call to whoever takes them.
        if (step.operation === "forget") forgotten.add(calls[step.call]!.whole.id);
      }
      while (puller.pull(box));
      expect(puller.doubled.filter((id) => !forgotten.has(id))).toEqual([]);
      for (const [id, entry] of box.files)
        if (outcomeOf(entry) === "recorded") expect(puller.has.get(id)).toBe(entry.recording!.sha256);
      box.database.close();
    }),
    { numRuns: 40, seed: 7 },
  );
});

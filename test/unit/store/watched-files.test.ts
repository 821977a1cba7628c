// Which contents of a watched file nobody has explained, across restarts and in whatever order changes are told.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Step, WatchedFiles } from "../../../device/store/watched-files.js";
import { makeFolder, removeFolder } from "./store-kit.js";

const FILE = "keys/tokens.json";
let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const open = (): WatchedFiles => new WatchedFiles(folder);
const step = (before: string, after: string): Step => ({ before, after });
/** As after a restart. */
function seen(sha256: string): WatchedFiles {
  const watched = open();
  watched.settle(FILE, sha256);
  watched.save();
  return open();
}
const hands = (...contents: string[]) => contents.map((sha256) => ({ sha256, how: "by hand" }));

describe("WatchedFiles", () => {
  it("names what it sees first, unless there is nothing, and nothing that stays", () => {
    expect(open().settle(FILE, "a")).toEqual([{ sha256: "a", how: "first seen" }]);
    expect(open().settle(FILE, "")).toEqual([]);
    expect(seen("a").settle(FILE, "a")).toEqual([]);
    expect(seen("").settle(FILE, "a")).toEqual(hands("a"));
    expect(seen("a").settle(FILE, "")).toEqual(hands(""));
  });

  it("does not name what was explained, before its first look either, nor after a restart", () => {
    const fresh = open();
    fresh.explain(FILE, step("", "a"));
    expect(open().settle(FILE, "a")).toEqual([]);
    const known = seen("a");
    known.explain(FILE, step("a", "b"));
    expect(open().settle(FILE, "b")).toEqual([]);
  });

  it("names a change by hand before, between and behind explained ones", () => {
    const watched = seen("a");
    watched.explain(FILE, step("x", "b"));
    watched.explain(FILE, step("b", "c"));
    watched.explain(FILE, step("y", "d"));
    expect(watched.settle(FILE, "z")).toEqual(hands("x", "y", "z"));
    expect(watched.settle(FILE, "z")).toEqual([]);
  });

  it("names an earlier content that somebody put back", () => {
    const watched = seen("a");
    watched.explain(FILE, step("a", "b"));
    watched.explain(FILE, step("b", "c"));
    expect(watched.settle(FILE, "b")).toEqual(hands("b"));
  });

  it("takes an explanation that comes late, or twice, for no second change", () => {
    const watched = seen("a");
    expect(watched.settle(FILE, "b")).toEqual(hands("b"));
    watched.explain(FILE, step("a", "b"));
    expect(watched.settle(FILE, "b")).toEqual([]);
  });

  it("counts a state that is damaged as none", () => {
    seen("a");
    writeFileSync(join(folder, "audit/watched.json"), "{");
    expect(open().settle(FILE, "b")).toEqual([{ sha256: "b", how: "first seen" }]);
  });

  it("keeps so many steps at most, and then names the forgotten rather than nothing", () => {
    const watched = seen("0");
    for (let number = 0; number < 150; number++) watched.explain(FILE, step(`x${number}`, `y${number}`));
    expect(watched.settle(FILE, "y149").length).toBeGreaterThan(100 - 1);
  });

  it("names exactly the changes by hand, in whatever order commands are told", () => {
    const change = fc.record({ isByHand: fc.boolean(), rank: fc.integer() });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), fc.infiniteStream(fc.boolean()), (changes, looks) => {
        const watched = open();
        watched.settle(FILE, "c0");
        const named: string[] = [];
        let told: { step: Step; rank: number }[] = [];
        const look = (content: string): void => {
          for (const one of told.sort((a, b) => a.rank - b.rank)) watched.explain(FILE, one.step);
          told = [];
          named.push(...watched.settle(FILE, content).map(({ sha256 }) => sha256));
        };
        changes.forEach(({ isByHand, rank }, at) => {
          if (!isByHand) told.push({ step: step(`c${at}`, `c${at + 1}`), rank });
          if (looks.next().value) look(`c${at + 1}`);
        });
        look(`c${changes.length}`);
        const byHand = changes.flatMap(({ isByHand }, at) => (isByHand ? [`c${at + 1}`] : []));
        expect(named.length > 0).toBe(byHand.length > 0);
        for (const content of named) expect(byHand).toContain(content);
      }),
      { numRuns: 100, seed: 5 },
    );
  });
});

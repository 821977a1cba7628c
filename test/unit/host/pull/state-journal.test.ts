// The journal of a folder: what was noted is there after a kill at any byte, a damaged line costs no recording, and it does not
// grow without end.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeCallId } from "../../../../device/base/ids.js";
import { type PulledRecording, StateJournal } from "../../../../host/pull/state-journal.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-pull-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = (): string => join(folder, "state.jsonl");
const idOf = (number: number): string => makeCallId(1.7e15, Buffer.from(String(number).padStart(10, "0")));
const recording = (number: number, changes: Partial<PulledRecording> = {}): PulledRecording => ({
  ...{ id: idOf(number), state: "listed", name: "", tags: ["a"], sha256: "", owes: [], fault: "" },
  ...changes,
});
const stored = (number: number, changes: Partial<PulledRecording> = {}): PulledRecording =>
  recording(number, { state: "stored", name: `day/${idOf(number)}`, sha256: "f".repeat(64), ...changes });

describe("a folder's journal", () => {
  it("has what was noted: box, cursors, recordings in order, what is owed", async () => {
    const journal = await StateJournal.open(folder);
    await journal.setBox({ device: "box", key: "ab" });
    await journal.noteListed([recording(1), recording(2), recording(3)], "all", "c3");
    await Promise.all([journal.note(stored(2)), journal.note(stored(1, { owes: ["delete"] }))]);
    await journal.close();
    const again = await StateJournal.open(folder);
    expect(again.box).toEqual({ device: "box", key: "ab" });
    expect([again.cursor("all"), again.cursor("other")]).toEqual(["c3", ""]);
    expect(again.unfinished()).toEqual([stored(1, { owes: ["delete"] }), recording(3)]);
    expect(again.find(idOf(2))).toEqual(stored(2));
    expect(again.unfinishedCount).toBe(2);
    await again.close();
  });

  it("cut off at any byte has every page whole or not at all, and takes more", async () => {
    const journal = await StateJournal.open(folder);
    await journal.setBox({ device: "box", key: "ab" });
    for (let page = 0; page < 3; page++)
      await journal.noteListed([recording(2 * page), recording(2 * page + 1)], "all", `c${page}`);
    await journal.close();
    const whole = readFileSync(path());
    for (let length = 0; length <= whole.length; length += 7) {
      writeFileSync(path(), whole.subarray(0, length));
      const cut = await StateJournal.open(folder);
      const pages = cut.cursor("all") === "" ? 0 : Number(cut.cursor("all").slice(1)) + 1;
      // A page of which the cursor is lost is listed again.
      expect(cut.unfinishedCount).toBeGreaterThanOrEqual(2 * pages);
      expect(cut.damagedLines).toBe(0);
      await cut.note(stored(99));
      await cut.close();
      const after = await StateJournal.open(folder);
      expect(after.find(idOf(99))).toEqual(stored(99));
      await after.close();
    }
  });

  it("reads everything again when a line is damaged, whatever was done to it", async () => {
    const journal = await StateJournal.open(folder);
    await journal.noteListed([recording(1), recording(2)], "all", "c");
    await journal.close();
    const whole = readFileSync(path());
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 2), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const spoilt = Buffer.from(whole);
        spoilt[at]! ^= mask;
        writeFileSync(path(), spoilt);
        const opened = await StateJournal.open(folder);
        await opened.close();
        const hasAll = opened.unfinishedCount === 2 && opened.cursor("all") === "c";
        expect(hasAll || opened.cursor("all") === "").toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it("is written anew when it has grown, and forgets the oldest that are finished, and says so", async () => {
    const journal = await StateJournal.open(folder, 50);
    await journal.setBox({ device: "box", key: "ab" });
    await journal.noteListed([recording(0)], "all", "c");
    for (let round = 0; round < 30; round++)
      await Promise.all(Array.from({ length: 200 }, (_, i) => journal.note(stored(1 + round * 10 + (i % 10)))));
    await journal.close();
    expect(statSync(path()).size).toBeLessThan(700_000);
    const again = await StateJournal.open(folder, 50);
    expect(again.hasForgotten).toBe(true);
    expect(again.unfinished()).toEqual([recording(0)]);
    expect([again.box?.key, again.cursor("all")]).toEqual(["ab", "c"]);
    expect(again.find(idOf(300))).toEqual(stored(300));
    expect(again.find(idOf(1))).toBeUndefined();
    await again.close();
    const last = await StateJournal.open(folder, 50);
    expect([last.hasForgotten, last.unfinishedCount]).toEqual([true, 1]);
    await last.close();
  });

  it("takes no line that is none of its own", async () => {
    writeFileSync(path(), '{"kind":"recording","id":"../../x","state":"stored"}\n\n[]\nnull\n');
    appendFileSync(path(), `${"x".repeat(100_000)}\n`);
    const journal = await StateJournal.open(folder);
    expect([journal.damagedLines, journal.unfinishedCount]).toEqual([5, 0]);
    await journal.close();
    expect(readFileSync(path(), "utf8")).toBe("");
  });

  it("refuses everything after a write has failed", async () => {
    const journal = await StateJournal.open(folder);
    await journal.close();
    await expect(journal.note(recording(1))).rejects.toThrow();
    await expect(journal.note(recording(2))).rejects.toThrow();
  });
});

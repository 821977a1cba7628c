// What a dry run says would go is what goes, and what it says would stay stays: for any calls, classes, holds and times, by age
// and by number. SIDETONE_DRY_RUNS sets how many data folders (default 40).
import fc from "fast-check";
import { expect, test } from "vitest";
import type { CallId } from "../../device/base/ids.js";
import { runRetentionCommand } from "../../device/console/retention-command.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import { buildCallLogLine } from "../../device/seal/manifest.js";
import { parseLogLine } from "../../device/store/call-log-redaction.js";
import { loggedDays, logLines } from "../../device/store/retention/number-search.js";
import { configOf, OTHER, RetentionBox } from "../unit/retention-kit.js";
import { CALLER, callFrom, filesOf, keep } from "../unit/store/retention/deletion-kit.js";

const RUNS = Number(process.env["SIDETONE_DRY_RUNS"] ?? 40);
const CLASSES = [
  { name: "short", minDays: 0, maxDays: 2 },
  { name: "kept", minDays: 5, maxDays: 6 },
  { name: "for-ever", minDays: 1, maxDays: 0 },
];
const MAX_CALLS = 6;

const call = fc.record({
  hour: fc.integer({ min: 0, max: 150 }),
  caller: fc.constantFrom(CALLER, CALLER, OTHER),
  isDiverted: fc.boolean(),
  isRecorded: fc.constantFrom(true, true, true, false),
  retention: fc.constantFrom("", "short", "kept", "for-ever", "gone"),
});
const cover = fc.oneof(
  fc.record({ kind: fc.constant("call" as const), at: fc.nat(MAX_CALLS - 1) }),
  fc.record({ kind: fc.constant("number" as const), number: fc.constantFrom("030 1234567", OTHER) }),
  fc.record({ kind: fc.constant("time" as const), from: fc.nat(150), hours: fc.nat(10) }),
);
const scene = fc.record({
  calls: fc.uniqueArray(call, { minLength: 1, maxLength: MAX_CALLS, selector: ({ hour }) => hour }),
  holds: fc.array(cover, { maxLength: 2 }),
  defaultClass: fc.constantFrom("", "short"),
  lengthenOnly: fc.boolean(),
  /** More than 31 cannot be believed at once. */
  days: fc.constantFrom(0, 1, 3, 7, 9, 40),
  overridesMinimum: fc.boolean(),
});
type Scene = typeof scene extends fc.Arbitrary<infer Value> ? Value : never;

interface Report {
  due: number;
  recordings: { id: CallId; why: string }[];
  unrecorded: { id: CallId; why: string }[];
}

class Play {
  readonly box = new RetentionBox();
  readonly records: CallRecord[] = [];
  readonly #scene: Scene;

  constructor(one: Scene) {
    this.#scene = one;
  }

  get config() {
    const { defaultClass, lengthenOnly } = this.#scene;
    return configOf({ classes: CLASSES, defaultClass, lengthenOnly });
  }

  async fill(): Promise<void> {
    const { box } = this;
    const { calls, holds, days } = this.#scene;
    box.open(this.config);
    for (const { hour, caller, isDiverted, isRecorded, retention } of calls) {
      const by = { atUs: 0, kind: "diverted" as const, detail: { by: "0301234567", reason: "" } };
      const record = callFrom(hour, caller, { retention, events: isDiverted ? [by] : [] });
      this.records.push(record);
      if (isRecorded) await keep(box.store, record);
      else box.store.recordCall(buildCallLogLine({ ...record, noAudio: "not-answered" }, undefined));
    }
    for (const one of holds) await box.ask("hold-add", { covers: this.#coverOf(one), reason: "court order" });
    box.clock.us = Math.max(...this.records.map(({ endedAtUs }) => endedAtUs));
    box.pass(days);
  }

  #coverOf(one: Scene["holds"][number]): object {
    if (one.kind === "number") return { number: one.number };
    if (one.kind === "call") return { call: this.records[one.at % this.records.length]!.id };
    const [from, to] = [callFrom(one.from), callFrom(one.from + one.hours)].map(({ startedAtUs }) =>
      new Date(startedAtUs / 1000).toISOString(),
    );
    return { from, to };
  }

  async dryRun(command: Parameters<typeof runRetentionCommand>[0]): Promise<Report> {
    let text = "";
    await runRetentionCommand(command, this.box.folder, this.config, {
      write: (part) => {
        text += part;
      },
      ask: () => Promise.reject(new Error("a dry run asks for nothing")),
      clock: this.box.clock,
    });
    return JSON.parse(text) as Report;
  }

  /** Ids of the recordings that are there, in order. */
  get stored(): CallId[] {
    return this.records
      .map(({ id }) => id)
      .filter((id) => filesOf(this.box.folder, id).includes(".json"))
      .sort();
  }

  /** Ids of the calls whose lines name people, in order. */
  get named(): CallId[] {
    const { paths } = this.box.store;
    const lines = loggedDays(paths).flatMap((day) => logLines(paths, day).map(parseLogLine));
    return lines.flatMap((line) => (line && line.deleted === undefined ? [line.id] : [])).sort();
  }
}

const idsOf = (rows: readonly { id: CallId; why: string }[], why: string): CallId[] =>
  rows.filter((row) => row.why === why).map(({ id }) => id);
const without = (all: readonly CallId[], gone: readonly CallId[]): CallId[] => all.filter((id) => !gone.includes(id));

test(
  "what a dry run names goes, and nothing else",
  async () => {
    const totals = { byAge: 0, byNumber: 0, lines: 0, waits: 0 };
    await fc.assert(
      fc.asyncProperty(scene, async (one) => {
        const play = new Play(one);
        const { box } = play;
        try {
          await play.fill();
          // As the next start of the box.
          const keeper = box.reopen(play.config);
          const due = await play.dryRun({ verb: "retention", showsAll: false, json: true });
          let expected = without(play.stored, idsOf(due.recordings, "may go"));
          totals.byAge += due.due;
          await keeper.sweep();
          expect(play.stored).toEqual(expected);

          const { overridesMinimum } = one;
          const erase = {
            verb: "erase",
            number: "030/1234567",
            reason: "",
            isDryRun: true,
            isConfirmed: false,
          } as const;
          const said = await play.dryRun({ ...erase, overridesMinimum, forgetsRefusals: false, json: true });
          const going = idsOf(said.recordings, "may go");
          const losing = idsOf(said.unrecorded, "");
          expected = without(expected, going);
          const named = without(play.named, [...going, ...losing]);
          const waits = said.recordings.length + said.unrecorded.length - going.length - losing.length;
          const erased = await box.ask("erase", {
            ...{ number: "030/1234567", reason: "letter", overridesMinimum, forgetsRefusals: false },
          });
          expect(erased).toMatchObject({ recordings: going.length, lines: losing.length, waiting: waits });
          expect([play.stored, play.named]).toEqual([expected, named]);
          totals.byNumber += going.length;
          totals.lines += losing.length;
          totals.waits += waits;
          expect(box.said.filter((text) => !text.startsWith("nothing is deleted by age"))).toEqual([]);
        } finally {
          box.close();
        }
      }),
      { numRuns: RUNS, seed: 5, endOnFailure: true },
    );
    for (const [what, count] of Object.entries(totals)) expect(count, what).toBeGreaterThan(RUNS / 10);
  },
  RUNS * 2000 + 10_000,
);

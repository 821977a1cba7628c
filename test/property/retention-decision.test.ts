// Whether a recording goes, against a model that goes through the days one by one: for any classes, promises, holds and clocks.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { DeletionReason } from "../../device/contract/tombstone.js";
import { DAY_US, decide } from "../../device/store/retention/decision.js";
import { type PastTable, type RetentionConfig, TermsTable } from "../../device/store/retention/terms.js";

const ENDED_US = Date.UTC(2026, 2, 28, 12) * 1000;
const NAMES = ["short", "long", "other"];

const ages = fc.record({ minDays: fc.nat(12), maxDays: fc.nat(12) });
const classOf = (name: string) =>
  ages.map(({ minDays, maxDays }) => ({
    name,
    minDays: maxDays === 0 ? minDays : Math.min(minDays, maxDays),
    maxDays,
  }));
const classes = fc.subarray(NAMES).chain((names) => fc.tuple(...names.map(classOf)));
const nameOrNone = fc.constantFrom("", ...NAMES);
const table = fc.record({ lengthenOnly: fc.boolean(), defaultClass: nameOrNone, classes });

/** Every table from the recording's end on, the last being the configuration; each from a whole number of days on. */
const scenes = fc.record({
  retention: nameOrNone,
  tables: fc.array(fc.record({ fromDay: fc.integer({ min: -5, max: 15 }), table }), { minLength: 1, maxLength: 4 }),
  wish: fc.constantFrom<DeletionReason>("retention", "erasure", "request", "disk"),
  overridesMinimum: fc.boolean(),
  holds: fc.subarray(["h1", "h2"]),
  clockFault: fc.constantFrom("", "", "it is not set"),
});

function configOf({
  lengthenOnly,
  defaultClass,
  classes: list,
}: {
  lengthenOnly: boolean;
  defaultClass: string;
  classes: readonly { name: string; minDays: number; maxDays: number }[];
}): RetentionConfig {
  return {
    lengthenOnly,
    defaultClass,
    classes: list.map((one) => ({ ...one, keepManifest: false })),
    sweepMinutes: 60,
  };
}

/** Days after the end from which on it may go: Infinity = never. Said once more in the simplest way. */
function modelDay(
  scene: { retention: string; wish: DeletionReason; overridesMinimum: boolean },
  tables: {
    fromDay: number;
    table: {
      lengthenOnly: boolean;
      defaultClass: string;
      classes: readonly { name: string; minDays: number; maxDays: number }[];
    };
  }[],
): number {
  const made = tables.findLast(({ fromDay }) => fromDay <= 0) ?? tables[0]!;
  const nameThen =
    scene.retention ||
    (made.table.classes.some(({ name }) => name === made.table.defaultClass) ? made.table.defaultClass : "");
  const binding = tables.filter(
    (one, i) => i === tables.length - 1 || (one.table.lengthenOnly && (one === made || one.fromDay > 0)),
  );
  let day = 0;
  for (const { table: one } of binding) {
    const name = nameThen || one.defaultClass;
    const found = one.classes.find((known) => known.name === name);
    const minDays =
      scene.overridesMinimum && (scene.wish === "erasure" || scene.wish === "request") ? 0 : (found?.minDays ?? 0);
    const isForEver = scene.wish === "retention" || scene.wish === "disk" ? found === undefined : false;
    if (isForEver || (scene.wish === "retention" && found!.maxDays === 0)) return Number.POSITIVE_INFINITY;
    day = Math.max(day, scene.wish === "retention" ? found!.maxDays : minDays);
  }
  return day;
}

test("a recording goes on the first day that every promise allows, never while held, never by a clock that is not known", () => {
  let gone = 0;
  fc.assert(
    fc.property(scenes, (scene) => {
      const tables = scene.tables.toSorted((a, b) => a.fromDay - b.fromDay);
      const past: PastTable[] = tables.map(({ fromDay, table: one }) => ({
        fromUs: ENDED_US + fromDay * DAY_US,
        ...one,
      }));
      const made = tables.findLast(({ fromDay }) => fromDay <= 0) ?? tables[0]!;
      const promised = new TermsTable(configOf(made.table)).promiseFor(scene.retention);
      const now = new TermsTable(configOf(tables.at(-1)!.table), past);
      const terms = now.termsOf({ endedAtUs: ENDED_US, retention: scene.retention, terms: promised });
      const expected = modelDay(scene, tables);
      const facts = { endedAtUs: ENDED_US, terms, holds: scene.holds };
      const days = Array.from({ length: 14 }, (_, day) => day);
      const decisions = days.map((day) => decide(facts, { ...scene, nowUs: ENDED_US + day * DAY_US }));
      // What is asked for and has no minimum age needs no clock.
      const isKnown = scene.clockFault === "" || (scene.wish !== "retention" && expected === 0);
      const wanted = days.map((day) => day >= expected && scene.holds.length === 0 && isKnown);
      expect(decisions.map(({ kind }) => kind === "go")).toEqual(wanted);
      for (const decision of decisions) {
        if (decision.kind === "go") gone++;
        if (decision.kind === "keep" && decision.untilUs !== ENDED_US + expected * DAY_US)
          throw new Error("until when?");
        if (scene.holds.length > 0 && !(decision.kind === "blocked" && decision.why === "hold"))
          throw new Error("held?");
      }
    }),
    { numRuns: 2000 },
  );
  expect(gone).toBeGreaterThan(1000);
});

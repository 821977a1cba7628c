// Retention classes that nothing could keep to, and names of classes that are not there.
import { expect, test } from "vitest";
import { findRetentionFaults } from "../../../device/config/retention-meaning.js";
import { configSchema } from "../../../device/contract/config.js";

const CLASSES = [
  { name: "standard", minDays: 30, maxDays: 90 },
  { name: "trading", minDays: 1826 },
];
const faults = (retention: object, rules: { retention: string }[] = []): string[] =>
  findRetentionFaults(configSchema.parse({ retention, consent: { rules } })).map(
    ({ path, text }) => `${path.join(".")}: ${text}`,
  );

test("classes that can be kept to, and rules that name them, are fine; so is no class at all", () => {
  expect(faults({})).toEqual([]);
  expect(faults({ classes: CLASSES, defaultClass: "standard" }, [{ retention: "trading" }, { retention: "" }])).toEqual(
    [],
  );
  expect(faults({ classes: [{ name: "exact", minDays: 7, maxDays: 7 }] })).toEqual([]);
});

test.each([
  [
    { classes: CLASSES },
    [{ retention: "" }, { retention: "tradnig" }],
    "consent.rules.1.retention: is no retention class; retention.classes has standard, trading; did you mean trading?",
  ],
  [{}, [{ retention: "x" }], "consent.rules.0.retention: is no retention class; retention.classes has none"],
  [
    { classes: CLASSES, defaultClass: "standart" },
    [],
    "retention.defaultClass: is no retention class; retention.classes has standard, trading; did you mean standard?",
  ],
  [
    { classes: [{ name: "short", minDays: 8, maxDays: 7 }] },
    [],
    "retention.classes.0.minDays: is 8, more than its maxDays, 7",
  ],
  [
    { classes: [{ name: "a" }, { name: "b" }, { name: "a" }] },
    [],
    "retention.classes.2.name: is also the name of number 1 of the list",
  ],
])("%j with rules %j", (retention, rules, line) => expect(faults(retention, rules)).toEqual([line]));

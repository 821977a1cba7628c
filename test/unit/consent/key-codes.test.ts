// Which code the keys make that one person presses: compared with a reading of the whole list of presses.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyCodes } from "../../../device/consent/key-codes.js";

const BETWEEN_MS = 3000;
const START_US = 1_800_000_000_000_000;

const codesOf = (...keys: string[]) =>
  new KeyCodes(
    keys.map((one) => ({ keys: one, meaning: `means ${one}` })),
    BETWEEN_MS,
  );
/** Presses the keys a second apart; what each of them completes, "" for nothing. */
const press = (codes: KeyCodes<string>, keys: string, fromUs = START_US): string[] =>
  [...keys].map((key, i) => codes.press(key, fromUs + i * 1_000_000)?.keys ?? "");

describe("a code", () => {
  it("of one key counts at once, every time", () => {
    expect(press(codesOf("1", "9"), "1191")).toEqual(["1", "1", "9", "1"]);
  });

  it("counts with its last key, whatever was pressed before, and says what it means", () => {
    const codes = codesOf("*12", "*19");
    expect(press(codes, "5**1")).toEqual(["", "", "", ""]);
    expect(codes.press("9", START_US + 4_000_000)).toEqual({ keys: "*19", meaning: "means *19" });
  });

  it("needs all of its keys again once it was complete", () => {
    expect(press(codesOf("11"), "11111")).toEqual(["", "11", "", "11", ""]);
    expect(press(codesOf("1*1"), "1*1*1")).toEqual(["", "", "1*1", "", ""]);
  });

  it("may be of eight keys", () => {
    expect(press(codesOf("12345678"), "12345678").at(-1)).toBe("12345678");
    expect(press(codesOf("12345678"), "0123456789").indexOf("12345678")).toBe(8);
  });

  it("without keys is none", () => {
    expect(press(codesOf("", "2"), "132")).toEqual(["", "", "2"]);
  });

  it("that was forgotten in the middle is none", () => {
    const codes = codesOf("12");
    codes.press("1", START_US);
    codes.forget();
    expect(codes.press("2", START_US + 1000)).toBeUndefined();
    expect(press(codes, "12")).toEqual(["", "12"]);
  });
});

describe("the time between two keys", () => {
  it.each([
    [BETWEEN_MS * 1000, true],
    [BETWEEN_MS * 1000 + 1, false],
    [0, true],
    // Packets that overtook each other, and a clock that was set back.
    [-20_000, true],
    [-BETWEEN_MS * 1000 - 1, false],
  ])("of %i µs", (betweenUs, isCode) => {
    const codes = codesOf("12");
    codes.press("1", START_US);
    expect(codes.press("2", START_US + betweenUs) !== undefined).toBe(isCode);
  });

  it("is not that from the first key to the last", () => {
    const codes = codesOf("1234");
    const found = [..."1234"].map((key, i) => codes.press(key, START_US + i * BETWEEN_MS * 1000));
    expect(found.at(-1)?.keys).toBe("1234");
  });
});

it("finds what a reader of the whole list finds", () => {
  const KEYS = ["1", "2", "*"];
  const code = fc.string({ unit: fc.constantFrom(...KEYS), minLength: 1, maxLength: 4 });
  const codes = fc
    .array(code, { minLength: 1, maxLength: 4 })
    // As the configuration has it: none within another.
    .map((all) => all.filter((one) => !all.some((other) => other !== one && one.includes(other))));
  const waitUs = fc.constantFrom(20_000, 1_000_000, 3_000_000, 3_000_001, 9_000_000, -20_000, -9_000_000);
  const presses = fc.array(fc.record({ key: fc.constantFrom(...KEYS), waitUs }), { maxLength: 60 });
  let completed = 0;
  fc.assert(
    fc.property(codes, presses, (all, list) => {
      const keyCodes = codesOf(...all);
      let atUs = START_US;
      /** All presses since a code was complete last, and whether each came soon enough after the one before. */
      let since: { key: string; isSoon: boolean }[] = [];
      for (const { key, waitUs } of list) {
        atUs += waitUs;
        since.push({ key, isSoon: Math.abs(waitUs) <= BETWEEN_MS * 1000 });
        const expected = all.find((one) => {
          const last = since.slice(-one.length);
          return last.map((press) => press.key).join("") === one && last.slice(1).every(({ isSoon }) => isSoon);
        });
        expect(keyCodes.press(key, atUs)?.keys).toBe(expected);
        if (expected === undefined) continue;
        completed++;
        since = [];
      }
    }),
    { numRuns: 500 },
  );
  expect(completed).toBeGreaterThan(250);
});

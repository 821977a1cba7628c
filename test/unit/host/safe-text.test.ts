// Text of strangers on a terminal: every script stays, whatever a terminal would obey goes.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { columnsOf, safeJson, safeText } from "../../../host/safe-text.js";
import { textTable } from "../../../host/text-table.js";

const letter = fc.oneof(
  fc.constantFrom("\x1b", "\u202e", "\u0301", "\u5f20", "a", " "),
  fc.nat(0x10ffff).map((code) => String.fromCodePoint(code)),
);
const text = fc.array(letter, { maxLength: 40 }).map((letters) => letters.join(""));
const OBEYED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

describe("safeText", () => {
  it.each([
    ["Müller \u5f20\u4f1f Ωμέγα", "Müller \u5f20\u4f1f Ωμέγα"],
    ["a\x1b[31mred\x1b[0m", "a?[31mred?[0m"],
    ["a\u009b31m", "a?31m"],
    ["line\r\nnext\ttab", "line??next?tab"],
    ["abc\u202edcba\u2066x", "abc?dcba?x"],
    ["zero\u200bwidth\ufeff", "zero?width?"],
    ["\u2028\u2029\ud800", "???"],
    ["hidden\u3164\u{e0041}", "hidden??"],
    ["wide\u3000blank\u00a0", "wide blank "],
    [`z${"\u0301".repeat(50)}`, `z${"\u0301".repeat(3)}`],
  ])("%j", (text, expected) => {
    expect(safeText(text)).toBe(expected);
  });

  it("cuts at columns, and says that it did", () => {
    expect(safeText("abcdefgh", 8)).toBe("abcdefgh");
    expect(safeText("abcdefghi", 8)).toBe("abcdef..");
    expect(safeText("\u5f20\u4f1f\u5f20\u4f1f\u5f20", 8)).toBe("\u5f20\u4f1f\u5f20..");
    expect(safeText("x".repeat(1e6), 40)).toHaveLength(40);
  });

  it("leaves nothing that a terminal obeys, and keeps to its columns", () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 60 }), (any, columns) => {
        expect(safeText(any)).not.toMatch(OBEYED);
        expect(columnsOf(safeText(any, columns))).toBeLessThanOrEqual(columns);
      }),
    );
  });
});

describe("safeJson", () => {
  it("is the same value, on one line that a terminal obeys nothing of", () => {
    fc.assert(
      fc.property(fc.jsonValue(), text, (value, text) => {
        const line = safeJson({ value, text });
        expect(line).not.toMatch(OBEYED);
        expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify({ value, text })));
      }),
    );
  });
});

describe("textTable", () => {
  it("aligns by columns, not by characters", () => {
    const lines = textTable(
      [
        { title: "name", maximum: 8 },
        { title: "n", isRight: true },
      ],
      [
        ["\u5f20\u4f1f", "1"],
        ["a\x07very long one", "12"],
      ],
    );
    expect(lines).toEqual(["name       n", "\u5f20\u4f1f       1", "a?very..  12"]);
  });
});

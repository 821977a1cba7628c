// Telephone numbers: none leaves the box that mqtt.numbers does not let out, however it is written.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeCallId } from "../../../device/base/ids.js";
import { showNumber, withoutNumbers } from "../../../device/contract/shown-numbers.js";

const digit = fc.constantFrom(..."0123456789");
const number = fc.string({ unit: digit, minLength: 5, maxLength: 15 });
/** Of a text, how many digits it holds. */
const digitsIn = (text: string) => text.match(/\p{Nd}/gu)?.length ?? 0;

describe("showNumber", () => {
  it.each([
    ["+4930123456789", "•••789"],
    ["03012345", "•••345"],
    ["12345", "•••345"],
    ["2100", "2100"],
    ["21", "21"],
    ["*98", "*98"],
    ["", ""],
    ["alice", "•••"],
    ["anonymous", "•••"],
    ["sales-2", "•••"],
    ["+49", "•••"],
  ])("masks %j as %j", (plain, masked) => {
    expect(showNumber(plain, "masked")).toBe(masked);
    expect(showNumber(plain, "full")).toBe(plain);
    expect(showNumber(plain, "none")).toBeUndefined();
  });

  it("shows no more than four digits of anything", () => {
    const user = fc.oneof(number, fc.string({ unit: fc.constantFrom(..."0123456789+*#-a@ "), maxLength: 40 }));
    fc.assert(
      fc.property(user, (text) => {
        expect(digitsIn(showNumber(text, "masked")!)).toBeLessThanOrEqual(4);
      }),
    );
  });
});

describe("withoutNumbers", () => {
  it.each([
    ["caller +49 (30) 123-456 asked", "caller ••• asked"],
    ["0301234567", "•••"],
    ["tel0301234567x", "tel•••x"],
    ["٠١٢٣٤٥", "•••"],
    ["card 4111 1111 1111 1111", "card •••"],
    ["room 12, floor 3", "room 12, floor 3"],
    ["client node-red-7", "client node-red-7"],
    ["", ""],
  ])("%j becomes %j", (text, expected) => expect(withoutNumbers(text)).toBe(expected));

  it("leaves nothing of a number, wherever it stands and however it is grouped", () => {
    const separator = fc.constantFrom("", "", " ", "-", "/", ".", ") ", "\u00a0", "–");
    const grouped = fc.tuple(number, fc.array(separator, { minLength: 15, maxLength: 15 })).map(([digits, gaps]) => ({
      digits,
      text: [...digits].map((one, place) => one + (place < digits.length - 1 ? gaps[place] : "")).join(""),
    }));
    const around = fc.string({ unit: fc.constantFrom(..."abc,;:\"'! "), maxLength: 10 });
    fc.assert(
      fc.property(around, grouped, around, (before, { text }, after) => {
        expect(digitsIn(withoutNumbers(before + text + after))).toBe(0);
      }),
    );
  });

  it("keeps ids of calls", () => {
    const id = makeCallId(Date.now() * 1000);
    expect(withoutNumbers(`call ${id} is over`)).toBe(`call ${id} is over`);
  });

  it("takes a time in proportion to the text", () => {
    const started = performance.now();
    withoutNumbers("1 ".repeat(100_000));
    withoutNumbers("1234 a".repeat(100_000));
    withoutNumbers("0".repeat(200_000));
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

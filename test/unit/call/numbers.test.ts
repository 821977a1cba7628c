// Telephone numbers in one form (E.164), and which user parts are the same telephone.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type NumberRules, normalizeNumber, sameNumber } from "../../../device/call/numbers.js";
import { configSchema } from "../../../device/contract/config.js";

const rulesOf = (numbers: Partial<NumberRules> = {}): NumberRules => configSchema.parse({ numbers }).numbers;
const GERMANY = rulesOf({ countryCode: "49" });
const BERLIN = rulesOf({ countryCode: "49", areaCode: "30" });

describe("normalizeNumber", () => {
  test.each([
    ["+4930123456", "+4930123456"],
    ["004930123456", "+4930123456"],
    ["030123456", "+4930123456"],
    ["4930123456", "+4930123456"],
    ["+49 (0)30 123-456", "+4930123456"],
    ["+49 (30) 12 34.56", "+4930123456"],
    ["030/123 456", "+4930123456"],
    ["0049(30)123456", "+4930123456"],
    ["+12125550123", "+12125550123"],
    ["0012125550123", "+12125550123"],
    ["0123456", "+49123456"],
  ])("%s in Germany", (user, number) => {
    expect(normalizeNumber(user, GERMANY)).toBe(number);
    expect(normalizeNumber(number, GERMANY)).toBe(number);
  });

  test.each([
    "21",
    "110",
    "012345",
    "1234567",
    "+4930",
    "+0301234567",
    "000012345678",
    "*21#",
    "*0301234567",
    "anna.schmidt",
    "agent0301234567",
    "030123456x",
    "+49301234567890123",
    "10.0.0.1",
    "192.168.100.200",
    "2001:db8::1",
    "anonymous",
    "",
    "+",
    "++4930123456",
    "٠٣٠١٢٣٤٥٦",
    "０３０１２３４５６",
    "()",
    "-",
    `0${"1".repeat(5000)}`,
    `${" ".repeat(5000)}1`,
    "__proto__",
    "030 123456 ext 5",
  ])("%j is no telephone number and stays as it is", (user) => expect(normalizeNumber(user, GERMANY)).toBe(user));

  test("a local number needs the area code", () => {
    expect(normalizeNumber("1234567", BERLIN)).toBe("+49301234567");
    expect(normalizeNumber("123456", BERLIN)).toBe("123456");
    expect(normalizeNumber("0891234567", BERLIN)).toBe("+49891234567");
  });

  test("without a country code numbers are only freed of separators behind +", () => {
    const off = rulesOf();
    expect(normalizeNumber("+49 30-123456", off)).toBe("+4930123456");
    for (const user of ["030123456", "004930123456", "030 123456"]) expect(normalizeNumber(user, off)).toBe(user);
  });

  test("the digit for an outside line", () => {
    const nine = rulesOf({ countryCode: "49", areaCode: "30", outsideLinePrefix: "9" });
    expect(normalizeNumber("9030123456", nine)).toBe("+4930123456");
    expect(normalizeNumber("90012125550123", nine)).toBe("+12125550123");
    expect(normalizeNumber("91234567", nine)).toBe("+49301234567");
    expect(normalizeNumber("9123456", nine)).toBe("+49309123456");
    const zero = rulesOf({ countryCode: "49", outsideLinePrefix: "0" });
    expect(normalizeNumber("0030123456", zero)).toBe("+4930123456");
    expect(normalizeNumber("00012125550123", zero)).toBe("+12125550123");
    expect(normalizeNumber("030123456", zero)).toBe("+4930123456");
  });

  test("dialling plans without national prefix, and with others", () => {
    const spain = rulesOf({ countryCode: "34", nationalPrefix: "" });
    expect(normalizeNumber("912345678", spain)).toBe("+34912345678");
    expect(normalizeNumber("0034912345678", spain)).toBe("+34912345678");
    expect(normalizeNumber("34912345678", spain)).toBe("+34912345678");
    const america = rulesOf({ countryCode: "1", nationalPrefix: "1", internationalPrefix: "011" });
    expect(normalizeNumber("12125550123", america)).toBe("+12125550123");
    expect(normalizeNumber("011493012345", america)).toBe("+493012345");
    expect(normalizeNumber("+1 (212) 555-0123", america)).toBe("+12125550123");
    const noPrefixes = rulesOf({ countryCode: "49", nationalPrefix: "", internationalPrefix: "" });
    expect(normalizeNumber("30123456", noPrefixes)).toBe("+4930123456");
  });

  test("the shortest number is configurable", () => {
    expect(normalizeNumber("012", rulesOf({ countryCode: "49", shortestNumber: 4 }))).toBe("012");
    expect(normalizeNumber("0123", rulesOf({ countryCode: "49", shortestNumber: 4 }))).toBe("+49123");
  });

  test("is its own fixed point, and gives an E.164 number or what it got", () => {
    const character = fc.constantFrom(..."0123456789+-() ./*#a".split(""));
    const user = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.array(character, { maxLength: 24 }).map((c) => c.join("")),
    );
    const rules = fc.record({
      countryCode: fc.constantFrom("", "1", "49", "351"),
      internationalPrefix: fc.constantFrom("00", "011", ""),
      nationalPrefix: fc.constantFrom("0", "1", ""),
      areaCode: fc.constantFrom("", "30"),
      outsideLinePrefix: fc.constantFrom("", "0", "9"),
      shortestNumber: fc.integer({ min: 3, max: 15 }),
    });
    fc.assert(
      fc.property(user, rules, (text, own) => {
        const number = normalizeNumber(text, own);
        if (number !== text) expect(number).toMatch(/^\+[1-9]\d{2,14}$/);
        expect(normalizeNumber(number, own)).toBe(number);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("sameNumber", () => {
  test.each([
    ["030123456", "+49 30 123456", true],
    ["004930123456", "4930123456", true],
    ["12345", "12345", true],
    ["12-345", "12345", true],
    ["1234", "1234", false],
    ["21", "21", false],
    ["anonymous", "anonymous", false],
    ["Anonymous", "anonymous", false],
    ["unknown", "unknown", false],
    ["", "", false],
    ["anna.schmidt", "anna.schmidt", false],
    ["user12345", "user12345", false],
    ["0000000000", "0000000000", false],
    ["00000", "00000", false],
    ["*12345", "*12345", false],
    ["030123456", "030123457", false],
    ["+4930123456", "+4330123456", false],
    ["123456", "+4930123456", false],
  ])("%s and %s: %s", (a, b, isSame) => {
    expect(sameNumber(a, b, GERMANY)).toBe(isSame);
    expect(sameNumber(b, a, GERMANY)).toBe(isSame);
  });
});

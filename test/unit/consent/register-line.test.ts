// Entries of the registers: what their fields may hold, and that a line says again what was entered.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import {
  AGENTS_REGISTER,
  CONSENT_REGISTER,
  entryId,
  formatLine,
  parseLine,
  registerKey,
  registerKeys,
} from "../../../device/consent/register-line.js";
import { BERLIN, grant, refusal } from "./register-kit.js";

function problemOf(fields: Record<string, string>): string {
  const checked = CONSENT_REGISTER.check({ ...grant(), ...fields });
  return checked.ok ? "" : checked.problem;
}

describe("a consent entry", () => {
  it.each([
    [{ number: "" }, "number is empty"],
    [{ number: "1".repeat(65) }, "number is longer than 64 characters"],
    [{ number: "12\u000034" }, "number holds control characters"],
    [{ number: "12\n34" }, "number holds control characters"],
    [{ number: "Anonymous" }, "number names nobody: it stands for withheld numbers"],
    [{ number: "0000000" }, "number names nobody: it stands for withheld numbers"],
    [{ purpose: "" }, 'purpose "" is none: letters, digits, dots, hyphens and underscores, at most 64'],
    [{ purpose: "two words" }, "purpose two words is none: letters, digits, dots, hyphens and underscores, at most 64"],
    [{ purpose: "*" }, "purpose * is for refusals: a grant names its purpose"],
    [{ effect: "yes" }, "effect yes is neither granted nor refused"],
    [{ validFrom: "" }, "validFrom is empty"],
    [{ validTo: "2026-02-30" }, "validTo 2026-02-30 is no date"],
    [{ validTo: "2026-01-31" }, "validTo 2026-01-31 is not after validFrom 2026-02-01"],
    [{ revokedAt: "tomorrow\u001b[2J" }, "revokedAt tomorrow?[2J is no date"],
    [{ source: "  " }, "source is empty"],
    [{ source: "x".repeat(257) }, "source is longer than 256 characters"],
    [{ source: "a\u0007" }, "source holds control characters"],
    [{ source: "\ud800" }, "source holds control characters"],
  ])("with %j is none", (fields, problem) => {
    expect(problemOf(fields)).toBe(problem);
  });

  it.each([
    { number: "0" },
    { number: "sales-hotline" },
    { number: " +49 (0)30 123456 " },
    { purpose: "*", effect: "refused" },
    { validTo: "2026-02-01" },
    { validTo: "" },
    { revokedAt: "2020-01-01" },
    { source: "Formular,\r\nunterschrieben von Zoë\t\u{1f600}" },
  ])("may be %j", (fields: Record<string, string>) => {
    expect(problemOf(fields)).toBe("");
  });

  test("a problem never shows the number", () => {
    expect(problemOf({ number: "+4917112345678\u0001" })).not.toContain("171");
    expect(problemOf({ number: `+4917112345678${"9".repeat(60)}` })).not.toContain("171");
  });
});

test("an agent's entry names agent, time and what was agreed to", () => {
  const entry = { agent: "21", agreedAt: "2026-01-05", to: "works agreement 2026-01" };
  expect(AGENTS_REGISTER.check(entry)).toMatchObject({ ok: true, statement: { entry } });
  for (const name of ["agent", "agreedAt", "to"])
    expect(AGENTS_REGISTER.check({ ...entry, [name]: "" })).toEqual({ ok: false, problem: `${name} is empty` });
});

describe("a line", () => {
  const texts = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
  const entries = fc.record(
    {
      number: texts,
      purpose: fc.constantFrom("recording", "training"),
      effect: fc.constantFrom("granted" as const, "refused" as const),
      validFrom: fc.constantFrom("2026-01-01", "2026-01-01T10:00+01:00"),
      validTo: fc.constantFrom("2026-12-31", "2027-01-01T00:00:00Z"),
      source: texts,
      revokedAt: fc.constant("2026-05-05"),
    },
    { requiredKeys: ["number", "purpose", "effect", "validFrom", "source"] },
  );

  test("reads as it was written", () => {
    fc.assert(
      fc.property(entries, (fields) => {
        const checked = CONSENT_REGISTER.check(fields);
        fc.pre(checked.ok);
        const { entry } = checked.statement;
        const line = formatLine(CONSENT_REGISTER, entry);
        expect(line).not.toContain("\n");
        expect(Buffer.byteLength(line)).toBeLessThan(4096);
        expect(parseLine(CONSENT_REGISTER, line)).toEqual(checked);
        expect(entry).toEqual({ ...fields, number: fields.number.trim() });
      }),
    );
  });

  const good = formatLine(CONSENT_REGISTER, grant());
  it.each([
    "",
    "{",
    "null",
    "[]",
    "7",
    '"text"',
    "{}",
    good.replace("register/1", "register/2"),
    good.replace('"schema"', '"shema"'),
    good.replace("validFrom", "validfrom"),
    good.replace("}", ',"validto":"2026-12-31"}'),
    good.replace("}", ',"validTo":20261231}'),
    good.replace("}", ',"validTo":null}'),
    good.replace("}", ',"revoked":true}'),
    good.replace("}", ',"__proto__":"x"}'),
    formatLine(AGENTS_REGISTER, { agent: "21", agreedAt: "2026-01-05", to: "x" }),
  ])("%s is no entry", (line) => {
    expect(parseLine(CONSENT_REGISTER, line).ok).toBe(false);
  });

  test("cut off anywhere is no entry", () => {
    for (let end = 0; end < good.length; end++) expect(parseLine(CONSENT_REGISTER, good.slice(0, end)).ok).toBe(false);
    expect(parseLine(CONSENT_REGISTER, good).ok).toBe(true);
  });
});

test("the id outlives a revocation and tells any two other entries apart", () => {
  const id = entryId(CONSENT_REGISTER, grant());
  const fields = `consent\0${["+49891234567", "recording", "granted", "2026-02-01", "", "web"].join("\0")}`;
  expect(id).toBe(createHash("sha256").update(fields).digest("hex").slice(0, 12));
  expect(entryId(CONSENT_REGISTER, grant({ revokedAt: "2026-03-01" }))).toBe(id);
  const others = [
    grant({ number: "+4989123456", purpose: "7recording" }),
    grant({ validTo: "2026-12-31" }),
    grant({ source: "Web" }),
    grant({ validFrom: "2026-02-01T00:00Z" }),
    refusal(),
  ];
  expect(new Set([id, ...others.map((entry) => entryId(CONSENT_REGISTER, entry))]).size).toBe(6);
});

describe("the key", () => {
  test("is one for all ways to write a number, and the text for extensions and names", () => {
    const forms = ["+49 30 1234567", "0049301234567", "030 / 123-4567", "1234567", " +49 (0)30 1234567 "];
    expect(new Set(forms.map((form) => registerKey(form, BERLIN)))).toEqual(new Set(["+49301234567"]));
    for (const text of ["21", "Zoë", "sales", "*21#"]) expect(registerKey(text, BERLIN)).toBe(text);
  });

  test("is none for whoever withholds the number", () => {
    for (const text of ["", " ", "anonymous", "Unavailable", "00", "0000000"])
      expect(registerKey(text, BERLIN)).toBe("");
    expect(registerKeys({ user: "anonymous", number: "" }, BERLIN)).toEqual([]);
    expect(registerKeys({ user: "030123456", number: "+4930123456" }, BERLIN)).toEqual(["+4930123456"]);
    expect(registerKeys({ user: "zoe", number: "+4930123456" }, BERLIN)).toEqual(["zoe", "+4930123456"]);
  });
});

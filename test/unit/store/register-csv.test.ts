// The registers as CSV: what spreadsheets write is read, all or nothing; what is exported is no formula anywhere and
// reads again as it was.
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import {
  AGENTS_REGISTER,
  CONSENT_REGISTER,
  type ConsentEntry,
  type RegisterFormat,
} from "../../../device/consent/register-line.js";
import { formatRegisterCsv, MAX_PROBLEMS, parseRegisterCsv } from "../../../device/store/register-csv.js";
import { grant, refusal } from "../consent/register-kit.js";

const HEADER = "number,purpose,effect,validFrom,validTo,source,revokedAt";
const ROW = "+49891234567,recording,granted,2026-02-01,,web,";

function parse(text: string | Buffer, maxRows = 1000) {
  return parseRegisterCsv(Buffer.from(text as string), CONSENT_REGISTER, maxRows);
}

function entriesOf<Entry extends object>(bytes: Buffer, format: RegisterFormat<Entry>): Entry[] {
  const parsed = parseRegisterCsv(bytes, format, 1000);
  if (!parsed.ok) throw new Error(parsed.problems.join("\n"));
  return parsed.statements.map(({ entry }) => entry);
}

function read(text: string): ConsentEntry[] {
  return entriesOf(Buffer.from(text), CONSENT_REGISTER);
}

function problems(text: string | Buffer): string[] {
  const parsed = parse(text);
  return parsed.ok ? [] : parsed.problems;
}

describe("import", () => {
  it.each([
    ["as it is exported", `${HEADER}\r\n${ROW}\r\n`],
    ["with line feeds and none at the end", `${HEADER}\n${ROW}`],
    ["with carriage returns", `${HEADER}\r${ROW}\r`],
    ["with a byte order mark", `\ufeff${HEADER}\r\n${ROW}\r\n`],
    ["with semicolons", `${HEADER};\n${ROW};\n`.replaceAll(",", ";").replaceAll(";\n", "\n")],
    ["all of it quoted", `${HEADER}\n${ROW}`.replaceAll(/[^,\n]+/g, '"$&"')],
    ["quoted with semicolons", `\ufeff${HEADER}\n${ROW}`.replaceAll(/[^,\n\ufeff]+/g, '"$&"').replaceAll(",", ";")],
    [
      "with columns in another order and case, those without values left out",
      "SOURCE, Effect ,validfrom,Number,purpose\nweb,granted,2026-02-01,+49891234567,recording",
    ],
    ["with blank lines and rows of nothing", `\n\n${HEADER}\n\n${ROW}\n,,,,,,\n\r\n`],
    ["with the apostrophe that keeps spreadsheets from calculating", `${HEADER}\n'${ROW}\n`],
    ["with blanks around", `${HEADER}\n +49891234567 , recording , granted , 2026-02-01 , ,web, \n`],
  ])("reads a file %s", (_, text) => {
    expect(read(text)).toEqual([grant()]);
  });

  test("reads quotes, delimiters and line breaks in quoted fields, and counts lines as an editor does", () => {
    const text = `${HEADER}\n${ROW.replace("web", '"said ""yes"",\r\nin person; twice\n"')}\n${ROW.replace("granted", "yes")}`;
    expect(problems(text)).toEqual(["line 5: effect yes is neither granted nor refused"]);
    expect(read(text.slice(0, text.lastIndexOf("\n")))).toEqual([
      grant({ source: 'said "yes",\r\nin person; twice\n' }),
    ]);
  });

  test("takes dates at their beginning or end, in UTC unless an offset is written", () => {
    const parsed = parse(`${HEADER}\n1234567,a,granted,2026-02-01,2026-02-01,web,2026-02-01T10:00+01:00`);
    const day = Date.UTC(2026, 1, 1) * 1000;
    expect(parsed.ok && parsed.statements[0]!.times).toEqual({
      fromUs: day,
      toUs: day + 86_400e6,
      revokedUs: day + 9 * 3600e6,
    });
  });

  it.each([
    ["", ["line 1: no header: the first line is number,purpose,effect,validFrom,validTo,source,revokedAt"]],
    [`${ROW}\n`, [expect.stringMatching(/^line 1: no header: the first line is number,/)]],
    [
      "number,valid_from,purpose,effect,validFrom,source\n",
      [expect.stringMatching(/^line 1: unknown column valid_from: the columns are/)],
    ],
    ["number,purpose,effect,validFrom\n", ["line 1: column source is missing"]],
    [`${HEADER},number\n`, ["line 1: column number is there twice"]],
    [`${HEADER}\n${ROW},\n`, ["line 2: 8 fields, but the header has 7 columns"]],
    [`${HEADER}\n${ROW.replace(",,", ",2026-02-30,")}`, ["line 2: validTo 2026-02-30 is no date"]],
    [`${HEADER}\n"${ROW}\n${ROW}`, ["line 2: a quotation mark is never closed"]],
    [`${HEADER}\n"a"b,\n${ROW}`, ["line 2: text behind a closing quotation mark"]],
    [`${HEADER}\na"b",\n${ROW}`, ["line 2: a quotation mark within a field that is not quoted"]],
    [`${HEADER}\n${",".repeat(100)}x`, ["line 2: too many fields"]],
    [
      Buffer.concat([Buffer.from(`${HEADER}\n${ROW}\n`), Buffer.from("M\xfcller", "latin1")]),
      ["line 3: not UTF-8: save the file as CSV in UTF-8"],
    ],
    [Buffer.from(`\ufeff${HEADER}`, "utf16le"), ["line 1: not UTF-8: save the file as CSV in UTF-8"]],
  ])("refuses %j", (text, expected) => {
    expect(problems(text)).toEqual(expected);
  });

  test("one bad row makes all of it bad, every bad row is told by its line, twenty at most", () => {
    const rows = Array.from({ length: 60 }, (_, index) => (index % 2 ? ROW : ROW.replace("2026-02-01", "1.2.2026")));
    const parsed = parse([HEADER, ...rows].join("\n"));
    if (parsed.ok) throw new Error("was read");
    expect(parsed.count).toBe(30);
    expect(parsed.problems.length).toBe(MAX_PROBLEMS);
    expect(parsed.problems.slice(0, 2)).toEqual([
      "line 2: validFrom 1.2.2026 is no date",
      "line 4: validFrom 1.2.2026 is no date",
    ]);
  });

  test("refuses more rows than the register may hold", () => {
    const text = `${HEADER}\n${ROW}\n${ROW}\n${ROW}`;
    expect(parse(text, 3).ok).toBe(true);
    expect(parse(text, 2)).toMatchObject({
      ok: false,
      problems: ["line 4: more than 2 rows: raise consent.register.maxEntries"],
    });
  });
});

describe("export", () => {
  test("is RFC 4180 with the columns in their order", () => {
    const entries = [
      grant({ number: "21", validTo: "2026-12-31T12:00+01:00" }),
      refusal({ number: "22", purpose: "*", source: 'a "letter", two\npages', revokedAt: "2026-03-01" }),
    ];
    expect(formatRegisterCsv(CONSENT_REGISTER, entries)).toBe(
      [
        HEADER,
        "21,recording,granted,2026-02-01,2026-12-31T12:00+01:00,web,",
        '22,*,refused,2026-02-01,,"a ""letter"", two\npages",2026-03-01',
        "",
      ].join("\r\n"),
    );
    const agents = formatRegisterCsv(AGENTS_REGISTER, [{ agent: "zoe", agreedAt: "2026-02-01", to: "a;b" }]);
    expect(agents).toBe('agent,agreedAt,to,revokedAt\r\nzoe,2026-02-01,"a;b",\r\n');
  });

  test("telephone numbers go with an apostrophe, so that spreadsheets neither calculate nor shorten them", () => {
    const csv = formatRegisterCsv(CONSENT_REGISTER, [grant()]);
    expect(csv.split("\r\n")[1]).toBe("'+49891234567,recording,granted,2026-02-01,,web,");
    expect(read(csv)).toEqual([grant()]);
  });

  it.each([
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "'=1",
    "''@x",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://x","y")',
  ])("never begins a field like a formula: %j", (source) => {
    const csv = formatRegisterCsv(CONSENT_REGISTER, [grant({ number: "21", source })]);
    const field = csv.slice(csv.indexOf("2026-02-01,,") + 12);
    expect(field).toMatch(/^"?''*[=+\-@\t\r\n＝]/);
    expect(read(csv)).toEqual([grant({ number: "21", source })]);
  });

  it.each(["'tis", "'", "''", "' =1", "a=1", "1-2", "'a'"])("leaves %j alone", (source) => {
    expect(formatRegisterCsv(CONSENT_REGISTER, [grant({ source })])).toContain(`,,${source},`);
    expect(read(formatRegisterCsv(CONSENT_REGISTER, [grant({ source })]))).toEqual([grant({ source })]);
  });

  const trouble = fc.constantFrom(..."'\"=+-@\t\r\n,; aé1＝".split(""));
  const text = fc.array(trouble, { minLength: 1, maxLength: 12 }).map((characters) => characters.join(""));

  test("reads again as it was, whatever is in it", () => {
    const entry = fc.record({
      number: text,
      purpose: fc.constantFrom("a", "b"),
      effect: fc.constantFrom("granted" as const, "refused" as const),
      validFrom: fc.constantFrom("2026-02-01", "2026-02-01T10:00:00.5+02:00"),
      source: text,
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 6 }), (drafts) => {
        const checked = drafts.map((draft) => CONSENT_REGISTER.check(draft));
        const entries = checked.flatMap((result) => (result.ok ? [result.statement.entry] : []));
        const csv = formatRegisterCsv(CONSENT_REGISTER, entries);
        expect(read(csv)).toEqual(entries);
        expect(formatRegisterCsv(CONSENT_REGISTER, read(csv))).toBe(csv);
      }),
      { numRuns: 500 },
    );
  });
});

// Hostile and foreign CSV: Python's csv module as the independent reader and writer, then files cut off, damaged, of
// noise, and built to make a reader run away.
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { CONSENT_REGISTER, type ConsentEntry } from "../../device/consent/register-line.js";
import { formatRegisterCsv, MAX_PROBLEMS, parseRegisterCsv, readRows } from "../../device/store/register-csv.js";
import { makeRandom, randomInteger } from "../fakes/random.js";

const random = makeRandom(4180);
const ALPHABET = [...'ab1é€\u{1f600}""\',;\r\n\t =+-@'];

function randomText(longest: number): string {
  return Array.from(
    { length: randomInteger(random, longest + 1) },
    () => ALPHABET[randomInteger(random, ALPHABET.length)],
  ).join("");
}

function python(script: string, input: string): string {
  const { status, stdout, stderr } = spawnSync("python3", ["-c", script], { input, maxBuffer: 64 << 20 });
  if (status !== 0) throw new Error(stderr.toString());
  return stdout.toString("utf8");
}

const hasPython = spawnSync("python3", ["-c", "import csv"]).status === 0;

const WRITE = `
import csv, io, json, sys
out = []
for table in json.load(sys.stdin):
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if table["all"] else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=table["delimiter"], lineterminator=table["end"], quoting=quoting).writerows(table["rows"])
    out.append(text.getvalue())
json.dump(out, sys.stdout)
`;
const READ = `
import csv, io, json, sys
json.dump([list(csv.reader(io.StringIO(text, newline=""), strict=True)) for text in json.load(sys.stdin)], sys.stdout)
`;

function statementsOf(text: string): ConsentEntry[] {
  const parsed = parseRegisterCsv(Buffer.from(text), CONSENT_REGISTER, 1000);
  if (!parsed.ok) throw new Error(parsed.problems.join("\n"));
  return parsed.statements.map(({ entry }) => entry);
}

function randomEntries(count: number): ConsentEntry[] {
  const entries: ConsentEntry[] = [];
  while (entries.length < count) {
    const fields = {
      number: randomText(8),
      purpose: "a",
      effect: "granted",
      validFrom: "2026-02-01",
      source: randomText(12),
    };
    const checked = CONSENT_REGISTER.check(fields);
    if (checked.ok) entries.push(checked.statement.entry);
  }
  return entries;
}

describe.skipIf(!hasPython)("Python's csv module", () => {
  test("writes what is read field for field", () => {
    const tables = Array.from({ length: 400 }, () => {
      const end = ["\r\n", "\n", "\r"][randomInteger(random, 3)]!;
      return {
        delimiter: randomInteger(random, 2) ? "," : ";",
        end,
        // With another end of line it does not quote CR and LF on its own.
        all: end !== "\r\n" || randomInteger(random, 2) === 1,
        // "x" so that no row is one of nothing.
        rows: Array.from({ length: randomInteger(random, 6) }, () => [
          "x",
          randomText(8),
          randomText(8),
          randomText(8),
        ]),
      };
    });
    const texts = JSON.parse(python(WRITE, JSON.stringify(tables))) as string[];
    tables.forEach(({ delimiter, rows }, index) => {
      const read = [...readRows(texts[index]!, delimiter)];
      expect(read.map((row) => ("fields" in row ? row.fields : row.problem))).toEqual(rows);
    });
  });

  test("reads what is exported, but for the apostrophes", () => {
    const lists = Array.from({ length: 100 }, () => randomEntries(5));
    const texts = lists.map((entries) => formatRegisterCsv(CONSENT_REGISTER, entries));
    const tables = JSON.parse(python(READ, JSON.stringify(texts))) as string[][][];
    lists.forEach((entries, index) => {
      const [header, ...rows] = tables[index]!;
      expect(header).toEqual(CONSENT_REGISTER.columns.map(({ name }) => name));
      for (const [at, { number, source }] of entries.entries()) {
        const cells = [rows[at]![0]!, rows[at]![5]!];
        for (const cell of cells) expect(cell).not.toMatch(/^[=+\-@\t\r\n]/);
        expect(cells.map((cell) => cell.replace(/^'('*[=+\-@\t\r\n])/, "$1"))).toEqual([number, source]);
      }
    });
  });
});

describe("a good file damaged", () => {
  const entries = randomEntries(12);
  const whole = Buffer.from(formatRegisterCsv(CONSENT_REGISTER, entries));

  function check(bytes: Buffer): boolean {
    const parsed = parseRegisterCsv(bytes, CONSENT_REGISTER, 1000);
    if (!parsed.ok) {
      expect(parsed.problems.length).toBe(Math.min(parsed.count, MAX_PROBLEMS));
      expect(parsed.count).toBeGreaterThan(0);
      for (const problem of parsed.problems) {
        expect(problem).toMatch(/^line \d+: [^\p{C}]+$/u);
        expect(problem.length).toBeLessThan(200);
      }
      return false;
    }
    const read = parsed.statements.map(({ entry }) => entry);
    expect(statementsOf(formatRegisterCsv(CONSENT_REGISTER, read))).toEqual(read);
    return true;
  }

  test("cut at every length is refused, or holds the rows before the cut and no other", () => {
    let good = 0;
    for (let end = 0; end <= whole.length; end++) {
      const parsed = parseRegisterCsv(whole.subarray(0, end), CONSENT_REGISTER, 1000);
      if (!parsed.ok) continue;
      good++;
      const read = parsed.statements.map(({ entry }) => entry);
      expect(entries.slice(0, read.length)).toEqual(read);
    }
    expect(good).toBeGreaterThan(12);
  });

  test("octets exchanged", () => {
    let good = 0;
    for (let round = 0; round < 3000; round++) {
      const bytes = Buffer.from(whole);
      for (let i = 0; i < 1 + (round % 4); i++) {
        const octets = Buffer.from(ALPHABET[randomInteger(random, ALPHABET.length)]!);
        bytes[randomInteger(random, bytes.length)] = round % 2 ? octets[0]! : randomInteger(random, 256);
      }
      if (check(bytes)) good++;
    }
    expect(good).toBeGreaterThan(50);
  });

  test("noise", () => {
    const header = Buffer.from("number,purpose,effect,validFrom,source\n");
    for (let round = 0; round < 500; round++) {
      const noise = Buffer.from(Array.from({ length: 200 }, () => randomInteger(random, 256)));
      expect(check(noise)).toBe(false);
      check(Buffer.concat([header, Buffer.from(randomText(200))]));
    }
  });
});

test("megabytes of the worst are read in one pass", () => {
  const header = "number,purpose,effect,validFrom,source\n";
  for (const unit of [
    '"',
    '""',
    '"\n',
    '""\n',
    '"""\n',
    '"a"b\n',
    'a"\n',
    "\r",
    "\n",
    ",",
    ",\n",
    '",',
    '"x""\n',
    "x",
  ]) {
    const text = header + unit.repeat((1 << 20) / unit.length);
    const startedAt = process.cpuUsage();
    const parsed = parseRegisterCsv(Buffer.from(text), CONSENT_REGISTER, 1000);
    const { user } = process.cpuUsage(startedAt);
    if (parsed.ok) expect(parsed.statements).toEqual([]);
    // One pass takes well below a second; a pass per line would take hours.
    expect(user / 1e6, JSON.stringify(unit)).toBeLessThan(10);
  }
});

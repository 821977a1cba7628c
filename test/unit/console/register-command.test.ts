// `sidetoned register` carried out: what it says, what it changes, and that bad rows change nothing.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../../device/base/clock.js";
import { EXIT } from "../../../device/base/errors.js";
import { CONSENT_REGISTER } from "../../../device/consent/register-line.js";
import { parseRegisterCommand, runRegisterCommand } from "../../../device/console/register-command.js";
import { configSchema } from "../../../device/contract/config.js";
import { at, BERLIN, CALLER, LIMITS, registerFolder } from "../consent/register-kit.js";

const folder = registerFolder();
const config = configSchema.parse({ numbers: BERLIN, consent: { register: LIMITS } });
const HEADER = "number,purpose,effect,validFrom,validTo,source,revokedAt";
const AGENTS_HEADER = "agent,agreedAt,to,revokedAt";

let nowUs = 0;
const clock: Clock = { nowUs: () => nowUs, monotonicMs: systemClock.monotonicMs };

/** Runs a command line on a day of 2026; its exit code and what it said. */
async function run(day: string, words: string[], input: (string | Buffer)[] = []) {
  nowUs = at(day, "12:00");
  let output = "";
  const io = {
    stdin: (async function* () {
      yield* input;
    })(),
    stdout: {
      write: (text: string) => {
        output += text;
      },
    },
  };
  const exit = await runRegisterCommand(parseRegisterCommand(words), folder.path, config, io, { clock });
  return { exit, output, lines: output.split("\n").slice(0, -1) };
}

const consent = (day: string, ...words: string[]) => run(day, ["consent", ...words]);
const agents = (day: string, ...words: string[]) => run(day, ["agents", ...words]);
const path = () => join(folder.path, "registers", CONSENT_REGISTER.fileName);

describe("consent", () => {
  test("is granted, listed, revoked, and granted again only by lifting the refusal", async () => {
    const granted = await consent(
      "03-01",
      "grant",
      "089 1234567",
      "--purpose",
      "recording",
      "--source",
      "form",
      "--to",
      "2026-12-31",
    );
    expect(granted).toMatchObject({
      exit: EXIT.ok,
      output: expect.stringMatching(/^entered [0-9a-f]{12}: granted for recording, form\n$/),
    });
    const revoked = await consent("03-05", "revoke", CALLER, "--source", "letter");
    expect(revoked.lines).toEqual([
      expect.stringMatching(/^revoked [0-9a-f]{12}: granted for recording, form$/),
      expect.stringMatching(/^entered [0-9a-f]{12}: refused for every purpose, letter$/),
    ]);
    expect((await consent("03-06", "revoke", CALLER, "--source", "letter")).lines).toEqual([
      "refused already: nothing was changed",
    ]);

    const again = ["grant", CALLER, "--purpose", "recording", "--source", "new form"];
    expect((await consent("03-10", ...again)).lines.slice(1)).toEqual([
      "it does not count: a refusal stands against it (--lift ends it), or a revocation that is newer",
    ]);
    const cells = (lines: string[]) => lines.map((line) => line.split(/ {2,}/));
    expect(cells((await consent("03-10", "list")).lines)).toEqual([
      ["entry", "number", "purpose", "effect", "valid from", "valid to", "revoked", "now", "source"],
      [
        expect.any(String),
        "089 1234567",
        "recording",
        "granted",
        "2026-03-01T12:00:00.000000Z",
        "2026-12-31",
        "2026-03-05T12:00:00.000000Z",
        "revoked",
        "form",
      ],
      [expect.any(String), CALLER, "*", "refused", "2026-03-05T12:00:00.000000Z", "in force", "letter"],
      [expect.any(String), CALLER, "recording", "granted", "2026-03-10T12:00:00.000000Z", "outweighed", "new form"],
    ]);
    expect((await consent("03-11", ...again, "--lift")).lines).toEqual([
      expect.stringMatching(/^revoked [0-9a-f]{12}: refused for every purpose, letter$/),
      expect.stringMatching(/^entered [0-9a-f]{12}: granted for recording, new form$/),
    ]);
    const states = cells((await consent("03-11", "list", "+49 89 1234567")).lines).map((row) => row.at(-2));
    expect(states).toEqual(["now", "revoked", "revoked", "in force", "in force"]);
    expect((await consent("03-11", "list", "21")).lines).toEqual(["no entries"]);
  });

  test("for a purpose that no call has is told", async () => {
    const { lines } = await consent("03-01", "grant", "21", "--purpose", "recordng", "--source", "form");
    expect(lines[1]).toBe(
      "no call is recorded for the purpose recordng: consent.purpose and consent.rules name recording",
    );
  });

  test("that is no consent is refused and makes no file", async () => {
    const grant = ["grant", CALLER, "--source", "form", "--purpose"];
    for (const [words, message] of [
      [[...grant, "*"], "purpose * is for refusals: a grant names its purpose"],
      [[...grant, "p", "--from", "2026-02-30"], "validFrom 2026-02-30 is no date"],
      [[...grant, "p", "--to", "2026-02-28"], "validTo 2026-02-28 is not after validFrom 2026-03-01T12"],
      [
        ["grant", "anonymous", "--source", "form", "--purpose", "p"],
        "number names nobody: it stands for withheld numbers",
      ],
      [["revoke", CALLER, "--source", "letter", "--purpose", "a b"], "purpose a b is none"],
    ] as const)
      await expect(consent("03-01", ...words)).rejects.toMatchObject({
        code: "usage",
        message: expect.stringContaining(message),
      });
    expect(existsSync(path())).toBe(false);
  });
});

describe("import and export", () => {
  const rows = [
    "'+49891234567,recording,granted,2026-01-01,,web,",
    '21,training,granted,2026-01-01,2026-12-31,"form, signed",',
  ];
  const csv = `${[HEADER, ...rows].join("\r\n")}\r\n`;

  test("from standard input in pieces, and out again as it was", async () => {
    const bytes = Buffer.from(csv);
    const { exit, lines } = await run("03-01", ["consent", "import", "-"], [bytes.subarray(0, 70), bytes.subarray(70)]);
    expect([exit, lines[0]]).toEqual([EXIT.ok, "2 rows: 2 entered, 0 revoked, 0 on file already"]);
    expect((await consent("03-01", "export")).output).toBe(csv);
    const file = join(folder.path, "out.csv");
    expect(await consent("03-01", "export", file)).toMatchObject({ exit: EXIT.ok, output: "" });
    expect(readFileSync(file, "utf8")).toBe(csv);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await consent("03-01", "import", file)).lines[0]).toBe("2 rows: 0 entered, 0 revoked, 2 on file already");
  });

  test("with a bad row changes nothing and tells which", async () => {
    await run("03-01", ["consent", "import", "-"], [csv]);
    const before = readFileSync(path(), "utf8");
    const file = join(folder.path, "bad.csv");
    const bad = Array.from({ length: 25 }, () => "22,recording,granted,1.2.2026,,web,");
    writeFileSync(file, [HEADER, "23,recording,granted,2026-01-01,,web,", ...bad].join("\n"));
    const { exit, lines } = await consent("03-01", "import", file);
    expect(exit).toBe(EXIT.usage);
    expect(lines.length).toBe(22);
    expect(lines[0]).toBe("line 3: validFrom 1.2.2026 is no date");
    expect(lines.slice(-2)).toEqual(["and 5 more", `nothing was imported: 25 problems in ${file}`]);
    expect(readFileSync(path(), "utf8")).toBe(before);
  });

  test("tells how many grants do not count, and of purposes that no call has", async () => {
    await consent("02-01", "revoke", CALLER, "--source", "letter");
    const { lines } = await run("03-01", ["consent", "import", "-"], [csv]);
    expect(lines).toEqual([
      "2 rows: 2 entered, 0 revoked, 0 on file already",
      "1 of the grants do not count: a refusal or a revocation stands against them",
      "no call is recorded for the purpose training: consent.purpose and consent.rules name recording",
    ]);
  });

  test("of an empty register is its header", async () => {
    expect((await consent("03-01", "export")).output).toBe(`${HEADER}\r\n`);
    expect((await agents("03-01", "export")).output).toBe(`${AGENTS_HEADER}\r\n`);
    expect(existsSync(join(folder.path, "registers"))).toBe(false);
  });

  test("of what cannot be read or written says so", async () => {
    await expect(consent("03-01", "import", join(folder.path, "none"))).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("ENOENT"),
    });
    await expect(consent("03-01", "export", folder.path)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("EISDIR"),
    });
    mkdirSync(path(), { recursive: true });
    for (const words of [["export"], ["list"], ["revoke", CALLER, "--source", "letter"]])
      await expect(consent("03-01", ...words)).rejects.toMatchObject({
        code: "data-unwritable",
        exitCode: EXIT.storage,
      });
  });
});

describe("agents", () => {
  test("agree, are listed, revoke", async () => {
    expect((await agents("03-01", "agree", "21", "--to", "works agreement 2026-01")).lines).toEqual([
      expect.stringMatching(/^entered [0-9a-f]{12}: works agreement 2026-01$/),
    ]);
    await run("03-01", ["agents", "import", "-"], [`${AGENTS_HEADER}\n22,2027-01-01,"two\nlines",\n`]);
    expect((await agents("03-02", "list")).lines.map((line) => line.split(/ {2,}/).slice(1))).toEqual([
      ["agent", "agreed", "revoked", "now", "to"],
      ["21", "2026-03-01T12:00:00.000000Z", "in force", "works agreement 2026-01"],
      ["22", "2027-01-01", "not yet", "two lines"],
    ]);
    expect(await agents("03-03", "revoke", "21")).toMatchObject({ exit: EXIT.ok });
    expect((await agents("03-04", "export")).output).toBe(
      `${AGENTS_HEADER}\r\n21,2026-03-01T12:00:00.000000Z,works agreement 2026-01,2026-03-03T12:00:00.000000Z\r\n22,2027-01-01,"two\nlines",\r\n`,
    );
  });

  test("who never agreed cannot revoke, nor twice", async () => {
    await agents("03-01", "agree", "21", "--to", "works agreement 2026-01");
    await agents("03-01", "revoke", "21");
    for (const agent of ["21", "22"])
      expect(await agents("03-02", "revoke", agent)).toMatchObject({
        exit: EXIT.usage,
        output: "this agent has no agreement that could be revoked: nothing was changed\n",
      });
  });
});

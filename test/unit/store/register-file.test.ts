// The registers' files: what is entered stays, revocations end what they are to end, writers in several processes and
// ones that are killed lose nothing, and nothing that leaves for the audit chain names anybody.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../../device/base/clock.js";
import { AgentsRegister } from "../../../device/consent/agents-register.js";
import { ConsentRegister } from "../../../device/consent/register.js";
import {
  AGENTS_REGISTER,
  CONSENT_REGISTER,
  type ConsentEntry,
  entryId,
  formatLine,
  type RegisterFormat,
  type Statement,
} from "../../../device/consent/register-line.js";
import { AgentsRegisterFile, ConsentRegisterFile, type RegisterSettings } from "../../../device/store/register-file.js";
import { PROJECT_ROOT } from "../../fakes/program.js";
import { at, BERLIN, CALLER, grant, refusal, registerFolder, writeConsent } from "../consent/register-kit.js";

const folder = registerFolder();
const LETTER = "letter of 1 March";

function clockAt(atUs: number): Clock {
  return { nowUs: () => atUs, monotonicMs: systemClock.monotonicMs };
}

function settings(atUs = at("03-01", "12:00"), maxEntries = 1000): RegisterSettings {
  return { folder: join(folder.path, "registers"), numbers: BERLIN, maxEntries, clock: clockAt(atUs) };
}

function consentFile(atUs?: number, maxEntries?: number): ConsentRegisterFile {
  return new ConsentRegisterFile(settings(atUs, maxEntries));
}

function statement<Entry extends object>(format: RegisterFormat<Entry>, entry: Entry): Statement<Entry> {
  const checked = format.check(entry as Record<string, string>);
  if (!checked.ok) throw new Error(checked.problem);
  return checked.statement;
}

function statements(...entries: ConsentEntry[]): Statement<ConsentEntry>[] {
  return entries.map((entry) => statement(CONSENT_REGISTER, entry));
}

function path(format: { fileName: string } = CONSENT_REGISTER): string {
  return join(settings().folder, format.fileName);
}

function effect(atUs: number, purpose = "recording"): string {
  const register = ConsentRegister.read(settings().folder, BERLIN, { maxEntries: 1000 });
  expect([register.fault, register.badLines]).toEqual(["", 0]);
  return register.lookUp({ user: CALLER, number: CALLER }, purpose, atUs)?.effect ?? "";
}

describe("entering", () => {
  test("makes the folder and the file for their owner only", async () => {
    await consentFile().enter(statements(grant()));
    expect(readFileSync(path(), "utf8")).toBe(`${formatLine(CONSENT_REGISTER, grant())}\n`);
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(statSync(settings().folder).mode & 0o777).toBe(0o700);
    expect(readdirSync(settings().folder)).toEqual(["consent.jsonl"]);
  });

  test("stands beside what is there, keeps what is no entry, and replaces the file in one step", async () => {
    mkdirSync(settings().folder);
    const torn = '{"schema":"sidetone.consent-register/1","num';
    writeConsent(settings().folder, refusal({ number: "21" }), torn, grant());
    const before = readFileSync(path(), "utf8");
    const { ino } = statSync(path());
    await consentFile().enter(statements(grant({ source: "form" })));
    expect(readFileSync(path(), "utf8")).toBe(`${before}${formatLine(CONSENT_REGISTER, grant({ source: "form" }))}\n`);
    expect(statSync(path()).ino).not.toBe(ino);
    expect(consentFile().entries().length).toBe(3);
    expect(
      consentFile()
        .entries("089 1234567")
        .map(({ entry }) => entry.source),
    ).toEqual(["web", "form"]);
  });

  test("the same again changes nothing, not even the file", async () => {
    const file = consentFile();
    expect((await file.enter(statements(grant(), grant(), refusal({ number: "21" })))).length).toBe(2);
    const { ino } = statSync(path());
    expect(await file.enter(statements(refusal({ number: "21" }), grant()))).toEqual([]);
    expect(statSync(path()).ino).toBe(ino);
  });

  test("the same with a revocation revokes; an old list does not take that back, and the earlier one counts", async () => {
    const file = consentFile();
    await file.enter(statements(grant()));
    const [change] = await file.enter(statements(grant({ revokedAt: "2026-02-20" })));
    expect(change).toMatchObject({ kind: "revoked", fields: { revokedAt: "2026-02-20" } });
    expect(await file.enter(statements(grant(), grant({ revokedAt: "2026-02-25" })))).toEqual([]);
    expect((await file.enter(statements(grant({ revokedAt: "2026-02-10" })))).length).toBe(1);
    expect(file.entries().map(({ entry }) => entry)).toEqual([grant({ revokedAt: "2026-02-10" })]);
  });

  test("beyond the limit is refused and leaves the file as it was", async () => {
    await consentFile().enter(statements(grant()));
    const before = readFileSync(path(), "utf8");
    const more = statements(grant({ number: "21" }), grant({ number: "22" }));
    await expect(consentFile(undefined, 2).enter(more)).rejects.toMatchObject({
      code: "data-unwritable",
      message: "the consent register would hold more than 2 entries: raise consent.register.maxEntries",
    });
    expect(readFileSync(path(), "utf8")).toBe(before);
    expect(readdirSync(settings().folder)).toEqual(["consent.jsonl"]);
    await consentFile(undefined, 3).enter(more);
    expect(() => consentFile(undefined, 2).entries()).toThrow(/holds more than 2 entries/);
  });

  test("into a file with lines that would be lost is refused", async () => {
    mkdirSync(settings().folder);
    writeConsent(settings().folder, "x".repeat(5000));
    await expect(consentFile().enter(statements(grant()))).rejects.toMatchObject({ code: "data-unwritable" });
    expect(statSync(path()).size).toBe(5001);
  });

  test("where nothing can be written says so", async () => {
    writeFileSync(settings().folder, "");
    await expect(consentFile().enter(statements(grant()))).rejects.toMatchObject({ code: "data-unwritable" });
  });

  test.skipIf(process.getuid?.() !== 0)("by root leaves the file to the owner of the data folder", async () => {
    spawnSync("chown", ["12345:12346", folder.path]);
    await consentFile().enter(statements(grant()));
    for (const made of [path(), settings().folder])
      expect([statSync(made).uid, statSync(made).gid]).toEqual([12345, 12346]);
  });

  test("while somebody without the lock saves the file keeps both", async () => {
    await consentFile().enter(statements(grant()));
    const own = settings();
    let saved = false;
    // The number rules are asked while the edit is made, between reading and writing.
    const meddling = new Proxy(BERLIN, {
      get: (target, name, receiver) => {
        if (!saved) {
          saved = true;
          writeConsent(own.folder, grant(), grant({ source: "editor" }));
        }
        return Reflect.get(target, name, receiver);
      },
    });
    const file = new ConsentRegisterFile({ ...own, numbers: meddling });
    await file.enter(statements(grant({ source: "form" })), { liftsRefusals: true });
    expect(saved).toBe(true);
    const sources = consentFile()
      .entries()
      .map(({ entry }) => entry.source);
    expect(sources).toEqual(["web", "editor", "form"]);
  });
});

describe("revoking", () => {
  test("ends the grants for the purpose and enters the refusal with its source", async () => {
    const file = consentFile();
    const training = grant({ purpose: "training" });
    await file.enter(statements(grant({ number: "089 / 1234567" }), training, grant({ number: "21" })));
    const changes = await file.revoke(CALLER, "recording", LETTER);
    const now = "2026-03-01T12:00:00.000000Z";
    expect(file.entries().map(({ entry }) => entry)).toEqual([
      grant({ number: "089 / 1234567", revokedAt: now }),
      training,
      grant({ number: "21" }),
      refusal({ source: LETTER, validFrom: now }),
    ]);
    expect(changes.map(({ kind, fields }) => [kind, fields.effect])).toEqual([
      ["revoked", "granted"],
      ["entered", "refused"],
    ]);
    expect([effect(at("03-01")), effect(at("03-02")), effect(at("03-02"), "training")]).toEqual([
      "granted",
      "refused",
      "granted",
    ]);
  });

  test("without a purpose refuses for all, also for a number that nothing was on file of", async () => {
    await consentFile().revoke(CALLER, "*", LETTER);
    expect([effect(at("02-28")), effect(at("03-02")), effect(at("03-02"), "any")]).toEqual(["", "refused", "refused"]);
  });

  test("again changes nothing, but a refusal that will end is not enough", async () => {
    const file = consentFile();
    await file.enter(statements(refusal({ purpose: "*", validTo: "2026-03-31" })));
    expect((await file.revoke(CALLER, "recording", LETTER)).length).toBe(1);
    expect(await file.revoke(CALLER, "recording", "again")).toEqual([]);
    expect((await file.revoke(CALLER, "*", LETTER)).length).toBe(1);
    expect(await file.revoke(CALLER, "*", "again")).toEqual([]);
    expect(await file.revoke(CALLER, "training", "again")).toEqual([]);
  });

  test("ends grants that are yet to begin, leaves alone what has ended", async () => {
    const file = consentFile();
    await file.enter(statements(grant({ validTo: "2026-02-10" }), grant({ validFrom: "2026-06-01" })));
    await file.revoke(CALLER, "*", LETTER);
    expect(file.entries().map(({ entry }) => entry.revokedAt !== undefined)).toEqual([false, true, false]);
    expect(effect(at("06-02"))).toBe("refused");
  });

  test("stands until a new grant lifts it; what it ended stays ended", async () => {
    await consentFile().enter(statements(grant(), grant({ purpose: "training" })));
    await consentFile().revoke(CALLER, "*", LETTER);
    const later = consentFile(at("04-01", "12:00"));
    const again = statements(grant({ validFrom: "2026-04-01T12:00Z", source: "form" }));
    expect((await later.enter(again)).length).toBe(1);
    expect(effect(at("05-01"))).toBe("refused");
    const lifted = await later.enter(again, { liftsRefusals: true });
    expect(lifted).toMatchObject([{ kind: "revoked", fields: { effect: "refused", purpose: "*" } }]);
    expect([effect(at("05-01")), effect(at("05-01"), "training")]).toEqual(["granted", "refused"]);
  });

  test("a grant lifts no refusal of another purpose or number", async () => {
    const file = consentFile();
    const others = statements(refusal({ purpose: "training" }), refusal({ number: "21", purpose: "*" }));
    await file.enter(others);
    const changes = await file.enter(statements(grant()), { liftsRefusals: true });
    expect(changes.map(({ kind }) => kind)).toEqual(["entered"]);
  });

  test("for nobody, or without a source, is refused", async () => {
    for (const [number, source] of [
      ["anonymous", LETTER],
      ["", LETTER],
      [CALLER, " "],
    ] as const)
      await expect(consentFile().revoke(number, "*", source)).rejects.toMatchObject({ code: "usage" });
    expect(existsSync(settings().folder)).toBe(false);
  });
});

describe("agents", () => {
  const agreed = { agent: "030 1234521", agreedAt: "2026-02-01", to: "works agreement 2026-01" };

  test("agree and revoke", async () => {
    const file = new AgentsRegisterFile(settings());
    await file.enter([statement(AGENTS_REGISTER, agreed), statement(AGENTS_REGISTER, { ...agreed, agent: "22" })]);
    expect(await file.revoke("23")).toEqual([]);
    const [change] = await file.revoke("+49301234521");
    expect(change).toMatchObject({ register: "agents", kind: "revoked", fields: { to: agreed.to } });
    expect(file.entries("1234521")[0]!.entry.revokedAt).toBe("2026-03-01T12:00:00.000000Z");
    const register = AgentsRegister.read(settings().folder, BERLIN, { maxEntries: 10 });
    const agent = { user: "x", number: "+49301234521" };
    expect(register.lookUp(agent, at("02-15"))?.entry).toBe(change!.entry);
    expect(register.lookUp(agent, at("03-02"))).toBeUndefined();
    expect(register.lookUp({ user: "22", number: "" }, at("03-02"))).toBeDefined();
  });
});

test("what is told of a change names neither the number nor its hash", async () => {
  const file = consentFile();
  const changes = [
    ...(await file.enter(statements(grant({ number: "089 1234567", validTo: "2026-12-31" })))),
    ...(await file.revoke("089/1234567", "*", LETTER)),
  ];
  expect(changes.length).toBe(3);
  expect(changes[0]).toEqual({
    register: "consent",
    kind: "entered",
    entry: entryId(CONSENT_REGISTER, grant({ number: "089 1234567", validTo: "2026-12-31" })),
    fields: { purpose: "recording", effect: "granted", validFrom: "2026-02-01", validTo: "2026-12-31", source: "web" },
  });
  const unsalted = createHash("sha256").update(CALLER).digest("hex");
  expect(JSON.stringify(changes)).not.toContain(unsalted);
  expect(JSON.stringify(changes)).not.toContain("1234567");
});

describe("writers in several processes", () => {
  const WRITER = `
    import { ConsentRegisterFile } from "./device/store/register-file.js";
    import { CONSENT_REGISTER } from "./device/consent/register-line.js";
    const [name, count, settings] = process.argv.slice(2);
    const clock = { nowUs: () => Date.now() * 1000, monotonicMs: () => performance.now() };
    const file = new ConsentRegisterFile({ ...JSON.parse(settings), clock });
    for (let i = 0; i < Number(count); i++) {
      const fields = { number: name + i, purpose: "recording", effect: "granted", validFrom: "2026-02-01", source: "web" };
      await file.enter([CONSENT_REGISTER.check(fields).statement]);
      process.stdout.write(name + i + "\\n");
    }
  `;
  let program = "";

  beforeAll(() => {
    program = mkdtempSync(join(tmpdir(), "sidetone-register-writer-"));
    const options = "--ignoreConfig --module nodenext --target es2023 --types node --skipLibCheck".split(" ");
    const source = join(PROJECT_ROOT, "device/store/register-file.ts");
    const compiler = join(PROJECT_ROOT, "node_modules/typescript/bin/tsc");
    const args = [compiler, ...options, "--rootDir", PROJECT_ROOT, "--outDir", program, source];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: PROJECT_ROOT });
    if (status !== 0) throw new Error(stdout.toString());
    symlinkSync(join(PROJECT_ROOT, "node_modules"), join(program, "node_modules"));
    writeFileSync(join(program, "package.json"), '{"type":"module"}');
    writeFileSync(join(program, "writer.js"), WRITER);
  }, 120_000);
  afterAll(() => rmSync(program, { recursive: true, force: true }));

  /** Numbers whose entry was acknowledged before the writer ended, or was killed. */
  function write(name: string, count: number, killAfter?: number): Promise<string[]> {
    const { clock: _, ...rest } = settings();
    const args = [join(program, "writer.js"), name, String(count), JSON.stringify(rest)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
      // At once, or while the next entry is being made.
      if (killAfter !== undefined && stdout.split("\n").length > killAfter)
        setTimeout(() => child.kill("SIGKILL"), killAfter % 7);
    });
    return new Promise((resolve, reject) => {
      child.on("close", (code) => {
        if (killAfter === undefined && code !== 0) reject(new Error(stderr));
        else resolve(stdout.split("\n").slice(0, -1));
      });
    });
  }

  test("lose nothing", async () => {
    const acknowledged = (await Promise.all(["a", "b", "c", "d"].map((name) => write(name, 20)))).flat();
    expect(acknowledged.length).toBe(80);
    const numbers = consentFile()
      .entries()
      .map(({ entry }) => entry.number);
    expect(numbers.toSorted()).toEqual(acknowledged.toSorted());
    expect(readdirSync(settings().folder)).toEqual(["consent.jsonl"]);
  }, 120_000);

  test("that are killed leave the file whole, and nothing that they acknowledged is missing", async () => {
    const acknowledged: string[] = [];
    for (let round = 1; round <= 4; round++) {
      const names = [`a${round}-`, `b${round}-`, `c${round}-`];
      const lists = await Promise.all(
        names.map((name, index) => write(name, index === 0 ? 4 : 1000, index === 0 ? undefined : round + index)),
      );
      acknowledged.push(...lists.flat());
      const register = ConsentRegister.read(settings().folder, BERLIN, { maxEntries: 1000 });
      expect([register.fault, register.badLines]).toEqual(["", 0]);
    }
    // The lock of the last one may be left, and what it was writing.
    await consentFile().enter(statements(grant()));
    expect(readdirSync(settings().folder)).toEqual(["consent.jsonl"]);
    const numbers = new Set(
      consentFile()
        .entries()
        .map(({ entry }) => entry.number),
    );
    expect(acknowledged.filter((number) => !numbers.has(number))).toEqual([]);
  }, 120_000);
});

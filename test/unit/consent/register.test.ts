// What the consent register says at a moment: the order of refusals, revocations and grants, how numbers are compared,
// and that a file which cannot be used says nothing at all.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { ConsentRegister } from "../../../device/consent/register.js";
import { CONSENT_REGISTER, type ConsentEntry, entryId, formatLine } from "../../../device/consent/register-line.js";
import { at, BERLIN, CALLER, grant, LIMITS, refusal, registerFolder, writeConsent } from "./register-kit.js";

const folder = registerFolder();
const caller = { user: "089 1234567", number: CALLER };

function read(...entries: (ConsentEntry | string)[]): ConsentRegister {
  writeConsent(folder.path, ...entries);
  return ConsentRegister.read(folder.path, BERLIN, LIMITS);
}

/** The effect on a day of 2026, "" when nothing is on file. */
function effectOn(register: ConsentRegister, day: string, purpose = "recording", identity = caller): string {
  return register.lookUp(identity, purpose, at(day))?.effect ?? "";
}

describe("at a moment", () => {
  test("a grant counts from its beginning to the end of its last day, for its purpose", () => {
    const register = read(grant({ validFrom: "2026-02-01", validTo: "2026-03-31" }));
    expect(register.lookUp(caller, "recording", at("02-01"))).toEqual({
      effect: "granted",
      source: "web",
      entry: entryId(CONSENT_REGISTER, grant({ validTo: "2026-03-31" })),
      validTo: at("04-01"),
    });
    expect(register.lookUp(caller, "recording", at("02-01") - 1)).toBeUndefined();
    expect(register.lookUp(caller, "recording", at("04-01") - 1)?.effect).toBe("granted");
    expect(register.lookUp(caller, "recording", at("04-01"))).toBeUndefined();
    expect(register.lookUp(caller, "training", at("02-01"))).toBeUndefined();
  });

  test("a refusal in force beats every grant, whichever came later, also one for every purpose", () => {
    for (const purpose of ["recording", "*"]) {
      const entries = [
        grant(),
        refusal({ purpose, validFrom: "2026-03-01", validTo: "2026-03-31" }),
        grant({ source: "form", validFrom: "2026-03-10" }),
      ];
      for (const order of [entries, [...entries].reverse()]) {
        const register = read(...order);
        expect(["02-28", "03-01", "03-15", "04-01"].map((day) => effectOn(register, day))).toEqual([
          "granted",
          "refused",
          "refused",
          "granted",
        ]);
        expect(register.lookUp(caller, "recording", at("03-15"))?.source).toBe("letter");
      }
    }
  });

  test("a refusal for every purpose refuses where nothing else is on file; one for a purpose does not", () => {
    const register = read(refusal({ purpose: "training" }), refusal({ number: "21", purpose: "*" }));
    expect(effectOn(register, "03-01")).toBe("");
    expect(effectOn(register, "03-01", "training")).toBe("refused");
    expect(effectOn(register, "03-01", "anything", { user: "21", number: "" })).toBe("refused");
  });

  test("a grant that was revoked refuses, and with it every grant that had begun by then", () => {
    const register = read(
      grant({ revokedAt: "2026-03-01T12:00Z" }),
      grant({ source: "older form", validFrom: "2026-01-01" }),
    );
    expect(effectOn(register, "03-01")).toBe("granted");
    expect(register.lookUp(caller, "recording", at("03-01", "12:00"))).toEqual({
      effect: "refused",
      source: "web",
      entry: entryId(CONSENT_REGISTER, grant()),
    });
    expect(effectOn(register, "12-31")).toBe("refused");
    expect(effectOn(register, "12-31", "training")).toBe("");
  });

  test("a revocation outlives the validity of the grant that it revoked", () => {
    const register = read(grant({ validTo: "2026-04-30", revokedAt: "2026-03-01" }), grant({ source: "form" }));
    expect(effectOn(register, "06-01")).toBe("refused");
  });

  test("a grant that began after the revocation counts, not one of the same moment", () => {
    const revoked = grant({ revokedAt: "2026-03-01" });
    expect(effectOn(read(revoked, grant({ validFrom: "2026-03-01", source: "form" })), "05-01")).toBe("refused");
    const register = read(revoked, grant({ validFrom: "2026-03-01T00:01Z", validTo: "2026-06-30", source: "form" }));
    expect(["02-15", "03-01", "03-02", "07-01"].map((day) => effectOn(register, day))).toEqual([
      "granted",
      "refused",
      "granted",
      "refused",
    ]);
  });

  test("a refusal that was lifted says nothing", () => {
    const register = read(refusal({ validFrom: "2026-02-01", revokedAt: "2026-03-01" }));
    expect([effectOn(register, "02-15"), effectOn(register, "03-01")]).toEqual(["refused", ""]);
  });

  test("a grant that was revoked before it began never grants", () => {
    const register = read(grant({ validFrom: "2026-06-01", revokedAt: "2026-03-01" }));
    expect(["02-01", "03-01", "06-02"].map((day) => effectOn(register, day))).toEqual(["", "refused", "refused"]);
  });

  test("of several grants the newest is named", () => {
    const register = read(grant({ source: "form", validFrom: "2026-02-10" }), grant());
    expect(register.lookUp(caller, "recording", at("03-01"))?.source).toBe("form");
    expect(register.lookUp(caller, "recording", at("02-05"))?.source).toBe("web");
  });

  test("a source of several lines is told on one", () => {
    expect(read(grant({ source: "form\r\n  of March" })).lookUp(caller, "recording", at("03-01"))?.source).toBe(
      "form of March",
    );
  });
});

describe("numbers", () => {
  test("count however they are written or signalled", () => {
    const register = read(grant({ number: "0049 (89) 123-4567" }));
    for (const identity of [
      { user: "+49891234567", number: "" },
      { user: "0891234567", number: "+49891234567" },
      { user: "someone", number: "+49891234567" },
    ])
      expect(effectOn(register, "03-01", "recording", identity)).toBe("granted");
    for (const identity of [
      { user: "+49891234568", number: "+49891234568" },
      { user: "1234567", number: "" },
      { user: "", number: "" },
    ])
      expect(effectOn(register, "03-01", "recording", identity)).toBe("");
  });

  test("extensions and names count as written", () => {
    const register = read(grant({ number: "21" }), grant({ number: "zoe" }));
    expect(effectOn(register, "03-01", "recording", { user: "21", number: "21" })).toBe("granted");
    expect(effectOn(register, "03-01", "recording", { user: "zoe", number: "zoe" })).toBe("granted");
    for (const user of ["121", "021", "Zoe", "+21"])
      expect(effectOn(register, "03-01", "recording", { user, number: user })).toBe("");
  });

  test("a refusal under either name of a party counts", () => {
    const register = read(grant({ number: "zoe" }), refusal());
    expect(effectOn(register, "03-01", "recording", { user: "zoe", number: CALLER })).toBe("refused");
  });

  test("whoever withholds the number is nobody, whatever the file says", () => {
    const line = formatLine(CONSENT_REGISTER, grant());
    const register = read(line.replace(CALLER, "anonymous"), line.replace(CALLER, "00000000"));
    expect([register.size, register.badLines]).toEqual([0, 2]);
    for (const user of ["anonymous", "00000000", "Anonymous"])
      expect(effectOn(register, "03-01", "recording", { user, number: user })).toBe("");
  });
});

test("what it says is what the entries say, and nothing changes before it is said to change", () => {
  const day = fc.integer({ min: 1, max: 28 });
  const dateOf = (value: number) => `2026-03-${String(value).padStart(2, "0")}`;
  const moment = fc.option(day, { nil: undefined });
  const entryArbitrary = fc.record({
    number: fc.constantFrom(CALLER, "0891234567", "089-1234567", "+4930999999", "21"),
    purpose: fc.constantFrom("recording", "training", "*"),
    isGrant: fc.boolean(),
    from: day,
    lasts: moment,
    revoked: moment,
  });
  const begins = (value: number) => at(`03-${String(value).padStart(2, "0")}`);
  fc.assert(
    fc.property(fc.array(entryArbitrary, { maxLength: 8 }), (drafts) => {
      const entries = drafts.map(
        ({ number, purpose, isGrant, from, lasts, revoked }, index): ConsentEntry => ({
          number,
          purpose: isGrant && purpose === "*" ? "recording" : purpose,
          effect: isGrant ? "granted" : "refused",
          validFrom: dateOf(from),
          ...(lasts !== undefined && { validTo: dateOf(Math.min(28, from + lasts)) }),
          source: `s${index}`,
          ...(revoked !== undefined && { revokedAt: dateOf(revoked) }),
        }),
      );
      const register = read(...entries);
      expect([register.size, register.badLines, register.fault]).toEqual([entries.length, 0, ""]);
      const told: (string | undefined)[] = [];
      for (let today = 1; today <= 30; today++) {
        const atUs = begins(1) + (today - 1) * 86_400e6;
        const date = (text: string | undefined) => (text === undefined ? 99 : Number(text.slice(-2)));
        const own = entries.filter((e) => ["+49891234567", "0891234567", "089-1234567"].includes(e.number));
        const relevant = own.filter((e) => e.purpose === "recording" || e.purpose === "*");
        const isOn = (e: ConsentEntry) =>
          date(e.validFrom) <= today && today <= date(e.validTo) && today < date(e.revokedAt);
        const revocations = relevant.filter((e) => e.effect === "granted" && date(e.revokedAt) <= today);
        const isBeaten = (e: ConsentEntry) => revocations.some((r) => date(r.revokedAt) >= date(e.validFrom));
        let expected: string | undefined;
        if (revocations.length > 0) expected = "refused";
        if (relevant.some((e) => e.effect === "granted" && isOn(e) && !isBeaten(e))) expected = "granted";
        if (relevant.some((e) => e.effect === "refused" && isOn(e))) expected = "refused";
        const finding = register.lookUp(caller, "recording", atUs);
        if (finding?.effect !== expected) throw new Error(`day ${today}: ${finding?.effect}, not ${expected}`);
        if (finding && !own.some((e) => e.source === finding.source)) throw new Error("another's entry");
        told.push(finding && `${finding.effect} ${finding.entry}`);
      }
      for (let today = 1; today < 30; today++) {
        const atUs = begins(1) + (today - 1) * 86_400e6;
        const nextUs = register.nextChangeUs(caller, "recording", atUs) ?? Number.POSITIVE_INFINITY;
        const isTooLate = told[today] !== told[today - 1] && nextUs > atUs + 86_400e6;
        if (nextUs <= atUs || isTooLate) throw new Error(`day ${today}: next change at ${nextUs}`);
      }
    }),
    { numRuns: 150 },
  );
});

describe("the file", () => {
  test("missing is empty, and not a fault", () => {
    for (const register of [ConsentRegister.empty(), ConsentRegister.read(join(folder.path, "none"), BERLIN, LIMITS)]) {
      expect([register.size, register.badLines, register.fault]).toEqual([0, 0, ""]);
      expect(register.lookUp(caller, "recording", at("03-01"))).toBeUndefined();
      expect(register.nextChangeUs(caller, "recording", 0)).toBeUndefined();
    }
  });

  test("with bad lines counts them and keeps the rest", () => {
    const overlong = `{"schema":"${"x".repeat(600_000)}"}`;
    const notUtf8 = Buffer.from(`${formatLine(CONSENT_REGISTER, grant({ source: "Zoe?" }))}\n`, "latin1");
    notUtf8[notUtf8.indexOf("?")] = 0xeb;
    writeConsent(
      folder.path,
      "",
      "{",
      grant(),
      "  ",
      overlong,
      "null",
      refusal({ number: "21" }),
      `${"y".repeat(5000)}`,
    );
    const path = join(folder.path, CONSENT_REGISTER.fileName);
    writeFileSync(
      path,
      Buffer.concat([notUtf8, readFileSync(path), Buffer.from(formatLine(CONSENT_REGISTER, grant({ number: "22" })))]),
    );
    const register = ConsentRegister.read(folder.path, BERLIN, LIMITS);
    expect([register.size, register.badLines, register.fault]).toEqual([3, 5, ""]);
    expect(effectOn(register, "03-01")).toBe("granted");
    expect(effectOn(register, "03-01", "recording", { user: "22", number: "" })).toBe("granted");
  });

  test("lines of every length around the bounds of what is read at once are whole", () => {
    // Up to 4,000 bytes, 1.8 MB together: some lie across every boundary.
    const lines = Array.from({ length: 900 }, (_, index) =>
      formatLine(CONSENT_REGISTER, grant({ number: `${100 + index}` })),
    );
    writeConsent(folder.path, ...lines.map((line, index) => line.padEnd(200 + ((index * 131) % 3800))));
    const register = ConsentRegister.read(folder.path, BERLIN, LIMITS);
    expect([register.size, register.badLines, register.fault]).toEqual([900, 0, ""]);
  });

  test("with a line that is too long takes nothing from its end", () => {
    for (const length of [4097, 262_144, 262_145, 262_144 + 1000, 262_144 + 4096, 600_000]) {
      const register = read(formatLine(CONSENT_REGISTER, grant()).padStart(length), grant({ number: "21" }));
      expect([length, register.size, register.badLines]).toEqual([length, 1, 1]);
    }
    expect(read(formatLine(CONSENT_REGISTER, grant()).padStart(4096)).size).toBe(1);
  });

  test("beyond the limit grants nothing and refuses nothing", () => {
    writeConsent(folder.path, grant(), refusal({ number: "21", purpose: "*" }), "bad");
    expect(ConsentRegister.read(folder.path, BERLIN, { maxEntries: 3 }).fault).toBe("");
    for (const maxEntries of [0, 1, 2]) {
      const register = ConsentRegister.read(folder.path, BERLIN, { maxEntries });
      expect(register.fault).toMatch(
        /consent\.jsonl holds more than \d entries: take some out or raise consent\.register\.maxEntries$/,
      );
      expect([register.size, register.badLines]).toEqual([0, 0]);
      expect([effectOn(register, "03-01"), effectOn(register, "03-01", "x", { user: "21", number: "" })]).toEqual([
        "",
        "",
      ]);
    }
  });

  test("that is too large for its limit is not even read", () => {
    const path = join(folder.path, CONSENT_REGISTER.fileName);
    execFileSync("truncate", ["-s", "1T", path]);
    expect(ConsentRegister.read(folder.path, BERLIN, LIMITS).fault).toContain("holds more than 1000 entries");
  });

  it.each([
    ["a folder", () => mkdirSync(join(folder.path, CONSENT_REGISTER.fileName))],
    ["a pipe", () => execFileSync("mkfifo", [join(folder.path, CONSENT_REGISTER.fileName)])],
    ["in a file instead of a folder", () => writeFileSync(join(folder.path, "x"), "")],
  ])("that is %s is a fault", (what, make) => {
    make();
    const place = what.startsWith("in") ? join(folder.path, "x") : folder.path;
    const register = ConsentRegister.read(place, BERLIN, LIMITS);
    expect(register.fault).toMatch(/^\S+consent\.jsonl (is no file|cannot be read: E[A-Z]+)$/);
    expect(effectOn(register, "03-01")).toBe("");
  });
});

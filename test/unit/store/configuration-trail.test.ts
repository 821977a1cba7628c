// The trail of the configuration: an entry for the audit chain whenever it is another than at the last start, which names
// settings and never what they are.
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Config, configSchema } from "../../../device/contract/config.js";
import { noteConfiguration } from "../../../device/store/configuration-trail.js";
import { filesBelow, makeFolder, removeFolder } from "./store-kit.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const trailPath = (): string => join(folder, "audit", "configuration.json");
const configOf = (sections: object = {}): Config => configSchema.parse(sections);
const note = (sections: object = {}) => noteConfiguration(folder, configOf(sections))?.detail;
const changed = (sections: object): unknown => note(sections)?.["changed"];

describe("the first start", () => {
  it("is an entry that names no settings, and a file for the owner only", () => {
    expect(noteConfiguration(folder, configOf())).toEqual({
      kind: "configuration",
      actor: "service",
      detail: {
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        settings: expect.any(Number),
        changed: [],
        more: 0,
      },
    });
    expect(filesBelow(folder)).toEqual(["audit/configuration.json"]);
    expect(statSync(trailPath()).mode & 0o777).toBe(0o600);
  });

  it("knows every setting that the configuration has", () => {
    const leaves = (value: unknown): number =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.values(value).reduce((sum: number, member) => sum + leaves(member), 0)
        : 1;
    expect(note()).toMatchObject({ settings: leaves(configOf()) });
  });
});

describe("a later start", () => {
  it("with the same configuration is no entry and leaves the file as it was", () => {
    note({ consent: { policy: "none" } });
    const before = readFileSync(trailPath());
    expect(noteConfiguration(folder, configOf({ consent: { policy: "none" } }))).toBeUndefined();
    expect(readFileSync(trailPath())).toEqual(before);
  });

  it.each<[string, object, string[]]>([
    ["a choice", { consent: { policy: "both-parties" } }, ["consent.policy"]],
    ["a number deep inside", { consent: { pause: { maxS: 301 } } }, ["consent.pause.maxS"]],
    ["a list", { agents: { match: ["10.0.0.0/24"] } }, ["agents.match"]],
    ["rules", { consent: { rules: [{ name: "sales", policy: "none" }] } }, ["consent.rules"]],
    [
      "several settings, in order",
      { log: { level: "warn" }, consent: { purpose: "quality" }, call: { maxCalls: 7 } },
      ["call.maxCalls", "consent.purpose", "log.level"],
    ],
  ])("names %s that changed, once, and again when it is changed back", (_name, sections, paths) => {
    note();
    expect(changed(sections)).toEqual(paths);
    expect(noteConfiguration(folder, configOf(sections))).toBeUndefined();
    expect(changed({})).toEqual(paths);
  });

  it("has the hash of the first start again when all is as it was", () => {
    const first = note();
    const other = note({ consent: { policy: "none" } });
    expect(other?.["sha256"]).not.toBe(first?.["sha256"]);
    expect(note()?.["sha256"]).toBe(first?.["sha256"]);
  });

  it("names settings that came or went with another version, a hundred at most, and counts the rest", () => {
    note();
    const trail = JSON.parse(readFileSync(trailPath(), "utf8"));
    const { "consent.policy": policy, ...others } = trail.settings;
    writeFileSync(trailPath(), JSON.stringify({ ...trail, settings: { ...others, "consent.gone": policy } }));
    expect(changed({})).toEqual(["consent.gone", "consent.policy"]);
    writeFileSync(trailPath(), JSON.stringify({ ...trail, settings: { "consent.policy": policy } }));
    const detail = note();
    expect(detail?.["changed"]).toHaveLength(100);
    expect(100 + Number(detail?.["more"])).toBe(Object.keys(trail.settings).length - 1);
  });
});

describe("secrets and numbers", () => {
  const SECRETS = {
    mqtt: { username: "recorder-7", password: "correct-horse" },
    consent: { numbers: { never: ["+49301234567"] }, rules: [{ name: "lawyer", numbers: ["+49309876543"] }] },
    agents: { match: ["10.20.30.0/24"] },
  };
  const WORDS = ["recorder-7", "correct-horse", "301234567", "lawyer", "309876543", "10.20.30.0"];

  it("stand neither in the file nor in the entry", () => {
    const entries = [noteConfiguration(folder, configOf())];
    entries.push(noteConfiguration(folder, configOf(SECRETS)));
    const text = JSON.stringify(entries) + filesBelow(folder).map((path) => readFileSync(join(folder, path), "utf8"));
    for (const word of WORDS) expect(text).not.toContain(word);
    expect(entries[1]?.detail?.["changed"]).toEqual([
      "agents.match",
      "consent.numbers.never",
      "consent.rules",
      "mqtt.password",
      "mqtt.username",
    ]);
  });
});

describe("a file that is damaged", () => {
  const write = (content: string | Buffer): void => {
    mkdirSync(join(folder, "audit"), { recursive: true });
    writeFileSync(trailPath(), content);
  };

  it.each([
    ["empty", ""],
    ["no JSON", "{"],
    ["null", "null"],
    ["a list", "[]"],
    ["without settings", '{"schema":"sidetone.configuration-trail/1"}'],
    ["with settings that are none", '{"schema":"sidetone.configuration-trail/1","settings":null}'],
    ["of another schema", '{"schema":"sidetone.configuration-trail/2","settings":{"log.level":"x"}}'],
  ])("%s counts as none and is put right", (_name, content) => {
    write(content);
    expect(note()).toMatchObject({ changed: [], more: 0 });
    expect(noteConfiguration(folder, configOf())).toBeUndefined();
    expect(changed({ log: { level: "warn" } })).toEqual(["log.level"]);
  });

  it("anywhere is an entry, and right afterwards", () => {
    note();
    const whole = readFileSync(trailPath());
    const places = fc.array(fc.tuple(fc.nat(whole.length - 2), fc.integer({ min: 1, max: 255 })), { minLength: 1 });
    fc.assert(
      fc.property(places, fc.boolean(), (damage, isCut) => {
        const bytes = Buffer.from(whole);
        for (const [at, flipped] of damage) bytes[at] = bytes[at]! ^ flipped;
        const damaged = isCut ? whole.subarray(0, damage[0]![0]) : bytes;
        if (damaged.equals(whole)) return;
        write(damaged);
        expect(noteConfiguration(folder, configOf())).toMatchObject({ kind: "configuration" });
        expect(readFileSync(trailPath())).toEqual(whole);
        expect(noteConfiguration(folder, configOf())).toBeUndefined();
      }),
      // Each makes the disk write it down for good.
      { numRuns: 25 },
    );
  });

  it("or a folder that cannot be written to is an error, not a silence", () => {
    writeFileSync(join(folder, "audit"), "not a folder");
    expect(() => note()).toThrow();
  });
});

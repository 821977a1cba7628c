// Names of pulled files: what a template may say, and that no value, however hostile, leads out of the folder, takes another
// recording's name, or makes a name that one of the systems reads otherwise.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeCallId } from "../../../../device/base/ids.js";
import {
  DEFAULT_TEMPLATE,
  type Described,
  NameTemplate,
  TEMPLATE_FIELDS,
} from "../../../../host/pull/name-template.js";
import { MAX_COMPONENT_BYTES } from "../../../../host/pull/safe-name.js";

const ID = "01J0000000ABCDEFGHJKMNPQRS";
const DESCRIBED: Described = {
  id: ID,
  startedAt: "2026-11-21T09:08:07.123456Z",
  agent: "21",
  number: "+493012345",
  caller: "Anna Müller",
  tags: ["complaint", "vip"],
  device: "box",
  policy: "agent-only",
  purpose: "quality",
  retention: "",
};
const nameOf = (template: string, described: Partial<Described> = {}): string =>
  new NameTemplate(template).nameOf({ ...DESCRIBED, ...described });

const HOSTILE = [
  "..",
  ".",
  "",
  " ",
  "../../etc/passwd",
  "..\\..\\boot.ini",
  "/etc/shadow",
  "C:\\Windows",
  "\\\\server\\share",
  "con",
  "CON.wav",
  "Aux ",
  "COM¹",
  "lpt9.txt",
  "nul\u0000.wav",
  "a\u202egnp.exe",
  "\u200bzero",
  "\x1b[2J\x1b]0;title\x07",
  "a\r\nb",
  "x:stream",
  "SIDETO~1",
  ".sidetone-pull",
  ".s\u200cidetone-pull",
  "\ud800",
  "e\u0301",
  "\u0301",
  "ﬀ",
  "İ",
  "ß",
  "\u{1d160}",
  "-rf",
  "a.wav",
  "A.JSON",
  "trailing. . .",
  "\u00a0",
  "\u3000x",
  "日本語".repeat(100),
  "x".repeat(10_000),
  "🙂".repeat(100),
  "\u1100\u1161",
  "%2e%2e%2f",
  "$(reboot)",
  "`id`",
  "|nul",
  "con\u0300",
];
const anyText = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 300 }),
  fc.array(fc.constantFrom(...HOSTILE), { maxLength: 4 }).map((pieces) => pieces.join("")),
  fc.uint16Array({ maxLength: 30 }).map((units) => String.fromCharCode(...units)),
);
const anyDescribed: fc.Arbitrary<Described> = fc.record({
  id: fc.uint8Array({ minLength: 10, maxLength: 10 }).map((bytes) => makeCallId(1.7e15, Buffer.from(bytes))),
  startedAt: fc.oneof(fc.constant(DESCRIBED.startedAt), anyText),
  agent: anyText,
  number: anyText,
  caller: anyText,
  tags: fc.array(anyText, { maxLength: 3 }),
  device: anyText,
  policy: anyText,
  purpose: anyText,
  retention: anyText,
});
const anyTemplate = fc
  .array(
    fc.array(fc.constantFrom(...TEMPLATE_FIELDS.map((field) => `{${field}}`), "-", "x", " ", ".wav", "call "), {
      minLength: 1,
      maxLength: 6,
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((components) => components.map((pieces) => pieces.join("")).join("/"))
  .filter((template) => template.length <= 200 && template.split("/").every((part) => /[^ .]/.test(part)));

describe("a template of names", () => {
  it("puts days into folders unless told otherwise", () => {
    expect(nameOf(DEFAULT_TEMPLATE)).toBe(`2026/11/21/${ID}`);
  });

  it("knows every field", () => {
    expect(
      nameOf("{date}/{time}/{agent} {number} {caller}/{tag} {tags}/{device}-{policy}-{purpose}-{retention}-{id}"),
    ).toBe(`2026-11-21/090807/21 +493012345 Anna Müller/complaint complaint+vip/box-agent-only-quality-unknown-${ID}`);
    expect(nameOf("{year}{month}{day}{hour}{minute}{second} {id}")).toBe(`20261121090807 ${ID}`);
  });

  it("has the id in the file's own name, whether it says so or not", () => {
    expect(nameOf("{agent}")).toBe(`21-${ID}`);
    expect(nameOf("{id}/audio")).toBe(`${ID}/audio-${ID}`);
  });

  it.each([
    ["../{id}", /folder without a name/],
    ["/{id}", /folder without a name/],
    ["a//{id}", /folder without a name/],
    ["{id}/", /folder without a name/],
    ["{callers}", /no field \{callers\}: there are \{id\}/],
    ["{__proto__}", /no field/],
    ["{id", /characters/],
    ["a\\{id}", /characters/],
    ["a:{id}", /characters/],
    [`a\u202e{id}`, /characters/],
    ["x".repeat(201), /longer/],
    ["a/b/c/d/e/f/g/h/i/{id}", /more than 8 folders/],
  ])("refuses %j", (template, reason) => {
    expect(() => new NameTemplate(template)).toThrow(reason);
  });

  it.each([
    ["..", "unknown"],
    ["CON", "_CON"],
    ["con.wav", "_con.wav_"],
    ["COM¹", "_COM¹"],
    ["a/b\\c:d*e", "a_b_c_d_e"],
    [".sidetone-pull", "_sidetone-pull"],
    ["SIDETO~1", "SIDETO_1"],
    ["a\u202eb\u200bc\x1bd", "a_b_c_d"],
    ["dots. . .", "dots"],
    ["e\u0301", "é"],
    ["\ud800x", "\ufffdx"],
    ["x.json", "x.json_"],
    ["\u00a0 \u3000", "unknown"],
  ])("makes a folder of the value %j", (value, folder) => {
    const expected = folder === "unknown" && value === ".." ? "__" : folder;
    expect(nameOf("{number}/{id}", { number: value })).toBe(`${expected}/${ID}`);
  });

  it("is safe on every system, whatever the values are", () => {
    fc.assert(
      fc.property(anyTemplate, anyDescribed, (template, described) => {
        const name = new NameTemplate(template).nameOf(described);
        const components = name.split("/");
        expect(components).toHaveLength(template.split("/").length);
        expect(components.at(-1)).toContain(described.id);
        for (const component of components) {
          expect(component).not.toMatch(
            /[\x00-\x1f\x7f-\x9f<>:"\\|?*~\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]/u,
          );
          expect(component).not.toMatch(/^[ .-]|[ .]$/);
          expect(component.split(".")[0]!.trim()).not.toMatch(/^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])$/i);
          expect(Buffer.byteLength(`${component}.wav.age`)).toBeLessThanOrEqual(MAX_COMPONENT_BYTES);
          expect(component.normalize("NFC")).toBe(component);
        }
        for (const folder of components.slice(0, -1)) expect(folder).not.toMatch(/\.(?:wav|json|age)$/i);
      }),
      { numRuns: 500 },
    );
  });

  it("gives two recordings two names, on file systems that know no case as well", () => {
    fc.assert(
      fc.property(anyTemplate, anyDescribed, anyDescribed, (template, one, other) => {
        fc.pre(one.id !== other.id);
        const [first, second] = [one, other].map((each) => new NameTemplate(template).nameOf(each).split("/").at(-1)!);
        expect(first!.normalize("NFKC").toLowerCase()).not.toBe(second!.normalize("NFKC").toLowerCase());
      }),
    );
  });
});

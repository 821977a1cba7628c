// The YAML file: what is read, what is refused with its line, and that hostile files cost bounded time and memory.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import { ConfigFile, MAXIMUM_FILE_BYTES } from "../../../device/config/config-file.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-config-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const values = (text: string): unknown => ConfigFile.parse(text, "f.yaml").toValues();
function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(SidetoneError);
    expect((error as SidetoneError).code).toBe("config-unreadable");
    return (error as SidetoneError).message;
  }
  throw new Error("was accepted");
}

describe("reading", () => {
  it("is YAML 1.2 core: yes is text, 0o10 is octal, 010 is decimal", () => {
    expect(values("a: yes\nb: 0o10\nc: 010\nd: ~\ne: off\n")).toEqual({ a: "yes", b: 8, c: 10, d: null, e: "off" });
  });

  it("stays with the core schema whatever a directive says", () => {
    expect(values("%YAML 1.1\n---\na: yes\nb: 1:30\n")).toEqual({ a: "yes", b: "1:30" });
  });

  it("takes a byte order mark, an empty file, comments only, and JSON", () => {
    const path = join(folder, "bom.yaml");
    writeFileSync(path, "\ufeffa: 1\n");
    expect(ConfigFile.read(path).toValues()).toEqual({ a: 1 });
    expect(values("")).toBeNull();
    expect(values("# nothing\n")).toBeNull();
    expect(values('{"a": {"b": [1, "x"]}}')).toEqual({ a: { b: [1, "x"] } });
  });

  it("resolves aliases within the bound", () => {
    expect(values("a: &x [1, 2]\nb: *x\n")).toEqual({ a: [1, 2], b: [1, 2] });
  });

  it("reads a pipe", () => {
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);
    const writer = spawn("sh", ["-c", 'printf "a: 1\\n" > "$0"', path]);
    expect(ConfigFile.read(path).toValues()).toEqual({ a: 1 });
    writer.kill();
  });
});

describe("places", () => {
  const text = [
    "# head",
    "consent:",
    "  policy: none",
    "  rules:",
    "    - numbers:",
    "        - 0301",
    "agents: {match: [a,",
    "  b]}",
    "x: &n {deep: 1}",
    "y: *n",
    "",
  ];
  const file = ConfigFile.parse(text.join("\n"), "f.yaml");

  it.each([
    [["consent"], 2],
    [["consent", "policy"], 3],
    [["consent", "rules", 0, "numbers", 0], 6],
    [["agents", "match", 0], 7],
    [["agents", "match", 1], 8],
    [["y", "deep"], 9],
    [["consent", "absent"], 2],
    [["consent", "rules", 7], 4],
    [["absent", "far"], 2],
    [[], 2],
  ])("%j stands on line %i", (path, line) => {
    expect(file.placeOf(path)).toEqual({ label: `f.yaml:${line}`, line });
  });

  it("knows how a scalar was written", () => {
    expect(file.sourceOf(["consent", "rules", 0, "numbers", 0])).toBe("0301");
    expect(file.sourceOf(["consent", "rules"])).toBe("");
    expect(file.sourceOf(["nothing"])).toBe("");
  });
});

describe("refusals", () => {
  it.each([
    ["a: 1\nb: [1\n", /^f\.yaml:\d+: not valid YAML: /],
    ["a: 1\n---\nb: 1\n", /^f\.yaml:\d+: not valid YAML: .*multiple documents/],
    ["a: 1\n\n a: 2\n", /^f\.yaml:\d+: not valid YAML/],
    ["a: 1\nb: 1\na: 2\n", /^f\.yaml:3: a: given twice, first on line 1$/],
    ["s:\n  - k: 1\n    k: 2\n", /^f\.yaml:3: k: given twice, first on line 2$/],
    ["1: a\n'1': b\n", /^f\.yaml:2: 1: given twice, first on line 1$/],
    ["a: !important 1\n", /^f\.yaml:1: not valid YAML: Unresolved tag/],
    ["? [a]\n: 1\n", /^f\.yaml:1: not valid YAML/],
    ["a: *nowhere\n", /aliases cannot be resolved|not valid YAML/],
  ])("%j", (text, message) => {
    expect(refusal(() => values(text))).toMatch(message);
  });

  it("says all duplicate keys at once", () => {
    expect(refusal(() => values("a: 1\na: 1\nb: 1\nb: 1\n")).split("\n")).toHaveLength(2);
  });

  it("a missing file, a folder, an unlimited device, other encodings", () => {
    expect(refusal(() => ConfigFile.read(join(folder, "no.yaml")))).toMatch(/no\.yaml: no such file/);
    expect(refusal(() => ConfigFile.read(folder))).toMatch(/is a folder/);
    expect(refusal(() => ConfigFile.read("/dev/zero"))).toMatch(/larger than 1048576 bytes/);
    const path = join(folder, "latin1.yaml");
    writeFileSync(path, Buffer.from("name: M\u00fcller\n", "latin1"));
    expect(refusal(() => ConfigFile.read(path))).toMatch(/not UTF-8/);
  });

  it("the size limit is exact", () => {
    const path = join(folder, "large.yaml");
    writeFileSync(path, `#${"x".repeat(MAXIMUM_FILE_BYTES - 1)}`);
    expect(ConfigFile.read(path).toValues()).toBeNull();
    writeFileSync(path, `#${"x".repeat(MAXIMUM_FILE_BYTES)}`);
    expect(refusal(() => ConfigFile.read(path))).toMatch(/larger than/);
  });
});

describe("hostile files end in one line", () => {
  const full = MAXIMUM_FILE_BYTES;
  const laughs = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"];
  for (let i = 1; i < 10; i++)
    laughs.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(",")}]`,
    );
  const manyAnchors = Array.from({ length: 40_000 }, (_, i) => `- &a${i} 1\n- *a${i}`).join("\n");
  const stairs = Array.from({ length: 1400 }, (_, i) => `${" ".repeat(i)}a:`).join("\n");
  it.each([
    ["brackets", "[".repeat(full), /nested more deeply/],
    ["braces", "{".repeat(full), /nested more deeply/],
    ["dashes", "- ".repeat(full / 2), /nested more deeply/],
    ["question marks", "? ".repeat(full / 2), /nested more deeply/],
    ["colons", "a: ".repeat(full / 3), /nested more deeply/],
    ["stairs", stairs, /nested more deeply/],
    ["many anchors and aliases", manyAnchors, /more than 100 aliases/],
    ["multiplying aliases", laughs.join("\n"), /aliases cannot be resolved/],
    ["closing brackets", "]".repeat(full), /more than 300000 words/],
    ["newlines", "\n".repeat(full), /more than 300000 words/],
  ])("%s", (_name, text, message) => {
    const refused = refusal(() => ConfigFile.parse(text, "f.yaml").toValues());
    expect(refused).toMatch(message);
    expect(refused.split("\n").length).toBeLessThanOrEqual(51);
  });

  it("tells at most 50 faults of a file and counts the others", () => {
    const lines = refusal(() => values("]\n".repeat(1000))).split("\n");
    expect(lines).toHaveLength(51);
    expect(lines[0]).toMatch(/^f\.yaml:1: not valid YAML/);
    expect(lines[50]).toMatch(/^and \d+ more problems$/);
  });
});

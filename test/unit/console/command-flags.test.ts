// The reading of flags that all commands share, and that each of them reads with it.
import { describe, expect, it } from "vitest";
import { parseArguments } from "../../../device/console/arguments.js";
import { given, readFlags } from "../../../device/console/command-flags.js";

const FLAGS = { json: "", read: "FILE", data: "DIR" };
const rules = { repeatable: ["read"], nextFlag: /^-./s };

describe("readFlags", () => {
  it.each<[string[], Record<string, string[]>, string[]]>([
    [["a", "--json", "b"], { json: [] }, ["a", "b"]],
    [["--read", "-", "--read=-x", "--data", "d"], { read: ["-", "-x"], data: ["d"] }, []],
    [["--data=a=b", "--", "--read"], { data: ["a=b"] }, ["--read"]],
  ])("%j", (argv, values, positionals) => {
    const words = readFlags(argv, FLAGS, rules);
    expect([Object.fromEntries(words.values), words.positionals]).toEqual([values, positionals]);
  });

  it("what begins with a dash is a flag's value as the command has it", () => {
    expect(() => readFlags(["--data", "-"], FLAGS)).toThrow(/^--data needs a value: --data DIR$/);
    expect(() => readFlags(["--data", "-x"], FLAGS, rules)).toThrow(/^--data needs a value: --data DIR$/);
    expect(readFlags(["--data", "-x"], FLAGS, { nextFlag: /^--/ }).values.get("data")).toEqual(["-x"]);
  });

  it("only what was given is there", () => {
    expect(given(new Map([["data", ["d"]]]), { folder: "data", file: "config" })).toEqual({ folder: "d" });
  });
});

const COMMANDS = [
  "token list",
  "audit list",
  "audit verify",
  "prove 01ARZ3NDEKTSV4RRFFQ69G5FAV",
  "register consent list",
];
describe.each(COMMANDS)("%s", (command) => {
  const parse =
    (...flags: string[]) =>
    () =>
      parseArguments([...command.split(" "), ...flags]);
  const [name] = command.split(" ");

  it("finds the data folder and the configuration by --data and --config", () =>
    expect(parse("--data=-d", "--config", "c")()).toMatchObject({
      kind: name,
      command: { dataFolder: "-d", configFile: "c" },
    }));

  it.each<[string[], RegExp]>([
    [["--data"], /^--data needs a value: --data DIR$/],
    [["--config="], /^--config needs a value: --config FILE$/],
    [["--data", "--config"], /^--data needs a value/],
    [["--data", "a", "--data", "b"], /^--data is given twice$/],
    [["--dta=x"], /^--dta: unknown flag of [a-z ]+; did you mean --data\?$/],
    [["--policy=none"], new RegExp(`^--policy: unknown flag of ${name}`)],
    [["--__proto__"], /^--__proto__: unknown flag of [a-z ]+$/],
    [["--toString"], /^--toString: unknown flag of [a-z ]+$/],
    [["-h"], /^-h: unknown flag of [a-z ]+$/],
    [["more", "a\u001b[2J\u2028"], /^[^\p{C}\u2028]+$/u],
  ])("%j is refused in one line", (flags, line) => expect(parse(...flags)).toThrow(line));
});

// The command line: every flag in both spellings, and one helpful line for everything that is not understood.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXIT, SidetoneError } from "../../../device/base/errors.js";
import { helpText, parseArguments } from "../../../device/console/arguments.js";

const live = { kind: "run", readPaths: [], json: false, overrides: {} };
function refusal(argv: string[]): string {
  try {
    parseArguments(argv);
  } catch (error) {
    expect(error).toBeInstanceOf(SidetoneError);
    expect((error as SidetoneError).code).toBe("usage");
    expect((error as SidetoneError).exitCode).toBe(2);
    expect((error as SidetoneError).message).not.toMatch(/[\n\r\x1b]/);
    return (error as SidetoneError).message;
  }
  throw new Error("was accepted");
}

describe("parseArguments", () => {
  it.each([
    [[], live],
    [
      ["--interface", "eth0", "--interface=eth1", "--interface", "eth0"],
      { ...live, overrides: { capture: { interfaces: ["eth0", "eth1"] } } },
    ],
    [["--read", "a.pcap", "--read=-"], { ...live, readPaths: ["a.pcap", "-"] }],
    [["--read", "-", "--read", "a b.pcap"], { ...live, readPaths: ["-", "a b.pcap"] }],
    [["--read=-x.pcap"], { ...live, readPaths: ["-x.pcap"] }],
    [["--read", "a=b.pcap"], { ...live, readPaths: ["a=b.pcap"] }],
    [
      ["--data", "d", "--config=c.yaml", "--json"],
      { ...live, configFile: "c.yaml", json: true, overrides: { data: { folder: "d" } } },
    ],
    [["--policy", "both-parties"], { ...live, overrides: { consent: { policy: "both-parties" } } }],
    [["--agents", "10.0.0.0/24, 2?,,"], { ...live, overrides: { agents: { match: ["10.0.0.0/24", "2?"] } } }],
    [["--help"], { kind: "help" }],
    [["-h"], { kind: "help" }],
    [["--read", "x", "--help"], { kind: "help" }],
    [["--version"], { kind: "version" }],
    [["config", "explain"], { kind: "explain-config", json: false }],
    [["config", "check"], { kind: "check-config" }],
    [["config", "check", "--config", "c.yaml"], { kind: "check-config", configFile: "c.yaml" }],
    [["config", "explain", "--json"], { kind: "explain-config", json: true }],
    [["--json", "config", "explain"], { kind: "explain-config", json: true }],
  ])("%j", (argv, command) => expect(parseArguments(argv)).toEqual(command));

  it.each([
    [["--polcy", "none"], "--polcy: unknown flag; did you mean --policy?"],
    [["--interfaces=eth0"], "--interfaces: unknown flag; did you mean --interface?"],
    [["--zzz"], "--zzz: unknown flag; --help lists all"],
    [["-x"], "-x: unknown flag; --help lists all"],
    [["--__proto__"], "--__proto__: unknown flag; --help lists all"],
    [
      ["--policy", "agent"],
      "--policy agent: not one of agent-only, consent-first, both-parties, none; did you mean agent-only?",
    ],
    [["--policy", "x"], "--policy x: not one of agent-only, consent-first, both-parties, none"],
    [["--data"], "--data needs a value: --data DIR"],
    [["--data="], "--data needs a value: --data DIR"],
    [["--read", "--json"], "--read needs a value: --read FILE"],
    [["--read", ""], "--read needs a value: --read FILE"],
    [["--agents", ",,"], "--agents needs a value: --agents LIST, for example 10.0.0.0/24,21"],
    [["--json=yes"], "--json takes no value"],
    [["--data", "a", "--data", "b"], "--data is given twice"],
    [["--read", "a", "--interface", "b"], "--read and --interface contradict each other: give one of them"],
    [["--read", "-", "--read", "-"], "--read: - (stdin) can be read only once"],
    [["--read", "a.pcap", "b.pcap"], "b.pcap: unexpected argument; to read several files repeat --read"],
    [["a.pcap"], "a.pcap: unexpected argument; through npm, flags follow --: npm start -- --read FILE"],
    [["--", "--read"], "--read: unexpected argument; through npm, flags follow --: npm start -- --read FILE"],
    [["config"], "config : the commands are config explain, config check"],
    [["config", "show"], "config show: the commands are config explain, config check"],
    [["config", "check", "--json"], "--json does not go with config check"],
    [["config", "explain", "call"], "call: unexpected argument after config explain"],
    [["config", "explain", "--read", "x"], "--read does not go with config explain"],
    [
      ["a\u001b[2Jb\n.pcap"],
      "a?[2Jb?.pcap: unexpected argument; through npm, flags follow --: npm start -- --read FILE",
    ],
  ])("%j is refused", (argv, message) => expect(refusal(argv)).toBe(message));

  it("ends in a command or in one line, whatever is typed", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("--read", "--json", "--data=", "-", "--", "config", "explain", "--interface"),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
        try {
          parseArguments(argv);
        } catch (error) {
          if (!(error instanceof SidetoneError)) throw error;
          expect(error.message).not.toMatch(/\n/);
        }
      }),
      { numRuns: 500, seed: 11 },
    );
  });
});

describe("helpText", () => {
  it("names every flag and exit code in plain ASCII, no line wider than 120", () => {
    const text = helpText();
    for (const name of ["interface", "read", "data", "config", "policy", "agents", "json", "help", "version"]) {
      expect(text).toMatch(new RegExp(`^  --${name}\\b`, "m"));
    }
    const line = /^Exit codes: (.*)$/m.exec(text)?.[1] ?? "";
    const listed = line.split(", ").map((part) => /^(\d+) \S/.exec(part)?.[1]);
    expect(listed).toEqual(Object.values(EXIT).map(String));
    expect(Math.max(...text.split("\n").map((one) => one.length))).toBeLessThanOrEqual(120);
    expect(text).toMatch(/^[\n\x20-\x7e]+\n$/);
  });

  it("lists the exit codes that the README documents", () => {
    const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
    const paragraph = /^Exit codes: [\s\S]*?\n\n/m.exec(readme)?.[0] ?? "";
    for (const code of Object.values(EXIT)) expect(paragraph).toMatch(new RegExp(`(: |· )${code} \\S`));
  });
});

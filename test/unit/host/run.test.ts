// `sidetone` from its words to its exit code, without a box: the table of commands, help, completion, and errors in one line.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { flagsOf } from "../../../host/command.js";
import { commandTable } from "../../../host/commands.js";
import { completionScript, SHELLS } from "../../../host/completion.js";
import { HOST_EXIT, HOST_EXIT_TEXT } from "../../../host/errors.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { runHere } from "./host-kit.js";

const commands = commandTable();
let folder: string;
beforeAll(() => {
  folder = makeFolder();
});
afterAll(() => removeFolder(folder));

describe("the table", () => {
  it("says of every command and flag what it is, in one line without a full stop", () => {
    for (const command of commands) {
      expect(command.name).toMatch(/^[a-z]+(?:-[a-z]+)*$/);
      const summaries = [command.summary, ...Object.values(flagsOf(command)).map(({ summary }) => summary)];
      for (const summary of summaries) expect(summary).toMatch(/^[^\n]+[^.\n]$/);
      const repeatable = (command.arguments ?? []).findIndex(({ isRepeatable }) => isRepeatable);
      expect(repeatable === -1 || repeatable === command.arguments!.length - 1).toBe(true);
    }
    expect(new Set(commands.map(({ name }) => name)).size).toBe(commands.length);
  });

  it("has help for every command, the same by word and by flag, within 200 columns", async () => {
    for (const { name } of commands) {
      const [byWord, byFlag] = [await runHere(["help", name]), await runHere([name, "--help"])];
      expect(byWord).toEqual(byFlag);
      expect(byWord.stdout).toMatch(new RegExp(`^usage: sidetone ${name}`));
      for (const line of byWord.stdout.split("\n")) expect(line.length).toBeLessThan(400);
    }
  });

  it("lists every command and every exit code", async () => {
    const { stdout } = await runHere(["help"]);
    for (const { name, summary } of commands)
      expect(stdout).toMatch(new RegExp(`^  ${name} +${summary.slice(0, 10)}`, "m"));
    for (const [name, code] of Object.entries(HOST_EXIT))
      expect(stdout).toContain(`${String(code).padStart(5)}  ${HOST_EXIT_TEXT[name as keyof typeof HOST_EXIT]}`);
    expect((await runHere(["--version"])).stdout).toMatch(/^sidetone \d+\.\d+\.\d+\n$/);
  });
});

describe("the README", () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const [chapter = ""] = /^## The host tool\n[\s\S]*?(?=^## )/m.exec(readme) ?? [];

  it("names every command and every exit code", () => {
    for (const { name } of commands) expect([name, new RegExp(`\\b${name}\\b`).test(chapter)]).toEqual([name, true]);
    for (const code of Object.values(HOST_EXIT)) expect(chapter).toMatch(new RegExp(`(?:: |· )${code} [a-z]`));
  });
});

describe("bad usage", () => {
  it.each([
    [[], /^sidetone: a command is missing; sidetone help lists all$/],
    [["verfy"], /^sidetone: verfy: unknown command; did you mean verify\?$/],
    [["x\x1b[2J"], /^sidetone: x\?\[2J: unknown command; sidetone help lists all$/],
    [["verify", "/tmp", "--publik-key", "x"], /unknown flag of verify; did you mean --public-key\?$/],
    [["verify", "/tmp", "--public-key"], /--public-key needs a value: --public-key FILE$/],
    [["verify", "/tmp", "--json=yes", "--public-key", "x"], /--json takes no value$/],
    [["verify", "/tmp", "--public-key=a", "--public-key=b"], /--public-key is given twice$/],
    [["verify", "a", "b", "--public-key", "x"], /^sidetone: b: unexpected argument; usage: sidetone verify FOLDER/],
    [["completion", "bsh"], /^sidetone: bsh: not one of bash, zsh, fish, powershell; did you mean bash\?$/],
    [["help", "hlep"], /did you mean help\?$/],
  ])("%j", async (argv, expected) => {
    const { exitCode, stdout, stderr } = await runHere(argv);
    expect([exitCode, stdout]).toEqual([HOST_EXIT.usage, ""]);
    expect(stderr.trimEnd()).toMatch(expected);
    expect(stderr.trimEnd()).not.toContain("\n");
  });

  it("is JSON with --json", async () => {
    const { exitCode, stderr } = await runHere(["verify", "--json"]);
    expect(exitCode).toBe(HOST_EXIT.usage);
    expect(JSON.parse(stderr)).toMatchObject({ error: "usage", message: expect.stringContaining("FOLDER is missing") });
  });
});

describe("completion", () => {
  const complete = (words: string[]): string[] => {
    const script = join(folder, "sidetone.bash");
    writeFileSync(script, completionScript("bash", commands).join("\n"));
    const list = words.map((word) => `'${word}'`).join(" ");
    const body = `source ${script}; COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _sidetone; printf '%s\\n' "\${COMPREPLY[@]}"; complete -p sidetone >&2`;
    return execFileSync("bash", ["--norc", "-c", body], {
      encoding: "utf8",
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    })
      .split("\n")
      .filter((line) => line !== "");
  };

  it("completes commands, flags, choices and names in bash", () => {
    writeFileSync(join(folder, "device key.pub"), "");
    expect(complete(["sidetone", "ver"])).toEqual(["verify"]);
    expect(complete(["sidetone", ""])).toEqual([...commands.map(({ name }) => name), "--version", "--help"]);
    expect(complete(["sidetone", "verify", "--pub"])).toEqual(["--public-key"]);
    expect(complete(["sidetone", "verify", "--public-key", "dev"])).toEqual(["device key.pub"]);
    expect(complete(["sidetone", "verify", "--public-key", "=", "dev"])).toEqual(["device key.pub"]);
    expect(complete(["sidetone", "completion", ""])).toEqual([...SHELLS]);
    for (const command of commands)
      expect(complete(["sidetone", command.name, "--"])).toEqual(
        Object.keys(flagsOf(command)).map((flag) => `--${flag}`),
      );
  });

  it("names every command and flag in every shell", () => {
    for (const shell of SHELLS) {
      const script = completionScript(shell, commands).join("\n");
      for (const command of commands) {
        expect(script).toContain(command.name);
        for (const flag of Object.keys(flagsOf(command))) expect(script).toContain(flag);
      }
    }
  });
});

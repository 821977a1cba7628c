// The command line of `sidetoned register`: every form, and one helpful line for everything that is not understood.
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import { REGISTER_USAGE } from "../../../device/console/register-arguments.js";
import { parseRegisterCommand } from "../../../device/console/register-command.js";

function refusal(args: string[]): string {
  try {
    parseRegisterCommand(args);
  } catch (error) {
    expect(error).toBeInstanceOf(SidetoneError);
    expect((error as SidetoneError).code).toBe("usage");
    expect((error as SidetoneError).message).toMatch(/^[^\p{C}]+$/u);
    return (error as SidetoneError).message;
  }
  throw new Error("was accepted");
}

describe("parseRegisterCommand", () => {
  const number = "+49 89 1234567";
  it.each([
    ["consent import a.csv", { register: "consent", verb: "import", file: "a.csv" }],
    ["agents import -", { register: "agents", verb: "import", file: "-" }],
    ["consent export", { register: "consent", verb: "export", file: "-" }],
    ["agents export a.csv", { register: "agents", verb: "export", file: "a.csv" }],
    ["consent list", { register: "consent", verb: "list" }],
    ["agents list 21", { register: "agents", verb: "list", subject: "21" }],
    [
      "consent grant NUMBER --purpose recording --source=web",
      { register: "consent", verb: "grant", number, purpose: "recording", source: "web", lifts: false },
    ],
    [
      "consent --lift --to 2026-12-31 grant --source web --from=2026-01-01 --purpose p NUMBER",
      {
        register: "consent",
        verb: "grant",
        number,
        purpose: "p",
        source: "web",
        from: "2026-01-01",
        to: "2026-12-31",
        lifts: true,
      },
    ],
    ["consent revoke NUMBER --source letter", { register: "consent", verb: "revoke", number, source: "letter" }],
    [
      "consent revoke NUMBER --purpose p --source -",
      { register: "consent", verb: "revoke", number, purpose: "p", source: "-" },
    ],
    ["agents agree 21 --to agreement", { register: "agents", verb: "agree", agent: "21", to: "agreement" }],
    [
      "agents revoke 21 --data d --config=c.yaml",
      { register: "agents", verb: "revoke", agent: "21", dataFolder: "d", configFile: "c.yaml" },
    ],
  ])("reads %s", (line, command) => {
    expect(parseRegisterCommand(line.split(" ").map((word) => (word === "NUMBER" ? number : word)))).toEqual(command);
  });

  it.each([
    [[], "register takes consent or agents"],
    [["consents"], "consents: not one of them; did you mean consent?; register takes consent or agents"],
    [["consent"], "register consent takes import, export, list, grant or revoke"],
    [["agents", "grant"], "grant: not one of them; register agents takes import, export, list, agree or revoke"],
    [
      ["consent", "toString"],
      "toString: not one of them; register consent takes import, export, list, grant or revoke",
    ],
    [["consent", "import"], "register consent import needs FILE"],
    [["consent", "list", "1", "2"], "2: unexpected argument after register consent list [NUMBER]"],
    [
      ["consent", "grant", "1", "--purpose", "p"],
      "register consent grant needs --source: register consent grant NUMBER --purpose … --source …",
    ],
    [["agents", "agree", "21"], "register agents agree needs --to: register agents agree AGENT --to …"],
    [["consent", "revoke", "1", "--source", "x", "--lift"], "--lift does not go with register consent revoke"],
    [["consent", "list", "--purpse", "p"], "--purpse: unknown flag of register; did you mean --purpose?"],
    [["consent", "revoke", "1", "--source"], "--source needs a value: --source TEXT"],
    [["consent", "revoke", "1", "--source="], "--source needs a value: --source TEXT"],
    [["consent", "grant", "1", "--source", "--purpose", "p"], "--source needs a value: --source TEXT"],
    [["consent", "grant", "1", "--lift=yes", "--source", "x", "--purpose", "p"], "--lift takes no value"],
    [["consent", "revoke", "1", "--source", "x", "--source", "y"], "--source is given twice"],
    [["\u001b[2J"], "?[2J: not one of them; register takes consent or agents"],
  ])("refuses %j", (args, message) => {
    expect(refusal(args)).toBe(message);
  });

  test("any words either make a command or are refused in one line", () => {
    const words = [..."consent agents import export list grant agree revoke 21 - -- -x".split(" "), "", "\n"];
    const flags = ["--purpose", "--source", "--to=x", "--from", "--lift", "--data", "--config=c", "--x"];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words, ...flags), { maxLength: 9 }), (args) => {
        try {
          expect(parseRegisterCommand(args)).toHaveProperty("verb");
        } catch (error) {
          if (!(error instanceof SidetoneError)) throw error;
          expect(error.message).toMatch(/^[^\p{C}]+$/u);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("the usage names every form that is read", () => {
    const lines = REGISTER_USAGE.split("\n").filter((line) => line.includes("sidetoned register "));
    for (const line of lines) {
      const words = line
        .split("sidetoned register ")[1]!
        .replaceAll(/[[\]]|\|-/g, "")
        .split(" ");
      expect(parseRegisterCommand(words), line).toMatchObject({ register: words[0], verb: words[1] });
    }
    expect(lines.length).toBe(10);
  });
});

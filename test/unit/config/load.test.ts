// The configuration out of its sources: their order, what each refuses and in which words, and entries that look right
// and would match nothing.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import { listFields, listSections } from "../../../device/config/fields.js";
import { type ConfigRequest, type LoadedConfig, loadConfig } from "../../../device/config/load.js";
import { findMeaningFaults } from "../../../device/config/meaning.js";
import { configSchema } from "../../../device/contract/config.js";
import { HOST_ENVIRONMENT } from "../../../device/contract/host-environment.js";

let folder = "";
let file = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-load-"));
  file = join(folder, "f.yaml");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(yaml: string, request: Partial<ConfigRequest> = {}): LoadedConfig {
  writeFileSync(file, yaml);
  return loadConfig({ file, environment: {}, ...request });
}
/** The lines of the refusal, the temporary folder cut off. */
function problems(yaml: string, request: Partial<ConfigRequest> = {}): string[] {
  try {
    load(yaml, request);
  } catch (error) {
    expect(error).toBeInstanceOf(SidetoneError);
    expect((error as SidetoneError).code).toBe("config-invalid");
    expect((error as SidetoneError).exitCode).toBe(2);
    return (error as SidetoneError).message.replaceAll(`${folder}/`, "").split("\n");
  }
  throw new Error("was accepted");
}
const noFile = { defaultFile: "/nonexistent/sidetone.yaml" };

describe("sources", () => {
  it("nothing given is the built-in default", () => {
    const { config, sources } = loadConfig({ environment: {}, ...noFile });
    expect(config).toEqual(configSchema.parse({}));
    expect(config.consent.policy).toBe("agent-only");
    expect(sources).toEqual({ file: "", settings: {} });
  });

  it("default < file < environment < flag, setting by setting", () => {
    const { config, sources } = load(
      "call: {tailMs: 1, preAnswerMs: 1}\nconsent: {policy: none}\nlog: {level: debug}\n",
      {
        environment: { SIDETONE_CALL_TAIL_MS: "2", SIDETONE_CONSENT_POLICY: "consent-first", PATH: "/bin" },
        flags: { consent: { policy: "both-parties" } },
      },
    );
    expect(config.call).toEqual({ ...configSchema.parse({}).call, tailMs: 2, preAnswerMs: 1 });
    expect(config.consent.policy).toBe("both-parties");
    expect(config.log.level).toBe("debug");
    expect(sources).toEqual({
      file,
      settings: {
        "call.tailMs": "environment",
        "call.preAnswerMs": "file",
        "consent.policy": "flag",
        "log.level": "file",
      },
    });
  });

  it("a list of a stronger source replaces the weaker one", () => {
    const { config } = load("agents: {match: [a, b]}\n", {
      environment: { SIDETONE_AGENTS_MATCH: " 10.0.0.0/24, 2? ,," },
    });
    expect(config.agents.match).toEqual(["10.0.0.0/24", "2?"]);
  });

  it("reads the default file only when it exists and none is given", () => {
    const fallback = join(folder, "default.yaml");
    writeFileSync(fallback, "log: {level: warn}\n");
    expect(loadConfig({ environment: {}, defaultFile: fallback }).config.log.level).toBe("warn");
    expect(load("", { defaultFile: fallback }).config.log.level).toBe("info");
    expect(() => loadConfig({ file: join(folder, "absent.yaml"), environment: {} })).toThrow(/no such file/);
  });

  it("a section whose settings are all commented out is empty", () => {
    const { config } = load("log:\n  # level: debug\nconsent:\n  header:\n");
    expect(config).toEqual(configSchema.parse({}));
  });

  it("rules come through with their defaults", () => {
    const { config } = load(
      'consent:\n  rules:\n    - {numbers: ["0301*"], policy: none, name: works council}\n    - {consent: granted}\n',
    );
    const open = { trunks: [], agents: [], numbers: [], days: [], hours: [], headers: [], retention: "", purpose: "" };
    expect(config.consent.rules).toEqual([
      { ...open, numbers: ["0301*"], policy: "none", name: "works council" },
      { ...open, consent: "granted", name: "rule" },
    ]);
  });
});

describe("environment", () => {
  it.each([
    ["SIDETONE_CALL_IDLE_TIMEOUT_MS", "60000", 60000],
    ["SIDETONE_CAPTURE_PROMISCUOUS", "false", false],
    ["SIDETONE_CAPTURE_PROMISCUOUS", "1", true],
    ["SIDETONE_DEVICE_ID", "box, with comma", "box, with comma"],
    ["SIDETONE_CONSENT_HEADER_GRANTED", "ok,sure", ["ok", "sure"]],
    ["SIDETONE_AGENTS_MATCH", "", []],
  ])("%s=%s", (name, text, value) => {
    const { config } = loadConfig({ environment: { [name]: text }, ...noFile });
    const found = Object.values(config).flatMap((section) =>
      Object.values(section).flatMap((member) => [
        member,
        ...(typeof member === "object" ? Object.values(member) : []),
      ]),
    );
    expect(found).toContainEqual(value);
  });

  it.each([
    [
      "SIDETONE_CALL_IDLE_TIMEOUT_MS",
      "60s",
      'call.idleTimeoutMs: found "60s", expected a whole number from 5000 to 86400000 ms',
    ],
    [
      "SIDETONE_CALL_IDLE_TIMEOUT_MS",
      "",
      'call.idleTimeoutMs: found "", expected a whole number from 5000 to 86400000 ms',
    ],
    ["SIDETONE_CALL_TAIL_MS", "5001", "call.tailMs: found 5001, expected a whole number from 0 to 5000 ms"],
    ["SIDETONE_CAPTURE_PROMISCUOUS", "ja", 'capture.promiscuous: found "ja", expected true or false'],
    [
      "SIDETONE_LOG_LEVEL",
      "inf",
      'log.level: found "inf", expected one of debug, info, warn, error; did you mean info?',
    ],
    ["SIDETONE_CONSENT_POLCY", "none", "no setting has this environment name; did you mean SIDETONE_CONSENT_POLICY?"],
    ["SIDETONE_WHATEVER", "1", "no setting has this environment name"],
    ["SIDETONE_CONSENT_RULES", "[]", "consent.rules can be set in the configuration file only"],
  ])("%s=%s is refused", (name, text, line) => {
    expect(problems("", { environment: { [name]: text } })).toEqual([`${name}: ${line}`]);
  });

  it("what is the host tool's is not ours, and none of our settings has such a name", () => {
    const names = Object.values(HOST_ENVIRONMENT);
    const { sources } = load("", { environment: Object.fromEntries(names.map((name) => [name, "x"])) });
    expect(sources.settings).toEqual({});
    expect(listFields(listSections()).filter(({ environment }) => (names as string[]).includes(environment))).toEqual(
      [],
    );
  });
});

describe("refusals", () => {
  it.each([
    ["consent:\n  polcy: none\n", "f.yaml:2: consent.polcy: unknown key; did you mean consent.policy?"],
    ["policy: none\n", "f.yaml:1: policy: unknown key; did you mean consent.policy?"],
    [
      "call:\n\n  idle_timeout_ms: 1\n",
      "f.yaml:3: call.idle_timeout_ms: unknown key; did you mean call.idleTimeoutMs?",
    ],
    ["consnt: {}\n", "f.yaml:1: consnt: unknown key; did you mean consent?"],
    ["zzz: 1\n", "f.yaml:1: zzz: unknown key"],
    ["__proto__: {x: 1}\n", "f.yaml:1: __proto__: unknown key"],
    ['"a\\nb": 1\n', 'f.yaml:1: "a\\nb": unknown key'],
    [
      "consent: {policy: agent}\n",
      'f.yaml:1: consent.policy: found "agent", expected one of agent-only, consent-first, both-parties, none; did you mean agent-only?',
    ],
    ["call: {tailMs: -1}\n", "f.yaml:1: call.tailMs: found -1, expected a whole number from 0 to 5000 ms"],
    ["call: {maxCalls: 1.5}\n", "f.yaml:1: call.maxCalls: found 1.5, expected a whole number from 1 to 1000000"],
    ["call: {maxCalls: .nan}\n", "f.yaml:1: call.maxCalls: found NaN, expected a whole number from 1 to 1000000"],
    ["call: {maxCalls: }\n", "f.yaml:1: call.maxCalls: found no value, expected a whole number from 1 to 1000000"],
    ["call: 7\n", "f.yaml:1: call: found 7, expected a section with keys"],
    ["- a\n", "f.yaml:1: found a list, expected a section with keys"],
    [
      "agents:\n  match:\n    - 21\n    - 0301\n",
      'f.yaml:3: agents.match[0]: found 21, expected text of 1 to 256 characters; put it in quotes: "21"',
    ],
    [
      "agents: {match: 10.0.0.0/8}\n",
      'f.yaml:1: agents.match: found "10.0.0.0/8", expected a list of at most 4096 texts',
    ],
    [
      "a: &a [*a]\nagents: {match: *a}\n",
      "f.yaml:1: agents.match[0]: found a list, expected text of 1 to 256 characters",
    ],
    ["consent:\n  rules:\n    - none\n", 'f.yaml:3: consent.rules[0]: found "none", expected an entry with keys'],
    [
      "consent:\n  rules:\n    - {}\n    - polcy: none\n",
      "f.yaml:4: consent.rules[1].polcy: unknown key; did you mean consent.rules[1].policy?",
    ],
    [
      "device:\n  id: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
      "f.yaml:2: device.id: found text of 73 characters, expected text of 0 to 64 characters",
    ],
  ])("%j", (yaml, line) => {
    expect(problems(yaml)[0]).toBe(line);
  });

  it("says how a number is written that lost its leading zero", () => {
    expect(problems("agents: {match: [0301]}\n")).toEqual([
      'f.yaml:1: agents.match[0]: found 301, expected text of 1 to 256 characters; put it in quotes: "0301"',
    ]);
  });

  it("says everything at once, the file's lines in order", () => {
    const lines = problems("log: {level: x}\ncall:\n  tailMs: x\n  nope: 1\n", {
      environment: { SIDETONE_NOPE: "1" },
      flags: { agents: { match: ["10.0.0.0/33"] } },
    });
    expect(lines.map((line) => line.slice(0, 20))).toEqual([
      "SIDETONE_NOPE: no se",
      "--agents: agents.mat",
      "f.yaml:1: log.level:",
      "f.yaml:3: call.tailM",
      "f.yaml:4: call.nope:",
    ]);
  });

  it("refuses a wrong value also where a stronger source overrides it", () => {
    expect(problems("log: {level: x}\n", { environment: { SIDETONE_LOG_LEVEL: "info" } })).toHaveLength(1);
  });

  it("a file full of faults ends in fifty lines and a count", () => {
    const lines = problems(Array.from({ length: 40_000 }, (_, i) => `key${i}: 1`).join("\n"));
    expect(lines).toHaveLength(51);
    expect(lines[50]).toBe("and 39950 more problems");
  });

  it("never lets an input past as anything but a refusal or a configuration of the schema", () => {
    const json = fc.jsonValue({ maxDepth: 4 });
    const key = fc.constantFrom("consent", "agents", "match", "rules", "policy", "call", "__proto__", "constructor");
    const tree = fc.dictionary(key, fc.oneof(json, fc.dictionary(key, json)));
    fc.assert(
      fc.property(tree, (values) => {
        try {
          const { config } = load(JSON.stringify(values));
          expect(configSchema.parse(config)).toEqual(config);
        } catch (error) {
          if (!(error instanceof SidetoneError)) throw error;
          for (const line of error.message.split("\n")) expect(line).toMatch(/f\.yaml/);
        }
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});

describe("entries that would match nothing", () => {
  it.each([
    ["10.0.0.0/33", /neither an address nor a CIDR/],
    ["10.0.0.300", /neither an address nor a CIDR/],
    ["10.0.0/24", /neither an address nor a CIDR/],
    ["2001:db8::/129", /neither an address nor a CIDR/],
    ["2001:db8:::1", /neither an address nor a CIDR/],
    ["10.0.0.*", /write a network like/],
    ["10.0.*", /write a network like/],
    ["10.0.0.1-10.0.0.9", /write a network like/],
    ["agents/24", /neither an address nor a CIDR/],
    ["sip:21@pbx.example", /without scheme and host: 21$/],
    ["tel:+4930123", /without scheme and host: \+4930123$/],
    ["21@pbx", /without scheme and host: 21$/],
  ])("agents.match %s", (entry, message) => {
    const lines = problems(`agents:\n  match:\n    - "fine"\n    - "${entry}"\n`);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^f\.yaml:4: agents\.match\[1\]: "/);
    expect(lines[0]).toMatch(message);
  });

  it.each([
    "10.0.0.0/24",
    "10.0.0.7/24",
    "10.0.0.7",
    "::1",
    "2001:db8::/32",
    "21",
    "+4930*",
    "2?",
    "*",
    "anna.schmidt",
    "030.1234.567",
  ])("agents.match %s is fine", (entry) =>
    expect(load(`agents: {match: ["${entry}"]}\n`).config.agents.match).toEqual([entry]),
  );

  it("a header value that means two things, told where it is written", () => {
    expect(problems("consent:\n  header:\n    granted: [ok, NO]\n")).toEqual([
      'f.yaml:3: consent.header.refused[1]: "no" is also in consent.header.granted; a value can mean one thing only',
    ]);
    expect(problems("consent: {header: {granted: [a], refused: [b], withdrawn: [B, a]}}\n")).toHaveLength(2);
    expect(load("consent: {header: {granted: [a, a]}}\n").config.consent.header.granted).toEqual(["a", "a"]);
  });

  it.each([
    [["*", "21"], 1],
    [["030*", "0301*"], 1],
    [["030*", "03012?"], 1],
    [["2?", "21"], 1],
    [["21", "21"], 1],
    [["", "21"], 1],
    [["", ""], 1],
    [["*", ""], 1],
    [["*1*2*", "0a1b2c"], 1],
    [["21", "2?"], 0],
    [["0301*", "030*"], 0],
    [["2?", "2*"], 0],
    [["*1", "12"], 0],
    [["21,22", "21,23"], 0],
    [["21,22", "21"], 1],
    [["21", "22", "21,22"], 1],
  ])("rules for %j: %i can never match", (rules, count) => {
    const list = rules.map((numbers) => ({ numbers: numbers === "" ? [] : numbers.split(","), policy: "none" }));
    const yaml = JSON.stringify({ consent: { rules: list } });
    if (count === 0) expect(load(yaml).config.consent.rules).toHaveLength(rules.length);
    else {
      const lines = problems(yaml);
      expect(lines).toHaveLength(count);
      expect(lines[0]).toMatch(
        new RegExp(`^f\\.yaml:1: consent\\.rules\\[${rules.length - 1}\\]: can never match: earlier rules`),
      );
    }
  });

  it("a rule is called unreachable only if no number reaches it", () => {
    const pattern = fc
      .array(fc.constantFrom("1", "2", "*", "?"), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join(""));
    const number = fc.array(fc.constantFrom("1", "2"), { maxLength: 6 }).map((parts) => parts.join(""));
    const toExpression = (text: string): RegExp => new RegExp(`^${text.replaceAll("*", ".*").replaceAll("?", ".")}$`);
    fc.assert(
      fc.property(pattern, pattern, fc.array(number, { minLength: 50, maxLength: 50 }), (first, second, numbers) => {
        const rules = [{ numbers: [first] }, { numbers: [second] }];
        const isUnreachable = findMeaningFaults(configSchema.parse({ consent: { rules } })).length > 0;
        const reaching = numbers.filter((text) => toExpression(second).test(text) && !toExpression(first).test(text));
        if (isUnreachable) expect(reaching).toEqual([]);
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});

// A change of settings in the file's text: comments, order and everything else stay; what would change anything else, or make the
// whole wrong, is refused.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { changeConfiguration, findValueProblem } from "../../../device/config/change.js";
import { ChangeRefused } from "../../../device/config/document-change.js";
import { type ConfigRequest, loadConfig, makeCatalogue } from "../../../device/config/load.js";
import type { ConfigFault } from "../../../device/config/problems.js";

const catalogue = makeCatalogue();
let folder = "";
let file = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-change-"));
  file = join(folder, "f.yaml");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const change = (text: string, values: Record<string, unknown>, request: Partial<ConfigRequest> = {}) =>
  changeConfiguration({ file, environment: {}, ...request, text }, file, values, catalogue);

const OFFICE = `# The office in Berlin.
consent:
  policy: agent-only   # as agreed with the works council

agents:
  match:
    - 10.0.0.0/24 # phones
    # - 10.0.1.0/24 later

call:
  # A long tail.
  tailMs: 800  # was 500
  holdTimeoutMs: 0x6ddd00

log: { level: debug }
# the end
`;

describe("a changed configuration file", () => {
  it("keeps comments, order and empty lines", () => {
    const { text, changed, config } = change(OFFICE, {
      "call.tailMs": 300,
      "health.intervalS": 30,
      "log.level": null,
      "mqtt.password": "a: b # c",
    });
    expect(text).toBe(`# The office in Berlin.
consent:
  policy: agent-only # as agreed with the works council

agents:
  match:
    - 10.0.0.0/24 # phones
    # - 10.0.1.0/24 later

call:
  # A long tail.
  tailMs: 300 # was 500
  holdTimeoutMs: 0x6ddd00

log: {}
health:
  intervalS: 30
mqtt:
  password: "a: b # c"

# the end
`);
    expect([...changed].sort()).toEqual(["call.tailMs", "health.intervalS", "log.level", "mqtt.password"]);
    expect(config.mqtt.password).toBe("a: b # c");
    expect(config.call.tailMs).toBe(300);
    expect(config.log.level).toBe("info");
  });

  it.each<[string, string]>([
    ["an empty file", ""],
    ["comments only", "# nothing yet\n"],
    ["a section whose settings are all commented out", "call:\n  # tailMs: 1\n\n# more\n"],
    ["a null", "~\n"],
    ["a document mark", "---\ncall: {}\n"],
  ])("can be %s", (_, before) => {
    const { text } = change(before, { "call.tailMs": 300 });
    expect(loadConfig({ file, environment: {}, text }).config.call.tailMs).toBe(300);
    for (const [comment] of before.matchAll(/#.*/g)) expect(text).toContain(comment);
    // The same again changes nothing.
    expect(change(text, { "call.tailMs": 300 })).toMatchObject({ text, changed: [] });
  });

  it("takes a list, and texts that look like something else", () => {
    const values = { "agents.match": ["021", "null", "10.0.0.0/24"], "device.id": "0x10", "mqtt.username": "true" };
    const { text, config } = change("agents:\n  match: [21, 22] # two\n".replace("21, 22", '"21", "22"'), values);
    expect(config.agents.match).toEqual(["021", "null", "10.0.0.0/24"]);
    expect([config.device.id, config.mqtt.username]).toEqual(["0x10", "true"]);
    expect(text).toContain("# two");
  });

  it("is not changed where settings share a value", () => {
    const shared = "call:\n  tailMs: &t 400\n  preAnswerMs: *t\n";
    expect(() => change(shared, { "call.tailMs": 300 })).toThrow(ChangeRefused);
    expect(change(shared, { "call.preAnswerMs": 300 }).config.call).toMatchObject({ tailMs: 400, preAnswerMs: 300 });
    expect(() => change("- a list\n", { "call.tailMs": 300 })).toThrow(ChangeRefused);
    expect(() => change("log: &l { level: info }\ncall: *l\n", { "call.tailMs": 300 })).toThrow();
  });

  it("names the setting that makes the whole wrong, also one that was not given", () => {
    const fault = (text: string, values: Record<string, unknown>) => {
      try {
        change(text, values);
      } catch (error) {
        return (error as ConfigFault).problems.map(({ path }) => path);
      }
      return [];
    };
    expect(fault("mqtt:\n  url: mqtt://broker\n", { "mqtt.caFile": "/x" })).toEqual(["mqtt.caFile"]);
    expect(
      fault("mqtt:\n  version: 4\n  url: mqtt://b\n  username: a\n", { "mqtt.password": "s", "mqtt.username": "" }),
    ).toEqual(["mqtt.version"]);
    expect(fault("call:\n  tailMs: -1\n", { "log.level": "warn" })).toEqual(["call.tailMs"]);
    expect(fault("call:\n  tailMs: -1\n", { "call.tailMs": 5 })).toEqual([]);
  });

  it("says what environment and flags override", () => {
    const request = { environment: { SIDETONE_CALL_TAIL_MS: "100" }, flags: { consent: { policy: "none" as const } } };
    const { overridden } = change(
      "",
      { "call.tailMs": 300, "consent.policy": "agent-only", "log.level": "warn" },
      request,
    );
    expect(overridden).toEqual([
      { path: "call.tailMs", by: "environment" },
      { path: "consent.policy", by: "flag" },
    ]);
  });

  it("holds any text as a password, and nothing else changes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (password) => {
        fc.pre(!/\p{Cs}/u.test(password));
        const { text } = change(OFFICE, { "mqtt.password": password });
        const { config, sources } = loadConfig({ file, environment: {}, text }, catalogue);
        expect(config.mqtt.password).toBe(password);
        expect(Object.keys(sources.settings).sort()).toEqual(
          ["agents.match", "call.holdTimeoutMs", "call.tailMs", "consent.policy", "log.level", "mqtt.password"].sort(),
        );
      }),
      { numRuns: 60 },
    );
  });
});

describe("values alone", () => {
  it.each<[Record<string, unknown>, string, RegExp]>([
    [{ "call.tailMS": 1 }, "call.tailMS", /unknown setting; did you mean call\.tailMs\?/],
    [{ call: { tailMs: 1 } }, "call", /unknown setting/],
    [{ "consent.rules[].policy": "none" }, "consent.rules[].policy", /unknown setting/],
    [{ "call.tailMs": "300" }, "call.tailMs", /expected a whole number from 0 to 5000 ms/],
    [{ "call.tailMs": 1.5 }, "call.tailMs", /expected a whole number/],
    [{ "agents.match": ["a", 5] }, "agents.match[1]", /expected text/],
    [{ "agents.match": "a" }, "agents.match", /expected a list/],
    [{ "log.level": "warning" }, "log.level", /expected one of debug, info, warn, error/],
    [{ "mqtt.password": 5 }, "mqtt.password", /found a secret/],
    [{ "consent.rules": [{ name: "a", oops: 1 }] }, "consent.rules[0].oops", /unknown key/],
    [{ constructor: 1 }, "constructor", /unknown setting/],
  ])("%j is refused", (values, path, text) => {
    const problem = findValueProblem(values, catalogue);
    expect(problem?.path).toBe(path);
    expect(problem?.text).toMatch(text);
  });

  it("are fine", () => {
    expect(findValueProblem({ "call.tailMs": 1, "log.level": null, "mqtt.password": "x" }, catalogue)).toBeUndefined();
  });
});

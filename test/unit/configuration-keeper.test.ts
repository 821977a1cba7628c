// The configuration as commands see it: shown without secrets, changed as a whole or not at all, entered before it is written.
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { loadConfig, makeCatalogue } from "../../device/config/load.js";
import { ConfigurationKeeper } from "../../device/configuration-keeper.js";
import { boxCommandSchema } from "../../device/contract/box-commands.js";
import { isSettable } from "../../device/contract/settable.js";
import { Box } from "./box-kit.js";
import { readAudit } from "./store/audit-kit.js";

let box: Box;
afterEach(() => box.close());

// biome-ignore lint/suspicious/noExplicitAny: an answer of either action, or a refusal
const ask = async (more: Record<string, unknown>): Promise<any> =>
  box.ask(boxCommandSchema.parse({ verb: "configuration", ...more }));
const set = (values: Record<string, unknown>, dryRun = false) => ask({ action: "set", values, dryRun });
const configured = () => {
  box.store.audit.flushNow();
  return readAudit(box.folder).filter(({ kind }) => kind === "configured");
};
const OFFICE = `# Ours.
mqtt:
  url: mqtt://broker.example # the office's
  username: box
  password: hunter2-hunter2
health:
  intervalS: 30
`;

describe("shown", () => {
  it("is all of it, with where each setting comes from and no secret", async () => {
    box = new Box({
      text: `${OFFICE}  \n`.replace("health", 'agents: { match: ["21"] }\nhealth'),
      callCount: 1,
      request: { environment: { SIDETONE_LOG_LEVEL: "warn" }, flags: { consent: { policy: "none" } } },
    });
    const { data } = await ask({ action: "get" });
    expect(data.file).toBe(box.file);
    expect(data.settings["mqtt.password"]).toEqual({ value: "•set•", source: "file", settable: true });
    expect(data.settings["log.level"]).toEqual({ value: "warn", source: "environment", settable: true });
    expect(data.settings["consent.policy"]).toEqual({ value: "none", source: "flag", settable: false });
    expect(data.settings["call.tailMs"]).toEqual({ value: 500, source: "default", settable: true });
    expect(data.pending).toEqual([]);
    expect(JSON.stringify(data)).not.toContain("hunter2");
    const section = await ask({ action: "get", section: "mqtt.broker" });
    expect(Object.keys(section.data.settings).every((path) => path.startsWith("mqtt.broker."))).toBe(true);
    expect(await ask({ action: "get", section: "nothing" })).toMatchObject({ error: "invalid", field: "section" });
  });

  it("marks secrets within lists, and those that are not set", async () => {
    box = new Box({
      text: "mqtt: { broker: { users: [{ name: a, password: hunter2, rights: command }] } }",
      callCount: 1,
    });
    const { data } = await ask({ action: "get" });
    expect(data.settings["mqtt.broker.users"].value).toEqual([{ name: "a", password: "•set•", rights: "command" }]);
    expect(data.settings["mqtt.password"].value).toBe("");
  });

  it("names what is too long", async () => {
    const numbers = Array.from({ length: 3000 }, (_, place) => `03012345${place}`);
    box = new Box({ text: JSON.stringify({ consent: { numbers: { never: numbers } } }), callCount: 1 });
    const { data } = await ask({ action: "get" });
    expect(data.omitted).toEqual(["consent.numbers.never"]);
  });
});

describe("changed", () => {
  it("is written whole, with its comments, entered without values, and in force for a new start only", async () => {
    box = new Box({ text: OFFICE, callCount: 1 });
    const answer = await set({ "mqtt.password": "s3cret-s3cret", "health.intervalS": null, "call.tailMs": 300 });
    expect(answer).toEqual({
      ok: true,
      verb: "configuration",
      data: {
        action: "set",
        dryRun: false,
        changed: ["call.tailMs", "health.intervalS", "mqtt.password"],
        overridden: [],
        restart: true,
      },
    });
    expect(box.text).toContain("url: mqtt://broker.example # the office's");
    const { config } = loadConfig({ file: box.file, environment: {} });
    expect([config.mqtt.password, config.health.intervalS, config.call.tailMs]).toEqual(["s3cret-s3cret", 60, 300]);
    expect(statSync(box.file).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(box.folder, "etc"))).toEqual(["sidetone.yaml"]);
    expect(configured().map(({ actor, detail }) => [actor, detail])).toEqual([
      ["mqtt client test", { changed: ["call.tailMs", "health.intervalS", "mqtt.password"], more: 0 }],
    ]);
    expect(readFileSync(join(box.folder, "audit", readdirSync(join(box.folder, "audit"))[0]!), "utf8")).not.toContain(
      "s3cret",
    );
    const shown = await ask({ action: "get" });
    expect(shown.data.settings["call.tailMs"].value).toBe(500);
    expect([...shown.data.pending].sort()).toEqual(["call.tailMs", "health.intervalS", "mqtt.password"]);
    expect(JSON.stringify([answer, shown])).not.toMatch(/s3cret|hunter2/);
    // The same again is no change.
    expect(await set({ "call.tailMs": 300 })).toMatchObject({ data: { changed: [], restart: false } });
    expect(configured()).toHaveLength(1);
  });

  it("is not written on a dry run", async () => {
    box = new Box({ text: OFFICE, callCount: 1 });
    expect(await set({ "call.tailMs": 300 }, true)).toMatchObject({ data: { dryRun: true, changed: ["call.tailMs"] } });
    expect(box.text).toBe(OFFICE);
    expect(configured()).toEqual([]);
  });

  it("says what environment or flags override", async () => {
    box = new Box({ text: OFFICE, callCount: 1, request: { environment: { SIDETONE_CALL_TAIL_MS: "100" } } });
    expect(await set({ "call.tailMs": 300 })).toMatchObject({
      data: { changed: ["call.tailMs"], overridden: ["call.tailMs"], restart: false },
    });
  });

  it.each<[string, Record<string, unknown>, string, string]>([
    ["what decides about recording", { "consent.policy": "both-parties" }, "not-settable", "values.consent.policy"],
    ["who is the agent", { "agents.match": ["*"] }, "not-settable", "values.agents.match"],
    ["who may do what", { "mqtt.allow": ["restart"] }, "not-settable", "values.mqtt.allow"],
    ["how much may be set", { "mqtt.configure": "all" }, "not-settable", "values.mqtt.configure"],
    ["encryption", { "encryption.recipients": [] }, "not-settable", "values.encryption.recipients"],
    ["one of several", { "call.tailMs": 1, "consent.rules": [] }, "not-settable", "values.consent.rules"],
    ["a setting that is none", { "call.tailms": 1 }, "invalid", "values.call.tailms"],
    ["a section", { call: { tailMs: 1 } }, "invalid", "values.call"],
    ["a value out of bounds", { "call.tailMs": 99_999 }, "invalid", "values.call.tailMs"],
    ["a value of another kind", { "log.level": ["info"] }, "invalid", "values.log.level"],
    ["the mark of a secret", { "mqtt.password": "•set•" }, "invalid", "values.mqtt.password"],
    ["a secret that is no text", { "mqtt.password": 12345678 }, "invalid", "values.mqtt.password"],
    [
      "what is wrong together",
      { "mqtt.version": 4, "mqtt.username": "" },
      "configuration-invalid",
      "values.mqtt.version",
    ],
  ])("is refused for %s, and nothing is written", async (_, values, error, field) => {
    box = new Box({ text: OFFICE, callCount: 1 });
    const refusal = await set(values);
    expect(refusal).toMatchObject({ ok: false, error, field });
    expect(refusal.message).not.toMatch(/12345678|hunter2/);
    expect(box.text).toBe(OFFICE);
    expect(configured()).toEqual([]);
  });

  it("may be all of it, but who may change it, where the box says so", async () => {
    box = new Box({ text: "mqtt:\n  configure: all\n", callCount: 1 });
    expect(
      await set({ "agents.match": ["10.0.0.0/24"], "consent.rules": [{ name: "a", policy: "none" }] }),
    ).toMatchObject({
      ok: true,
    });
    expect(loadConfig({ file: box.file, environment: {} }).config.consent.rules).toMatchObject([
      { name: "a", policy: "none" },
    ]);
    expect(await set({ "mqtt.allow": [] })).toMatchObject({ error: "not-settable" });
    const users = [{ name: "a", password: "new", rights: "command" }];
    expect(await set({ "mqtt.broker.users": users })).toMatchObject({ error: "not-settable" });
  });

  it("is refused where the file is wrong, gone, shared or not to be written, and leaves it as it was", async () => {
    box = new Box({ text: OFFICE, callCount: 1 });
    const broken = "call: [\n";
    writeFileSync(box.file, broken);
    expect(await set({ "call.tailMs": 1 })).toMatchObject({ error: "configuration-invalid" });
    expect(box.text).toBe(broken);
    writeFileSync(box.file, "call:\n  tailMs: &t 400\n  preAnswerMs: *t\n");
    expect(await set({ "call.tailMs": 300 })).toMatchObject({ error: "configuration-unwritable" });
    // What nobody can write, root least of all: a folder stands where the file is to be renamed from.
    writeFileSync(box.file, OFFICE);
    mkdirSync(`${box.file}.${process.pid}.partial`);
    expect(await set({ "call.tailMs": 300 })).toMatchObject({
      error: "configuration-unwritable",
      message: expect.stringContaining("EISDIR"),
    });
    expect(box.text).toBe(OFFICE);
    expect(configured().map(({ detail }) => detail["failed"])).toEqual([undefined, true]);
    renameSync(box.file, `${box.file}.away`);
    expect(await set({ "call.tailMs": 300 })).toMatchObject({ error: "configuration-invalid" });
  });

  it("is not written when it cannot be entered", async () => {
    box = new Box({ text: OFFICE, callCount: 1 });
    const request = { file: box.file, environment: {} };
    const { config, sources } = loadConfig(request);
    const enter = () => Promise.reject(new Error("the disk refuses"));
    const keeper = new ConfigurationKeeper({ request, config, sources, enter });
    await expect(keeper.change({ "call.tailMs": 300 }, false, "x")).rejects.toThrow("the disk refuses");
    expect(box.text).toBe(OFFICE);
  });

  it("loses nothing that somebody writes by hand meanwhile", async () => {
    box = new Box({ text: OFFICE, callCount: 1 });
    const request = { file: box.file, environment: {} };
    const { config, sources } = loadConfig(request);
    const enter = async () => writeFileSync(box.file, `${OFFICE}# by hand\n`);
    const keeper = new ConfigurationKeeper({ request, config, sources, enter });
    await expect(keeper.change({ "call.tailMs": 300 }, false, "x")).rejects.toThrow("it was changed meanwhile");
    expect(box.text).toBe(`${OFFICE}# by hand\n`);
  });

  it("is refused without a file", async () => {
    box = new Box({ callCount: 1 });
    box.open({ file: undefined, defaultFile: "/nonexistent/sidetone.yaml" } as never);
    expect(await set({ "call.tailMs": 300 })).toMatchObject({ error: "configuration-unused" });
    expect((await ask({ action: "get" })).data.file).toBe("");
  });

  it("goes through a link, which stays one", async () => {
    box = new Box({ text: OFFICE, callCount: 1 });
    const real = join(box.folder, "real.yaml");
    renameSync(box.file, real);
    chmodSync(real, 0o600);
    symlinkSync(real, box.file);
    expect(await set({ "call.tailMs": 300 })).toMatchObject({ ok: true });
    expect(readFileSync(real, "utf8")).toContain("tailMs: 300");
    expect(statSync(real).mode & 0o777).toBe(0o600);
  });

  it("takes one change after the other", async () => {
    box = new Box({ text: OFFICE, callCount: 1 });
    await Promise.all(
      Array.from({ length: 10 }, (_, place) => set({ "call.tailMs": 100 + place, "seal.workers": place })),
    );
    expect(loadConfig({ file: box.file, environment: {} }).config).toMatchObject({
      call: { tailMs: 109 },
      seal: { workers: 9 },
    });
  });
});

it("lets nothing be set from afar that decides what is recorded, how long it stays, who gets at it and what is proved", () => {
  box = new Box({ callCount: 1 });
  const paths = makeCatalogue().fields.map(({ path }) => path);
  const settable = paths.filter((path) => isSettable(path, "harmless"));
  const guarded =
    /^(consent|agents|trunks|numbers|correlation|encryption|recording|integrity|data|device|mqtt\.broker)\./;
  expect(settable.filter((path) => guarded.test(path))).toEqual([]);
  expect(settable.filter((path) => /(allow|configure|host|url|File|users|numbers)$/.test(path))).toEqual([]);
  expect(settable).toContain("mqtt.password");
  expect(paths.filter((path) => !isSettable(path, "all"))).toEqual([
    "mqtt.allow",
    "mqtt.configure",
    "mqtt.broker.users",
  ]);
});

describe("reset", () => {
  const text = `# Ours.
agents:
  match: ["10.0.0.0/24"] # the phones
encryption:
  recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
capture:
  interfaces: [eth1]
mqtt:
  url: mqtt://broker.example
  allow: [calls]
`;

  it("takes all out but what the box is made of and encrypts to, keeps the file beside it and enters who did it", async () => {
    box = new Box({ text, callCount: 0 });
    expect(await box.configuration.reset("front panel")).toEqual(["agents.match", "mqtt.allow", "mqtt.url"]);
    const { config, sources } = loadConfig({ file: box.file, environment: {} });
    expect(Object.keys(sources.settings).sort()).toEqual(["capture.interfaces", "encryption.recipients"]);
    expect([config.agents.match, config.capture.interfaces]).toEqual([[], ["eth1"]]);
    expect(readFileSync(`${box.file}.before-reset`, "utf8")).toBe(text);
    expect(statSync(`${box.file}.before-reset`).mode & 0o777).toBe(0o640);
    expect(configured()).toMatchObject([
      { actor: "front panel", detail: { changed: ["agents.match", "mqtt.allow", "mqtt.url"] } },
    ]);
    // Nothing is left to be taken out, and nothing is written.
    expect(await box.configuration.reset("front panel")).toEqual([]);
    expect(readFileSync(`${box.file}.before-reset`, "utf8")).toBe(text);
  });

  it("leaves a file that it cannot read as it is", async () => {
    box = new Box({ text, callCount: 0 });
    writeFileSync(box.file, "agents: [");
    await expect(box.configuration.reset("front panel")).rejects.toThrow("cannot be read");
    expect(box.text).toBe("agents: [");
    expect(configured()).toEqual([]);
  });
});

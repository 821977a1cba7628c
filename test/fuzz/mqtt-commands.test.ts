// Ten thousand commands, right, almost right and hostile, against the real requests, desks, store and configuration file. What they
// change is held against a model that knows the contract and none of the code: nothing else may have changed.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, it } from "vitest";
import { EngineDesk } from "../../device/command-desk.js";
import { loadConfig } from "../../device/config/load.js";
import { findMeaningFaults } from "../../device/config/meaning.js";
import type { AlarmCode } from "../../device/contract/alarms.js";
import { BOX_ANSWER_SCHEMAS, SECRET_MARK } from "../../device/contract/box-answers.js";
import { type BoxCommandBody, boxCommandSchema } from "../../device/contract/box-commands.js";
import { type CommandBody, commandSchema } from "../../device/contract/commands.js";
import { configSchema } from "../../device/contract/config.js";
import type { ServiceToEngine } from "../../device/contract/engine-messages.js";
import { MAX_TAGS } from "../../device/contract/listing.js";
import { MQTT_ERROR_CODES, REQUEST_VERBS } from "../../device/contract/mqtt.js";
import { isSettable } from "../../device/contract/settable.js";
import type { OutgoingMessage } from "../../device/mqtt/outbox.js";
import { type IncomingMessage, MAX_PAYLOAD_BYTES } from "../../device/mqtt/request.js";
import { MAX_UNDER_WAY, Requests } from "../../device/mqtt/requests.js";
import { isResponseTopic, Topics } from "../../device/mqtt/topics.js";
import { Box } from "../unit/box-kit.js";
import { readAudit } from "../unit/store/audit-kit.js";
import { HostileCommands } from "./hostile-commands.js";

const COMMANDS = 10_000;
const SECRET = "s3cret-of-the-broker";
const ALARMS = ["no-agents", "seal-failed", "integrity-failed", "api-off"] as const satisfies readonly AlarmCode[];
const MAX_RESPONSE_BYTES = 256 * 1024;
const MAX_HEAP_GROWTH = 24 * 1024 * 1024;
const TEXT = `# Ours.
mqtt:
  url: mqtt://broker.example
  username: box
  password: ${SECRET} # of the broker
call:
  # the tail
  tailMs: 400
`;

type Fields = Record<string, unknown>;

/** What a message is to the contract: a command, or nothing that has an effect. */
function meaningOf({ topic, payload, isRetained, responseTopic, correlationData }: IncomingMessage) {
  const verb = topic.slice("sidetone/box/request/".length);
  if (isRetained || payload.length > MAX_PAYLOAD_BYTES || !(REQUEST_VERBS as readonly string[]).includes(verb)) return;
  if (responseTopic !== undefined && !isResponseTopic(responseTopic)) return;
  if ((correlationData?.length ?? 0) > 1024) return;
  const fields = objectOf(payload);
  if (fields === undefined) return;
  const { transaction, ...rest } = fields;
  const isText = typeof transaction === "string" && transaction.length <= 128;
  if (transaction !== undefined && !isText && !Number.isFinite(transaction)) return;
  if (Object.hasOwn(rest, "verb") && rest["verb"] !== verb) return;
  if (Object.values(rest).some((value) => Object.hasOwn(Object(value), "__proto__"))) return;
  const body = { ...rest, verb };
  return { call: commandSchema.safeParse(body).data, box: boxCommandSchema.safeParse(body).data };
}

function objectOf(payload: Uint8Array): Fields | undefined {
  if (payload.length === 0) return {};
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

/** The box as it has to be. */
class Model {
  readonly tags = new Map<string, Set<string>>();
  readonly file: Map<string, unknown>;
  readonly acknowledged = new Set<string>();
  readonly standing = new Set<string>();
  restart: "none" | "waits" | "comes" = "none";
  readonly entries = { tagged: 0, configured: 0, acknowledged: 0, restart: 0 };
  engine: CommandBody[] = [];

  constructor(ids: readonly string[], file: Map<string, unknown>) {
    for (const id of ids) this.tags.set(id, new Set());
    this.file = file;
  }

  take(body: BoxCommandBody): void {
    if (body.verb === "tag") this.tag(body);
    else if (body.verb === "alarms" && body.action === "acknowledge") this.acknowledge(body.code);
    else if (body.verb === "restart") this.begin(body.when);
    else if (body.verb === "configuration" && body.action === "set" && !body.dryRun) this.set(body.values);
  }

  private tag({ call, add, remove }: Extract<BoxCommandBody, { verb: "tag" }>): void {
    const tags = this.tags.get(call.id);
    if (tags === undefined) return;
    const added = new Set(add.filter((tag) => !tags.has(tag)));
    const removed = new Set(remove.filter((tag) => tags.has(tag)));
    if (added.size + removed.size === 0 || tags.size + added.size - removed.size > MAX_TAGS) return;
    for (const tag of removed) tags.delete(tag);
    for (const tag of added) tags.add(tag);
    this.entries.tagged++;
  }

  private acknowledge(code: string): void {
    if (!this.standing.has(code)) return;
    this.acknowledged.add(code);
    this.entries.acknowledged++;
  }

  private begin(when: "idle" | "now"): void {
    if (this.restart === "comes" || (this.restart === "waits" && when === "idle")) return;
    this.restart = when === "now" ? "comes" : "waits";
    this.entries.restart++;
  }

  private set(values: Fields): void {
    // A path that is a section, or leads into a value, is no setting.
    if (Object.keys(values).some((path) => !SETTINGS.has(path))) return;
    const after = new Map(this.file);
    for (const [path, value] of Object.entries(values)) {
      if (!isSettable(path, "harmless") || value === SECRET_MARK) return;
      if (value === null) after.delete(path);
      else after.set(path, value);
    }
    const parsed = configSchema.safeParse(nested(after));
    if (!parsed.success || findMeaningFaults(parsed.data).length > 0) return;
    const isChanged = Object.keys(values).some(
      (path) => JSON.stringify(after.get(path)) !== JSON.stringify(this.file.get(path)),
    );
    if (!isChanged) return;
    this.file.clear();
    for (const [path, value] of after) this.file.set(path, value);
    this.entries.configured++;
  }
}

function nested(settings: ReadonlyMap<string, unknown>): Fields {
  const root: Fields = {};
  for (const [path, value] of settings) {
    const keys = path.split(".");
    let section = root;
    for (const key of keys.slice(0, -1)) {
      section[key] ??= {};
      section = section[key] as Fields;
    }
    section[keys.at(-1)!] = value;
  }
  return root;
}

const SETTINGS = new Set(leaves(configSchema.parse({})));
function leaves(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([key, member]) => leaves(member, path === "" ? key : `${path}.${key}`));
}

const SETTING_VALUES: readonly (readonly [string, unknown])[] = [
  ...Array.from({ length: 12 }, (_, place) => ["call.tailMs", place * 100] as const),
  ["call.tailMs", 0],
  ["call.idleTimeoutMs", 60_000],
  ["call.idleTimeoutMs", null],
  ["log.level", "error"],
  ["call.tailMs", 5001],
  ["call.tailMs", null],
  ["call", { tailMs: 1 }],
  ["call.tailMs.x", 1],
  ["log.level", "warn"],
  ["log.level", "loud"],
  ["health.intervalS", 30],
  ["health.intervalS", "30"],
  ["mqtt.password", `${SECRET}-2`],
  ["mqtt.password", SECRET_MARK],
  ["mqtt.username", "0x10"],
  ["mqtt.username", ""],
  ["mqtt.version", 4],
  ["mqtt.allow", ["restart"]],
  ["mqtt.configure", "all"],
  ["consent.policy", "both-parties"],
  ["agents.match", ["*"]],
  ["encryption.recipients", []],
  ["journal.syncMs", 1000],
  ["seal.workers", 2],
  ["__proto__", 1],
];

let box: Box;
beforeAll(async () => {
  box = new Box({ text: TEXT, callCount: 60 });
  await box.store.index!.caughtUp();
});
afterAll(() => box.close());

it("ten thousand commands change what they may, and nothing else", { timeout: 60_000 }, async () => {
  const ids = box.calls.map(({ line }) => line.id as string);
  const hostile = new HostileCommands(20261128, {
    calls: [...ids.slice(0, 12), "01J00000000000000000000000", "01j"],
    tags: [...Array.from({ length: 60 }, (_, place) => `t${place}`), "A", "123456"],
    alarms: [...ALARMS, "disk-full", "__proto__"],
    settings: SETTING_VALUES,
    agents: ["21", "22", "021"],
    numbers: box.calls.slice(0, 5).map(({ line }) => line.parties[1]!.number),
  });
  const model = new Model(
    ids.filter((id) => box.store.index!.listing!.find(id as never)?.deleted === undefined),
    fileSettings(),
  );
  const engine: ServiceToEngine[] = [];
  const desk: EngineDesk = new EngineDesk((message) => {
    engine.push(message);
    if (message.type === "command") setImmediate(() => desk.settle(message.id, { ok: true, calls: [] }));
    return true;
  });
  const sent: OutgoingMessage[] = [];
  const requests = new Requests({
    config: { allow: [...REQUEST_VERBS], numbers: "masked" },
    topics: new Topics("box"),
    desk,
    box: box.desk,
    clock: box.clock,
    logger: box.logger,
    send: (message) => sent.push(message),
  });
  // While calls go on no restart comes of itself.
  box.callsInProgress = 1;
  box.clock.nowUs = () => Date.now() * 1000;
  const untouched = Object.getOwnPropertyNames(Object.prototype);
  let heapBefore = 0;
  const seen = { commands: 0, calls: 0 };

  for (let done = 0; done < COMMANDS; ) {
    const batch = Array.from({ length: 1 + (done % 16) }, () => hostile.next());
    let expected = 0;
    for (const message of batch) {
      const meaning = meaningOf(message);
      const isSecond = message.isDuplicate && meaning !== undefined;
      // A second delivery of what was answered already would be none: these come first.
      if (isSecond) message.isDuplicate = false;
      if (meaning?.box) model.take(meaning.box);
      if (meaning?.call) seen.calls++;
      if (meaning?.box ?? meaning?.call) seen.commands++;
      if (!message.isRetained || message.payload.length > 0) expected++;
      requests.take(message);
    }
    done += batch.length;
    await requests.idle();
    await new Promise(setImmediate);
    checkAnswers(sent.splice(0), expected);
    changeAlarms(hostile, model);
    if (done % 2000 < batch.length) check(model);
    if (heapBefore === 0 && done > COMMANDS / 4) heapBefore = heapUsed();
  }

  check(model);
  const growth = heapUsed() - heapBefore;
  console.log(
    `commands: ${COMMANDS}, of them right ${seen.commands}; audit entries ${JSON.stringify(model.entries)}; heap grew by ${Math.round(growth / 1024)} KiB`,
  );
  expect(growth).toBeLessThan(MAX_HEAP_GROWTH);
  expect(engine.filter(({ type }) => type === "command")).toHaveLength(seen.calls);
  for (const message of engine)
    if (message.type === "command") expect(commandSchema.safeParse(message.command.body).success).toBe(true);
  flood(requests, sent);
  await requests.idle();
  // Enough of everything for the test to mean something.
  for (const count of Object.values(model.entries)) expect(count).toBeGreaterThan(0);
  expect(seen.commands).toBeGreaterThan(COMMANDS / 3);
  expect(box.errors).toEqual([]);
  expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(untouched);
  expect(({} as Fields)["polluted"]).toBeUndefined();
});

/** All in one turn: so many are under way, and no more. */
function flood(requests: Requests, sent: OutgoingMessage[]): void {
  const topic = "sidetone/box/request/health";
  for (let i = 0; i < 5 * MAX_UNDER_WAY; i++)
    requests.take({ topic, payload: Buffer.alloc(0), isRetained: false, isDuplicate: false });
  const busy = sent.filter(({ payload }) => payload.includes('"busy"'));
  expect(busy).toHaveLength(4 * MAX_UNDER_WAY);
}

/** Alarms come and go; those that are over have not been seen. */
function changeAlarms(hostile: HostileCommands, model: Model): void {
  const code = hostile.pick(ALARMS);
  if (hostile.chance(0.05)) {
    box.alarms.clear(code);
    model.standing.delete(code);
    model.acknowledged.delete(code);
  } else if (hostile.chance(0.1)) {
    box.alarms.raise(code);
    model.standing.add(code);
  }
}

function checkAnswers(sent: readonly OutgoingMessage[], expected: number): void {
  const own = sent.filter(({ topic }) => topic.startsWith("sidetone/box/response/"));
  // Not one expectation each: they would take longer than the commands.
  const faults = sent.flatMap((message) => faultOf(message) ?? []);
  expect([own.length, faults]).toEqual([expected, []]);
}

function faultOf({ topic, payload, isRetained }: OutgoingMessage): string | undefined {
  if (isRetained || !/^(?:sidetone\/box\/response\/[A-Za-z0-9_-]+|me\/answers)$/.test(topic)) return `goes to ${topic}`;
  if (Buffer.byteLength(payload) >= MAX_RESPONSE_BYTES) return `${topic}: is too long`;
  // No secret, and no caller's number in full.
  if (payload.includes(SECRET) || /\+4930\d{7}/.test(payload)) return `${topic}: tells too much: ${payload}`;
  const { status, error, data } = JSON.parse(payload);
  const verb = topic.split("/").at(-1) as keyof typeof BOX_ANSWER_SCHEMAS;
  if (status === "error") return Object.hasOwn(MQTT_ERROR_CODES, error.code) ? undefined : `${topic}: ${payload}`;
  if (!Object.hasOwn(BOX_ANSWER_SCHEMAS, verb)) return undefined;
  const fault = BOX_ANSWER_SCHEMAS[verb].safeParse(data).error;
  return fault && `${topic}: ${fault.message}`;
}

function check(model: Model): void {
  for (const [id, tags] of model.tags)
    expect(box.store.index!.listing!.find(id as never)!.tags).toEqual([...tags].sort());
  expect([...fileSettings()].sort()).toEqual([...model.file].sort());
  expect(readdirSync(join(box.folder, "etc"))).toEqual(["sidetone.yaml"]);
  expect(box.text).toContain("# the tail");
  const { standing } = box.alarms;
  expect(new Set(standing.map(({ code }) => code as string))).toEqual(model.standing);
  expect(new Set(standing.filter((alarm) => alarm.acknowledged).map(({ code }) => code as string))).toEqual(
    model.acknowledged,
  );
  box.store.audit.flushNow();
  const audit = readAudit(box.folder);
  for (const [kind, count] of Object.entries(model.entries)) {
    const own = audit.filter((entry) => entry.kind === kind && entry.actor !== "service");
    expect([kind, own.length]).toEqual([kind, count]);
    for (const { actor } of own) expect(actor).toMatch(/^mqtt( client .{1,128})?$/su);
  }
  expect(audit.every(({ kind }) => Object.hasOwn(model.entries, kind) || kind === "witnessed")).toBe(true);
  for (const name of readdirSync(join(box.folder, "audit")))
    expect(readFileSync(join(box.folder, "audit", name), "utf8")).not.toContain(SECRET);
}

/** What the file sets, as the loader reads it. */
function fileSettings(): Map<string, unknown> {
  const { config, sources } = loadConfig({ file: box.file, environment: {} });
  const all = new Map<string, unknown>();
  for (const path of Object.keys(sources.settings))
    all.set(
      path,
      path.split(".").reduce<unknown>((section, key) => (section as Fields)[key], config),
    );
  return all;
}

function heapUsed(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

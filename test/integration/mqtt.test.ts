// The MQTT face at a real broker (Mosquitto), seen and commanded by Mosquitto's own clients.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { LogFields, Logger } from "../../device/base/logger.js";
import type { AuditEntry } from "../../device/contract/audit.js";
import type { ActiveCall, CallCommand, CommandDesk, CommandResult } from "../../device/contract/commands.js";
import { type Config, configSchema } from "../../device/contract/config.js";
import type { AuditedEvent } from "../../device/contract/engine-messages.js";
import { REQUEST_VERBS } from "../../device/contract/mqtt.js";
import { MqttFace, type MqttFaceOptions } from "../../device/mqtt/face.js";
import { MAX_ON_THE_WAY } from "../../device/mqtt/outbox.js";
import { NoBox } from "../fakes/box-desk.js";
import { type GeneratedCall, generateCalls, storeCall } from "../fakes/indexed-calls.js";
import { freePort, Mosquitto, makeCertificates, mosquittoObstacle, type Subscriber } from "../fakes/mosquitto.js";
import { waitUntil } from "../fakes/office-program.js";
import { makeFolder, PROJECT_ROOT, RunningProgram, removeFolder } from "../fakes/program.js";
import { TcpGate } from "../fakes/tcp-gate.js";
import { readAudit } from "../unit/store/audit-kit.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle = mosquittoObstacle();
if (obstacle) console.log(`skipped: MQTT with a real broker: ${obstacle}`);

const CALL = {
  id: "01J00000000000000000000000",
  sipCallIds: ["abc@10.0.0.1"],
  startedAt: "2026-11-21T09:00:00.000000Z",
  answeredAt: "2026-11-21T09:00:05.000000Z",
  policy: "agent-only",
  policyRule: "",
  purpose: "recording",
  isPaused: false,
  parties: [
    { role: "caller", side: "originator", number: "+4930123456789", consent: "unknown", isRecorded: false },
    { role: "agent", side: "answerer", number: "21", consent: "not-required", isRecorded: true },
  ],
} as unknown as ActiveCall;

/** Where commands end in these tests: the engine's edge. */
class Desk implements CommandDesk {
  readonly commands: CallCommand[] = [];
  result: CommandResult = { ok: true, calls: [CALL] };
  async submit(command: CallCommand): Promise<CommandResult> {
    this.commands.push(command);
    return this.result;
  }
}

class Lines implements Logger {
  readonly lines: string[] = [];
  private add(level: string, message: string, fields: LogFields = {}): void {
    this.lines.push(`${level}: ${message} ${JSON.stringify(fields)}`);
  }
  debug = (message: string, fields?: LogFields) => this.add("debug", message, fields);
  info = (message: string, fields?: LogFields) => this.add("info", message, fields);
  warn = (message: string, fields?: LogFields) => this.add("warn", message, fields);
  error = (message: string, fields?: LogFields) => this.add("error", message, fields);
}

/** Without an address of a broker, its own, on any free port. */
const settings = (own: Partial<Config["mqtt"]>): Config["mqtt"] =>
  configSchema.parse({ mqtt: { broker: { port: 0 }, ...own } }).mqtt;

describe.skipIf(obstacle !== undefined)("MQTT", () => {
  let folder: string;
  /** What a test started, ended after it, newest first. */
  let running: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    running.unshift(part);
    return part;
  };
  beforeAll(() => {
    folder = makeFolder();
  });
  afterEach(async () => {
    for (const part of running) await part.stop();
    running = [];
  });
  afterAll(() => removeFolder(folder));

  const startBroker = async (options: Parameters<typeof Mosquitto.start>[1] = {}) =>
    keep(await Mosquitto.start(folder, options));
  async function startFace(own: Partial<Config["mqtt"]>, device = "box", more: Partial<MqttFaceOptions> = {}) {
    const desk = new Desk();
    const log = new Lines();
    const face = keep(new MqttFace({ config: settings(own), device, desk, box: new NoBox(), logger: log, ...more }));
    await face.start();
    return { face, desk, log };
  }
  /** A broker, an admin who sees everything, and a face that is online. */
  async function startAll(
    own: Partial<Config["mqtt"]> = {},
    options: Parameters<typeof Mosquitto.start>[1] = {},
    more: Partial<MqttFaceOptions> = {},
  ) {
    const broker = await startBroker(options);
    const admin = keep(await broker.subscribe("#"));
    const parts = await startFace({ url: `mqtt://127.0.0.1:${broker.port}`, ...own }, "box", more);
    await admin.next("sidetone/box/state");
    return { broker, admin, ...parts };
  }

  it.each([4, 5])("is born, retained, and says goodbye when it is stopped (version %i)", async (version) => {
    const { broker, admin, face, log } = await startAll({ version });
    expect(admin.on("sidetone/box/state").map(({ payload }) => payload)).toEqual(['{"state":"online"}']);
    const late = keep(await broker.subscribe("sidetone/+/state"));
    expect(await late.next("sidetone/box/state")).toEqual({ state: "online" });
    expect(late.received[0]!.isRetained).toBe(true);

    await face.stop();
    expect(await admin.next("sidetone/box/state", 1)).toEqual({ state: "offline", clean: true });
    // The last will would have come by now: the broker knows of the end.
    await waitUntil(
      "the broker to see the end",
      () => /Client sidetone-box disconnected\./.test(broker.log) || undefined,
    );
    broker.publish("marker", "1");
    await admin.next("marker");
    expect(admin.on("sidetone/box/state")).toHaveLength(2);
    const later = keep(await broker.subscribe("sidetone/+/state"));
    expect(await later.next("sidetone/box/state")).toEqual({ state: "offline", clean: true });
    expect(log.lines).toEqual([expect.stringMatching(/^info: MQTT: connected/)]);
  });

  it("keeps an alarm at the broker while it stands, and empties what an earlier run has left there", async () => {
    const broker = await startBroker();
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const standing = { code: "disk-full", severity: "critical", title: "Disk full", remedy: "Free space." } as const;
    const alarm = { ...standing, since: "2026-11-28T00:00:00.000000Z", count: 1, detail: { freeMegabytes: 3 } };
    const first = await startFace({ url });
    first.face.setAlarm("disk-full", alarm);
    const admin = keep(await broker.subscribe("sidetone/box/alarm/+"));
    expect(await admin.next("sidetone/box/alarm/disk-full")).toEqual(alarm);
    await first.face.stop();
    const second = await startFace({ url });
    const late = keep(await broker.subscribe("sidetone/box/alarm/+"));
    expect(await late.next("sidetone/box/alarm/disk-full")).toEqual(alarm);
    second.face.setAlarm("disk-full", undefined);
    await waitUntil("the alarm to be emptied", () => late.received.find(({ payload }) => payload === ""));
    const later = keep(await broker.subscribe("#"));
    broker.publish("marker", "1");
    await later.next("marker");
    expect(later.on("sidetone/box/alarm/disk-full")).toEqual([]);
  });

  it("leaves the last will when its process is killed", async () => {
    const broker = await startBroker();
    const admin = keep(await broker.subscribe("sidetone/#"));
    const child = startChild(folder, `mqtt://127.0.0.1:${broker.port}`);
    expect(await admin.next("sidetone/box/state")).toEqual({ state: "online" });
    child.kill("SIGKILL");
    expect(await admin.next("sidetone/box/state", 1)).toEqual({ state: "offline" });
    const late = keep(await broker.subscribe("sidetone/box/state"));
    expect(await late.next("sidetone/box/state")).toEqual({ state: "offline" });
    expect(late.received[0]!.isRetained).toBe(true);
  });

  it("carries out a command and answers with its transaction, numbers masked", async () => {
    const { broker, admin, desk } = await startAll();
    const body = { call: { agent: "21" }, effect: "granted", reason: "asked on the phone", transaction: "t-1" };
    broker.publish("sidetone/box/request/consent", JSON.stringify(body));
    const response = await admin.next("sidetone/box/response/consent");
    expect(response).toMatchObject({ status: "ok", transaction: "t-1", data: { omitted: 0 } });
    expect((response["data"] as { calls: ActiveCall[] }).calls[0]!.parties.map((party) => party.number)).toEqual([
      "•••789",
      "21",
    ]);
    expect(desk.commands).toEqual([
      {
        body: { verb: "consent", call: { agent: "21" }, party: "caller", effect: "granted", reason: body.reason },
        source: "mqtt",
        by: "mqtt",
      },
    ]);
    expect(admin.on("sidetone/box/response/consent")[0]!.isRetained).toBe(false);
  });

  it("answers on the response topic with the correlation data, and enters who the client says it is", async () => {
    const { broker, admin, desk } = await startAll();
    const properties = "-D publish response-topic desk/answers -D publish correlation-data c-7".split(" ");
    const client = "-D publish user-property client node-red-7".split(" ");
    broker.publish("sidetone/box/request/calls", "", ...properties, ...client);
    expect(await admin.next("desk/answers")).toMatchObject({ status: "ok", data: { omitted: 0 } });
    expect(await admin.next("sidetone/box/response/calls")).toMatchObject({ status: "ok" });
    expect(admin.on("desk/answers")[0]).toMatchObject({ correlationData: "c-7", isRetained: false });
    expect(desk.commands.map(({ by }) => by)).toEqual(["mqtt client node-red-7"]);
  });

  it("publishes nowhere below sidetone/ for a requester but responses", async () => {
    const { broker, admin, desk } = await startAll();
    for (const topic of ["sidetone/box/state", "sidetone/other/request/pause", "$SYS/broker/version"]) {
      broker.publish("sidetone/box/request/calls", "{}", "-D", "publish", "response-topic", topic);
    }
    for (const place of [0, 1, 2]) {
      expect(await admin.next("sidetone/box/response/calls", place)).toMatchObject({
        error: { code: "invalid", field: "responseTopic" },
      });
    }
    expect(desk.commands).toEqual([]);
    expect(admin.on("sidetone/box/state")).toHaveLength(1);
    expect(admin.on("sidetone/other/request/pause")).toEqual([]);
  });

  it("refuses an unknown verb, an invalid field, a verb that is not allowed, and another verb in the body", async () => {
    const { broker, admin, desk } = await startAll({ allow: ["calls", "pause"] });
    const ask = (verb: string, body: object) =>
      broker.publish(`sidetone/box/request/${verb}`, JSON.stringify({ ...body, transaction: 1 }));
    ask("reboot", {});
    expect(await admin.next("sidetone/box/response/reboot")).toMatchObject({
      status: "error",
      error: { code: "unknown-verb", message: expect.stringContaining("consent, pause, resume") },
      transaction: 1,
    });
    ask("pause", { call: { id: "17" } });
    expect(await admin.next("sidetone/box/response/pause")).toEqual({
      status: "error",
      error: {
        code: "invalid",
        field: "call.id",
        message: expect.stringMatching(/^call\.id is wrong: .*26 characters/),
      },
      transaction: 1,
    });
    ask("stop", { call: { agent: "21" } });
    expect(await admin.next("sidetone/box/response/stop")).toMatchObject({ error: { code: "not-allowed" } });
    ask("calls", { verb: "pause" });
    expect(await admin.next("sidetone/box/response/calls")).toMatchObject({
      error: { code: "invalid", field: "verb" },
    });
    expect(desk.commands).toEqual([]);
  });

  it("refuses a retained request at once, and the one it finds at each connect", async () => {
    const { broker, admin, desk, face } = await startAll();
    const topic = "sidetone/box/request/pause";
    broker.publish(topic, '{"call":"all","transaction":"r"}', "-r");
    const refusal = { status: "error", error: { code: "retained" }, transaction: "r" };
    expect(await admin.next("sidetone/box/response/pause")).toMatchObject(refusal);
    await face.stop();
    const second = await startFace({ url: `mqtt://127.0.0.1:${broker.port}` });
    expect(await admin.next("sidetone/box/response/pause", 1)).toMatchObject(refusal);
    // Clearing it is no request.
    broker.publish(topic, "", "-r");
    broker.publish("sidetone/box/request/calls", "{}");
    await admin.next("sidetone/box/response/calls");
    expect(admin.on("sidetone/box/response/pause")).toHaveLength(2);
    expect([...desk.commands, ...second.desk.commands].map(({ body }) => body.verb)).toEqual(["calls"]);
  });

  it("is unmoved by ten megabytes, binary and nonsense", async () => {
    const { broker, admin, desk, face } = await startAll();
    const topic = "sidetone/box/request/pause";
    broker.publish(topic, Buffer.alloc(10 << 20, '{"call":"all",'));
    broker.publish(topic, Buffer.alloc(20_000, "["));
    broker.publish(topic, Buffer.from([0xff, 0xfe, 0x00]));
    broker.publish(topic, '{"__proto__":{"call":"all"},"call":"all"}');
    broker.publish(topic, "[".repeat(16_000));
    broker.publish("sidetone/box/request/calls", "{}");
    expect(await admin.next("sidetone/box/response/calls")).toMatchObject({ status: "ok" });
    const codes = admin
      .on("sidetone/box/response/pause")
      .map(({ payload }) => JSON.parse(payload).error.code as string);
    // The ten megabytes stay at the broker: MQTT 5 lets a client say how much it takes.
    expect(codes).toEqual(["too-long", "not-json", "invalid", "not-json"]);
    expect(desk.commands.map(({ body }) => body.verb)).toEqual(["calls"]);
    expect(face.counters()).toMatchObject({ "mqtt.connects": 1, "mqtt.requests": 5, "mqtt.requests-refused": 4 });
  });

  it("refuses ten megabytes over MQTT 3.1.1, where the broker cannot be told", async () => {
    const { broker, admin, desk } = await startAll({ version: 4 });
    broker.publish("sidetone/box/request/pause", Buffer.alloc(10 << 20, '{"call":"all",'));
    expect(await admin.next("sidetone/box/response/pause")).toMatchObject({ error: { code: "too-long" } });
    expect(desk.commands).toEqual([]);
  });

  it("publishes states retained and events not", async () => {
    const { broker, admin, face } = await startAll();
    face.setState("calls", { active: 3 });
    const event = { atUs: 0, call: CALL.id, source: "api", by: "token desk", kind: "paused", reason: "card 4111 1111" };
    face.publishAudited(event as AuditedEvent);
    expect(await admin.next("sidetone/box/event/pause")).toEqual({
      seq: 1,
      at: "1970-01-01T00:00:00.000000Z",
      call: CALL.id,
      source: "api",
      by: "token desk",
      state: "paused",
      reason: "card •••",
    });
    await admin.next("sidetone/box/calls");
    const late = keep(await broker.subscribe("sidetone/#"));
    expect(await late.next("sidetone/box/calls")).toEqual({ active: 3 });
    broker.publish("marker/sidetone", "1");
    await admin.next("marker/sidetone");
    expect(late.received.map(({ topic }) => topic).sort()).toEqual(["sidetone/box/calls", "sidetone/box/state"]);
  });

  it("comes back after a restart of the broker that has lost everything, with its states and what waited", async () => {
    const { broker, face, log } = await startAll();
    face.setState("calls", { active: 1 });
    await broker.stop();
    await waitUntil("the loss", () => log.lines.some((line) => /lost|shutting down/.test(line)) || undefined);
    face.setState("calls", { active: 2 });
    face.setState("calls", { active: 5 });
    face.publishEvent("call", { at: "", call: CALL.id, source: "api", by: "", change: "stopped" });
    const again = await startBroker({ port: broker.port });
    const admin: Subscriber = keep(await again.subscribe("sidetone/#"));
    expect(await admin.next("sidetone/box/calls")).toEqual({ active: 5 });
    expect(await admin.next("sidetone/box/state")).toEqual({ state: "online" });
    expect(await admin.next("sidetone/box/event/call")).toMatchObject({ change: "stopped" });
    again.publish("sidetone/box/request/calls", "{}");
    expect(await admin.next("sidetone/box/response/calls")).toMatchObject({ status: "ok" });
    expect(admin.on("sidetone/box/calls")).toHaveLength(1);
    expect(log.lines.at(-1)).toMatch(/^info: MQTT: connected/);
  });

  it("loses no event, sends none out of order and marks what comes twice, over a killed broker and a killed box", async () => {
    const broker = await startBroker();
    const gate = keep(await TcpGate.start(broker.port));
    const before = keep(await broker.subscribe("sidetone/#"));
    const load = { url: `mqtt://127.0.0.1:${gate.port}`, queueFolder: join(folder, "mqtt-queue") };
    const eventsAt = (admin: Subscriber): LoadEvent[] =>
      admin.received.flatMap(({ topic, payload }) => (topic.includes("/event/") ? [readLoad(payload)] : []));
    /** As many events are on their way as may be: no answer comes, so no more are sent. */
    const standStill = async (admin: Subscriber): Promise<number> => {
      let [count, sinceMs] = [0, Date.now()];
      return waitUntil("events without an answer", () => {
        const now = eventsAt(admin).length;
        if (now !== count) [count, sinceMs] = [now, Date.now()];
        return Date.now() - sinceMs > 300 ? eventsAt(admin).at(-1)!.seq : undefined;
      });
    };
    const reach = (admin: Subscriber, what: string, isReached: (event: LoadEvent) => boolean) =>
      waitUntil(what, () => eventsAt(admin).find(isReached));

    // The broker dies with events on their way, of which it has had some and acknowledged none.
    const first = keep(new Loader(folder, { ...load, name: "first" }));
    await reach(before, "a hundred events", ({ seq }) => seq === 100);
    gate.holdAnswers();
    const lastBefore = await standStill(before);
    gate.isOpen = false;
    await broker.kill();
    // It would subscribe to the next one as well.
    await before.stop();
    const away = first.added;
    await waitUntil("events without a broker", () => first.added > away + 100 || undefined);
    await first.stop();

    // The box that goes on adds to them, and finds a broker that knows nothing.
    const second = keep(new Loader(folder, { ...load, name: "second" }));
    await waitUntil("events of the second run", () => second.added > 50 || undefined);
    const again = await startBroker({ port: broker.port });
    const after = keep(await again.subscribe("sidetone/#"));
    gate.isOpen = true;
    await reach(after, "events of the second run", ({ by, n }) => by === "second" && n > 100);
    expect(after.on("sidetone/box/state")[0]!.payload).toBe('{"state":"online"}');

    // It dies itself, with events on their way.
    gate.holdAnswers();
    const lastHeld = await standStill(after);
    await second.stop();
    await after.next("sidetone/box/state", 1);
    const third = keep(new Loader(folder, { ...load, name: "third", most: 50 }));
    await reach(after, "the last event", ({ by, n }) => by === "third" && n === 50);

    const received = [...eventsAt(before), ...eventsAt(after)];
    const firstTime = new Map<number, LoadEvent>();
    for (const event of received) {
      const { seq, duplicate } = event;
      if (firstTime.has(seq)) expect(duplicate, `seq ${seq}`).toBe(true);
      else firstTime.set(seq, event);
    }
    const events = [...firstTime.values()];
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, place) => place + 1));
    for (const loader of [first, second, third]) {
      const own = events.filter(({ by }) => by === loader.name).map(({ n }) => n);
      expect(own).toEqual(own.map((_, place) => place + 1));
      // Killed between adding one and saying so.
      expect(own.length - loader.added).toBeOneOf([0, 1]);
    }
    // Nothing is marked that cannot have been sent: what was added while the broker was away, and what came after.
    const marked = received.filter(({ duplicate }) => duplicate).map(({ seq }) => seq);
    expect(marked.length).toBeGreaterThanOrEqual(2 * MAX_ON_THE_WAY);
    const isNear = (seq: number, last: number) => seq > last - MAX_ON_THE_WAY && seq <= last + 2 * MAX_ON_THE_WAY;
    expect(marked.filter((seq) => !isNear(seq, lastBefore) && !isNear(seq, lastHeld))).toEqual([]);
  }, 30_000);

  it("shows itself to Home Assistant and as a Homie device, takes their presses, and takes itself back", async () => {
    const announcedFile = join(folder, "announced.json");
    const homes: Partial<Config["mqtt"]> = {
      homeAssistant: { enabled: true, prefix: "homeassistant", birthTopic: "homeassistant/status" },
      homie: { enabled: true, domain: "homie" },
    };
    const { broker, admin, face, desk } = await startAll(homes, {}, { announcedFile });
    const config = "homeassistant/device/sidetone-box/config";
    const homie = "homie/5/sidetone-box";
    const { cmps } = await admin.next<{ cmps: Record<string, Record<string, string>> }>(config);
    face.setState("calls", { active: 3 });
    await waitUntil("Homie's value", () => admin.on(`${homie}/recorder/calls`)[0]?.payload === "3" || undefined);
    expect(admin.on(`${homie}/$state`).map(({ payload }) => payload)).toEqual(["init"]);

    const pause = cmps["pause-all"]!;
    broker.publish(pause["command_topic"]!, pause["payload_press"]!);
    expect(await admin.next("sidetone/box/response/pause")).toMatchObject({ status: "ok" });
    broker.publish(`${homie}/commands/resume-all/set`, "press");
    expect(await admin.next("sidetone/box/response/resume")).toMatchObject({ status: "ok" });
    await waitUntil(
      "the press itself",
      () => admin.on(`${homie}/commands/resume-all`)[0]?.payload === "press" || undefined,
    );
    expect(desk.commands.map(({ body, source, by }) => [body.verb, source, by])).toEqual([
      ["pause", "mqtt", "mqtt"],
      ["resume", "mqtt", "mqtt"],
    ]);

    broker.publish("homeassistant/status", "online");
    await admin.next(config, 1);
    await admin.next("sidetone/box/calls", 1);

    // Cut off: the broker says for the box that it is lost; on purpose it says so itself.
    await face.stop();
    await waitUntil("goodbye", () => admin.on(`${homie}/$state`).at(-1)?.payload === "disconnected" || undefined);
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const child = startChild(folder, url, { own: homes });
    keep({ stop: async () => void child.kill("SIGKILL") });
    await waitUntil("Homie again", () => admin.on(`${homie}/$state`).at(-1)?.payload === "init" || undefined);
    child.kill("SIGKILL");
    await waitUntil("the last will", () => admin.on(`${homie}/$state`).at(-1)?.payload === "lost" || undefined);

    await startFace({ url }, "box", { announcedFile });
    const kept = [...new Set(admin.received.map(({ topic }) => topic))].filter(
      (topic) => topic === config || (topic.startsWith(homie) && !topic.startsWith(`${homie}/commands/`)),
    );
    expect(kept.length).toBeGreaterThan(3);
    await waitUntil(
      "both taken back",
      () => kept.every((topic) => admin.on(topic).at(-1)!.payload === "") || undefined,
    );
    const late = keep(await broker.subscribe("#"));
    await late.next("sidetone/box/state");
    // Emptying may still go on, of what never stood too.
    const others = late.received.filter(({ topic }) => !topic.startsWith("sidetone/"));
    expect(others.filter(({ payload, isRetained }) => payload !== "" || isRetained)).toEqual([]);
  });

  it("answers a desk that fails, and goes on", async () => {
    const { broker, admin, desk } = await startAll();
    const message = "no call of +4930123456789 is in progress";
    desk.result = { ok: false, error: "call-not-found", message };
    broker.publish("sidetone/box/request/stop", '{"call":{"agent":"+4930123456789"}}');
    expect(await admin.next("sidetone/box/response/stop")).toEqual({
      status: "error",
      error: { code: "call-not-found", message: "no call of ••• is in progress" },
    });
  });

  describe("whom it talks to", () => {
    it("refuses a broker of another authority, with one clear line for many attempts", async () => {
      const tls = makeCertificates(folder, "theirs");
      const other = makeCertificates(folder, "others");
      const broker = await startBroker({ tls });
      const { log, face } = await startFace({ url: `mqtts://localhost:${broker.port}`, caFile: other.caFile });
      await waitUntil(
        "three attempts",
        () => (broker.log.match(/New connection from/g) ?? []).length >= 3 || undefined,
      );
      expect(log.lines).toEqual([
        expect.stringMatching(/^error: MQTT: the broker's certificate is not signed by .*mqtt\.caFile/),
      ]);
      expect(broker.log).not.toMatch(/CONNECT|as sidetone-box/);
      await face.stop();

      const right = await startFace({ url: `mqtts://localhost:${broker.port}`, caFile: tls.caFile });
      await waitUntil("the connection", () => right.log.lines[0]);
      expect(right.log.lines).toEqual([expect.stringMatching(/^info: MQTT: connected/)]);
    });

    it("shows its own certificate, and says when the broker wants one", async () => {
      const tls = makeCertificates(folder, "mutual");
      const broker = await startBroker({ tls: { ...tls, requireClient: true } });
      const url = `mqtts://127.0.0.1:${broker.port}`;
      const without = await startFace({ url, caFile: tls.caFile });
      const first = await waitUntil("a line", () => without.log.lines[0]);
      expect(first).toMatch(/mqtt\.certFile/);
      await without.face.stop();
      const { log } = await startFace({ url, caFile: tls.caFile, certFile: tls.certFile, keyFile: tls.keyFile });
      expect(await waitUntil("the connection", () => log.lines[0])).toMatch(/connected/);
    });

    it.each([
      ["that does not exist", () => "/nonexistent/ca.pem", /^mqtt\.caFile: \/nonexistent\/ca\.pem does not exist$/],
      [
        "that holds no certificate",
        () => makeCertificates(folder, "keys").keyFile,
        /mqtt\.caFile: .* holds no certificate$/,
      ],
      ["that is no PEM file", () => join(PROJECT_ROOT, "package.json"), /package\.json is not a PEM file/],
    ])("does not start with a file %s", async (_which, file, message) => {
      const config = settings({ url: "mqtts://localhost:1", caFile: file() });
      const face = new MqttFace({ config, device: "box", desk: new Desk(), box: new NoBox(), logger: new Lines() });
      await expect(face.start()).rejects.toMatchObject({
        code: "config-invalid",
        message: expect.stringMatching(message),
      });
      await face.stop();
    });

    it.each([4, 5])("says once that user name or password are wrong (version %i)", async (version) => {
      const broker = await startBroker({ users: { sidetone: "right" } });
      const url = `mqtt://127.0.0.1:${broker.port}`;
      const { log } = await startFace({ url, version, username: "sidetone", password: "wrong" });
      await waitUntil(
        "three attempts",
        () => (broker.log.match(/New connection from/g) ?? []).length >= 3 || undefined,
      );
      expect(log.lines).toEqual([expect.stringMatching(/^error: .*mqtt\.username.*mqtt\.password/)]);
      expect(log.lines.join()).not.toContain("wrong");
      const right = await startFace({ url, version, username: "sidetone", password: "right", clientId: "second" });
      expect(await waitUntil("the connection", () => right.log.lines[0])).toMatch(/connected/);
    });

    it("says once that it may not publish, and goes on", async () => {
      const broker = await startBroker({ access: ["topic read #", "topic write sidetone/box/calls"] });
      const admin = keep(await broker.subscribe("#"));
      const { log, face } = await startFace({ url: `mqtt://127.0.0.1:${broker.port}` });
      face.publishEvent("call", { at: "", call: CALL.id, source: "api", by: "", change: "stopped" });
      face.setState("calls", { active: 1 });
      expect(await admin.next("sidetone/box/calls")).toEqual({ active: 1 });
      await waitUntil("the refusals", () => face.counters()["mqtt.publish-refused"] === 2 || undefined);
      expect(log.lines).toEqual([
        expect.stringMatching(/^info: MQTT: connected/),
        expect.stringMatching(/^error: .*publish everything.*access rules.*sidetone\/box\/state/),
      ]);
    });

    it("says that nobody listens, and that there is no TLS", async () => {
      const nobody = await startFace({ url: `mqtt://127.0.0.1:${await freePort()}` });
      expect(await waitUntil("a line", () => nobody.log.lines[0])).toMatch(/^warn: .*is the broker running/);
      const broker = await startBroker();
      const { log } = await startFace({ url: `mqtts://127.0.0.1:${broker.port}` });
      expect(await waitUntil("a line", () => log.lines[0])).toMatch(/mqtt\.url|TLS/);
    });

    it("says that another box has its client id", async () => {
      const { broker, log } = await startAll();
      const second = await startFace({ url: `mqtt://127.0.0.1:${broker.port}` });
      const line = /^error: .*same client id/;
      await waitUntil("the line", () => [...log.lines, ...second.log.lines].find((text) => line.test(text)));
    });

    it("connects over WebSocket", async () => {
      const broker = await startBroker({ plainPort: await freePort() });
      const { log } = await startFace({ url: `ws://127.0.0.1:${broker.port}/mqtt` });
      expect(await waitUntil("the connection", () => log.lines[0])).toMatch(/connected/);
    });
  });

  it("can be stopped at any time", async () => {
    for (const url of ["", "mqtt://127.0.0.1:1", `mqtt://127.0.0.1:${(await startBroker()).port}`]) {
      const face = new MqttFace({
        config: settings({ url }),
        device: "box",
        desk: new Desk(),
        box: new NoBox(),
        logger: new Lines(),
      });
      const started = face.start();
      await face.stop();
      await started;
      await face.stop();
      face.setState("calls", { active: 1 });
    }
  });
});

const boxObstacle = obstacle ?? liveTestObstacle();
if (boxObstacle) console.log(`skipped: commands about the box: ${boxObstacle}`);

describe.skipIf(boxObstacle !== undefined)("commands about the box", () => {
  let folder: string;
  let broker: Mosquitto;
  let admin: Subscriber;
  let service: RunningProgram | undefined;
  let calls: GeneratedCall[];
  const file = () => join(folder, "sidetone.yaml");
  beforeAll(async () => {
    folder = makeFolder();
    calls = [...generateCalls({ seed: 7, count: 20, firstUs: Date.now() * 1000 - 3600e6, spanUs: 3000e6 })];
    for (const call of calls) storeCall(join(folder, "data"), call);
    broker = await Mosquitto.start(folder);
    admin = await broker.subscribe("sidetone/box/#");
    const verbs = REQUEST_VERBS.map((verb) => `"${verb}"`).join(", ");
    writeFileSync(file(), configText(`[${verbs}]`, broker.port));
    service = new RunningProgram(["--interface", "lo", "--data", join(folder, "data"), "--config", file(), "--json"]);
    await admin.next("sidetone/box/info");
  });
  afterAll(async () => {
    await service?.stop("SIGKILL");
    await admin?.stop();
    await broker?.stop();
    removeFolder(folder);
  });

  // biome-ignore lint/suspicious/noExplicitAny: each verb answers something else
  const ask = (verb: string, body: object = {}) => broker.ask<any>(`sidetone/box/request/${verb}`, body);
  const audit = (kind: AuditEntry["kind"]) => readAudit(join(folder, "data")).filter((entry) => entry.kind === kind);

  it("are carried out by the running box, entered with who gave them, and outlive a restart that one of them asks for", async () => {
    broker.publish("sidetone/box/request/self-test", '{"transaction":"self"}');
    const pid = service!.child.pid;
    const { id } = calls.find(({ manifest }) => manifest)!.line;

    expect(await ask("tag", { call: { id }, add: ["vip"], transaction: 1 })).toEqual({
      status: "ok",
      data: { call: id, tags: ["vip"] },
      transaction: 1,
    });
    const found = await ask("recordings", { tag: "vip" });
    expect(found.data.recordings).toMatchObject([{ id, tags: ["vip"], outcome: "recorded" }]);
    expect(found.data.recordings[0].parties.map((party: { number: string }) => party.number)).toEqual([
      expect.stringMatching(/^\d\d$/),
      expect.stringMatching(/^•••\d{3}$/),
    ]);
    expect((await ask("recordings", { limit: 3 })).data).toMatchObject({ next: expect.stringMatching(/./) });
    expect((await ask("health")).data).toMatchObject({ schema: "sidetone.health/1", alarms: ["no-agents"] });
    expect((await ask("span")).data.checks.map((check: { id: string }) => check.id)).toContain("sip-directions");
    expect((await ask("completeness")).data.total.seen).toBe(20);
    expect(await ask("recordings", { limit: 0 })).toMatchObject({ error: { code: "invalid", field: "limit" } });

    const acknowledged = { by: "mqtt client admin" };
    expect((await ask("alarms", { action: "acknowledge", code: "no-agents" })).data.standing).toMatchObject([
      { code: "no-agents", acknowledged },
    ]);
    expect(await lastOf("alarm/no-agents", ({ acknowledged: by }) => by !== undefined)).toMatchObject({ acknowledged });

    const shown = await ask("configuration", { action: "get", section: "mqtt" });
    expect(shown.data.settings["mqtt.password"].value).toBe("•set•");
    const values = { "health.intervalS": 30, "mqtt.password": "s3cret-2" };
    expect((await ask("configuration", { action: "set", values })).data.changed).toEqual(Object.keys(values));
    expect(await ask("configuration", { action: "set", values: { "consent.policy": "both-parties" } })).toMatchObject({
      error: { code: "not-settable", field: "values.consent.policy" },
    });
    expect(readFileSync(file(), "utf8")).toBe(
      configText(shown.data.settings["mqtt.allow"].value, broker.port)
        .replace("s3cret-1", "s3cret-2")
        .replace("intervalS: 60", "intervalS: 30"),
    );

    const selfTest = await admin.next<{ data: { result: string } }>("sidetone/box/response/self-test");
    expect(selfTest).toMatchObject({ status: "ok", transaction: "self", data: { result: "pass" } });

    // A configuration that is wrong does not end the service.
    const right = readFileSync(file(), "utf8");
    writeFileSync(file(), `${right}call: { tailMs: -1 }\n`);
    expect(await ask("restart")).toMatchObject({ error: { code: "configuration-invalid", field: "call.tailMs" } });
    writeFileSync(file(), right);
    expect(await ask("restart", { when: "now", reason: "new settings" })).toMatchObject({
      data: { when: "now", calls: 0, withinS: 1 },
    });
    await waitUntil("the box to be back", () => states().length >= 3 || undefined);
    expect(states()).toEqual(['{"state":"online"}', '{"state":"offline","clean":true}', '{"state":"online"}']);
    await waitUntil("the box to answer", async () => (await ask("calls")).status === "ok" || undefined);
    expect(service!.child.pid).toBe(pid);
    expect(service!.child.exitCode).toBeNull();
    expect((await ask("configuration", { action: "get", section: "health" })).data).toMatchObject({
      settings: { "health.intervalS": { value: 30, source: "file" } },
      pending: [],
    });
    // Found again at once: whoever has seen it need not see it twice.
    expect((await ask("alarms")).data.standing).toMatchObject([{ code: "no-agents", acknowledged }]);

    for (const kind of ["tagged", "acknowledged", "configured"] as const)
      expect(audit(kind).map(({ actor }) => actor)).toEqual(["mqtt client admin"]);
    expect(audit("restart").map(({ actor }) => actor)).toEqual(["mqtt client admin", "service"]);
    expect(audit("started")).toHaveLength(2);
    expect(await service!.stop()).toBe(0);
    // What an admin sends is his own to keep secret; the box says it nowhere.
    const said = admin.received.filter(({ topic }) => !topic.startsWith("sidetone/box/request/"));
    const everything = [service!.stderr, service!.stdout, ...said.map(({ payload }) => payload)];
    expect(everything.concat(JSON.stringify(readAudit(join(folder, "data")))).join("\n")).not.toContain("s3cret");
  });

  const states = () => admin.on("sidetone/box/state").map(({ payload }) => payload);
  const lastOf = (topic: string, is: (payload: Record<string, unknown>) => boolean) =>
    waitUntil(topic, () => {
      const all = admin.on(`sidetone/box/${topic}`).map(({ payload }) => JSON.parse(payload || "{}"));
      return all.findLast(is);
    });
});

/** As somebody wrote it by hand. */
function configText(allow: string | string[], port: number): string {
  const verbs = typeof allow === "string" ? allow.replaceAll('"', "").slice(1, -1) : allow.join(", ");
  return `# The box in the cellar.
device:
  id: box
api:
  enabled: false
health:
  intervalS: 60 # once a minute
mqtt:
  url: mqtt://127.0.0.1:${port}
  # Whoever has it may command.
  username: box
  password: s3cret-1
  allow: [ ${verbs} ]
`;
}

interface LoadEvent {
  seq: number;
  duplicate?: true;
  by: string;
  /** Counted by whoever made it. */
  n: number;
}

function readLoad(payload: string): LoadEvent {
  const { packets, reason, ...rest } = JSON.parse(payload) as Omit<LoadEvent, "n"> & {
    packets?: number;
    reason?: string;
  };
  return { ...rest, n: packets ?? Number(reason) };
}

/** The face in a process of its own that adds events as fast as calls of a large office never do, until it is killed. */
class Loader {
  readonly name: string;
  /** Events that it has added, as far as it could say so. */
  added = 0;
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown>;

  constructor(folder: string, options: { name: string; url: string; queueFolder: string; most?: number }) {
    const { name, url, queueFolder, most = 1e6 } = options;
    this.name = name;
    const load = `
      let n = 0;
      const timer = setInterval(() => {
        if (++n > ${most}) return clearInterval(timer);
        const cause = { at: "", call: "${CALL.id}", source: "api", by: "${name}" };
        if (n % 2) face.publishEvent("call", { ...cause, change: "erased", side: "answerer", packets: n });
        else face.publishEvent("pause", { ...cause, state: "paused", reason: String(n) });
        console.log(n);
      }, 4);`;
    this.child = startChild(folder, url, { queueFolder, load });
    this.child.stdout!.on("data", (chunk: Buffer) => {
      const numbers = chunk.toString().trim().split("\n");
      this.added = Number(numbers.at(-1));
    });
    this.ended = new Promise((resolve) => this.child.on("close", resolve));
  }

  async stop(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }
}

/** A process of its own that runs the face until it is killed. `load`: what it does besides. */
function startChild(parent: string, url: string, { queueFolder = "", load = "", own = {} } = {}): ChildProcess {
  const built = buildFace(parent);
  const script = `
    const { MqttFace } = await import(${JSON.stringify(join(built, "device/mqtt/face.js"))});
    const quiet = () => {};
    const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    const config = ${JSON.stringify(settings({ url, ...own }))};
    const queueFolder = ${JSON.stringify(queueFolder)} || undefined;
    const face = new MqttFace({ config, device: "box", desk: {}, box: {}, logger, queueFolder });
    await face.start();
    ${load}
  `;
  return spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: built,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** The face as a process of its own can load it; once per folder. */
function buildFace(parent: string): string {
  const built = join(parent, "built");
  if (existsSync(built)) return built;
  const compiler = join(PROJECT_ROOT, "node_modules/.bin/tsc");
  const options =
    "--ignoreConfig --noCheck --module nodenext --target es2023 --types node --skipLibCheck --rootDir .".split(" ");
  execFileSync(compiler, [...options, "--outDir", built, "device/mqtt/face.ts"], { cwd: PROJECT_ROOT });
  writeFileSync(join(built, "package.json"), '{ "type": "module" }');
  symlinkSync(join(PROJECT_ROOT, "node_modules"), join(built, "node_modules"));
  return built;
}

// The broker is killed for a minute while a running box has calls whose consent changes all the time, and comes back knowing
// nothing: every event of the audit chain arrives at an admin, in order. Then the box itself is killed, and stopped.
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EventPlace, MqttEvents } from "../../device/contract/mqtt.js";
import { LiveCall, NetworkCard, passMs } from "../fakes/live-call.js";
import { freePort, Mosquitto, mosquittoObstacle, type Subscriber } from "../fakes/mosquitto.js";
import { OfficeNetwork } from "../fakes/office-network.js";
import { waitUntil } from "../fakes/office-program.js";
import { logLines, makeFolder, RunningProgram, removeFolder } from "../fakes/program.js";
import { toneSource } from "../fakes/tone.js";
import { readAudit } from "../unit/store/audit-kit.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle = liveTestObstacle() ?? mosquittoObstacle();
if (obstacle) console.log(`skipped: a broker that is away: ${obstacle}`);

/** So long that the box tells of it by an alarm. */
const AWAY_MS = 61_000;
const FOUND_WITHIN_MS = 20_000;
const STARTED_WITHIN_MS = 60_000;
const CALLS = 4;
/** Between two changes of one call. */
const CHANGE_MS = 100;
const LEAST_EVENTS_PER_S = 25;
const DEVICE = "box";
const STATE = `sidetone/${DEVICE}/state`;
const ALARM =
  "alarm mqtt-broker-lost: No MQTT broker. Bring the broker back, or correct what the log says about it (lines that begin MQTT:).";
/** CPU time in /proc. */
const TICK_MS = 10;

type Event = EventPlace & { kind: string } & (MqttEvents["consent"] | MqttEvents["pause"] | MqttEvents["call"]);

describe.skipIf(obstacle !== undefined)("a broker that is away for a minute", () => {
  const office = new OfficeNetwork("outage", { phones: [] });
  const launcher = office.launcher("recorder");
  const folder = makeFolder();
  const data = join(folder, "data");
  const configFile = join(folder, "sidetone.yaml");
  let card: NetworkCard | undefined;
  let calls: LiveCall[] = [];
  const running: { stop(): Promise<unknown> }[] = [];
  const keep = <T extends { stop(): Promise<unknown> }>(part: T): T => {
    running.unshift(part);
    return part;
  };

  beforeAll(async () => {
    office.create();
    card = await NetworkCard.open(office, "phones");
  });
  afterAll(async () => {
    for (const call of calls) call.stop();
    for (const part of running) await part.stop();
    card?.close();
    office.remove();
    removeFolder(folder);
  });

  const startBroker = async (port?: number) =>
    keep(await Mosquitto.start(folder, { launcher, ...(port !== undefined && { port }) }));
  const startService = () =>
    keep(new RunningProgram(["--config", configFile, "--data", data, "--json"], { launcher, timeoutMs: 200_000 }));

  async function beginCalls(): Promise<void> {
    calls = Array.from({ length: CALLS }, (_, n) => {
      const caller = { user: `030123456${n}`, address: `198.51.100.${n + 1}`, rtpPort: 30_000, says: toneSource(500) };
      const agent = { user: `2${n}`, address: `10.77.1.${n + 1}`, rtpPort: 40_000, says: toneSource(900) };
      return new LiveCall(card!, { callId: `outage-${n}`, codec: "PCMA", caller, agent });
    });
    await Promise.all(calls.map((call) => call.begin()));
  }

  /** Consent and pauses change by turns; returns what ends it. */
  function changeAllTheTime(): () => void {
    let round = 0;
    const headers = [
      ["X-Recording-Consent", "granted"],
      ["X-Recording-Pause", "pause"],
      ["X-Recording-Pause", "resume"],
      ["X-Recording-Consent", "withdrawn"],
    ] as const;
    const timer = setInterval(() => {
      for (const [n, call] of calls.entries()) {
        const [name, value] = headers[(round + n) % headers.length]!;
        call.inform("agent", name, value);
      }
      round++;
    }, CHANGE_MS);
    return () => clearInterval(timer);
  }

  it("costs no event, and no order, and is told of; a box that is killed or stopped says so", async () => {
    const [port, behind] = [await freePort(), await freePort()];
    const config = {
      device: { id: DEVICE },
      capture: { interfaces: [office.mirrorInterface] },
      agents: { match: ["10.77.1.0/24"] },
      api: { enabled: false },
      mqtt: { url: `mqtt://127.0.0.1:${port}` },
    };
    // JSON is YAML.
    writeFileSync(configFile, JSON.stringify(config));
    const broker = await startBroker(port);
    const before = keep(await broker.subscribe("sidetone/#"));
    const service = startService();
    await untilCapturing(service);
    await before.next(STATE);
    await beginCalls();
    const end = changeAllTheTime();
    await waitUntil("events", () => eventsAt(before).length >= 50 || undefined);

    const cpuBefore = cpuTicks(service.child.pid!);
    const killedAtMs = Date.now();
    await broker.kill();
    // It would subscribe to the next one as well.
    await before.stop();
    await passMs(AWAY_MS);
    expect(logLines(service.stderr, ALARM)).toHaveLength(1);
    const cpuMs = (cpuTicks(service.child.pid!) - cpuBefore) * TICK_MS;
    const awayMs = Date.now() - killedAtMs;

    // An admin is there before the box is: it finds the way to the broker only then.
    const again = await startBroker(behind);
    const after = keep(await again.subscribe("sidetone/#"));
    const backAtMs = Date.now();
    office.start("recorder", process.execPath, ["-e", wayScript(port, behind)], folder);
    await waitUntil("the box", () => after.on(STATE)[0], FOUND_WITHIN_MS);
    const foundMs = Date.now() - backAtMs;
    await waitUntil("what waited", () => lastEventAtMs(after) > backAtMs || undefined, 20_000);
    end();
    for (const call of calls) call.hangUp();
    await waitUntil(
      "the calls' end",
      () => after.on(`sidetone/${DEVICE}/calls`).at(-1)?.payload === '{"active":0}' || undefined,
    );

    const received = [...eventsAt(before), ...eventsAt(after)];
    const first = new Map<number, Event>();
    for (const event of received) {
      if (first.has(event.seq)) expect(event.duplicate, `seq ${event.seq}`).toBe(true);
      else first.set(event.seq, event);
    }
    const events = [...first.values()];
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, place) => place + 1));
    expect(events.map(keyOf)).toEqual(auditKeys(data));
    expect(events.length).toBeGreaterThan((LEAST_EVENTS_PER_S * awayMs) / 1000);
    const marked = received.filter(({ duplicate }) => duplicate).length;
    console.log(
      `${events.length} events, ${marked} marked; away ${awayMs} ms, found after ${foundMs} ms, service ${cpuMs} ms of CPU meanwhile`,
    );
    expect(logLines(service.stderr, "alarm mqtt-broker-lost is over")).toHaveLength(1);

    // The broker lost what was retained, and has it again.
    const late = keep(await again.subscribe("sidetone/#"));
    for (const name of ["state", "info", "health", "calls", "disk"].map((last) => `sidetone/${DEVICE}/${last}`)) {
      await late.next(name);
      expect(late.on(name)[0]!.isRetained, name).toBe(true);
    }

    const exited = once(service.child, "exit");
    service.child.kill("SIGKILL");
    expect(await after.next(STATE, 1)).toEqual({ state: "offline" });
    await exited;
    const second = startService();
    await untilCapturing(second);
    expect(await after.next(STATE, 2)).toEqual({ state: "online" });
    expect(await second.stop()).toBe(0);
    expect(await after.next(STATE, 3)).toEqual({ state: "offline", clean: true });
  }, 150_000);
});

/** Other tests' programs start at the same time. */
async function untilCapturing(service: RunningProgram): Promise<void> {
  await service.waitFor(
    "capture",
    (stderr) => logLines(stderr, "capturing").length > 0 || undefined,
    STARTED_WITHIN_MS,
  );
}

function eventsAt(admin: Subscriber): Event[] {
  return admin.received.flatMap(({ topic, payload }) => {
    const [, kind] = /\/event\/(.*)$/.exec(topic) ?? [];
    return kind === undefined ? [] : [{ kind, ...JSON.parse(payload) } as Event];
  });
}

/** Packet time; 0 = there is none. */
function lastEventAtMs(admin: Subscriber): number {
  const last = admin.received.findLast(({ topic }) => topic.includes("/event/"));
  return last === undefined ? 0 : Date.parse((JSON.parse(last.payload) as Event).at);
}

function keyOf(event: Event): string {
  const what = "state" in event ? event.state : "change" in event ? event.change : `${event.from} ${event.to}`;
  return [event.at, event.call, event.kind, what].join(" ");
}

/** The same of what the audit chain has. */
function auditKeys(dataFolder: string): string[] {
  const kinds: Record<string, (detail: Record<string, unknown>) => string> = {
    consent: ({ from, to }) => `consent ${from} ${to}`,
    paused: () => "pause paused",
    resumed: () => "pause resumed",
    policy: () => "call policy",
    "recording-started": () => "call started",
    "recording-stopped": () => "call stopped",
    erased: () => "call erased",
  };
  return readAudit(dataFolder).flatMap(({ kind, packetAt, call, detail }) => {
    const what = kinds[kind]?.(detail);
    return what === undefined ? [] : [`${packetAt} ${call} ${what}`];
  });
}

/** Of a process with all its threads. */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** A program that passes connections on from one port to another. */
function wayScript(from: number, to: number): string {
  return `const net = require("node:net");
    net.createServer((near) => {
      const far = net.connect(${to}, "127.0.0.1");
      near.on("error", () => far.destroy()).on("close", () => far.destroy()).pipe(far);
      far.on("error", () => near.destroy()).on("close", () => near.destroy()).pipe(near);
    }).listen(${from}, "127.0.0.1");`;
}

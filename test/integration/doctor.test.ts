// The SPAN doctor on a real mirror port: capture ports of namespaces that show a sound mirror, or one with a made fault. Each
// fault is named, with its remedy and exit code; a sound mirror passes. All at once, for they mostly wait.
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SpanReport } from "../../device/contract/span.js";
import { type CallOptions, DEFAULT_START_US } from "../fakes/call-options.js";
import { mirrored } from "../fakes/mirror.js";
import { Mosquitto, mosquittoObstacle, type Subscriber } from "../fakes/mosquitto.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, type ProgramResult, RunningProgram, removeFolder, runProgram } from "../fakes/program.js";
import { faultsOf, figureOf } from "../fakes/span-look.js";
import { mergeCalls, type TimedFrame } from "../fakes/timed-frames.js";
import { overTls } from "../fakes/tls-call.js";
import { liveTestObstacle, VethPair } from "./veth-pair.js";

const obstacle =
  liveTestObstacle() ??
  mosquittoObstacle() ??
  (spawnSync("ethtool", ["--version"]).error ? "ethtool is not installed" : undefined);
if (obstacle) console.log(`skipped: doctor on a mirror port: ${obstacle}`);

const CALL_MS = 3000;
/** Losses are compared within five seconds. */
const LOSS_CALL_MS = 12_000;
/** Many times what its ring holds. */
const OVERRUN_FRAMES = 20_000;
/** What the doctor takes for a move to another VLAN, and a little. */
const VLAN_SILENCE_MS = 62_000;
/** The second of the office's phones. */
const PHONE = Buffer.from([10, 0, 0, 8]);

function office(options: CallOptions = {}, count = 2): TimedFrame[] {
  const calls = Array.from({ length: count }, (_, n) =>
    makeCall({
      durationMs: CALL_MS,
      ringMs: 200,
      ...options,
      callId: `mirror-${n}@office.example`,
      startUs: DEFAULT_START_US + n * 150_000,
      caller: { address: `198.51.100.${20 + n}`, ...options.caller },
      callee: { address: `10.0.0.${7 + n}`, ...options.callee },
    }),
  );
  return mergeCalls(...calls);
}

interface Scene {
  name: string;
  frames(): TimedFrame[] | Promise<TimedFrame[]>;
  faults: string[];
  agents?: string;
  prepare?(veth: VethPair): void;
  /** Writes one, and returns its path. */
  config?(folder: string): string;
  /** Once its frames are sent. */
  afterwards?(veth: VethPair, doctor: RunningProgram): void;
  /** A service looks at the mirror as well, and is asked. */
  hasService?: true;
}

const begun =
  (word: string) =>
  (stderr: string): true | undefined =>
    stderr.includes(word) ? true : undefined;

const SDES = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

function smallRing(folder: string): string {
  const path = join(folder, "small-ring.yaml");
  writeFileSync(path, "capture:\n  bufferMegabytes: 4\n");
  return path;
}

/** An engine that is given no time, while more comes than its ring holds. */
function overrun(veth: VethPair, doctor: RunningProgram): void {
  const { pid } = doctor.child;
  const [engine] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
  const { frame } = office({}, 1).find(({ kind }) => kind === "rtp")!;
  process.kill(engine!, "SIGSTOP");
  try {
    veth.inject(new Array(OVERRUN_FRAMES).fill(frame));
  } finally {
    process.kill(engine!, "SIGCONT");
  }
}

/** After so long a silence it has moved. */
function movedVlan(): TimedFrame[] {
  const before = office({ link: { vlan: [20] } });
  const after = office({ link: { vlan: [30] } });
  const awayUs = before.at(-1)!.atUs - before[0]!.atUs + VLAN_SILENCE_MS * 1000 - CALL_MS * 500;
  return mergeCalls(
    before,
    after.map((one) => ({ ...one, atUs: one.atUs + awayUs })),
  );
}

const SCENES: Scene[] = [
  { name: "sound", frames: () => office({}, 4), faults: [], hasService: true },
  {
    name: "one direction of the port",
    frames: () => office().filter(({ from }) => from === "callee"),
    // Of two phones.
    faults: ["sip-directions: sip-one-way", "sip-directions: sip-one-way", "media-directions: media-one-way"],
  },
  {
    name: "one way",
    frames: () => office().filter(({ kind, from }) => kind === "sip" || from === "callee"),
    faults: ["media-directions: media-one-way"],
  },
  { name: "twice", frames: () => mirrored(office(), { kinds: ["same"] }), faults: ["copies: copies-same"] },
  { name: "routed", frames: () => mirrored(office(), { kinds: ["ttl"] }), faults: ["copies: copies-routed"] },
  { name: "two VLANs", frames: () => mirrored(office(), { kinds: ["vlan"] }), faults: ["copies: copies-vlan"] },
  {
    name: "SRTP",
    frames: () => office({ sdpLines: { caller: [SDES], callee: [SDES] } }),
    faults: ["media-encrypted: media-encrypted"],
  },
  { name: "TLS", frames: () => overTls(office({}, 1)), faults: ["sip-encrypted: sip-tls"] },
  { name: "wrong agents", frames: () => office(), agents: "10.9.0.0/24", faults: ["agents: agents-not-found"] },
  {
    name: "elsewhere",
    frames: () => office().filter(({ kind }) => kind === "sip"),
    faults: ["media: media-elsewhere"],
  },
  {
    name: "another VLAN",
    frames: movedVlan,
    faults: ["vlans: vlan-changed"],
  },
  {
    name: "overrun",
    frames: () => office(),
    config: smallRing,
    afterwards: overrun,
    faults: ["drops: kernel-drops"],
  },
  {
    name: "oversubscribed",
    frames: () =>
      office({ durationMs: LOSS_CALL_MS }, 5).filter(({ kind, atUs }) => kind === "sip" || atUs % 2_000_000 > 80_000),
    faults: ["loss: mirror-loss"],
  },
  {
    name: "one phone's link",
    frames: () =>
      office({ durationMs: LOSS_CALL_MS }, 5).filter(
        ({ kind, frame }, n) => kind === "sip" || n % 3 > 0 || !frame.includes(PHONE),
      ),
    faults: ["loss: network-loss"],
  },
  {
    name: "address",
    frames: () => office(),
    prepare: (veth) => {
      spawnSync("ip", ["address", "add", "198.18.77.9/24", "dev", veth.near]);
    },
    faults: ["address: capture-port-address"],
  },
];

describe.skipIf(obstacle !== undefined)("the doctor on a mirror port", () => {
  const folder = makeFolder();
  const veths: VethPair[] = [];
  let broker: Mosquitto | undefined;
  let admin: Subscriber | undefined;
  const logServer = createSocket("udp4");
  const logged: string[] = [];
  let asked: ProgramResult | undefined;
  let afterwards: ProgramResult | undefined;
  const found = new Map<string, { report: SpanReport; exitCode: number | null; stderr: string }>();

  beforeAll(async () => {
    await Promise.all(SCENES.map((scene, n) => play(scene, n)));
  }, 150_000);
  afterAll(async () => {
    await admin?.stop();
    await broker?.stop();
    logServer.close();
    for (const veth of veths) veth.remove();
    removeFolder(folder);
  });

  async function play(scene: Scene, n: number): Promise<void> {
    const { name, frames, agents = "10.0.0.0/24", prepare } = scene;
    const veth = new VethPair(`d${n}`);
    veths.push(veth);
    veth.create();
    // What an installer does; drivers differ in what they begin with.
    spawnSync("ethtool", ["-K", veth.near, "gro", "off", "lro", "off"]);
    prepare?.(veth);
    const args = ["doctor", "--interface", veth.near, "--for", "120", "--agents", agents, "--json", "--data", folder];
    const doctor = new RunningProgram([...args, ...(scene.config ? ["--config", scene.config(folder)] : [])], {
      timeoutMs: 140_000,
    });
    await doctor.waitFor("the doctor's word", begun("looking at"), 60_000);
    const data = join(folder, String(n));
    const service = scene.hasService && (await startService(veth.near, agents, data));
    await veth.replayLater(await frames());
    scene.afterwards?.(veth, doctor);
    if (service) {
      asked = await runProgram(["doctor", "--json", "--data", data]);
      await admin!.next("sidetone/box/span");
      await service.stop();
      afterwards = await runProgram(["doctor", "--data", data]);
    }
    doctor.child.kill("SIGINT");
    const exitCode = await doctor.ended;
    found.set(name, { report: JSON.parse(doctor.stdout || "null"), exitCode, stderr: doctor.stderr });
  }

  /** A box whose admin listens to everything. */
  async function startService(device: string, agents: string, data: string): Promise<RunningProgram> {
    broker = await Mosquitto.start(folder);
    admin = await broker.subscribe("sidetone/#");
    await new Promise<void>((resolve) => logServer.bind(0, "127.0.0.1", resolve));
    logServer.on("message", (message) => logged.push(message.toString()));
    const settings = {
      device: { id: "box" },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
      health: { intervalS: 5 },
      syslog: { url: `udp://127.0.0.1:${logServer.address().port}`, facility: "local0" },
      // Taken: an alarm for the admin.
      api: { port: broker.port },
    };
    const config = join(folder, "sidetone.json");
    writeFileSync(config, JSON.stringify(settings));
    const args = ["--config", config, "--interface", device, "--agents", agents, "--data", data];
    const service = new RunningProgram(args);
    await service.waitFor("capture", begun("capturing"), 60_000);
    return service;
  }

  it.each(SCENES)("$name", ({ name, faults }) => {
    const { report, exitCode, stderr } = found.get(name)!;
    expect(stderr).toMatch(/^sidetoned: looking at \S+ for 120 s: place a call of a few seconds now\n$/);
    expect(faultsOf(report)).toEqual(faults);
    expect(exitCode).toBe(report.state === "fail" ? 5 : 0);
    if (name !== "sound") return;
    // The machine's own clock is not the mirror's.
    const others = report.checks.filter(({ id, state }) => state !== "pass" && id !== "clock");
    expect(others).toEqual([]);
  });

  it("says the same out of a running service", () => {
    const report = JSON.parse(asked!.stdout) as SpanReport;
    expect([faultsOf(report), asked!.stderr, asked!.exitCode]).toEqual([[], "", 0]);
    expect(report.checks.filter(({ state, id }) => state !== "pass" && id !== "clock")).toEqual([]);
    expect(figureOf(report, "media-directions")).toBe("both in 4 calls");
  });

  it("shows the admin over MQTT that it is there, how it is and what it sees, and nothing of a caller", () => {
    const newest = (topic: string): unknown => JSON.parse(admin!.on(`sidetone/box/${topic}`).at(-1)!.payload);
    expect(newest("info")).toMatchObject({ device: "box", version: "0.1.0", policy: "agent-only" });
    expect(newest("health")).toMatchObject({
      schema: "sidetone.health/1",
      cpuPercent: { cores: availableParallelism() },
      sealing: { refused: 0 },
      capture: { kernelDrops: 0 },
    });
    expect(newest("span")).toMatchObject({ checks: { link: "pass", sip: "pass" }, faults: [] });
    for (const { payload } of admin!.received) expect(payload).not.toMatch(/03012345|198\.51\.100|10\.0\.0\./);
  });

  it("tells alarms to a log server", () => {
    const text = logged.find((message) => message.includes(" api-off "));
    expect(text, logged.join("\n")).toMatch(/^<13[12]>1 \S+Z \S+ sidetone \d+ api-off - \ufeffalarm raised: /);
  });

  it("says in one line that no service runs", () => {
    expect(afterwards!.exitCode).toBe(2);
    expect(afterwards!.stderr).toMatch(/^sidetoned: no service runs on \S+: start it, [^\n]+\n$/);
  });
});

// The broker that a box runs where it is told of none, with Mosquitto's own clients as whoever stands before it.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { freePort, makeCertificates, mosquittoObstacle, Subscriber } from "../fakes/mosquitto.js";
import { logLines, makeFolder, RunningProgram, removeFolder, runProgram } from "../fakes/program.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle = liveTestObstacle() ?? mosquittoObstacle();
if (obstacle) console.log(`skipped: the box's own broker: ${obstacle}`);

const VERSION_3 = ["-V", "mqttv311"];
const LISTENS = "the MQTT broker listens";

describe.skipIf(obstacle !== undefined)("the box's own broker", () => {
  let folder: string;
  const running: { stop(): Promise<unknown> }[] = [];
  beforeAll(() => {
    folder = makeFolder();
  });
  afterEach(async () => {
    for (const part of running.splice(0)) await part.stop();
  });
  afterAll(() => removeFolder(folder));

  let services = 0;
  function startService(broker: object): RunningProgram {
    const configFile = join(folder, `c${++services}.yaml`);
    // JSON is YAML.
    const own = { device: { id: "box" }, api: { enabled: false }, health: { intervalS: 5 }, mqtt: { broker } };
    writeFileSync(configFile, JSON.stringify(own));
    const args = ["--interface", "lo", "--data", join(folder, `data${services}`), "--config", configFile, "--json"];
    const service = new RunningProgram(args, { environment: { SIDETONE_MQTT_BROKER_ENABLED: "true" } });
    running.unshift(service);
    return service;
  }
  const said = (service: RunningProgram, message: string) =>
    service.waitFor(message, (stderr) => logLines(stderr, message)[0]);
  function subscribe(port: number, topic: string, ...args: string[]): Subscriber {
    const subscriber = new Subscriber(port, topic, [...VERSION_3, ...args]);
    running.unshift(subscriber);
    return subscriber;
  }
  function publish(port: number, topic: string, payload: string, ...args: string[]) {
    const to = ["-h", "127.0.0.1", "-p", String(port), "-t", topic, "-m", payload, "-q", "1"];
    const { status, stderr } = spawnSync("mosquitto_pub", [...VERSION_3, ...to, ...args], { encoding: "utf8" });
    return { status, stderr };
  }

  it("shows at the first run what the box says, takes nothing, and ends in an orderly way; a second box goes without", async () => {
    const port = await freePort();
    const service = startService({ port });
    expect(await said(service, LISTENS)).toMatchObject({ address: `mqtt://127.0.0.1:${port}` });
    const admin = subscribe(port, "sidetone/#");
    expect(await admin.next("sidetone/box/state")).toEqual({ state: "online" });
    await Promise.all(["info", "health", "calls", "alarm/no-agents"].map((name) => admin.next(`sidetone/box/${name}`)));
    expect(admin.on("sidetone/box/state")[0]!.isRetained).toBe(true);

    const other = startService({ port });
    expect(await said(other, "capturing")).toMatchObject({ interfaces: "lo" });
    const line = await other.waitFor("the line", (stderr) => /MQTT is off: [^"]*/.exec(stderr)?.[0]);
    expect(line).toBe(
      `MQTT is off: mqtt.broker.port: ${port} on 127.0.0.1 is taken by another program; choose another one, or name that broker in mqtt.url`,
    );
    expect(other.stderr).toContain("alarm mqtt-off: MQTT off.");
    expect(await other.stop()).toBe(0);

    expect(publish(port, "sidetone/box/state", '{"state":"offline"}', "-r")).toMatchObject({
      status: 7,
      stderr: expect.stringMatching(/connection was lost/),
    });
    expect(publish(port, "sidetone/box/request/pause", '{"call":"all"}').status).not.toBe(0);
    const late = subscribe(port, "sidetone/box/state");
    expect(await late.next("sidetone/box/state")).toEqual({ state: "online" });
    expect(admin.on("sidetone/box/state")).toHaveLength(1);

    expect(await service.stop()).toBe(0);
    expect(await admin.next("sidetone/box/state", 1)).toEqual({ state: "offline", clean: true });
  });

  it("lets users in by their passwords over TLS, and enters who gave a command", async () => {
    const tls = makeCertificates(folder, "own");
    const port = await freePort();
    const users = [
      { name: "desk", password: "battery staple", rights: "command" },
      { name: "wall", password: "correct horse" },
    ];
    const { certFile, keyFile } = tls;
    const service = startService({ host: "0.0.0.0", port, certFile, keyFile, users, badPasswordsPerMinute: 2 });
    expect(await said(service, LISTENS)).toMatchObject({ address: `mqtts://0.0.0.0:${port}` });
    const secure = ["--cafile", tls.caFile];
    const desk = [...secure, "-u", "desk", "-P", "battery staple"];
    const wall = subscribe(port, "sidetone/#", ...secure, "-u", "wall", "-P", "correct horse");
    const killed = subscribe(port, "sidetone/#", ...desk);
    await Promise.all([wall.next("sidetone/box/state"), killed.next("sidetone/box/state")]);
    await killed.stop();

    expect(publish(port, "sidetone/box/request/calls", "{}", ...secure).stderr).toMatch(/not authorised/i);
    const pause = '{"call":"all","reason":"card data","transaction":7}';
    expect(publish(port, "sidetone/box/request/pause", pause, ...desk, "-i", "node-red")).toEqual({
      status: 0,
      stderr: "",
    });
    expect(await wall.next("sidetone/box/response/pause")).toMatchObject({ status: "ok", transaction: 7 });
    expect(wall.on("sidetone/box/request/pause")).toEqual([]);

    const guess = [...secure, "-u", "desk", "-P", "guess"];
    expect(publish(port, "x", "", ...guess).stderr).toMatch(/bad user name or password/i);
    expect(publish(port, "x", "", ...guess).stderr).toMatch(/bad user name or password/i);
    expect(publish(port, "x", "", ...desk).status).not.toBe(0);
    await service.waitFor("the lock-out", (stderr) => /locked out/.exec(stderr)?.[0]);
    expect(service.stderr).not.toMatch(/guess|battery|correct horse/);
    expect(await service.stop()).toBe(0);
    expect(await wall.next("sidetone/box/state", 1)).toEqual({ state: "offline", clean: true });
    // Of no call yet, so not in the audit chain: it will be in that of each call that it meets.
    const carried = readFileSync(join(folder, `data${services}`, "carried.json"), "utf8");
    expect(carried).toContain('"mqtt user desk client node-red"');
  });

  it("does not begin where it would let others in unasked", async () => {
    const environment = { SIDETONE_MQTT_BROKER_ENABLED: "true", SIDETONE_MQTT_BROKER_HOST: "0.0.0.0" };
    const { exitCode, stderr } = await runProgram(["--interface", "lo", "--data", join(folder, "none")], {
      environment,
    });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/SIDETONE_MQTT_BROKER_HOST.*nobody has to log in: name users in mqtt\.broker\.users/);
  });
});

// The host tool as integrators and installers use it, against a real service with a call going on: login over TLS, what is shown of
// box and calls, commands, and a view over a real broker that is restarted in between.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HOST_EXIT } from "../../host/errors.js";
import { ageEncrypt, ageObstacle, makeAgeKey } from "../fakes/age-program.js";
import { HOST_PROGRAM, type HostOptions, RunningHost, runHost } from "../fakes/host-program.js";
import { freePort, Mosquitto, mosquittoObstacle } from "../fakes/mosquitto.js";
import { AGENT_ADDRESS, CALLER_ADDRESS, OfficeNetwork } from "../fakes/office-network.js";
import { logLines, makeFolder, RunningProgram, removeFolder, runProgram } from "../fakes/program.js";
import { writeAgent, writeCaller } from "../fakes/sipp-scenarios.js";
import { toneSource } from "../fakes/tone.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle =
  liveTestObstacle() ??
  mosquittoObstacle() ??
  (spawnSync("sipp", ["-v"]).error ? "sipp (sip-tester) is not installed" : undefined);
if (obstacle) console.log(`skipped: the host tool with a real service: ${obstacle}`);

const URL_OF_BOX = "https://127.0.0.1:8385";
const TALK_MS = 10_000;

describe.skipIf(obstacle !== undefined)("sidetone", () => {
  let office: OfficeNetwork;
  let folder: string;
  let service: RunningProgram;
  let broker: Mosquitto;
  let options: HostOptions;
  let data: string;
  let token: string;
  const running: RunningHost[] = [];

  beforeAll(async () => {
    folder = makeFolder();
    data = join(folder, "data");
    office = new OfficeNetwork("host");
    office.create();
    const launcher = office.launcher("recorder");
    options = { launcher, environment: { XDG_CONFIG_HOME: join(folder, "home"), HOME: folder }, cwd: folder };
    broker = await Mosquitto.start(folder, {
      launcher,
      port: await freePort(),
      users: { admin: "s3cret", box: "b0x" },
    });
    const config = {
      device: { id: "office-1" },
      capture: { interfaces: [office.mirrorInterface] },
      agents: { match: [AGENT_ADDRESS] },
      api: { host: "0.0.0.0" },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}`, username: "box", password: "b0x" },
    };
    writeFileSync(join(folder, "sidetone.yaml"), JSON.stringify(config));
    const own = ["--config", join(folder, "sidetone.yaml"), "--data", data];
    service = new RunningProgram([...own, "--json"], { launcher, timeoutMs: 85_000 });
    await service.waitFor("readiness", (log) =>
      ["capturing", "the API listens"].every((message) => logLines(log, message).length > 0) ? true : undefined,
    );
    const grant = ["--rights", "see,listen,command"];
    const { stdout, stderr } = await runProgram(["token", "create", "integrator", ...grant, ...own]);
    if (!stdout.startsWith("st_")) throw new Error(`no token: ${stderr}`);
    token = stdout.trim();
    writeFileSync(join(folder, "token"), stdout);
  });
  afterAll(async () => {
    for (const one of running) await one.stop("SIGKILL");
    await service?.stop();
    await broker?.stop();
    office?.remove();
    removeFolder(folder);
  });

  const tool = (...args: string[]) => runHost(args, options);
  async function told<T = Record<string, never>>(...args: string[]): Promise<T> {
    const { exitCode, stdout, stderr } = await tool(...args, "--json");
    expect([args.join(" "), exitCode, stderr]).toEqual([args.join(" "), HOST_EXIT.ok, ""]);
    return JSON.parse(stdout) as T;
  }
  function watch(args: string[], isTerminal: boolean): RunningHost {
    writeFileSync(join(folder, "password"), "s3cret\n");
    const own = [
      "watch",
      "--broker",
      `mqtt://127.0.0.1:${broker.port}`,
      "--user",
      "admin",
      "--password-file",
      join(folder, "password"),
    ];
    const started = new RunningHost([...own, ...args], { ...options, isTerminal });
    running.push(started);
    return started;
  }

  it("is known to a box, sees and commands a call, and watches it over a broker that is restarted", async () => {
    const login = new RunningHost(["login", URL_OF_BOX], { ...options, isTerminal: true });
    running.push(login);
    await login.waitFor(
      "the question",
      (text) => /(?:[0-9A-F]{2}:){31}[0-9A-F]{2}[\s\S]*\[y\/N\] $/.exec(text) ?? undefined,
    );
    login.type("y\r");
    await login.waitFor("the other question", (text) => text.endsWith("Token (it is not shown): ") || undefined);
    login.type(`x\x7f${token}\r`);
    expect(await login.ended).toBe(HOST_EXIT.ok);
    expect(login.stdout).toMatch(/office-1: office-1, Sidetone 0\.1\.0\r\n/);
    expect(login.stdout).not.toContain(token.slice(0, 10));
    const lines = watch(["--device", "office-1"], false);
    const screen = watch([], true);
    await lines.waitFor("the box's state", (text) => text.includes('"topic":"state"') || undefined);

    writeAgent(folder, toneSource(440));
    writeCaller(folder, toneSource(1000), { talkMs: TALK_MS });
    const address = (host: string) => ["-i", host, "-p", "5060", "-nostdin"];
    office.start("agent", "sipp", ["-sf", "agent.xml", ...address(AGENT_ADDRESS)], folder);
    office.start(
      "caller",
      "sipp",
      ["-sf", "caller.xml", ...address(CALLER_ADDRESS), "-m", "1", `${AGENT_ADDRESS}:5060`],
      folder,
    );
    const call = await lines.waitFor("the call", (text) =>
      /"topic":"calls","payload":\{"active":1\}/.test(text) ? "it" : undefined,
    );
    expect(call).toBe("it");

    const { calls } = await told<{ calls: { id: string; parties: { number: string }[] }[] }>("calls", "--active");
    expect(calls).toHaveLength(1);
    const id = calls[0]!.id;
    await screen.waitFor(
      "the call on the screen",
      (text) => (text.includes(id) && text.includes("talking")) || undefined,
    );
    const consented = await told<{ calls: { parties: { role: string; consent: string }[] }[] }>(
      ...["consent", id, "granted", "--reason", "said yes"],
    );
    expect(consented.calls[0]!.parties.find(({ role }) => role === "caller")).toMatchObject({ consent: "granted" });
    expect(
      (await told<{ calls: { isPaused: boolean }[] }>("pause", id, "--reason", "card data")).calls[0]!.isPaused,
    ).toBe(true);
    expect((await told<{ calls: { isPaused: boolean }[] }>("resume", "--all")).calls[0]!.isPaused).toBe(false);
    await screen.waitFor(
      "the consent on the screen",
      (text) => /consent \S+ caller unknown -> granted/.test(text) || undefined,
    );

    const { port } = broker;
    await broker.stop();
    await lines.waitFor("the loss", (text) => text.includes('"connected":false') || undefined);
    await screen.waitFor("the loss on the screen", (text) => text.includes("trying to come back") || undefined);
    broker = await Mosquitto.start(folder, {
      launcher: options.launcher!,
      port,
      users: { admin: "s3cret", box: "b0x" },
    });
    await lines.waitFor(
      "the box again",
      (text) =>
        /"connected":true[\s\S]*"connected":true[\s\S]*"topic":"state","payload":\{"state":"online"\}/.test(text) ||
        undefined,
    );

    await service.waitFor("the call's end", (log) => logLines(log, "call")[0]);
    const stored = await told<{ calls: { id: string; outcome: string }[] }>(
      "calls",
      "--outcome",
      "recorded",
      "--agent",
      "21",
    );
    expect(stored.calls).toMatchObject([{ id, outcome: "recorded" }]);
    const table = await tool("calls");
    expect(table.stdout).toMatch(new RegExp(`^${id} .* granted .* recorded`, "m"));

    expect(await Promise.all([lines.stop(), screen.interrupt()])).toEqual([HOST_EXIT.ok, HOST_EXIT.ok]);
    expect(screen.stdout.endsWith("\x1b[?25h\x1b[?1049l")).toBe(true);
    for (const line of lines.stdout.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("at");
  });

  it("watches by the box's own API, and says in one line what does not go", async () => {
    const [seen, status, doctor] = await Promise.all([tool("watch", "--for", "1"), tool("status"), tool("doctor")]);
    expect([seen.exitCode, seen.stdout]).toEqual([HOST_EXIT.ok, expect.stringContaining('"topic":"calls/active"')]);
    expect([status.exitCode, status.stdout]).toEqual([HOST_EXIT.ok, expect.stringContaining("Sidetone 0.1.0")]);
    expect(doctor.stdout).toContain("the capture port is up and has a link");
    writeFileSync(join(folder, "wrong"), "wr0ng");
    const at = ["watch", "--user", "admin", "--password-file", "wrong", "--broker"];
    const cases: [string[], number, RegExp][] = [
      [[...at, `127.0.0.1:${broker.port}`], HOST_EXIT.unauthorised, /^sidetone: the broker .* refuses/],
      [[...at, "127.0.0.1:1"], HOST_EXIT.network, /^sidetone: the broker 127\.0\.0\.1:1 refuses the connection/],
      [
        ["status", "--url", URL_OF_BOX, "--token-file", "token"],
        HOST_EXIT.untrusted,
        /^sidetone: the certificate of .* is not trusted/,
      ],
      [["calls", "--cursor", "nonsense"], HOST_EXIT.refused, /cursor-invalid/],
    ];
    const runs = cases.map(([args, code, words]) => ({ args, code, words, run: tool(...args) }));
    for (const { args, code, words, run } of runs) {
      const result = await run;
      expect([args.join(" "), result.exitCode, result.stdout]).toEqual([args.join(" "), code, ""]);
      expect(result.stderr.trimEnd()).toMatch(words);
      expect(result.stderr.trimEnd()).not.toContain("\n");
    }
  });
});

describe.skipIf(ageObstacle() !== undefined)("sidetone decrypt", () => {
  it("writes to a pipe whose reader is slow, and to one that stops", () => {
    const folder = makeFolder();
    const key = makeAgeKey(folder, "key");
    const content = randomBytes(3_000_000);
    writeFileSync(join(folder, "a.wav.age"), ageEncrypt(content, [key.recipient]));
    const command = `'${process.execPath}' '${HOST_PROGRAM}' decrypt --identity key.txt --output - a.wav.age`;
    const run = (rest: string) =>
      spawnSync("bash", ["-c", `set -o pipefail; ${command} | ${rest}`], { cwd: folder, maxBuffer: 1 << 24 });
    const slow = run("(sleep 0.5; cat)");
    expect([slow.status, slow.stdout.equals(content), slow.stderr.toString()]).toEqual([HOST_EXIT.ok, true, ""]);
    const stopped = run("head -c 10");
    expect([stopped.status, stopped.stderr.toString()]).toEqual([
      HOST_EXIT.unwritable,
      "sidetone: cannot write to standard output (EPIPE)\n",
    ]);
    removeFolder(folder);
  });
});

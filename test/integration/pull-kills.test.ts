// `sidetone pull` is killed fifty times at random moments while a real box records, and the box is killed, stopped and given a
// new index in between. In the end every recording is in the folder, once, whole, signed, acknowledged, and nothing else is.
import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { setTimeout as pass } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sha256Of } from "../../device/base/sha256.js";
import { CaptureFile } from "../fakes/capture-file.js";
import { makeCall } from "../fakes/office-call.js";
import {
  filesBelow,
  logLines,
  makeFolder,
  PROJECT_ROOT,
  RunningProgram,
  readRecordings,
  removeFolder,
  runProgram,
} from "../fakes/program.js";
import { makeRandom } from "../fakes/random.js";
import { mergeCalls } from "../fakes/timed-frames.js";
import { liveTestObstacle, VethPair } from "./veth-pair.js";

const obstacle = liveTestObstacle();
if (obstacle) console.log(`skipped: pull-kills: ${obstacle}`);

const TOOL = join(PROJECT_ROOT, "dist/host/main.js");
const KILLS = Number(process.env["TEST_KILLS"] ?? 50);
/** After the kills with these numbers the box goes; it is back as soon as it has started. */
const BOX_ENDS: ReadonlyMap<number, NodeJS.Signals> = new Map([
  [12, "SIGKILL"],
  [24, "SIGTERM"],
  [36, "SIGKILL"],
]);
/** At this one it loses its index, so that every cursor is stale. */
const INDEX_LOST_AT = 24;
const STORED_BEFORE = 110;
/** Each time that the box has started, calls come in. */
const CALLS_AT_ONCE = 8;
const CALL_SPACING_MS = 300;
const TEMPLATES = ["{year}/{month}/{day}/{id}", "{agent}/{caller} {id}", "{id}"];
const SEED = 20261129;

let folder: string;
let data: string;
let target: string;
let configFile: string;
let token: string;
let port: number;
let box: RunningProgram | undefined;
/** Calls that come in, by starts of the box. */
const ringing: Promise<void>[] = [];
const pair = new VethPair("pull");
const random = makeRandom(SEED);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port: free } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return free;
}

function callsOf(count: number, startUs: number, spacingMs: number, durationMs: number, name: string) {
  const calls = Array.from({ length: count }, (_, i) =>
    makeCall({
      callId: `${name}-${i}@office`,
      startUs: startUs + i * spacingMs * 1000,
      ringMs: 100,
      durationMs,
      caller: { user: `0301${String(1000 + i)}`, name: `Caller "${i}"/..`, rtpPort: 20_000 + 2 * i },
      callee: { user: String(20 + (i % 5)), rtpPort: 30_000 + 2 * i },
    }),
  );
  return mergeCalls(...calls);
}

async function startBox(): Promise<void> {
  const args = ["--interface", pair.near, "--data", data, "--config", configFile, "--json"];
  const started = new RunningProgram(args, { timeoutMs: 300_000 });
  box = started;
  await started.waitFor("capturing", (stderr) => logLines(stderr, "capturing").length > 0 || undefined, 60_000);
  const calls = callsOf(CALLS_AT_ONCE, Date.now() * 1000, CALL_SPACING_MS, 1200, `live${ringing.length}`);
  ringing.push(pair.replayLater(calls));
}

async function endBox(signal: NodeJS.Signals): Promise<void> {
  const ending = box!;
  box = undefined;
  ending.child.kill(signal);
  await once(ending.child, "exit");
}

function startPull(
  flags: readonly string[],
  { into = target, key = join(data, "keys/device.pub") } = {},
): ChildProcess {
  const where = ["--url", `http://127.0.0.1:${port}`, "--public-key", key, "--json"];
  return spawn(process.execPath, [TOOL, "pull", into, ...where, ...flags], {
    env: { ...process.env, SIDETONE_TOKEN: token },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

interface Life {
  events: { event: string }[];
  exitCode: number | null;
  stderr: string;
}

/** When a pull dies: some ms after it has stored so many, or has nothing more to do for the moment. */
interface Death {
  stored: number;
  afterMs: number;
}

/** Runs a pull, to its end or its death. */
async function live(
  flags: readonly string[],
  death?: Death,
  where: { into?: string; key?: string } = {},
): Promise<Life> {
  const child = startPull(flags, where);
  let [stdout, stderr] = ["", ""];
  child.stdout!.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr!.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const closed = once(child, "close") as Promise<[number | null]>;
  if (death !== undefined) {
    const isTime = (): boolean =>
      (stdout.includes('"event":"begin"') && stdout.split('"event":"stored"').length > death.stored) ||
      /"event":"(?:caught-up|outage|end)"/.test(stdout);
    while (!isTime() && child.exitCode === null) await pass(2);
    await pass(death.afterMs);
    child.kill("SIGKILL");
  }
  const [exitCode] = await closed;
  const lines = stdout.slice(0, stdout.lastIndexOf("\n") + 1).split("\n");
  return { events: lines.filter(Boolean).map((line) => JSON.parse(line) as { event: string }), exitCode, stderr };
}

function flagsOfLife(): string[] {
  const template = TEMPLATES[Math.floor(random() * TEMPLATES.length)]!;
  const parallel = String(1 + Math.floor(random() * 4));
  return ["--name", template, "--parallel", parallel, "--ack", ...(random() < 0.5 ? ["--follow"] : [])];
}

describe.skipIf(obstacle !== undefined)("a pull that is killed", () => {
  beforeAll(async () => {
    folder = makeFolder();
    data = join(folder, "data");
    target = join(folder, "pulled");
    configFile = join(folder, "sidetone.yaml");
    port = await freePort();
    const config = {
      agents: { match: ["10.0.0.0/24"] },
      consent: { policy: "both-parties" },
      api: { port, requestsPerMinute: 100_000 },
    };
    writeFileSync(configFile, JSON.stringify(config));
    const capture = join(folder, "before.pcap");
    const lastWeekUs = (Date.now() - 7 * 86_400_000) * 1000;
    new CaptureFile().addAll(callsOf(STORED_BEFORE, lastWeekUs, 10_000, 1500, "before")).write(capture);
    const where = ["--data", data, "--config", configFile];
    expect((await runProgram(["--read", capture, ...where])).exitCode).toBe(0);
    const created = await runProgram(["token", "create", "archive", "--rights", "see,download,delete", ...where]);
    token = created.stdout.trim();
    pair.create();
    await startBox();
  }, 120_000);

  afterAll(async () => {
    if (box) await endBox("SIGKILL");
    pair.remove();
    removeFolder(folder);
  });

  it(`${KILLS} times has every recording once in the end, whole and acknowledged`, async () => {
    const stored = new Map<string, number>();
    let [livesAtWork, livesThatStored, outages] = [0, 0, 0];
    const note = ({ events }: Life): void => {
      for (const each of events) {
        const { id = "" } = each as { id?: string };
        if (each.event === "stored") stored.set(id, (stored.get(id) ?? 0) + 1);
        if (each.event === "outage") outages++;
      }
    };
    let coming: Promise<void> | undefined;
    for (let kill = 1; kill <= KILLS; kill++) {
      const life = await live(flagsOfLife(), { stored: Math.floor(random() * 5), afterMs: random() * 25 });
      if (life.exitCode === null) livesAtWork++;
      // 5: what it was to acknowledge is not in the new index yet.
      else expect([0, 5], life.stderr).toContain(life.exitCode);
      note(life);
      if (life.events.some(({ event }) => event === "stored")) livesThatStored++;
      const signal = BOX_ENDS.get(kill);
      if (signal === undefined) continue;
      await coming;
      await endBox(signal);
      if (kill === INDEX_LOST_AT) rmSync(join(data, "index"), { recursive: true });
      coming = startBox();
    }
    await coming;
    await Promise.all(ringing);
    // What the last calls left is stored within two seconds of their end.
    await pass(2500);
    const last = await live(["--name", TEMPLATES[0]!, "--ack"]);
    note(last);
    expect(last).toMatchObject({ exitCode: 0, stderr: "" });

    const recordings = readRecordings(data);
    expect(recordings.length).toBeGreaterThan(STORED_BEFORE);
    const files = filesBelow(target).filter((name) => !name.startsWith(".sidetone-pull/"));
    expect(files.length).toBe(2 * recordings.length);
    for (const { manifest, manifestPath, wavPath } of recordings) {
      const own = files.filter((name) => basename(name).includes(manifest.id));
      expect(own.map((name) => name.slice(name.indexOf(manifest.id) + 26)).sort()).toEqual([".json", ".wav"]);
      const [json, wav] = own.sort().map((name) => readFileSync(join(target, name)));
      expect(sha256Of(wav!)).toBe(manifest.audio.sha256);
      expect(wav!.equals(readFileSync(wavPath))).toBe(true);
      expect(json!.equals(readFileSync(manifestPath))).toBe(true);
    }
    expect(readdirSync(join(target, ".sidetone-pull"))).toEqual(["partial", "state.jsonl"]);
    expect(readdirSync(join(target, ".sidetone-pull/partial"))).toEqual([]);
    const verify = spawn(process.execPath, [TOOL, "verify", target, "--public-key", join(data, "keys/device.pub")]);
    expect(await once(verify, "close")).toEqual([0, null]);
    // A kill between a file's last rename and the journal makes it told of twice at most; it is never there twice.
    expect(Math.max(...stored.values())).toBeLessThanOrEqual(2);
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/recordings?order=arrival&acknowledged=no`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(((await response.json()) as { calls: unknown[] }).calls).toEqual([]);
    console.log(
      `pull-kills: ${recordings.length} recordings, ${livesAtWork} lives killed, ${livesThatStored} while they stored, ${outages} outages`,
    );
    expect(livesAtWork).toBeGreaterThan(KILLS / 2);
    expect(livesThatStored).toBeGreaterThan(KILLS / 3);
  }, 240_000);

  it("deletes on the box what it has whole, refuses another box's key, and ends by a signal", async () => {
    const into = join(folder, "moved");
    const number = "03011005";
    const before = readRecordings(data);
    const moved = before.filter(({ manifest }) => manifest.parties.some((party) => party.number === number));
    const { events, exitCode } = await live(["--delete-after", "--number", number], undefined, { into });
    expect([exitCode, events.at(-1)]).toMatchObject([
      0,
      { event: "end", stored: moved.length, acknowledged: moved.length, deleted: moved.length, faults: 0 },
    ]);
    expect(filesBelow(into).filter((name) => name.endsWith(".wav"))).toHaveLength(moved.length);
    const left = before.filter((each) => !moved.includes(each)).map(({ manifest }) => manifest.id);
    expect(readRecordings(data).map(({ manifest }) => manifest.id)).toEqual(left);

    const key = join(folder, "other.pub");
    const { publicKey } = generateKeyPairSync("ed25519");
    writeFileSync(key, publicKey.export({ type: "spki", format: "pem" }));
    expect(await live([], undefined, { into, key })).toMatchObject({ exitCode: 7 });

    const following = startPull(["--follow"]);
    await once(following.stdout!, "data");
    expect(await live([])).toMatchObject({ exitCode: 9 });
    following.kill("SIGTERM");
    expect(await once(following, "close")).toEqual([0, null]);
    expect(readdirSync(join(target, ".sidetone-pull")).sort()).toEqual(["partial", "state.jsonl"]);
  }, 60_000);
});

// Engine and service are killed a hundred times in all, at random moments, under fifty calls with known audio: three recorders
// on one mirror port, so that each lives long enough between two kills. What was sent while an engine listened is in a
// recording up to one second before its end, once, and every recording is whole.
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readWavSamples } from "../fakes/audio.js";
import { OfficeNetwork } from "../fakes/office-network.js";
import { logLines, makeFolder, RunningProgram, readRecordings, removeFolder, runProgram } from "../fakes/program.js";
import { makeRandom } from "../fakes/random.js";
import { readStamps } from "../fakes/stamped-audio.js";
import { PTIME_MS, RENEWAL_MS, type Sending, StampedCalls } from "../fakes/stamped-calls.js";
import { readChain } from "../unit/store/store-kit.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle =
  liveTestObstacle() ?? (spawnSync("ffprobe", ["-version"]).error ? "ffprobe is not installed" : undefined);
if (obstacle) console.log(`skipped: kills: ${obstacle}`);

const CALLS = 50;
const BOXES = 3;
const KILLS = Number(process.env["TEST_KILLS"] ?? 100);
/** How long a recorder that captures lives. */
const LIFE_MS = { least: 100, most: 5000 };
/** Of the recorders, those that are killed before that: while they start and recover, so long after the kill before at most. */
const EARLY_SHARE = 0.2;
const EARLY_MS = 1500;
const LAST_LIFE_MS = 4000;
const STARTED_WITHIN_MS = 30_000;
/** What a killed process may lose. */
const LOSS_MS = 1000;
/** After which an engine that captures was told of every call, and what it takes to bind and decide. */
const KNOWN_AFTER_MS = RENEWAL_MS + 4 * PTIME_MS;
/** Below this a run has shown little: of the kills, those of an engine that captured, and packets wanted for each of them. */
const LEAST_LIVES = 0.6;
const LEAST_WANTED = 500;
const WAITING = "the engine of a service that is gone still runs: its journal is recovered once it has left";

type Victim = "engine" | "service" | "both";

/** One engine: from when it captured to its end, ms since 1970. */
interface Life {
  fromMs: number;
  toMs: number;
}

class Box {
  readonly folder = makeFolder();
  readonly data = join(this.folder, "data");
  readonly victims: Victim[] = [];
  private readonly ends: { atMs: number; program: number }[] = [];
  private readonly programs: RunningProgram[] = [];

  constructor(private readonly office: OfficeNetwork) {
    this.start();
  }

  get program(): RunningProgram {
    return this.programs.at(-1)!;
  }

  get messages(): string {
    return this.programs.map(({ stderr }) => stderr).join("");
  }

  get enginePid(): number | undefined {
    const children = readFileSync(`/proc/${this.servicePid}/task/${this.servicePid}/children`, "utf8").split(" ");
    return children.filter(Boolean).map(Number).find(isEngine);
  }

  start(): void {
    const capture = ["--interface", this.office.mirrorInterface, "--data", this.data, "--policy", "both-parties"];
    const options = { launcher: this.office.launcher("recorder"), cwd: this.folder, timeoutMs: 300_000 };
    this.programs.push(new RunningProgram([...capture, "--json"], options));
  }

  async killAgainAndAgain(kills: number, random: () => number): Promise<void> {
    for (let kill = 0; kill < kills; kill++) {
      const isEarly = kill > 0 && random() < EARLY_SHARE;
      if (!isEarly) await this.untilCapturing();
      await passMs(isEarly ? random() * EARLY_MS : LIFE_MS.least + random() * (LIFE_MS.most - LIFE_MS.least));
      await this.kill(random() < 0.5 ? "engine" : random() < 0.5 ? "service" : "both");
    }
    await this.untilCapturing();
    await passMs(LAST_LIFE_MS);
    await this.stop();
  }

  /** Since the last kill. */
  async untilCapturing(): Promise<void> {
    const sinceMs = this.ends.at(-1)?.atMs ?? 0;
    await this.program.waitFor(
      "capturing",
      (stderr) => logLines(stderr, "capturing").some(({ at }) => Date.parse(String(at)) > sinceMs) || undefined,
      STARTED_WITHIN_MS,
    );
  }

  /** Without an engine, since it is not there yet or is being started again, it is the service that is killed. */
  async kill(wanted: Victim): Promise<void> {
    const { program, servicePid, enginePid } = this;
    if (program.child.exitCode !== null) throw new Error(`the service ended by itself: ${program.stderr}`);
    const victim = enginePid === undefined ? "service" : wanted;
    this.victims.push(victim);
    this.noteEnd();
    if (victim !== "engine") process.kill(servicePid, "SIGKILL");
    if (victim !== "service") process.kill(enginePid!, "SIGKILL");
    if (victim === "engine") return;
    // Not until its pipes are closed, which its engine has too.
    await once(program.child, "exit");
    this.start();
  }

  async stop(): Promise<void> {
    this.noteEnd();
    expect(await this.program.stop(), this.program.stderr.slice(-3000)).toBe(0);
  }

  noteEnd(): void {
    this.ends.push({ atMs: Date.now(), program: this.programs.length - 1 });
  }

  /** By the programs' own word of when they began to capture. */
  get lives(): Life[] {
    return this.programs.flatMap(({ stderr }, program) => {
      const ends = this.ends.filter((end) => end.program === program);
      return logLines(stderr, "capturing").flatMap(({ at }) => {
        const fromMs = Date.parse(String(at));
        const end = ends.find(({ atMs }) => atMs > fromMs);
        return end ? [{ fromMs, toMs: end.atMs }] : [];
      });
    });
  }

  remove(): void {
    for (const { child } of this.programs) child.kill("SIGKILL");
    removeFolder(this.folder);
  }

  private get servicePid(): number {
    return this.program.child.pid!;
  }
}

describe.skipIf(obstacle !== undefined)("a recorder that is killed", () => {
  const office = new OfficeNetwork("kills", { phones: [] });
  let calls: StampedCalls | undefined;
  const boxes: Box[] = [];

  beforeAll(() => {
    office.create();
    calls = new StampedCalls(office, "phones", CALLS);
  });
  afterAll(() => {
    calls?.stop();
    for (const box of boxes) box.remove();
    office.remove();
  });

  it("is followed by one that waits for its engine, which leaves by itself and writes all that it has before", {
    timeout: 60_000,
  }, async () => {
    const box = new Box(office);
    boxes.push(box);
    await box.untilCapturing();
    await passMs(2500);
    const engine = box.enginePid!;
    process.kill(engine, "SIGSTOP");
    const service = box.program.child;
    service.kill("SIGKILL");
    await once(service, "exit");
    await passMs(1000);
    box.noteEnd();
    box.start();
    await box.program.waitFor("the wait", (stderr) => logLines(stderr, WAITING).length > 0 || undefined);
    expect(logLines(box.program.stderr, "capturing")).toEqual([]);
    process.kill(engine, "SIGCONT");
    await box.untilCapturing();
    expect(isEngine(engine)).toBe(false);
    await passMs(3000);
    // One that a loaded machine leaves no time to heed its service is ended by it, too.
    process.kill(box.enginePid!, "SIGSTOP");
    await box.stop();
    expect(await expectAllThere(box, calls!.sendings)).toBeGreaterThan(2 * LEAST_WANTED);
  });

  it(`${KILLS} times has every call's audio up to a second before each kill, once, in whole recordings`, {
    timeout: 300_000,
  }, async () => {
    const several = Array.from({ length: BOXES }, () => new Box(office));
    boxes.push(...several);
    const runs = several.map((box, i) =>
      box.killAgainAndAgain(Math.ceil((KILLS - i) / BOXES), makeRandom(20_261_128 + i)),
    );
    // All of them have ended before one that failed is reported and their folders go.
    await Promise.allSettled(runs);
    await Promise.all(runs);
    calls!.stop();
    let wanted = 0;
    for (const box of several) wanted += await expectAllThere(box, calls!.sendings);
    const victims = several.flatMap((box) => box.victims);
    const lives = several.flatMap((box) => box.lives);
    console.log(`${victims.length} kills of ${lives.length - BOXES} engines that captured, ${wanted} packets wanted`);
    for (const victim of ["engine", "service", "both"] as const)
      expect(victims.filter((one) => one === victim).length, victim).toBeGreaterThan(KILLS / 10);
    expect(victims.length).toBe(KILLS);
    expect(lives.length).toBeGreaterThan(LEAST_LIVES * KILLS);
    expect(wanted).toBeGreaterThan(LEAST_WANTED * KILLS);
  });
});

/** Returns how many packets had to be there. */
async function expectAllThere(box: Box, sendings: readonly Sending[]): Promise<number> {
  expect(readdirSync(join(box.data, "journal"))).toEqual([]);
  const recordings = readRecordings(box.data);
  expect(readChain(box.data).length).toBe(recordings.length);
  for (const { manifest, wavPath } of recordings) expect(readFileSync(wavPath).length).toBe(manifest.audio.bytes);
  const wavPaths = recordings.map(({ wavPath }) => wavPath);
  const times = countPackets(wavPaths);
  expect([...times.values()].filter((count) => count > 1).length, "packets that stand twice").toBe(0);
  let wanted = 0;
  const missing: string[] = [];
  const { lives } = box;
  for (const { fromMs, toMs } of lives) {
    for (const [number, { begunMs, endedMs }] of sendings.entries()) {
      if (begunMs < fromMs + KNOWN_AFTER_MS || endedMs > toMs - LOSS_MS) continue;
      for (let stream = 0; stream < 2 * CALLS; stream++) {
        wanted++;
        if (!times.has(keyOf(stream, number)))
          missing.push(`stream ${stream}: ${begunMs - fromMs} ms after the start, ${toMs - endedMs} ms before the end`);
      }
    }
  }
  console.log(`${lives.length} lives, ${recordings.length} recordings, ${wanted} packets wanted, ${times.size} there`);
  expect(missing.slice(0, 20), `${missing.length} of ${wanted}\n${box.messages.slice(-3000)}`).toEqual([]);
  probeAll(box.folder, wavPaths);
  const verified = await runProgram(["verify", "--data", box.data]);
  expect(verified.exitCode, verified.stdout + verified.stderr).toBe(0);
  return wanted;
}

function keyOf(stream: number, number: number): number {
  return number * 2 * CALLS + stream;
}

/** How often each packet stands in recordings. */
function countPackets(wavPaths: readonly string[]): Map<number, number> {
  const times = new Map<number, number>();
  for (const path of wavPaths)
    for (const channel of readWavSamples(path))
      for (const { stream, number } of readStamps(channel)) {
        const key = keyOf(stream, number);
        times.set(key, (times.get(key) ?? 0) + 1);
      }
  return times;
}

/** One ffprobe reads them all, one after another, to the end. */
function probeAll(folder: string, wavPaths: readonly string[]): void {
  const list = join(folder, "list.txt");
  writeFileSync(list, wavPaths.map((path) => `file '${path}'\n`).join(""));
  const read = ["-f", "concat", "-safe", "0", "-count_packets", "-show_entries", "stream=nb_read_packets,sample_rate"];
  const { status, stderr, stdout } = spawnSync("ffprobe", ["-v", "warning", ...read, "-of", "csv=p=0", list]);
  expect([status, stderr.toString()]).toEqual([0, ""]);
  expect(stdout.toString()).toMatch(/^8000,\d+/);
}

function isEngine(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("engine.js");
  } catch {
    return false;
  }
}

function passMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

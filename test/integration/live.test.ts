// Live capture as in an office: SIPp places calls with RTP across a switch, the recorder listens on its mirror port.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readWav } from "../fakes/audio.js";
import { AGENT_ADDRESS, CALLER_ADDRESS, OfficeNetwork } from "../fakes/office-network.js";
import {
  logLines,
  makeFolder,
  RunningProgram,
  readCallLog,
  readRecordings,
  removeFolder,
  runProgram,
} from "../fakes/program.js";
import { writeAgent, writeCaller } from "../fakes/sipp-scenarios.js";
import { markerSource, toneLevel, toneSource } from "../fakes/tone.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle =
  liveTestObstacle() ?? (spawnSync("sipp", ["-v"]).error ? "sipp (sip-tester) is not installed" : undefined);
if (obstacle) console.log(`skipped: live calls: ${obstacle}`);

const SEALED_WITHIN_MS = 2000;
const NOTHING_FOUND = { exitCode: 0, findings: [] };

describe.skipIf(obstacle !== undefined)("live", () => {
  let office: OfficeNetwork;
  let folder: string;
  let data: string;

  beforeEach(() => {
    folder = makeFolder();
    data = join(folder, "data");
    office = new OfficeNetwork("live");
    office.create();
    writeAgent(folder, toneSource(440));
  });
  afterEach(() => {
    office.remove();
    removeFolder(folder);
  });

  async function startRecorder(): Promise<RunningProgram> {
    const args = [
      "--interface",
      office.mirrorInterface,
      "--interface",
      "lo",
      "--data",
      data,
      "--agents",
      AGENT_ADDRESS,
      "--json",
    ];
    const recorder = new RunningProgram(args, { launcher: office.launcher("recorder"), timeoutMs: 60_000 });
    await recorder.waitFor("capturing", (stderr) => (logLines(stderr, "capturing").length > 0 ? true : undefined));
    return recorder;
  }

  /** What `sidetoned verify` finds, whatever is going on in the folder. */
  async function verify(): Promise<{ exitCode: number | null; findings: unknown[] }> {
    const { exitCode, stdout } = await runProgram(["verify", "--data", data, "--json"]);
    return { exitCode, findings: (JSON.parse(stdout) as { findings: unknown[] }).findings };
  }

  /** With curl beside the recorder; `over` when the recorder has ended: kinds in order, by call. */
  async function followEvents(recorder: RunningProgram): Promise<{ over: Promise<Map<string, string[]>> }> {
    const secret = await recorder.waitFor("the first token", (stderr) => /\bst_[A-Za-z0-9_-]{43}/.exec(stderr)?.[0]);
    const words = [
      "-sSN",
      "-H",
      `Authorization: Bearer ${secret}`,
      "--retry-connrefused",
      "--retry",
      "20",
      "--retry-delay",
      "1",
    ];
    const [launcher, ...rest] = [
      ...office.launcher("recorder"),
      "curl",
      ...words,
      "http://127.0.0.1:8385/api/v1/events",
    ];
    const curl = spawn(launcher!, rest, { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    curl.stdout.on("data", (chunk) => {
      text += chunk;
    });
    while (!text.includes("retry: ")) await new Promise((resolve) => setTimeout(resolve, 20));
    return { over: new Promise((resolve) => curl.once("close", () => resolve(eventsByCall(text)))) };
  }

  function startCalls(calls: number, perSecond: number): Promise<number | null> {
    const address = (host: string) => ["-i", host, "-p", "5060", "-nostdin"];
    office.start("agent", "sipp", ["-sf", "agent.xml", ...address(AGENT_ADDRESS)], folder);
    const counts = ["-m", String(calls), "-r", String(perSecond), "-timeout", "30"];
    const caller = office.start(
      "caller",
      "sipp",
      ["-sf", "caller.xml", ...address(CALLER_ADDRESS), ...counts, `${AGENT_ADDRESS}:5060`],
      folder,
    );
    return new Promise((resolve) => caller.on("close", resolve));
  }

  it("seals every call within two seconds of its BYE, the agent audible, the caller silent", async () => {
    const calls = 8;
    writeCaller(folder, toneSource(1000), { talkMs: 3000 });
    const recorder = await startRecorder();
    const events = await followEvents(recorder);
    expect(await startCalls(calls, 4)).toBe(0);
    const sealed = await recorder.waitFor("all calls", (stderr) => {
      const lines = logLines(stderr, "call");
      return lines.length >= calls ? lines : undefined;
    });
    expect(await recorder.stop()).toBe(0);
    const recordings = readRecordings(data);
    expect(recordings.length).toBe(calls);
    const told = await events.over;
    for (const { manifest, wavPath } of recordings) {
      const kinds = told.get(manifest.id)?.filter((kind) => kind !== "call");
      expect(kinds).toEqual(["call-started", "call-answered", "call-ended", "recording"]);
      expect(manifest.endReason).toBe("bye");
      const line = sealed.find((one) => one["id"] === manifest.id)!;
      expect(Date.parse(line["at"] as string) - Date.parse(manifest.endedAt)).toBeLessThan(SEALED_WITHIN_MS);
      const [agent, caller] = manifest.parties;
      expect(agent.streams.length).toBe(1);
      expect(agent.streams[0]!.packets).toMatchObject({ discarded: 0, lost: 0 });
      expect(agent.streams[0]!.packets.recorded).toBeGreaterThan(140);
      expect(caller.streams[0]!.packets.recorded).toBe(0);
      expect(caller.streams[0]!.packets.discarded).toBe(caller.streams[0]!.packets.seen);
      const { channels } = readWav(wavPath);
      expect(toneLevel(channels[0]!.subarray(4000, 20_000), 440, 8000)).toBeGreaterThan(0.3);
      expect(channels[1]!.every((sample) => sample === 0)).toBe(true);
    }
    expect(readdirSync(join(data, "journal"))).toEqual([]);
  });

  it("never lets the caller's payload onto the disk: not during the call, not after a kill, not after the recovery", async () => {
    const marker = "caller-payload-must-not-be-here";
    writeCaller(folder, markerSource(Buffer.from(marker)), { talkMs: 5000 });
    const recorder = await startRecorder();
    const calls = startCalls(2, 2);
    await recorder.waitFor("audio in the journal", () =>
      bytesBelow(join(data, "journal")) > 20_000 ? true : undefined,
    );
    const besideRecording = verify();
    for (let i = 0; i < 20; i++) {
      expect(filesWith(marker, data)).toBe("");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await besideRecording).toEqual(NOTHING_FOUND);
    // First the engine, in mid-call: the service recovers what it had; then the service with its new engine.
    killChild(recorder.child.pid!);
    await recorder.waitFor("recovery", (stderr) =>
      stderr.includes("the engine stopped unexpectedly") ? true : undefined,
    );
    expect(filesWith(marker, data)).toBe("");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    recorder.child.kill("SIGKILL");
    await recorder.ended;
    await calls;
    expect(filesWith(marker, data)).toBe("");
    expect(await verify()).toEqual(NOTHING_FOUND);

    const again = await runProgram([
      "--read",
      emptyCapture(folder),
      "--data",
      data,
      "--agents",
      AGENT_ADDRESS,
      "--json",
    ]);
    expect(again.exitCode).toBe(0);
    expect(filesWith(marker, data)).toBe("");
    expect(readdirSync(join(data, "journal"))).toEqual([]);
    expect(await verify()).toEqual(NOTHING_FOUND);
    const recovered = readRecordings(data);
    expect(recovered.length).toBeGreaterThanOrEqual(2);
    expect(readCallLog(data).some((line) => line.endReason === "recovered")).toBe(true);
    for (const { manifest, wavPath } of recovered) {
      const { channels } = readWav(wavPath);
      expect(manifest.parties[0].recordedMs).toBeGreaterThan(0);
      expect(toneLevel(channels[0]!.subarray(800, 8000), 440, 8000)).toBeGreaterThan(0.3);
      expect(channels[1]!.every((sample) => sample === 0)).toBe(true);
    }
  });
});

/** Files below the folder in which the text stands, "" when none. */
function filesWith(text: string, folder: string): string {
  return execFileSync("sh", ["-c", `grep -rlaF '${text}' '${folder}' || true`]).toString();
}

function bytesBelow(folder: string): number {
  return Number(execFileSync("sh", ["-c", `du -sb '${folder}' 2>/dev/null | cut -f1 || echo 0`]).toString() || 0);
}

/** SIGKILL for the engine: the child of the node process that the launcher became. */
function killChild(servicePid: number): void {
  const children = readFileSync(`/proc/${servicePid}/task/${servicePid}/children`, "utf8").trim().split(" ");
  process.kill(Number(children[0]), "SIGKILL");
}

function emptyCapture(folder: string): string {
  const path = join(folder, "empty.pcap");
  execFileSync("sh", [
    "-c",
    `printf '\\324\\303\\262\\241\\002\\000\\004\\000\\0\\0\\0\\0\\0\\0\\0\\0\\377\\377\\0\\0\\001\\0\\0\\0' > '${path}'`,
  ]);
  return path;
}

function eventsByCall(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [, kind, json] of text.matchAll(/^event: (\S+)\ndata: (.+)$/gm)) {
    const { call, id } = JSON.parse(json!) as { call?: string; id?: string };
    const of = call ?? id;
    if (of !== undefined) found.set(of, [...(found.get(of) ?? []), kind!]);
  }
  return found;
}

// A full disk under load: the real service on a small tmpfs, calls in progress, and files of somebody else that take the space away
// and give it back. What was recorded is whole, what was not says why, and recording goes on by itself.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { LiveCall, NetworkCard, passMs } from "../fakes/live-call.js";
import { OfficeNetwork } from "../fakes/office-network.js";
import { waitUntil } from "../fakes/office-program.js";
import {
  filesBelow,
  logLines,
  makeFolder,
  RunningProgram,
  readCallLog,
  readRecordings,
  removeFolder,
  runProgram,
} from "../fakes/program.js";
import { toneSource } from "../fakes/tone.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle =
  liveTestObstacle() ?? (spawnSync("ffprobe", ["-version"]).error ? "ffprobe (ffmpeg) is not installed" : undefined);
if (obstacle) console.log(`skipped: a full disk: ${obstacle}`);

const MEGABYTE = 1024 * 1024;
const SIZE_MB = 32;
const AGENT_ADDRESS = "10.9.0.21";

describe.skipIf(obstacle !== undefined)("a full disk", { timeout: 60_000 }, () => {
  let office: OfficeNetwork;
  let card: NetworkCard;
  let folder: string;
  let data: string;
  let recorder: RunningProgram | undefined;
  let calls: LiveCall[] = [];
  let nextPort = 30_000;

  beforeAll(async () => {
    office = new OfficeNetwork("disk", { phones: [] });
    office.create();
    card = await NetworkCard.open(office, "phones");
  });
  afterAll(() => {
    card?.close();
    office.remove();
  });
  beforeEach(() => {
    folder = makeFolder();
    data = join(folder, "data");
    mkdirSync(data);
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE_MB}m,mode=700`, "tmpfs", data]);
  });
  afterEach(async () => {
    for (const call of calls) call.stop();
    calls = [];
    recorder?.child.kill("SIGKILL");
    await recorder?.ended;
    execFileSync("umount", ["--lazy", data]);
    removeFolder(folder);
  });

  async function startRecorder(settings: Record<string, string>): Promise<RunningProgram> {
    const environment = Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [`SIDETONE_DISK_${key}`, value]),
    );
    const args = ["--interface", office.mirrorInterface, "--data", data, "--policy", "both-parties", "--json"];
    recorder = new RunningProgram(args, {
      launcher: office.launcher("recorder"),
      environment: { SIDETONE_API_ENABLED: "false", ...environment },
      timeoutMs: 60_000,
    });
    await recorder.waitFor("capturing", (stderr) => logLines(stderr, "capturing")[0]);
    return recorder;
  }

  async function beginCalls(name: string, count: number): Promise<LiveCall[]> {
    const begun = Array.from({ length: count }, (_, i) => {
      const rtpPort = nextPort;
      nextPort += 4;
      return new LiveCall(card, {
        callId: `${name}-${i}`,
        codec: "PCMA",
        caller: { user: "0301234567", address: "10.9.1.1", rtpPort, says: toneSource(1000) },
        agent: { user: "21", address: AGENT_ADDRESS, rtpPort: rtpPort + 2, says: toneSource(440) },
      });
    });
    calls.push(...begun);
    await Promise.all(begun.map((call) => call.begin()));
    return begun;
  }

  const freeMb = (): number => {
    const { bavail, bsize } = statfsSync(data);
    return (bavail * bsize) / MEGABYTE;
  };
  const others = (): string => join(data, "of-somebody-else");
  /** Somebody else takes space until so much is free. */
  function fillUntil(free: number): void {
    mkdirSync(others(), { recursive: true });
    const takeKb = Math.floor((freeMb() - free) * 1024);
    if (takeKb > 0)
      execFileSync("fallocate", ["-l", `${takeKb}KiB`, join(others(), String(readdirSync(others()).length))]);
  }
  const raised = (code: string) =>
    recorder!.waitFor(`alarm ${code}`, (stderr) =>
      stderr.split("\n").find((line) => line.includes(`"message":"alarm ${code}: `)),
    );
  const isOver = (code: string) =>
    recorder!.waitFor(`the end of ${code}`, (stderr) => logLines(stderr, `alarm ${code} is over`)[0]);
  const logged = (name: string, count: number) =>
    waitUntil(`${count} calls ${name} in the log`, () => {
      const found = readCallLog(data).filter(({ sipCallIds }) => sipCallIds[0]!.startsWith(name));
      return found.length >= count ? found : undefined;
    });

  /** Nothing is half: every WAV is one, every manifest proves, nothing temporary is left, the journal is empty. */
  async function expectAllWhole(count: number): Promise<void> {
    const recordings = readRecordings(data);
    expect(recordings).toHaveLength(count);
    for (const { manifest, wavPath } of recordings) {
      const probe = execFileSync("ffprobe", [
        "-v",
        "error",
        "-show_entries",
        "format=duration",
        "-of",
        "csv=p=0",
        wavPath,
      ]);
      expect(Number(probe.toString())).toBeCloseTo(manifest.audio.durationMs / 1000, 2);
      const proof = await runProgram(["prove", manifest.id, "--data", data]);
      expect(proof.exitCode, proof.stdout + proof.stderr).toBe(0);
    }
    expect((await runProgram(["audit", "verify", "--data", data])).exitCode).toBe(0);
    expect(filesBelow(data).filter((name) => name.includes(".partial") || name.includes(".probe"))).toEqual([]);
    expect(readdirSync(join(data, "journal"))).toEqual([]);
  }

  it("begins no new recordings, finishes those in progress out of the reserve, and goes on when there is space", async () => {
    const settings = { STOP_MEGABYTES: "6", RESERVE_MEGABYTES: "4", LATE_MEGABYTES: "12", LATE_DAYS: "0" };
    await startRecorder(settings);
    await beginCalls("early", 4);
    fillUntil(14);
    await raised("disk-late");
    await waitUntil("the reserve", () => existsSync(join(data, "reserve.bin")) || undefined);
    fillUntil(5);
    await raised("disk-full");
    await beginCalls("refused", 2);
    await passMs(1500);
    fillUntil(0);
    await recorder!.waitFor("the reserve to go", (stderr) => stderr.includes("its reserve is given up") || undefined);
    await passMs(1500);
    for (const call of calls.splice(0)) call.hangUp();
    const early = await logged("early", 4);
    expect(early.map(({ noAudio }) => noAudio)).toEqual(["", "", "", ""]);
    for (const line of await logged("refused", 2)) {
      expect(line).toMatchObject({ noAudio: "disk-full", file: "" });
      expect(line.parties[0]!.packets.recorded).toBe(0);
      expect(line.parties[0]!.packets.discarded).toBeGreaterThan(50);
    }
    rmSync(others(), { recursive: true });
    await isOver("disk-full");
    await beginCalls("later", 2);
    await passMs(1000);
    for (const call of calls.splice(0)) call.hangUp();
    expect((await logged("later", 2)).map(({ noAudio }) => noAudio)).toEqual(["", ""]);
    // 4 when a write was refused in the moment before the reserve was given up.
    expect([0, 4]).toContain(await recorder!.stop());
    // Nothing of those in progress was lost: the reserve was enough.
    for (const { manifest } of readRecordings(data))
      for (const party of manifest.parties)
        for (const { discardedBy } of party.streams) expect(discardedBy["journal"] ?? 0).toBe(0);
    await expectAllWhole(6);
  });

  it("without a reserve keeps what it can in memory, stores it when there is space, and says what was lost", async () => {
    await startRecorder({ STOP_MEGABYTES: "1", RESERVE_MEGABYTES: "0", LATE_MEGABYTES: "1", LATE_DAYS: "0" });
    await beginCalls("early", 4);
    await passMs(1000);
    fillUntil(0);
    await raised("disk-full");
    await raised("journal-unwritable");
    await passMs(1500);
    for (const call of calls.splice(0)) call.hangUp();
    // Their last blocks are in memory: they have not ended for the service before those are written.
    await raised("audit-unwritable");
    await passMs(1000);
    expect(readCallLog(data)).toEqual([]);
    expect(recorder!.child.exitCode).toBeNull();
    rmSync(others(), { recursive: true });
    await isOver("disk-full");
    await isOver("audit-unwritable");
    expect((await logged("early", 4)).map(({ noAudio }) => noAudio)).toEqual(["", "", "", ""]);
    await beginCalls("later", 1);
    await passMs(1000);
    for (const call of calls.splice(0)) call.hangUp();
    await logged("later", 1);
    await isOver("journal-unwritable");
    await recorder!.stop();
    for (const { manifest } of readRecordings(data)) {
      const [first] = manifest.parties;
      for (const { packets, discardedBy } of first.streams) {
        expect(packets.seen).toBe(packets.recorded + packets.discarded + packets.duplicate + packets.undecoded);
        expect(Object.values(discardedBy).reduce((sum, count) => sum + count, 0)).toBe(packets.discarded);
      }
    }
    await expectAllWhole(5);
  });
});

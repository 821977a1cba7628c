// The real service beside a disk with trouble: an office whose calls go on, a recorder on its mirror port, and what has to hold of
// the data folder afterwards. Knows no trouble itself.
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { CallLogLine } from "../../device/contract/manifest.js";
import { LiveCall, NetworkCard } from "../fakes/live-call.js";
import { OfficeNetwork } from "../fakes/office-network.js";
import { waitUntil } from "../fakes/office-program.js";
import {
  filesBelow,
  logLines,
  makeFolder,
  PROJECT_ROOT,
  RunningProgram,
  readCallLog,
  readRecordings,
  removeFolder,
  runProgram,
} from "../fakes/program.js";
import { toneSource } from "../fakes/tone.js";
import { liveTestObstacle } from "./veth-pair.js";

export const AGENT_ADDRESS = "10.9.0.21";
export const CALLER = "0301234567";

/** Why disks with trouble cannot be tried here, or undefined. */
export function diskTestObstacle(): string | undefined {
  return (
    liveTestObstacle() ?? (spawnSync("ffprobe", ["-version"]).error ? "ffprobe (ffmpeg) is not installed" : undefined)
  );
}

export interface RecorderSettings {
  /** Of `disk`, by the ends of their environment names. */
  disk: Record<string, string>;
  environment?: Record<string, string>;
  args?: readonly string[];
}

export class DiskScene {
  folder = "";
  data = "";
  recorder: RunningProgram | undefined;
  calls: LiveCall[] = [];
  private readonly office: OfficeNetwork;
  private card!: NetworkCard;
  private nextPort = 30_000;

  constructor(name: string) {
    this.office = new OfficeNetwork(name, { phones: [] });
  }

  async open(): Promise<void> {
    this.office.create();
    this.card = await NetworkCard.open(this.office, "phones");
  }

  close(): void {
    this.card?.close();
    this.office.remove();
  }

  begin(): void {
    this.folder = makeFolder();
    this.data = join(this.folder, "data");
  }

  async end(): Promise<void> {
    for (const call of this.calls) call.stop();
    this.calls = [];
    this.recorder?.child.kill("SIGKILL");
    await this.recorder?.ended;
    this.recorder = undefined;
  }

  remove(): void {
    removeFolder(this.folder);
  }

  /** Before a command line of the recorder's host. */
  get launcher(): string[] {
    return this.office.launcher("recorder");
  }

  /** Does not wait for it. */
  launch({ disk, environment, args = [] }: RecorderSettings): RunningProgram {
    const settings = Object.fromEntries(Object.entries(disk).map(([key, value]) => [`SIDETONE_DISK_${key}`, value]));
    const own = ["--interface", this.office.mirrorInterface, "--data", this.data, "--policy", "both-parties", "--json"];
    this.recorder = new RunningProgram([...own, ...args], {
      launcher: this.launcher,
      environment: { SIDETONE_API_ENABLED: "false", ...settings, ...environment },
      timeoutMs: 60_000,
    });
    return this.recorder;
  }

  async start(settings: RecorderSettings): Promise<RunningProgram> {
    const recorder = this.launch(settings);
    await this.captures();
    return recorder;
  }

  captures(): Promise<unknown> {
    return this.recorder!.waitFor("capturing", (stderr) => logLines(stderr, "capturing")[0]);
  }

  async beginCalls(name: string, count: number): Promise<LiveCall[]> {
    const begun = Array.from({ length: count }, (_, i) => {
      const rtpPort = this.nextPort;
      this.nextPort += 4;
      return new LiveCall(this.card, {
        callId: `${name}-${i}`,
        codec: "PCMA",
        caller: { user: CALLER, address: "10.9.1.1", rtpPort, says: toneSource(1000) },
        agent: { user: "21", address: AGENT_ADDRESS, rtpPort: rtpPort + 2, says: toneSource(440) },
      });
    });
    this.calls.push(...begun);
    await Promise.all(begun.map((call) => call.begin()));
    return begun;
  }

  hangUpAll(): void {
    for (const call of this.calls.splice(0)) call.hangUp();
  }

  /** The line of the log that says so. */
  raised(code: string): Promise<string> {
    return this.recorder!.waitFor(`alarm ${code}`, (stderr) =>
      stderr.split("\n").find((line) => line.includes(`"message":"alarm ${code}: `)),
    );
  }

  isOver(code: string): Promise<unknown> {
    return this.recorder!.waitFor(`the end of ${code}`, (stderr) => logLines(stderr, `alarm ${code} is over`)[0]);
  }

  /** So many calls, by the beginning of their Call-IDs. */
  logged(name: string, count: number): Promise<CallLogLine[]> {
    return waitUntil(`${count} calls ${name} in the log`, () => {
      // What was deleted lies in the log without its people.
      const found = readCallLog(this.data).filter(({ sipCallIds }) => sipCallIds[0]?.startsWith(name));
      return found.length >= count ? found : undefined;
    });
  }

  /** With the verifier that shares no code with the box's. */
  expectOfflineWhole(): void {
    const program = join(PROJECT_ROOT, "dist/host/main.js");
    const args = [program, "verify", this.data, "--public-key", join(this.data, "keys/device.pub")];
    const verified = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(verified.status, verified.stdout + verified.stderr).toBe(0);
  }

  /** Nothing is half: every WAV is one, the whole folder verifies, nothing temporary is left, the journal is empty. */
  async expectAllWhole(count: number): Promise<void> {
    const recordings = readRecordings(this.data);
    expect(recordings).toHaveLength(count);
    for (const { manifest, wavPath } of recordings) {
      const seconds = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", wavPath];
      expect(Number(execFileSync("ffprobe", seconds).toString())).toBeCloseTo(manifest.audio.durationMs / 1000, 2);
    }
    const last = recordings.at(-1)!.manifest.id;
    const proof = await runProgram(["prove", last, "--data", this.data]);
    expect(proof.exitCode, proof.stdout + proof.stderr).toBe(0);
    const verified = await runProgram(["verify", "--data", this.data]);
    expect(verified.exitCode, verified.stdout).toBe(0);
    expect(filesBelow(this.data).filter((name) => name.includes(".partial") || name.includes(".probe"))).toEqual([]);
    expect(readdirSync(join(this.data, "journal"))).toEqual([]);
  }
}

/** What no packet is left out of: each that was seen is recorded, or not and counted with its reason. */
export function expectAllCounted(data: string): void {
  for (const { manifest } of readRecordings(data))
    for (const { streams } of manifest.parties)
      for (const { packets, discardedBy } of streams) {
        expect(packets.seen).toBe(packets.recorded + packets.discarded + packets.duplicate + packets.undecoded);
        expect(Object.values(discardedBy).reduce((sum, count) => sum + count, 0)).toBe(packets.discarded);
      }
}

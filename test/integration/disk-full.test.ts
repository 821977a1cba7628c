// A full disk under load: the real service on a small tmpfs, calls in progress, and files of somebody else that take the space away
// and give it back. What was recorded is whole, what was not says why, and recording goes on by itself; with
// `disk.atLimit: delete-oldest` the oldest that may go make room.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CaptureFile } from "../fakes/capture-file.js";
import { passMs } from "../fakes/live-call.js";
import { makeCall } from "../fakes/office-call.js";
import { waitUntil } from "../fakes/office-program.js";
import { filesBelow, logLines, readCallLog, readRecordings, runProgram } from "../fakes/program.js";
import { AGENT_ADDRESS, DiskScene, diskTestObstacle, expectAllCounted } from "./disk-kit.js";

const obstacle = diskTestObstacle();
if (obstacle) console.log(`skipped: a full disk: ${obstacle}`);

const MEGABYTE = 1024 * 1024;
const SIZE_MB = 32;

describe.skipIf(obstacle !== undefined)("a full disk", { timeout: 60_000 }, () => {
  const scene = new DiskScene("disk");
  beforeAll(() => scene.open());
  afterAll(() => scene.close());
  beforeEach(() => {
    scene.begin();
    mkdirSync(scene.data);
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE_MB}m,mode=700`, "tmpfs", scene.data]);
  });
  afterEach(async () => {
    await scene.end();
    execFileSync("umount", ["--lazy", scene.data]);
    scene.remove();
  });

  const freeMb = (): number => {
    const { bavail, bsize } = statfsSync(scene.data);
    return (bavail * bsize) / MEGABYTE;
  };
  /** Where a service looks for none of its own. */
  const others = (): string => join(scene.data, "of-somebody-else");
  /** Somebody else takes space until so much is free; what the service takes in the same moment is not there to be taken. */
  function fillUntil(free: number): void {
    mkdirSync(others(), { recursive: true });
    for (let attempt = 0; attempt < 5; attempt++) {
      const takeKb = Math.floor((freeMb() - free) * 1024);
      const file = join(others(), String(readdirSync(others()).length));
      if (takeKb <= 0 || spawnSync("fallocate", ["-l", `${takeKb}KiB`, file]).status === 0) return;
      rmSync(file, { force: true });
    }
    throw new Error("the space cannot be taken");
  }

  it("begins no new recordings, finishes those in progress out of the reserve, and goes on when there is space", async () => {
    const disk = { STOP_MEGABYTES: "6", RESERVE_MEGABYTES: "4", LATE_MEGABYTES: "12", LATE_DAYS: "0" };
    const recorder = await scene.start({ disk });
    await scene.beginCalls("early", 4);
    fillUntil(14);
    await scene.raised("disk-late");
    await waitUntil("the reserve", () => existsSync(join(scene.data, "reserve.bin")) || undefined);
    fillUntil(5);
    await scene.raised("disk-full");
    await scene.beginCalls("refused", 2);
    await passMs(1500);
    fillUntil(0);
    await recorder.waitFor("the reserve to go", (stderr) => stderr.includes("its reserve is given up") || undefined);
    await passMs(1500);
    scene.hangUpAll();
    const early = await scene.logged("early", 4);
    expect(early.map(({ noAudio }) => noAudio)).toEqual(["", "", "", ""]);
    for (const line of await scene.logged("refused", 2)) {
      expect(line).toMatchObject({ noAudio: "disk-full", file: "" });
      expect(line.parties[0]!.packets.recorded).toBe(0);
      expect(line.parties[0]!.packets.discarded).toBeGreaterThan(50);
    }
    rmSync(others(), { recursive: true });
    await scene.isOver("disk-full");
    await scene.beginCalls("later", 2);
    await passMs(1000);
    scene.hangUpAll();
    expect((await scene.logged("later", 2)).map(({ noAudio }) => noAudio)).toEqual(["", ""]);
    // 4 when a write was refused in the moment before the reserve was given up.
    expect([0, 4]).toContain(await recorder.stop());
    // Nothing of those in progress was lost: the reserve was enough.
    for (const { manifest } of readRecordings(scene.data))
      for (const party of manifest.parties)
        for (const { discardedBy } of party.streams) expect(discardedBy["journal"] ?? 0).toBe(0);
    await scene.expectAllWhole(6);
  });

  it("without a reserve keeps what it can in memory, stores it when there is space, and says what was lost", async () => {
    const disk = { STOP_MEGABYTES: "1", RESERVE_MEGABYTES: "0", LATE_MEGABYTES: "1", LATE_DAYS: "0" };
    const recorder = await scene.start({ disk });
    await scene.beginCalls("early", 4);
    await passMs(1000);
    fillUntil(0);
    await scene.raised("disk-full");
    await scene.raised("journal-unwritable");
    await passMs(1500);
    scene.hangUpAll();
    // Their last blocks are in memory: they have not ended for the service before those are written.
    await scene.raised("audit-unwritable");
    await passMs(1000);
    expect(readCallLog(scene.data)).toEqual([]);
    expect(recorder.child.exitCode).toBeNull();
    rmSync(others(), { recursive: true });
    await scene.isOver("disk-full");
    await scene.isOver("audit-unwritable");
    expect((await scene.logged("early", 4)).map(({ noAudio }) => noAudio)).toEqual(["", "", "", ""]);
    await scene.beginCalls("later", 1);
    await passMs(1000);
    scene.hangUpAll();
    await scene.logged("later", 1);
    await scene.isOver("journal-unwritable");
    await recorder.stop();
    expectAllCounted(scene.data);
    await scene.expectAllWhole(5);
  });

  it("lets the oldest go that may go, holds and minimum ages kept, and begins nothing new when there are none left", async () => {
    const ids = await recordEarlier(["held", "minimum", "short", "short", "short", "short"]);
    const settings = { STOP_MEGABYTES: "4", RESERVE_MEGABYTES: "0", LATE_MEGABYTES: "4", LATE_DAYS: "0" };
    const args = ["--config", configFile()];
    const recorder = await scene.start({ disk: { ...settings, AT_LIMIT: "delete-oldest" }, args });
    await scene.beginCalls("going", 2);
    // Below 6 MiB it deletes, until 8 are free: two of 1.9.
    fillUntil(5);
    await recorder.waitFor("a deletion", (stderr) => logLines(stderr, DELETED)[0]);
    expect(recordingIds()).toEqual([...ids.slice(0, 2), ...ids.slice(4)]);
    expect(recorder.stderr).not.toContain("alarm disk-full");
    // It deletes what is left, and that is not enough.
    fillUntil(1);
    await recorder.waitFor("the lack of any more", (stderr) => logLines(stderr, NOTHING)[0]);
    expect(recordingIds()).toEqual(ids.slice(0, 2));
    fillUntil(1);
    expect(await scene.raised("disk-full")).toContain('"nothingToDelete":true');
    await scene.beginCalls("refused", 1);
    await passMs(700);
    scene.hangUpAll();
    expect((await scene.logged("going", 2)).map(({ noAudio }) => noAudio)).toEqual(["", ""]);
    expect(await scene.logged("refused", 1)).toMatchObject([{ noAudio: "disk-full", file: "" }]);
    rmSync(others(), { recursive: true });
    await scene.isOver("disk-full");
    await scene.beginCalls("later", 1);
    await passMs(700);
    scene.hangUpAll();
    expect((await scene.logged("later", 1)).map(({ noAudio }) => noAudio)).toEqual([""]);
    expect(await recorder.stop()).toBe(0);
    expect(tombstoneIds()).toEqual(ids.slice(2));
    for (const id of ids.slice(2, 3)) {
      const proof = await runProgram(["prove", id, "--data", scene.data]);
      expect([proof.exitCode, proof.stdout]).toEqual([0, expect.stringMatching(/it was deleted.*\bdisk\b/)]);
    }
    await scene.expectAllWhole(5);
  });

  const DELETED = "the disk is full: the oldest recordings were deleted";
  const NOTHING = "the disk is full, and no recording may be deleted";
  const configFile = (): string => join(scene.folder, "c.yaml");
  const recordingIds = (): string[] =>
    readRecordings(scene.data)
      .filter(({ manifest }) => manifest.sipCallIds[0]!.startsWith("old"))
      .map(({ manifest }) => manifest.id);
  const tombstoneIds = (): string[] =>
    filesBelow(join(scene.data, "recordings"))
      .filter((name) => name.endsWith(".deleted"))
      .map((name) => basename(name, ".deleted"));

  /** A minute's call each, two days ago and a minute apart; of what kind, its caller's number says. */
  async function recordEarlier(kinds: readonly ("held" | "minimum" | "short")[]): Promise<string[]> {
    const numbers = { held: "0401", minimum: "0402", short: "0403" };
    const config = {
      agents: { match: [`${AGENT_ADDRESS}/32`, "10.0.0.0/24"] },
      consent: { rules: [{ name: "long", numbers: ["0402*"], retention: "long" }] },
      retention: { classes: [{ name: "short" }, { name: "long", minDays: 3000 }], defaultClass: "short" },
    };
    writeFileSync(configFile(), JSON.stringify(config));
    const startUs = (Date.now() - 2 * 86_400_000) * 1000;
    const frames = kinds.flatMap((kind, i) =>
      makeCall({
        callId: `old-${i}`,
        startUs: startUs + i * 90e6,
        durationMs: 60_000,
        caller: { user: numbers[kind] },
      }),
    );
    const capture = join(scene.folder, "a.pcap");
    new CaptureFile().addAll(frames).write(capture);
    const common = ["--data", scene.data, "--config", configFile()];
    const read = await runProgram(["--read", capture, "--policy", "both-parties", ...common]);
    expect(read.exitCode, read.stderr).toBe(0);
    const held = await runProgram(["hold", "add", "--number", numbers.held, "--reason", "court order 7", ...common]);
    expect(held.exitCode, held.stderr).toBe(0);
    return recordingIds();
  }
});

// A disk that refuses every write for a while, as one that the kernel made read-only or that fails: the real service beside it,
// before and during calls. It stays, says what is wrong, keeps in memory what fits there, counts the rest, and goes on by itself.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { passMs } from "../fakes/live-call.js";
import { Mosquitto, mosquittoObstacle } from "../fakes/mosquitto.js";
import { waitUntil } from "../fakes/office-program.js";
import { logLines, readCallLog, readRecordings } from "../fakes/program.js";
import { RefusingDisk, refusingDiskObstacle } from "../fakes/refusing-disk.js";
import { DiskScene, diskTestObstacle, expectAllCounted } from "./disk-kit.js";

const obstacle = diskTestObstacle() ?? refusingDiskObstacle() ?? mosquittoObstacle();
if (obstacle) console.log(`skipped: a disk that refuses writes: ${obstacle}`);

/** The size of the file system that the tests lie on says nothing here. */
const DISK = { STOP_MEGABYTES: "1", RESERVE_MEGABYTES: "0", LATE_MEGABYTES: "1", LATE_DAYS: "0" };

const scene = new DiskScene("refuse");

describe.skipIf(obstacle !== undefined)("a disk that refuses writes", { timeout: 60_000 }, () => {
  let disk: RefusingDisk;
  let broker: Mosquitto | undefined;
  beforeAll(() => scene.open());
  afterAll(() => scene.close());
  beforeEach(() => {
    scene.begin();
    disk = new RefusingDisk(scene.folder, scene.data);
  });
  afterEach(async () => {
    await scene.end();
    await broker?.stop();
    broker = undefined;
    scene.remove();
  });

  it("during calls: says so, keeps what fits into memory, counts what does not, and goes on when it takes them again", async () => {
    const environment = { ...disk.environment, SIDETONE_JOURNAL_MEMORY_MEGABYTES: "1" };
    const recorder = await scene.start({ disk: DISK, environment });
    // Sixteen legs take a quarter of the memory in a second.
    const going = await scene.beginCalls("going", 8);
    await passMs(1000);
    disk.refuse("EROFS");
    for (const call of going.slice(0, 2)) call.hangUp();
    await scene.raised("disk-read-only");
    await scene.raised("journal-unwritable");
    await passMs(4000);
    expect(recorder.child.exitCode).toBeNull();
    expect(readCallLog(scene.data)).toEqual([]);
    disk.take();
    await scene.isOver("disk-read-only");
    await scene.isOver("journal-unwritable");
    await passMs(1000);
    scene.hangUpAll();
    const lines = await scene.logged("going", 8);
    expect(lines.map(({ noAudio }) => noAudio)).toEqual(Array(8).fill(""));
    // 4: that the journal could not be written was said.
    expect(await recorder.stop()).toBe(4);
    expect(logLines(recorder.stderr, "alarm audit-unwritable is over").length).toBeLessThanOrEqual(1);
    expectAllCounted(scene.data);
    for (const { manifest } of readRecordings(scene.data)) {
      const streams = manifest.parties.flatMap((party) => party.streams);
      const lost = streams.map(({ discardedBy }) => discardedBy["journal"] ?? 0);
      const isShort = [going[0]!.callId, going[1]!.callId].includes(manifest.sipCallIds[0]!);
      // Those that ended at once lost nothing; of the others memory held some seconds, and no more.
      if (isShort) expect(lost).toEqual(streams.map(() => 0));
      else expect(Math.max(...lost)).toBeGreaterThan(0);
      // A second before, and at least two in memory.
      if (!isShort) for (const { packets } of streams) expect(packets.recorded).toBeGreaterThan(100);
    }
    await scene.expectAllWhole(8);
  });

  it("at the start: waits, says so over MQTT, and begins when it takes them; what waiting cannot mend ends at once", async () => {
    broker = await Mosquitto.start(scene.folder, { launcher: scene.launcher });
    const admin = await broker.subscribe("sidetone/box/#");
    mkdirSync(scene.data);
    disk.refuse("EROFS");
    const mqtt = { SIDETONE_MQTT_URL: `mqtt://127.0.0.1:${broker.port}`, SIDETONE_DEVICE_ID: "box" };
    const settings = { disk: DISK, environment: { ...disk.environment, ...mqtt, ...serviceManager() } };
    const recorder = scene.launch(settings);
    await scene.raised("disk-read-only");
    expect(await admin.next("sidetone/box/alarm/disk-read-only")).toMatchObject({ severity: "critical" });
    expect(await admin.next("sidetone/box/state")).toEqual({ state: "online" });
    const waits = "the disk takes no writes: nothing is recorded before it does; waiting for it";
    expect(logLines(recorder.stderr, waits)).toMatchObject([{ reason: expect.stringContaining("read-only") }]);
    expect(readdirSync(scene.data)).toEqual([]);
    // For systemd it has started, does what it can, and is not to be started again.
    await waitUntil("the watchdog to be fed", () => toldManager().includes("WATCHDOG=1") || undefined);
    for (const word of ["READY=1", "STATUS=waiting for the disk"]) expect(toldManager()).toContain(word);
    disk.refuse("EIO");
    await scene.raised("disk-failing");
    disk.take();
    await scene.captures();
    await waitUntil(
      "the alarms to be emptied",
      () =>
        ["disk-read-only", "disk-failing"].every(
          (code) => admin.on(`sidetone/box/alarm/${code}`).at(-1)?.payload === "",
        ) || undefined,
    );
    await scene.beginCalls("later", 1);
    await passMs(700);
    scene.hangUpAll();
    await scene.logged("later", 1);
    expect(await recorder.stop()).toBe(0);
    await scene.expectAllWhole(1);
    scene.expectOfflineWhole();
    const entered = auditKinds(scene.data).filter((kind) => kind.includes("disk-"));
    expect(entered.slice(0, 4)).toEqual([
      "disk-read-only raised",
      "disk-read-only cleared",
      "disk-failing raised",
      "disk-failing cleared",
    ]);
    disk.refuse("EROFS");
    // A wait ends when it is told to: nothing could be stored.
    const waiting = scene.launch(settings);
    await scene.raised("disk-read-only");
    expect(await waiting.stop()).toBe(4);
    scene.data = join(scene.data, "mistyped");
    const mistyped = scene.launch(settings);
    expect(await mistyped.ended).toBe(4);
    expect(mistyped.stderr).toMatch(/^sidetoned: cannot use the data folder [^\n]*mistyped[^\n]*\(EROFS\)\n$/);
    expect(existsSync(scene.data)).toBe(false);
  });
});

/** As systemd's `Type=notify` with a watchdog, told by a program of ours in the place of systemd-notify. */
function serviceManager(): Record<string, string> {
  const bin = join(scene.folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "systemd-notify"), `#!/bin/sh\necho "$@" >> ${scene.folder}/told\n`, { mode: 0o755 });
  return { PATH: `${bin}:${process.env["PATH"]}`, NOTIFY_SOCKET: "/run/none", WATCHDOG_USEC: "600000" };
}

function toldManager(): string {
  const path = join(scene.folder, "told");
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

function auditKinds(data: string): string[] {
  const folder = join(data, "audit");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { kind: string; detail: { code?: string; state?: string } })
    .filter(({ kind }) => kind === "alarm")
    .map(({ detail }) => `${detail.code} ${detail.state}`);
}

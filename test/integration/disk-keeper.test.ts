// The disk's keeper on a real small file system: mounted read-only and back, full and emptied by deletion of the oldest.
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../device/base/clock.js";
import type { Logger } from "../../device/base/logger.js";
import { configSchema } from "../../device/contract/config.js";
import type { DiskStatus } from "../../device/contract/mqtt.js";
import { DiskKeeper } from "../../device/disk-keeper.js";
import { AlarmBook } from "../../device/health/alarms.js";
import { makeFolder, removeFolder } from "../fakes/program.js";

const obstacle = process.getuid?.() !== 0 ? "not root" : spawnSync("mount", ["-V"]).error ? "no mount" : undefined;
if (obstacle) console.log(`skipped: file systems that are mounted for a test: ${obstacle}`);

const MEGABYTE = 1024 * 1024;

/** Mounts a small ext4 on a loop device, above what is mounted there; its device's name, undefined when that cannot be done. */
function makeExt4(image: string, folder: string): string | undefined {
  try {
    writeFileSync(image, "");
    truncateSync(image, 24 * MEGABYTE);
    execFileSync("mke2fs", ["-q", "-F", "-t", "ext4", "-N", "16384", image], { stdio: "pipe" });
    execFileSync("mount", ["-o", "loop,errors=remount-ro", image, folder], { stdio: "pipe" });
    const device = basename(execFileSync("findmnt", ["-n", "-o", "SOURCE", "--target", folder]).toString().trim());
    return existsSync(`/sys/fs/ext4/${device}/trigger_fs_error`) ? device : undefined;
  } catch {
    return undefined;
  }
}

describe.skipIf(obstacle !== undefined)("the disk's keeper", () => {
  let folder: string;
  let data: string;
  beforeEach(() => {
    folder = makeFolder();
    data = join(folder, "data");
    mkdirSync(data);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", data]);
  });
  afterEach(() => {
    // One that lies on top goes first.
    while (spawnSync("umount", ["--lazy", data]).status === 0);
    removeFolder(folder);
  });

  function scene(disk: Record<string, unknown>, deleteOldest?: () => Promise<number>) {
    const state = { nowMs: 0 };
    const clock: Clock = { nowUs: () => state.nowMs * 1000, monotonicMs: () => state.nowMs };
    const alarms = new AlarmBook({ clock });
    const said: string[] = [];
    const line = (message: string): void => void said.push(message);
    const logger: Logger = { debug: line, info: line, warn: line, error: line };
    const told: string[] = [];
    const shown: DiskStatus[] = [];
    const config = configSchema.parse({ disk: { lateDays: 0, ...disk } }).disk;
    const keeper = new DiskKeeper(
      { config, dataFolder: data, alarms, logger, clock },
      {
        setRoom: (takes) => told.push(takes ? "room" : "no room"),
        recovered: () => told.push("recovered"),
        show: (status) => shown.push(status),
        ...(deleteOldest && { deleteOldest }),
      },
    );
    const tick = async (): Promise<string[]> => {
      state.nowMs += 2000;
      await keeper.tick();
      return alarms.standing.map(({ code }) => code);
    };
    return { keeper, tick, told, said, shown };
  }
  const remount = (how: string) => execFileSync("mount", ["-o", `remount,${how}`, data]);

  it("says that the disk is read-only for as long as it is, and has what waits tried again", async () => {
    const { tick, told } = scene({ lateMegabytes: 1, stopMegabytes: 1, reserveMegabytes: 0 });
    expect(await tick()).toEqual([]);
    remount("ro");
    expect(await tick()).toEqual(["disk-read-only"]);
    expect(await tick()).toEqual(["disk-read-only"]);
    expect(told).toEqual([]);
    remount("rw");
    expect(await tick()).toEqual([]);
    expect(told).toEqual(["recovered"]);
    expect(readdirSync(data)).toEqual(["disk.json"]);
  });

  it("finds out by writing that the kernel made a file system read-only which looks writable", async ({ skip }) => {
    const image = join(folder, "disk.img");
    const device = makeExt4(image, data);
    if (device === undefined) {
      console.log("skipped: a file system that the kernel makes read-only: no loop devices, or no ext4");
      skip();
    }
    const { tick } = scene({ lateMegabytes: 1, stopMegabytes: 1, reserveMegabytes: 0 });
    expect(await tick()).toEqual([]);
    const open = openSync(join(data, "in-use"), "w");
    writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, "1");
    // A minute at most.
    for (let i = 0; i < 31; i++) await tick();
    expect(await tick()).toEqual(["disk-read-only"]);
    closeSync(open);
  });

  it("says that the disk fails when its folder does not answer, and comes back", async () => {
    const { tick, keeper } = scene({ lateMegabytes: 1, stopMegabytes: 1, reserveMegabytes: 0 });
    await tick();
    execFileSync("umount", [data]);
    rmSync(data, { recursive: true });
    keeper.suspect();
    expect(await tick()).toEqual(["disk-failing"]);
    mkdirSync(data);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", data]);
    expect(await tick()).toEqual([]);
  });

  it("deletes the oldest until there is room, and does not ask again at once when there is nothing to delete", async () => {
    const recordings = ["1", "2", "3", "4", "5", "6"].map((name) => join(data, name));
    for (const path of recordings) writeFileSync(path, Buffer.alloc(2 * MEGABYTE, 1));
    let asked = 0;
    const deleteOldest = async (): Promise<number> => {
      asked++;
      const path = recordings.shift();
      if (path === undefined) return 0;
      const { size } = statSync(path);
      rmSync(path);
      return size;
    };
    const own = { lateMegabytes: 1, stopMegabytes: 4, reserveMegabytes: 0, atLimit: "delete-oldest" };
    const { tick, told, said, shown } = scene(own, deleteOldest);
    // 4 of 16 MiB are free: below 6 it deletes, up to 8.
    await tick();
    expect(recordings).toHaveLength(4);
    expect(said).toEqual(["the disk is full: the oldest recordings were deleted"]);
    expect(await tick()).toEqual([]);
    expect(shown.at(-1)).toMatchObject({ level: "ok", totalMegabytes: 16, daysLeft: null });
    const { bavail, bsize } = statfsSync(data);
    execFileSync("fallocate", ["-l", String(bavail * bsize - MEGABYTE), join(data, "other")]);
    asked = 0;
    recordings.length = 0;
    expect(await tick()).toEqual(["disk-full"]);
    await tick();
    expect(asked).toBe(1);
    expect(told).toEqual(["no room"]);
    rmSync(join(data, "other"));
    expect(await tick()).toEqual([]);
    expect(told).toEqual(["no room", "room", "recovered"]);
  });

  it("gives the reserve up before anything is opened on a disk that is full to the last byte", async () => {
    const { tick, keeper } = scene({ lateMegabytes: 16, stopMegabytes: 1, reserveMegabytes: 5 });
    await tick();
    const reserve = join(data, "reserve.bin");
    expect(statSync(reserve).size).toBe(5 * MEGABYTE);
    keeper.prepare();
    expect(existsSync(reserve)).toBe(true);
    const { bavail, bsize } = statfsSync(data);
    execFileSync("fallocate", ["-l", String(bavail * bsize), join(data, "other")]);
    keeper.prepare();
    expect(existsSync(reserve)).toBe(false);
  });
});

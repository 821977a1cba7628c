// What is done to a data folder beside recording is done, or was not begun: whatever step a process dies at, whatever a power
// cut takes, whichever step the disk refuses. What was said to be done is done.
import { rmSync, writeFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { type Death, NOTHING_LEFT, someLeft, watchDeaths } from "../fakes/disk-deaths.js";
import { type PowerCut, SimulatedDisk } from "../fakes/simulated-disk.js";
import { type Mount, plainStep } from "../fakes/simulated-fs.js";
import { DEAD, folderWrong, OPERATIONS, type Operation } from "./store-operations.js";

const mounted = vi.hoisted(() => ({ at: undefined as Mount | undefined }));
vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs")>();
  const { simulatedFs } = await import("../fakes/simulated-fs.js");
  return { ...real, ...simulatedFs(real, () => mounted.at) };
});
vi.mock("node:fs/promises", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs/promises")>();
  const simulated = await import("../fakes/simulated-fs.js");
  const fs = await import("node:fs");
  return { ...real, ...simulated.simulatedPromises(real, fs, () => mounted.at) };
});

const DATA = "/simulated/data";
const PATIENCE_MS = 120_000;
/** What a power cut leaves at random, for a longer search: SIDETONE_TEST_SEEDS=50. */
const SEEDS = Array.from({ length: Number(process.env["SIDETONE_TEST_SEEDS"] ?? 0) }, (_, seed) => seed);
const CODES = ["ENOSPC", "EIO", "EROFS"] as const;

function mount(disk: SimulatedDisk): SimulatedDisk {
  mounted.at = { folder: DATA, disk };
  return disk;
}

DEAD.write = (path, text) => {
  writeFileSync(path, text);
  mounted.at!.disk.restart();
};

function restart(disk: SimulatedDisk, cut?: PowerCut): void {
  if (cut) disk.cutPower(cut);
  disk.restart();
  for (const folder of [DATA, `${DATA}/registers`]) rmSync(`${folder}/lock`, { force: true });
  disk.restart();
}

async function prepared(operation: Operation): Promise<SimulatedDisk> {
  const disk = mount(new SimulatedDisk());
  await operation.prepare(DATA);
  // Long ago: the kernel has written all of it since.
  restart(disk, { pages: 1, names: 1, seed: 0 });
  return disk;
}

/** What is wrong when the next process has been at it; `isDone`: it was said to be. */
async function wrongAfter(operation: Operation, disk: SimulatedDisk, isDone: boolean): Promise<string[]> {
  const faults: string[] = [];
  try {
    await operation.resume(DATA, (fault) => faults.push(fault));
    restart(disk);
    const outcome = operation.outcome(DATA);
    const wrong = folderWrong(DATA);
    if (typeof outcome === "object") wrong.push(outcome.wrong);
    else if (isDone && outcome !== "all") wrong.push("it was said to be done, and is not");
    return wrong.length > 0 ? [...wrong, ...faults] : [];
  } catch (error) {
    return [String(error), ...faults];
  }
}

describe.each(Object.entries(OPERATIONS))("%s", (_, operation) => {
  async function afterEach(
    deaths: readonly Death<boolean>[],
    cutAt: (number: number) => PowerCut | undefined,
  ): Promise<Record<string, string[]>> {
    const wrong: Record<string, string[]> = {};
    for (const [number, { step, isHalf, disk: left, before: isDone }] of deaths.entries()) {
      const disk = mount(left.copy());
      const cut = cutAt(number);
      restart(disk, cut);
      const found = await wrongAfter(operation, disk, isDone);
      if (found.length > 0)
        wrong[`${number} ${plainStep(step)}${isHalf ? " half" : ""} ${JSON.stringify(cut)}`] = found;
    }
    return wrong;
  }

  test("is whole, or was not begun, whatever its process dies of", { timeout: PATIENCE_MS }, async () => {
    const disk = (await prepared(operation)).copy();
    mount(disk);
    let isDone = false;
    const deaths = await watchDeaths(
      disk,
      () => isDone,
      async () => {
        await operation.act(DATA, () => {});
        isDone = true;
        // One more, behind the last step.
        disk.step("the end", () => {});
      },
    );
    const seen = deaths.filter(({ step, isHalf }) => isHalf || !step.startsWith("sync "));
    expect(await afterEach(seen, () => undefined)).toEqual({});
    const whole = deaths.filter(({ isHalf }) => !isHalf);
    expect(await afterEach(whole, () => NOTHING_LEFT)).toEqual({});
    for (const seed of SEEDS) expect(await afterEach(whole, (number) => someLeft(number, seed))).toEqual({});
  });

  test("is whole in the end, whatever the disk refuses once", { timeout: PATIENCE_MS }, async () => {
    const before = await prepared(operation);
    const free = mount(before.copy());
    await operation.act(DATA, () => {});
    const wrong: Record<string, string[]> = {};
    for (const step of free.steps.keys()) {
      const disk = mount(before.copy());
      const faults: string[] = [];
      disk.plan(step, { kind: "refused", code: CODES[step % CODES.length]! });
      let isDone = await succeeds(operation, faults);
      const isSaid = !isDone || faults.length > 0;
      // How many steps there are depends on what is written together.
      const name = disk.steps[step];
      if (name === undefined) continue;
      // Whoever was told that it failed asks again.
      restart(disk);
      if (!isDone) isDone = await succeeds(operation, faults);
      restart(disk, NOTHING_LEFT);
      const found = await wrongAfter(operation, disk, isDone);
      if (!isSaid && !MAY_BE_SILENT.test(name)) found.push("nothing was said");
      if (found.length > 0) wrong[`${step} ${plainStep(name)}`] = [...found, ...faults];
    }
    expect(wrong).toEqual({});
  });
});

async function succeeds(operation: Operation, faults: string[]): Promise<boolean> {
  try {
    await operation.act(DATA, (fault) => faults.push(fault));
    return true;
  } catch (error) {
    faults.push(String(error));
    return false;
  }
}

/** The service finds out that a change was made, if its command cannot say so. */
const MAY_BE_SILENT = /^(?:rename to [0-9A-Z]{26}\.json|sync spool)$/;

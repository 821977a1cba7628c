// What is admitted stays, whatever step of journal, sealing and store is the last one: by a process that is killed to within
// one second, by a power cut to within five. The code runs as it is, on a disk in memory that stops at every step in turn.
import { rmSync } from "node:fs";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { type Death, NOTHING_LEFT, someLeft, watchDeaths } from "../fakes/disk-deaths.js";
import { type PowerCut, SimulatedDisk } from "../fakes/simulated-disk.js";
import { type Mount, plainStep } from "../fakes/simulated-fs.js";
import { type BoxRun, expectPromise, newRun, runBox } from "./durable-box.js";

const mounted = vi.hoisted(() => ({ at: undefined as Mount | undefined }));
vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs")>();
  const { simulatedFs } = await import("../fakes/simulated-fs.js");
  return { ...real, ...simulatedFs(real, () => mounted.at) };
});

const DATA = "/simulated/data";

function newDisk(): SimulatedDisk {
  const disk = new SimulatedDisk();
  mounted.at = { folder: DATA, disk };
  return disk;
}

/** Another process, or the same box after a power cut, finds the lock of one that is no more. */
function restart(disk: SimulatedDisk, cut?: PowerCut): void {
  if (cut) disk.cutPower(cut);
  disk.restart();
  rmSync(`${DATA}/lock`, { force: true });
  disk.restart();
}

const KILLED_LOSS_MS = 1000;
const POWER_LOSS_MS = 5000;
/** More of them for a longer search: SIDETONE_TEST_SEEDS=50. */
const SEEDS = Array.from({ length: Number(process.env["SIDETONE_TEST_SEEDS"] ?? 2) }, (_, seed) => seed);
const PATIENCE_MS = 120_000;

/** With what the box had promised by then. */
async function deathsOf(disk: SimulatedDisk, run: BoxRun, act: () => Promise<unknown>): Promise<Death<BoxRun>[]> {
  const deaths = await watchDeaths(disk, () => ({ ranMs: run.ranMs, admitted: run.admitted.size }), act);
  const admitted = [...run.admitted];
  return deaths.map(({ before, ...death }) => ({
    ...death,
    before: { ...run, ranMs: before.ranMs, admitted: new Map(admitted.slice(0, before.admitted)) },
  }));
}

/** Goes once through all calls. */
async function deathsRecording(): Promise<Death<BoxRun>[]> {
  const disk = newDisk();
  const run = newRun();
  return deathsOf(disk, run, () => runBox(DATA, { isDead: () => disk.isDead, run }));
}

/** A box was killed in the middle of its calls, and the next dies in its recovery. */
async function deathsRecovering(): Promise<Death<BoxRun>[]> {
  const disk = newDisk();
  const run = await runBox(DATA, { isDead: () => disk.isDead, forMs: 2400 });
  restart(disk);
  return deathsOf(disk, run, () => runBox(DATA, { records: false, isDead: () => disk.isDead }));
}

/** What is wrong at the end, when the box starts again after each of the deaths. */
async function restartAfter(
  deaths: readonly Death<BoxRun>[],
  lossMs: number,
  cutAt: (number: number) => PowerCut | undefined = () => undefined,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const [number, { step, disk: left, before }] of deaths.entries()) {
    const disk = left.copy();
    mounted.at = { folder: DATA, disk };
    const cut = cutAt(number);
    restart(disk, cut);
    const next = await runBox(DATA, { records: false, isDead: () => disk.isDead });
    restart(disk);
    const found = expectPromise(DATA, before, lossMs);
    const at = `${number} ${plainStep(step)} ${JSON.stringify(cut ?? {})}`;
    if (found.length > 0) wrong.push(`${at}: ${[...found, ...next.faults].join(", ")}`);
  }
  return wrong;
}

describe.each([
  ["recording", deathsRecording],
  ["recovering", deathsRecovering],
] as const)("a box that dies while it is %s, at any step", (_, watch) => {
  let whole: Death<BoxRun>[];
  let half: Death<BoxRun>[];
  beforeAll(async () => {
    const deaths = await watch();
    whole = deaths.filter(({ isHalf }) => !isHalf);
    half = deaths.filter(({ isHalf }) => isHalf);
  });

  test("killed before it", { timeout: PATIENCE_MS }, async () => {
    // A sync changes nothing for who is only killed: the moment behind it asks for more.
    const seen = whole.filter(({ step }, at) => !step.startsWith("sync ") || at === whole.length - 1);
    expect(await restartAfter(seen, KILLED_LOSS_MS)).toEqual([]);
  });

  test("killed half-way through it", { timeout: PATIENCE_MS }, async () => {
    expect(half.length).toBeGreaterThan(5);
    expect(await restartAfter(half, KILLED_LOSS_MS)).toEqual([]);
  });

  test("by a power cut that leaves nothing but what was synced", { timeout: PATIENCE_MS }, async () => {
    expect(await restartAfter(whole, POWER_LOSS_MS, () => NOTHING_LEFT)).toEqual([]);
  });

  test.each(SEEDS)("by a power cut that leaves some of what was not (%i)", { timeout: PATIENCE_MS }, async (seed) => {
    expect(await restartAfter(whole, POWER_LOSS_MS, (step) => someLeft(step, seed))).toEqual([]);
  });
});

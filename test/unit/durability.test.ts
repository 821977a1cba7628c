// What is admitted stays, whatever step of journal, sealing and store is the last one: by a process that is killed to within
// one second, by a power cut to within five. The code runs as it is, on a disk in memory that stops at every step in turn.
import { rmSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { type PowerCut, SimulatedDisk, type StepFault } from "../fakes/simulated-disk.js";
import { type Mount, plainStep } from "../fakes/simulated-fs.js";
import { type BoxRun, expectPromise, runBox } from "./durable-box.js";

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

interface Begun {
  disk: SimulatedDisk;
  run: BoxRun;
}

/** What goes wrong at a step, and what the power cut behind it leaves, if there is one. */
interface Trouble {
  fault: StepFault;
  cut?: PowerCut;
}

/** Goes once through all calls with the fault at the step; undefined when there is no such step. */
async function runUntil(step: number, fault: StepFault): Promise<Begun | undefined> {
  const disk = newDisk();
  disk.plan(step, fault);
  const run = await runBox(DATA, { isDead: () => disk.isDead });
  return disk.steps.length > step ? { disk, run } : undefined;
}

/** A box was killed in the middle of its calls, and the next is in trouble at the step of its recovery. */
async function recoverUntil(step: number, fault: StepFault): Promise<Begun | undefined> {
  const disk = newDisk();
  const run = await runBox(DATA, { isDead: () => disk.isDead, forMs: 2400 });
  restart(disk);
  disk.plan(step, fault);
  await runBox(DATA, { records: false, isDead: () => disk.isDead });
  return disk.steps.length > step ? { disk, run } : undefined;
}

/** What is wrong at the end, after trouble at every step in turn. */
async function everyStep(
  begin: (step: number, fault: StepFault) => Promise<Begun | undefined>,
  troubleAt: (step: number) => Trouble,
  lossMs: number,
): Promise<string[]> {
  const wrong: string[] = [];
  for (let step = 0; ; step++) {
    const { fault, cut } = troubleAt(step);
    const begun = await begin(step, fault);
    if (!begun) return wrong;
    const { disk, run } = begun;
    const at = `${step} ${plainStep(disk.steps[step]!)}`;
    restart(disk, cut);
    const next = await runBox(DATA, { records: false, isDead: () => disk.isDead });
    restart(disk);
    const found = expectPromise(DATA, run, lossMs);
    if (found.length > 0) wrong.push(`${at} ${JSON.stringify(cut ?? {})}: ${[...found, ...next.faults].join(", ")}`);
  }
}

const KILLED: Trouble = { fault: { kind: "killed", half: false } };
const KILLED_HALF: Trouble = { fault: { kind: "killed", half: true } };
const NOTHING_LEFT: Trouble = { ...KILLED, cut: { pages: 0, names: 0, seed: 0 } };

/** Of what was not synced, another part at every step: pages without names, names without pages, some of both. */
function someLeft(step: number, seed: number): Trouble {
  const cuts = [
    { pages: 1, names: 0 },
    { pages: 0, names: 1 },
    { pages: 0.5, names: 0.5 },
    { pages: 0.9, names: 0.3 },
    { pages: 0.3, names: 0.9 },
  ];
  return { ...KILLED, cut: { ...cuts[(step + seed) % cuts.length]!, seed: step * 31 + seed } };
}

describe.each([
  ["recording", runUntil],
  ["recovering", recoverUntil],
] as const)("a box that dies while it is %s, at any step", (_, begin) => {
  test("killed before it", { timeout: PATIENCE_MS }, async () => {
    expect(await everyStep(begin, () => KILLED, KILLED_LOSS_MS)).toEqual([]);
  });

  test("killed half-way through it", { timeout: PATIENCE_MS }, async () => {
    expect(await everyStep(begin, () => KILLED_HALF, KILLED_LOSS_MS)).toEqual([]);
  });

  test("by a power cut that leaves nothing but what was synced", { timeout: PATIENCE_MS }, async () => {
    expect(await everyStep(begin, () => NOTHING_LEFT, POWER_LOSS_MS)).toEqual([]);
  });

  test.each(SEEDS)("by a power cut that leaves some of what was not (%i)", { timeout: PATIENCE_MS }, async (seed) => {
    expect(await everyStep(begin, (step) => someLeft(step, seed), POWER_LOSS_MS)).toEqual([]);
  });
});

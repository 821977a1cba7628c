// What a disk refuses once costs nothing: a write, a sync, a name, a file that cannot be opened, whatever step of journal,
// sealing and store it is, the process goes on, says so, and tries again. In the end every call has one recording with all that
// was admitted of it. A power cut after a sync that was refused takes no more than after one that was not.
import { rmSync } from "node:fs";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { SimulatedDisk } from "../fakes/simulated-disk.js";
import { type Mount, plainStep } from "../fakes/simulated-fs.js";
import { type BoxRun, expectPromise, runBox, SHORT } from "./durable-box.js";

const mounted = vi.hoisted(() => ({ at: undefined as Mount | undefined }));
vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs")>();
  const { simulatedFs } = await import("../fakes/simulated-fs.js");
  return { ...real, ...simulatedFs(real, () => mounted.at) };
});

const DATA = "/simulated/data";
const PATIENCE_MS = 120_000;
/** What a disk says when it refuses, in turn. */
const CODES = ["ENOSPC", "EIO", "EROFS"] as const;

function newDisk(): SimulatedDisk {
  const disk = new SimulatedDisk();
  mounted.at = { folder: DATA, disk };
  return disk;
}

function restart(disk: SimulatedDisk): void {
  disk.restart();
  rmSync(`${DATA}/lock`, { force: true });
  disk.restart();
}

interface Tried {
  disk: SimulatedDisk;
  run: BoxRun;
}

type Plan = (disk: SimulatedDisk) => void;

/** Goes through all calls on an empty disk that has its fault planned. */
async function record(plan: Plan): Promise<Tried> {
  const disk = newDisk();
  plan(disk);
  const run = await runBox(DATA, { isDead: () => disk.isDead, scenario: SHORT, goesOn: true });
  return { disk, run };
}

let killed: Tried | undefined;

/** The same for a box that finds what one has left that was killed in the middle of its calls. */
async function recover(plan: Plan): Promise<Tried> {
  killed ??= await leaveKilled();
  const disk = killed.disk.copy();
  mounted.at = { folder: DATA, disk };
  plan(disk);
  const run = await runBox(DATA, { records: false, isDead: () => disk.isDead, goesOn: true });
  return { disk, run: { ...run, admitted: killed.run.admitted, ranMs: killed.run.ranMs - SHORT.flushMs } };
}

async function leaveKilled(): Promise<Tried> {
  const disk = newDisk();
  const run = await runBox(DATA, { isDead: () => disk.isDead, scenario: SHORT, forMs: 600 });
  // Long ago: the kernel has written all of it since.
  disk.cutPower({ pages: 1, names: 1, seed: 0 });
  restart(disk);
  return { disk, run };
}

/** What is wrong once the power was cut at the end, with all that was not synced gone, and the box has started again. */
async function wrongAfter({ disk, run }: Tried): Promise<string[]> {
  const { "journal.unlink-errors": unlinking = 0, "journal.compaction-errors": compacting = 0 } = run.counters;
  const isSaid = run.faults.some((fault) => !EXPECTED.test(fault)) || unlinking + compacting > 0;
  disk.cutPower({ pages: 0, names: 0, seed: 0 });
  restart(disk);
  const next = await runBox(DATA, { records: false, isDead: () => disk.isDead, goesOn: true });
  restart(disk);
  const found = expectPromise(DATA, run, 0);
  if (run.counters["journal.lost-records"]) found.push(`${run.counters["journal.lost-records"]} records lost`);
  if (found.length > 0) found.push(...run.faults, ...next.faults);
  return isSaid ? found : [...found, SILENT];
}

/** What a box says that recovers, with or without a fault. */
const EXPECTED = /^calls in progress were recovered/;
const SILENT = "nothing was said";

describe.each([
  ["recording", record],
  ["recovering", recover],
] as const)("a box whose disk refuses something while it is %s", (_, tryWith) => {
  let steps: string[];
  let opened: string[];
  beforeAll(async () => {
    const { disk } = await tryWith(() => {});
    steps = disk.steps.map(plainStep);
    opened = disk.opened.map(plainStep);
  });

  /** What is wrong after each of the faults, by their names. */
  async function wrongWith(
    faults: readonly (readonly [name: string, plan: Plan])[],
    mayBeSilent: (name: string) => boolean = () => false,
  ): Promise<Record<string, string[]>> {
    const wrong: Record<string, string[]> = {};
    for (const [name, plan] of faults) {
      const found = await wrongAfter(await tryWith(plan));
      const unexpected = found.filter((one) => one !== SILENT || !mayBeSilent(name));
      if (unexpected.length > 0) wrong[name] = unexpected;
    }
    return wrong;
  }

  test("goes on, whatever step it is, says so, and loses nothing", { timeout: PATIENCE_MS }, async () => {
    expect(steps.length).toBeGreaterThan(40);
    const faults = steps.map((name, step) => {
      const code = CODES[step % CODES.length]!;
      return [`${step} ${name} ${code}`, (disk: SimulatedDisk) => disk.plan(step, { kind: "refused", code })] as const;
    });
    expect(await wrongWith(faults)).toEqual({});
  });

  test("goes on with what a write that was cut short has left", { timeout: PATIENCE_MS }, async () => {
    const faults = [...steps.entries()]
      .filter(([, name]) => name.startsWith("write "))
      .map(([step, name]) => [`${step} ${name}`, (disk: SimulatedDisk) => disk.plan(step, { kind: "short" })] as const);
    // The rest may go in with the next write: that is no fault.
    expect(await wrongWith(faults, () => true)).toEqual({});
  });

  test("goes on when a file cannot be opened", { timeout: PATIENCE_MS }, async () => {
    const faults = opened.map(
      (name, number) => [`${number} ${name}`, (disk: SimulatedDisk) => disk.planOpen(number, "EMFILE")] as const,
    );
    // Where the page cache cannot be gone past, it is not.
    expect(await wrongWith(faults, (name) => DIRECT.test(name))).toEqual({});
  });
});

/** A second descriptor by flags in numbers. */
const DIRECT = /open \S+\.wav\.partial \d+$/;

// A journal whose segments are being replaced by shorter ones, on a disk in memory that stops at every step in turn: killed, or
// by a power cut that leaves nothing, or something, of what was not synced.
import { existsSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { CallReader } from "../../../device/journal/reader.js";
import { makeRun, recoverRun } from "../../../device/journal/recovery.js";
import { JournalWriter } from "../../../device/journal/writer.js";
import { type PowerCut, SimulatedDisk } from "../../fakes/simulated-disk.js";
import { type Mount, plainStep } from "../../fakes/simulated-fs.js";
import { callId, callRecord, collect, type Kept, makeKept, options, put } from "./journal-kit.js";

const mounted = vi.hoisted(() => ({ at: undefined as Mount | undefined }));
vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs")>();
  const { simulatedFs } = await import("../../fakes/simulated-fs.js");
  return { ...real, ...simulatedFs(real, () => mounted.at) };
});

const ROOT = "/simulated";
const RUN = `${ROOT}/run`;
const LONG = callId(0);
const STEP_MS = 100;
const END_MS = 12_000;
/** Another call ends, and is released a moment later, every so often; it has most of the audio. */
const CALL_MS = 3000;
const SEGMENT_BYTES = 8 * 1024;
/** A tick, and what the disk has yet to say. */
const LOSS_MS = { killed: 1000 + STEP_MS, power: 5000 + STEP_MS };

interface Run {
  disk: SimulatedDisk;
  admitted: { atMs: number; kept: Kept }[];
  ranMs: number;
  compacted: number;
}

/** Records until the disk dies at its `diesAt`th step. */
async function record(diesAt: number): Promise<Run> {
  const disk = new SimulatedDisk();
  mounted.at = { folder: ROOT, disk };
  makeRun(RUN);
  disk.plan(diesAt, { kind: "killed", half: diesAt % 2 === 0 });
  const run: Run = { disk, admitted: [], ranMs: 0, compacted: 0 };
  const sizes = { segmentBytes: SEGMENT_BYTES, maxBlockBytes: 2048 };
  const writer = new JournalWriter(options(RUN, sizes), undefined, { monotonicMs: () => run.ranMs });
  const long = writer.begin(LONG);
  long.snapshot(callRecord(LONG));
  for (; run.ranMs < END_MS && !disk.isDead; run.ranMs += STEP_MS) {
    const kept = makeKept(0, run.ranMs / STEP_MS, 40);
    if (put(long, kept)) run.admitted.push({ atMs: run.ranMs, kept });
    talk(writer, run.ranMs);
    writer.tick(run.ranMs * 1000);
    for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
  }
  run.compacted = writer.counters["journal.segments-compacted"];
  return run;
}

const otherId = (number: number) => callId(100 + number);
const others = new Map<number, ReturnType<JournalWriter["begin"]>>();

function talk(writer: JournalWriter, ms: number): void {
  const number = 1 + Math.floor(ms / CALL_MS);
  if (ms % CALL_MS === 0) {
    others.get(number - 1)?.end(callRecord(otherId(number - 1)));
    others.set(number, writer.begin(otherId(number)));
  }
  if (ms % CALL_MS === 500) writer.release(otherId(number - 1));
  for (let n = 0; n < 4; n++) put(others.get(number)!, makeKept(1, ms / STEP_MS, 200));
}

/** What is wrong after the disk has come back. */
function lost({ disk, admitted, ranMs }: Run, lossMs: number, cut?: PowerCut): string[] {
  if (cut) disk.cutPower(cut);
  disk.restart();
  const due = admitted.filter(({ atMs }) => atMs < ranMs - lossMs).map(({ kept }) => kept);
  if (due.length === 0) return [];
  if (!existsSync(RUN)) return ["no journal"];
  const call = recoverRun(RUN).calls.find(({ id }) => id === LONG);
  if (call === undefined) return ["no call"];
  const reader = CallReader.open(RUN, call.position, LONG);
  const records = collect(reader);
  const { damagedBlocks } = reader;
  reader.close();
  // After a power cut what is beyond the promise may have holes.
  const here = new Set(records.map((one) => JSON.stringify(one)));
  const missing = due.filter((one) => !here.has(JSON.stringify(one))).length;
  const wrong = missing > 0 ? [`${missing} of ${due.length} records missing`] : [];
  if (records.length !== here.size) wrong.push("records doubled");
  if (cut === undefined && damagedBlocks > 0) wrong.push(`${damagedBlocks} blocks damaged`);
  return wrong;
}

const CUTS: (PowerCut | undefined)[] = [
  undefined,
  { pages: 0, names: 0, seed: 0 },
  { pages: 0, names: 1, seed: 1 },
  { pages: 1, names: 0, seed: 2 },
  { pages: 0.5, names: 0.5, seed: 3 },
];

test("a call of which blocks stand in every segment, at any step", { timeout: 120_000 }, async () => {
  const whole = await record(Number.POSITIVE_INFINITY);
  const steps = [...whole.disk.steps];

  expect(whole.compacted).toBeGreaterThan(3);
  expect(lost(whole, LOSS_MS.killed)).toEqual([]);
  const wrong: string[] = [];
  // Before the first copy it is a journal like any other.
  for (let step = steps.findIndex((one) => one.includes(".copy")); step < steps.length; step++) {
    // A name without its pages is what a copy must fear; the others take turns.
    for (const cut of new Set([CUTS[2], CUTS[step % CUTS.length]])) {
      const run = await record(step);
      const at = `${step} ${plainStep(run.disk.steps[step]!)} ${JSON.stringify(cut ?? {})}`;
      wrong.push(...lost(run, cut ? LOSS_MS.power : LOSS_MS.killed, cut).map((what) => `${at}: ${what}`));
    }
  }
  expect(wrong).toEqual([]);
});

// Whatever calls do in whatever order, on whatever disk: what the journal took is what it gives back, and segments live
// exactly as long as a call in them.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JournalPosition } from "../../device/contract/engine-messages.js";
import { JOURNAL_KEY_BYTES } from "../../device/journal/block-cipher.js";
import { recoverRun } from "../../device/journal/recovery.js";
import { type CallJournal, JournalWriter } from "../../device/journal/writer.js";
import {
  callId,
  callRecord,
  FakeDisk,
  type Kept,
  makeKept,
  options,
  put,
  readCall,
  START_US,
  segmentFiles,
  withFolder,
} from "../unit/journal/journal-kit.js";

type Step =
  | { kind: "append"; call: number; side: 0 | 1; length: number; stepUs: number }
  | { kind: "tick"; stepUs: number }
  | { kind: "flush" }
  | { kind: "snapshot"; call: number }
  | { kind: "end"; call: number }
  | { kind: "release"; call: number }
  | { kind: "disk"; freeBytes: number };

const call = fc.nat({ max: 5 });
const stepUs = fc.oneof(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: -3e9, max: 3e9 }));
const append = fc.record({
  kind: fc.constant("append" as const),
  call,
  side: fc.constantFrom(0 as const, 1 as const),
  length: fc.integer({ min: 1, max: 180 }),
  stepUs,
});
const others: fc.Arbitrary<Step>[] = [
  fc.record({ kind: fc.constant("tick" as const), stepUs }),
  fc.constant({ kind: "flush" as const }),
  fc.record({ kind: fc.constant("snapshot" as const), call }),
  fc.record({ kind: fc.constant("end" as const), call }),
  fc.record({ kind: fc.constant("release" as const), call }),
];
const full: fc.Arbitrary<Step> = fc.record({ kind: fc.constant("disk" as const), freeBytes: fc.nat({ max: 1500 }) });

function steps(more: fc.Arbitrary<Step>[]): fc.Arbitrary<Step[]> {
  const weighted = [...others, ...more].map((arbitrary) => ({ arbitrary, weight: 1 }));
  return fc.array(fc.oneof({ arbitrary: append, weight: 20 }, ...weighted), { minLength: 1, maxLength: 150 });
}

interface CallModel {
  journal: CallJournal;
  kept: Kept[];
  position: JournalPosition | undefined;
  state: "open" | "ended" | "released";
}

/** Does the steps against a writer and notes what it took. */
class Run {
  readonly disk = new FakeDisk();
  readonly writer: JournalWriter;
  readonly calls: CallModel[];
  #nowUs = START_US;
  #nowMs = 0;
  #appended = 0;

  constructor(folder: string, key?: Uint8Array) {
    const sizes = options(folder, { segmentBytes: 1500, maxBlockBytes: 300, maxBlocks: 12, key });
    this.writer = new JournalWriter(sizes, undefined, { files: this.disk, monotonicMs: () => this.#nowMs });
    this.calls = Array.from({ length: 6 }, (_, n) => {
      return { journal: this.writer.begin(callId(n)), kept: [], position: undefined, state: "open" };
    });
  }

  do(step: Step): void {
    this.#nowMs += 100;
    if (step.kind === "append") this.#append(step);
    else if (step.kind === "tick") this.writer.tick(this.#move(step.stepUs));
    else if (step.kind === "flush") this.writer.flush();
    else if (step.kind === "disk") this.disk.freeBytes = step.freeBytes;
    else if (step.kind === "snapshot") this.calls[step.call]!.journal.snapshot(callRecord(callId(step.call), "early"));
    else if (step.kind === "end") this.end(step.call);
    else this.#release(step.call);
  }

  end(n: number): void {
    const model = this.calls[n]!;
    if (model.state !== "open") return;
    model.position = model.journal.end(callRecord(callId(n), "final"));
    model.state = "ended";
  }

  #append(step: Step & { kind: "append" }): void {
    const model = this.calls[step.call]!;
    const one = { ...makeKept(step.side, this.#appended++, step.length), capturedAtUs: this.#move(step.stepUs) };
    const isTaken = put(model.journal, one);
    if (model.state !== "open") expect(isTaken).toBe(false);
    if (isTaken) model.kept.push(one);
  }

  #release(n: number): void {
    this.writer.release(callId(n));
    this.calls[n]!.state = "released";
  }

  #move(byUs: number): number {
    this.#nowUs += byUs;
    return this.#nowUs;
  }
}

function bySide(records: Kept[]): [Kept[], Kept[]] {
  return [records.filter((one) => one.side === 0), records.filter((one) => one.side === 1)];
}

describe("the journal under any interleaving", () => {
  it("gives back each side's packets in order and keeps no segment without a live call", () => {
    fc.assert(
      fc.property(steps([]), (todo) =>
        withFolder((folder) => {
          const run = new Run(folder);
          for (const step of todo) run.do(step);
          run.calls.forEach((_, n) => {
            run.end(n);
          });
          const recovered = new Map(recoverRun(folder).calls.map((found) => [found.id, found]));
          run.calls.forEach((model, n) => {
            if (model.state === "released") return;
            expect(model.position === undefined).toBe(model.kept.length === 0);
            if (!model.position) return;
            const read = readCall(folder, model.position);
            expect(bySide(read.records)).toEqual(bySide(model.kept));
            expect(read).toMatchObject({ record: callRecord(callId(n), "final"), damagedBlocks: 0 });
            const times = model.kept.map((one) => one.capturedAtUs);
            expect(recovered.get(callId(n))).toMatchObject({
              position: model.position,
              ended: true,
              firstUs: Math.min(...times),
              lastUs: Math.max(...times),
            });
          });
          run.calls.forEach((_, n) => {
            run.writer.release(callId(n));
          });
          expect(segmentFiles(folder).length).toBeLessThanOrEqual(1);
          expect(run.writer.counters["journal.lost-records"]).toBe(refusedByModel(run, todo));
        }),
      ),
      { numRuns: 150, seed: 20261121 },
    );
  });

  it.each([
    ["in clear", undefined],
    ["sealed", Buffer.alloc(JOURNAL_KEY_BYTES, 7)],
  ])("loses nothing it took on a disk that fills up and empties again (%s)", (_, key) => {
    fc.assert(
      fc.property(steps([full]), (todo) =>
        withFolder((folder) => {
          const run = new Run(folder, key);
          for (const step of todo) run.do(step);
          run.disk.freeBytes = Number.POSITIVE_INFINITY;
          run.calls.forEach((_, n) => {
            run.end(n);
          });
          run.writer.flush();
          for (const model of run.calls) {
            if (model.state === "released" || model.kept.length === 0) continue;
            const read = readCall(folder, model.journal.lastPosition!, undefined, key);
            expect(bySide(read.records)).toEqual(bySide(model.kept));
            expect(read.damagedBlocks).toBe(0);
          }
        }),
      ),
      { numRuns: 150, seed: 20261121 },
    );
  });
});

/** What append refused: on a sound disk nothing else is lost. */
function refusedByModel(run: Run, todo: Step[]): number {
  const taken = run.calls.reduce((sum, model) => sum + model.kept.length, 0);
  return todo.filter((step) => step.kind === "append").length - taken;
}

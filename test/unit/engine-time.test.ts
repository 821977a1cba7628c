// The engine's time through steps of the wall clock, by itself and under the whole pipeline: a call with a step in it leaves the same
// spans, streams and journal as one without.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../device/contract/call-record.js";
import { EngineTime } from "../../device/engine-time.js";
import { CallReader } from "../../device/journal/reader.js";
import { DEFAULT_START_US } from "../fakes/call-options.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { officeConfig, RecorderRun } from "../fakes/recorder-run.js";
import type { TimedFrame } from "../fakes/timed-frames.js";

const SECOND_US = 1_000_000;

/** A kernel whose clock is set at moments of true time. */
class Kernel {
  trueUs = DEFAULT_START_US;
  private readonly steps: { atUs: number; offsetUs: number }[];
  constructor(steps: { atUs: number; offsetUs: number }[]) {
    this.steps = steps;
  }
  stamp(trueUs: number): number {
    return this.steps.reduce((sum, step) => sum + (trueUs >= step.atUs ? step.offsetUs : 0), trueUs);
  }
  wallUs = (): number => this.stamp(this.trueUs);
  monotonicMs = (): number => (this.trueUs - DEFAULT_START_US) / 1000;
}

/** A step that is one, of a quarter of a second to a day either way. */
const offset = fc
  .tuple(fc.integer({ min: 250, max: 86_400_000 }), fc.boolean())
  .map(([ms, isBack]) => (isBack ? -ms : ms) * 1000);

describe("EngineTime", () => {
  it("gives packets the time they would have without the steps, however late they are read", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ afterS: fc.integer({ min: 6, max: 60 }), offsetUs: offset }), { maxLength: 4 }),
        fc.integer({ min: 0, max: 150 }),
        fc.integer({ min: 20, max: 80 }),
        (found, latenessMs, everyMs) => {
          let atUs = DEFAULT_START_US;
          const steps = found.map(({ afterS, offsetUs }) => {
            atUs += afterS * SECOND_US + 7;
            return { atUs, offsetUs };
          });
          const kernel = new Kernel(steps);
          const told: number[] = [];
          const time = new EngineTime(kernel, (offsetUs) => told.push(offsetUs));
          const endUs = atUs + 10 * SECOND_US;
          let tickedUs = 0;
          for (let sentUs = DEFAULT_START_US + 1000; sentUs < endUs; sentUs += everyMs * 1000) {
            kernel.trueUs = sentUs + latenessMs * 1000;
            if (kernel.trueUs - tickedUs > 100_000) {
              tickedUs = kernel.trueUs;
              expect(time.nowUs()).toBe(kernel.trueUs);
            }
            expect(time.of(kernel.stamp(sentUs))).toBe(sentUs);
          }
          expect(told).toEqual(steps.map(({ offsetUs }) => offsetUs));
        },
      ),
      { numRuns: 40 },
    );
  });

  it("takes slewing for no step", () => {
    const clocks = { us: DEFAULT_START_US, ms: 0, wallUs: () => clocks.us, monotonicMs: () => clocks.ms };
    const told: number[] = [];
    const time = new EngineTime(clocks, (offsetUs) => told.push(offsetUs));
    for (let i = 0; i < 10_000; i++) {
      clocks.ms += 100;
      clocks.us += 100_050;
      expect(time.of(clocks.us)).toBe(clocks.us);
      expect(time.nowUs()).toBe(clocks.us);
    }
    expect(told).toEqual([]);
  });

  it("follows the wall clock again when it is told to, not while packets of before the step may come", () => {
    const kernel = new Kernel([{ atUs: DEFAULT_START_US + SECOND_US, offsetUs: 3600 * SECOND_US }]);
    const time = new EngineTime(kernel, () => {});
    kernel.trueUs += 2 * SECOND_US;
    expect(time.nowUs()).toBe(kernel.trueUs);
    expect(time.aheadUs).toBe(3600 * SECOND_US);
    expect(time.follow()).toBe(false);
    kernel.trueUs += 6 * SECOND_US;
    time.nowUs();
    expect(time.follow()).toBe(true);
    expect(time.nowUs()).toBe(kernel.wallUs());
    expect(time.of(kernel.stamp(kernel.trueUs))).toBe(kernel.wallUs());
  });
});

describe("a call with a step in it", () => {
  let folder: string;
  beforeEach(() => {
    folder = makeFolder();
  });
  afterEach(() => removeFolder(folder));

  /** As engine.ts drives the pipeline live. */
  async function play(frames: readonly TimedFrame[], steps: { atUs: number; offsetUs: number }[]) {
    const kernel = new Kernel(steps);
    const run = new RecorderRun(folder, officeConfig());
    const time = new EngineTime(kernel, (offsetUs) => run.recorder.noteClockStep(offsetUs));
    for (const frame of frames) {
      for (; kernel.trueUs + 100_000 < frame.atUs; kernel.trueUs += 100_000) run.recorder.idle(time.nowUs() - 200_000);
      kernel.trueUs = frame.atUs;
      run.feed([{ ...frame, atUs: time.of(kernel.stamp(frame.atUs)) }]);
    }
    await run.end();
    const [record] = run.records;
    expect(run.records).toHaveLength(1);
    return { record: record!, audio: audioOf(run) };
  }

  function audioOf(run: RecorderRun): string[] {
    const found: string[] = [];
    const reader = CallReader.open(run.journalFolder, run.positions[0]!);
    reader.visit(({ side, stream, capturedAtUs, data, start, end }) => {
      found.push(`${side} ${stream} ${capturedAtUs} ${data.toString("hex", start, end)}`);
    });
    reader.close();
    return found;
  }

  const facts = ({ id: _, clockSteps: __, ...record }: CallRecord) => record;

  it("leaves the same record and the same journal, and names the step", async () => {
    const frames = makeCall({}) as TimedFrame[];
    const without = await play(frames, []);
    expect(without.record.clockSteps).toBeUndefined();
    expect(without.audio.length).toBeGreaterThan(50);
    for (const offsetUs of [0.3, -0.3, 2, -2, 60, -60, 3600, -3600, 86_400, -86_400].map((s) => s * SECOND_US)) {
      const atUs = DEFAULT_START_US + 2.005 * SECOND_US;
      const stepped = await play(frames, [{ atUs, offsetUs }]);
      expect(facts(stepped.record), `${offsetUs}`).toEqual(facts(without.record));
      expect(stepped.audio, `${offsetUs}`).toEqual(without.audio);
      expect(stepped.record.clockSteps, `${offsetUs}`).toEqual([{ atUs: expect.any(Number), offsetUs }]);
    }
  });
});

import { expect, test } from "vitest";
import type { AudioCodec } from "../../../device/seal/codec.js";
import { SampleWindow } from "../../../device/seal/sample-window.js";
import { makeRandom } from "../../fakes/random.js";

/** Every byte is a sample of 100 times its value, two's complement. */
const plain: AudioCodec = {
  name: "PLAIN",
  clockRateHz: 8000,
  sampleRateHz: 8000,
  samplesOf: (_data, start, end) => end - start,
  decode(data, start, end, into, at, step) {
    for (let i = start; i < end; i++) into[at + (i - start) * step] = data.readInt8(i) * 256;
    return end - start;
  },
};

class Recording {
  readonly samples: number[] = [];
  readonly window: SampleWindow;
  constructor(totalFrames: number, reachFrames: number) {
    const sink = (interleaved: Int16Array): void => void this.samples.push(...interleaved);
    this.window = new SampleWindow({ frames: totalFrames, reachFrames }, sink);
  }
  put(channel: 0 | 1, frame: number, values: number[]): boolean {
    if (!this.window.holds(frame, values.length)) return false;
    const data = Buffer.from(Int8Array.from(values).buffer);
    expect(this.window.decode(channel, frame, plain, data, 0, data.length)).toBe(values.length);
    return true;
  }
  channel(which: 0 | 1): number[] {
    return this.samples.filter((_, i) => i % 2 === which).map((sample) => sample / 256);
  }
}

test.each([1, 2, 3, 7, 8, 9, 20, 21])("a recording of %i frames comes out whole, whatever the window", (total) => {
  const recording = new Recording(total, 4);
  for (let frame = 0; frame < total; frame++) {
    expect(recording.put(0, frame, [frame + 1])).toBe(true);
    expect(recording.put(1, frame, [-frame - 1])).toBe(true);
  }
  recording.window.finish();
  expect(recording.channel(0)).toEqual(Array.from({ length: total }, (_, frame) => frame + 1));
  expect(recording.channel(1)).toEqual(Array.from({ length: total }, (_, frame) => -frame - 1));
});

test("what nobody writes is silence, however long", () => {
  const recording = new Recording(1000, 10);
  recording.put(0, 3, [1, 2]);
  recording.put(1, 990, [5]);
  recording.window.finish();
  expect(recording.samples.length).toBe(2000);
  expect(recording.channel(0).flatMap((sample, frame) => (sample === 0 ? [] : [[frame, sample]]))).toEqual([
    [3, 1],
    [4, 2],
  ]);
  expect(recording.channel(1).flatMap((sample, frame) => (sample === 0 ? [] : [[frame, sample]]))).toEqual([[990, 5]]);
});

test("a late packet is written within reach and refused beyond it", () => {
  const recording = new Recording(100, 10);
  recording.put(0, 49, [1]);
  expect(recording.put(0, 39, [2])).toBe(true);
  recording.put(0, 70, [3]);
  expect(recording.put(0, 39, [9])).toBe(false);
  expect(recording.put(1, 10, [9])).toBe(false);
  recording.window.finish();
  const heard = recording.channel(0).flatMap((sample, frame) => (sample === 0 ? [] : [[frame, sample]]));
  expect(heard).toEqual([
    [39, 2],
    [49, 1],
    [70, 3],
  ]);
});

test("nothing is written outside the recording", () => {
  const recording = new Recording(20, 10);
  expect(recording.put(0, -1, [1, 1])).toBe(false);
  expect(recording.put(0, 19, [1, 1])).toBe(false);
  expect(recording.put(0, Number.NEGATIVE_INFINITY, [1])).toBe(false);
  expect(recording.put(0, Number.NaN, [1])).toBe(false);
  expect(recording.put(0, 0, Array(11).fill(1))).toBe(false);
  recording.window.finish();
  expect(recording.samples).toEqual(Array(40).fill(0));
});

test("what goes before the first frame is handed on first, and takes no frame's place", () => {
  for (const total of [1, 5, 9, 40]) {
    for (const leadFrames of [1, 3, 7]) {
      const handedOn: number[] = [];
      const lead = Int16Array.from({ length: 2 * leadFrames }, (_, i) => 1000 + i);
      const options = { frames: total, reachFrames: 4, lead };
      const window = new SampleWindow(options, (interleaved) => void handedOn.push(...interleaved));
      for (let frame = 0; frame < total; frame++) {
        expect(window.holds(frame, 1)).toBe(true);
        window.decode(1, frame, plain, Buffer.from([1]), 0, 1);
      }
      expect(window.holds(total, 1)).toBe(false);
      expect(window.holds(-1, 1)).toBe(false);
      window.finish();
      expect(handedOn).toEqual([...lead, ...Array.from({ length: total }, () => [0, 256]).flat()]);
    }
  }
});

test("what sounds at the same time is added and clipped, in either order", () => {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const recording = new Recording(8, 8);
    const parts: [number, number[]][] = [
      [0, [100, 50, -100, 1]],
      [1, [100, -100, 1, 7]],
    ];
    for (const which of order) recording.put(0, ...parts[which!]!);
    recording.window.finish();
    expect(recording.samples.filter((_, i) => i % 2 === 0)).toEqual([25600, 32767, -32768, 512, 1792, 0, 0, 0]);
  }
});

test("packets of any length come out whole wherever the ring ends", () => {
  const random = makeRandom(5);
  for (let round = 0; round < 200; round++) {
    const reach = 1 + Math.floor(random() * 12);
    const total = 1 + Math.floor(random() * 100);
    const recording = new Recording(total, reach);
    const expected = [new Array<number>(total).fill(0), new Array<number>(total).fill(0)];
    const half = Math.min(total, reach);
    const next = [0, 0];
    while (next[0]! < total || next[1]! < total) {
      const channel = next[0]! <= next[1]! ? 0 : 1;
      const length = Math.min(1 + Math.floor(random() * half), total - next[channel]!);
      const values = Array.from({ length }, () => 1 + Math.floor(random() * 100));
      expect(recording.put(channel, next[channel]!, values)).toBe(true);
      for (const [i, value] of values.entries()) expected[channel]![next[channel]! + i] = value;
      next[channel]! += length;
    }
    recording.window.finish();
    expect([recording.channel(0), recording.channel(1)]).toEqual(expected);
  }
});

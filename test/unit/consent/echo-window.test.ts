import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AGENT_SAMPLES,
  CALLER_SAMPLES,
  EchoTrack,
  EchoWindow,
  WindowState,
} from "../../../device/consent/echo-window.js";
import { ALAW_SAMPLES, MULAW_SAMPLES } from "../../../device/rtp/g711-samples.js";
import { makeRandom } from "../../fakes/random.js";

const START_US = 1_800_000_000_000_000;
const SILENCE = 0xd5;
const codes = (from: number, count: number) => Buffer.from(Array.from({ length: count }, (_, i) => (from + i) & 0xff));
/** When the packet with samples [at, at + count) is captured, if nothing delays it. */
const sentUs = (at: number, count: number) => START_US + (at + count) * 125;

function put(track: EchoTrack, first: number, at: number, data: Buffer, lateUs = 0): boolean {
  const timestamp = (first + at) >>> 0;
  return track.put(ALAW_SAMPLES, data, 0, data.length, timestamp, sentUs(at, data.length) + lateUs);
}
const contents = (track: EchoTrack) => track.codes.map((code) => code ^ track.silence);

describe("EchoTrack", () => {
  it("puts packets in their places whatever their order, their length and their timestamps' turn to 0", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 1, max: 2 ** 31 }), (first, seed) => {
        const random = makeRandom(seed);
        const track = new EchoTrack(800);
        const expected = new Uint8Array(800).fill(SILENCE);
        const packets: [number, Buffer][] = [];
        for (let at = 80; at < 1200; ) {
          const data = codes(Math.floor(256 * random()), 20 + Math.floor(220 * random()));
          if (random() < 0.8) packets.push([at, data]);
          at += data.length;
        }
        const last = packets.map((packet) => [random(), packet] as const).sort(([a], [b]) => a - b);
        // The first to come is where the track begins.
        put(track, first, 0, codes(7, 80));
        expected.set(codes(7, 80));
        for (const [, [at, data]] of last) {
          expect(put(track, first, at, data)).toBe(true);
          if (at < 800) expected.set(data.subarray(0, 800 - at), at);
        }
        expect(contents(track)).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it("leaves out what comes before its beginning", () => {
    const track = new EchoTrack(400);
    put(track, 5000, 160, codes(1, 160));
    expect(put(track, 5000, 0, codes(99, 160))).toBe(true);
    put(track, 5000, 80, codes(50, 160));
    expect(track.filled).toBe(240);
    const got = contents(track);
    expect([...got.subarray(0, 80)]).toEqual([...codes(130, 80)]);
    expect([...got.subarray(80, 160)]).toEqual([...codes(81, 80)]);
    expect([...got.subarray(160)]).toEqual(Array.from({ length: 240 }, () => SILENCE));
  });

  it("takes a pause in which nothing is sent, and refuses a clock set anew and another codec", () => {
    const track = new EchoTrack(AGENT_SAMPLES);
    put(track, 1, 0, codes(0, 160));
    expect(put(track, 1, 8000, codes(0, 160))).toBe(true);
    expect(put(track, 1, 8160, codes(0, 160), 400_000)).toBe(false);
    expect(track.put(ALAW_SAMPLES, codes(0, 160), 0, 160, 123_456, sentUs(8320, 160))).toBe(false);
    expect(track.put(MULAW_SAMPLES, codes(0, 160), 0, 160, 8321, sentUs(8320, 160))).toBe(false);
  });

  it("takes the packet that waited least as its place in time", () => {
    const track = new EchoTrack(AGENT_SAMPLES);
    const random = makeRandom(3);
    for (let at = 0; at < AGENT_SAMPLES; at += 160)
      put(track, 9, at, codes(0, 160), at === 1600 ? 0 : 50_000 * random());
    expect(track.zeroAtUs).toBe(START_US);
  });

  it("never writes elsewhere, whatever packets say", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: -1e7, max: 1e7 }), fc.nat(1500))),
        (packets) => {
          const track = new EchoTrack(512);
          for (const [timestamp, atUs, length] of packets) {
            track.put(MULAW_SAMPLES, codes(1, length), 0, length, timestamp, START_US + atUs);
          }
          expect(track.codes.length).toBe(512);
          expect(Object.keys(track.codes).length).toBe(512);
          track.wipe();
          expect(track.codes.every((code) => code === 0)).toBe(true);
          expect(track.samplesOfCode).toBeUndefined();
        },
      ),
    );
  });
});

describe("EchoWindow", () => {
  function fill(window: EchoWindow, agentLateUs: number, isSent: (at: number) => boolean = () => true): WindowState {
    window.openedAtUs = START_US;
    let state: WindowState = WindowState.open;
    for (let at = 0; state === WindowState.open; at += 160) {
      const data = codes(at, 160);
      if (isSent(at)) state = window.put(window.caller, ALAW_SAMPLES, data, 0, 160, at, sentUs(at, 160));
      if (state !== WindowState.open) break;
      state = window.put(window.agent, MULAW_SAMPLES, data, 0, 160, 77 + at, sentUs(at, 160) + agentLateUs);
    }
    return state;
  }

  it("is whole when both parts are, and says how far they are apart", () => {
    const window = new EchoWindow();
    expect(fill(window, 15_000)).toBe(WindowState.whole);
    expect(window.caller.isFull()).toBe(true);
    expect(window.agent.isFull()).toBe(true);
    expect(window.agentBehindSamples()).toBe(120);
    expect(window.isComparable()).toBe(true);
  });

  it("ends when its time is over, and is not compared when too little came or the agent began too late", () => {
    const some = new EchoWindow();
    expect(fill(some, 0, (at) => at % 1600 < 800)).toBe(WindowState.whole);
    expect(some.isComparable()).toBe(true);
    const little = new EchoWindow();
    expect(fill(little, 0, (at) => at < CALLER_SAMPLES / 4)).toBe(WindowState.whole);
    expect(little.isComparable()).toBe(false);
    const late = new EchoWindow();
    fill(late, 700_000);
    expect(late.isComparable()).toBe(false);
  });
});

import { describe, expect, it } from "vitest";
import { EchoFinder } from "../../../device/consent/echo-finder.js";
import { EchoPool } from "../../../device/consent/echo-pool.js";
import { ALAW_SAMPLES } from "../../../device/rtp/g711-samples.js";
import {
  echoScene,
  hand,
  listen,
  mixed,
  noise,
  packetsOf,
  packetsOfScene,
  rmsOf,
  START_US,
  scaled,
  silence,
  speech,
} from "../../fakes/echo-scenes.js";

const OPTIONS = { limitPercent: 35 };
function finderOf(pool = new EchoPool(), limitPercent = 35): EchoFinder {
  return new EchoFinder({ limitPercent }, pool);
}
const inUse = ({ counters: c }: EchoPool) =>
  c.opened - c.withEcho - c.withoutEcho - c.unspoken - c.crossTalk - c.broken - c.withdrawn;

describe("EchoFinder", () => {
  it("believes the second window that says the same, and counts both then", () => {
    const finder = finderOf();
    expect(finder.report()).toBeUndefined();
    const verdicts = listen(finder, packetsOfScene(echoScene(1, -15, 180, "noise")));
    expect(verdicts.map(({ found }) => found)).toEqual([false, true, true, true]);
    for (const { correlation, delayMs, levelDb } of verdicts) {
      expect(correlation).toBeGreaterThan(0.9);
      expect(Math.abs(delayMs - 180)).toBeLessThan(2);
      expect(Math.abs(levelDb + 15)).toBeLessThan(1);
    }
    expect(finder.report()).toMatchObject({ windows: 4, found: 4 });
  });

  it("compares, finds nothing and says so", () => {
    const finder = finderOf();
    const verdicts = listen(finder, packetsOfScene({ caller: speech(6, { seed: 5 }), agent: noise(6, rmsOf(-50), 6) }));
    expect(verdicts).toMatchObject([{ found: false, correlation: 0 }, { found: false }]);
    expect(finder.report()).toEqual({ windows: 2, found: 0, correlation: 0, delayMs: 0, levelDb: -99 });
  });

  it("lets the limit decide from when on the caller counts as heard", () => {
    const packets = packetsOfScene(echoScene(3, -30, 90, "noise"));
    const low = finderOf();
    listen(low, packets);
    const { correlation } = low.report()!;
    expect(low.report()!.found).toBeGreaterThan(0);
    expect(correlation).toBeLessThan(0.95);
    const high = finderOf(new EchoPool(), 95);
    expect(listen(high, packets).some(({ found }) => found)).toBe(false);
    expect(high.report()).toMatchObject({ found: 0, correlation });
  });

  it("tells nothing while the caller is silent, says too little or the agent talks all the time", () => {
    const pool = new EchoPool();
    const talk = speech(12, { seed: 8, noise: 300 });
    const clicks = silence(12);
    for (let i = 0; i < 2000; i++) clicks[8000 + i] = talk[i]!;
    for (const caller of [noise(12, 60, 7), clicks]) {
      const finder = finderOf(pool);
      listen(finder, packetsOfScene({ caller, agent: talk }));
      expect(finder.report()).toBeUndefined();
    }
    expect(pool.counters).toMatchObject({ opened: 1, unspoken: 1 });
    const finder = finderOf(pool);
    listen(finder, packetsOfScene({ caller: speech(12, { seed: 9 }), agent: talk }));
    expect(finder.report()).toBeUndefined();
    expect(pool.counters.crossTalk).toBeGreaterThan(2);
  });

  it("rests between windows after the first ones", () => {
    const pool = new EchoPool();
    const verdicts = listen(
      finderOf(pool),
      packetsOfScene({ caller: speech(40, { seed: 5 }), agent: noise(40, rmsOf(-50), 6) }),
    );
    const gapsMs = verdicts.slice(1).map(({ atMs }, i) => atMs - verdicts[i]!.atMs);
    expect(gapsMs.length).toBeGreaterThan(6);
    expect(Math.max(...gapsMs.slice(0, 4))).toBeLessThan(3500);
    expect(Math.min(...gapsMs.slice(4))).toBeGreaterThan(6000);
  });

  it("begins anew when a stream changes its clock or its codec in a window", () => {
    const pool = new EchoPool();
    const scene = echoScene(4, -10, 100, "noise");
    const before = packetsOfScene(scene).filter(({ atUs }) => atUs < START_US + 1_000_000);
    const after = packetsOfScene({ ...scene, callerSends: { codec: "PCMU", seed: 9 } }).filter(
      ({ atUs }) => atUs >= START_US + 1_000_000,
    );
    const verdicts = listen(finderOf(pool), [...before, ...after]);
    expect(pool.counters.broken).toBe(1);
    expect(verdicts.at(-1)).toMatchObject({ found: true });
  });

  it("goes on when the capture clock is set back", () => {
    const finder = finderOf();
    const packets = packetsOfScene({ caller: speech(14, { seed: 5 }), agent: noise(14, rmsOf(-50), 6) });
    listen(finder, packets);
    const { windows } = finder.report()!;
    listen(
      finder,
      packets.map((packet) => ({ ...packet, atUs: packet.atUs - 3600e6 })),
    );
    expect(finder.report()!.windows).toBeGreaterThan(windows);
  });

  it("finds an echo of an agent whose phone sends nothing while it is silent", () => {
    const caller = speech(12, { seed: 21 }, 0.6);
    const agent = scaled(caller, 0.05).map((_, i) => 0.05 * (caller[i - 1600] ?? 0));
    const agentPackets = packetsOf(false, agent).filter(({ data }) => new Set(data).size > 8);
    const packets = [...packetsOf(true, caller), ...agentPackets].sort((a, b) => a.atUs - b.atUs);
    expect(agentPackets.length).toBeLessThan(0.8 * 600);
    const last = listen(finderOf(), packets).at(-1);
    expect(last).toMatchObject({ found: true });
    expect(Math.abs(last!.delayMs - 200)).toBeLessThan(2);
  });

  it("says the same of the same packets", () => {
    const packets = packetsOfScene(echoScene(6, -25, 333, "talk"));
    expect(listen(finderOf(), packets)).toEqual(listen(finderOf(), packets));
  });
});

/** Every buffer that can be reached from `root`. */
function buffersOf(root: object): Map<ArrayBufferLike, Uint8Array> {
  const buffers = new Map<ArrayBufferLike, Uint8Array>();
  const seen = new Set<object>();
  const open: object[] = [root];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    if (ArrayBuffer.isView(value)) buffers.set(value.buffer, new Uint8Array(value.buffer));
    else if (value instanceof Map || value instanceof Set) open.push(...[...value].flat().filter(isObject));
    else open.push(...Object.values(value).filter(isObject));
  }
  return buffers;
}
const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

describe("what an EchoFinder keeps", () => {
  // No code of silence in it, so that it shows in whatever form it is kept.
  const MARKER = Buffer.from([0x11, 0x92, 0x2f, 0xa0, 0x3c, 0x8b, 0x15, 0x99]);
  const SAMPLES = Float64Array.from(MARKER, (code) => ALAW_SAMPLES[code]!);
  const forms = [
    MARKER,
    Buffer.from(MARKER.map((code) => code ^ 0xd5)),
    Buffer.from(SAMPLES.buffer),
    Buffer.from(Float32Array.from(SAMPLES).buffer),
    Buffer.from(Int16Array.from(SAMPLES).buffer),
  ];
  const findings = (root: object) =>
    [...buffersOf(root).values()].filter((bytes) => forms.some((form) => Buffer.from(bytes).includes(form))).length;
  const marked = packetsOfScene(echoScene(2, -10, 60, "noise")).map((packet) => ({
    ...packet,
    data: Buffer.concat([packet.data.subarray(0, 40), Buffer.alloc(80, MARKER), packet.data.subarray(120)]),
  }));
  const until = (ms: number) => marked.filter(({ atUs }) => atUs < START_US + ms * 1000);
  /** All that a finder and its pool hold, as a text for each size of buffer. */
  const holdings = (root: object) =>
    [...buffersOf(root).values()].map((bytes) => Buffer.from(bytes).toString("base64"));

  it("is in the window while it is open, and nowhere once it was wiped", () => {
    const finder = finderOf();
    const untouched = new Set(holdings(finder));
    for (const packet of until(1000)) hand(finder, packet);
    expect(findings(finder)).toBeGreaterThan(0);
    const [window] = [...buffersOf(finder).values()].filter((bytes) => Buffer.from(bytes).includes(forms[1]!));
    expect(window).toBeDefined();
    finder.wipe();
    expect(findings(finder)).toBe(0);
    // Nothing else of the audio either: every buffer is as it was made, or all zero.
    for (const bytes of buffersOf(finder).values()) {
      const isBlank = bytes.every((byte) => byte === 0);
      expect(isBlank || untouched.has(Buffer.from(bytes).toString("base64"))).toBe(true);
    }
  });

  it("is nothing after a window was judged, with an echo in it or without", () => {
    for (const levelDb of [-10, -200]) {
      const pool = new EchoPool();
      const finder = finderOf(pool);
      const untouched = new Set(holdings(finder));
      const packets = packetsOfScene(echoScene(2, levelDb, 60, "noise"));
      let judged = 0;
      for (const packet of packets) {
        const before = pool.counters.opened;
        hand(finder, packet);
        if (finder.take() === undefined || before !== pool.counters.opened) continue;
        judged++;
        for (const bytes of buffersOf(finder).values()) {
          expect(bytes.every((byte) => byte === 0) || untouched.has(Buffer.from(bytes).toString("base64"))).toBe(true);
        }
      }
      expect(judged).toBeGreaterThan(1);
    }
  });

  it("is nothing when two calls shared a window and one of them ended", () => {
    const pool = new EchoPool(1);
    const [one, two] = [finderOf(pool), finderOf(pool)];
    for (const packet of until(500)) hand(one, packet);
    for (const packet of until(500)) hand(two, packet);
    expect(inUse(pool)).toBe(1);
    one.wipe();
    two.wipe();
    expect(inUse(pool)).toBe(0);
    expect(findings(pool)).toBe(0);
    expect(pool.counters.refused).toBeGreaterThan(0);
  });
});

describe("what it costs", () => {
  it("stays within its windows, however many calls there are", () => {
    const pool = new EchoPool(3);
    const finders = Array.from({ length: 20 }, () => new EchoFinder(OPTIONS, pool));
    const packets = packetsOfScene({
      caller: mixed(speech(4, { seed: 5 }), noise(4, 20, 1)),
      agent: noise(4, rmsOf(-50), 6),
    });
    for (const packet of packets) for (const finder of finders) hand(finder, packet);
    expect(pool.windowCount).toBe(3);
    expect(inUse(pool)).toBeLessThanOrEqual(3);
    const bytes = [...buffersOf(pool).keys()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(bytes).toBeLessThan(1024 * 1024);
  });
});

import { describe, expect, it } from "vitest";
import { fingerprint, isSampled } from "../../../device/call/payload-fingerprint.js";
import { PayloadMatcher } from "../../../device/call/payload-matcher.js";
import { makeRandom, randomInteger } from "../../fakes/random.js";
import { type SpeechOptions, speechPayloads } from "../../fakes/speech.js";
import { encodeG711, toneSource } from "../../fakes/tone.js";
import { inOrder, Mirror, type Passing, type PassingOptions, PTIME_US, passing, START_US } from "./payload-scene.js";

const SECOND = 50;
const MS = 1000;

function speech(seed: number, seconds: number, options: Partial<SpeechOptions> = {}): Buffer[] {
  return speechPayloads({ seed, ...options }, seconds * SECOND);
}

/** A stream and its relayed copy, `delayMs` later. */
function relayed(name: string, payloads: readonly Uint8Array[], delayMs: number, options: PassingOptions = {}) {
  const startUs = (options.startUs ?? 0) + delayMs * MS;
  return [
    passing(`${name}1`, payloads, { startUs: options.startUs ?? 0 }),
    passing(`${name}2`, payloads, { ...options, startUs }),
  ];
}

/** Each of `names` carries the same payloads, `lagUs` after the one before it. */
function broadcast(
  names: readonly string[],
  payloads: readonly Uint8Array[],
  lagUs: number,
  isLost?: (i: number) => boolean,
) {
  return names.map((name, i) => passing(name, payloads, { startUs: i * lagUs, ...(isLost && { isLost }) }));
}

function tone(frequenciesHz: readonly number[], seconds: number): Buffer[] {
  const sources = frequenciesHz.map((frequencyHz) => toneSource(frequencyHz, 0.2));
  if (sources.length === 1)
    return Array.from({ length: seconds * SECOND }, (_, i) => sources[0]!(i * 160, 160, "PCMA"));
  return Array.from({ length: seconds * SECOND }, (_, packet) => {
    const samples = new Int16Array(160);
    for (const frequencyHz of frequenciesHz) {
      for (let i = 0; i < 160; i++) {
        samples[i]! += Math.round(4000 * Math.sin((2 * Math.PI * frequencyHz * ((packet * 160 + i) % 8000)) / 8000));
      }
    }
    return encodeG711(samples, "PCMA");
  });
}

/** Random payloads that are looked at and fulfil `isWanted`. */
function sampledNoise(seed: number, count: number, length: number, isWanted = (_: Buffer): boolean => true): Buffer[] {
  const random = makeRandom(seed);
  const payloads: Buffer[] = [];
  while (payloads.length < count) {
    const payload = Buffer.alloc(length);
    for (let at = 0; at < length; at += 4) payload.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
    if (isSampled(payload, 0, length) && isWanted(payload)) payloads.push(payload);
  }
  return payloads;
}

describe("a relayed stream", () => {
  it.each([0.2, 1, 5, 12, 40, 120])("is found once at a delay of %d ms, original and delay named", (delayMs) => {
    const mirror = new Mirror().pass(inOrder(...relayed("a", speech(1, 10), delayMs)));
    expect(mirror.pairs).toEqual(["a1>a2"]);
    const [pair] = mirror.found;
    expect(pair!.delayUs).toBe(delayMs * MS);
    expect(pair!.matches).toBeGreaterThanOrEqual(12);
    expect(mirror.token("a1").partner).toBe(mirror.token("a2"));
    expect(mirror.token("a2").partner).toBe(mirror.token("a1"));
    expect([mirror.token("a1").isOriginal, mirror.token("a2").isOriginal]).toEqual([true, false]);
  });

  it("is found within five seconds of speech, whoever speaks", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const mirror = new Mirror().pass(inOrder(...relayed("a", speech(seed, 8), 3)));
      expect(mirror.pairs).toEqual(["a1>a2"]);
      expect(mirror.found[0]!.atUs).toBeLessThan(5_000_000);
    }
  });

  it.each([1, 10, 40])("is found with jitter, %d ms after the original", (delayMs) => {
    const random = makeRandom(delayMs);
    const jitter = { delayUs: () => random() * 15 * MS };
    const mirror = new Mirror().pass(inOrder(...relayed("a", speech(2, 12), delayMs, jitter)));
    expect(mirror.pairs).toEqual(["a1>a2"]);
    expect(Math.abs(mirror.found[0]!.delayUs - (delayMs + 7.5) * MS)).toBeLessThan(7.5 * MS);
  });

  it("is found when either side loses packets, even half of them", () => {
    for (const share of [0.05, 0.2, 0.5]) {
      for (const side of [0, 1]) {
        const random = makeRandom(9);
        const payloads = speech(3, 20);
        const lossy = { isLost: () => random() < share };
        const streams = [
          passing("a1", payloads, side === 0 ? lossy : {}),
          passing("a2", payloads, { startUs: 4 * MS, ...(side === 1 ? lossy : {}) }),
        ];
        expect(new Mirror().pass(inOrder(...streams)).pairs).toEqual(["a1>a2"]);
      }
    }
  });

  it("is found when packets overtake each other", () => {
    const random = makeRandom(5);
    const payloads = speech(4, 12);
    // A fifth of the packets is late on its way to the exchange, another tenth behind it.
    const late = payloads.map(() => (random() < 0.2 ? random() * 90 * MS : 0));
    const later = late.map((delayUs) => delayUs + 8 * MS + (random() < 0.1 ? random() * 50 * MS : 0));
    const streams = [
      passing("a1", payloads, { delayUs: (i) => late[i]! }),
      passing("a2", payloads, { delayUs: (i) => later[i]! }),
    ];
    expect(new Mirror().pass(inOrder(...streams)).pairs).toEqual(["a1>a2"]);
  });

  it("is found although one delay in twelve is far off, not although one in six is", () => {
    const payloads = sampledNoise(10, 300, 160);
    const outlier =
      (every: number) =>
      (i: number): number =>
        i % every === 5 ? 150 * MS : 0;
    const found = (every: number): string[] =>
      new Mirror().pass(inOrder(...relayed("a", payloads, 5, { delayUs: outlier(every) }))).pairs;
    expect(found(12)).toEqual(["a1>a2"]);
    expect(found(6)).toEqual([]);
  });

  it("is found when packets are offered in another order than their times tell", () => {
    const payloads = speech(4, 12);
    const [original, copy] = relayed("a", payloads, 5);
    const packets = copy!.flatMap((each, i) => [each, original![i]!]);
    const mirror = new Mirror().pass(packets);
    expect(mirror.found.map(({ pair, delayUs }) => [pair, delayUs])).toEqual([["a1>a2", 5000]]);
  });

  it("is found when both have the same time: the one offered first is the original", () => {
    const mirror = new Mirror();
    mirror.token("b");
    mirror.pass(inOrder(...broadcast(["a", "b"], speech(4, 12), 0)));
    expect(mirror.found.map(({ pair, delayUs }) => [pair, delayUs])).toEqual([["a>b", 1]]);
  });

  it("is found when the mirror copies every packet of one side or of both", () => {
    const copyAfterUs = (i: number): number => 20 + (i % 300);
    for (const sides of [[0], [1], [0, 1]]) {
      const payloads = speech(5, 12);
      const streams = [0, 1].map((side) =>
        passing(`a${side + 1}`, payloads, { startUs: side * 2 * MS, ...(sides.includes(side) && { copyAfterUs }) }),
      );
      const mirror = new Mirror().pass(inOrder(...streams));
      expect(mirror.pairs).toEqual(["a1>a2"]);
      expect(mirror.matcher.copies).toBeGreaterThan(0);
      expect(mirror.matcher.recurring).toBe(0);
    }
  });

  it("is found when only its middle is seen", () => {
    const payloads = speech(6, 60);
    const streams = [
      passing("a1", payloads, { isLost: (i) => i < 20 * SECOND }),
      passing("a2", payloads, { startUs: 5 * MS, isLost: (i) => i < 35 * SECOND }),
    ];
    const mirror = new Mirror().pass(inOrder(...streams));
    expect(mirror.pairs).toEqual(["a1>a2"]);
    expect(mirror.found[0]!.atUs).toBeLessThan(40_000_000);
  });

  it("is found in both directions of a call", () => {
    const mirror = new Mirror().pass(
      inOrder(...relayed("caller", speech(7, 10), 3), ...relayed("agent", speech(8, 10), 2, { startUs: 7 * MS })),
    );
    expect(mirror.pairs).toEqual(["agent1>agent2", "caller1>caller2"]);
  });

  it.each([
    ["PCMA", 80, 10],
    ["PCMU", 160, 20],
    ["PCMU", 240, 30],
    ["PCMA", 480, 60],
  ] as const)("is found in %s with %d bytes each %d ms", (codec, samples, ptimeMs) => {
    const payloads = speechPayloads({ seed: 9 }, 1500, codec, samples);
    const ptimeUs = ptimeMs * MS;
    const streams = [passing("a1", payloads, { ptimeUs }), passing("a2", payloads, { ptimeUs, startUs: 3 * MS })];
    expect(new Mirror().pass(inOrder(...streams)).pairs).toEqual(["a1>a2"]);
  });

  it("is found when speech begins after half a minute of silence", () => {
    for (const silence of [Buffer.alloc(160, 0xd5), ...speechPayloads({ seed: 10, peak: 0, noise: 5 }, 1)]) {
      const payloads = [...Array.from({ length: 30 * SECOND }, () => silence), ...speech(11, 8)];
      const mirror = new Mirror().pass(inOrder(...relayed("a", payloads, 6)));
      expect(mirror.pairs).toEqual(["a1>a2"]);
      expect(mirror.found[0]!.atUs).toBeGreaterThan(30_000_000);
      expect(mirror.found[0]!.atUs).toBeLessThan(35_000_000);
    }
  });

  it("is found an hour after its original began", () => {
    const before = speech(12, 60);
    const mirror = new Mirror();
    for (let minute = 0; minute < 60; minute++) {
      const quiet = before.map((payload) => Buffer.from(payload.map((byte) => byte ^ minute)));
      mirror.pass(inOrder(passing("a1", quiet, { startUs: minute * 60_000_000 })));
    }
    expect(mirror.found).toEqual([]);
    mirror.pass(inOrder(...relayed("a", speech(13, 6), 3, { startUs: 3_600_000_000 })));
    expect(mirror.pairs).toEqual(["a1>a2"]);
  });

  it("is found with the next partner after a transfer, and again with the first one", () => {
    const [first, second, third] = [speech(14, 6), speech(15, 6), speech(16, 6)];
    const mirror = new Mirror()
      .pass(inOrder(...relayed("a", first, 3)))
      .pass(inOrder(passing("a1", second, { startUs: 7e6 }), passing("b", second, { startUs: 7e6 + 4000 })))
      .pass(inOrder(...relayed("a", third, 3, { startUs: 14e6 })));
    expect(mirror.found.map(({ pair }) => pair)).toEqual(["a1>a2", "a1>b", "a1>a2"]);
    expect(mirror.contested).toEqual([]);
  });
});

describe("evidence", () => {
  const payloads = sampledNoise(11, 400, 160);
  const at = (stream: string, payload: Buffer, atMs: number): Passing => ({
    stream,
    payload,
    atUs: START_US + atMs * MS,
  });

  it("is counted when the window is over, and only while both streams are open", () => {
    const packets = [at("a", payloads[0]!, 0), at("b", payloads[0]!, 5)];
    const mirror = new Mirror().pass(packets);
    mirror.matcher.settle(START_US + 300 * MS);
    expect(mirror.matcher.exclusive).toBe(0);
    mirror.matcher.settle(START_US + 301 * MS);
    expect(mirror.matcher.exclusive).toBe(1);
    const closed = new Mirror().pass(packets);
    closed.matcher.close(closed.token("b"));
    expect(closed.finish().matcher.exclusive).toBe(0);
  });

  it("is void when time is set back before the window is over", () => {
    const packets = [at("a", payloads[0]!, 5000), at("b", payloads[0]!, 5005), at("c", payloads[1]!, 3000)];
    expect(new Mirror().pass(packets).finish().matcher.exclusive).toBe(0);
  });

  it("is none beyond the window, even when a packet out of order keeps the entry", () => {
    const packets = [at("x", payloads[1]!, 250), at("a", payloads[0]!, 0), at("b", payloads[0]!, 310)];
    expect(new Mirror().pass(packets).finish().matcher.exclusive).toBe(0);
  });

  it("is none of a stream with itself, however much it had in between", () => {
    const [first, ...others] = sampledNoise(12, 9, 160, (payload) => fingerprint(payload, 0, 160) >>> 28 === 5);
    const packets = [first!, ...others, first!].map((payload, i) => at("a", payload, i * 20));
    const mirror = new Mirror().pass(packets).finish();
    expect(mirror.matcher.recurring).toBe(0);
    expect(mirror.matcher.exclusive).toBe(0);
  });

  it("is kept for four other streams, and never taken for another one's", () => {
    const mirror = new Mirror();
    // Eleven payloads with each of five streams in turn: one too few.
    const own = passing("a", payloads.slice(0, 400));
    const others = Array.from({ length: 5 }, (_, k) =>
      passing(`s${k}`, payloads.slice(k * 11, k * 11 + 11), { startUs: k * 11 * PTIME_US + 3000 }),
    );
    const sixth = passing("t", payloads.slice(200), { startUs: 200 * PTIME_US + 3000 });
    mirror.token("a");
    mirror.pass(inOrder(own, ...others).slice(0, 200)).finish();
    expect(mirror.token("a").tallies).toHaveLength(4);
    expect(mirror.found).toEqual([]);
    mirror.pass(inOrder(passing("a", payloads.slice(200), { startUs: 200 * PTIME_US }), sixth)).finish();
    expect(mirror.token("a").tallies).toHaveLength(4);
    expect(mirror.pairs).toEqual(["a>t"]);
  });

  it("for a former partner begins anew", () => {
    const mirror = new Mirror();
    const part = (name: string, from: number, to: number): Passing[] => {
      const startUs = from * PTIME_US;
      const some = payloads.slice(from, to);
      return inOrder(passing("a", some, { startUs }), passing(name, some, { startUs: startUs + 3000 }));
    };
    mirror
      .pass([...part("b", 0, 180), ...part("c", 180, 360), ...part("b", 360, 365), ...part("c", 365, 400)])
      .finish();
    expect(mirror.found.map(({ pair }) => pair)).toEqual(["a>b", "a>c"]);
  });
});

describe("two hundred calls at once through an exchange", () => {
  it("give exactly their four hundred pairs", () => {
    const calls = 200;
    const seconds = 6;
    const random = makeRandom(77);
    const streams: Passing[][] = [];
    const expected: string[] = [];
    for (let call = 0; call < calls; call++) {
      for (const side of ["caller", "agent"]) {
        const name = `${call}${side}`;
        const startUs = randomInteger(random, 500_000);
        const level = { peak: 1500 + randomInteger(random, 8000), noise: 3 + randomInteger(random, 30) };
        const codec = call % 3 === 0 ? "PCMU" : "PCMA";
        const payloads = speechPayloads({ seed: streams.length + 1, ...level }, seconds * SECOND, codec);
        const delayMs = 0.2 + random() * 20;
        streams.push(
          ...relayed(name, payloads, delayMs, {
            startUs,
            delayUs: () => random() * 4 * MS,
            isLost: () => random() < 0.01,
          }),
        );
        expected.push(`${name}1>${name}2`);
      }
    }
    const mirror = new Mirror().pass(inOrder(...streams)).finish();
    expect(mirror.pairs).toEqual(expected.sort());
    expect(mirror.matcher.evicted + mirror.matcher.crowded).toBe(0);
    // The relayed copies of one payload overlap for no longer than the window.
    expect(mirror.matcher.pending).toBe(0);
  });
});

describe("streams that are no relays of each other", () => {
  it("are not paired when they are unrelated, at any level", () => {
    for (const [peak, noise] of [
      [6000, 12],
      [800, 6],
      [0, 2],
      [0, 5],
      [0, 10],
      [0, 16],
      [0, 25],
      [0, 60],
    ]) {
      const names = Array.from({ length: 12 }, (_, i) => `s${i}`);
      const streams = names.map((name, i) => passing(name, speech(100 + i, 15, { peak: peak!, noise: noise! })));
      const mirror = new Mirror().pass(inOrder(...streams)).finish();
      expect(mirror.found).toEqual([]);
      expect(mirror.matcher.exclusive).toBe(0);
    }
  });

  it("are not paired by silence, idle patterns and clicks in silence", () => {
    const patterns = [
      [0xd5],
      [0x55],
      [0xff],
      [0x7f],
      [0x2a],
      [0xd5, 0x55],
      [0xff, 0x7f],
      [0, 0, 0xff],
      [1, 2, 3, 4, 5],
    ];
    for (const pattern of patterns) {
      const payload = Buffer.alloc(160, Buffer.from(pattern));
      const mirror = new Mirror()
        .pass(
          inOrder(
            ...relayed(
              "a",
              Array.from({ length: 3000 }, () => payload),
              3,
            ),
          ),
        )
        .finish();
      expect(mirror.found).toEqual([]);
    }
    const random = makeRandom(6);
    const clicks = Array.from({ length: 6000 }, () => {
      const payload = Buffer.alloc(160, 0xd5);
      for (let i = 0; i < 6; i++) payload[randomInteger(random, 160)] = randomInteger(random, 256);
      return payload;
    });
    // Noise with two or three codes says too little even where it is relayed.
    const faint = speech(17, 120, { peak: 0, noise: 4 });
    expect(new Mirror().pass(inOrder(...relayed("a", faint, 3))).finish().found).toEqual([]);
    expect(new Mirror().pass(inOrder(...broadcast(["a", "b"], clicks, 300))).finish().matcher.exclusive).toBe(0);
  });

  it.each([[[425]], [[440, 480]], [[350, 440]], [[1004]], [[1013]], [[697, 1209]]])(
    "are not paired by a tone of %j Hz",
    (frequenciesHz) => {
      // The tone lasts, then comes and goes, for both at the same time, sent by different hosts.
      const cadence = tone(frequenciesHz, 60).map((payload, i) =>
        i % 250 < 50 || i < 1500 ? payload : Buffer.alloc(160, 0xd5),
      );
      for (const lagUs of [200, 13_000, 90_000]) {
        const mirror = new Mirror({}, { a: 1, b: 2 }).pass(inOrder(...broadcast(["a", "b"], cadence, lagUs))).finish();
        expect(mirror.found).toEqual([]);
        expect(mirror.matcher.exclusive).toBeLessThan(40);
      }
    },
  );

  it("are not paired by a loop of four seconds of noise that both play", () => {
    const loop = speech(18, 4, { noise: 40 });
    const payloads = Array.from({ length: 15 }, () => loop).flat();
    // The first round is as good as a relay, so the second stream joins in the second round.
    const late = passing("b", payloads.slice(loop.length), { startUs: loop.length * PTIME_US + 3000 });
    const mirror = new Mirror().pass(inOrder(passing("a", payloads), late)).finish();
    expect(mirror.found).toEqual([]);
  });

  it("are not paired by a loop that a third stream played before", () => {
    const loop = speech(18, 4, { noise: 40 });
    const startUs = loop.length * PTIME_US;
    const streams = [
      passing("x", [...loop, ...loop]),
      passing("a", loop, { startUs }),
      passing("b", loop, { startUs: startUs + 3000 }),
    ];
    for (const late of [-1000, 1000, 5000]) {
      const shifted = streams[0]!.map((each) => ({ ...each, atUs: each.atUs + late }));
      expect(new Mirror().pass(inOrder(shifted, streams[1]!, streams[2]!)).finish().matcher.exclusive).toBe(0);
    }
  });

  it("are not paired by a beep of a few packets that both hear every fifteen seconds", () => {
    const beep = sampledNoise(13, 6, 160);
    const rounds = 30;
    const packets: Passing[] = [];
    for (let round = 0; round < rounds; round++) {
      const [a, b] = [14, 15].map((seed) => sampledNoise(seed * 1000 + round, 94, 160));
      const startUs = round * 15_000_000;
      packets.push(
        ...inOrder(
          passing("a", [...beep, ...a!], { startUs, ptimeUs: 150 * MS }),
          passing("b", [...beep, ...b!], { startUs: startUs + 3000, ptimeUs: 150 * MS }),
        ),
      );
    }
    const mirror = new Mirror().pass(packets).finish();
    expect(mirror.matcher.exclusive).toBeGreaterThan(rounds);
    expect(mirror.found).toEqual([]);
  });

  it("are not paired by music on hold that fifty calls hear", () => {
    const music = speech(19, 20, { peak: 9000, noise: 40 });
    const names = Array.from({ length: 50 }, (_, i) => `hold${i}`);
    for (const lagUs of [0, 20, 2000]) {
      const mirror = new Mirror().pass(inOrder(...broadcast(names, music, lagUs))).finish();
      expect(mirror.found).toEqual([]);
      expect(mirror.matcher.shared).toBeGreaterThan(50 * 60);
    }
  });

  it.each([3, 4, 6])("are not paired by music on hold that %d calls hear while packets are lost", (listeners) => {
    const music = speech(20, 120, { peak: 9000, noise: 40 });
    const names = Array.from({ length: listeners }, (_, i) => `hold${i}`);
    for (const share of [0.05, 0.2]) {
      const random = makeRandom(listeners);
      const mirror = new Mirror().pass(inOrder(...broadcast(names, music, 500, () => random() < share))).finish();
      expect(mirror.found).toEqual([]);
      if (share > 0.1) expect(mirror.matcher.exclusive).toBeGreaterThan(0);
    }
  });

  it("are not paired by music that one host plays to two calls", () => {
    const music = speech(21, 20);
    const streams = inOrder(...broadcast(["a", "b"], music, 150));
    expect(new Mirror({}, { a: 7, b: 7 }).pass(streams).finish().found).toEqual([]);
    // Without that knowledge they look like a relay.
    expect(new Mirror({}, { a: 0, b: 0 }).pass(streams).finish().pairs).toEqual(["a>b"]);
    expect(new Mirror({}, { a: 7, b: 8 }).pass(streams).finish().pairs).toEqual(["a>b"]);
  });

  it("are not paired when neither is always the first", () => {
    const payloads = speech(22, 40);
    const delayUs = (i: number): number => ((i * 7) % 10 < 5 ? 0 : 12 * MS);
    const streams = [passing("a", payloads, { startUs: 6 * MS }), passing("b", payloads, { delayUs })];
    const mirror = new Mirror().pass(inOrder(...streams)).finish();
    expect(mirror.matcher.exclusive).toBeGreaterThan(100);
    expect(mirror.found).toEqual([]);
  });

  it("are not paired when the delay is never the same", () => {
    const random = makeRandom(8);
    const payloads = speech(23, 60);
    const mirror = new Mirror()
      .pass(inOrder(...relayed("a", payloads, 1, { delayUs: () => random() * 280 * MS })))
      .finish();
    expect(mirror.matcher.exclusive).toBeGreaterThan(100);
    expect(mirror.found).toEqual([]);
  });

  it("are not paired when the copy comes after the window", () => {
    const mirror = new Mirror().pass(inOrder(...relayed("a", speech(24, 20), 301))).finish();
    expect(mirror.found).toEqual([]);
    expect(mirror.matcher.exclusive).toBe(0);
  });

  it("are not paired by three or eleven payloads, nor by many within two seconds", () => {
    const shared = speech(25, 30, { noise: 40 });
    const own = speech(26, 30, { noise: 40 });
    const mirror = new Mirror();
    // Only the first two seconds are the same.
    const same = 2 * SECOND;
    mirror.pass(
      inOrder(passing("a", shared), passing("b", [...shared.slice(0, same), ...own.slice(same)], { startUs: 3000 })),
    );
    expect(mirror.finish().found).toEqual([]);
    expect(mirror.matcher.exclusive).toBeGreaterThan(5);
  });
});

describe("a third copy", () => {
  const payloads = speech(30, 20);

  it("leaves no pair when it is there from the start, wherever it lies in time", () => {
    for (const lagMs of [-2, 1, 3, 20, 200]) {
      const replay = passing("x", payloads, { startUs: 10 * MS + lagMs * MS });
      const mirror = new Mirror().pass(inOrder(...relayed("a", payloads, 5, { startUs: 10 * MS }), replay)).finish();
      expect(mirror.found).toEqual([]);
    }
  });

  it("leaves no pair when it replays one payload in six", () => {
    const replay = passing("x", payloads, { startUs: 9 * MS, isLost: (i) => i % 6 !== 0 });
    const mirror = new Mirror().pass(inOrder(...relayed("a", payloads, 5), replay)).finish();
    expect(mirror.pairs.filter((pair) => pair !== "a1>a2")).toEqual([]);
  });

  it("does not hinder when it comes after the window", () => {
    const replay = passing("x", payloads, { startUs: 400 * MS });
    const mirror = new Mirror().pass(inOrder(...relayed("a", payloads, 5), replay)).finish();
    expect(mirror.pairs).toEqual(["a1>a2"]);
    expect(mirror.contested).toEqual([]);
  });

  it("contests a pair that was found, once, until it is forgotten", () => {
    const replay = passing("x", payloads, { startUs: 9 * MS, isLost: (i) => i < 10 * SECOND });
    const mirror = new Mirror().pass(inOrder(...relayed("a", payloads, 5), replay)).finish();
    expect(mirror.pairs).toEqual(["a1>a2"]);
    expect(mirror.contested).toEqual(["a1>a2"]);
    expect(mirror.matcher.contested).toBe(1);
    const [original, copy, third] = ["a1", "a2", "x"].map((name) => mirror.token(name));
    expect([original, copy, third].map((token) => mirror.matcher.isContested(token!))).toEqual([true, true, false]);
    // Found or not: a contested stream has no new partner.
    const later = speech(31, 10);
    mirror.pass(inOrder(...relayed("a", later, 5, { startUs: 30e6 })));
    mirror.pass(
      inOrder(passing("a1", speech(32, 10), { startUs: 50e6 }), passing("b", speech(32, 10), { startUs: 50e6 + 4000 })),
    );
    expect(mirror.found).toHaveLength(1);
    mirror.matcher.forget(original!);
    mirror.matcher.forget(copy!);
    expect(mirror.matcher.isContested(original!)).toBe(false);
    mirror.pass(inOrder(...relayed("a", speech(33, 10), 5, { startUs: 80e6 })));
    expect(mirror.pairs).toEqual(["a1>a2", "a1>a2"]);
  });

  it("contests when it is the first of the three, and when it comes from a stream over the limit", () => {
    const replay = passing("x", payloads, { startUs: -2 * MS, isLost: (i) => i < 10 * SECOND });
    const both = inOrder(...relayed("a", payloads, 5), replay);
    expect(new Mirror().pass(both).contested).toEqual(["a1>a2"]);
    const mirror = new Mirror({ maxStreams: 2 }).pass(both);
    expect(mirror.token("x").isSpare).toBe(true);
    expect(mirror.contested).toEqual(["a1>a2"]);
  });

  it("contests only when there are more contested payloads than own ones", () => {
    const own = sampledNoise(16, 600, 160);
    const replay = (isLost: (i: number) => boolean): string[] =>
      new Mirror().pass(inOrder(...relayed("a", own, 5), passing("x", own, { startUs: 9 * MS, isLost }))).finish()
        .contested;
    expect(replay((i) => i < 200 || i >= 207)).toEqual([]);
    // What the pair had for itself in the window before counts for it.
    expect(replay((i) => i < 200 || i >= 230)).toEqual(["a1>a2"]);
    expect(replay((i) => i < 200 || i % 5 > 1)).toEqual([]);
    expect(replay((i) => i < 200 || i % 5 > 2)).toEqual(["a1>a2"]);
  });

  it("does not contest when a few payloads of a tone are on other calls as well", () => {
    const beep = tone([440, 480], 2);
    const calls = ["a", "b", "c"].map((name, i) =>
      [...speech(40 + i, 8), ...beep, ...speech(50 + i, 8)].map((p) => [name, p] as const),
    );
    const streams = calls.flatMap((call) =>
      relayed(
        call[0]![0],
        call.map(([, payload]) => payload),
        5,
      ),
    );
    const mirror = new Mirror().pass(inOrder(...streams)).finish();
    expect(mirror.pairs).toEqual(["a1>a2", "b1>b2", "c1>c2"]);
    expect(mirror.contested).toEqual([]);
  });
});

describe("limits and bad input", () => {
  it("refuses options out of bounds", () => {
    const ignore = (): void => {};
    const good = { maxStreams: 4, maxEntries: 16 };
    for (const bad of [
      { maxStreams: 0 },
      { maxStreams: 1.5 },
      { maxEntries: 0 },
      { maxEntries: 2 ** 21 },
      { windowUs: 0 },
      { windowUs: Number.NaN },
      { matchesNeeded: 0 },
      { matchesNeeded: 65 },
    ])
      expect(() => new PayloadMatcher({ ...good, ...bad }, ignore)).toThrow(RangeError);
    expect(() => new PayloadMatcher(good, ignore)).not.toThrow();
  });

  it("gives streams over the limit no partner, and lets them spoil exclusiveness", () => {
    const payloads = speech(60, 10);
    const mirror = new Mirror({ maxStreams: 2 });
    for (const name of ["a1", "b", "a2", "c"]) mirror.token(name);
    expect(mirror.matcher.streams).toBe(2);
    expect(mirror.matcher.overLimit).toBe(2);
    mirror.pass(inOrder(...relayed("a", payloads, 3)));
    expect(mirror.found).toEqual([]);
    const spoiled = inOrder(...broadcast(["a1", "b", "c"], speech(61, 10), 900));
    expect(mirror.pass(spoiled.map((each) => ({ ...each, atUs: each.atUs + 20e6 }))).finish().found).toEqual([]);
    mirror.matcher.close(mirror.token("a2"));
    expect(mirror.matcher.streams).toBe(2);
    mirror.matcher.close(mirror.token("b"));
    mirror.matcher.close(mirror.token("b"));
    expect(mirror.matcher.streams).toBe(1);
    expect(mirror.matcher.open("d").isSpare).toBe(false);
  });

  it("finds nothing while there is more than fits, and finds again afterwards", () => {
    const names = Array.from({ length: 60 }, (_, i) => `s${i}`);
    const flood = names.map((name, i) => passing(name, speech(200 + i, 10, { noise: 40 })));
    const mirror = new Mirror({ maxEntries: 32 });
    mirror.pass(inOrder(...flood, ...relayed("a", speech(300, 10), 5)));
    expect(mirror.found).toEqual([]);
    expect(mirror.matcher.evicted).toBeGreaterThan(100);
    expect(mirror.matcher.pending).toBeLessThanOrEqual(32);
    mirror.pass(inOrder(...relayed("a", speech(301, 20), 5, { startUs: 20e6 })));
    expect(mirror.pairs).toEqual(["a1>a2"]);
  });

  it("does not take two copies for a pair because a flood hid the other two", () => {
    const [payloads, flood] = [sampledNoise(1, 200, 40), sampledNoise(2, 200 * 16, 40)];
    const slow = { ptimeUs: 1_000_000 };
    const copies = ["a", "b", "c", "d"].map((name, i) =>
      passing(name, payloads, { ...slow, startUs: [0, 5, 70, 75][i]! * MS }),
    );
    const bursts = passing("x", flood, { ptimeUs: 0, delayUs: (i) => Math.floor(i / 16) * 1_000_000 + 50 * MS });
    const hidden = new Mirror({ maxEntries: 16 }).pass(inOrder(...copies, bursts)).finish();
    expect(hidden.matcher.evicted).toBeGreaterThan(200);
    expect(hidden.found).toEqual([]);
    const twoAreNone = new Mirror({ maxEntries: 64 }).pass(inOrder(...copies, bursts)).finish();
    expect(twoAreNone.found).toEqual([]);
  });

  it("stays quick when chosen payloads share one place of the index, and finds others meanwhile", () => {
    // 512 entries have 1024 places.
    const chosen = sampledNoise(3, 100, 20, (payload) => (fingerprint(payload, 0, 20) & 1023) === 77);
    const flood = passing("x", chosen, { ptimeUs: 3000 });
    const mirror = new Mirror({ maxEntries: 512 }).pass(flood);
    expect(mirror.matcher.crowded).toBeGreaterThan(10);
    expect(mirror.matcher.pending).toBeLessThanOrEqual(16);
    mirror.pass(
      inOrder(
        ...relayed("a", speech(63, 10), 5),
        flood.map((each) => ({ ...each, atUs: each.atUs + 1e6 })),
      ),
    );
    expect(mirror.pairs).toEqual(["a1>a2"]);
  });

  it("takes telephone events, comfort noise, empty and oversized payloads and absurd offsets without a word", () => {
    const mirror = new Mirror();
    const buffer = Buffer.from(speech(63, 1).flatMap((payload) => [...payload]));
    const token = mirror.token("a");
    for (const [start, end] of [
      [0, 0],
      [0, 4],
      [0, 19],
      [-160, 0],
      [-5, 155],
      [7900, 8060],
      [160, 0],
      [0, 3000],
      [Number.NaN, 160],
      [0, Number.NaN],
      [0, Number.POSITIVE_INFINITY],
    ])
      mirror.matcher.offer(token, buffer, start!, end!, START_US);
    expect(token.packets).toBe(0);
    expect(mirror.matcher.sampled).toBe(0);
  });

  it("ignores times that are none", () => {
    const mirror = new Mirror();
    for (const atUs of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      mirror.pass(speech(64, 2).map((payload) => ({ stream: "a", payload, atUs })));
    mirror.matcher.settle(Number.NaN);
    expect(mirror.matcher.pending).toBe(0);
    mirror.pass(inOrder(...relayed("a", speech(65, 10), 3)));
    expect(mirror.pairs).toEqual(["a1>a2"]);
  });

  it.each([-86_400e6, -1e6, -100_000, 100_000, 1e6, 86_400e6])(
    "finds a pair although time steps by %d µs",
    (stepUs) => {
      const packets = inOrder(...relayed("a", speech(66, 12), 5));
      const stepped = packets.map((each, i) => (i < 150 ? each : { ...each, atUs: each.atUs + stepUs }));
      const mirror = new Mirror().pass(stepped);
      expect(mirror.pairs).toEqual(["a1>a2"]);
    },
  );

  it("gets over a single packet from the future or the past", () => {
    const packets = inOrder(...relayed("a", speech(67, 12), 5));
    const odd = packets.map((each, i) => ({
      ...each,
      atUs: each.atUs + (i % 100 === 50 ? 3600e6 : i % 100 === 75 ? -3600e6 : 0),
    }));
    expect(new Mirror().pass(odd).pairs).toEqual(["a1>a2"]);
  });

  it("ignores closed streams, and pairs nobody with them", () => {
    const packets = inOrder(...relayed("a", speech(68, 20), 5));
    const mirror = new Mirror().pass(packets.slice(0, 80));
    mirror.matcher.close(mirror.token("a2"));
    mirror.pass(packets.slice(80)).finish();
    expect(mirror.found).toEqual([]);
    const again = new Mirror().pass(packets);
    again.matcher.close(again.token("a1"));
    expect(again.token("a2").partner).toBeUndefined();
    expect(again.token("a1").partner).toBeUndefined();
  });

  it("begins anew with a stream that is forgotten", () => {
    const packets = inOrder(...relayed("a", speech(69, 20), 5));
    const mirror = new Mirror().pass(packets.slice(0, 900));
    mirror.matcher.forget(mirror.token("a2"));
    expect(mirror.token("a1").partner).toBeUndefined();
    mirror.pass(packets.slice(900));
    expect(mirror.pairs).toEqual(["a1>a2", "a1>a2"]);
  });

  it("allows the callbacks to close, forget and open streams", () => {
    const closed: string[] = [];
    const matcher: PayloadMatcher<string> = new PayloadMatcher<string>(
      { maxStreams: 8, maxEntries: 512 },
      ({ original, relayed }) => {
        closed.push(`${original.owner}>${relayed.owner}`);
        matcher.close(original);
        matcher.forget(relayed);
        matcher.open("new");
      },
    );
    const tokens = new Map(["a1", "a2"].map((name) => [name, matcher.open(name)]));
    for (const { stream, payload, atUs } of inOrder(...relayed("a", speech(70, 10), 5)))
      matcher.offer(tokens.get(stream)!, payload as Buffer, 0, payload.length, atUs);
    expect(closed).toEqual(["a1>a2"]);
    expect(matcher.streams).toBe(2);
  });

  it("finds the same pairs at the same packets every time", () => {
    const random = makeRandom(3);
    const packets = inOrder(
      ...relayed("a", speech(71, 10), 5, { isLost: () => random() < 0.1 }),
      ...relayed("b", speech(72, 10), 9, { delayUs: () => random() * 9000 }),
    );
    const [once, twice] = [new Mirror().pass(packets), new Mirror().pass(packets)];
    expect(once.found).toHaveLength(2);
    expect(twice.found).toEqual(once.found);
  });
});

// Keys as dual tones, by the figures of ITU-T Q.24: what has to be heard, what must not be, and how often. Tones come
// from sox and baresip as well as from the test's own synthesis; all of it goes through G.711.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ALAW_SAMPLES, MULAW_SAMPLES } from "../../../device/rtp/g711-samples.js";
import { ToneDetector } from "../../../device/rtp/tone-detector.js";
import {
  amplitudeOf,
  concatenate,
  frequenciesOf,
  KEYS,
  type KeyTone,
  keyTone,
  quiet,
  throughG711,
  withNoise,
} from "../../fakes/key-tones.js";
import { makeRandom, randomInteger } from "../../fakes/random.js";
import { makeSpeaker } from "../../fakes/speech.js";

type Random = () => number;

const PACKET_SAMPLES = 160;

function hear(samples: Int16Array, detector = new ToneDetector()): string {
  let keys = "";
  for (let at = 0; at < samples.length; at += PACKET_SAMPLES) {
    const packet = samples.subarray(at, at + PACKET_SAMPLES);
    detector.hear(packet, packet.length, (key) => {
      keys += key;
    });
  }
  return keys;
}

const between = (random: Random, least: number, most: number): number => least + random() * (most - least);
const either = (random: Random, one: number, other: number): number => (random() < 0.5 ? one : other);
const anyPhases = (random: Random): [number, number] => [random() * 7, random() * 7];
const anyLaw = (random: Random) => (random() < 0.5 ? "PCMA" : "PCMU");
const tone = (key: string, random: Random, options: KeyTone = {}) =>
  keyTone(key, { phases: anyPhases(random), ...options });
/** Silence of a length that puts what follows anywhere in the detector's steps. */
const lead = (random: Random) => quiet(between(random, 20, 40));
const tail = quiet(80);

/** What is heard of parts, each key of the pad `rounds` times. */
function judge(rounds: number, seed: number, parts: (key: string, random: Random) => Float64Array[]): string[] {
  const random = makeRandom(seed);
  return Array.from({ length: rounds * KEYS.length }, (_, i) => {
    const key = KEYS[i % KEYS.length]!;
    const heard = hear(throughG711(concatenate(lead(random), ...parts(key, random), tail), anyLaw(random)));
    return `${key}: ${heard}`;
  });
}
const wanted = (rounds: number, text: (key: string) => string): string[] =>
  Array.from({ length: rounds * KEYS.length }, (_, i) => `${KEYS[i % KEYS.length]}: ${text(KEYS[i % KEYS.length]!)}`);
const same = (key: string) => key;
const twice = (key: string) => key + key;
const nothing = () => "";

describe("heard once", () => {
  test("every key of 40 ms at −10 dBm0", () => {
    expect(judge(4, 1, (key, random) => [tone(key, random)])).toEqual(wanted(4, same));
  });

  test("with frequencies 1.5 % off, columns 8 dB below to 4 dB above rows, from −25 to 0 dBm0", () => {
    const heard = judge(30, 2, (key, random) => {
      const strongest = between(random, -25, 0);
      const twist = either(random, either(random, 4, -8), between(random, -8, 4));
      const [rowDbm0, columnDbm0] = twist > 0 ? [strongest - twist, strongest] : [strongest, strongest + twist];
      const rowOffset = either(random, 0.015, -0.015);
      const columnOffset = either(random, 0.015, -0.015);
      return [tone(key, random, { durationMs: between(random, 40, 60), rowDbm0, columnDbm0, rowOffset, columnOffset })];
    });
    expect(heard).toEqual(wanted(30, same));
  });

  test("clipped, as two tones of 3 dBm0 are", () => {
    const heard = judge(2, 3, (key, random) => [tone(key, random, { durationMs: 60, rowDbm0: 3, columnDbm0: 3 })]);
    expect(heard).toEqual(wanted(2, same));
  });

  test("in noise 15 dB below, 1.5 % off", () => {
    const deviation = amplitudeOf(-10) * 10 ** (-15 / 20);
    const heard = judge(8, 4, (key, random) => {
      const rowOffset = either(random, 0.015, -0.015);
      const sound = concatenate(tone(key, random, { durationMs: 45, rowOffset, columnOffset: -rowOffset }), quiet(50));
      return [withNoise(sound, deviation, random)];
    });
    expect(heard).toEqual(wanted(8, same));
  });

  test("with edges of 5 ms", () => {
    const heard = judge(4, 5, (key, random) => {
      const sound = tone(key, random);
      return [sound.map((sample, i) => sample * Math.min(1, i / 40, (sound.length - 1 - i) / 40))];
    });
    expect(heard).toEqual(wanted(4, same));
  });

  test("however long it lasts", () => {
    expect(judge(1, 6, (key, random) => [tone(key, random, { durationMs: 3000 })])).toEqual(wanted(1, same));
  });

  test("interrupted by up to 10 ms, with a packet of 20 ms missing, and with its phase turned", () => {
    const part = (key: string, random: Random) => tone(key, random, { durationMs: between(random, 45, 90) });
    const heard = judge(10, 7, (key, random) => [part(key, random), quiet(random() * 10), part(key, random)]);
    expect(heard).toEqual(wanted(10, same));
    const missing = judge(4, 8, (key, random) => [part(key, random), quiet(20), part(key, random)]);
    expect(missing).toEqual(wanted(4, same));
    expect(judge(4, 9, (key, random) => [part(key, random), part(key, random)])).toEqual(wanted(4, same));
  });
});

describe("heard twice", () => {
  test.each([40, 60, 100])("with a pause of %i ms", (pauseMs) => {
    const part = (key: string, random: Random) => tone(key, random, { durationMs: between(random, 40, 90) });
    const heard = judge(5, pauseMs, (key, random) => [part(key, random), quiet(pauseMs), part(key, random)]);
    expect(heard).toEqual(wanted(5, twice));
  });

  test("with a pause full of noise", () => {
    const heard = judge(3, 10, (key, random) => [
      tone(key, random),
      withNoise(quiet(60), 800, random),
      tone(key, random),
    ]);
    expect(heard).toEqual(wanted(3, twice));
  });
});

describe("not heard", () => {
  test.each([0.035, 0.04, 0.05, 0.07])("with a frequency %d off", (offset) => {
    const off = (random: Random) => either(random, offset, -offset);
    const rows = judge(4, 11, (key, random) => [tone(key, random, { durationMs: 200, rowOffset: off(random) })]);
    expect(rows).toEqual(wanted(4, nothing));
    const columns = judge(4, 12, (key, random) => [tone(key, random, { durationMs: 200, columnOffset: off(random) })]);
    expect(columns).toEqual(wanted(4, nothing));
  });

  test.each([5, 15, 20, 22, 23])("for %i ms", (durationMs) => {
    expect(judge(10, durationMs, (key, random) => [tone(key, random, { durationMs })])).toEqual(wanted(10, nothing));
  });

  test.each([
    ["columns 11 dB below", -10, -21],
    ["columns 7 dB above", -17, -10],
    ["45 dB below 0 dBm0", -45, -45],
    ["a row alone", -10, -60],
    ["a column alone", -60, -10],
  ])("%s", (_name, rowDbm0, columnDbm0) => {
    const heard = judge(2, 13, (key, random) => [tone(key, random, { durationMs: 200, rowDbm0, columnDbm0 })]);
    expect(heard).toEqual(wanted(2, nothing));
  });

  test("with as much sound beside it as voices have, or a second harmonic as theirs", () => {
    const deviation = amplitudeOf(-10) * 10 ** (-4 / 20);
    const noisy = judge(2, 14, (key, random) => [withNoise(tone(key, random, { durationMs: 200 }), deviation, random)]);
    expect(noisy).toEqual(wanted(2, nothing));
    const withHarmonic = (dbm0: number, of: 0 | 1) => (key: string, random: Random) => {
      const step = (4 * Math.PI * frequenciesOf(key)[of]) / 8000;
      const sound = tone(key, random, { durationMs: 200 });
      return [sound.map((sample, i) => sample + amplitudeOf(dbm0) * Math.sin(step * i))];
    };
    for (const of of [0, 1] as const) {
      expect(judge(1, 15, withHarmonic(-23, of))).toEqual(wanted(1, nothing));
      expect(judge(1, 16, withHarmonic(-32, of))).toEqual(wanted(1, same));
    }
  });
});

describe("sequences", () => {
  function sequence(random: Random, keys: string): Int16Array {
    const parts = [...keys].flatMap((key) => [
      tone(key, random, { durationMs: between(random, 40, 120), rowOffset: between(random, -0.015, 0.015) }),
      quiet(between(random, 40, 120)),
    ]);
    return throughG711(withNoise(concatenate(lead(random), ...parts, tail), 30, random), anyLaw(random));
  }
  const anyKeys = (random: Random, count: number) =>
    Array.from({ length: count }, () => KEYS[randomInteger(random, KEYS.length)]).join("");

  test("are heard whole, and the same however they are cut into packets", () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = makeRandom(seed);
      const keys = anyKeys(random, 12);
      const samples = sequence(random, keys);
      expect(hear(samples)).toBe(keys);
      const whole: string[] = [];
      const detector = new ToneDetector();
      let heardAt = 0;
      const note = (key: string) => whole.push(`${key} at ${heardAt}`);
      // Sample by sample, then in pieces of any length: the key must come with the piece that holds the same sample.
      for (heardAt = 0; heardAt < samples.length; heardAt++) {
        detector.hear(samples.subarray(heardAt, heardAt + 1), 1, note);
      }
      detector.reset();
      const waiting = [...whole];
      for (let at = 0; at < samples.length; ) {
        const count = Math.min(1 + randomInteger(random, either(random, 3, 700)), samples.length - at);
        const end = at + count;
        detector.hear(samples.subarray(at), count, (key) => {
          const [nextKey, nextAt] = (waiting.shift() ?? "none at 0").split(" at ");
          expect(key).toBe(nextKey);
          expect(Number(nextAt)).toBeGreaterThanOrEqual(at);
          expect(Number(nextAt)).toBeLessThan(end);
        });
        at = end;
      }
      expect(waiting).toEqual([]);
    }
  });

  test("after reset() begin anew", () => {
    const random = makeRandom(21);
    const detector = new ToneDetector();
    const sound = throughG711(tone("5", random, { durationMs: 50 }), "PCMA");
    const [half, rest] = [sound.subarray(0, 200), sound.subarray(200)];
    expect(hear(half, detector) + hear(rest, detector)).toBe("5");
    detector.reset();
    expect(hear(half, detector)).toBe("");
    detector.reset();
    expect(hear(rest, detector)).toBe("");
    detector.reset();
    expect(hear(half, detector) + hear(rest, detector)).toBe("5");
    detector.reset();
    const keys = anyKeys(random, 8);
    expect(hear(sequence(random, keys), detector)).toBe(keys);
  });

  test("are told within 45 ms", () => {
    const random = makeRandom(22);
    for (const key of KEYS) {
      const sound = concatenate(lead(random), tone(key, random, { durationMs: 45 }));
      expect(hear(throughG711(sound, "PCMU"))).toBe(key);
    }
  });

  test.each([8000, 16000, 48000])("at %i samples per second", (rateHz) => {
    const sounds = [...KEYS].flatMap((key) => [keyTone(key, { rateHz }), quiet(50, rateHz)]);
    const samples = Int16Array.from(concatenate(...sounds));
    expect(hear(samples, new ToneDetector(rateHz))).toBe(KEYS);
  });

  test.each([0, 100, 7999, 8001, 8100, 48200, Number.NaN])("not at %d", (rateHz) => {
    expect(() => new ToneDetector(rateHz)).toThrow(RangeError);
  });
});

/** `seconds` of the sum of sines, each [Hz, dBm0]; the frequency may go to another, as a logarithmic sweep. */
function sines(seconds: number, ...tones: [number | [number, number], number][]): Float64Array {
  const count = Math.round(seconds * 8000);
  const sum = new Float64Array(count);
  for (const [hz, dbm0] of tones) {
    const [from, to] = typeof hz === "number" ? [hz, hz] : hz;
    let phase = 0;
    for (let i = 0; i < count; i++) {
      phase += (2 * Math.PI * from * (to / from) ** (i / count)) / 8000;
      sum[i] = sum[i]! + amplitudeOf(dbm0) * Math.sin(phase);
    }
  }
  return sum;
}

describe("no key in", () => {
  const expectNone = (samples: ArrayLike<number>) => {
    expect(hear(throughG711(samples, "PCMA"))).toBe("");
    expect(hear(throughG711(samples, "PCMU"))).toBe("");
  };

  test.each([3000, 6000, 12_000, 24_000])("synthesised speech with peaks of %i", (peak) => {
    expectNone(makeSpeaker({ seed: peak, peak })(30 * 8000));
  });

  test.each([10, 100, 1000, 6000])("noise of deviation %i", (deviation) => {
    expectNone(withNoise(quiet(30_000), deviation, makeRandom(deviation)));
  });

  test.each([697, 770, 852, 941, 1209, 1336, 1477, 1633, 400, 1004, 2100])("a tone of %i Hz", (hz) => {
    expectNone(sines(2, [hz, -6]));
  });

  test.each([
    ["two rows", 697, 941],
    ["two columns", 1209, 1633],
    ["the American dial tone", 350, 440],
    ["American ringing", 440, 480],
    ["American busy", 480, 620],
    ["an octave", 697, 1394],
    ["R1 2", 700, 1100],
    ["R1 7", 900, 1100],
    ["R1 KP", 1100, 1700],
    ["a caller's modem", 1270, 2225],
  ])("%s", (_name, one, other) => expectNone(sines(2, [one, -10], [other, -10])));

  test("sweeps, alone, with harmonics, against each other", () => {
    expectNone(sines(20, [[300, 3400], -6]));
    expectNone(sines(3, [[3400, 300], -6]));
    expectNone(sines(20, [[80, 900], -8], [[160, 1800], -10], [[240, 2700], -12], [[320, 3600], -14]));
    expectNone(sines(5, [[650, 980], -10], [[1700, 1150], -10], [[325, 490], -14]));
  });

  test("chords with harmonics, in every key", () => {
    for (let note = 0; note < 24; note++) {
      const root = 110 * 2 ** (note / 12);
      const chord = [1, 2 ** (4 / 12), 2 ** (7 / 12), 2].flatMap((interval) =>
        [1, 2, 3, 4].map((harmonic): [number, number] => [root * interval * harmonic, -14 - 6 * Math.log2(harmonic)]),
      );
      expectNone(sines(0.5, ...chord.filter(([hz]) => hz < 3500)));
    }
  });

  test("speech by flite", () => {
    const samples = fliteSpeech();
    if (samples === undefined) return;
    expect(samples.length).toBeGreaterThan(8000 * 20);
    expectNone(samples);
    expectNone(samples.map((sample) => sample >> 2));
  });
});

/** Sentences of the IEEE's lists for speech quality, as ffmpeg's flite says them; undefined when it cannot. */
function fliteSpeech(): Int16Array | undefined {
  const sentences = [
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background.",
    "It is easy to tell the depth of a well. These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls. The juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck. The hogs were fed chopped corn and garbage.",
    "Four hours of steady work faced us. A large size in stockings is hard to sell.",
    "The boy was there when the sun rose. A rod is used to catch pink salmon.",
    "The source of the huge river is the clear spring. Kick the ball straight and follow through.",
    "Help the woman get back to her feet. A pot of tea helps to pass the evening.",
    "Smoky fires lack flame and heat. The soft cushion broke the man's fall.",
    "The salt breeze came across from the sea. The girl at the booth sold fifty bonds.",
  ].join(" ");
  const source = `flite=voice=kal:text='${sentences.replaceAll("'", "")}'`;
  const args = ["-v", "error", "-f", "lavfi", "-i", source, "-ar", "8000", "-ac", "1", "-f", "s16le", "pipe:1"];
  const { error, status, stdout, stderr } = spawnSync("ffmpeg", args, { maxBuffer: 2 ** 26 });
  if (error || status !== 0) {
    console.log(`skipped: ffmpeg with flite is not installed (${error?.message ?? stderr.toString().trim()})`);
    return undefined;
  }
  return Int16Array.from({ length: stdout.length / 2 }, (_, i) => stdout.readInt16LE(i * 2));
}

describe("tones of other programs", () => {
  test.each([
    ["a-law", ALAW_SAMPLES],
    ["mu-law", MULAW_SAMPLES],
  ] as const)("sox, %s: every key, and none that is off or alone", (law, table) => {
    if (spawnSync("sox", ["--version"]).error) {
      console.log("skipped: sox is not installed");
      return;
    }
    const sox = (seconds: number, row: number, column: number, mix: string) => {
      const output = ["-n", "-t", "raw", "-r", "8000", "-c", "1", "-e", law, "-b", "8", "-"];
      const synthesis = [
        "synth",
        `${seconds}`,
        "sine",
        `${row}`,
        "sine",
        `${column}`,
        "remix",
        mix,
        "pad",
        "0.1",
        "0.1",
      ];
      const codes = execFileSync("sox", ["-R", "-r", "8000", ...output, ...synthesis], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      return hear(Int16Array.from(codes, (code) => table[code]!));
    };
    for (const key of KEYS) {
      const [row, column] = frequenciesOf(key);
      expect(sox(0.04, row, column, "1v0.2,2v0.2")).toBe(key);
    }
    expect(sox(0.08, 697, 1209, "-")).toBe("1");
    expect(sox(0.08, 697, 1209, "1v0.05,2v0.02")).toBe("1");
    expect(sox(0.023, 697, 1209, "1v0.2,2v0.2")).toBe("");
    expect(sox(1, 697 * 1.035, 1209, "1v0.2,2v0.2")).toBe("");
    expect(sox(1, 697, 1209 * 0.965, "1v0.2,2v0.2")).toBe("");
    expect(sox(1, 697, 1209, "1v0.2")).toBe("");
  });

  test("baresip's keypad", () => {
    const folder = "/usr/share/baresip";
    if (!existsSync(`${folder}/sound1.wav`) || spawnSync("sox", ["--version"]).error) {
      console.log("skipped: baresip's sounds or sox are not installed");
      return;
    }
    const names: [string, string][] = [..."0123456789"].map((digit) => [`sound${digit}`, digit]);
    for (const [name, key] of [
      ...names,
      ["soundstar", "*"],
      ["soundroute", "#"],
      ["ring", ""],
      ["busy", ""],
    ] as const) {
      const output = ["-t", "raw", "-r", "8000", "-c", "1", "-e", "a-law", "-b", "8", "-"];
      const codes = execFileSync("sox", [`${folder}/${name}.wav`, ...output], { stdio: ["ignore", "pipe", "ignore"] });
      expect(`${name}: ${hear(Int16Array.from(codes, (code) => ALAW_SAMPLES[code]!))}`).toBe(`${name}: ${key}`);
    }
  });
});

// What becomes of samples is decoded again by ffmpeg and compared with them: duration, level, likeness. Programs that are not
// there, fail, hang or give half; receivers that go away.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EncoderMissing, type Encoding, encode } from "../../../device/api/audio-encoder.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

const hasFfmpeg = !spawnSync("ffmpeg", ["-version"]).error;
if (!hasFfmpeg) console.log("skipped: what becomes of samples: ffmpeg is not installed");

let folder: string;
beforeAll(() => {
  folder = makeFolder();
});
afterAll(() => removeFolder(folder));

const asIs = new AbortController().signal;

/** Two seconds and a half of a tone that rises and swells, of another pitch in each channel: like itself at no delay but none. */
function tones(sampleRateHz: number, channels: number): Int16Array {
  const samples = new Int16Array(sampleRateHz * 2.5 * channels);
  for (let i = 0; i < samples.length; i++) {
    const [t, channel] = [Math.floor(i / channels) / sampleRateHz, i % channels];
    const swell = 0.6 + 0.4 * Math.sin(2 * Math.PI * 1.3 * t);
    samples[i] = 9000 * swell * Math.sin(2 * Math.PI * (400 + 300 * channel + 250 * t) * t);
  }
  return samples;
}

function inPieces(samples: Int16Array): Readable {
  const bytes = Buffer.from(samples.buffer);
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    })(),
    { objectMode: false },
  );
}

function channelOf(samples: Int16Array, channel: number, channels: number): Float64Array {
  return Float64Array.from({ length: samples.length / channels }, (_, i) => samples[i * channels + channel]!);
}

const level = (samples: Float64Array): number => Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length);

/** Of a second out of the middle: the best there is over delays that an encoder may add. */
function likeness(one: Float64Array, other: Float64Array, sampleRateHz: number): number {
  let best = 0;
  for (let delay = 0; delay < sampleRateHz / 4; delay++) {
    let [product, oneSquared, otherSquared] = [0, 0, 0];
    for (let i = sampleRateHz; i < 2 * sampleRateHz; i += 11) {
      const [before, after] = [one[i]!, other[i + delay]!];
      product += before * after;
      oneSquared += before ** 2;
      otherSquared += after ** 2;
    }
    best = Math.max(best, product / Math.sqrt(oneSquared * otherSquared));
  }
  return best;
}

describe.skipIf(!hasFfmpeg)("samples as", () => {
  it.each<[Encoding, number, number]>([
    ["mp3", 8000, 2],
    ["mp3", 48_000, 1],
    ["opus", 8000, 2],
    ["opus", 32_000, 1],
  ])("%s, %i Hz, %i channel(s): sound as they did", async (encoding, sampleRateHz, channels) => {
    const samples = tones(sampleRateHz, channels);
    const encoded = await buffer(
      await encode(encoding, { sampleRateHz, channels, samples: inPieces(samples), signal: asIs }),
    );
    expect(encoded.length).toBeLessThan(samples.byteLength / (sampleRateHz > 8000 ? 3 : 1.5));
    const decoded = spawnSync("ffmpeg", ["-v", "error", "-i", "-", "-f", "s16le", "-ar", String(sampleRateHz), "-"], {
      input: encoded,
      maxBuffer: 1 << 26,
    });
    expect(decoded.stderr.toString()).toBe("");
    const heard = new Int16Array(Uint8Array.from(decoded.stdout).buffer);
    // MP3 begins and ends with a frame or two of silence.
    const extraS = (heard.length - samples.length) / channels / sampleRateHz;
    expect(extraS).toBeGreaterThanOrEqual(-0.001);
    expect(extraS).toBeLessThan(0.25);
    for (let channel = 0; channel < channels; channel++) {
      const [before, after] = [channelOf(samples, channel, channels), channelOf(heard, channel, channels)];
      const louder = 20 * Math.log10((level(after) * Math.sqrt(after.length / before.length)) / level(before));
      expect(Math.abs(louder)).toBeLessThan(0.5);
      expect(likeness(before, after, sampleRateHz)).toBeGreaterThan(0.97);
    }
  });

  it("nothing is no fault", async () => {
    const samples = Readable.from([], { objectMode: false });
    const output = await encode("mp3", { sampleRateHz: 8000, channels: 1, samples, signal: asIs });
    expect(await buffer(output)).toHaveLength(0);
  });
});

/** A program in ffmpeg's place. */
function program(name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\necho $$ > ${path}.pid\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

const endless = (): Readable =>
  new Readable({
    read() {
      this.push(Buffer.alloc(65_536));
    },
  });
const run = (path: string, samples = endless(), signal = asIs) =>
  encode("mp3", { sampleRateHz: 8000, channels: 1, samples, signal, program: path });

async function gone(path: string): Promise<void> {
  const pid = Number(readFileSync(`${path}.pid`, "utf8"));
  while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("a program that", () => {
  it("is not there is said in one line", async () => {
    const samples = endless();
    const failed = run(join(folder, "nothing"), samples);
    await expect(failed).rejects.toThrow(EncoderMissing);
    await expect(failed).rejects.toThrow(/ENOENT/);
    expect(samples.destroyed).toBe(true);
  });

  it("cannot encode says why, in its first line", async () => {
    const samples = endless();
    const failed = run(program("poor", "echo \"Unknown encoder 'libmp3lame'\" >&2; echo more >&2; exit 1"), samples);
    await expect(failed).rejects.toThrow(EncoderMissing);
    await expect(failed).rejects.toThrow(/^Unknown encoder 'libmp3lame'$/);
    expect(samples.destroyed).toBe(true);
  });

  it("fails in the middle ends in an error, not as if it were done", async () => {
    const output = await run(program("half", "head -c 100000; exit 3"));
    await expect(buffer(output)).rejects.toThrow(/ended with 3/);
  });

  it("runs on is killed when the receiver goes away, and lets the samples go", async () => {
    const samples = endless();
    const path = program("cat", "exec cat");
    const output = await run(path, samples);
    output.destroy();
    await gone(path);
    expect(samples.destroyed).toBe(true);
  });

  it("hangs before it gives anything is killed when nobody waits any more", async () => {
    const path = program("hang", "exec sleep 60");
    const controller = new AbortController();
    const samples = endless();
    const waiting = run(path, samples, controller.signal);
    while (!existsSync(`${path}.pid`)) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    await expect(waiting).rejects.toThrow();
    await gone(path);
    expect(samples.destroyed).toBe(true);
  });

  it("is given samples that fail gives half a file and that fault", async () => {
    let left = 3;
    const samples = new Readable({
      read() {
        if (left-- > 0) this.push(Buffer.alloc(65_536));
        else this.destroy(new Error("the recording was deleted"));
      },
    });
    await expect(run(program("copy", "exec cat"), samples).then(buffer)).rejects.toThrow("the recording was deleted");
  });

  it("is of lower priority, and knows nothing of the service's environment", async () => {
    process.env["SIDETONE_TEST_SECRET"] = "shown";
    const path = program("look", "sleep 0.1; nice; env; cat > /dev/null");
    const shown = await buffer(await run(path, Readable.from([Buffer.alloc(2)]))).finally(() => {
      delete process.env["SIDETONE_TEST_SECRET"];
    });
    expect(shown.toString()).toMatch(/^10\n/);
    expect(shown.toString()).not.toContain("SIDETONE");
  });
});

// A recording's audio as it is given out, compared with what npm wavefile reads out of the same file: every channel, mixes, the
// formats a recording may have, any range of bytes; and files that are deleted, cut or not what they say.
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import wavefile from "wavefile";
import { makeCallId } from "../../../device/base/ids.js";
import { wavHeader } from "../../../device/seal/wav.js";
import { type ByteView, RecordingAudio, RecordingGone, readManifest } from "../../../device/store/recording-audio.js";
import { RecordingPaths, timeOfCallId } from "../../../device/store/recording-paths.js";
import { parseWavShape } from "../../../device/store/wav-shape.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { noise, putRecording, wavOf } from "../../fakes/stored-recording.js";

const ID = makeCallId(1_795_000_000_123_000, Buffer.alloc(10, 7));
const OTHER_ID = makeCallId(1_795_000_000_123_000, Buffer.alloc(10, 8));
/** More than two pieces are read of it. */
const FRAMES = 140_001;
const WAV = wavOf(noise(FRAMES, 2));

let folder: string;
let paths: RecordingPaths;
const opened: RecordingAudio[] = [];
beforeEach(() => {
  folder = makeFolder();
  paths = new RecordingPaths(folder);
});
afterEach(async () => {
  for (const audio of opened.splice(0)) await audio.close();
  removeFolder(folder);
});

async function openAudio(id = ID): Promise<RecordingAudio> {
  const audio = await RecordingAudio.open(paths, id);
  expect(audio).toBeDefined();
  opened.push(audio!);
  return audio!;
}

async function read(view: ByteView, from = 0, to = view.bytes): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of view.read(from, to)) {
    expect(piece.length).toBeLessThanOrEqual(512 * 1024);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

const clamp = (sample: number): number => Math.max(-32768, Math.min(32767, sample));

/** Said in a word: vitest compares samples one by one. */
function expectSame(found: Int16Array[], expected: readonly Int16Array[]): void {
  const bytes = (channels: readonly Int16Array[]) => Buffer.concat(channels.map(({ buffer }) => Buffer.from(buffer)));
  expect(found.length).toBe(expected.length);
  expect(bytes(found).equals(bytes(expected))).toBe(true);
}

/** What an independent reader makes of the bytes. */
function samplesOf(wav: Buffer): Int16Array[] {
  const file = new wavefile.WaveFile(wav);
  if (file.bitDepth === "8a") file.fromALaw();
  if (file.bitDepth === "8m") file.fromMuLaw();
  const samples = file.getSamples(false, Int16Array) as unknown as Int16Array | Int16Array[];
  return Array.isArray(samples) ? samples : [samples];
}

describe("the file", () => {
  it("is read as it is, from any place to any place", async () => {
    const { bytes } = putRecording(folder, ID, WAV);
    const audio = await openAudio();
    expect(audio.isWhole).toBe(true);
    const view = audio.stored();
    expect(view.bytes).toBe(bytes.length);
    expect((await read(view)).equals(bytes)).toBe(true);
    for (const [from, to] of [
      [0, 1],
      [262_143, 262_145],
      [bytes.length - 1, bytes.length],
      [7, 7],
    ] as const)
      expect((await read(view, from, to)).equals(bytes.subarray(from, to))).toBe(true);
  });

  it("is read as it is when it is encrypted, and has no samples then", async () => {
    const { bytes } = putRecording(folder, ID, Buffer.from("age-encryption.org/v1\n..."), { isEncrypted: true });
    const audio = await openAudio();
    expect(audio).toMatchObject({ isEncrypted: true, shape: undefined });
    expect((await read(audio.stored())).equals(bytes)).toBe(true);
    expect(() => audio.samples("both")).toThrow();
  });

  it("that is deleted while it is read is not read to its end", async () => {
    const { path } = putRecording(folder, ID, WAV);
    const audio = await openAudio();
    const pieces = audio.stored().read(0, audio.bytes);
    expect((await pieces.next()).value).toHaveLength(256 * 1024);
    rmSync(path);
    await expect(pieces.next()).rejects.toThrow(RecordingGone);
  });

  it("that is cut while it is read is an error", async () => {
    const { path } = putRecording(folder, ID, WAV);
    const audio = await openAudio();
    const pieces = audio.wav(0).read(0, 280_000);
    await pieces.next();
    truncateSync(path, 300_000);
    await pieces.next();
    await expect(pieces.next()).rejects.toThrow(RecordingGone);
  });

  it("that is shorter than its header says, or than its manifest, has no samples or is not whole", async () => {
    const wav = wavOf(noise(100, 2));
    putRecording(folder, ID, wav.subarray(0, 300));
    expect((await openAudio()).shape).toBeUndefined();
    putRecording(folder, OTHER_ID, wav, { bytes: wav.length + 1 });
    expect((await openAudio(OTHER_ID)).isWhole).toBe(false);
  });

  it("is not there: never, without audio, deleted, or with a manifest that is none", async () => {
    expect(await RecordingAudio.open(paths, ID)).toBeUndefined();
    const { path, manifestPath } = putRecording(folder, ID, wavOf(noise(10, 2)));
    writeFileSync(manifestPath, "{");
    expect(await RecordingAudio.open(paths, ID)).toBeUndefined();
    rmSync(path);
    putRecording(folder, ID, wavOf(noise(10, 2)));
    writeFileSync(paths.tombstone(ID, timeOfCallId(ID)), '{"keepsManifest":true}\n');
    expect(await RecordingAudio.open(paths, ID)).toBeUndefined();
  });
});

describe("the manifest", () => {
  it("is given as it lies there, also of audio that went by its age", async () => {
    expect(await readManifest(paths, ID)).toBeUndefined();
    const { manifest } = putRecording(folder, ID, wavOf(noise(10, 2)));
    expect((await readManifest(paths, ID))?.equals(manifest)).toBe(true);
    const tombstone = paths.tombstone(ID, timeOfCallId(ID));
    writeFileSync(tombstone, '{"keepsManifest":true}\n');
    expect((await readManifest(paths, ID))?.equals(manifest)).toBe(true);
    for (const text of ['{"keepsManifest":false}\n', "torn"]) {
      writeFileSync(tombstone, text);
      expect(await readManifest(paths, ID)).toBeUndefined();
    }
  });
});

describe("channels", () => {
  it.each(["16", "8a", "8m"] as const)(
    "of stereo, encoding %s: as an independent reader has them",
    async (encoding) => {
      const { bytes } = putRecording(folder, ID, wavOf(noise(FRAMES, 2), encoding));
      const [left, right] = samplesOf(bytes) as [Int16Array, Int16Array];
      const audio = await openAudio();
      expect(audio.shape).toMatchObject({ channels: 2, frames: FRAMES, sampleRateHz: 8000 });
      const mixed = left.map((sample, i) => clamp(sample + right[i]!));
      if (encoding === "16")
        expect(mixed.filter((sample) => sample === 32767 || sample === -32768).length).toBeGreaterThan(9);
      for (const [choice, samples] of [
        [0, [left]],
        [1, [right]],
        ["mix", [mixed]],
        ["both", [left, right]],
      ] as const) {
        const view = audio.wav(choice);
        const wav = await read(view);
        expect(wav.length).toBe(view.bytes);
        expectSame(samplesOf(wav), samples);
        expect(parseWavShape(wav)).toMatchObject({ encoding: "pcm16", channels: samples.length, frames: FRAMES });
      }
    },
  );

  it.each(["16", "8a"] as const)("of mono, encoding %s: everything is the one", async (encoding) => {
    const { bytes } = putRecording(folder, ID, wavOf(noise(501, 1), encoding, 16_000));
    const audio = await openAudio();
    for (const choice of ["both", "mix"] as const)
      expect(samplesOf(await read(audio.wav(choice)))).toEqual(samplesOf(bytes));
  });

  it("any range of any of them is that piece of the whole", async () => {
    putRecording(folder, ID, WAV);
    putRecording(folder, OTHER_ID, wavOf(noise(301, 2), "8a"));
    const audios = [await openAudio(), await openAudio(OTHER_ID)];
    const wholes = new Map<ByteView, Buffer>();
    for (const audio of audios) {
      for (const choice of [0, 1, "mix", "both"] as const) {
        for (const view of [audio.wav(choice), audio.samples(choice)]) wholes.set(view, await read(view));
      }
    }
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...wholes),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(300_000),
        async ([view, whole], at, length) => {
          const from = Math.floor(at * view.bytes);
          const to = Math.min(view.bytes, from + length);
          expect((await read(view, from, to)).equals(whole.subarray(from, to))).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("of a long one are counted without being read: RF64, and a header of its own that is RF64 again", async () => {
    const format = { sampleRateHz: 48_000, channels: 2, frames: 2 ** 32 };
    const { path } = putRecording(folder, ID, wavHeader(format), { bytes: 80 + 2 ** 34 });
    truncateSync(path, 80 + 2 ** 34);
    const audio = await openAudio();
    expect(audio).toMatchObject({ isWhole: true, shape: { dataAt: 80, frames: 2 ** 32 } });
    const view = audio.wav("mix");
    expect(view.bytes).toBe(80 + 2 ** 33);
    expect(parseWavShape(await read(view, 0, 80))).toMatchObject({ channels: 1, frames: 2 ** 32, dataAt: 80 });
    expect(await read(view, view.bytes - 3, view.bytes)).toEqual(Buffer.alloc(3));
  });
});

describe("a header", () => {
  const shapes = (bytes: Buffer) => parseWavShape(bytes);

  it("that is none is undefined, wherever it is cut and whatever is changed", () => {
    const wav = wavOf(noise(4, 2));
    for (let length = 0; length < 44; length++) expect(shapes(wav.subarray(0, length))).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(43), (noisy, at) => {
        const changed = Buffer.from(wav);
        changed.set(noisy.subarray(0, 44 - at), at);
        const shape = shapes(changed);
        if (shape === undefined) return;
        expect([1, 2]).toContain(shape.channels);
        expect(shape.frames * shape.frameBytes).toBeLessThanOrEqual(shape.dataBytes);
      }),
    );
  });

  it.each<[string, number, number]>([
    ["24 bits", 34, 24],
    ["three channels", 22, 3],
    ["no channel", 22, 0],
    ["floating point", 20, 3],
  ])("of %s is not ours", (_, at, value) => {
    const wav = wavOf(noise(4, 2));
    wav.writeUInt16LE(value, at);
    expect(shapes(wav)).toBeUndefined();
  });
});

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import wavefile from "wavefile";
import { WavWriter, wavHeader } from "../../../device/seal/wav.js";
import { readChannels, withFolder } from "./sealing.js";

const SAMPLES = Int16Array.from({ length: 2000 }, (_, i) => ((i * 7919) % 65536) - 32768);

function write(path: string, maxRiffBytes?: number): { bytes: number; sha256: string } {
  const writer = new WavWriter(
    path,
    { sampleRateHz: 8000, channels: 2, frames: SAMPLES.length / 2 },
    maxRiffBytes === undefined ? {} : { maxRiffBytes },
  );
  writer.write(writer.header);
  writer.write(SAMPLES.subarray(0, 600));
  writer.write(SAMPLES.subarray(600));
  return writer.finish();
}

const channel = (which: 0 | 1) => SAMPLES.filter((_, i) => i % 2 === which);

test.each([8000, 16000, 48000])("the RIFF header at %i Hz is the one that wavefile writes", (sampleRateHz) => {
  const theirs = new wavefile.WaveFile();
  theirs.fromScratch(2, sampleRateHz, "16", [channel(0), channel(1)] as never);
  const ours = wavHeader({ sampleRateHz, channels: 2, frames: SAMPLES.length / 2 });
  expect(ours).toEqual(Buffer.from(theirs.toBuffer().subarray(0, 44)));
});

test("the file is for its owner, holds the samples, and has the length and hash that are returned", () => {
  withFolder((folder) => {
    const path = join(folder, "a.wav");
    writeFileSync(path, "something longer that stood there before".repeat(500), { mode: 0o644 });
    const written = write(path);
    const bytes = readFileSync(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(written.bytes).toBe(bytes.length);
    expect(written.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(readChannels(bytes)).toEqual({ left: channel(0), right: channel(1) });
  });
});

test("RF64 begins one byte beyond the RIFF limit and wavefile reads it", () => {
  withFolder((folder) => {
    const riffBytes = 36 + SAMPLES.byteLength;
    const path = join(folder, "a.wav");
    write(path, riffBytes);
    expect(readFileSync(path).toString("latin1", 0, 4)).toBe("RIFF");
    const written = write(path, riffBytes - 1);
    const bytes = readFileSync(path);
    expect(bytes.toString("latin1", 0, 4)).toBe("RF64");
    expect(bytes.length).toBe(80 + SAMPLES.byteLength);
    expect(written.bytes).toBe(bytes.length);
    expect(readChannels(bytes)).toEqual({ left: channel(0), right: channel(1) });
  });
});

test("sizes beyond 4 GiB stand in the ds64 chunk (EBU Tech 3306)", () => {
  const frames = 24 * 3600 * 48000;
  const header = wavHeader({ sampleRateHz: 48000, channels: 2, frames });
  expect(header.toString("latin1", 0, 4)).toBe("RF64");
  expect(header.readUInt32LE(4)).toBe(0xffffffff);
  expect(header.toString("latin1", 12, 16)).toBe("ds64");
  expect(header.readBigUInt64LE(20)).toBe(BigInt(frames) * 4n + 72n);
  expect(header.readBigUInt64LE(28)).toBe(BigInt(frames) * 4n);
  expect(header.readBigUInt64LE(36)).toBe(BigInt(frames));
  expect(header.readUInt32LE(76)).toBe(0xffffffff);
});

test("a recording of just under 4 GiB is still RIFF", () => {
  const frames = Math.floor((0xfffffffe - 36) / 4);
  expect(wavHeader({ sampleRateHz: 8000, channels: 2, frames }).toString("latin1", 0, 4)).toBe("RIFF");
  expect(wavHeader({ sampleRateHz: 8000, channels: 2, frames: frames + 1 }).toString("latin1", 0, 4)).toBe("RF64");
});

test.each([undefined, 100])("ffprobe and sox accept the file (RIFF limit %s)", (maxRiffBytes) => {
  withFolder((folder) => {
    const path = join(folder, "a.wav");
    write(path, maxRiffBytes);
    const ffprobe = spawnSync("ffprobe", [
      "-v",
      "error",
      "-show_entries",
      "stream=codec_name,sample_rate,channels,duration_ts",
      "-of",
      "csv=p=0",
      path,
    ]);
    if (ffprobe.error) console.log("skipped: ffprobe is not installed");
    else expect(ffprobe.stdout.toString().trim() + ffprobe.stderr.toString()).toBe("pcm_s16le,8000,2,1000");
    if (maxRiffBytes !== undefined) return;
    const soxi = spawnSync("soxi", ["-s", path]);
    if (soxi.error) console.log("skipped: soxi is not installed");
    else expect(soxi.stdout.toString().trim() + soxi.stderr.toString()).toBe("1000");
  });
});

test("a file that has not the length its header says is refused", () => {
  withFolder((folder) => {
    const path = join(folder, "a.wav");
    const writer = new WavWriter(path, { sampleRateHz: 8000, channels: 2, frames: 3 });
    writer.write(new Int16Array(4));
    expect(() => writer.finish()).toThrow(/its header says 56/);
    writer.abandon();
    expect(existsSync(path)).toBe(false);
  });
});

// Calls of hours: what sealing them takes of memory does not grow with their length, in clear and encrypted, and what comes out
// is read by programs that are not ours. Ten hours are a row of the bench (`npm run bench -- --hours 10`).
import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wavHeader } from "../../device/seal/wav.js";
import { runSeal, type SealRun } from "../bench/seal-run.js";
import { ageObstacle, makeAgeKey } from "../fakes/age-program.js";
import { makeFolder, PROJECT_ROOT, removeFolder } from "../fakes/program.js";

const SEAL_PROGRAM = join(PROJECT_ROOT, "dist/test/bench/seal-program.js");
const HOUR_S = 3600;
const LIMIT_BYTES = 150e6;
/** Block positions of an hour are 0.3 MB; the rest is what the heap happens to hold. */
const GROWTH_BYTES = 10e6;

const noAge = ageObstacle();
const noFfprobe = obstacle("ffprobe", "-version");
const noSox = obstacle("soxi", "--version");
for (const reason of [noAge, noFfprobe, noSox]) if (reason) console.log(`skipped: long calls: ${reason}`);

function obstacle(program: string, argument: string): string | undefined {
  return spawnSync(program, [argument]).error ? `${program} is not installed` : undefined;
}

let folder = "";
beforeAll(() => {
  folder = makeFolder();
});
afterAll(() => removeFolder(folder));

async function seal(hours: number, recipients: readonly string[] = []): Promise<SealRun> {
  const run = await runSeal({ program: SEAL_PROGRAM, folder, seconds: hours * HOUR_S, recipients });
  expect(run.sealed).toMatchObject({ kind: "audio", durationMs: hours * HOUR_S * 1000, warnings: [] });
  return run;
}

function expectFlat(one: SealRun, two: SealRun): void {
  console.log(
    `sealed 1 h in ${Math.round(one.peakRssBytes / 1e6)} MB, 2 h in ${Math.round(two.peakRssBytes / 1e6)} MB and ${Math.round(two.wallMs)} ms`,
  );
  expect(two.peakRssBytes).toBeLessThan(LIMIT_BYTES);
  expect(two.peakRssBytes - one.peakRssBytes).toBeLessThan(GROWTH_BYTES);
}

function ffprobe(path: string): string {
  const entries = "stream=codec_name,sample_rate,channels,duration_ts";
  const { stdout, stderr } = spawnSync("ffprobe", [
    "-v",
    "error",
    "-show_entries",
    `${entries}`,
    "-of",
    "csv=p=0",
    path,
  ]);
  return stdout.toString().trim() + stderr.toString();
}

describe("a call of hours", () => {
  it("is sealed in memory that does not grow with it; ffprobe and sox read it", async ({ skip }) => {
    if (noFfprobe ?? noSox) skip();
    const one = await seal(1);
    rmSync(one.path);
    const two = await seal(2);
    expectFlat(one, two);
    const frames = 2 * HOUR_S * 8000;
    expect(ffprobe(two.path)).toBe(`pcm_s16le,8000,2,${frames}`);
    const soxi = spawnSync("soxi", ["-s", two.path]);
    expect(soxi.stdout.toString().trim() + soxi.stderr.toString()).toBe(String(frames));
    // The last second of both channels is there: noise, and no silence.
    const sox = spawnSync("sox", [two.path, "-n", "trim", "-1", "stat"]);
    expect(/RMS\s+amplitude:\s+([\d.]+)/.exec(sox.stderr.toString())?.[1]).toMatch(/^0\.[1-9]/);
    rmSync(two.path);
  }, 60_000);

  it("is encrypted in memory that does not grow with it; age opens it", async ({ skip }) => {
    if (noAge) skip();
    const key = makeAgeKey(folder, "office");
    const one = await seal(1, [key.recipient]);
    rmSync(one.path);
    const two = await seal(2, [key.recipient]);
    expectFlat(one, two);
    const opened = spawnSync("sh", ["-c", 'age -d -i "$0" "$1" | sha256sum', key.identityFile, two.path]);
    expect(two.sealed.kind === "audio" && two.sealed.encryption).toMatchObject({
      plainBytes: 44 + 2 * HOUR_S * 8000 * 4,
      plainSha256: opened.stdout.toString().slice(0, 64),
    });
    rmSync(two.path);
  }, 60_000);
});

describe("a recording beyond 4 GiB", () => {
  it("is an RF64 that ffprobe reads to its end", ({ skip }) => {
    if (noFfprobe) skip();
    // As long as a recording may be, and the only samples on the disk are the last ones.
    const frames = 24 * HOUR_S * 16_000;
    const header = wavHeader({ sampleRateHz: 16_000, channels: 2, frames });
    const path = join(folder, "day.wav");
    const file = openSync(path, "w");
    writeSync(file, header);
    ftruncateSync(file, header.length + frames * 4);
    writeSync(file, Buffer.alloc(4 * 16_000, 0x20), 0, 4 * 16_000, header.length + (frames - 16_000) * 4);
    closeSync(file);
    expect(ffprobe(path)).toBe(`pcm_s16le,16000,2,${frames}`);
    const end = spawnSync("ffmpeg", ["-v", "error", "-ss", String(24 * HOUR_S - 1), "-i", path, "-f", "s16le", "-"]);
    expect(end.stderr.toString()).toBe("");
    expect(end.stdout).toEqual(Buffer.alloc(4 * 16_000, 0x20));
    rmSync(path);
  });
});

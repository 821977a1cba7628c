import { execFileSync, spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { pcma, pcmu } from "../../../device/seal/g711.js";
import { alawToLinear } from "./sealing.js";

const ALL_CODES = Buffer.from(Array.from({ length: 256 }, (_, code) => code));

function decodeAll(codec: typeof pcma): Int16Array {
  const samples = new Int16Array(256);
  expect(codec.decode(ALL_CODES, 0, 256, samples, 0, 1)).toBe(256);
  return samples;
}

/** µ-law by the tables of ITU-T G.711: decision values 33 × 2^n − 33, written down another way than the device's. */
function mulawToLinear(code: number): number {
  const bits = 255 - code;
  const [exponent, mantissa] = [(bits >> 4) & 7, bits & 15];
  const value = (2 * mantissa + 33) * 2 ** exponent - 33;
  return (bits & 0x80 ? -value : value) * 4 + 0;
}

/** What a program makes of all 256 codes, or why it cannot be asked. */
function askProgram(command: string, args: string[]): Int16Array | undefined {
  if (spawnSync(command, ["--version"]).error) {
    console.log(`skipped: ${command} is not installed`);
    return undefined;
  }
  const bytes = execFileSync(command, args, { input: ALL_CODES, stdio: ["pipe", "pipe", "ignore"] });
  return Int16Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(i * 2));
}

const LAWS = [
  { codec: pcma, formula: alawToLinear, ffmpeg: "alaw", sox: "a-law" },
  { codec: pcmu, formula: mulawToLinear, ffmpeg: "mulaw", sox: "mu-law" },
] as const;

for (const { codec, formula, ffmpeg, sox } of LAWS) {
  test(`${codec.name}: every code has the value of G.711's tables`, () => {
    expect(decodeAll(codec)).toEqual(Int16Array.from({ length: 256 }, (_, code) => formula(code)));
  });

  test(`${codec.name}: every code has the value that ffmpeg gives it`, () => {
    const format = ["-f", ffmpeg, "-ar", "8000", "-ac", "1", "-i", "pipe:0", "-f", "s16le", "pipe:1"];
    const theirs = askProgram("ffmpeg", ["-v", "quiet", ...format]);
    if (theirs) expect(decodeAll(codec)).toEqual(theirs);
  });

  test(`${codec.name}: every code has the value that sox gives it`, () => {
    const raw = ["-t", "raw", "-r", "8000", "-c", "1"];
    const theirs = askProgram("sox", [
      ...raw,
      "-e",
      sox,
      "-b",
      "8",
      "-",
      ...raw,
      "-e",
      "signed",
      "-b",
      "16",
      "-L",
      "-",
    ]);
    if (theirs) expect(decodeAll(codec)).toEqual(theirs);
  });
}

test("known ends of the scale", () => {
  expect(decodeAll(pcma)[0xaa]).toBe(32256);
  expect(decodeAll(pcma)[0xd5]).toBe(8);
  expect(decodeAll(pcmu)[0x80]).toBe(32124);
  expect(decodeAll(pcmu)[0xff]).toBe(0);
});

test.each([0, 1, 3, 4, 5, 7, 160])("decodes %i bytes in place and nothing beside", (length) => {
  const into = new Int16Array(170).fill(77);
  expect(pcma.samplesOf(ALL_CODES, 9, 9 + length)).toBe(length);
  expect(pcma.decode(ALL_CODES, 9, 9 + length, into, 5, 1)).toBe(length);
  const all = decodeAll(pcma);
  expect(into.slice(5, 5 + length)).toEqual(all.slice(9, 9 + length));
  expect(into.slice(0, 5).every((sample) => sample === 77)).toBe(true);
  expect(into.slice(5 + length).every((sample) => sample === 77)).toBe(true);
});

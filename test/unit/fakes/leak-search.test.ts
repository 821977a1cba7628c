import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LeakSearch, makeMarkers } from "../../fakes/leak-search.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { makeRandom, randomInteger } from "../../fakes/random.js";
import { decodeG711, type G711Codec } from "../../fakes/tone.js";

const CODECS: G711Codec[] = ["PCMA", "PCMU"];
const { secret, other } = makeMarkers(["secret", "other"], 1);
const samplesOf = (bytes: Buffer, codec: G711Codec, channels: 1 | 2, fill: number): Buffer => {
  const samples = decodeG711(bytes, codec);
  const out = Buffer.alloc(samples.length * 2 * channels, fill);
  for (const [i, sample] of samples.entries()) out.writeInt16LE(sample, i * 2 * channels);
  return out;
};

/** What a program might make of a stretch of a speaker's payload. */
const FORMS: [form: string, write: (bytes: Buffer, codec: G711Codec) => Buffer | string][] = [
  ["packet bytes", (bytes) => bytes],
  ["samples", (bytes, codec) => samplesOf(bytes, codec, 1, 0)],
  ["samples of one channel of two", (bytes, codec) => samplesOf(bytes, codec, 2, 0x77)],
  ["hex", (bytes) => bytes.toString("hex")],
  ["HEX", (bytes) => bytes.toString("hex").toUpperCase()],
  ["base64", (bytes) => bytes.toString("base64")],
  ["numbers", (bytes) => JSON.stringify(bytes)],
  ["characters", (bytes) => bytes.toString("latin1")],
];

describe.each(CODECS)("LeakSearch, %s", (codec) => {
  const search = new LeakSearch([secret, other], codec);

  it.each(FORMS)("finds %s of any 57 bytes in a row, wherever they begin and lie", (form, write) =>
    fc.assert(
      fc.property(
        fc.nat({ max: 15 }),
        fc.integer({ min: 57, max: 160 }),
        fc.uint8Array({ maxLength: 50 }),
        fc.uint8Array({ maxLength: 50 }),
        (from, length, before, after) => {
          const spoken = Buffer.alloc(from + length, secret.pattern).subarray(from);
          const bytes = Buffer.concat([before, Buffer.from(write(spoken, codec)), after]);
          expect(search.inBytes(bytes, "x")).toContainEqual({ marker: "secret", form, place: "x" });
        },
      ),
    ),
  );

  it("finds nothing in noise, nor in what sounds alike", () => {
    const random = makeRandom(7);
    const noise = Buffer.from(Array.from({ length: 1 << 18 }, () => randomInteger(random, 256)));
    expect(search.inBytes(noise, "noise")).toEqual([]);
    const shuffled = Buffer.from(secret.pattern).reverse();
    expect(search.inBytes(Buffer.alloc(1000, shuffled), "shuffled")).toEqual([]);
  });
});

describe("LeakSearch.inFolders", () => {
  it("looks into every file at every depth, and names it", () => {
    const folder = makeFolder();
    try {
      const deep = join(folder, "a", "b");
      mkdirSync(deep, { recursive: true });
      writeFileSync(join(deep, ".hidden"), Buffer.alloc(64, secret.pattern));
      writeFileSync(join(folder, "clean"), "nothing");
      const search = new LeakSearch([secret, other], "PCMA");
      expect(search.inFolders([folder, join(folder, "missing")])).toEqual([
        { marker: "secret", form: "packet bytes", place: join(deep, ".hidden") },
      ]);
    } finally {
      removeFolder(folder);
    }
  });
});

import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeWasmMemory } from "../../../device/seal/code-expander.js";
import { OutputFile } from "../../../device/seal/output-file.js";
import { makeRandom } from "../../fakes/random.js";

const BLOCK = 4096;
const SHARED_MEMORY = "/dev/shm";
/** On the disk, and on a file system in memory, which takes direct writes or does not. */
const FOLDERS = existsSync(SHARED_MEMORY) ? [tmpdir(), SHARED_MEMORY] : [tmpdir()];

/** Memory at a page address, and such as is at none. */
const aligned = Buffer.from(makeWasmMemory(1 << 20)!.buffer);
const unaligned = Buffer.allocUnsafeSlow((1 << 20) + 1).subarray(1);
for (const memory of [aligned, unaligned]) for (let i = 0; i < memory.length; i++) memory[i] = (i * 7919) >> 5;

function withFile(parent: string, use: (path: string) => void): void {
  const folder = mkdtempSync(join(parent, "sidetone-output-"));
  try {
    use(join(folder, "file"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function expectWritten(path: string, pieces: readonly Uint8Array[]): void {
  const file = new OutputFile(path);
  for (const piece of pieces) file.append(piece);
  const whole = Buffer.concat(pieces);
  expect(file.bytes).toBe(whole.length);
  expect(file.finish()).toEqual({
    bytes: whole.length,
    sha256: createHash("sha256").update(whole).digest("hex"),
    sha512: createHash("sha512").update(whole).digest("hex"),
  });
  expect(readFileSync(path).equals(whole)).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o600);
}

test.each(FOLDERS)("pieces of any length and at any address are the file in their order (%s)", (folder) => {
  const random = makeRandom(3);
  for (let round = 0; round < 60; round++) {
    const memory = random() < 0.7 ? aligned : unaligned;
    const pieces = Array.from({ length: Math.floor(random() * 5) }, () => {
      const isWhole = random() < 0.6;
      const from = isWhole ? Math.floor(random() * 64) * BLOCK : Math.floor(random() * 100_000);
      const length = isWhole ? Math.floor(random() * 100) * BLOCK : Math.floor(random() * 300_000);
      return memory.subarray(from, from + length);
    });
    withFile(folder, (path) => expectWritten(path, pieces));
  }
});

test("what stood there is replaced; what is abandoned is gone", () => {
  withFile(tmpdir(), (path) => {
    writeFileSync(path, "something longer that stood there before".repeat(5000), { mode: 0o644 });
    expectWritten(path, [aligned.subarray(0, 2 * BLOCK), aligned.subarray(0, 5)]);
    const file = new OutputFile(path);
    file.append(aligned.subarray(0, BLOCK));
    file.abandon();
    expect(existsSync(path)).toBe(false);
  });
});

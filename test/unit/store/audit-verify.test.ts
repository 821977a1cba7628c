// A chain that somebody changed, in every way there is, checked with the public key alone.
import { generateKeyPairSync } from "node:crypto";
import { appendFileSync, cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sha256Of } from "../../../device/base/sha256.js";
import { verifyAudit } from "../../../device/store/audit-verify.js";
import { signLine } from "../../../device/store/signed-line.js";
import { auditFile, editLines, linesOf, makeChain, NOVEMBER_US, openChain, problemsOf } from "./audit-kit.js";
import { makeFolder, publicKeyOf, removeFolder } from "./store-kit.js";

const NOVEMBER = "2026-11.jsonl";
const DECEMBER = "2026-12.jsonl";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
  // Entries 1–10 in November, 11–25 in December.
  makeChain(folder, 25);
});
afterEach(() => removeFolder(folder));

test("a chain that nobody touched has no problems", () => {
  const verdict = verifyAudit(folder, publicKeyOf(folder));
  expect(verdict).toMatchObject({ entries: 25, files: 2, problems: [], problemCount: 0, tornBytes: 0 });
  expect(verdict.head).toEqual(verdict.end);
  expect(verdict.end.seq).toBe(25);
  expect(linesOf(folder, NOVEMBER).length).toBe(10);
});

test("a line that was edited is named, wherever it stands", () => {
  for (const [file, at, seq] of [
    [NOVEMBER, 0, 1],
    [NOVEMBER, 9, 10],
    [DECEMBER, 0, 11],
    [DECEMBER, 14, 25],
  ] as const) {
    const before = readFileSync(auditFile(folder, file));
    editLines(folder, file, (lines) => lines.with(at, lines[at]!.replace("token", "tokem")));
    expect(problemsOf(folder)).toEqual([`edited ${seq}`]);
    writeFileSync(auditFile(folder, file), before);
  }
  editLines(folder, NOVEMBER, (lines) => lines.with(4, "not even JSON").with(5, ""));
  expect(problemsOf(folder)).toEqual(["edited 5", "edited 6"]);
});

test("removed lines are named, at the beginning, in the middle, over the turn of the month", () => {
  editLines(folder, NOVEMBER, (lines) => lines.slice(2, -1).filter((_, i) => i !== 3));
  editLines(folder, DECEMBER, (lines) => lines.slice(2));
  expect(problemsOf(folder)).toEqual(["removed 1-2", "removed 6", "removed 10-12"]);
});

test("a whole file that is gone", () => {
  rmSync(auditFile(folder, NOVEMBER));
  expect(problemsOf(folder)).toEqual(["removed 1-10"]);
});

test("a chain that was cut off, by lines, a file, or all of it", () => {
  editLines(folder, DECEMBER, (lines) => lines.slice(0, -2));
  expect(problemsOf(folder)).toEqual(["truncated 24-25"]);
  rmSync(auditFile(folder, DECEMBER));
  expect(problemsOf(folder)).toEqual(["truncated 11-25"]);
  rmSync(auditFile(folder, NOVEMBER));
  expect(problemsOf(folder)).toEqual(["truncated 1-25"]);
});

test("a head that was removed, forged, or is of another chain", () => {
  const head = readFileSync(auditFile(folder, "head.json"), "utf8");
  rmSync(auditFile(folder, "head.json"));
  expect(problemsOf(folder)).toEqual(["head 0"]);
  writeFileSync(auditFile(folder, "head.json"), head.replace('"seq":25', '"seq":24'));
  expect(problemsOf(folder)).toEqual(["head 0"]);
  const other = makeFolder();
  try {
    // The same key, other entries.
    cpSync(join(folder, "keys"), join(other, "keys"), { recursive: true });
    makeChain(other, 20, NOVEMBER_US + 1);
    writeFileSync(auditFile(folder, "head.json"), readFileSync(auditFile(other, "head.json")));
    expect(problemsOf(folder)).toEqual(["head 20"]);
  } finally {
    removeFolder(other);
  }
});

test("the end of another chain of the same key, as of a restored backup", () => {
  const other = makeFolder();
  try {
    cpSync(join(folder, "keys"), join(other, "keys"), { recursive: true });
    makeChain(other, 25, NOVEMBER_US + 1);
    for (const name of [DECEMBER, "head.json"])
      writeFileSync(auditFile(folder, name), readFileSync(auditFile(other, name)));
    expect(problemsOf(folder)).toEqual(["unlinked 11"]);
  } finally {
    removeFolder(other);
  }
});

test("an end that was cut off shows for ever, though the chain goes on", () => {
  editLines(folder, DECEMBER, (lines) => lines.slice(0, -2));
  openChain(folder).close();
  const chain = openChain(folder);
  chain.append({ kind: "stopped", actor: "service" });
  chain.close();
  expect(problemsOf(folder)).toEqual(["removed 24-25"]);
});

test("lines that changed places", () => {
  editLines(folder, NOVEMBER, ([...lines]) => {
    [lines[4], lines[5]] = [lines[5]!, lines[4]!];
    return lines;
  });
  expect(problemsOf(folder)).toEqual(["moved 5"]);
  editLines(folder, DECEMBER, ([first, ...lines]) => [...lines, first!]);
  expect(problemsOf(folder)).toEqual(["moved 5", "moved 11"]);
});

test("lines that were added: copies of others, and forged ones", () => {
  const [copy] = linesOf(folder, NOVEMBER);
  editLines(folder, DECEMBER, (lines) => lines.toSpliced(3, 0, copy!));
  expect(problemsOf(folder)).toEqual(["added 1"]);
  const forged = copy!.replace('"seq":1,', '"seq":11,').replace("token 1", "token 9");
  editLines(folder, NOVEMBER, (lines) => [...lines, forged]);
  expect(problemsOf(folder)).toEqual(["added 11", "added 1"]);
});

test("a chain that was written anew with another key from one entry on", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  editLines(folder, DECEMBER, (lines) => {
    let previous = "";
    return lines.map((line, at) => {
      if (at < 12) return line;
      const { signature: _, ...body } = JSON.parse(line);
      if (previous !== "") body.previous = previous;
      const forged = signLine({ ...body, actor: "somebody else" }, privateKey);
      previous = sha256Of(forged);
      return forged.toString();
    });
  });
  expect(problemsOf(folder)).toEqual(["signature 23", "signature 24", "edited 25"]);
  const { publicKey } = generateKeyPairSync("ed25519");
  const verdict = verifyAudit(folder, publicKey);
  // Another key signed none of it, its head neither.
  expect(verdict.problemCount).toBe(26);
  expect(verdict.head).toBeUndefined();
});

test("a signature written in another way is no signature", () => {
  editLines(folder, DECEMBER, (lines) => lines.with(-1, lines.at(-1)!.replace(/.=="}$/, '_=="}')));
  expect(problemsOf(folder)).toEqual(["edited 25"]);
});

test("what is torn behind the last line counts for nothing, but for its bytes", () => {
  appendFileSync(auditFile(folder, DECEMBER), '{"schema":"sidetone.aud');
  expect(verifyAudit(folder, publicKeyOf(folder))).toMatchObject({ entries: 25, problems: [], tornBytes: 23 });
  truncateSync(auditFile(folder, DECEMBER), readFileSync(auditFile(folder, DECEMBER)).length - 30);
  expect(problemsOf(folder)).toEqual(["truncated 25"]);
});

test("lines of any length are passed by", () => {
  editLines(folder, NOVEMBER, (lines) => lines.with(3, "x".repeat(3 << 20)));
  expect(problemsOf(folder)).toEqual(["edited 4"]);
});

test("no chain at all is no fault of the chain", () => {
  rmSync(auditFile(folder, "."), { recursive: true });
  expect(verifyAudit(folder, publicKeyOf(folder))).toMatchObject({ entries: 0, files: 0, problems: [] });
});

test("any single change of any byte is found", () => {
  const files = [NOVEMBER, DECEMBER, "head.json"].map((name) => ({
    name,
    bytes: readFileSync(auditFile(folder, name)),
  }));
  fc.assert(
    fc.property(fc.constantFrom(...files), fc.nat(), fc.integer({ min: 1, max: 255 }), ({ name, bytes }, at, xor) => {
      const changed = Buffer.from(bytes);
      const place = at % (bytes.length - 1);
      changed[place] = changed[place]! ^ xor;
      writeFileSync(auditFile(folder, name), changed);
      try {
        expect(problemsOf(folder).length).toBeGreaterThan(0);
      } finally {
        writeFileSync(auditFile(folder, name), bytes);
      }
    }),
    { seed: 3, numRuns: 150 },
  );
  expect(problemsOf(folder)).toEqual([]);
});

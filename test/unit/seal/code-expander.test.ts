import { expect, test } from "vitest";
import { CodeExpander, makeWasmMemory } from "../../../device/seal/code-expander.js";
import { pcma, pcmu } from "../../../device/seal/g711.js";
import { makeRandom } from "../../fakes/random.js";

const CODES_AT = 1 << 16;
const SAMPLES_AT = 2 << 16;

function makeExpander(): CodeExpander {
  const memory = makeWasmMemory(3 << 16)!;
  const codes = Buffer.from(memory.buffer, CODES_AT, 1 << 16);
  for (let i = 0; i < codes.length; i++) codes[i] = i & 0xff;
  return new CodeExpander(memory, codes, new Int16Array(memory.buffer, SAMPLES_AT, 1 << 15));
}

/** What is written when `count` codes from `start` on go to samples[at], samples[at + 2], …; everything else stays 12345. */
function expand(expander: CodeExpander, table: Int16Array, start: number, count: number, at: number): Int16Array {
  expander.samples.fill(12345);
  expect(expander.expand(table, start, start + count, at)).toBe(true);
  return expander.samples;
}

test("every code of both laws is its sample, on either channel, the other one untouched", () => {
  const expander = makeExpander();
  for (const { samplesByCode } of [pcma, pcmu, pcma]) {
    const table = samplesByCode!;
    for (const channel of [0, 1]) {
      const samples = expand(expander, table, 0, 256, channel);
      expect(samples.filter((_, i) => i < 512 && i % 2 === channel)).toEqual(table);
      expect(samples.every((sample, i) => sample === 12345 || (i < 512 && i % 2 === channel))).toBe(true);
    }
  }
});

test("payloads of any length, from anywhere to anywhere, give what the codec gives, and nothing around it", () => {
  const random = makeRandom(9);
  const expander = makeExpander();
  for (let round = 0; round < 500; round++) {
    const codec = random() < 0.5 ? pcma : pcmu;
    const count = Math.floor(random() * (random() < 0.5 ? 12 : 500));
    const start = Math.floor(random() * (65_536 - count));
    const at = Math.floor(random() * (32_768 - 2 * count));
    const expected = new Int16Array(32_768).fill(12345);
    codec.decode(expander.codes, start, start + count, expected, at, 2);
    const samples = expand(expander, codec.samplesByCode!, start, count, at);
    expect(samples.findIndex((sample, i) => sample !== expected[i])).toBe(-1);
  }
});

test("more tables than its memory holds are refused, not mixed up", () => {
  const expander = makeExpander();
  const tables = Array.from({ length: 129 }, (_, n) => Int16Array.from({ length: 256 }, (_, code) => code * 100 + n));
  for (const table of tables.slice(0, 128)) expect(expand(expander, table, 1, 4, 0)[0]).toBe(table[1]);
  expander.samples.fill(0);
  expect(expander.expand(tables[128]!, 1, 5, 0)).toBe(false);
  expect(expander.samples.every((sample) => sample === 0)).toBe(true);
  expect(expand(expander, tables[0]!, 1, 4, 0)[0]).toBe(tables[0]![1]);
});

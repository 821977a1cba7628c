import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WordTable } from "../../../device/rtp/word-table.js";

interface Item {
  key: Int32Array;
  name: string;
}
const item = (a: number, b: number): Item => ({ key: Int32Array.of(a, b), name: `${a}/${b}` });

describe("WordTable", () => {
  it("refuses beyond its limit and takes again after a deletion", () => {
    const table = new WordTable<Item>(2, 3);
    expect([1, 2, 3, 4].map((i) => table.set(item(i, i)))).toEqual([true, true, true, false]);
    expect(table.delete(Int32Array.of(2, 2))).toBe(true);
    expect(table.set(item(4, 4))).toBe(true);
    expect(table.size).toBe(3);
  });

  it("property: behaves like a map under any history", () => {
    const step = fc.record({
      remove: fc.boolean(),
      a: fc.integer({ min: 0, max: 40 }),
      b: fc.integer({ min: -3, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
        const table = new WordTable<Item>(2, 10_000);
        const model = new Map<string, Item>();
        for (const { remove, a, b } of steps) {
          const value = item(a, b);
          if (remove) {
            expect(table.delete(value.key)).toBe(model.delete(value.name));
          } else if (!model.has(value.name)) {
            table.set(value);
            model.set(value.name, value);
          }
        }
        expect(table.size).toBe(model.size);
        for (let a = 0; a <= 40; a++) {
          for (let b = -3; b <= 3; b++) expect(table.get(Int32Array.of(a, b))).toBe(model.get(`${a}/${b}`));
        }
        expect([...table.values()].length).toBe(model.size);
      }),
      { seed: 11, numRuns: 100 },
    );
  });
});

// A hash table from a fixed number of 32-bit words (addresses and ports) to an object, without strings or allocation
// on lookup. Bounded: `set` refuses at the limit and the owner decides what to give up.

import { randomInt } from "node:crypto";

const IPV4_PREFIX = 0xffff;

export interface WordKeyed {
  /** The table's key words; never changed while the object is in the table. */
  readonly key: Int32Array;
}

export class WordTable<Value extends WordKeyed> {
  readonly limit: number;
  private readonly last: number;
  private readonly seed: number;
  private mask: number;
  private slots: (Value | undefined)[];
  /** The slots' key words side by side: a look at a key need not go through its object. */
  private keys: Int32Array;
  private count = 0;

  /** `words` per key; at most `limit` entries. */
  constructor(words: number, limit: number, seed: number = randomInt(2 ** 32)) {
    this.seed = seed | 0;
    this.last = words - 1;
    this.limit = limit;
    this.mask = 255;
    this.slots = new Array<Value | undefined>(this.mask + 1).fill(undefined);
    this.keys = new Int32Array((this.mask + 1) * words);
  }

  get size(): number {
    return this.count;
  }

  get(key: Int32Array): Value | undefined {
    const slots = this.slots;
    const mask = this.mask;
    for (let at = this.hash(key) & mask; ; at = (at + 1) & mask) {
      const value = slots[at];
      if (value === undefined || this.isAt(at, key)) return value;
    }
  }

  /** False when the table is full. The key must not be present. */
  set(value: Value): boolean {
    if (this.count >= this.limit) return false;
    if ((this.count + 1) * 2 > this.mask) this.grow();
    this.place(value);
    this.count++;
    return true;
  }

  delete(key: Int32Array): boolean {
    const mask = this.mask;
    let at = this.hash(key) & mask;
    for (; ; at = (at + 1) & mask) {
      const value = this.slots[at];
      if (value === undefined) return false;
      if (this.isAt(at, key)) break;
    }
    // Backward shift keeps probe chains whole without tombstones.
    let hole = at;
    for (let next = (hole + 1) & mask; ; next = (next + 1) & mask) {
      const value = this.slots[next];
      if (value === undefined) break;
      const home = this.hash(value.key) & mask;
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        this.put(hole, value);
        hole = next;
      }
    }
    this.slots[hole] = undefined;
    this.count--;
    return true;
  }

  *values(): IterableIterator<Value> {
    for (const value of this.slots) if (value !== undefined) yield value;
  }

  /** Number of slots and the value in one of them: lets an owner walk the table a bit at a time. */
  get slotCount(): number {
    return this.slots.length;
  }
  slotAt(index: number): Value | undefined {
    return this.slots[index];
  }

  private place(value: Value): void {
    let at = this.hash(value.key) & this.mask;
    while (this.slots[at] !== undefined) at = (at + 1) & this.mask;
    this.put(at, value);
  }

  private put(at: number, value: Value): void {
    this.slots[at] = value;
    this.keys.set(value.key, at * (this.last + 1));
  }

  private grow(): void {
    const old = this.slots;
    this.mask = this.mask * 2 + 1;
    this.slots = new Array<Value | undefined>(this.mask + 1).fill(undefined);
    this.keys = new Int32Array((this.mask + 1) * (this.last + 1));
    for (const value of old) if (value !== undefined) this.place(value);
  }

  /** Compares from the end: ports and the low words of addresses differ soonest. */
  private isAt(slot: number, key: Int32Array): boolean {
    const keys = this.keys;
    let i = this.last;
    let at = slot * (i + 1) + i;
    while (i >= 0 && keys[at] === key[i]) {
      i--;
      at--;
    }
    return i < 0;
  }

  /**
   * Multiply and shift over the words, the high words of IPv4-mapped addresses left out (they are always the same).
   * Seeded per table, so that nobody can choose addresses that collide.
   */
  private hash(key: Int32Array): number {
    let h = this.seed;
    for (let i = this.last; i >= 0; i--) {
      const word = key[i]!;
      if (word === 0 || word === IPV4_PREFIX) continue;
      h = Math.imul(h ^ word, 0x9e3779b1);
      h ^= h >>> 15;
    }
    h = Math.imul(h, 0x85ebca6b);
    return h ^ (h >>> 13);
  }
}

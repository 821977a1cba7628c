import { describe, expect, it } from "vitest";
import { EchoPool, type EchoTaker } from "../../../device/consent/echo-pool.js";
import { WINDOW_BYTES } from "../../../device/consent/echo-window.js";
import { ALAW_SAMPLES } from "../../../device/rtp/g711-samples.js";

const START_US = 1_800_000_000_000_000;

class Taker implements EchoTaker {
  dispossessed = 0;
  dispossess(): void {
    this.dispossessed++;
  }
}
const takers = (count: number) => Array.from({ length: count }, () => new Taker());

describe("EchoPool", () => {
  it("gives out no more windows than it may, and the same ones again", () => {
    const pool = new EchoPool(2);
    const [a, b, c] = takers(3);
    const first = pool.take(a!, START_US)!;
    expect(pool.take(b!, START_US)).toBeDefined();
    expect(pool.take(c!, START_US)).toBeUndefined();
    pool.giveBack(first, "withdrawn");
    expect(pool.take(c!, START_US + 1)).toBe(first);
    expect(pool.windowCount).toBe(2);
    expect(pool.counters).toMatchObject({ opened: 3, withdrawn: 1, refused: 1 });
  });

  it("needs less than 48 KiB per window", () => {
    expect(WINDOW_BYTES).toBeLessThanOrEqual(48 * 1024);
  });

  it("lets calls take turns in the order in which they first asked", () => {
    const pool = new EchoPool(1);
    const [a, b, c] = takers(3);
    let window = pool.take(a!, START_US)!;
    for (const taker of [b!, c!, a!]) expect(pool.take(taker, START_US + 1)).toBeUndefined();
    pool.giveBack(window, "withdrawn");
    expect(pool.take(a!, START_US + 2)).toBeUndefined();
    expect(pool.take(c!, START_US + 3)).toBeUndefined();
    window = pool.take(b!, START_US + 4)!;
    expect(window).toBeDefined();
    pool.giveBack(window, "withdrawn");
    expect(pool.take(a!, START_US + 5)).toBeUndefined();
    expect(pool.take(c!, START_US + 6)).toBeDefined();
  });

  it("does not wait for a call that no longer asks, or is over", () => {
    const pool = new EchoPool(1);
    const [a, b, c, d] = takers(4);
    let window = pool.take(a!, START_US)!;
    pool.take(b!, START_US);
    pool.giveBack(window, "withdrawn");
    expect(pool.take(c!, START_US + 200_000)).toBeUndefined();
    window = pool.take(c!, START_US + 260_000)!;
    expect(window).toBeDefined();
    pool.take(d!, START_US + 260_000);
    pool.giveBack(window, "withdrawn");
    pool.forget(d!);
    expect(pool.take(a!, START_US + 260_001)).toBeDefined();
  });

  it("takes back, wiped, what a call whose packets have stopped still has", () => {
    const pool = new EchoPool(4);
    const [a, b] = takers(2);
    const window = pool.take(a!, START_US)!;
    window.put(window.caller, ALAW_SAMPLES, Buffer.alloc(160, 0x2a), 0, 160, 1, START_US);
    pool.take(b!, START_US + 4_000_000);
    pool.expire(START_US + 4_999_999);
    expect(window.caller.codes.some((code) => code !== 0)).toBe(true);
    pool.expire(START_US + 5_000_000);
    expect(window.caller.codes.every((code) => code === 0)).toBe(true);
    expect([a!.dispossessed, b!.dispossessed]).toEqual([1, 0]);
    expect(pool.counters.broken).toBe(1);
  });
});

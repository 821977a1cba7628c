import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arrival, StreamStatistics } from "../../../device/rtp/stream-statistics.js";

function feed(statistics: StreamStatistics, sequences: number[]): Arrival[] {
  return sequences.map((sequence, i) =>
    statistics.update(sequence & 0xffff, (sequence * 160) >>> 0, i * 20_000, 8000, 200),
  );
}

describe("StreamStatistics", () => {
  it("counts nothing lost in a straight run over the wrap", () => {
    const statistics = new StreamStatistics();
    feed(
      statistics,
      Array.from({ length: 1000 }, (_, i) => 65_000 + i),
    );
    expect([statistics.received, statistics.lost, statistics.duplicates]).toEqual([1000, 0, 0]);
  });

  it("tells loss, duplicates, disorder and lateness apart", () => {
    const statistics = new StreamStatistics();
    expect(feed(statistics, [10, 11, 13, 12, 12, 13, 30, 14])).toEqual([
      Arrival.inOrder,
      Arrival.inOrder,
      Arrival.gap,
      Arrival.reordered,
      Arrival.duplicate,
      Arrival.duplicate,
      Arrival.gap,
      Arrival.late, // 16 packets of 20 ms behind, window 200 ms
    ]);
    expect([statistics.received, statistics.lost, statistics.duplicates, statistics.lateCount]).toEqual([6, 15, 2, 1]);
  });

  it("takes a first packet that was overtaken into the count", () => {
    const statistics = new StreamStatistics();
    feed(statistics, [5, 4, 3, 6]);
    expect([statistics.received, statistics.lost]).toEqual([4, 0]);
  });

  it("knows a restart from loss and disorder", () => {
    const statistics = new StreamStatistics();
    feed(statistics, [100]);
    expect(statistics.fits(100 + 2999)).toBe(true);
    expect(statistics.fits(100 + 3000)).toBe(false);
    expect(statistics.fits((100 - 999) & 0xffff)).toBe(true);
    expect(statistics.fits((100 - 1001) & 0xffff)).toBe(false);
  });

  it("measures no jitter on an even stream and the variation of an uneven one (RFC 3550 §A.8)", () => {
    const even = new StreamStatistics();
    feed(
      even,
      Array.from({ length: 100 }, (_, i) => i),
    );
    expect(even.jitterMeanMs).toBeCloseTo(0, 6);
    const uneven = new StreamStatistics();
    for (let i = 0; i < 2000; i++) uneven.update(i, i * 160, i * 20_000 + (i % 2) * 5000, 8000, 200);
    expect(uneven.jitterMaxMs).toBeGreaterThan(4.5);
    expect(uneven.jitterMaxMs).toBeLessThan(5.001);
  });

  it("property: any loss, duplication and disorder within the window is counted exactly", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 65_535 }),
        fc.array(fc.record({ lost: fc.boolean(), copies: fc.integer({ min: 1, max: 3 }), delay: fc.nat(60) }), {
          minLength: 1,
          maxLength: 300,
        }),
        (base, plan) => {
          const wire: { at: number; sequence: number }[] = [];
          for (const [i, packet] of plan.entries()) {
            if (packet.lost) continue;
            for (let copy = 0; copy < packet.copies; copy++) wire.push({ at: i + packet.delay, sequence: base + i });
          }
          if (wire.length === 0) return;
          wire.sort((a, b) => a.at - b.at);
          const statistics = new StreamStatistics();
          feed(
            statistics,
            wire.map((packet) => packet.sequence),
          );
          const distinct = [...new Set(wire.map((packet) => packet.sequence))];
          const expected = Math.max(...distinct) - Math.min(...distinct) + 1;
          expect(statistics.received).toBe(distinct.length);
          expect(statistics.duplicates).toBe(wire.length - distinct.length);
          expect(statistics.lost).toBe(expected - distinct.length);
        },
      ),
      { seed: 7, numRuns: 300 },
    );
  });
});

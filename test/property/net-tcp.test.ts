import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pattern } from "../unit/net/packets.js";
import { Consumer, SYN, segment } from "../unit/net/tcp-segments.js";

const piece = fc.record({ start: fc.nat(4000), length: fc.integer({ min: 1, max: 1500 }) });

describe("TCP reassembly", () => {
  it("gives exactly the sent bytes for any order, copies and overlaps, across the wrap", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0, 1000, 0x7ffff800, 0xfffff800, 0xffffffff),
        fc.integer({ min: 1, max: 4000 }),
        fc.array(piece, { maxLength: 40 }),
        (initial, length, pieces) => {
          const sent = pattern(length);
          const tcp = new Consumer().push(segment(initial, "", { flags: SYN }));
          const steps = Array.from({ length: Math.ceil(length / 100) }, (_, i) => ({ start: i * 100, length: 100 }));
          for (const { start, length: wanted } of [...pieces, ...steps]) {
            if (start >= length) continue;
            tcp.push(segment(initial + 1 + start, sent.subarray(start, start + wanted)));
          }
          expect(tcp.text).toBe(sent.toString("latin1"));
          expect(tcp.streams.bufferedBytes).toBe(0);
          expect(tcp.counts).not.toHaveProperty("gaps");
        },
      ),
      { seed: 30, numRuns: 150 },
    );
  });

  it("marks every loss with a gap and never delivers a byte twice or out of order", () => {
    const segments = fc.array(fc.record({ isLost: fc.boolean(), swap: fc.nat(4) }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(segments, (plan) => {
        // Each byte says where it belongs: 20 bytes of its own letter per segment.
        const all = plan.map(({ isLost }, i) => ({ i, isLost, text: String.fromCharCode(48 + i).repeat(20) }));
        const order = [...all];
        plan.forEach(({ swap }, i) => {
          const j = Math.min(order.length - 1, i + swap);
          [order[i], order[j]] = [order[j]!, order[i]!];
        });
        const tcp = new Consumer().push(segment(0, "", { flags: SYN }));
        for (const { i, isLost, text } of order) if (!isLost) tcp.push(segment(1 + i * 20, text));
        tcp.streams.finish();
        // A run of losses is one gap, before the next segment that did come.
        const kept = all.filter(({ isLost }) => !isLost);
        const expected = kept.map(({ i, text }) => (i > 0 && all[i - 1]!.isLost ? `|${text}` : text)).join("");
        expect(tcp.text).toBe(expected);
      }),
      { seed: 31, numRuns: 300 },
    );
  });
});

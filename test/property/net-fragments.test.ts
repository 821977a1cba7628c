import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fragment, fragmentsOf, LINK_TYPE_OF } from "../unit/net/fragment-packets.js";
import { pattern, Recorded, udp } from "../unit/net/packets.js";

const version = fc.constantFrom(4 as const, 6 as const);

function permutations<T>(items: T[]): T[][] {
  if (items.length < 2) return [items];
  return items.flatMap((item, i) => permutations(items.filter((_, j) => j !== i)).map((rest) => [item, ...rest]));
}

describe("reassembly", () => {
  it.each([4, 6] as const)("IPv%i: gives the same datagram for every order of five fragments", (v) => {
    const payload = pattern(90);
    for (const order of permutations(fragmentsOf(v, payload, [8, 24, 56, 80]))) {
      const seen = new Recorded();
      for (const part of order) seen.decode(part, { linkType: LINK_TYPE_OF[v] });
      expect(seen.payloads).toEqual([payload.toString("hex")]);
    }
  });

  it("gives the datagram once all bytes are there, whatever the cuts, copies and agreeing overlaps", () => {
    const piece = fc.record({ start: fc.nat(1200), units: fc.integer({ min: 1, max: 600 }) });
    fc.assert(
      fc.property(
        version,
        fc.integer({ min: 1, max: 9000 }),
        fc.array(piece, { maxLength: 12 }),
        (v, length, pieces) => {
          const datagram = udp(pattern(length));
          const seen = new Recorded();
          const present = new Set<number>();
          let isDelivered = false;
          // The random pieces first; then whatever is missing, back to front.
          const units = Math.ceil(datagram.length / 8);
          const all = [...pieces, ...Array.from({ length: units }, (_, i) => ({ start: units - 1 - i, units: 1 }))];
          for (const { start, units: wanted } of all) {
            const end = Math.min(start + wanted, units);
            const isLast = end === units;
            // A single fragment that is the whole datagram is no fragment.
            if (isDelivered || start >= end || (start === 0 && isLast)) continue;
            const part = datagram.subarray(start * 8, isLast ? datagram.length : end * 8);
            seen.decode(fragment(v, part, start * 8, !isLast), { linkType: LINK_TYPE_OF[v] });
            for (let unit = start; unit < end; unit++) present.add(unit);
            isDelivered = present.size === units;
            expect(seen.payloads).toEqual(isDelivered ? [pattern(length).toString("hex")] : []);
          }
          expect(seen.decoder.fragments.size).toBe(0);
          expect(seen.counts).not.toHaveProperty("fragment-overlap");
        },
      ),
      { seed: 20, numRuns: 60 },
    );
  });

  it("never delivers a datagram of which any byte was contradicted", () => {
    fc.assert(
      fc.property(version, fc.nat(95), fc.integer({ min: 1, max: 255 }), fc.boolean(), (v, at, flip, isFirst) => {
        const datagram = udp(pattern(96 - 8));
        const parts = [0, 24, 48, 72].map((start) => ({ start, part: datagram.subarray(start, start + 24) }));
        const forged = Buffer.from(parts[Math.floor(at / 24)]!.part);
        forged[at % 24]! ^= flip;
        const lie = { start: Math.floor(at / 24) * 24, part: forged };
        const honest = parts[Math.floor(at / 24)]!;
        const rest = parts.filter((part) => part !== honest);
        const seen = new Recorded();
        for (const { start, part } of [...(isFirst ? [lie, honest] : [honest, lie]), ...rest]) {
          seen.decode(fragment(v, part, start, start < 72), { linkType: LINK_TYPE_OF[v] });
        }
        expect(seen.datagrams).toEqual([]);
        expect(seen.counts).toEqual({ fragments: 5, "fragment-overlap": 1 });
      }),
      { seed: 21, numRuns: 200 },
    );
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { SpanExtents } from "../../../device/seal/span-extents.js";

interface Span {
  fromUs: number;
  toUs: number;
}
interface Packet {
  atUs: number;
  frame: number;
}

const SAMPLES = 16;

/** The same by looking through all spans for every packet: the last to begin of those that hold it, else of those before. */
function reference(spans: readonly Span[], packets: readonly Packet[]) {
  let outside = 0;
  const extents: ({ fromSample: number; toSample: number } | null)[] = spans.map(() => null);
  for (const { atUs, frame } of packets) {
    const holding = spans.findLastIndex(({ fromUs, toUs }) => fromUs <= atUs && atUs <= toUs);
    if (holding < 0) outside++;
    const at = holding >= 0 ? holding : spans.findLastIndex(({ fromUs }) => fromUs <= atUs);
    if (at < 0) continue;
    const { fromSample = frame, toSample = frame } = extents[at] ?? {};
    extents[at] = { fromSample: Math.min(fromSample, frame), toSample: Math.max(toSample, frame + SAMPLES) };
  }
  return { outside, extents };
}

function measured(spans: readonly Span[], packets: readonly Packet[]) {
  const extents = new SpanExtents(spans);
  for (const { atUs, frame } of packets) extents.note(atUs, frame, SAMPLES);
  return { outside: extents.outside, extents: extents.toExtents() };
}

const time = fc.integer({ min: 0, max: 60 });
const packets = fc.array(fc.record({ atUs: time, frame: fc.integer({ min: 0, max: 999 }) }), { maxLength: 60 });

test("spans one after another: every packet counts for the one that it came in, in whatever order", () => {
  const apart = fc.uniqueArray(time, { maxLength: 20 }).map((times) => {
    const sorted = times.sort((a, b) => a - b);
    return Array.from({ length: sorted.length >> 1 }, (_, i) => ({ fromUs: sorted[2 * i]!, toUs: sorted[2 * i + 1]! }));
  });
  fc.assert(
    fc.property(apart, packets, (spans, each) => {
      expect(measured(spans, each)).toEqual(reference(spans, each));
    }),
    { seed: 5, numRuns: 500 },
  );
});

test("spans that overlap, or touch: no packet is lost, and each lies in the extent of a span that holds it", () => {
  const any = fc
    .array(fc.tuple(time, time), { maxLength: 12 })
    .map((pairs) =>
      pairs.map(([a, b]) => ({ fromUs: Math.min(a, b), toUs: Math.max(a, b) })).sort((a, b) => a.fromUs - b.fromUs),
    );
  fc.assert(
    fc.property(any, packets, (spans, each) => {
      const { outside, extents } = measured(spans, each);
      const holdersOf = ({ atUs }: Packet) => spans.filter(({ fromUs, toUs }) => fromUs <= atUs && atUs <= toUs);
      expect(outside).toBe(each.filter((packet) => holdersOf(packet).length === 0).length);
      for (const packet of each) {
        const holders = holdersOf(packet);
        if (holders.length === 0) continue;
        const holds = ({ fromSample, toSample }: { fromSample: number; toSample: number }) =>
          fromSample <= packet.frame && packet.frame + SAMPLES <= toSample;
        expect(
          holders.some((span) => (extents[spans.indexOf(span)] ? holds(extents[spans.indexOf(span)]!) : false)),
        ).toBe(true);
      }
    }),
    { seed: 6, numRuns: 500 },
  );
});

test("without spans, and with packets before the first one, nothing is widened and all are counted", () => {
  expect(measured([], [{ atUs: 1, frame: 0 }])).toEqual({ outside: 1, extents: [] });
  const early = measured(
    [{ fromUs: 10, toUs: 20 }],
    [
      { atUs: 9, frame: 0 },
      { atUs: Number.NaN, frame: 0 },
    ],
  );
  expect(early).toEqual({ outside: 2, extents: [null] });
});

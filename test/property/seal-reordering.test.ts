// The same packets give the same file, in whatever order they came within 200 ms.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { AdmittedPacket } from "../../device/seal/record-source.js";
import { makeRandom } from "../fakes/random.js";
import { callRecord, merged, packetsOf, sealOutcome } from "../unit/seal/sealing.js";

const WINDOW_US = 200_000;

interface Call {
  packets: number;
  seed: number;
  /** Where a leg's clock jumps; 0 = nowhere. */
  jumpAt: number;
  lossRate: number;
  jitterUs: number;
  atMs: number;
}

const call: fc.Arbitrary<Call> = fc.record({
  packets: fc.integer({ min: 300, max: 700 }),
  seed: fc.integer(),
  jumpAt: fc.constantFrom(0, 100, 150),
  lossRate: fc.constantFrom(0, 0.05, 0.3),
  jitterUs: fc.constantFrom(0, 1000),
  // On the anchors' grid: half-way between two of its points a jitter of microseconds decides which one is taken.
  atMs: fc.integer({ min: -30, max: 180 }).map((steps) => steps * 5),
});

/** One leg in sending order. */
function legOf(call: Call, side: 0 | 1): AdmittedPacket[] {
  const random = makeRandom(call.seed + side);
  const before = packetsOf({ side, count: call.jumpAt || call.packets, atMs: call.atMs });
  const after = call.jumpAt
    ? packetsOf({
        side,
        count: call.packets - call.jumpAt,
        atMs: call.atMs + call.jumpAt * 20,
        firstSequence: 100 + call.jumpAt,
        firstTimestamp: 4_000_000_000,
      })
    : [];
  return [...before, ...after]
    .filter(() => random() >= call.lossRate)
    .map((each) => ({ ...each, capturedAtUs: each.capturedAtUs + Math.floor(random() * call.jitterUs) }));
}

/** Packets overtake each other by up to 200 ms and take each other's arrival times. */
function shuffled(leg: AdmittedPacket[], random: () => number): AdmittedPacket[] {
  const order = leg
    .map((each) => ({ each, key: each.capturedAtUs + random() * WINDOW_US }))
    .sort((a, b) => a.key - b.key);
  return order.map(({ each }, slot) => ({ ...each, capturedAtUs: leg[slot]!.capturedAtUs }));
}

/** A fifth of the packets is late by up to 200 ms. */
function delayed(leg: AdmittedPacket[], random: () => number): AdmittedPacket[] {
  return leg.map((each) =>
    random() < 0.2 ? { ...each, capturedAtUs: each.capturedAtUs + Math.floor(random() * WINDOW_US) } : each,
  );
}

function hashOf(packets: AdmittedPacket[], inOrder: AdmittedPacket[]): string {
  const outcome = sealOutcome(packets, callRecord(inOrder));
  if (outcome.kind !== "audio") throw new Error(outcome.reason);
  expect(outcome.streams.map(({ recorded, late, duplicate }) => [recorded, late, duplicate])).toEqual(
    [0, 1].map((side) => [inOrder.filter((each) => each.side === side).length, 0, 0]),
  );
  return outcome.sha256;
}

for (const [name, disorder] of [
  ["packets that change places within 200 ms", shuffled],
  ["packets that are late by up to 200 ms", delayed],
] as const) {
  test(`${name} give a byte-identical file`, () => {
    fc.assert(
      fc.property(call, fc.integer(), (shape, seed) => {
        const legs = [legOf(shape, 0), legOf(shape, 1)] as const;
        const inOrder = merged(...legs);
        const random = makeRandom(seed);
        const disordered = merged(disorder(legs[0], random), disorder(legs[1], random));
        expect(hashOf(disordered, inOrder)).toBe(hashOf(inOrder, inOrder));
      }),
      { numRuns: 40, seed: 7 },
    );
  });
}

// Whatever a sender puts into its packets: sealing ends, accounts for each of them, and the file is what its header says.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Side } from "../../device/base/ids.js";
import type { AdmittedPacket } from "../../device/seal/record-source.js";
import { ANSWERED_US, callRecord, sealOutcome } from "../unit/seal/sealing.js";

const DAY_US = 24 * 3600 * 1e6;
/** Packets that come out of order by more than a clock's step take no time, each pause between two is below a minute. */
const MAX_SECONDS = 80 * 60;

/** Any bytes, with the version bits of RTP most of the time. */
const bytes = fc
  .tuple(fc.uint8Array({ maxLength: 60, size: "max" }), fc.boolean(), fc.constantFrom(0, 8, 13, 101))
  .map(([data, isRtp, payloadType]) => {
    if (isRtp && data.length > 1) [data[0], data[1]] = [0x80 | (data[0]! & 0x33), payloadType];
    return Buffer.from(data);
  });

/** Within a minute, but for a clock that is set forward by weeks or back by years once in a while. */
const packet = fc.record({
  side: fc.constantFrom<Side>(0, 1),
  stream: fc.constantFrom(0, 1, 2, 1023, 1024, 65535),
  offsetUs: fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 0, max: 60e6 }) },
    { weight: 1, arbitrary: fc.constantFrom(40 * DAY_US, -20 * 365 * DAY_US) },
  ),
  data: bytes,
});

test("any packets at all are sealed or said to be none, and each is accounted for", () => {
  let recordings = 0;
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 80, size: "max" }), fc.boolean(), (packets, isSorted) => {
      if (isSorted) packets.sort((a, b) => a.offsetUs - b.offsetUs);
      const admitted: AdmittedPacket[] = packets.map(({ side, stream, offsetUs, data }) => ({
        side,
        stream,
        capturedAtUs: ANSWERED_US + offsetUs,
        data,
        start: 0,
        end: data.length,
      }));
      const outcome = sealOutcome(admitted, callRecord([]));
      const accounted = outcome.streams.reduce(
        (sum, { recorded, undecoded, duplicate, late }) => sum + recorded + undecoded + duplicate + late,
        0,
      );
      expect(accounted).toBe(packets.filter(({ stream }) => stream < 1024).length);
      if (outcome.kind !== "audio") return;
      recordings++;
      const frames = (outcome.bytes - 44) / 4;
      expect(Number.isInteger(frames)).toBe(true);
      expect(Math.round(frames / 8)).toBe(outcome.durationMs);
      expect(frames).toBeLessThan(MAX_SECONDS * 8000);
    }),
    { numRuns: 100, seed: 11 },
  );
  expect(recordings).toBeGreaterThan(50);
});

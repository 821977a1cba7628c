import { expect, test } from "vitest";
import { codecFor, codecTable, recordingRateHz } from "../../../device/seal/codec-registry.js";
import { pcma, pcmu } from "../../../device/seal/g711.js";
import { packetsOf, streamRecord } from "./sealing.js";

const mapping = (name: string, payloadType: number, clockRate = 8000, channels = 1) => ({
  payloadType,
  name,
  clockRate,
  channels,
});

test("G.711 at 8 kHz with one channel is known, in either case; everything else is not", () => {
  expect(codecFor(mapping("PCMA", 8))).toBe(pcma);
  expect(codecFor(mapping("pcmu", 0))).toBe(pcmu);
  expect(codecFor(mapping("PCMA", 96))).toBe(pcma);
  expect(codecFor(mapping("PCMA", 96, 16000))).toBeUndefined();
  expect(codecFor(mapping("PCMU", 96, 8000, 2))).toBeUndefined();
  expect(codecFor(mapping("OPUS", 111, 48000, 2))).toBeUndefined();
});

test("a described payload type means what the description says; static types need none", () => {
  const described = streamRecord(packetsOf({ count: 1 }), {
    payloadTypes: [
      { codec: mapping("PCMA", 97), packets: 1 },
      { codec: mapping("G729", 0), packets: 1 },
    ],
  });
  const table = codecTable(described, 8000);
  expect(table[97]).toBe(pcma);
  expect(table[0]).toBeUndefined();
  expect(table[8]).toBe(pcma);
  expect(codecTable(undefined, 8000)[0]).toBe(pcmu);
  expect(codecTable(undefined, 8000)[97]).toBeUndefined();
  expect(codecTable(undefined, 16000).every((codec) => codec === undefined)).toBe(true);
});

test("a recording's rate is that of the codecs that can be decoded", () => {
  const opus = streamRecord(packetsOf({ count: 1, payloadType: 111 }));
  expect(recordingRateHz([])).toBe(8000);
  expect(recordingRateHz([opus])).toBe(8000);
});

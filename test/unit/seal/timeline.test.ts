import { expect, test } from "vitest";
import { AudioReader } from "../../../device/seal/audio-reader.js";
import type { AdmittedPacket } from "../../../device/seal/record-source.js";
import { type CallTimeline, surveyTimeline } from "../../../device/seal/timeline.js";
import { ANSWERED_US, callRecord, packet, packetsOf, sourceOf } from "./sealing.js";

const DAY_S = 24 * 3600;

function survey(packets: AdmittedPacket[], record = callRecord(packets)): CallTimeline {
  return surveyTimeline(sourceOf(packets), new AudioReader(record, 8000), record, 8000);
}

test("a recording is no longer than 24 hours, and says so", () => {
  const packets = packetsOf({ count: 10 });
  const record = callRecord(packets);
  record.endedAtUs = ANSWERED_US + 30 * 3600 * 1e6;
  record.streams[0]!.lastAtUs = record.endedAtUs;
  const timeline = survey(packets, record);
  expect(timeline.frames).toBe(DAY_S * 8000);
  expect(timeline.warnings).toEqual([{ code: "recording-truncated", detail: { seconds: DAY_S } }]);
});

test("a clock stands on the grid of 5 ms nearest to its packets", () => {
  for (const [atMs, frame] of [
    [0, 0],
    [2.4, 0],
    [2.6, 40],
    [7.4, 40],
    [7.6, 80],
  ] as const) {
    const packets = packetsOf({ count: 50, atMs });
    const record = callRecord(packets);
    record.streams = [];
    expect(survey(packets, record).frames, `${atMs} ms`).toBe(frame + 50 * 160);
  }
});

test("a stream of nothing but wild timestamps costs neither memory nor a long recording", () => {
  const packets = Array.from({ length: 20_000 }, (_, index) =>
    packet({
      side: 0,
      stream: 0,
      capturedAtUs: ANSWERED_US + index * 20_000,
      sequence: index,
      timestamp: Math.imul(index + 1, 0x9e3779b1) >>> 0,
      payloadType: 8,
      payload: Buffer.alloc(160),
    }),
  );
  const record = callRecord([packets[0]!, packets.at(-1)!]);
  const reader = new AudioReader(record, 8000);
  const timeline = surveyTimeline(sourceOf(packets), reader, record, 8000);
  expect(timeline.frames / 8000).toBeLessThan(402);
  expect(reader.streams[0]!.timeline.segments.length).toBeLessThan(10);
});

test("a stream whose clock jumps every two seconds is cut at most 512 times", () => {
  const packets = Array.from({ length: 600 * 100 }, (_, index) =>
    packet({
      side: 0,
      stream: 0,
      capturedAtUs: ANSWERED_US + index * 20_000,
      sequence: index,
      timestamp: Math.floor(index / 100) * 50_000_000 + index * 160,
      payloadType: 8,
      payload: Buffer.alloc(1),
    }),
  );
  const record = callRecord([packets[0]!, packets.at(-1)!]);
  const reader = new AudioReader(record, 8000);
  surveyTimeline(sourceOf(packets), reader, record, 8000);
  expect(reader.streams[0]!.timeline.segments.length).toBe(512);
});

test("packets of more streams than a call may have are counted, not kept", () => {
  const packets = [1023, 1024, 65535].map((stream) => packetsOf({ stream, count: 1 })[0]!);
  const record = callRecord(packets);
  const reader = new AudioReader(record, 8000);
  surveyTimeline(sourceOf(packets), reader, record, 8000);
  expect(reader.streams.map((stream) => stream.index)).toEqual([1023]);
  expect(reader.foreign).toBe(2);
});

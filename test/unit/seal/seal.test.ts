import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import type { CallRecord } from "../../../device/contract/call-record.js";
import { buildManifest } from "../../../device/seal/manifest.js";
import type { AdmittedPacket, RecordSource } from "../../../device/seal/record-source.js";
import { sealAudio } from "../../../device/seal/seal.js";
import { SealMemory } from "../../../device/seal/seal-memory.js";
import {
  ANSWERED_US,
  callRecord,
  expectedSamples,
  merged,
  packet,
  packetsOf,
  sealAndRead,
  sealOutcome,
  sourceOf,
  streamRecord,
  withFolder,
} from "./sealing.js";

const SECOND = 8000;
const PER_PACKET = 160;

/** `samples` with `silent` packets' places emptied. */
function without(samples: Int16Array, ...silent: number[]): Int16Array {
  const copy = Int16Array.from(samples);
  for (const index of silent) copy.fill(0, index * PER_PACKET, (index + 1) * PER_PACKET);
  return copy;
}

/** `samples` after `before` frames of silence, filled up with silence to `length`. */
function padded(before: number, samples: Int16Array, length: number): Int16Array {
  const whole = new Int16Array(length);
  whole.set(samples, before);
  return whole;
}

function expectSame(actual: Int16Array, expected: Int16Array): void {
  expect(actual.length).toBe(expected.length);
  expect(actual.findIndex((sample, i) => sample !== expected[i])).toBe(-1);
}

const isSilent = (samples: Int16Array) => samples.every((sample) => sample === 0);

test("both legs stand sample by sample where they were heard, on channels of one length", () => {
  const packets = merged(packetsOf({ count: 100 }), packetsOf({ side: 1, count: 60, atMs: 45 }));
  const { outcome, bytes, left, right } = sealAndRead(packets);
  expectSame(left, expectedSamples(0, 0, 2 * SECOND));
  expectSame(right, padded(360, expectedSamples(1, 0, 60 * PER_PACKET), 2 * SECOND));
  expect(outcome).toMatchObject({
    kind: "audio",
    bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    sampleRateHz: 8000,
    channels: 2,
    durationMs: 2000,
    startsAtUs: ANSWERED_US,
    recordedMs: [2000, 1200],
    warnings: [],
  });
  expect(outcome.streams).toMatchObject([
    { side: 0, index: 0, recorded: 100, undecoded: 0, duplicate: 0, late: 0 },
    { side: 1, index: 1, recorded: 60, undecoded: 0, duplicate: 0, late: 0 },
  ]);
});

test("the agent is left: the answerer's side when the answerer is the agent", () => {
  const packets = merged(packetsOf({ count: 10 }), packetsOf({ side: 1, count: 10 }));
  const record = callRecord(packets);
  record.parties[0].role = "caller";
  record.parties[1].role = "agent";
  const { left, right, outcome } = sealAndRead(packets, record);
  expectSame(left, expectedSamples(1, 0, 10 * PER_PACKET));
  expectSame(right, expectedSamples(0, 0, 10 * PER_PACKET));
  expect(outcome.recordedMs).toEqual([200, 200]);
});

test.each(["agent", "originator"] as const)("with two agents, or none, the originator is left (%s)", (role) => {
  const packets = merged(packetsOf({ count: 10 }), packetsOf({ side: 1, count: 10 }));
  const record = callRecord(packets);
  for (const party of record.parties) party.role = role;
  expectSame(sealAndRead(packets, record).left, expectedSamples(0, 0, 10 * PER_PACKET));
});

test("PCMU is decoded by its static payload type in a stream that the record does not describe", () => {
  const packets = packetsOf({ count: 3, payloadType: 0 });
  const { left, outcome } = sealAndRead(packets, { ...callRecord(packets), streams: [] });
  expect(outcome.streams).toMatchObject([{ side: 0, index: 0, recorded: 3 }]);
  expect(left.length).toBe(3 * PER_PACKET);
  expect(left).not.toEqual(expectedSamples(0, 0, 3 * PER_PACKET));
});

test("lost packets and silence suppression leave silence of exactly the right length", () => {
  const all = packetsOf({ count: 200 });
  const lost = all.filter((_, index) => index !== 20 && index !== 21 && (index < 100 || index >= 150));
  const suppressed = lost.map((each, index) => {
    const data = Buffer.from(each.data);
    data.writeUInt16BE(1000 + index, 2);
    return { ...each, data };
  });
  const silent = [20, 21, ...Array.from({ length: 50 }, (_, i) => 100 + i)];
  const expected = without(expectedSamples(0, 0, 4 * SECOND), ...silent);
  expectSame(sealAndRead(lost).left, expected);
  expectSame(sealAndRead(suppressed).left, expected);
});

test("sequence numbers and timestamps wrap unheard", () => {
  const spec = { count: 300, firstSequence: 65400, firstTimestamp: 2 ** 32 - 100 * PER_PACKET - 3 };
  const { left, outcome } = sealAndRead(packetsOf(spec));
  expectSame(left, expectedSamples(0, 0, 6 * SECOND));
  expect(outcome.warnings).toEqual([]);
});

test("a gate that was closed for more packets than half the sequence numbers leaves the audio after it at its place", () => {
  const closedMinutes = 12;
  const closedPackets = 50 * 60 * closedMinutes;
  const open = packetsOf({ count: 100 });
  const later = packetsOf({
    count: 100,
    atMs: closedMinutes * 60_000,
    firstSequence: 100 + closedPackets,
    firstTimestamp: 5000 + closedPackets * PER_PACKET,
  });
  const { left, outcome } = sealAndRead([...open, ...later]);
  const laterAt = closedMinutes * 60 * SECOND;
  expect(left.length).toBe(laterAt + 2 * SECOND);
  expectSame(left.subarray(0, 2 * SECOND), expectedSamples(0, 0, 2 * SECOND));
  expect(isSilent(left.subarray(2 * SECOND, laterAt))).toBe(true);
  expectSame(left.subarray(laterAt), expectedSamples(0, 0, 2 * SECOND));
  expect(outcome.streams[0]).toMatchObject({ recorded: 200, duplicate: 0, late: 0 });
  expect(outcome.warnings).toEqual([]);
});

test("copies are heard once and counted", () => {
  const packets = packetsOf({ count: 50 });
  const copies = packets.flatMap((each, index) => {
    const copy = { ...each, capturedAtUs: each.capturedAtUs + 150_000 };
    return index % 3 === 0 ? [each, copy, copy] : [each];
  });
  const { left, outcome } = sealAndRead(merged(copies), callRecord(packets));
  expectSame(left, expectedSamples(0, 0, SECOND));
  expect(outcome.streams[0]).toMatchObject({ recorded: 50, duplicate: 34 });
});

test("CSRC list, header extension and padding are not heard", () => {
  const packets = packetsOf({ count: 3 }).map((each) => {
    const header = Buffer.from(each.data.subarray(0, 12));
    header[0] = 0x80 | 0x20 | 0x10 | 2;
    const data = Buffer.concat([
      header,
      Buffer.alloc(8, 0x11),
      Buffer.from([0xbe, 0xde, 0, 1, 0x22, 0x22, 0x22, 0x22]),
      each.data.subarray(12),
      Buffer.from([0, 0, 3]),
    ]);
    return { ...each, data, end: data.length };
  });
  expectSame(sealAndRead(packets).left, expectedSamples(0, 0, 3 * PER_PACKET));
});

test("a phone that stops its clock on hold goes on where it is heard again", () => {
  const before = packetsOf({ count: 100 });
  const after = packetsOf({ count: 100, atMs: 17_000, firstSequence: 200, firstTimestamp: 5000 + 100 * PER_PACKET });
  const { left, outcome } = sealAndRead([...before, ...after]);
  expectSame(left.subarray(0, 2 * SECOND), expectedSamples(0, 0, 2 * SECOND));
  expect(isSilent(left.subarray(2 * SECOND, 17 * SECOND))).toBe(true);
  expectSame(left.subarray(17 * SECOND), expectedSamples(0, 0, 2 * SECOND));
  expect(outcome.warnings).toEqual([{ code: "timestamp-jump", detail: { stream: 0, segments: 2 } }]);
});

test.each([-4_000_000, 4_000_000, 2_147_000_000])("a timestamp that jumps by %i ticks moves nothing", (ticks) => {
  const before = packetsOf({ count: 100 });
  const jumped = packetsOf({
    count: 100,
    atMs: 2000,
    firstSequence: 200,
    firstTimestamp: 5000 + 100 * PER_PACKET + ticks,
  });
  const { left, outcome } = sealAndRead([...before, ...jumped]);
  expectSame(left.subarray(0, 2 * SECOND), expectedSamples(0, 0, 2 * SECOND));
  expectSame(left.subarray(2 * SECOND), expectedSamples(0, 0, 2 * SECOND));
  expect(outcome.streams[0]).toMatchObject({ recorded: 200, late: 0 });
});

test("a jump in the last half second of a call is still heard", () => {
  const before = packetsOf({ count: 100 });
  const jumped = packetsOf({ count: 20, atMs: 2000, firstSequence: 200, firstTimestamp: 3_000_000_000 });
  const { left } = sealAndRead([...before, ...jumped]);
  expectSame(left.subarray(2 * SECOND), expectedSamples(0, 0, 20 * PER_PACKET));
});

test("a single wrong timestamp cuts nothing, is left out and counted", () => {
  const packets = packetsOf({ count: 300 });
  packets[100] = packet({
    side: 0,
    stream: 0,
    capturedAtUs: packets[100]!.capturedAtUs,
    sequence: 200,
    timestamp: 3_000_000_000,
    payloadType: 8,
    payload: Buffer.alloc(160),
  });
  const { left, outcome } = sealAndRead(packets);
  expectSame(left, without(expectedSamples(0, 0, 6 * SECOND), 100));
  expect(outcome.streams[0]).toMatchObject({ recorded: 299, late: 1 });
  expect(outcome.warnings).toEqual([{ code: "packets-unplaced", detail: { packets: 1 } }]);
});

test("late packets and a stalled network's backlog move nothing", () => {
  const packets = packetsOf({ count: 500 });
  const stalled = packets.map((each, index) => {
    if (index === 7) return { ...each, capturedAtUs: each.capturedAtUs + 190_000 };
    if (index >= 100 && index < 250) return { ...each, capturedAtUs: packets[250]!.capturedAtUs + index };
    return each;
  });
  const { left, outcome } = sealAndRead(merged(stalled), callRecord(packets));
  expectSame(left, expectedSamples(0, 0, 10 * SECOND));
  expect(outcome.streams[0]).toMatchObject({ recorded: 500, late: 0 });
});

test("a packet behind the window is left out and counted, and spoils nothing", () => {
  const packets = packetsOf({ count: 3000 });
  const late = packets.map((each, index) =>
    index === 10 ? { ...each, capturedAtUs: each.capturedAtUs + 50_000_000 } : each,
  );
  const { left, outcome } = sealAndRead(merged(late), callRecord(packets));
  expectSame(left, without(expectedSamples(0, 0, 60 * SECOND), 10));
  expect(outcome.streams[0]).toMatchObject({ recorded: 2999, late: 1 });
});

test("media that overtook the answer moves sample 0 to its first sample", () => {
  const { left, outcome } = sealAndRead(packetsOf({ count: 100, atMs: -100 }));
  expect(outcome.startsAtUs).toBe(ANSWERED_US - 100_000);
  expectSame(left, expectedSamples(0, 0, 2 * SECOND));
});

test("sample 0 of a call without answer is the first that is placed", () => {
  const packets = packetsOf({ count: 10, atMs: 777 });
  const { answeredAtUs, ...unanswered } = callRecord(packets);
  expect(answeredAtUs).toBe(ANSWERED_US);
  const { left } = sealAndRead(packets, unanswered as CallRecord);
  expectSame(left, expectedSamples(0, 0, 10 * PER_PACKET));
});

test("a discarded leg that goes on still takes time, up to the call's end", () => {
  const packets = packetsOf({ count: 50 });
  const discarded = packetsOf({ side: 1, count: 150 });
  const record = callRecord(merged(packets, discarded));
  const counts = { seen: 150, recorded: 0, discarded: 150, lost: 0, late: 0, duplicate: 0 };
  record.streams[1] = streamRecord(discarded, { packets: counts });
  const { left, right } = sealAndRead(packets, record);
  expectSame(left, padded(0, expectedSamples(0, 0, SECOND), 149 * PER_PACKET));
  expect(isSilent(right)).toBe(true);
  record.endedAtUs = ANSWERED_US + 1_500_000;
  expect(sealAndRead(packets, record).left.length).toBe(1.5 * SECOND);
});

test("streams of one side that sound at once are both heard; those after one another follow", () => {
  const first = packetsOf({ count: 50 });
  const second = packetsOf({ stream: 5, count: 50, atMs: 500, firstTimestamp: 99 });
  const { left } = sealAndRead(merged(first, second));
  const a = padded(0, expectedSamples(0, 0, SECOND), 1.5 * SECOND);
  const b = padded(0.5 * SECOND, expectedSamples(0, 0, SECOND), 1.5 * SECOND);
  expectSame(
    left,
    a.map((sample, i) => Math.max(-32768, Math.min(32767, sample + b[i]!))),
  );
});

test("other codecs and events stay silent, are counted and named", () => {
  const audio = packetsOf({ count: 100 });
  const opus = packetsOf({ side: 1, count: 30, payloadType: 111 });
  const record = callRecord(merged(audio, opus));
  record.streams[0]!.payloadTypes.push({
    codec: { payloadType: 101, name: "TELEPHONE-EVENT", clockRate: 8000, channels: 1 },
    packets: 2,
  });
  const events = [40, 41].map((index) => {
    const data = Buffer.from(audio[index]!.data.subarray(0, 16));
    data[1] = 101;
    return { ...audio[index]!, data, end: 16 };
  });
  const empty = { ...audio[60]!, end: 12 };
  const broken = { ...audio[61]!, end: 5 };
  const packets = merged(
    audio.filter((_, index) => ![40, 41, 60, 61].includes(index)),
    opus,
    [...events, empty, broken],
  );
  const { left, right, outcome } = sealAndRead(packets, record);
  expectSame(left, without(expectedSamples(0, 0, 2 * SECOND), 40, 41, 60, 61));
  expect(isSilent(right)).toBe(true);
  expect(outcome.streams).toMatchObject([
    { recorded: 96, undecoded: 4 },
    { recorded: 0, undecoded: 30 },
  ]);
  expect(outcome.warnings).toEqual([{ code: "codec-undecoded", detail: { codec: "OPUS", packets: 30 } }]);
});

test("a call of which nothing can be decoded leaves no file and says why", () => {
  withFolder((folder) => {
    const temporaryPath = join(folder, "a.wav");
    const opus = packetsOf({ count: 30, payloadType: 111 });
    expect(sealAudio(sourceOf(opus), callRecord(opus), { temporaryPath })).toMatchObject({
      kind: "no-audio",
      reason: "codec-unsupported",
      streams: [{ recorded: 0, undecoded: 30 }],
      warnings: [{ code: "codec-undecoded", detail: { codec: "OPUS", packets: 30 } }],
    });
    expect(existsSync(temporaryPath)).toBe(false);
  });
  expect(sealOutcome([])).toMatchObject({ kind: "no-audio", reason: "no-media" });
  expect(sealOutcome([], callRecord([], { noAudio: "no-consent" }))).toMatchObject({ reason: "no-consent" });
});

test("packets that the journal lost are missed: all of them, or some", () => {
  const packets = packetsOf({ count: 50 });
  expect(sealOutcome([], callRecord(packets))).toMatchObject({ kind: "no-audio", reason: "journal-lost" });
  const { outcome } = sealAndRead(packets.slice(0, 40), callRecord(packets));
  expect(outcome.warnings).toEqual([{ code: "journal-incomplete", detail: { packets: 10 } }]);
});

test("a wall clock that is set back by an hour, or leaps ahead by years, during the call changes next to nothing", () => {
  for (const stepUs of [-3_600_000_000, 3e14]) {
    const packets = packetsOf({ count: 200 });
    const stepped = packets.map((each, index) =>
      index < 100 ? each : { ...each, capturedAtUs: each.capturedAtUs + stepUs },
    );
    const { left, outcome } = sealAndRead(stepped, callRecord(stepped));
    // The pause between the two packets around the step is not known: it counts as none.
    expectSame(left.subarray(0, 3.98 * SECOND), expectedSamples(0, 0, 3.98 * SECOND));
    expect(left.length).toBeLessThanOrEqual(4 * SECOND + PER_PACKET);
    expect(outcome.warnings.map(({ code }) => code)).toEqual(["clock-stepped"]);
  }
});

test("what a withdrawal erased is not in the recording, and counts for nothing there", () => {
  const agent = packetsOf({ count: 100 });
  const caller = packetsOf({ side: 1, count: 100 });
  const packets = merged(agent, caller);
  const record = callRecord(packets);
  // 40 packets are gone, up to the one that came at that very moment.
  const toUs = caller[39]!.capturedAtUs;
  record.parties[1].erased = [
    { fromUs: ANSWERED_US, toUs: ANSWERED_US + 100_000, packets: 6, evidence: "e2" },
    { fromUs: ANSWERED_US, toUs, packets: 34, evidence: "e3" },
  ];
  record.parties[1].spans = [{ ...record.parties[1].spans[0]!, fromUs: toUs + 1, packets: 60 }];
  record.streams[1]!.packets = { seen: 100, recorded: 60, discarded: 40, lost: 0, late: 0, duplicate: 0 };
  record.streams[1]!.discardedBy = { erased: 40 };
  const { left, right, outcome } = sealAndRead(packets, record);
  expectSame(left, expectedSamples(0, 0, 2 * SECOND));
  expectSame(right, without(expectedSamples(1, 0, 2 * SECOND), ...Array(40).keys()));
  expect(outcome.streams[1]).toMatchObject({ recorded: 60, undecoded: 0, duplicate: 0, late: 0 });
  expect(outcome.warnings).toEqual([]);
  expect(outcome.extents).toEqual([
    [{ fromSample: 0, toSample: 2 * SECOND }],
    [{ fromSample: 40 * PER_PACKET, toSample: 2 * SECOND }],
  ]);
  const { packets: counts } = buildManifest(record, outcome, { device: "box" }).parties[1].streams[0]!;
  expect(counts).toMatchObject({ seen: 100, admitted: 60, recorded: 60, discarded: 40, undecoded: 0, duplicate: 0 });
});

test("erasing takes the party's own packets only, whoever else speaks on that side", () => {
  const first = packetsOf({ side: 1, count: 50 });
  const second = packetsOf({ side: 1, count: 50, atMs: 1000, stream: 7 });
  const packets = merged(packetsOf({ count: 100 }), first, second);
  const record = callRecord(packets);
  record.parties.push({ ...record.parties[1], joinedBy: "transfer", spans: [...record.parties[1].spans] });
  record.streams.find(({ index }) => index === 7)!.party = 2;
  record.parties[2]!.erased = [{ fromUs: 0, toUs: ANSWERED_US + 1_500_000, packets: 26, evidence: "e2" }];
  const { right } = sealAndRead(packets, record);
  expectSame(right.subarray(0, SECOND), expectedSamples(1, 0, SECOND));
  expectSame(right.subarray(SECOND), without(expectedSamples(1, 0, SECOND), ...Array(26).keys()));
});

test("a call that was erased wholly has no audio, and says so", () => {
  const packets = packetsOf({ side: 1, count: 50 });
  const record = callRecord(packets);
  record.parties[1].erased = [{ fromUs: 0, toUs: record.endedAtUs, packets: 50, evidence: "e2" }];
  record.streams[0]!.packets = { seen: 50, recorded: 0, discarded: 50, lost: 0, late: 0, duplicate: 0 };
  expect(sealOutcome(packets, record)).toMatchObject({ kind: "no-audio", reason: "erased", warnings: [] });
  record.noAudio = "no-consent";
  expect(sealOutcome(packets, record)).toMatchObject({ reason: "no-consent" });
});

test("every open span says where its packets stand, in samples of the recording", () => {
  const agent = packetsOf({ count: 200, atMs: -100 });
  // 50 packets each, with a second shut between: the second span's first packet overtook the one before it.
  const caller = [...packetsOf({ side: 1, count: 50 }), ...packetsOf({ side: 1, count: 150 }).slice(100)];
  const shut = ANSWERED_US + 1_000_000;
  const record = callRecord(merged(agent, caller));
  record.parties[1].spans = [
    { fromUs: ANSWERED_US, toUs: shut, evidence: "e1", packets: 50 },
    { fromUs: shut + 500_000, toUs: shut + 510_000, evidence: "e1", packets: 0 },
    { fromUs: shut + 1_000_000, toUs: shut + 9_000_000, evidence: "e2", packets: 50 },
  ];
  const { outcome, right } = sealAndRead(merged(agent, caller), record);
  expect(outcome.warnings).toEqual([]);
  // Sample 0 is 100 ms before the answer.
  expect(outcome.extents[0]).toEqual([{ fromSample: 0, toSample: 200 * PER_PACKET }]);
  expect(outcome.extents[1]).toEqual([
    { fromSample: 800, toSample: 800 + SECOND },
    null,
    { fromSample: 800 + 2 * SECOND, toSample: 800 + 3 * SECOND },
  ]);
  const rest = Int16Array.from(right);
  for (const extent of outcome.extents[1]!) if (extent) rest.fill(0, extent.fromSample, extent.toSample);
  expect(isSilent(rest)).toBe(true);
});

test("packets in no span are counted, and widen the extent of the one before", () => {
  const packets = packetsOf({ side: 1, count: 100 });
  const record = callRecord(packets);
  record.parties[1].spans = [
    { fromUs: packets[10]!.capturedAtUs, toUs: packets[59]!.capturedAtUs, evidence: "e1", packets: 50 },
  ];
  const { outcome } = sealAndRead(packets, record);
  expect(outcome.extents[1]).toEqual([{ fromSample: 10 * PER_PACKET, toSample: 100 * PER_PACKET }]);
  expect(outcome.warnings).toEqual([{ code: "packets-outside-spans", detail: { packets: 50 } }]);
  record.parties[1].spans = [];
  const none = sealAndRead(packets, record).outcome;
  expect([none.extents[1], none.warnings]).toEqual([[], [{ code: "packets-outside-spans", detail: { packets: 100 } }]]);
});

test("what the file system refuses is one line with a code, and no file is left", () => {
  withFolder((folder) => {
    const packets = packetsOf({ count: 10 });
    const temporaryPath = join(folder, "missing", "a.wav");
    const seal = () => sealAudio(sourceOf(packets), callRecord(packets), { temporaryPath });
    expect(seal).toThrow(SidetoneError);
    expect(seal).toThrow(/^cannot write the recording of call .* \(ENOENT\)$/);
    const source = sourceOf(packets);
    const broken = {
      visit(sink: (each: AdmittedPacket) => void) {
        source.visit(sink);
        if (source.visits > 1) throw new Error("the reader broke");
      },
    };
    expect(() => sealAudio(broken, callRecord(packets), { temporaryPath: join(folder, "a.wav") })).toThrow(
      "the reader",
    );
    expect(readdirSync(folder)).toEqual([]);
  });
});

test.each([
  ["as it is", new SealMemory(1 << 20)],
  ["where the process may not have it", new SealMemory(1 << 20, () => undefined)],
])("packets that lie in the sealing thread's own memory (%s) give the same file as others", (_, memory) => {
  const source = (packets: readonly AdmittedPacket[]): RecordSource => ({
    visit(sink) {
      let at = 0;
      for (const each of packets) {
        each.data.copy(memory.blocks, at, each.start, each.end);
        sink({ ...each, data: memory.blocks, start: at, end: at + each.end - each.start });
        at += each.end - each.start;
      }
    },
  });
  // One call after the other in the same memory: both laws, two streams at once, late packets, one leg alone.
  const calls = [
    merged(packetsOf({ count: 900 }), packetsOf({ side: 1, count: 700, atMs: 45, payloadType: 0 })),
    packetsOf({ side: 1, count: 50 }),
    merged(packetsOf({ count: 100 }), packetsOf({ stream: 2, count: 90, atMs: 77 }), packetsOf({ side: 1, count: 10 })),
    packetsOf({ count: 500 }).map((each, i) =>
      i % 7 === 0 ? { ...each, capturedAtUs: each.capturedAtUs + 150_000 } : each,
    ),
  ];
  for (const packets of calls) {
    const expected = sealOutcome(packets);
    const outcome = withFolder((folder) =>
      sealAudio(source(packets), callRecord(packets), { temporaryPath: join(folder, "call.wav"), memory }),
    );
    expect({ ...outcome, temporaryPath: "" }).toEqual({ ...expected, temporaryPath: "" });
  }
});

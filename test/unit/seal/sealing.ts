// What the sealing tests share: packets whose every sample is known, a source that reuses its buffer like the journal's
// reader, a call's record, and a sealed file read back by an independent reader.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import wavefile from "wavefile";
import type { CallId, Side } from "../../../device/base/ids.js";
import {
  CALL_RECORD_SCHEMA,
  type CallRecord,
  type SpanRecord,
  type StreamRecord,
} from "../../../device/contract/call-record.js";
import type { AdmittedPacket, RecordSource } from "../../../device/seal/record-source.js";
import { type SealedAudio, type SealOptions, type SealOutcome, sealAudio } from "../../../device/seal/seal.js";

export const ANSWERED_US = Date.UTC(2026, 10, 21, 9, 0, 0) * 1000 + 123_456;
export const PACKET_SAMPLES = 160;
const US_PER_SAMPLE = 125;
const CALL_ID = "01KAJ5QX00ABCDEFGHJKMNPQRS" as CallId;

export interface StreamSpec {
  side?: Side;
  stream?: number;
  /** Arrival of packet 0 after the answer, ms. */
  atMs?: number;
  count: number;
  firstSequence?: number;
  firstTimestamp?: number;
  payloadType?: number;
}

/** A-law code of one side's sample `index`: any code may follow any other, so that a shift by one sample shows. */
export function codeAt(side: Side, index: number): number {
  return (Math.imul(index + 1, side === 0 ? 0x9e3779b1 : 0x85ebca6b) >>> 13) & 0xff;
}

/** A-law by the tables of ITU-T G.711, written down another way than the device's. */
export function alawToLinear(code: number): number {
  const bits = code ^ 0x55;
  const [exponent, mantissa] = [(bits >> 4) & 7, bits & 15];
  const value = exponent === 0 ? 2 * mantissa + 1 : (2 * mantissa + 33) * 2 ** (exponent - 1);
  return (bits & 0x80 ? value : -value) * 8;
}

/** The samples [from, from + count) that `packetsOf` puts into its packets. */
export function expectedSamples(side: Side, from: number, count: number): Int16Array {
  return Int16Array.from({ length: count }, (_, i) => alawToLinear(codeAt(side, from + i)));
}

/** `count` packets of 20 ms, evenly spaced. */
export function packetsOf(spec: StreamSpec): AdmittedPacket[] {
  const { side = 0, stream = side, atMs = 0, count, firstSequence = 100, firstTimestamp = 5000 } = spec;
  return Array.from({ length: count }, (_, index) => {
    const payload = Buffer.from(
      Array.from({ length: PACKET_SAMPLES }, (_, i) => codeAt(side, index * PACKET_SAMPLES + i)),
    );
    return packet({
      side,
      stream,
      capturedAtUs: ANSWERED_US + atMs * 1000 + index * PACKET_SAMPLES * US_PER_SAMPLE,
      sequence: firstSequence + index,
      timestamp: firstTimestamp + index * PACKET_SAMPLES,
      payloadType: spec.payloadType ?? 8,
      payload,
    });
  });
}

export interface PacketSpec {
  side: Side;
  stream: number;
  capturedAtUs: number;
  sequence: number;
  timestamp: number;
  payloadType: number;
  payload: Uint8Array;
}

/** One packet with a plain header (RFC 3550 §5.1). */
export function packet(spec: PacketSpec): AdmittedPacket {
  const header = Buffer.alloc(12);
  header[0] = 0x80;
  header[1] = spec.payloadType;
  header.writeUInt16BE(spec.sequence & 0xffff, 2);
  header.writeUInt32BE(spec.timestamp >>> 0, 4);
  header.writeUInt32BE(0xabcd0000 + spec.stream, 8);
  const data = Buffer.concat([header, spec.payload]);
  return { side: spec.side, stream: spec.stream, capturedAtUs: spec.capturedAtUs, data, start: 0, end: data.length };
}

/** In order of arrival. */
export function merged(...streams: AdmittedPacket[][]): AdmittedPacket[] {
  return streams.flat().sort((a, b) => a.capturedAtUs - b.capturedAtUs);
}

/** Gives the packets in one reused object and buffer, which is wiped after each: whoever keeps either is found out. */
export function sourceOf(packets: readonly AdmittedPacket[]): RecordSource & { visits: number } {
  const shared: AdmittedPacket = { side: 0, stream: 0, capturedAtUs: 0, data: Buffer.alloc(4096), start: 0, end: 0 };
  return {
    visits: 0,
    visit(sink) {
      this.visits++;
      for (const { side, stream, capturedAtUs, data, start, end } of packets) {
        const at = 7;
        data.copy(shared.data, at, start, end);
        Object.assign(shared, { side, stream, capturedAtUs, start: at, end: at + end - start });
        sink(shared);
        shared.data.fill(0xee);
      }
    },
  };
}

export function streamRecord(packets: readonly AdmittedPacket[], overrides: Partial<StreamRecord> = {}): StreamRecord {
  const first = packets[0]!;
  const payloadType = first.data[first.start + 1]! & 0x7f;
  const names: Record<number, string> = { 0: "PCMU", 8: "PCMA", 111: "OPUS" };
  const codec = {
    payloadType,
    name: names[payloadType] ?? "UNKNOWN",
    clockRate: payloadType === 111 ? 48000 : 8000,
    channels: 1,
  };
  return {
    index: first.stream,
    side: first.side,
    ssrc: `0x${(0xabcd0000 + first.stream).toString(16)}`,
    source: `10.0.0.${first.side + 1}:4000`,
    destination: `10.0.0.${2 - first.side}:4002`,
    payloadTypes: [{ codec, packets: packets.length }],
    firstAtUs: Math.min(...packets.map((each) => each.capturedAtUs)),
    lastAtUs: Math.max(...packets.map((each) => each.capturedAtUs)),
    packets: { seen: packets.length, recorded: packets.length, discarded: 0, lost: 0, late: 0, duplicate: 0 },
    discardedBy: {},
    jitterMs: { mean: 0, max: 0 },
    mos: 4.4,
    ...overrides,
  };
}

/** A span that was open for all of the packets, and for a minute after them; none when there are none. */
function openSpans(packets: readonly AdmittedPacket[]): SpanRecord[] {
  if (packets.length === 0) return [];
  const times = packets.map((each) => each.capturedAtUs);
  const fromUs = Math.min(ANSWERED_US, ...times);
  return [{ fromUs, toUs: Math.max(...times) + 60e6, evidence: "e1", packets: packets.length }];
}

/** The record of an answered call that ends with its last packet; every stream is described. */
export function callRecord(packets: readonly AdmittedPacket[], overrides: Partial<CallRecord> = {}): CallRecord {
  const streams = new Map<number, AdmittedPacket[]>();
  for (const each of packets) streams.set(each.stream, [...(streams.get(each.stream) ?? []), each]);
  const party = (side: Side) => ({
    side,
    role: side === 0 ? ("agent" as const) : ("caller" as const),
    uri: `sip:${side}@example.net`,
    number: String(side),
    name: "",
    identifiedBy: "",
    joinedBy: "start" as const,
    fromUs: ANSWERED_US - 3_000_000,
    toUs: Math.max(ANSWERED_US, ...packets.map((each) => each.capturedAtUs)),
    consent: "granted" as const,
    spans: openSpans(packets.filter((each) => each.side === side)),
    closedSpans: [],
  });
  return {
    schema: CALL_RECORD_SCHEMA,
    id: CALL_ID,
    sipCallIds: ["one@example.net"],
    startedAtUs: ANSWERED_US - 3_000_000,
    answeredAtUs: ANSWERED_US,
    endedAtUs: Math.max(ANSWERED_US, ...packets.map((each) => each.capturedAtUs)),
    endReason: "bye",
    policy: "both-parties",
    policyRule: "",
    purpose: "recording",
    retention: "",
    parties: [party(0), party(1)],
    streams: [...streams.values()].map((each) => streamRecord(each)),
    evidence: [],
    ledger: [],
    pauses: [],
    events: [],
    warnings: [],
    ...overrides,
  };
}

export interface ReadBack {
  outcome: SealedAudio;
  bytes: Buffer;
  left: Int16Array;
  right: Int16Array;
}

export function withFolder<Result>(use: (folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), "sidetone-seal-"));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function sealOutcome(
  packets: readonly AdmittedPacket[],
  record: CallRecord = callRecord(packets),
  options: Partial<SealOptions> = {},
): SealOutcome {
  return withFolder((folder) =>
    sealAudio(sourceOf(packets), record, { temporaryPath: join(folder, "call.wav"), ...options }),
  );
}

/** Seals the packets and reads the file back; throws when no audio came out. */
export function sealAndRead(
  packets: readonly AdmittedPacket[],
  record: CallRecord = callRecord(packets),
  options: Partial<SealOptions> = {},
): ReadBack {
  return withFolder((folder) => {
    const temporaryPath = join(folder, "call.wav");
    const outcome = sealAudio(sourceOf(packets), record, { temporaryPath, ...options });
    if (outcome.kind !== "audio") throw new Error(`no audio: ${outcome.reason}`);
    const bytes = readFileSync(temporaryPath);
    return { outcome, bytes, ...readChannels(bytes) };
  });
}

/** The two channels of a WAV file, by wavefile. */
export function readChannels(bytes: Buffer): { left: Int16Array; right: Int16Array } {
  const wav = new wavefile.WaveFile(bytes);
  const [left, right] = wav.getSamples(false, Int16Array as never) as unknown as [Int16Array, Int16Array];
  return { left, right };
}

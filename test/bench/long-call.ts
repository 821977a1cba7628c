// The journal of one long call as an engine leaves it: stereo G.711, 100 packets a second, blocks of a second. Written with the
// journal's own writer and no network, so that ten hours take seconds.
import { randomBytes } from "node:crypto";
import { makeCallId, type Side } from "../../device/base/ids.js";
import {
  CALL_RECORD_SCHEMA,
  type CallRecord,
  type PartyRecord,
  type StreamRecord,
} from "../../device/contract/call-record.js";
import type { JournalPosition } from "../../device/contract/engine-messages.js";
import { JournalWriter } from "../../device/journal/writer.js";

const START_US = Date.UTC(2026, 10, 21, 9, 0, 0) * 1000;
const PTIME_US = 20_000;
const PACKETS_PER_SECOND = 50;
const SAMPLES_PER_PACKET = 160;
const TICK_EVERY_PACKETS = 5;
const HEADER_BYTES = 12;
const PCMA = 8;
const NOISE_BYTES = 1 << 16;

export interface LongCall {
  record: CallRecord;
  position: JournalPosition;
  /** Of the journal. */
  bytes: number;
}

/** `key`: the run's, where the journal is to be sealed. The folder is made, its parents are not. */
export async function writeLongCall(folder: string, seconds: number, key?: Uint8Array): Promise<LongCall> {
  const fault = { error: undefined as Error | undefined };
  const writer = new JournalWriter(
    { folder, segmentBytes: 64 << 20, flushMs: 1000, syncMs: 5000, key },
    { onFault: (error) => (fault.error ??= error) },
  );
  const id = makeCallId(START_US, randomBytes(10));
  const journal = writer.begin(id);
  const noise = randomBytes(NOISE_BYTES + SAMPLES_PER_PACKET);
  const packet = Buffer.alloc(HEADER_BYTES + SAMPLES_PER_PACKET);
  packet[0] = 0x80;
  packet[1] = PCMA;
  const packets = seconds * PACKETS_PER_SECOND;
  for (let n = 0; n < packets; n++) {
    const atUs = START_US + n * PTIME_US;
    if (n % TICK_EVERY_PACKETS === 0) writer.tick(atUs);
    packet.writeUInt16BE(n & 0xffff, 2);
    packet.writeUInt32BE((n * SAMPLES_PER_PACKET) >>> 0, 4);
    for (const side of [0, 1] as const) {
      packet.writeUInt32BE(side, 8);
      const from = (n * 997 + side * 31) % NOISE_BYTES;
      noise.copy(packet, HEADER_BYTES, from, from + SAMPLES_PER_PACKET);
      journal.append(side, side, atUs, packet, 0, packet.length);
    }
  }
  const record = longRecord(id, packets);
  const position = journal.end(record);
  await writer.close();
  if (position === undefined || fault.error !== undefined) throw fault.error ?? new Error("the journal took nothing");
  return { record, position, bytes: writer.counters["journal.bytes"] };
}

function longRecord(id: CallRecord["id"], packets: number): CallRecord {
  const lastAtUs = START_US + (packets - 1) * PTIME_US;
  const party = (side: Side): PartyRecord => ({
    side,
    role: side === 0 ? "agent" : "caller",
    uri: `sip:${side}@office.example`,
    number: String(side),
    name: "",
    identifiedBy: "",
    joinedBy: "start",
    fromUs: START_US,
    toUs: lastAtUs,
    consent: "granted",
    spans: [{ fromUs: START_US, toUs: lastAtUs, evidence: "e1", packets }],
    closedSpans: [],
  });
  const stream = (side: Side): StreamRecord => ({
    index: side,
    side,
    ssrc: `0x0000000${side}`,
    source: `10.0.0.${side + 1}:4000`,
    destination: `10.0.0.${2 - side}:4000`,
    payloadTypes: [{ codec: { payloadType: PCMA, name: "PCMA", clockRate: 8000, channels: 1 }, packets }],
    firstAtUs: START_US,
    lastAtUs,
    packets: { seen: packets, recorded: packets, discarded: 0, lost: 0, late: 0, duplicate: 0 },
    discardedBy: {},
    jitterMs: { mean: 0, max: 0 },
    mos: 4.4,
  });
  return {
    schema: CALL_RECORD_SCHEMA,
    id,
    sipCallIds: ["long@office.example"],
    startedAtUs: START_US,
    answeredAtUs: START_US,
    endedAtUs: lastAtUs,
    endReason: "bye",
    policy: "both-parties",
    policyRule: "",
    purpose: "recording",
    retention: "",
    parties: [party(0), party(1)],
    streams: [stream(0), stream(1)],
    evidence: [],
    ledger: [],
    pauses: [],
    events: [],
    warnings: [],
  };
}

// Runs timed frames through the engine's pipeline in this process and gives the call records, the counters and what the
// journal holds: for tests of everything before sealing.
import { expect } from "vitest";
import type { CallRecord, DiscardReason } from "../../device/contract/call-record.js";
import { type Config, configSchema } from "../../device/contract/config.js";
import type { JournalPosition } from "../../device/contract/engine-messages.js";
import { CallReader } from "../../device/journal/reader.js";
import { Recorder } from "../../device/recorder.js";
import type { TimedFrame } from "./timed-frames.js";

export interface JournalledPacket {
  side: number;
  stream: number;
  atUs: number;
  payload: Buffer;
}

export interface Recorded {
  records: CallRecord[];
  counts: Record<string, number>;
  /** Admitted packets by call, in the order of the records. */
  journalled: JournalledPacket[][];
}

const RTP_HEADER_BYTES = 12;

/** The configuration of most tests: phones in 10.0.0.0/24 are agents'. */
export function officeConfig(overrides: Record<string, unknown> = {}): Config {
  return configSchema.parse({ agents: { match: ["10.0.0.0/24"] }, ...overrides });
}

/** `folder` must be empty; the journal goes there. Every stream's counts are checked on the way. */
export async function recordFrames(frames: readonly TimedFrame[], config: Config, folder: string): Promise<Recorded> {
  const records: CallRecord[] = [];
  const positions: (JournalPosition | undefined)[] = [];
  const recorder = new Recorder(
    config,
    { journal: folder, registers: "" },
    {
      audited: () => {},
      notice: () => {},
      ended: (record, position) => {
        records.push(record);
        positions.push(position);
      },
      journalFault: (error) => {
        throw error;
      },
    },
  );
  for (const { frame, atUs } of frames) {
    recorder.handleFrame({
      data: frame,
      start: 0,
      capturedLength: frame.length,
      originalLength: frame.length,
      capturedAtUs: atUs,
      linkType: 1,
      interfaceIndex: 0,
    });
  }
  recorder.closeAll();
  const counts = recorder.exportCounters();
  const journalled = records.map((record, i) => readJournal(folder, record, positions[i]));
  await recorder.journal.close();
  for (const record of records) checkCounts(record);
  return { records, counts, journalled };
}

function readJournal(folder: string, record: CallRecord, position: JournalPosition | undefined): JournalledPacket[] {
  if (!position) return [];
  const packets: JournalledPacket[] = [];
  const reader = CallReader.open(folder, position, record.id);
  reader.visit(({ side, stream, capturedAtUs, data, start, end }) => {
    packets.push({
      side,
      stream,
      atUs: capturedAtUs,
      payload: Buffer.from(data.subarray(start + RTP_HEADER_BYTES, end)),
    });
  });
  reader.close();
  return packets;
}

/** Holds for every call whatever happened: each packet seen has exactly one fate. */
export function checkCounts(record: CallRecord): void {
  for (const { packets, discardedBy } of record.streams) {
    expect(packets.seen).toBe(packets.recorded + packets.discarded + packets.duplicate);
    expect(Object.values(discardedBy).reduce((sum, count) => sum + count, 0)).toBe(packets.discarded);
  }
}

/** Sums of a party's streams. */
export function heard(
  record: CallRecord,
  party: number,
): {
  streams: number;
  seen: number;
  recorded: number;
  discarded: number;
  reasons: DiscardReason[];
} {
  const streams = record.streams.filter((stream) => stream.party === party);
  const sum = (pick: (stream: CallRecord["streams"][0]) => number) =>
    streams.reduce((total, one) => total + pick(one), 0);
  return {
    streams: streams.length,
    seen: sum((s) => s.packets.seen),
    recorded: sum((s) => s.packets.recorded),
    discarded: sum((s) => s.packets.discarded),
    reasons: [...new Set(streams.flatMap((s) => Object.keys(s.discardedBy)))] as DiscardReason[],
  };
}

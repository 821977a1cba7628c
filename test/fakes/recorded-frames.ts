// Runs timed frames through the engine's pipeline in this process and gives the call records, the counters and what the
// journal holds: for tests of everything before sealing.
import { mkdirSync } from "node:fs";
import { expect } from "vitest";
import type { CallRecord, DiscardReason } from "../../device/contract/call-record.js";
import type { Config } from "../../device/contract/config.js";
import type { JournalPosition } from "../../device/contract/engine-messages.js";
import { CallReader } from "../../device/journal/reader.js";
import { RecorderRun } from "./recorder-run.js";
import type { TimedFrame } from "./timed-frames.js";

export { officeConfig } from "./recorder-run.js";

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

/**
 * The journal goes below `folder`, which is made and which the caller removes; `journalKey`: sealed. Every stream's counts are
 * checked on the way.
 */
export async function recordFrames(
  frames: readonly TimedFrame[],
  config: Config,
  folder: string,
  journalKey?: Uint8Array,
): Promise<Recorded> {
  mkdirSync(folder, { recursive: true });
  const run = new RecorderRun(folder, config, "", undefined, journalKey).feed(frames);
  const counts = await run.end();
  const { records, positions, journalFolder } = run;
  for (const record of records) checkCounts(record);
  const journalled = records.map((record, i) => readJournal(journalFolder, record, positions[i], journalKey));
  return { records, counts, journalled };
}

function readJournal(
  folder: string,
  record: CallRecord,
  position: JournalPosition | undefined,
  key: Uint8Array | undefined,
): JournalledPacket[] {
  if (!position) return [];
  const packets: JournalledPacket[] = [];
  const reader = CallReader.open(folder, position, record.id, undefined, key);
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

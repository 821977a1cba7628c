// Copies what one call's journal holds into another call's, when the two turn out to be one call: rare, short, and in the
// engine. Never decides what moves.
import type { CallId, Side } from "../base/ids.js";
import type { JournalPosition } from "../contract/engine-messages.js";
import type { CallJournal } from "./call-journal.js";
import { CallReader } from "./reader.js";

/** A stream and the place it had in the journal it comes from. */
export interface MovedRecords {
  stream: { index: number; side: Side; recorded: number; countLost(packets: number): void };
  formerIndex: number;
}

/**
 * Appends the records of the `moved` streams to `target` under their new places. `folder` is the run's; everything of
 * the source must be in its files. What cannot be read or kept is counted as lost with its stream. `key` is the run's.
 */
export function moveRecords(
  folder: string,
  source: { id: CallId; position: JournalPosition },
  target: CallJournal,
  moved: readonly MovedRecords[],
  key: Uint8Array | undefined,
): void {
  const byFormerIndex = new Map(moved.map(({ stream, formerIndex }) => [formerIndex, stream]));
  const kept = new Map<number, number>();
  const reader = CallReader.open(folder, source.position, source.id, undefined, key);
  try {
    reader.visit(({ stream: former, capturedAtUs, data, start, end }) => {
      const stream = byFormerIndex.get(former);
      if (stream === undefined) return;
      if (target.append(stream.side, stream.index, capturedAtUs, data, start, end))
        kept.set(former, (kept.get(former) ?? 0) + 1);
    });
  } finally {
    reader.close();
  }
  for (const [former, stream] of byFormerIndex) stream.countLost(stream.recorded - (kept.get(former) ?? 0));
}

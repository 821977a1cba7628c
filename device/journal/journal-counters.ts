// The writer's counters under the names that the engine reports. Plain numbers: safe on the packet path.

export interface JournalCounters {
  /** Bytes of blocks written to files. */
  "journal.bytes": number;
  "journal.blocks": number;
  /** Records (RTP packets) written to files. */
  "journal.records": number;
  /** Completed fdatasync calls on segments. */
  "journal.syncs": number;
  /** Segment files begun, and removed because every call in them was released. */
  "journal.segments": number;
  "journal.segments-removed": number;
  /** Segment files replaced by copies without what was released, how much shorter they became, and copies that failed. */
  "journal.segments-compacted": number;
  "journal.bytes-compacted": number;
  "journal.compaction-errors": number;
  /** Segment files written anew because the disk had refused a sync of them. */
  "journal.segments-rewritten": number;
  /** Failed opens, writes and syncs. */
  "journal.write-errors": number;
  "journal.unlink-errors": number;
  /** Records refused by append, or taken and then given up because the disk failed until the end. */
  "journal.lost-records": number;
  /** Of the lost records: longer than a block. */
  "journal.too-long": number;
  /** Call records left out: longer than a block may be, or no room while the disk fails. */
  "journal.lost-call-records": number;
  /** Blocks written before their time because every block buffer was in use. */
  "journal.early-blocks": number;
  /** Calls refused because as many as allowed were open. */
  "journal.refused-calls": number;
  /** Ended calls forgotten before their release: their segments stay until the run's folder is removed. */
  "journal.forgotten-calls": number;
}

export function makeJournalCounters(): JournalCounters {
  return {
    "journal.bytes": 0,
    "journal.blocks": 0,
    "journal.records": 0,
    "journal.syncs": 0,
    "journal.segments": 0,
    "journal.segments-removed": 0,
    "journal.segments-compacted": 0,
    "journal.bytes-compacted": 0,
    "journal.compaction-errors": 0,
    "journal.segments-rewritten": 0,
    "journal.write-errors": 0,
    "journal.unlink-errors": 0,
    "journal.lost-records": 0,
    "journal.too-long": 0,
    "journal.lost-call-records": 0,
    "journal.early-blocks": 0,
    "journal.refused-calls": 0,
    "journal.forgotten-calls": 0,
  };
}

// Where one call's blocks stand in the segments: what the next block links back to, and which segments the call keeps
// alive. Holds numbers only; SegmentStore moves them on, and SegmentCopy when a segment is copied.
import type { JournalPosition } from "../contract/engine-messages.js";

export class CallPlace {
  readonly idBytes: Buffer;
  /** Sequence number of the next block. */
  nextSequence = 0;
  /** Blocks closed but not yet in a file. */
  waitingBlocks = 0;
  /** Last block that is in a file; segment 0 = none yet. */
  segment = 0;
  offset = 0;
  /** What the next block links back to: ahead of segment and offset only while a batch is being written. */
  linkSegment = 0;
  linkOffset = 0;
  /** The call's end is written, or on its way: where it stands may be known outside. */
  isEnded = false;
  /** Every segment with a block of the call, ascending. */
  readonly segments: number[] = [];

  constructor(idBytes: Buffer) {
    this.idBytes = idBytes;
  }

  get position(): JournalPosition | undefined {
    return this.segment === 0 ? undefined : { segment: this.segment, offset: this.offset };
  }
}

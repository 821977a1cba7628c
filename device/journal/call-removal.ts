// Takes calls out of a run's segments that nobody writes to any more: every block of theirs is overwritten with zeros where it
// stands, so that the places of all other blocks hold. Whoever reads the run finds a damaged stretch there and goes on behind
// it. A block whose own header is damaged tells nobody whose it is, and stays.
import { closeSync, constants, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type CallId, callIdFromBytes } from "../base/ids.js";
import { BLOCK_HEADER_BYTES, type BlockHeader, segmentName } from "./format.js";
import { listSegments } from "./run-folder.js";
import { SegmentReader } from "./segment-reader.js";
import { scanSegment } from "./segment-scan.js";

interface Extent {
  offset: number;
  bytes: number;
}

/** Durable when it returns; the number of blocks that went. Doing it again finds none. Throws file system errors. */
export function removeCalls(folder: string, calls: ReadonlySet<CallId>): number {
  let blocks = 0;
  for (const segment of listSegments(folder)) {
    const extents = extentsOf(folder, segment, calls);
    if (extents.length > 0) zero(join(folder, segmentName(segment)), extents);
    blocks += extents.length;
  }
  return blocks;
}

function extentsOf(folder: string, segment: number, calls: ReadonlySet<CallId>): Extent[] {
  const reader = SegmentReader.open(folder, segment);
  if (reader === undefined) return [];
  const extents: Extent[] = [];
  const note = ({ payloadBytes }: BlockHeader, id: Buffer, offset: number): void => {
    const bytes = Math.min(BLOCK_HEADER_BYTES + payloadBytes, reader.size - offset);
    if (calls.has(callIdFromBytes(id))) extents.push({ offset, bytes });
  };
  try {
    scanSegment(reader, note, note);
  } finally {
    reader.close();
  }
  return extents;
}

function zero(path: string, extents: readonly Extent[]): void {
  const descriptor = openSync(path, constants.O_RDWR);
  try {
    for (const { offset, bytes } of extents) {
      const zeros = Buffer.alloc(bytes);
      for (let at = 0; at < bytes; ) at += writeSync(descriptor, zeros, at, bytes - at, offset + at);
    }
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

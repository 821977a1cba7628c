// Which side of a call is on which channel of its recording: the agent left, the caller right; with no agent, or two,
// the originator left.
import { otherSide, type Side } from "../base/ids.js";
import type { CallRecord } from "../contract/call-record.js";

/** The side on channel 0. */
export function leftSide(record: CallRecord): Side {
  return record.parties[1].role === "agent" && record.parties[0].role !== "agent" ? 1 : 0;
}

/** Sides in channel order. */
export function sidesByChannel(record: CallRecord): [Side, Side] {
  const left = leftSide(record);
  return [left, otherSide(left)];
}

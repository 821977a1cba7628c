// Which side of a call is on which channel of its recording: the agent left, the caller right; with no agent, or two,
// the originator left.
import { otherSide, type Side } from "../base/ids.js";
import type { CallRecord } from "../contract/call-record.js";

/** The side on channel 0. */
export function leftSide(record: CallRecord): Side {
  const hasAgent = (side: Side) => record.parties.some((party) => party.side === side && party.role === "agent");
  return hasAgent(1) && !hasAgent(0) ? 1 : 0;
}

/** Sides in channel order. */
export function sidesByChannel(record: CallRecord): [Side, Side] {
  const left = leftSide(record);
  return [left, otherSide(left)];
}

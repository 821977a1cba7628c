// Transfers that are asked for within the session's dialog: the REFER, its refusal, and the NOTIFYs that tell how the
// transferee's call fares. Pure functions on SessionState; the call that comes of it is another session. RFC 3515;
// RFC 6665 for NOTIFY. A REFER outside a dialog has a Call-ID of its own and is nobody's here.
import type { Side } from "../base/ids.js";
import type { SipMessage } from "./message.js";
import type { ReferEvent } from "./session-events.js";
import { dialogTag, type SessionState, type Step, standingOf, unchanged, withSide } from "./session-state.js";
import { readReferTo, readSipfragStatus } from "./transfer.js";

export function onRefer(state: SessionState, message: SipMessage, by: Side): Step {
  if (!isWithin(state, message, by)) return unchanged(state);
  const before = state.refers[by];
  if (before && message.cseq <= before.cseq) return unchanged(state);
  const read = readReferTo(message);
  const target = read?.uri ?? "";
  const next: SessionState = {
    ...state,
    refers: withSide(state.refers, by, { cseq: message.cseq, target, status: 0 }),
  };
  // After a challenge it is the same request again, with credentials.
  const isRepeated = before !== undefined && isChallenge(before.status) && before.target === target;
  if (!read || isRepeated) return unchanged(next);
  const event: ReferEvent = { type: "refer", by, target, targetUser: read.user };
  return { state: next, events: [read.replaces ? { ...event, replaces: read.replaces } : event] };
}

export function onReferResponse(state: SessionState, message: SipMessage, by: Side): Step {
  const pending = state.refers[by];
  if (!pending || pending.cseq !== message.cseq || pending.status !== 0 || message.status < 200)
    return unchanged(state);
  const next: SessionState = {
    ...state,
    refers: withSide(state.refers, by, { ...pending, status: message.status }),
  };
  if (message.status < 300 || isChallenge(message.status)) return unchanged(next);
  return { state: next, events: [{ type: "refer-refused", by, status: message.status }] };
}

/** A NOTIFY of the transferee; of several that overtake each other the newest counts. */
export function onNotify(state: SessionState, message: SipMessage, by: Side): Step {
  const status = readSipfragStatus(message.bodyText);
  if (status === 0 || !isOfRefer(message) || !isWithin(state, message, by)) return unchanged(state);
  if (message.cseq <= state.notifyCseq[by]) return unchanged(state);
  return {
    state: { ...state, notifyCseq: withSide(state.notifyCseq, by, message.cseq) },
    events: [{ type: "refer-progress", by, status }],
  };
}

function isOfRefer(message: SipMessage): boolean {
  return /^refer(?:\s*;|$)/i.test(message.headers.get("event")?.[0] ?? "");
}

function isWithin(state: SessionState, message: SipMessage, by: Side): boolean {
  return state.phase !== "failed" && message.to.tag !== "" && standingOf(state, dialogTag(message, by)) === "main";
}

function isChallenge(status: number): boolean {
  return status === 401 || status === 407;
}

// The end of a session, or of one of its forks while another goes on. Pure functions on SessionState. RFC 3261 §15.
import type { Side } from "../base/ids.js";
import type { SipMessage } from "./message.js";
import { agree, latestOf } from "./session-media.js";
import { UNSEEN } from "./session-party.js";
import { dialogTag, isOpen, type SessionState, type Step, unchanged, withTag } from "./session-state.js";

/** The BYE as sent ends its dialog, whatever is answered (RFC 3261 §15.1.1). */
export function onBye(state: SessionState, message: SipMessage, requester: Side): Step {
  if (state.phase === "failed") return unchanged(state);
  const tag = dialogTag(message, requester);
  const ended: Step = { state: { ...state, phase: "ended" }, events: [{ type: "ended", by: requester }] };
  if (isOpen(state)) {
    // One early dialog of several (RFC 3261 §15): the others go on. Only the caller may end one that is not answered.
    const others = state.earlyTags.filter((early) => early !== tag);
    if (tag === "" || requester === 1 || others.length === 0) return ended;
    return unchanged({ ...state, earlyTags: others, endedTags: withTag(state.endedTags, tag) });
  }
  if (tag === "" || state.answeredTags.length === 0) return ended;
  if (!state.answeredTags.includes(tag)) return unchanged(state);
  const [next, ...others] = state.answeredTags.filter((answered) => answered !== tag);
  if (next === undefined) return ended;
  const left = { ...state, answeredTags: [next, ...others], endedTags: withTag(state.endedTags, tag) };
  return tag === state.answeredTags[0] ? switchFork(left, next) : unchanged(left);
}

/**
 * The dialog in force ended, another fork's answer stands: its descriptions are in force now, and what was asserted of
 * the one who is gone says nothing of the one who stays.
 */
function switchFork(state: SessionState, tag: string): Step {
  const { connectedIdentity: _, ...rest } = state;
  const switched: SessionState = {
    ...rest,
    answerer: { ...state.answerer, tag },
    parties: [state.parties[0], UNSEEN],
  };
  const transaction = state.transactions.find((t) => t.initial && t.responses.some((media) => media.tag === tag));
  return transaction ? agree(switched, latestOf(switched, transaction, tag), tag) : unchanged(switched);
}

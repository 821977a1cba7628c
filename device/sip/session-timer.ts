// What the final responses to re-INVITE and UPDATE say of the dialog's life: the session timer (RFC 4028), and whether
// the other side is still there (RFC 3261 §12.2.1.2). Pure; the clock is the call table's.
import type { Side } from "../base/ids.js";
import type { SipMessage } from "./message.js";
import {
  dialogTag,
  findTransaction,
  isDialogInForce,
  type SessionState,
  type Step,
  unchanged,
  withSide,
} from "./session-state.js";
import { isSuccess } from "./session-transaction.js";

/** RFC 4028 §4: less is never allowed, and a session must not be ended early for a misprint. */
const MIN_SESSION_EXPIRES_S = 90;

/** Takes a response after its other consequences. The answer to the first INVITE counts as the first refresh. */
export function takeFinalResponse(state: SessionState, message: SipMessage, requester: Side): Step {
  const { kind, status, method, cseq } = message;
  if (kind !== "response" || status < 200 || (method !== "INVITE" && method !== "UPDATE")) return unchanged(state);
  if (state.phase !== "answered" || !isDialogInForce(state, dialogTag(message, requester))) return unchanged(state);
  const isAttempt = method === "INVITE" && findTransaction(state, requester, "INVITE", cseq)?.initial === true;
  if (isAttempt && !isSuccess(status)) return unchanged(state);
  const settled = state.settledCseq[requester];
  if (cseq < settled) return unchanged(state);
  if (cseq === settled) return isSuccess(status) ? takeCopy(state, message, requester) : unchanged(state);
  const next: SessionState = { ...state, settledCseq: withSide(state.settledCseq, requester, cseq) };
  if (!isSuccess(status)) return status === 408 || status === 481 ? lose(next, requester, status) : unchanged(next);
  const intervalS = readSessionExpires(message);
  const isTimed = intervalS > 0 || state.sessionExpiresS > 0;
  return {
    state: { ...next, sessionExpiresS: intervalS, refreshedBy: nameOf(requester, cseq), lostStatus: 0 },
    events: isTimed ? [{ type: "refreshed", intervalS }] : [],
  };
}

/** A proxy may start the timer for a user agent that knows none: only the hops behind it see so (RFC 4028 §8.2). */
function takeCopy(state: SessionState, message: SipMessage, requester: Side): Step {
  const intervalS = readSessionExpires(message);
  const isLast = state.refreshedBy === nameOf(requester, message.cseq);
  if (!isLast || state.sessionExpiresS > 0 || intervalS === 0) return unchanged(state);
  return { state: { ...state, sessionExpiresS: intervalS }, events: [{ type: "refreshed", intervalS }] };
}

function lose(state: SessionState, by: Side, status: number): Step {
  if (state.lostStatus !== 0) return unchanged(state);
  return { state: { ...state, lostStatus: status }, events: [{ type: "lost", by, status }] };
}

function nameOf(requester: Side, cseq: number): string {
  return `${requester} ${cseq}`;
}

/** Session-Expires in seconds, 0 when there is none or it is unreadable. */
export function readSessionExpires(message: SipMessage): number {
  const digits = /^(\d{1,10})(?:\s*;|$)/.exec(message.headers.get("session-expires")?.[0] ?? "")?.[1];
  return digits === undefined || Number(digits) === 0 ? 0 : Math.max(MIN_SESSION_EXPIRES_S, Number(digits));
}

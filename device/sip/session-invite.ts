// The INVITE transactions of a session: attempts and their answers or failures, further forks and targets, CANCEL and
// ACK, re-INVITEs. Pure functions on SessionState. RFC 3261 §9, §13, §14, §17; RFC 3578 (overlap dialling); RFC 6228 (199).
import type { Side } from "../base/ids.js";
import type { SipMessage } from "./message.js";
import type { SessionEvent } from "./session-events.js";
import {
  inAddition,
  rejectMedia,
  takeAcknowledgedMedia,
  takeRequestMedia,
  takeResponseMedia,
} from "./session-media.js";
import {
  andThen,
  answeredBy,
  dialogTag,
  findTransaction,
  isDialogInForce,
  isForgotten,
  isOpen,
  latestInviteCseq,
  MAX_DIALOG_TAGS,
  type SessionState,
  type Step,
  standingOf,
  unchanged,
  withTag,
  withTransaction,
} from "./session-state.js";
import {
  isSuccess,
  newTransaction,
  type Transaction,
  transactionName,
  versionsOf,
  withRequestSeen,
} from "./session-transaction.js";
import { readRedirection } from "./transfer.js";

export function onInvite(state: SessionState, message: SipMessage, requester: Side): Step {
  const known = findTransaction(state, requester, "INVITE", message.cseq);
  if (known) {
    // Seen again, at another hop, or behind its own response.
    const startSeen = state.startSeen || (known.initial && message.to.tag === "");
    if (isNextBranch(state, known, message)) return tryNextBranch(state, known, message);
    return takeRequestMedia({ ...state, startSeen }, withRequestSeen(known, message), message);
  }
  if (isForgotten(state, requester, message.cseq) || message.cseq < latestInviteCseq(state, requester)) {
    return unchanged(state);
  }
  if (state.phase === "answered") {
    const isOutside = requester === 0 && message.to.tag === "";
    return isOutside ? furtherAttempt(state, message) : onInviteWithin(state, message, requester);
  }
  if (requester === 0 && (message.to.tag === "" || state.finalStatus !== 0)) return attempt(state, message);
  // An INVITE within the dialog: the answer passed unseen.
  if (message.to.tag === "") return unchanged(state);
  const step: Step = { state: answeredBy(state, dialogTag(message, requester)), events: [{ type: "answered" }] };
  return andThen(step, (answered) => reinvite(answered, message, requester));
}

function onInviteWithin(state: SessionState, message: SipMessage, requester: Side): Step {
  const standing = standingOf(state, dialogTag(message, requester));
  if (standing === "none") return unchanged(state);
  const step = reinvite(state, message, requester);
  return standing === "main" ? step : inAddition(state, step);
}

function reinvite(state: SessionState, message: SipMessage, requester: Side): Step {
  const transaction = withRequestSeen(newTransaction(requester, "INVITE", message.cseq), message);
  const step: Step = { state, events: [{ type: "reinvite", by: requester }] };
  return andThen(step, (next) => takeRequestMedia(next, transaction, message));
}

/** Sent before its sender had the answer: overlap dialling (RFC 3578). It may be answered as well. */
function furtherAttempt(state: SessionState, message: SipMessage): Step {
  const transaction = withRequestSeen(newTransaction(0, "INVITE", message.cseq, { initial: true }), message);
  return inAddition(state, takeRequestMedia(state, transaction, message));
}

/** The originator's first INVITE, or its next after a challenge, a failure or more digits. */
function attempt(state: SessionState, message: SipMessage): Step {
  const isRetry = latestInviteCseq(state, 0) >= 0;
  const { connectedIdentity: _, ...rest } = state;
  const next: SessionState = {
    ...rest,
    phase: "inviting",
    finalStatus: 0,
    cancelSeen: false,
    forwardSeen: false,
    earlyTags: [],
    endedTags: [],
    earlyParties: [],
    answerer: { ...message.to, tag: "" },
  };
  const transaction = withRequestSeen(newTransaction(0, "INVITE", message.cseq, { initial: true }), message);
  const step: Step = { state: next, events: isRetry ? [{ type: "retried" }] : [] };
  return andThen(step, (retried) => takeRequestMedia(retried, transaction, message));
}

/** A proxy tries another target, and only its far side is in view: the same INVITE on a sibling branch. */
function isNextBranch(state: SessionState, known: Transaction, message: SipMessage): boolean {
  const isSibling = message.viaCount === known.outerViaCount && message.branch !== known.outerBranch;
  return state.phase === "failed" && known.initial && known.requestSeen && isSibling;
}

function tryNextBranch(state: SessionState, known: Transaction, message: SipMessage): Step {
  const transaction = { ...known, outerBranch: message.branch, finalStatus: 0, cancelled: false };
  const next: SessionState = { ...state, phase: "inviting", finalStatus: 0, cancelSeen: false, earlyTags: [] };
  return andThen({ state: next, events: [{ type: "retried" }] }, (retried) =>
    takeRequestMedia(retried, transaction, message),
  );
}

export function onInviteResponse(state: SessionState, message: SipMessage, requester: Side): Step {
  if (message.status === 100) return unchanged(state);
  const known = findTransaction(state, requester, "INVITE", message.cseq);
  const isNews = message.cseq >= latestInviteCseq(state, requester) && !isForgotten(state, requester, message.cseq);
  if (!known && (!isNews || message.status >= 300)) return unchanged(state);
  const isInitial = requester === 0 && state.phase !== "answered";
  const transaction = known ?? newTransaction(requester, "INVITE", message.cseq, { initial: isInitial });
  const standing = transaction.initial ? "main" : standingOf(state, dialogTag(message, requester));
  if (standing === "none") return unchanged(state);
  const step = onResponseTo(state, transaction, message);
  return standing === "main" ? step : inAddition(state, step);
}

function onResponseTo(state: SessionState, transaction: Transaction, message: SipMessage): Step {
  if (message.status < 200) return onProvisional(state, transaction, message);
  return message.status < 300 ? onSuccess(state, transaction, message) : onFailure(state, transaction, message);
}

function onProvisional(state: SessionState, transaction: Transaction, message: SipMessage): Step {
  if (transaction.finalStatus !== 0) return unchanged(state);
  const tag = dialogTag(message, transaction.requester);
  if (!transaction.initial) return takeResponseMedia(state, transaction, message, tag, false);
  if (!isOpen(state) || standingOf(state, tag) === "none") return unchanged(state);
  if (message.status === 199) return endEarlyDialog(state, transaction, tag);
  const events: SessionEvent[] = state.phase === "inviting" ? [{ type: "ringing" }] : [];
  const isForwarded = message.status === 181 && !state.forwardSeen;
  if (isForwarded) events.push({ type: "forwarded" });
  const early: SessionState = {
    ...state,
    phase: "early",
    earlyTags: withTag(state.earlyTags, tag),
    forwardSeen: state.forwardSeen || isForwarded,
  };
  const step = andThen({ state: early, events }, (next) => takeResponseMedia(next, transaction, message, tag, false));
  const isFirst = transaction.responses.length < MAX_DIALOG_TAGS && versionsOf(transaction.responses, tag).length === 0;
  if (!message.sdp || !isFirst) return step;
  return { state: step.state, events: [...step.events, { type: "early-media", side: 1 }] };
}

/** One fork has failed while others go on (RFC 6228 §4): what it described is void, and its late copies are no news. */
function endEarlyDialog(state: SessionState, transaction: Transaction, tag: string): Step {
  const responses = transaction.responses.filter((media) => media.tag !== tag);
  const left: SessionState = {
    ...state,
    earlyTags: state.earlyTags.filter((early) => early !== tag),
    endedTags: withTag(state.endedTags, tag),
  };
  return unchanged(withTransaction(left, { ...transaction, responses }));
}

function onSuccess(state: SessionState, transaction: Transaction, message: SipMessage): Step {
  const tag = dialogTag(message, transaction.requester);
  const accepts = transaction.finalStatus === 0 || transaction.finalStatus >= 300;
  const accepted = accepts ? { ...transaction, finalStatus: message.status } : transaction;
  if (!transaction.initial) return takeResponseMedia(state, accepted, message, tag, accepts);
  if (state.phase === "answered") return onFurtherSuccess(state, accepted, message, accepts);
  const events: SessionEvent[] = [{ type: "answered" }];
  if (accepted.acknowledged) events.push({ type: "confirmed" });
  const step: Step = { state: answeredBy({ ...state, finalStatus: message.status }, tag), events };
  // Early dialogs of other forks are over; their descriptions need not be kept.
  const responses = accepted.responses.filter((media) => media.tag === tag);
  return andThen(step, (next) => takeResponseMedia(next, { ...accepted, responses }, message, tag, true));
}

/**
 * The answer again, perhaps at another hop; or that of another fork (RFC 3261 §13.2.2.4), kept in case the first one
 * ends; or that of another attempt, whose addresses count in addition.
 */
function onFurtherSuccess(state: SessionState, transaction: Transaction, message: SipMessage, accepts: boolean): Step {
  const { tag } = message.to;
  const step = takeResponseMedia(state, transaction, message, tag, accepts);
  const isOtherAttempt = accepts && state.agreedBy !== "" && state.agreedBy !== transactionName(transaction);
  if (isDialogInForce(state, tag)) return isOtherAttempt ? inAddition(state, step) : step;
  const added = inAddition(state, step);
  if (state.endedTags.includes(tag)) return unchanged(added.state);
  const answeredTags = withTag(state.answeredTags, tag);
  return { state: { ...added.state, answeredTags }, events: isOtherAttempt ? added.events : [] };
}

function onFailure(state: SessionState, transaction: Transaction, message: SipMessage): Step {
  if (transaction.finalStatus !== 0) return unchanged(state);
  const failed = { ...transaction, finalStatus: message.status };
  if (!transaction.initial) return rejectMedia(state, failed);
  if (!isFailureOfAttempt(transaction, message)) return unchanged(state);
  const next = withTransaction(state, failed);
  // Of several attempts (overlap dialling) only the last one's failure is the call's.
  if (!isOpen(state) || transaction.cseq < latestInviteCseq(state, 0)) return unchanged(next);
  if (message.status === 401 || message.status === 407) {
    return { state: { ...next, phase: "inviting", finalStatus: message.status }, events: [{ type: "challenged" }] };
  }
  const events: SessionEvent[] = [{ type: "failed", status: message.status }];
  const targets = message.status < 400 ? readRedirection(message) : [];
  if (targets.length > 0) events.unshift({ type: "redirected", targets });
  return { state: { ...next, phase: "failed", finalStatus: message.status }, events };
}

/** Behind a proxy one branch may fail while another goes on: what counts is the response at the outermost hop. */
function isFailureOfAttempt(transaction: Transaction, message: SipMessage): boolean {
  if (!transaction.requestSeen || transaction.outerBranch === "" || message.branch === "") return true;
  return message.branch === transaction.outerBranch || message.viaCount < transaction.outerViaCount;
}

export function onAck(state: SessionState, message: SipMessage, requester: Side): Step {
  const known = findTransaction(state, requester, "INVITE", message.cseq);
  if (!known && (!message.sdp || isForgotten(state, requester, message.cseq))) return unchanged(state);
  const isInitial = requester === 0 && state.phase !== "answered";
  const transaction = known ?? newTransaction(requester, "INVITE", message.cseq, { initial: isInitial });
  if (transaction.finalStatus >= 300) return unchanged(state);
  const tag = dialogTag(message, requester);
  if (standingOf(state, tag) !== "main") return onAckBeside(state, transaction, message, tag);
  const acknowledged: Transaction = { ...transaction, acknowledged: true };
  const events: SessionEvent[] = [];
  let next = state;
  if (transaction.initial && state.phase !== "answered" && message.sdp) {
    // Only a 2xx is acknowledged with a description: it passed unseen.
    events.push({ type: "answered" });
    next = answeredBy(state, tag);
  }
  if (transaction.initial && next.phase === "answered" && !isConfirmed(state)) events.push({ type: "confirmed" });
  if (transaction.request.length > 0) return { state: withTransaction(next, acknowledged), events };
  return andThen({ state: next, events }, (ready) => takeAcknowledgedMedia(ready, acknowledged, message, tag, -1));
}

/** Another fork's answer is acknowledged: what that describes is kept with it. */
function onAckBeside(state: SessionState, transaction: Transaction, message: SipMessage, tag: string): Step {
  if (transaction.request.length > 0 || standingOf(state, tag) === "none") return unchanged(state);
  return unchanged(inAddition(state, takeAcknowledgedMedia(state, transaction, message, tag, -1)).state);
}

function isConfirmed(state: SessionState): boolean {
  return state.transactions.some(
    (t) => t.initial && t.acknowledged && (isSuccess(t.finalStatus) || t.acknowledgements.length > 0),
  );
}

export function onCancel(state: SessionState, message: SipMessage, requester: Side): Step {
  const transaction = findTransaction(state, requester, "INVITE", message.cseq);
  if (!transaction?.initial || transaction.cancelled || transaction.finalStatus !== 0) return unchanged(state);
  // A proxy cancels the branches that lost; a CANCEL has the branch of its INVITE (RFC 3261 §9.1).
  const { outerBranch } = transaction;
  if (outerBranch !== "" && message.branch !== "" && message.branch !== outerBranch) return unchanged(state);
  const next = withTransaction(state, { ...transaction, cancelled: true });
  if (!isOpen(state) || transaction.cseq < latestInviteCseq(state, requester)) return unchanged(next);
  return { state: { ...next, cancelSeen: true }, events: [{ type: "cancelled" }] };
}

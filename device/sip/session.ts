// The INVITE session of one Call-ID as a pure state machine: who calls whom, how far it is, and through session-media.ts
// where both sides receive media. A passive observer's view: it takes messages in any order and number, from any hop,
// and never needs one that it did not see. No timers, no I/O, nothing changed in place; never throws on input.
// RFC 3261 §9, §12–15; RFC 3262; RFC 3311; RFC 3578 (overlap dialling).
import { otherSide, type Side } from "../base/ids.js";
import type { SipMessage } from "./message.js";
import {
  agree,
  inAddition,
  isLateOffer,
  isSuccess,
  rejectMedia,
  takeAcknowledgedMedia,
  takeRequestMedia,
  takeResponseMedia,
} from "./session-media.js";
import { isFirstInvite, openingOf } from "./session-opening.js";
import {
  andThen,
  answeredBy,
  dialogTag,
  findTransaction,
  isForgotten,
  isOpen,
  latestInviteCseq,
  newTransaction,
  type OfferMethod,
  requesterOf,
  type SessionEvent,
  type SessionState,
  type Step,
  senderOf,
  type Transaction,
  transactionName,
  unchanged,
  withRequestSeen,
  withTag,
  withTransaction,
} from "./session-state.js";

export type { MediaEvent, SessionEvent, SessionPhase, SessionState } from "./session-state.js";

export interface SessionStart {
  state: SessionState;
  events: readonly SessionEvent[];
  from: Side;
}

export interface SessionStep {
  state: SessionState;
  events: readonly SessionEvent[];
  /** Side that sent the message; undefined when it belongs to neither, and then nothing changes. */
  from: Side | undefined;
  /** The session is over and the message opens another under the same Call-ID: give it to startSession. */
  restart: boolean;
}

/**
 * The session a message opens, or that it shows to be under way; undefined when there is nothing to record: a session's
 * end, a failure, or no INVITE session at all. Joined late, side 0 is who sent the request concerned.
 */
export function startSession(message: SipMessage): SessionStart | undefined {
  const opening = openingOf(message);
  if (!opening) return undefined;
  const step = advance(opening.state, message, 0);
  return { state: step.state, events: [...opening.events, ...step.events], from: senderOf(message, 0) };
}

/** Takes the next message of the session; messages seen before give no event. */
export function stepSession(state: SessionState, message: SipMessage): SessionStep {
  const requester = message.callId === state.callId ? requesterOf(state, message) : undefined;
  if (requester === undefined) return { ...unchanged(state), from: undefined, restart: opensAnother(state, message) };
  const from = senderOf(message, requester);
  if (state.phase === "ended") return { ...unchanged(state), from, restart: false };
  return { ...advance(state, message, requester), from, restart: false };
}

/** A live session is never given up for a stranger's INVITE: only one that is over or has failed. */
function opensAnother(state: SessionState, message: SipMessage): boolean {
  const isOver = state.phase === "ended" || state.phase === "failed" || (isOpen(state) && state.finalStatus !== 0);
  return isOver && isFirstInvite(message) && message.callId === state.callId;
}

function advance(state: SessionState, message: SipMessage, requester: Side): Step {
  const known = withIdentity(state, message, senderOf(message, requester));
  return message.kind === "request" ? onRequest(known, message, requester) : onResponse(known, message, requester);
}

function withIdentity(state: SessionState, message: SipMessage, from: Side): SessionState {
  const { assertedIdentity } = message;
  if (!assertedIdentity) return state;
  if (from === 0) return state.assertedIdentity ? state : { ...state, assertedIdentity };
  return state.connectedIdentity ? state : { ...state, connectedIdentity: assertedIdentity };
}

function onRequest(state: SessionState, message: SipMessage, requester: Side): Step {
  switch (message.method) {
    case "INVITE":
      return onInvite(state, message, requester);
    case "ACK":
      return onAck(state, message, requester);
    case "CANCEL":
      return onCancel(state, message, requester);
    case "BYE":
      return onBye(state, message, requester);
    case "PRACK":
      return onPrack(state, message, requester);
    case "UPDATE":
      return onOffer(state, message, requester, "UPDATE");
    default:
      return unchanged(state);
  }
}

function onResponse(state: SessionState, message: SipMessage, requester: Side): Step {
  if (message.method === "INVITE") return onInviteResponse(state, message, requester);
  if (message.method === "UPDATE" || message.method === "PRACK") {
    return onOfferResponse(state, message, requester, message.method);
  }
  return unchanged(state);
}

function onInvite(state: SessionState, message: SipMessage, requester: Side): Step {
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
    return isOutside ? furtherAttempt(state, message) : reinvite(state, message, requester);
  }
  if (requester === 0 && (message.to.tag === "" || state.finalStatus !== 0)) return attempt(state, message);
  // An INVITE within the dialog: the answer passed unseen.
  if (message.to.tag === "") return unchanged(state);
  const step: Step = { state: answeredBy(state, dialogTag(message, requester)), events: [{ type: "answered" }] };
  return andThen(step, (answered) => reinvite(answered, message, requester));
}

function reinvite(state: SessionState, message: SipMessage, requester: Side): Step {
  const transaction = withRequestSeen(newTransaction(requester, "INVITE", message.cseq, false), message);
  const step: Step = { state, events: [{ type: "reinvite", by: requester }] };
  return andThen(step, (next) => takeRequestMedia(next, transaction, message));
}

/** Sent before its sender had the answer: overlap dialling (RFC 3578). It may be answered as well. */
function furtherAttempt(state: SessionState, message: SipMessage): Step {
  const transaction = withRequestSeen(newTransaction(0, "INVITE", message.cseq, true), message);
  return inAddition(state, takeRequestMedia(state, transaction, message));
}

/** The originator's first INVITE, or its next after a challenge, a failure or more digits. */
function attempt(state: SessionState, message: SipMessage): Step {
  const isRetry = latestInviteCseq(state, 0) >= 0;
  const next: SessionState = {
    ...state,
    phase: "inviting",
    finalStatus: 0,
    cancelSeen: false,
    earlyTags: [],
    answerer: { ...message.to, tag: "" },
  };
  const transaction = withRequestSeen(newTransaction(0, "INVITE", message.cseq, true), message);
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

function onInviteResponse(state: SessionState, message: SipMessage, requester: Side): Step {
  if (message.status === 100) return unchanged(state);
  const known = findTransaction(state, requester, "INVITE", message.cseq);
  const isNews = message.cseq >= latestInviteCseq(state, requester) && !isForgotten(state, requester, message.cseq);
  if (!known && (!isNews || message.status >= 300)) return unchanged(state);
  const isInitial = requester === 0 && state.phase !== "answered";
  const transaction = known ?? newTransaction(requester, "INVITE", message.cseq, isInitial);
  if (message.status < 200) return onProvisional(state, transaction, message);
  if (message.status < 300) return onSuccess(state, transaction, message);
  return onFailure(state, transaction, message);
}

function onProvisional(state: SessionState, transaction: Transaction, message: SipMessage): Step {
  if (transaction.finalStatus !== 0) return unchanged(state);
  const { tag } = message.to;
  if (!transaction.initial) return takeResponseMedia(state, transaction, message, tag, false);
  if (!isOpen(state)) return unchanged(state);
  const events: SessionEvent[] = state.phase === "inviting" ? [{ type: "ringing" }] : [];
  const early: SessionState = { ...state, phase: "early", earlyTags: withTag(state.earlyTags, tag) };
  return andThen({ state: early, events }, (next) => takeResponseMedia(next, transaction, message, tag, false));
}

function onSuccess(state: SessionState, transaction: Transaction, message: SipMessage): Step {
  const { tag } = message.to;
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
 * ends; or that of another attempt.
 */
function onFurtherSuccess(state: SessionState, transaction: Transaction, message: SipMessage, accepts: boolean): Step {
  const { tag } = message.to;
  const step = takeResponseMedia(state, transaction, message, tag, accepts);
  if (!isDialogInForce(state, tag)) {
    const kept = inAddition(state, step).state;
    if (state.endedTags.includes(tag)) return unchanged(kept);
    return unchanged({ ...kept, answeredTags: withTag(state.answeredTags, tag) });
  }
  const isOtherAttempt = accepts && state.agreedBy !== "" && state.agreedBy !== transactionName(transaction);
  return isOtherAttempt ? inAddition(state, step) : step;
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
  return {
    state: { ...next, phase: "failed", finalStatus: message.status },
    events: [{ type: "failed", status: message.status }],
  };
}

/** Behind a proxy one branch may fail while another goes on: what counts is the response at the outermost hop. */
function isFailureOfAttempt(transaction: Transaction, message: SipMessage): boolean {
  if (!transaction.requestSeen || transaction.outerBranch === "" || message.branch === "") return true;
  return message.branch === transaction.outerBranch || message.viaCount < transaction.outerViaCount;
}

function onAck(state: SessionState, message: SipMessage, requester: Side): Step {
  const known = findTransaction(state, requester, "INVITE", message.cseq);
  if (!known && (!message.sdp || isForgotten(state, requester, message.cseq))) return unchanged(state);
  const isInitial = requester === 0 && state.phase !== "answered";
  const transaction = known ?? newTransaction(requester, "INVITE", message.cseq, isInitial);
  if (transaction.finalStatus >= 300) return unchanged(state);
  const acknowledged: Transaction = { ...transaction, acknowledged: true };
  const tag = dialogTag(message, requester);
  const events: SessionEvent[] = [];
  let next = state;
  if (transaction.initial && state.phase !== "answered" && message.sdp) {
    // Only a 2xx is acknowledged with a description: it passed unseen.
    events.push({ type: "answered" });
    next = answeredBy(state, tag);
  }
  if (transaction.initial && next.phase === "answered" && !isConfirmed(state)) events.push({ type: "confirmed" });
  if (!isDialogInForce(next, tag) || transaction.request.length > 0) {
    return { state: withTransaction(next, acknowledged), events };
  }
  return andThen({ state: next, events }, (ready) => takeAcknowledgedMedia(ready, acknowledged, message, tag, -1));
}

function isConfirmed(state: SessionState): boolean {
  return state.transactions.some(
    (t) => t.initial && t.acknowledged && (isSuccess(t.finalStatus) || t.acknowledgement.length > 0),
  );
}

function isDialogInForce(state: SessionState, tag: string): boolean {
  return tag === "" || state.answeredTags.length === 0 || state.answeredTags[0] === tag;
}

function onCancel(state: SessionState, message: SipMessage, requester: Side): Step {
  const transaction = findTransaction(state, requester, "INVITE", message.cseq);
  if (!transaction?.initial || transaction.cancelled || transaction.finalStatus !== 0) return unchanged(state);
  // A proxy cancels the branches that lost; a CANCEL has the branch of its INVITE (RFC 3261 §9.1).
  const { outerBranch } = transaction;
  if (outerBranch !== "" && message.branch !== "" && message.branch !== outerBranch) return unchanged(state);
  const next = withTransaction(state, { ...transaction, cancelled: true });
  if (!isOpen(state) || transaction.cseq < latestInviteCseq(state, requester)) return unchanged(next);
  return { state: { ...next, cancelSeen: true }, events: [{ type: "cancelled" }] };
}

/** The BYE as sent ends its dialog, whatever is answered (RFC 3261 §15.1.1). */
function onBye(state: SessionState, message: SipMessage, requester: Side): Step {
  if (state.phase === "failed") return unchanged(state);
  const tag = dialogTag(message, requester);
  const ended: Step = { state: { ...state, phase: "ended" }, events: [{ type: "ended", by: requester }] };
  if (isOpen(state)) {
    // One early dialog of several (RFC 3261 §15): the others go on.
    const others = state.earlyTags.filter((early) => early !== tag);
    return tag !== "" && others.length > 0 ? unchanged({ ...state, earlyTags: others }) : ended;
  }
  if (tag === "" || state.answeredTags.length === 0) return ended;
  if (!state.answeredTags.includes(tag)) return unchanged(state);
  const [next, ...others] = state.answeredTags.filter((answered) => answered !== tag);
  if (next === undefined) return ended;
  const left = { ...state, answeredTags: [next, ...others], endedTags: withTag(state.endedTags, tag) };
  return tag === state.answeredTags[0] ? switchFork(left, next) : unchanged(left);
}

/** The dialog in force ended, another fork's answer stands: its descriptions are in force now. */
function switchFork(state: SessionState, tag: string): Step {
  const switched: SessionState = { ...state, answerer: { ...state.answerer, tag } };
  const transaction = state.transactions.find((t) => t.initial && t.responses.some((media) => media.tag === tag));
  return transaction ? agree(switched, transaction, tag) : unchanged(switched);
}

/** A PRACK's description answers the response's offer, or is an offer of its own (RFC 3262 §5). */
function onPrack(state: SessionState, message: SipMessage, requester: Side): Step {
  const invite = state.transactions.findLast((t) => t.method === "INVITE" && t.requester === requester);
  const isAnswer =
    invite !== undefined &&
    isLateOffer(invite) &&
    invite.responses.length > 0 &&
    (invite.acknowledgement.length === 0 || invite.prackCseq === message.cseq);
  if (!isAnswer) return onOffer(state, message, requester, "PRACK");
  return takeAcknowledgedMedia(state, invite, message, dialogTag(message, requester), message.cseq);
}

function onOffer(state: SessionState, message: SipMessage, requester: Side, method: OfferMethod): Step {
  const known = findTransaction(state, requester, method, message.cseq);
  if (!known && (!message.sdp || isForgotten(state, requester, message.cseq))) return unchanged(state);
  const transaction = known ?? newTransaction(requester, method, message.cseq, false);
  return takeRequestMedia(state, withRequestSeen(transaction, message), message);
}

function onOfferResponse(state: SessionState, message: SipMessage, requester: Side, method: OfferMethod): Step {
  if (message.status < 200) return unchanged(state);
  const known = findTransaction(state, requester, method, message.cseq);
  const isNews = message.sdp !== undefined && !isForgotten(state, requester, message.cseq);
  if (!known && (!isNews || message.status >= 300)) return unchanged(state);
  const transaction = known ?? newTransaction(requester, method, message.cseq, false);
  const decided = { ...transaction, finalStatus: message.status };
  const isFirst = transaction.finalStatus === 0;
  if (message.status >= 300) return isFirst ? rejectMedia(state, decided) : unchanged(state);
  return takeResponseMedia(state, isFirst ? decided : transaction, message, otherTag(message, requester), isFirst);
}

/** Responses within a dialog all come from its one remote party. */
function otherTag(message: SipMessage, requester: Side): string {
  return dialogTag(message, requester) || String(otherSide(requester));
}

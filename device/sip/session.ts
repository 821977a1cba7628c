// The INVITE session of one Call-ID as a pure state machine: who calls whom, how far it is, where both sides receive
// media, and what is asked for within its dialog. A passive observer's view: it takes messages in any order and number,
// from any hop, and never needs one that it did not see. No timers, no I/O, nothing changed in place; never throws on
// input. Which message has which consequence is in session-*.ts. RFC 3261 §9, §12–15; RFC 3262; RFC 3311.
import { otherSide, type Side } from "../base/ids.js";
import type { SipMessage } from "./message.js";
import { onBye } from "./session-bye.js";
import { onAck, onCancel, onInvite, onInviteResponse } from "./session-invite.js";
import {
  inAddition,
  rejectMedia,
  takeAcknowledgedMedia,
  takeRequestMedia,
  takeResponseMedia,
} from "./session-media.js";
import { isFirstInvite, openingOf } from "./session-opening.js";
import { takeParties } from "./session-party.js";
import { onNotify, onRefer, onReferResponse } from "./session-refer.js";
import {
  andThen,
  dialogTag,
  findTransaction,
  isForgotten,
  isOpen,
  requesterOf,
  type SessionEvent,
  type SessionState,
  type Step,
  senderOf,
  standingOf,
  unchanged,
} from "./session-state.js";
import { takeFinalResponse } from "./session-timer.js";
import { isLateOffer, newTransaction, type OfferMethod, versionsOf, withRequestSeen } from "./session-transaction.js";

export type { MediaEvent, ReferEvent, SessionEvent } from "./session-events.js";
export type { SessionPhase, SessionState } from "./session-state.js";

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
  /**
   * The message has the session's Call-ID but none of its dialogs: it belongs to another session of that Call-ID
   * (session-dialogs.ts), which startSession may open. The far side of a back-to-back user agent that keeps the Call-ID.
   */
  foreign: boolean;
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
  const isOurs = message.callId === state.callId;
  const requester = isOurs ? requesterOf(state, message) : undefined;
  if (requester === undefined) {
    const restart = isOurs && opensAnother(state, message);
    return { ...unchanged(state), from: undefined, restart, foreign: isOurs && !restart };
  }
  const from = senderOf(message, requester);
  if (state.phase === "ended") return { ...unchanged(state), from, restart: false, foreign: false };
  return { ...advance(state, message, requester), from, restart: false, foreign: false };
}

/** A live session is never given up for a stranger's INVITE: only one that is over or has failed. */
function opensAnother(state: SessionState, message: SipMessage): boolean {
  const isOver = state.phase === "ended" || state.phase === "failed" || (isOpen(state) && state.finalStatus !== 0);
  return isOver && isFirstInvite(message);
}

function advance(state: SessionState, message: SipMessage, requester: Side): Step {
  const step =
    message.kind === "request" ? onRequest(state, message, requester) : onResponse(state, message, requester);
  const timed = andThen(step, (next) => takeFinalResponse(next, message, requester));
  return takeParties(state, timed, message, requester);
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
      return within(state, message, requester, onPrack);
    case "UPDATE":
      return within(state, message, requester, onOffer);
    case "REFER":
      return onRefer(state, message, requester);
    case "NOTIFY":
      return onNotify(state, message, requester);
    default:
      return unchanged(state);
  }
}

function onResponse(state: SessionState, message: SipMessage, requester: Side): Step {
  switch (message.method) {
    case "INVITE":
      return onInviteResponse(state, message, requester);
    case "UPDATE":
    case "PRACK":
      return within(state, message, requester, onOfferResponse);
    case "REFER":
      return onReferResponse(state, message, requester);
    default:
      return unchanged(state);
  }
}

type Handler = (state: SessionState, message: SipMessage, requester: Side) => Step;

/** Each fork has a dialog: those that lost change nothing, those that were answered as well only add addresses. */
function within(state: SessionState, message: SipMessage, requester: Side, handle: Handler): Step {
  const standing = standingOf(state, dialogTag(message, requester));
  if (standing === "none") return unchanged(state);
  const step = handle(state, message, requester);
  return standing === "main" ? step : inAddition(state, step);
}

/** A PRACK's description answers the response's offer, or is an offer of its own (RFC 3262 §5). */
function onPrack(state: SessionState, message: SipMessage, requester: Side): Step {
  const invite = state.transactions.findLast((t) => t.method === "INVITE" && t.requester === requester);
  if (!invite || !isLateOffer(invite)) return onOffer(state, message, requester);
  const tag = dialogTag(message, requester);
  const answered = invite.acknowledgements.find((known) => known.tag === tag);
  const isAnswer = answered ? answered.prackCseq === message.cseq : versionsOf(invite.responses, tag).length > 0;
  if (!isAnswer) return onOffer(state, message, requester);
  return takeAcknowledgedMedia(state, invite, message, tag, message.cseq);
}

function onOffer(state: SessionState, message: SipMessage, requester: Side): Step {
  const method = message.method as OfferMethod;
  const tag = dialogTag(message, requester);
  const known = findTransaction(state, requester, method, message.cseq, tag);
  if (!known && (!message.sdp || isForgotten(state, requester, message.cseq))) return unchanged(state);
  const transaction = known ?? newTransaction(requester, method, message.cseq, { tag });
  return takeRequestMedia(state, withRequestSeen(transaction, message), message);
}

function onOfferResponse(state: SessionState, message: SipMessage, requester: Side): Step {
  if (message.status < 200) return unchanged(state);
  const method = message.method as OfferMethod;
  const tag = dialogTag(message, requester);
  const known = findTransaction(state, requester, method, message.cseq, tag);
  const isNews = message.sdp !== undefined && !isForgotten(state, requester, message.cseq);
  if (!known && (!isNews || message.status >= 300)) return unchanged(state);
  const transaction = known ?? newTransaction(requester, method, message.cseq, { tag });
  const decided = { ...transaction, finalStatus: message.status };
  const isFirst = transaction.finalStatus === 0;
  if (message.status >= 300) return isFirst ? rejectMedia(state, decided) : unchanged(state);
  // Tagless dialogs (RFC 2543) have one remote party, which the side names.
  return takeResponseMedia(
    state,
    isFirst ? decided : transaction,
    message,
    tag || String(otherSide(requester)),
    isFirst,
  );
}

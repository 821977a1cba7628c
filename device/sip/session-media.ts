// Offer and answer within a session: which descriptions are asked for, which are in force, and what is merely the same
// exchange seen at another hop. Pure functions on SessionState; who is on hold is session-hold.ts's. RFC 3264 §5–8;
// RFC 3261 §13, §14; RFC 3262 §5; RFC 3311 §5; RFC 6337.
import { createHash } from "node:crypto";
import { otherSide, type Side } from "../base/ids.js";
import type { SipMessage } from "./message.js";
import type { SessionDescription } from "./sdp-types.js";
import type { MediaEvent, SessionEvent } from "./session-events.js";
import { judgeHold } from "./session-hold.js";
import {
  andThen,
  MAX_DIALOG_TAGS,
  MAX_PATHS,
  type SessionState,
  type Step,
  transactionNamed,
  unchanged,
  withTransaction,
} from "./session-state.js";
import {
  exchangeOf,
  firstTag,
  isLateOffer,
  isSuccess,
  type MediaVersion,
  type Transaction,
  transactionName,
  versionsOf,
  withTagged,
} from "./session-transaction.js";

/** A description in the request: the offer, or one that was agreed before its request was seen. */
export function takeRequestMedia(state: SessionState, transaction: Transaction, message: SipMessage): Step {
  const placed = message.sdp && place(transaction.request, message.branch, message.sdp, false);
  if (!placed?.changed) return unchanged(withTransaction(state, transaction));
  const next = { ...transaction, request: placed.versions };
  const saved = withTransaction(state, next);
  if (next.finalStatus >= 300 || isOutdated(state, next)) return unchanged(saved);
  const isAgreed = isSuccess(next.finalStatus) || next.responses.length > 0;
  const event = mediaEvent(state, next.requester, placed, isAgreed ? "answered" : "offered");
  if (!isAgreed || placed.index > 0) return { state: saved, events: [event] };
  const tag = isAgreedBy(state, next) ? state.agreedTag : firstTag(next);
  return andThen({ state: withAgreement(saved, next, tag), events: [event] }, (agreed) => judgeHold(agreed, next, tag));
}

/**
 * A description in a response, or a 2xx without one. `accepts`: this response is the first 2xx of its transaction.
 * `tag` names the dialog among forks.
 */
export function takeResponseMedia(
  state: SessionState,
  transaction: Transaction,
  message: SipMessage,
  tag: string,
  accepts: boolean,
): Step {
  const known = versionsOf(transaction.responses, tag);
  const placed = message.sdp && place(known, message.branch, message.sdp, true);
  const responses = placed?.changed
    ? withTagged(transaction.responses, { tag, versions: placed.versions }, MAX_DIALOG_TAGS)
    : undefined;
  const news = responses && placed;
  const next = responses ? { ...transaction, responses } : transaction;
  const saved = withTransaction(state, next);
  if (isOutdated(state, next)) return unchanged(saved);
  if (isLateOffer(next)) return takeLateOffer(saved, next, tag, news, accepts);
  if (accepts) {
    // A later UPDATE may have replaced what the provisional response agreed on (RFC 6337 §3.1).
    const latest = !news && known.length > 0 ? latestOf(saved, next, tag) : next;
    return latest === next ? agree(saved, next, tag) : settle(saved, latest, tag);
  }
  if (!news) return unchanged(saved);
  if (news.index === 0 && !isAgreedBy(state, next)) return agree(saved, next, tag);
  const event = mediaEvent(state, otherSide(next.requester), news, "answered");
  if (news.index > 0) return { state: saved, events: [event] };
  return andThen({ state: withAgreement(saved, next, tag), events: [event] }, (agreed) => judgeHold(agreed, next, tag));
}

/** The response makes the offer: it is in force once an ACK or PRACK of the same dialog has answered it. */
function takeLateOffer(
  state: SessionState,
  transaction: Transaction,
  tag: string,
  news: Placed | undefined,
  accepts: boolean,
): Step {
  const isAnswered = versionsOf(transaction.acknowledgements, tag).length > 0;
  const latest = latestOf(state, transaction, tag);
  if (accepts && isAnswered && (!news || !isInForce(state, latest, tag))) return settle(state, latest, tag);
  if (!news) return unchanged(state);
  const event = mediaEvent(state, otherSide(transaction.requester), news, isAnswered ? "answered" : "offered");
  if (!isAnswered || news.index > 0) return { state, events: [event] };
  return andThen({ state, events: [event] }, (next) => judgeHold(next, transaction, tag));
}

/** `transaction` is what the answered dialog agreed on last: said unless it was said of this dialog already. */
function settle(state: SessionState, transaction: Transaction, tag: string): Step {
  return isInForce(state, transaction, tag) ? judgeHold(state, transaction, tag) : agree(state, transaction, tag);
}

/** A description in an ACK, or in a PRACK (`prackCseq` >= 0), that answers the response's offer. */
export function takeAcknowledgedMedia(
  state: SessionState,
  transaction: Transaction,
  message: SipMessage,
  tag: string,
  prackCseq: number,
): Step {
  const known = versionsOf(transaction.acknowledgements, tag);
  const placed = message.sdp && place(known, message.branch, message.sdp, false);
  const acknowledgements = placed?.changed
    ? withTagged(transaction.acknowledgements, { tag, versions: placed.versions, prackCseq }, MAX_DIALOG_TAGS)
    : undefined;
  if (!placed || !acknowledgements) return unchanged(withTransaction(state, transaction));
  const next = { ...transaction, acknowledgements };
  const saved = withTransaction(state, next);
  if (isOutdated(state, next)) return unchanged(saved);
  if (placed.index === 0) return agree(saved, next, tag);
  return { state: saved, events: [mediaEvent(state, next.requester, placed, "answered")] };
}

/**
 * The outcome of `step` beside what is in force: addresses that may carry media too, but replace nothing. For further
 * attempts that are answered as well (overlap dialling), and for further forks.
 */
export function inAddition(state: SessionState, step: Step): Step {
  const events: SessionEvent[] = [];
  for (const event of step.events) if (event.type === "media") events.push({ ...event, path: "other-hop" });
  const { held, agreedBy, agreedTag, agreedBefore } = state;
  return { state: { ...step.state, held, agreedBy, agreedTag, agreedBefore }, events };
}

/**
 * The request was refused: its offer is void, and what a provisional response of it agreed on is undone (RFC 3261 §14.1).
 */
export function rejectMedia(state: SessionState, transaction: Transaction): Step {
  const events: SessionEvent[] = [];
  if (transaction.request.length > 0) events.push({ type: "media-rejected", side: transaction.requester });
  else if (isLateOffer(transaction) && transaction.responses.length > 0)
    events.push({ type: "media-rejected", side: otherSide(transaction.requester) });
  const step: Step = { state: withTransaction(state, transaction), events };
  const before = isAgreedBy(state, transaction) ? transactionNamed(state, state.agreedBefore) : undefined;
  return before ? andThen(step, (next) => agree({ ...next, agreedBy: "" }, before, firstTag(before))) : step;
}

/** Both sides' descriptions of the transaction are in force; hold follows from them. */
export function agree(state: SessionState, transaction: Transaction, tag: string): Step {
  const { offerer, offer, answer } = exchangeOf(transaction, tag);
  if (offer.length + answer.length === 0) return unchanged(state);
  const events = [...mediaEvents(state, offerer, offer), ...mediaEvents(state, otherSide(offerer), answer)];
  const agreed = withAgreement(state, transaction, tag);
  return andThen({ state: agreed, events }, (next) => judgeHold(next, transaction, tag));
}

/** What the dialog of an INVITE agreed on last: the INVITE, or an UPDATE or PRACK within it. */
export function latestOf(state: SessionState, invite: Transaction, tag: string): Transaction {
  const name = transactionName(invite);
  const from = state.transactions.findIndex((known) => transactionName(known) === name);
  const later = state.transactions.slice(from + 1).findLast((known) => {
    return known.method !== "INVITE" && known.tag === tag && known.request.length > 0 && isSuccess(known.finalStatus);
  });
  return later ?? invite;
}

function withAgreement(state: SessionState, transaction: Transaction, tag: string): SessionState {
  const name = transactionName(transaction);
  const agreedBefore = state.agreedBy === name ? state.agreedBefore : state.agreedBy;
  return { ...state, agreedBy: name, agreedTag: tag, agreedBefore };
}

function isAgreedBy(state: SessionState, transaction: Transaction): boolean {
  return state.agreedBy === transactionName(transaction);
}

function isInForce(state: SessionState, transaction: Transaction, tag: string): boolean {
  return isAgreedBy(state, transaction) && state.agreedTag === tag;
}

/** Seen late: its sender has agreed on something else since. Attempts are told apart elsewhere. */
function isOutdated(state: SessionState, transaction: Transaction): boolean {
  const agreed = transaction.initial ? undefined : transactionNamed(state, state.agreedBy);
  return agreed !== undefined && agreed.requester === transaction.requester && agreed.cseq > transaction.cseq;
}

interface Placed {
  versions: readonly MediaVersion[];
  version: MediaVersion;
  index: number;
  changed: boolean;
}

/** Puts a description among those of its exchange: known already, another hop's, or (in responses) its hop's new one. */
function place(
  versions: readonly MediaVersion[],
  branch: string,
  description: SessionDescription,
  mayReplace: boolean,
): Placed {
  const version: MediaVersion = { branch, digest: digestOf(description), description };
  const same = versions.findIndex((known) => known.digest === version.digest);
  const hop = mayReplace ? versions.findIndex((known) => known.branch === branch) : -1;
  const index = hop >= 0 ? hop : versions.length;
  if (same >= 0 || index >= MAX_PATHS) return { versions, version, index, changed: false };
  const placed = [...versions.slice(0, index), version, ...versions.slice(index + 1)];
  return { versions: placed, version, index, changed: true };
}

function digestOf(description: SessionDescription): string {
  return createHash("sha1").update(JSON.stringify(description)).digest("base64");
}

function mediaEvent(state: SessionState, side: Side, placed: Placed, status: MediaEvent["status"]): MediaEvent {
  const path = placed.index === 0 ? "first" : "other-hop";
  return { type: "media", side, description: placed.version.description, status, early: isEarly(state), path };
}

function mediaEvents(state: SessionState, side: Side, versions: readonly MediaVersion[]): MediaEvent[] {
  return versions.map(({ description }, index) => ({
    type: "media",
    side,
    description,
    status: "answered",
    early: isEarly(state),
    path: index === 0 ? "first" : "other-hop",
  }));
}

function isEarly(state: SessionState): boolean {
  return state.phase !== "answered";
}

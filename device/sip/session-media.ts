// Offer and answer within a session: which descriptions are asked for, which are in force, who is on hold, and what is
// merely the same exchange seen at another hop. Pure functions on SessionState. RFC 3264 §5–8; RFC 3261 §13, §14;
// RFC 3262 §5; RFC 3311 §5; RFC 6337.
import { createHash } from "node:crypto";
import { isUnspecified } from "../base/address.js";
import { otherSide, type Side } from "../base/ids.js";
import type { SipMessage } from "./message.js";
import type { MediaDescription, SessionDescription } from "./sdp-types.js";
import {
  MAX_DIALOG_TAGS,
  MAX_PATHS,
  type MediaEvent,
  type MediaVersion,
  type SessionEvent,
  type SessionState,
  type Step,
  type Transaction,
  transactionName,
  unchanged,
  withTransaction,
} from "./session-state.js";

/** The INVITE came without an offer: the response makes it, the ACK or a PRACK answers it (RFC 3261 §13.2.1). */
export function isLateOffer(transaction: Transaction): boolean {
  return transaction.method === "INVITE" && transaction.requestSeen && transaction.request.length === 0;
}

/** A description in the request: the offer, or one that was agreed before its request was seen. */
export function takeRequestMedia(state: SessionState, transaction: Transaction, message: SipMessage): Step {
  const placed = message.sdp && place(transaction.request, message.branch, message.sdp, false);
  if (!placed?.changed) return unchanged(withTransaction(state, transaction));
  const next = { ...transaction, request: placed.versions };
  const isAgreed = isSuccess(next.finalStatus) || next.responses.length > 0;
  const event = mediaEvent(state, next.requester, placed, isAgreed ? "answered" : "offered");
  const saved = withTransaction(state, next);
  if (!isAgreed || placed.index > 0) return { state: saved, events: [event] };
  const hold = applyHold(
    saved,
    next.requester,
    placed.version.description,
    next.responses[0]?.versions[0]?.description,
  );
  return { state: hold.state, events: [event, ...hold.events] };
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
  const known = transaction.responses.find((media) => media.tag === tag)?.versions ?? [];
  const placed = message.sdp && place(known, message.branch, message.sdp, true);
  const next = placed?.changed ? withResponse(transaction, tag, placed.versions) : transaction;
  const saved = withTransaction(state, next);
  if (isLateOffer(next)) {
    if (!placed?.changed) return unchanged(saved);
    const status = next.acknowledgement.length > 0 ? "answered" : "offered";
    return { state: saved, events: [mediaEvent(state, otherSide(next.requester), placed, status)] };
  }
  const isInForce = state.agreedBy === transactionName(next);
  if (accepts) {
    // A later UPDATE may have replaced what the provisional response agreed on (RFC 6337 §3.1).
    const isSuperseded = !placed?.changed && !isInForce && state.agreedBy !== "" && known.length > 0;
    return isSuperseded ? unchanged(saved) : agree(saved, next, tag);
  }
  if (!placed?.changed) return unchanged(saved);
  if (placed.index === 0 && !isInForce) return agree(saved, next, tag);
  return { state: saved, events: [mediaEvent(state, otherSide(next.requester), placed, "answered")] };
}

/** A description in an ACK, or in a PRACK (`prackCseq` >= 0), that answers the response's offer. */
export function takeAcknowledgedMedia(
  state: SessionState,
  transaction: Transaction,
  message: SipMessage,
  tag: string,
  prackCseq: number,
): Step {
  const placed = message.sdp && place(transaction.acknowledgement, message.branch, message.sdp, false);
  if (!placed?.changed) return unchanged(withTransaction(state, transaction));
  const next = { ...transaction, acknowledgement: placed.versions, prackCseq };
  const saved = withTransaction(state, next);
  if (placed.index === 0) return agree(saved, next, tag);
  return { state: saved, events: [mediaEvent(state, next.requester, placed, "answered")] };
}

/**
 * The outcome of `step` beside what is in force: addresses that may carry media too, but replace nothing. For further
 * attempts that are answered as well (overlap dialling).
 */
export function inAddition(state: SessionState, step: Step): Step {
  const events: SessionEvent[] = [];
  for (const event of step.events) if (event.type === "media") events.push({ ...event, path: "other-hop" });
  return { state: { ...step.state, held: state.held, agreedBy: state.agreedBy }, events };
}

/** The request was refused: its offer is void. */
export function rejectMedia(state: SessionState, transaction: Transaction): Step {
  const events: SessionEvent[] = [];
  if (transaction.request.length > 0) events.push({ type: "media-rejected", side: transaction.requester });
  else if (isLateOffer(transaction) && transaction.responses.length > 0)
    events.push({ type: "media-rejected", side: otherSide(transaction.requester) });
  return { state: withTransaction(state, transaction), events };
}

/** Both sides' descriptions of the transaction are in force; hold follows from them. */
export function agree(state: SessionState, transaction: Transaction, tag: string): Step {
  const response = transaction.responses.find((media) => media.tag === tag)?.versions ?? [];
  const isLate = transaction.request.length === 0 && transaction.acknowledgement.length > 0;
  const offerer = isLate ? otherSide(transaction.requester) : transaction.requester;
  const offer = isLate ? response : transaction.request;
  const answer = isLate ? transaction.acknowledgement : response;
  if (offer.length + answer.length === 0) return unchanged(state);
  const agreed = { ...state, agreedBy: transactionName(transaction) };
  const hold = applyHold(agreed, offerer, offer[0]?.description, answer[0]?.description);
  const events = [...mediaEvents(state, offerer, offer), ...mediaEvents(state, otherSide(offerer), answer)];
  return { state: hold.state, events: [...events, ...hold.events] };
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

function withResponse(transaction: Transaction, tag: string, versions: readonly MediaVersion[]): Transaction {
  const isKnown = transaction.responses.some((media) => media.tag === tag);
  if (isKnown) {
    const responses = transaction.responses.map((media) => (media.tag === tag ? { tag, versions } : media));
    return { ...transaction, responses };
  }
  if (transaction.responses.length >= MAX_DIALOG_TAGS) return transaction;
  return { ...transaction, responses: [...transaction.responses, { tag, versions }] };
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

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/**
 * Hold as agreed (RFC 3264 §8.4; 0.0.0.0 as in RFC 2543). An answer that does not receive means hold only when the
 * offer would have sent: otherwise it merely mirrors the other side's hold.
 */
function applyHold(
  state: SessionState,
  offerer: Side,
  offer: SessionDescription | undefined,
  answer: SessionDescription | undefined,
): Step {
  // Before the answer a direction says who plays announcements, not who is on hold.
  if (isEarly(state)) return unchanged(state);
  const answerer = otherSide(offerer);
  const offered = offer && activeAudio(offer);
  const answered = answer && activeAudio(answer);
  const held: [boolean, boolean] = [...state.held];
  if (offered) held[offerer] = !receives(offered);
  if (answered && receives(answered)) held[answerer] = false;
  else if (answered && offered && sends(offered)) held[answerer] = true;
  const events: SessionEvent[] = [];
  for (const side of [offerer, answerer]) {
    if (held[side] !== state.held[side]) events.push({ type: held[side] ? "hold" : "resume", by: side });
  }
  return { state: { ...state, held }, events };
}

function activeAudio(description: SessionDescription): MediaDescription | undefined {
  return description.media.find((media) => media.kind === "audio" && media.port > 0);
}

function receives(media: MediaDescription): boolean {
  if (media.address && isUnspecified(media.address)) return false;
  return media.direction === "sendrecv" || media.direction === "recvonly";
}

function sends(media: MediaDescription): boolean {
  return media.direction === "sendrecv" || media.direction === "sendonly";
}

// What is remembered of one INVITE session: its parties, its phase and the transactions that may still change it.
// Plain values, never changed in place, every list bounded; the rules are in session.ts and session-media.ts.
// RFC 3261 §12, §13, §17.
import { otherSide, type Side } from "../base/ids.js";
import type { SipAddress, SipMessage } from "./message.js";
import type { SessionDescription } from "./sdp-types.js";

/** Transactions remembered; the oldest goes first, and what is older than it is ignored from then on. */
export const MAX_TRANSACTIONS = 8;
/** To tags of early dialogs and of 2xx responses (forking); further ones are not told apart. */
export const MAX_DIALOG_TAGS = 16;
/** Descriptions of one side that differ between the hops of a proxy chain; further ones are ignored. */
export const MAX_PATHS = 4;

export type SessionPhase = "inviting" | "early" | "answered" | "failed" | "ended";

/** `side` RECEIVES media at `description`'s addresses. */
export interface MediaEvent {
  type: "media";
  side: Side;
  description: SessionDescription;
  /** offered: asked for, not agreed yet. answered: in force from here on; the offer comes again as answered. */
  status: "offered" | "answered";
  /** Before the final answer to the INVITE. */
  early: boolean;
  /** first replaces what was in force for the side; other-hop: the same exchange, rewritten by a proxy, in addition. */
  path: "first" | "other-hop";
}

export type SessionEvent =
  | MediaEvent
  /** The description that `side` offered last was refused: what was agreed before stays in force. */
  | { type: "media-rejected"; side: Side }
  | { type: "ringing" }
  | { type: "answered" }
  /** The ACK for the answer. */
  | { type: "confirmed" }
  | { type: "reinvite"; by: Side }
  /** `by` does not want to receive audio: agreed, not merely offered. */
  | { type: "hold"; by: Side }
  | { type: "resume"; by: Side }
  /** The attempt ended in 401 or 407; most user agents try again at once. */
  | { type: "challenged" }
  /** Not final: another attempt ("retried") or a 2xx of another branch ("answered") may follow. */
  | { type: "failed"; status: number }
  /** A CANCEL was sent; an answer that crosses it still counts. */
  | { type: "cancelled" }
  /** A new INVITE of the same user agent under the same Call-ID: after a challenge or failure, or overlap dialling. */
  | { type: "retried" }
  | { type: "ended"; by: Side };

/** One description as seen at one hop. */
export interface MediaVersion {
  /** Topmost branch of the message that carried it: names the hop. */
  readonly branch: string;
  /** Digest of the description: the same again is no event. */
  readonly digest: string;
  readonly description: SessionDescription;
}

export interface TaggedMedia {
  readonly tag: string;
  readonly versions: readonly MediaVersion[];
}

export type OfferMethod = "INVITE" | "UPDATE" | "PRACK";

export interface Transaction {
  readonly requester: Side;
  readonly method: OfferMethod;
  readonly cseq: number;
  /** Began the session, or tried to. */
  readonly initial: boolean;
  readonly requestSeen: boolean;
  /** Hop nearest to the originator at which the request was seen: the one whose failure is the caller's. */
  readonly outerBranch: string;
  readonly outerViaCount: number;
  /** Descriptions in the request, in the responses by To tag, and in the ACK or PRACK. */
  readonly request: readonly MediaVersion[];
  readonly responses: readonly TaggedMedia[];
  readonly acknowledgement: readonly MediaVersion[];
  /** CSeq of the PRACK whose description is `acknowledgement`; -1 when it was the ACK's or none. */
  readonly prackCseq: number;
  readonly finalStatus: number;
  readonly acknowledged: boolean;
  readonly cancelled: boolean;
}

export interface SessionState {
  readonly phase: SessionPhase;
  readonly callId: string;
  /** Who sent the first INVITE (side 0); when that was not seen, the sender of the first request known of. */
  readonly originator: SipAddress;
  /** The other side; its tag is that of the dialog in force, "" before the answer. */
  readonly answerer: SipAddress;
  /** P-Asserted-Identity of the originator and of the answerer, the first seen of each (RFC 3325). */
  readonly assertedIdentity?: SipAddress;
  readonly connectedIdentity?: SipAddress;
  /** False when the session was joined after its first INVITE. */
  readonly startSeen: boolean;
  /** Status of the last final response to an attempt; 0 while there is none, or it was not seen. */
  readonly finalStatus: number;
  /** A CANCEL was seen for the attempt under way. */
  readonly cancelSeen: boolean;
  /** By side: it put the other on hold. */
  readonly held: readonly [boolean, boolean];
  readonly earlyTags: readonly string[];
  /** To tags of 2xx responses whose dialogs were not ended; the first is the one in force. */
  readonly answeredTags: readonly string[];
  /** Forks that a BYE ended while another went on: a late copy of their 2xx is no answer. */
  readonly endedTags: readonly string[];
  readonly transactions: readonly Transaction[];
  /** By side: the highest CSeq among transactions no longer remembered. */
  readonly forgottenCseq: readonly [number, number];
  /** Transaction whose descriptions are in force; "" when none. */
  readonly agreedBy: string;
}

/** What one message makes of a session. */
export interface Step {
  readonly state: SessionState;
  readonly events: readonly SessionEvent[];
}

export function unchanged(state: SessionState): Step {
  return { state, events: [] };
}

/** Does `rest` after `step` and keeps both steps' events in order. */
export function andThen(step: Step, rest: (state: SessionState) => Step): Step {
  const next = rest(step.state);
  return { state: next.state, events: [...step.events, ...next.events] };
}

/** Before the answer. */
export function isOpen(state: SessionState): boolean {
  return state.phase === "inviting" || state.phase === "early";
}

/** The answer came from the dialog that `tag` names. */
export function answeredBy(state: SessionState, tag: string): SessionState {
  return {
    ...state,
    phase: "answered",
    answerer: { ...state.answerer, tag },
    earlyTags: [],
    answeredTags: withTag([], tag),
  };
}

export function newTransaction(requester: Side, method: OfferMethod, cseq: number, initial: boolean): Transaction {
  return {
    requester,
    method,
    cseq,
    initial,
    requestSeen: false,
    outerBranch: "",
    outerViaCount: 0,
    request: [],
    responses: [],
    acknowledgement: [],
    prackCseq: -1,
    finalStatus: 0,
    acknowledged: false,
    cancelled: false,
  };
}

export function transactionName(transaction: Transaction): string {
  return `${transaction.requester} ${transaction.method} ${transaction.cseq}`;
}

export function findTransaction(
  state: SessionState,
  requester: Side,
  method: OfferMethod,
  cseq: number,
): Transaction | undefined {
  return state.transactions.find((t) => t.requester === requester && t.method === method && t.cseq === cseq);
}

/** Adds or replaces a transaction; at the limit the oldest one is forgotten. */
export function withTransaction(state: SessionState, transaction: Transaction): SessionState {
  const name = transactionName(transaction);
  if (state.transactions.some((known) => transactionName(known) === name)) {
    const transactions = state.transactions.map((known) => (transactionName(known) === name ? transaction : known));
    return { ...state, transactions };
  }
  if (state.transactions.length < MAX_TRANSACTIONS) {
    return { ...state, transactions: [...state.transactions, transaction] };
  }
  const [oldest, ...kept] = state.transactions;
  const forgottenCseq: [number, number] = [...state.forgottenCseq];
  forgottenCseq[oldest!.requester] = Math.max(forgottenCseq[oldest!.requester], oldest!.cseq);
  return { ...state, transactions: [...kept, transaction], forgottenCseq };
}

/** Older than what is remembered: a late copy, not news. */
export function isForgotten(state: SessionState, requester: Side, cseq: number): boolean {
  return cseq <= state.forgottenCseq[requester];
}

/** Highest CSeq of the INVITEs a side sent; -1 when none. */
export function latestInviteCseq(state: SessionState, requester: Side): number {
  let latest = -1;
  for (const { method, requester: by, cseq } of state.transactions) {
    if (method === "INVITE" && by === requester) latest = Math.max(latest, cseq);
  }
  return latest;
}

/** Notes where the request was seen; the hop with the fewest Via values is the outermost. */
export function withRequestSeen(transaction: Transaction, message: SipMessage): Transaction {
  if (transaction.requestSeen && transaction.outerViaCount <= message.viaCount) return transaction;
  return { ...transaction, requestSeen: true, outerBranch: message.branch, outerViaCount: message.viaCount };
}

export function withTag(tags: readonly string[], tag: string): readonly string[] {
  return tag === "" || tags.includes(tag) || tags.length >= MAX_DIALOG_TAGS ? tags : [...tags, tag];
}

/**
 * Which side sent the request that this message is or answers: by its tags, for RFC 2543's tagless messages by the
 * From URI. undefined when it belongs to neither.
 */
export function requesterOf(state: SessionState, message: SipMessage): Side | undefined {
  const { originator, answerer } = state;
  const { from, to } = message;
  if (from.tag === "") {
    if (originator.tag === "" && from.uri === originator.uri) return 0;
    return answerer.tag === "" && from.uri === answerer.uri ? 1 : undefined;
  }
  if (from.tag === originator.tag) return 0;
  if (from.tag === answerer.tag || state.earlyTags.includes(from.tag) || state.answeredTags.includes(from.tag))
    return 1;
  return to.tag !== "" && to.tag === originator.tag ? 1 : undefined;
}

/** The tag that names the dialog on the answerer's side (RFC 3261 §12). */
export function dialogTag(message: SipMessage, requester: Side): string {
  return requester === 0 ? message.to.tag : message.from.tag;
}

export function senderOf(message: SipMessage, requester: Side): Side {
  return message.kind === "request" ? requester : otherSide(requester);
}

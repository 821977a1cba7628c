// What is remembered of one INVITE session: its parties, its phase and the transactions that may still change it.
// Plain values, never changed in place, every list bounded; the rules are in session.ts and its neighbours.
// RFC 3261 §12, §13, §17.
import { otherSide, type Side } from "../base/ids.js";
import type { SipAddress, SipMessage } from "./message.js";
import type { SessionEvent } from "./session-events.js";
import { descriptionCount, type OfferMethod, type Transaction, transactionName } from "./session-transaction.js";

export type { MediaEvent, SessionEvent } from "./session-events.js";

/** Transactions remembered; the oldest goes first, and what is older than it is ignored from then on. */
export const MAX_TRANSACTIONS = 8;
/** To tags of early dialogs and of 2xx responses (forking); further ones are not told apart. */
export const MAX_DIALOG_TAGS = 16;
/** Descriptions of one side that differ between the hops of a proxy chain; further ones are ignored. */
export const MAX_PATHS = 4;
/** Descriptions of one session; beyond it older transactions are forgotten, down to one. */
export const MAX_DESCRIPTIONS = 64;

export type SessionPhase = "inviting" | "early" | "answered" | "failed" | "ended";

/** What the messages of one side asserted of it, in forms that mean the same: hops rewrite it. */
export interface Sighting {
  /** Some message of the side was looked at: what comes later is a change, not the first knowledge. */
  readonly isBased: boolean;
  readonly values: readonly string[];
  /** Side and CSeq of the request whose messages brought `values`; "" while they are the set-up's. */
  readonly setBy: string;
  /** By requester: the highest CSeq of the messages judged. */
  readonly judgedCseq: readonly [number, number];
}

export interface PartySighting {
  readonly identity: Sighting;
  readonly target: Sighting;
}

/** What an early dialog asserted of the answerer. */
export interface EarlyParty {
  readonly tag: string;
  readonly identity?: SipAddress;
}

/** The last REFER of a side. */
export interface PendingRefer {
  readonly cseq: number;
  readonly target: string;
  /** Its final response, 0 before. */
  readonly status: number;
}

export interface SessionState {
  readonly phase: SessionPhase;
  readonly callId: string;
  /** Who sent the first INVITE (side 0); when that was not seen, the sender of the first request known of. */
  readonly originator: SipAddress;
  /** The other side; its tag is that of the dialog in force, "" before the answer. */
  readonly answerer: SipAddress;
  /**
   * Identity asserted of each side: P-Asserted-Identity (RFC 3325), else Remote-Party-ID. Of the originator the first
   * seen; of the answerer that of the dialog that answered, before the answer the first seen. Later changes are events.
   */
  readonly assertedIdentity?: SipAddress;
  readonly connectedIdentity?: SipAddress;
  /** False when the session was joined after its first INVITE. */
  readonly startSeen: boolean;
  /** Status of the last final response to an attempt; 0 while there is none, or it was not seen. */
  readonly finalStatus: number;
  /** A CANCEL was seen for the attempt under way. */
  readonly cancelSeen: boolean;
  /** A 181 was seen for the attempt under way. */
  readonly forwardSeen: boolean;
  /** By side: it put the other on hold. */
  readonly held: readonly [boolean, boolean];
  /** Seconds after the last refresh at which the session is over without another; 0 = no session timer (RFC 4028). */
  readonly sessionExpiresS: number;
  /** 408 or 481 to the last request that tried to change or refresh the session; 0 = none, or one succeeded since. */
  readonly lostStatus: number;
  /** To tags of provisional responses; once there is an answer, of the dialogs that lost. */
  readonly earlyTags: readonly string[];
  /** To tags of 2xx responses whose dialogs were not ended; the first is the one in force. */
  readonly answeredTags: readonly string[];
  /** Forks that ended while another went on: a late copy of their responses is no news. */
  readonly endedTags: readonly string[];
  readonly transactions: readonly Transaction[];
  /** By side: the highest CSeq among transactions no longer remembered. */
  readonly forgottenCseq: readonly [number, number];
  /** Transaction and dialog whose descriptions are in force; "" when none. */
  readonly agreedBy: string;
  readonly agreedTag: string;
  /** Transaction whose descriptions were in force before. */
  readonly agreedBefore: string;
  /** By side: the highest CSeq of its INVITEs and UPDATEs whose final response was seen within the dialog. */
  readonly settledCseq: readonly [number, number];
  /** Side and CSeq of the request that refreshed the session last; "" when none. */
  readonly refreshedBy: string;
  /** By side. */
  readonly parties: readonly [PartySighting, PartySighting];
  readonly earlyParties: readonly EarlyParty[];
  readonly refers: readonly [PendingRefer | undefined, PendingRefer | undefined];
  /** By side: the highest CSeq of its NOTIFYs that told of a transfer. */
  readonly notifyCseq: readonly [number, number];
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
    earlyTags: state.earlyTags.filter((early) => early !== tag),
    answeredTags: withTag([], tag),
    endedTags: state.endedTags.filter((ended) => ended !== tag),
  };
}

/** `pair` with another value for one side. */
export function withSide<T>(pair: readonly [T, T], side: Side, value: T): readonly [T, T] {
  return side === 0 ? [value, pair[1]] : [pair[0], value];
}

/** `tag` names the dialog of an UPDATE or PRACK; INVITEs are told by their CSeq alone, as hops may change the tag. */
export function findTransaction(
  state: SessionState,
  requester: Side,
  method: OfferMethod,
  cseq: number,
  tag = "",
): Transaction | undefined {
  const dialog = method === "INVITE" ? "" : tag;
  return state.transactions.find(
    (t) => t.requester === requester && t.method === method && t.cseq === cseq && t.tag === dialog,
  );
}

export function transactionNamed(state: SessionState, name: string): Transaction | undefined {
  return name === "" ? undefined : state.transactions.find((known) => transactionName(known) === name);
}

/** Adds or replaces a transaction; at the limits the oldest one is forgotten. */
export function withTransaction(state: SessionState, transaction: Transaction): SessionState {
  const name = transactionName(transaction);
  const isKnown = state.transactions.some((known) => transactionName(known) === name);
  const transactions = isKnown
    ? state.transactions.map((known) => (transactionName(known) === name ? transaction : known))
    : [...state.transactions, transaction];
  return withinLimits({ ...state, transactions }, name);
}

function withinLimits(state: SessionState, newest: string): SessionState {
  const { transactions } = state;
  const descriptions = transactions.reduce((sum, transaction) => sum + descriptionCount(transaction), 0);
  if (transactions.length <= MAX_TRANSACTIONS && descriptions <= MAX_DESCRIPTIONS) return state;
  const oldest = transactions.find((known) => transactionName(known) !== newest && !isAttemptUnderWay(state, known));
  if (!oldest) return state;
  const forgotten = Math.max(state.forgottenCseq[oldest.requester], oldest.cseq);
  const next: SessionState = {
    ...state,
    transactions: transactions.filter((known) => known !== oldest),
    forgottenCseq: withSide(state.forgottenCseq, oldest.requester, forgotten),
  };
  return withinLimits(next, newest);
}

/** Its answer is still to come: forgotten, the call would never be seen to be answered. */
function isAttemptUnderWay(state: SessionState, { initial, cseq }: Transaction): boolean {
  return isOpen(state) && initial && cseq === latestInviteCseq(state, 0);
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

export function isDialogInForce(state: SessionState, tag: string): boolean {
  return tag === "" || state.answeredTags.length === 0 || state.answeredTags[0] === tag;
}

/**
 * How a message within the dialog `tag` counts: "main" as the session's own; "beside" as another's that was answered too,
 * or of which nothing was seen before; "none" when its dialog is over, or lost to the one that was answered.
 */
export function standingOf(state: SessionState, tag: string): "main" | "beside" | "none" {
  if (state.endedTags.includes(tag)) return "none";
  if (state.phase !== "answered" || isDialogInForce(state, tag)) return "main";
  return state.earlyTags.includes(tag) && !state.answeredTags.includes(tag) ? "none" : "beside";
}

// The transactions of a session that carry offers and answers: what each of them described so far, and how it ended.
// Plain values, never changed in place; which of them is in force is session-media.ts's. RFC 3261 §17, RFC 3264.
import { otherSide, type Side } from "../base/ids.js";
import type { SipMessage } from "./message.js";
import type { SessionDescription } from "./sdp-types.js";

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

/** Descriptions in an ACK, or in a PRACK, of one dialog. */
export interface Acknowledgement extends TaggedMedia {
  /** CSeq of the PRACK; -1 of an ACK. */
  readonly prackCseq: number;
}

export type OfferMethod = "INVITE" | "UPDATE" | "PRACK";

export interface Transaction {
  readonly requester: Side;
  readonly method: OfferMethod;
  readonly cseq: number;
  /** Names the dialog of an UPDATE or PRACK: forks count their CSeq alike. "" for INVITE. */
  readonly tag: string;
  /** Began the session, or tried to. */
  readonly initial: boolean;
  readonly requestSeen: boolean;
  /** Hop nearest to the originator at which the request was seen: the one whose failure is the caller's. */
  readonly outerBranch: string;
  readonly outerViaCount: number;
  /** Descriptions in the request, and by dialog in the responses and in what acknowledges them. */
  readonly request: readonly MediaVersion[];
  readonly responses: readonly TaggedMedia[];
  readonly acknowledgements: readonly Acknowledgement[];
  readonly finalStatus: number;
  readonly acknowledged: boolean;
  readonly cancelled: boolean;
}

/** Both sides' descriptions of one transaction in one dialog. */
export interface Exchange {
  offerer: Side;
  offer: readonly MediaVersion[];
  answer: readonly MediaVersion[];
}

export function newTransaction(
  requester: Side,
  method: OfferMethod,
  cseq: number,
  options: { initial?: boolean; tag?: string } = {},
): Transaction {
  return {
    requester,
    method,
    cseq,
    tag: method === "INVITE" ? "" : (options.tag ?? ""),
    initial: options.initial ?? false,
    requestSeen: false,
    outerBranch: "",
    outerViaCount: 0,
    request: [],
    responses: [],
    acknowledgements: [],
    finalStatus: 0,
    acknowledged: false,
    cancelled: false,
  };
}

export function transactionName({ requester, method, cseq, tag }: Transaction): string {
  return `${requester} ${method} ${cseq} ${tag}`;
}

/** Notes where the request was seen; the hop with the fewest Via values is the outermost. */
export function withRequestSeen(transaction: Transaction, message: SipMessage): Transaction {
  if (transaction.requestSeen && transaction.outerViaCount <= message.viaCount) return transaction;
  return { ...transaction, requestSeen: true, outerBranch: message.branch, outerViaCount: message.viaCount };
}

export function versionsOf(media: readonly TaggedMedia[], tag: string): readonly MediaVersion[] {
  return media.find((one) => one.tag === tag)?.versions ?? [];
}

/** The list with `entry` in the place of its dialog's; undefined when it would be longer than `maximum`. */
export function withTagged<T extends TaggedMedia>(
  media: readonly T[],
  entry: T,
  maximum: number,
): readonly T[] | undefined {
  if (media.some((known) => known.tag === entry.tag)) {
    return media.map((known) => (known.tag === entry.tag ? entry : known));
  }
  return media.length < maximum ? [...media, entry] : undefined;
}

/** Who offered and who answered in the dialog `tag`: a request without description has the response offer. */
export function exchangeOf(transaction: Transaction, tag: string): Exchange {
  const response = versionsOf(transaction.responses, tag);
  const acknowledgement = versionsOf(transaction.acknowledgements, tag);
  const isLate = transaction.request.length === 0 && acknowledgement.length > 0;
  return isLate
    ? { offerer: otherSide(transaction.requester), offer: response, answer: acknowledgement }
    : { offerer: transaction.requester, offer: transaction.request, answer: response };
}

/** What `side` described first in the dialog `tag`. */
export function describedBy(transaction: Transaction, tag: string, side: Side): MediaVersion | undefined {
  const { offerer, offer, answer } = exchangeOf(transaction, tag);
  return (side === offerer ? offer : answer)[0];
}

/** The one dialog of a transaction that is not forked, or its first. */
export function firstTag(transaction: Transaction): string {
  return transaction.responses[0]?.tag ?? transaction.acknowledgements[0]?.tag ?? transaction.tag;
}

/** Descriptions that the transaction keeps. */
export function descriptionCount({ request, responses, acknowledgements }: Transaction): number {
  let count = request.length;
  for (const { versions } of responses) count += versions.length;
  for (const { versions } of acknowledgements) count += versions.length;
  return count;
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** The INVITE came without an offer: the response makes it, the ACK or a PRACK answers it (RFC 3261 §13.2.1). */
export function isLateOffer(transaction: Transaction): boolean {
  return transaction.method === "INVITE" && transaction.requestSeen && transaction.request.length === 0;
}

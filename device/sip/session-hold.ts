// Who put whom on hold, from the descriptions that are in force. Pure. RFC 3264 §8.4 and, for 0.0.0.0, RFC 2543 §B.5;
// a host name below ".invalid" in its place where there is no such address (RFC 6157). Knows no transaction's fate.
import { isUnspecified } from "../base/address.js";
import { otherSide, type Side } from "../base/ids.js";
import type { MediaDescription, SessionDescription } from "./sdp-types.js";
import type { SessionEvent } from "./session-events.js";
import { type SessionState, type Step, transactionNamed, unchanged } from "./session-state.js";
import { describedBy, exchangeOf, firstTag, type Transaction, transactionName } from "./session-transaction.js";

/**
 * Hold as `transaction` leaves it in the dialog `tag`. An answer that does not receive means hold only when the offer
 * would have sent: otherwise it merely mirrors the other side's hold. An offer that repeats its side's description to
 * the letter is a refresh, not a wish: whoever mirrors a hold repeats that as well.
 */
export function judgeHold(state: SessionState, transaction: Transaction, tag: string): Step {
  // Before the answer a direction says who plays announcements, not who is on hold.
  if (state.phase !== "answered") return unchanged(state);
  const { offerer, offer, answer } = exchangeOf(transaction, tag);
  const lines = audioLines(offer[0]?.description, answer[0]?.description);
  const held: [boolean, boolean] = [...state.held];
  const answerer = otherSide(offerer);
  if (lines.some(({ offered }) => offered) && !isRepeated(state, transaction, tag, offerer))
    held[offerer] = !lines.some(({ offered }) => offered && receives(offered));
  if (lines.some(({ answered }) => answered && receives(answered))) held[answerer] = false;
  else if (lines.some(({ offered, answered }) => offered && answered && sends(offered))) held[answerer] = true;
  const events: SessionEvent[] = [];
  for (const side of [offerer, answerer]) {
    if (held[side] !== state.held[side]) events.push({ type: held[side] ? "hold" : "resume", by: side });
  }
  return { state: { ...state, held }, events };
}

/** Did the side's description in force before say the very same, version included? */
function isRepeated(state: SessionState, transaction: Transaction, tag: string, side: Side): boolean {
  const isJudgedAgain = state.agreedBy === transactionName(transaction);
  const before = transactionNamed(state, isJudgedAgain ? state.agreedBefore : state.agreedBy);
  const former = before && describedBy(before, firstTag(before), side);
  return former !== undefined && former.digest === describedBy(transaction, tag, side)?.digest;
}

interface AudioLine {
  offered: MediaDescription | undefined;
  answered: MediaDescription | undefined;
}

/** The audio sections that both sides keep: an answer's match the offer's by position (RFC 3264 §6). */
function audioLines(offer: SessionDescription | undefined, answer: SessionDescription | undefined): AudioLine[] {
  if (!offer || !answer) {
    const only = (offer ?? answer)?.media.filter(isActiveAudio) ?? [];
    return only.map((media) => ({ offered: offer && media, answered: answer && media }));
  }
  const lines: AudioLine[] = [];
  for (const [index, offered] of offer.media.entries()) {
    const answered = answer.media[index];
    if (isActiveAudio(offered) && isActiveAudio(answered)) lines.push({ offered, answered });
  }
  if (lines.length > 0 || answer.media.length === offer.media.length) return lines;
  // A proxy dropped or added sections.
  const [offered, answered] = [offer.media.find(isActiveAudio), answer.media.find(isActiveAudio)];
  return offered && answered ? [{ offered, answered }] : [];
}

function isActiveAudio(media: MediaDescription | undefined): media is MediaDescription {
  return media !== undefined && media.kind === "audio" && media.port > 0;
}

function hasNowhere({ address, addressText }: MediaDescription): boolean {
  return address ? isUnspecified(address) : addressText.toLowerCase().endsWith(".invalid");
}

function receives(media: MediaDescription): boolean {
  return !hasNowhere(media) && (media.direction === "sendrecv" || media.direction === "recvonly");
}

/** Who gives no address does not expect to be heard either. */
function sends(media: MediaDescription): boolean {
  return !hasNowhere(media) && (media.direction === "sendrecv" || media.direction === "sendonly");
}

// What the session machine says of a message: values for the call table, in the order in which they hold. Each thing is
// said once, however often and on however many hops its message is seen.
import type { Side } from "../base/ids.js";
import type { SipAddress } from "./message.js";
import type { SessionDescription } from "./sdp-types.js";
import type { DialogReference } from "./transfer.js";

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

/** A REFER within the dialog: `by` asks the other side to call `target` (RFC 3515). */
export interface ReferEvent {
  type: "refer";
  by: Side;
  target: string;
  /** User part or number of the target, "" when none. */
  targetUser: string;
  /** An attended transfer: the dialog with the target that the new one replaces (RFC 3891). */
  replaces?: DialogReference;
}

export type SessionEvent =
  | MediaEvent
  /** The description that `side` offered last was refused: what was agreed before stays in force. */
  | { type: "media-rejected"; side: Side }
  | { type: "ringing" }
  /** 181: the call goes to somebody else than was called. Once per attempt. */
  | { type: "forwarded" }
  /** `side` described media in a provisional response, reliable or not. Once per early dialog. */
  | { type: "early-media"; side: Side }
  | { type: "answered" }
  /** The ACK for the answer. */
  | { type: "confirmed" }
  | { type: "reinvite"; by: Side }
  /** `by` does not want to receive audio: agreed, not merely offered. */
  | { type: "hold"; by: Side }
  | { type: "resume"; by: Side }
  /** The attempt ended in 401 or 407; most user agents try again at once. */
  | { type: "challenged" }
  /** Comes before the "failed" of a 3xx: where the caller, or a proxy for it, may try next, with any Call-ID. */
  | { type: "redirected"; targets: readonly string[] }
  /** Not final: another attempt ("retried") or a 2xx of another branch ("answered") may follow. */
  | { type: "failed"; status: number }
  /** A CANCEL was sent; an answer that crosses it still counts. */
  | { type: "cancelled" }
  /** A new INVITE of the same user agent under the same Call-ID: after a challenge or failure, or overlap dialling. */
  | { type: "retried" }
  /**
   * A 2xx to an INVITE or UPDATE (re)started the session timer: unless there is another within `intervalS` seconds, the
   * session is over (RFC 4028 §10). 0: the timer is off from here on. Never said of sessions without a timer.
   */
  | { type: "refreshed"; intervalS: number }
  /**
   * 408 or 481 answered a re-INVITE or UPDATE of `by`, who should end the dialog by BYE (RFC 3261 §12.2.1.2): the other
   * side is gone. No end by itself: where the BYE does not come, or a later request succeeds, the session goes on.
   */
  | { type: "lost"; by: Side; status: number }
  /** Another identity is asserted of `side` than before, in an answered session: somebody else may be there. */
  | { type: "identity"; side: Side; identity: SipAddress }
  /** `side` moved to another contact, in an answered session (target refresh, RFC 3261 §12.2). */
  | { type: "target"; side: Side; uri: string }
  | ReferEvent
  /** The REFER of `by` was refused. */
  | { type: "refer-refused"; by: Side; status: number }
  /** `by` reports how its call to the target fares: the status that it has met so far (RFC 3515 §2.4.5). */
  | { type: "refer-progress"; by: Side; status: number }
  | { type: "ended"; by: Side };

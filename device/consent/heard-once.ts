// Tells what a dialog's messages say for the first time from what is sent again: retransmissions, further hops, and
// messages that others have overtaken. What was said once is not said again by a copy, or an old grant would undo a newer
// withdrawal. Bounded; reads no content. RFC 3261 §8.1.1.5, §12.2.1.1, §17.
//
// Of a dialog whose beginning was not seen (the capture began in the middle of it, the engine was started anew) the first
// request of a side may be one that is sent again: whatever was said before it, and by whom, is not known.
import { otherSide, type Side, type TimeUs } from "../base/ids.js";
import type { SipMessage } from "../sip/message.js";

/** Messages that said something, remembered per dialog; the oldest goes first. */
const REMEMBERED = 128;
/** A request is sent again for as long as this: 64 × T1 (RFC 3261 §17.1.2.2, timer F). */
const SENT_AGAIN_US = 32_000_000;

export const Novelty = { first: 0, overtaken: 1, again: 2 } as const;
export type Novelty = (typeof Novelty)[keyof typeof Novelty];

export class HeardOnce {
  private readonly seen = new Set<string>();
  /** By who sent the request: the highest CSeq of all so far, and of those that said something. */
  private readonly newest: [number, number] = [-1, -1];
  private readonly newestSaid: [number, number] = [-1, -1];
  private readonly doubtfulUntilUs: TimeUs;

  /** `atUs`: when the dialog was seen first. */
  constructor(atUs: TimeUs) {
    this.doubtfulUntilUs = atUs + SENT_AGAIN_US;
  }

  /** To be told of every message of the dialog, after it was judged. `from`: the session side that sent it, if known. */
  note(message: SipMessage, from: Side | undefined): void {
    const requester = requesterOf(message, from);
    if (requester !== undefined) this.newest[requester] = Math.max(this.newest[requester], message.cseq);
  }

  /** `says`: what the message says, as text. `fromMiddle`: the dialog's beginning was not seen. */
  judge(message: SipMessage, from: Side | undefined, says: string, atUs: TimeUs, fromMiddle: boolean): Novelty {
    const { method, status, cseq } = message;
    const requester = requesterOf(message, from);
    const key = `${requester ?? "?"} ${cseq} ${method} ${status} ${says}`;
    if (this.seen.has(key)) return Novelty.again;
    if (this.seen.size >= REMEMBERED) this.seen.delete(this.seen.values().next().value!);
    this.seen.add(key);
    if (requester === undefined) return Novelty.first;
    const said = this.newestSaid[requester];
    this.newestSaid[requester] = Math.max(said, cseq);
    const isOvertaken = cseq < said || (fromMiddle && atUs < this.doubtfulUntilUs && !this.follows(requester, cseq));
    return isOvertaken ? Novelty.overtaken : Novelty.first;
  }

  /** Is there a request before it that was seen, and none after it? */
  private follows(requester: Side, cseq: number): boolean {
    const newest = this.newest[requester];
    return newest >= 0 && cseq >= newest;
  }
}

function requesterOf({ kind }: SipMessage, from: Side | undefined): Side | undefined {
  if (from === undefined) return undefined;
  return kind === "request" ? from : otherSide(from);
}

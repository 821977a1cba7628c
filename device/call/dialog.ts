// One SIP session that belongs to a call: a call has one, and further ones after a transfer or when the mirror shows it
// on both sides of a PBX. Keeps what the session's messages said and when. Plain state; the rules
// are in call-table.ts and those it calls.
import type { Side, TimeUs } from "../base/ids.js";
import type { EndReason } from "../contract/call-record.js";
import { isAnonymousForm } from "../sip/identity.js";
import type { SipAddress } from "../sip/message.js";
import type { SessionState } from "../sip/session.js";
import { type AgentVerdict, UNKNOWN_AGENT } from "./agents.js";
import type { Call } from "./call.js";
import { Leg } from "./leg.js";
import type { Party, PartyIdentity } from "./party.js";
import { SideSight } from "./side-sight.js";
import type { PendingTransfer } from "./transfers.js";

export class Dialog {
  call: Call;
  readonly sipCallId: string;
  session: SessionState;
  /** By session side. */
  readonly legs: readonly [Leg, Leg];
  readonly startedAtUs: TimeUs;
  answeredAtUs: TimeUs | undefined;
  /** When it ended for its parties (BYE, failure, silence). */
  endedAtUs: TimeUs | undefined;
  endReason: EndReason | undefined;
  rejectStatus = 0;
  lastActivityUs: TimeUs;
  /** Packet time of its last SIP message. */
  lastMessageUs: TimeUs;
  /** Packet time at which the table closes it; Infinity while nothing calls for it. */
  closeAtUs = Number.POSITIVE_INFINITY;
  /** Who is the agent, in sides of the CALL. */
  agent: AgentVerdict = UNKNOWN_AGENT;
  /** What `agent` was judged on last (roles.ts). */
  judgedOn: readonly unknown[] = [];
  /** Media addresses contradict the signalling: nobody counts as the agent. */
  mediaContradictory = false;
  /** By session side: what its messages showed besides the session itself. */
  readonly sights: readonly [SideSight, SideSight] = [new SideSight(), new SideSight()];
  /** Users that passed the call on before it came here. */
  diverting: readonly string[] = [];
  /** The number in To when the INVITE went to another one in the end. */
  retargetedFrom: string | undefined;
  /** Its time is over for good: no message or packet belongs to it any more. */
  isClosed = false;
  /** Dialogs that were recognised as other halves of the same conversation. */
  readonly halves = new Set<Dialog>();
  /** The dialog whose conversation goes on in this one after a transfer. */
  continues: Dialog | undefined;
  /** The side of another dialog that mixes this one into its conversation. */
  joins: Leg | undefined;
  /** A transfer that was asked for in this dialog. */
  transfer: PendingTransfer | undefined;

  /** `parties` by session side; `isFlipped`: session side 0 is the call's side 1. */
  constructor(call: Call, session: SessionState, atUs: TimeUs, parties: readonly [Party, Party], isFlipped: boolean) {
    this.call = call;
    this.sipCallId = session.callId;
    this.session = session;
    this.startedAtUs = atUs;
    this.lastActivityUs = atUs;
    this.lastMessageUs = atUs;
    const sides: [Side, Side] = isFlipped ? [1, 0] : [0, 1];
    this.legs = [new Leg(this, 0, sides[0], parties[0]), new Leg(this, 1, sides[1], parties[1])];
  }

  get isLive(): boolean {
    return this.endedAtUs === undefined;
  }

  /** Seen first when it was up already: what was said and described before is not known. */
  get isSeenFromMiddle(): boolean {
    return !this.session.startSeen && this.answeredAtUs !== undefined && this.answeredAtUs <= this.startedAtUs;
  }

  get onHold(): boolean {
    return this.session.held[0] || this.session.held[1];
  }

  /** Both sides mean to be heard. */
  get isTalking(): boolean {
    return this.answeredAtUs !== undefined && this.isLive && !this.onHold;
  }

  /** The leg of a side of the call. */
  legOf(side: Side): Leg {
    return this.legs[0].side === side ? this.legs[0] : this.legs[1];
  }

  address(sessionSide: Side): SipAddress {
    return sessionSide === 0 ? this.session.originator : this.session.answerer;
  }

  asserted(sessionSide: Side): SipAddress | undefined {
    return sessionSide === 0 ? this.session.assertedIdentity : this.session.connectedIdentity;
  }

  /** Who the side says it is; an asserted identity stands in where From is anonymous (RFC 3323, RFC 3325). */
  identityOf(sessionSide: Side): Omit<PartyIdentity, "number"> {
    const own = this.address(sessionSide);
    const asserted = this.asserted(sessionSide);
    const isAnonymous = own.user === "" || isAnonymousForm(own.user, own.host);
    const { uri, user } = isAnonymous && asserted ? asserted : own;
    return { uri, user, name: own.name || (asserted?.name ?? "") };
  }
}

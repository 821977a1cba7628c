// A call and its two legs as the call table keeps them: parties, session, media descriptions, streams, times.
// Plain state with small helpers; the rules that change it are in call-table.ts and binder.ts.
import type { AddressWords } from "../base/address.js";
import { isUnspecified } from "../base/address.js";
import { type CallId, otherSide, type Side, type TimeUs } from "../base/ids.js";
import type { CallEventRecord, CodecMapping, EndReason, WarningRecord } from "../contract/call-record.js";
import type { SipAddress } from "../sip/message.js";
import { staticCodec } from "../sip/payload-types.js";
import type { MediaDescription, SessionDescription } from "../sip/sdp-types.js";
import type { SessionState } from "../sip/session.js";
import type { AgentVerdict } from "./agents.js";
import type { Flow } from "./flow.js";
import type { LegGate } from "./guard.js";
import type { CallStream } from "./stream.js";

const MAX_EVENTS = 256;
const MAX_WARNINGS = 64;

export const UNKNOWN_AGENT: AgentVerdict = {
  agent: undefined,
  contradictory: false,
  evidence: ["", ""],
  byAddressOnly: [false, false],
};

/** One side of a call: who it is, where it receives media, and the gate its own audio must pass. */
export class Leg {
  readonly call: Call;
  readonly side: Side;
  gate!: LegGate;
  /** The side's audio description in force (where it RECEIVES); undefined until seen. */
  audio: MediaDescription | undefined;
  /** Source a flow was accepted from without a negotiated address (RFC 7362 latching); 5 words, or undefined. */
  latchedSource: Int32Array | undefined;
  /** Flows that carry this side's audio. */
  readonly flows = new Set<Flow>();

  constructor(call: Call, side: Side) {
    this.call = call;
    this.side = side;
  }

  get other(): Leg {
    return this.call.legs[otherSide(this.side)];
  }

  /** The addresses this side receives audio at, for identification; unspecified ones (hold) are not evidence. */
  get audioAddresses(): AddressWords[] {
    const address = this.audio?.address;
    return address && !isUnspecified(address) ? [address] : [];
  }

  /**
   * What a payload type means in packets this side sends: the receiver's description decides (RFC 3264 §5.1), else the
   * side's own, else RFC 3551's static assignment.
   */
  codecOf(payloadType: number): CodecMapping {
    const named = (media: MediaDescription | undefined) => media?.codecs.find((c) => c.payloadType === payloadType);
    return (
      named(this.other.audio) ??
      named(this.audio) ??
      staticCodec(payloadType) ?? { payloadType, name: "UNKNOWN", clockRate: 8000, channels: 1 }
    );
  }
}

export class Call {
  readonly id: CallId;
  readonly sipCallId: string;
  readonly legs: readonly [Leg, Leg];
  readonly startedAtUs: TimeUs;
  session: SessionState;
  agent: AgentVerdict = UNKNOWN_AGENT;
  /** Media addresses contradict the signalling: nobody counts as the agent. */
  mediaContradictory = false;
  answeredAtUs: TimeUs | undefined;
  /** When the call ended for its parties (BYE, failure, silence). */
  endedAtUs: TimeUs | undefined;
  endReason: EndReason | undefined;
  rejectStatus = 0;
  lastActivityUs: TimeUs;
  /** Packet time at which the table closes the call; Infinity while nothing calls for it. */
  closeAtUs = Number.POSITIVE_INFINITY;
  /** Facts changed since the last snapshot into the journal. */
  changedSinceSnapshot = true;
  readonly streams: CallStream[] = [];
  readonly events: CallEventRecord[] = [];
  readonly warnings: WarningRecord[] = [];

  constructor(id: CallId, session: SessionState, startedAtUs: TimeUs) {
    this.id = id;
    this.sipCallId = session.callId;
    this.session = session;
    this.startedAtUs = startedAtUs;
    this.lastActivityUs = startedAtUs;
    this.legs = [new Leg(this, 0), new Leg(this, 1)];
  }

  get onHold(): boolean {
    return this.session.held[0] || this.session.held[1];
  }

  party(side: Side): SipAddress {
    return side === 0 ? this.session.originator : this.session.answerer;
  }

  addEvent(event: CallEventRecord): void {
    if (this.events.length < MAX_EVENTS) this.events.push(event);
    this.changedSinceSnapshot = true;
  }

  /** One warning per code. */
  warn(code: string, detail: WarningRecord["detail"] = {}): void {
    if (this.warnings.length >= MAX_WARNINGS || this.warnings.some((known) => known.code === code)) return;
    this.warnings.push({ code, detail });
    this.changedSinceSnapshot = true;
  }
}

/** The audio section of a session description that is in use: the first with a port, else the first. */
export function audioOf(description: SessionDescription): MediaDescription | undefined {
  const audio = description.media.filter((media) => media.kind === "audio");
  return audio.find((media) => media.port > 0) ?? audio[0];
}

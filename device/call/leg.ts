// One side of one dialog: where it receives media, which flows carry its own audio, who speaks on it, and the gate that
// audio must pass. Plain state; the rules are in call-table.ts, binder.ts and halves.ts.
import { type AddressWords, isUnspecified } from "../base/address.js";
import { otherSide, type Side, type TimeUs } from "../base/ids.js";
import type { CodecMapping } from "../contract/call-record.js";
import { staticCodec } from "../sip/payload-types.js";
import type { MediaDescription } from "../sip/sdp-types.js";
import type { Call } from "./call.js";
import type { Dialog } from "./dialog.js";
import type { Flow } from "./flow.js";
import type { LegGate } from "./guard.js";
import type { Party, PartyIdentity } from "./party.js";
import type { Origin } from "./succession.js";

export class Leg {
  readonly dialog: Dialog;
  /** Side of the SIP session: 0 sent its first INVITE. */
  readonly sessionSide: Side;
  /** Side of the call, which is the recording's channel. */
  side: Side;
  party: Party;
  gate!: LegGate;
  /** The audio description in force (where the side RECEIVES); undefined until seen. */
  audio: MediaDescription | undefined;
  /** Who wrote that description: another origin may be another person. */
  origin: Origin | undefined;
  /** The identity that was asserted for the side since the answer, when it changed. */
  identity: Omit<PartyIdentity, "number"> | undefined;
  /** Who spoke here before, by origin and identity. */
  readonly formerParties = new Map<string, Party>();
  /** Where parties that are no longer on the leg were described, and when they left; bounded by succession.ts. */
  readonly formerPlaces: { audio: MediaDescription; party: Party; leftAtUs: TimeUs }[] = [];
  /** Source a flow was accepted from without a negotiated address (RFC 7362 latching), or undefined. */
  latchedSource: Int32Array | undefined;
  /** Flows that carry this side's audio. */
  readonly flows = new Set<Flow>();
  /** The leg of another dialog that is nearer to the same person: what is heard here is only its relay. */
  edge: Leg | undefined;
  /** Dialogs by which somebody joined the conversation at this side (RFC 3911): it mixes while one is up. */
  readonly joinedBy = new Set<Dialog>();
  /** The side has put the other one on hold at least once. */
  hasHeld = false;
  /** May carry others' voices too: a conference focus, or an agent who speaks in two calls at once. */
  isMixed = false;

  constructor(dialog: Dialog, sessionSide: Side, side: Side, party: Party) {
    this.dialog = dialog;
    this.sessionSide = sessionSide;
    this.side = side;
    this.party = party;
  }

  get call(): Call {
    return this.dialog.call;
  }

  get other(): Leg {
    return this.dialog.legs[otherSide(this.sessionSide)];
  }

  /** The leg nearest to the person who speaks here. */
  get nearest(): Leg {
    let leg: Leg = this;
    for (let hops = 0; leg.edge !== undefined && hops < MAX_HALVES; hops++) leg = leg.edge;
    return leg;
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

/** Dialogs that one conversation may pass through one behind another. */
export const MAX_HALVES = 8;

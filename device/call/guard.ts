// What the call table needs from consent/, seen from its side: a gate per leg that packets are offered to, and a guard
// that is told what happens to a call. Implemented in consent/; the call table never decides what is recorded.
import type { Side, TimeUs } from "../base/ids.js";
import type {
  ClosedSpanRecord,
  CodecMapping,
  ConsentChangeRecord,
  ConsentState,
  EchoRecord,
  ErasedRecord,
  EvidenceRecord,
  NoAudioReason,
  PauseRecord,
  Policy,
  SpanRecord,
  WarningRecord,
} from "../contract/call-record.js";
import type { Datagram } from "../net/datagram.js";
import type { RtpView } from "../rtp/packet.js";
import type { SipMessage } from "../sip/message.js";
import type { Call } from "./call.js";
import type { Dialog } from "./dialog.js";
import type { Leg } from "./leg.js";
import type { Party } from "./party.js";
import type { Separation } from "./separation.js";
import type { CallStream } from "./stream.js";

/** The gate of one leg. Every RTP packet of the leg is offered exactly once. */
export interface LegGate {
  readonly isOpen: boolean;
  /** Hot path. Counts the packet in `stream` as recorded, discarded (with reason) or duplicate. */
  offer(stream: CallStream, datagram: Datagram, isDuplicate: boolean): void;
}

/**
 * Listens to a stream whether it is recorded or not: for keys, for echoes. What it hears stays in memory, and no longer
 * than it takes to tell. Not told of copies and duplicates.
 */
export interface StreamEar {
  /** Hot path, after the gate has had the packet. */
  hear(view: RtpView, datagram: Datagram): void;
}

/** What consent/ knows of a party, for the call's record. */
export interface PartyReport {
  consent: ConsentState;
  spans: SpanRecord[];
  closedSpans: ClosedSpanRecord[];
  erased: ErasedRecord[];
}

/** What consent/ knows of a call, for its record. */
export interface GuardReport {
  policy: Policy;
  policyRule: string;
  purpose: string;
  retention: string;
  /** By the place of the party in `Call.parties`. */
  parties: PartyReport[];
  evidence: EvidenceRecord[];
  ledger: ConsentChangeRecord[];
  pauses: PauseRecord[];
  echo: EchoRecord | undefined;
  warnings: WarningRecord[];
  /** Why a call of which nothing was recorded has no audio, as far as consent and policy decide it. */
  closedReason: NoAudioReason | undefined;
}

export interface CallGuard {
  /** A call began. */
  attach(call: Call): void;
  /** A dialog joined the call: gives both its legs their (shut) gates. */
  addDialog(dialog: Dialog): void;
  /** A SIP message of the dialog, before its consequences; `from` is the session side that sent it, if known. */
  message(dialog: Dialog, message: SipMessage, from: Side | undefined, atUs: TimeUs): void;
  /** A stream of the leg carries this codec from now on: who wants to listen to it, if anybody. */
  earFor(leg: Leg, stream: CallStream, codec: CodecMapping): StreamEar | undefined;
  /** Time passes: pauses and the waiting for further keys end by it. */
  tick(nowUs: TimeUs): void;
  /** Roles, parties, answer or end changed: gates are judged anew, in force with the next packet. */
  changed(call: Call, atUs: TimeUs): void;
  /** The facts so far; open spans end at `atUs`. */
  report(call: Call, atUs: TimeUs): GuardReport;
  /** The dialog goes over to another call, which will add it anew: what it admitted so far stays with this one. */
  leave(dialog: Dialog, atUs: TimeUs): void;
  /** `other` has become part of `call`: its gates, statements and evidence go along. */
  absorb(call: Call, other: Call, atUs: TimeUs): void;
  /** Half of `call` has become `own`, a call that was not attached yet: each keeps what was said in it, and no more. */
  separate(call: Call, own: Call, separation: Separation, atUs: TimeUs): void;
  /** What was said of `other` counts for `party` from now on; with `isSame` what was recorded of it is `party`'s too. */
  unite(call: Call, party: Party, other: Party, isSame: boolean, atUs: TimeUs): void;
  /** Was anything said of the party's consent, or may it turn out to have been? */
  hasHeardOf(party: Party, call: Call): boolean;
  /** `party` may be the person that `former` was, or somebody else: only refusals are taken over. */
  takeRefusals(call: Call, party: Party, former: Party, atUs: TimeUs): void;
  /** The dialog is over: shuts its gates for good and settles what was held. */
  closeDialog(dialog: Dialog, atUs: TimeUs): void;
  /** The call is over; its report is asked for once more. */
  detach(call: Call, atUs: TimeUs): void;
  /** The call's record is made. */
  forget(call: Call): void;
}

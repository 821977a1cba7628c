// What the call table needs from consent/, seen from its side: a gate per leg that packets are offered to, and a guard
// that is told what happens to a call. Implemented in consent/; the call table never decides what is recorded.
import type { Side, TimeUs } from "../base/ids.js";
import type {
  ConsentState,
  EvidenceRecord,
  NoAudioReason,
  Policy,
  SpanRecord,
  WarningRecord,
} from "../contract/call-record.js";
import type { Datagram } from "../net/datagram.js";
import type { SipMessage } from "../sip/message.js";
import type { Call } from "./call.js";
import type { CallStream } from "./stream.js";

/** The gate of one leg. Every RTP packet of the leg is offered exactly once. */
export interface LegGate {
  /** Hot path. Counts the packet in `stream` as recorded, discarded (with reason) or duplicate. */
  offer(stream: CallStream, datagram: Datagram, isDuplicate: boolean): void;
}

/** What consent/ knows of a call, for its record. */
export interface GuardReport {
  policy: Policy;
  policyRule: string;
  parties: [{ consent: ConsentState; spans: SpanRecord[] }, { consent: ConsentState; spans: SpanRecord[] }];
  evidence: EvidenceRecord[];
  warnings: WarningRecord[];
  /** Why a call of which nothing was recorded has no audio, as far as consent and policy decide it. */
  closedReason: NoAudioReason | undefined;
}

export interface CallGuard {
  /** A call began: gives both legs their (shut) gates. */
  attach(call: Call): void;
  /** A SIP message of the call, before its consequences; `from` is the side that sent it, if known. */
  message(call: Call, message: SipMessage, from: Side | undefined, atUs: TimeUs): void;
  /** Roles, answer or end changed: gates are judged anew, in force with the next packet. */
  changed(call: Call, atUs: TimeUs): void;
  /** The facts so far; open spans end at `atUs`. */
  report(call: Call, atUs: TimeUs): GuardReport;
  /** The call is over: shuts the gates for good and settles what was held. */
  detach(call: Call, atUs: TimeUs): void;
}

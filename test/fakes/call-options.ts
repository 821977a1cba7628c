// What a synthesised call can be told: parties, times, outcome, faults, the form of its messages. Fills in the defaults;
// builds no bytes.
import type { LinkOptions } from "./frames.js";
import { makeRandom, seedOf } from "./random.js";
import type { KeyPress, RtpFaults } from "./rtp-stream.js";
import type { SdpOptions, SipBody, SipHeader, SipStyle } from "./sip-messages.js";
import { type G711Codec, type PayloadSource, toneSource } from "./tone.js";

export type Participant = "caller" | "callee";

export interface CallParty extends RtpFaults {
  /** User part of the SIP URI. */
  user: string;
  /** Display name. */
  name?: string;
  /** Whole URI in From, To and the Request-URI; default sip:<user>@<address>. */
  uri?: string;
  /** Signalling address, and the media's unless `mediaAddress` says otherwise. */
  address: string;
  mediaAddress?: string;
  sipPort: number;
  rtpPort: number;
  ssrc?: number;
  firstSequence?: number;
  firstTimestamp?: number;
  payload: PayloadSource;
  /** "address:port" its RTP really comes from (and, once learned, goes to) while its SDP names the private one. */
  natRtpEndpoint?: string;
  /** First packet, counted from the answer. Default 10. */
  mediaOffsetMs?: number;
  /** Keys that it presses, by packet times of its stream; `hasEvents` puts them into the descriptions. */
  keys?: readonly KeyPress[];
  /** Sends no RTP at all. */
  isMute?: boolean;
}

/** A request inside the dialog, with its response, and the ACK when it is an INVITE. */
export interface MidCallRequest {
  /** From the answer on. */
  atMs: number;
  from: Participant;
  method: string;
  headers?: readonly SipHeader[];
  /** Changes to the sender's session description; its presence (or the method INVITE) puts one into the request. */
  sdp?: Partial<SdpOptions>;
  /** Changes to the session description of whoever answers it. */
  answerSdp?: Partial<SdpOptions>;
  /** Instead of a session description. */
  body?: SipBody;
  /** Status of the response, 0 for none. Default 200. */
  status?: number;
}

export interface CallOptions {
  callId?: string;
  /** Time of the INVITE. Default 2026-11-21T09:00:00Z. */
  startUs?: number;
  /** Of tags, branches, SSRCs and first sequence numbers; default out of the Call-ID. */
  seed?: number;
  caller?: Partial<CallParty>;
  callee?: Partial<CallParty>;
  codec?: G711Codec;
  /** The descriptions offer telephone events (RFC 4733). */
  hasEvents?: boolean;
  ptimeMs?: number;
  /** INVITE to final response, at least 100. Default 1000. */
  ringMs?: number;
  /** Answer to BYE. Default 4000. */
  durationMs?: number;
  /** How the first INVITE ends: a number is the final status that rejects it. Default "answered". */
  outcome?: "answered" | "cancelled" | "unanswered" | number;
  byeBy?: Participant;
  /** The capture ends without a BYE. */
  isEndless?: boolean;
  /** RTP of the callee before the answer, announced by a 183. */
  earlyMediaMs?: number;
  /** RTP of both sides after the BYE. */
  rtpAfterByeMs?: number;
  headers?: Partial<Record<"invite" | "ringing" | "answer" | "bye", readonly SipHeader[]>>;
  midCall?: readonly MidCallRequest[];
  /** Lines for the session descriptions of the INVITE and of the answer. */
  sdpLines?: Partial<Record<Participant, readonly string[]>>;
  /** Puts the session descriptions into multipart bodies. */
  isMultipart?: boolean;
  style?: SipStyle;
  link?: LinkOptions;
  /** Longest IP packet of the signalling: longer messages are sent as IP fragments. */
  mtu?: number;
  /** The mirror shows only what was answered, as with two different ways through the network. */
  onlyResponses?: boolean;
}

export const DEFAULT_START_US = Date.UTC(2026, 10, 21, 9, 0, 0) * 1000;
const DEFAULT_CALLER = { user: "0301234567", address: "198.51.100.20", sipPort: 5060, rtpPort: 30000 };
const DEFAULT_CALLEE = { user: "21", address: "10.0.0.7", sipPort: 5060, rtpPort: 40000 };
const CALLER_TONE_HZ = 1000;
const CALLEE_TONE_HZ = 440;

/** Options with every default filled in: what the parts of the generator work on. */
export interface CallPlan extends CallOptions {
  callId: string;
  startUs: number;
  answerUs: number;
  endUs: number;
  caller: CallParty;
  callee: CallParty;
  codec: G711Codec;
  ptimeMs: number;
  earlyMediaMs: number;
  outcome: NonNullable<CallOptions["outcome"]>;
  random: () => number;
}

/** Fills in the defaults; throws RangeError when the times contradict each other. */
export function planCall(options: CallOptions): CallPlan {
  const callId = options.callId ?? "call-1@office.example";
  const startUs = options.startUs ?? DEFAULT_START_US;
  const ringMs = options.ringMs ?? 1000;
  const earlyMediaMs = options.earlyMediaMs ?? 0;
  if (ringMs < 100 || ringMs < earlyMediaMs + 100) throw new RangeError(`ringMs ${ringMs} is too short for the ladder`);
  const answerUs = startUs + ringMs * 1000;
  return {
    ...options,
    callId,
    startUs,
    answerUs,
    endUs: answerUs + (options.durationMs ?? 4000) * 1000,
    caller: { ...DEFAULT_CALLER, payload: toneSource(CALLER_TONE_HZ), ...options.caller },
    callee: { ...DEFAULT_CALLEE, payload: toneSource(CALLEE_TONE_HZ), ...options.callee },
    codec: options.codec ?? "PCMA",
    ptimeMs: options.ptimeMs ?? 20,
    earlyMediaMs,
    outcome: options.outcome ?? "answered",
    random: makeRandom(options.seed ?? seedOf(callId)),
  };
}

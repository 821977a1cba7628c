// What the engine knows of a finished call, as it goes into the journal's last block and to the service: the call's
// facts in packet time (µs). The manifest and every listing are made from it. Version: CALL_RECORD_SCHEMA.
import type { CallId, Side, TimeUs } from "../base/ids.js";

export const CALL_RECORD_SCHEMA = "sidetone.call/1";

export const POLICIES = ["agent-only", "consent-first", "both-parties", "none"] as const;
export type Policy = (typeof POLICIES)[number];

export const PARTY_ROLES = ["agent", "caller", "originator", "answerer"] as const;
export type PartyRole = (typeof PARTY_ROLES)[number];
export const CONSENT_STATES = ["granted", "refused", "withdrawn", "unknown", "not-required"] as const;
export type ConsentState = (typeof CONSENT_STATES)[number];

/** How a party came into the call: with it, by a transfer, in place of another (RFC 3891), by a changed description, or
 * because another half of the call was recognised behind a PBX. */
export type JoinReason = "start" | "transfer" | "replaces" | "re-invite" | "half";

/** How a call ended. `recovered`: its end was not seen because the engine stopped first. */
export type EndReason =
  | "bye"
  | "cancelled"
  | "rejected"
  | "no-answer"
  | "idle"
  | "capture-ended"
  | "limit"
  | "recovered";

/** Why a call left no audio; the strings are part of the contract. */
export const NO_AUDIO_REASONS = [
  "not-answered",
  "policy-none",
  "agent-unknown",
  "agent-contradictory",
  "no-consent",
  "no-media",
  "encrypted",
  "codec-unsupported",
  "journal-lost",
  "journal-locked",
  "sampled-out",
  "agent-not-registered",
  "not-started",
  "disk-full",
  "erased",
] as const;
export type NoAudioReason = (typeof NO_AUDIO_REASONS)[number];

/** Why the gate, or the path before it, refused packets of a stream. */
export type DiscardReason =
  | "consent"
  | "role-unknown"
  | "policy"
  | "early-media"
  | "ended"
  | "encrypted"
  | "source-changed"
  | "journal"
  | "other-half"
  | "other-hop"
  | "paused"
  | "not-started"
  | "sampled-out"
  | "agent-not-registered"
  | "digits"
  | "echo"
  | "disk-full"
  | "erased";

export interface CodecMapping {
  payloadType: number;
  /** Upper-case encoding name of SDP or RFC 3551, e.g. "PCMA"; "UNKNOWN" when neither names it. */
  name: string;
  clockRate: number;
  channels: number;
  /** fmtp parameters as written, if any. */
  format?: string;
}

export interface PacketCounts {
  /** Every RTP packet of the stream that reached the recorder; = recorded + discarded + duplicate. */
  seen: number;
  /** Admitted by the gate and written to the journal. */
  recorded: number;
  /** Refused by the gate: payload dropped in memory. */
  discarded: number;
  /** Sequence numbers never seen (RFC 3550 §A.3: expected − received, never below 0). */
  lost: number;
  /** Came after a packet that follows it by more than the reorder window. Counted in recorded or discarded as well. */
  late: number;
  /** Copies of an admitted packet, dropped. */
  duplicate: number;
  /** Copies that the mirror port made of them, taken out and in no other count; absent when there were none. */
  copies?: number;
}

export interface StreamRecord {
  /** Index within the call, as in the journal's record headers. */
  index: number;
  side: Side;
  /** Index into `CallRecord.parties` of who was on the side when the stream began; absent = the side's first. */
  party?: number;
  ssrc: string; // "0x1234abcd"
  source: string; // "10.0.0.1:4000"
  destination: string;
  /** Payload types seen on the stream with their packet counts. */
  payloadTypes: { codec: CodecMapping; packets: number }[];
  firstAtUs: TimeUs;
  lastAtUs: TimeUs;
  packets: PacketCounts;
  discardedBy: Partial<Record<DiscardReason, number>>;
  /** The descriptions say that its media is encrypted. */
  isEncrypted?: true;
  jitterMs: { mean: number; max: number };
  mos: number;
}

/** An open span of a party's gate. */
export interface SpanRecord {
  fromUs: TimeUs;
  toUs: TimeUs;
  /** Id of the evidence that opened it. */
  evidence: string;
  /** Packets that the gate admitted in it. */
  packets: number;
}

/** A time in which a party's gate was shut, or refused what was offered, for one reason, and what it refused then. */
export interface ClosedSpanRecord {
  fromUs: TimeUs;
  toUs: TimeUs;
  reason: DiscardReason;
  packets: number;
}

/** What a party had said until `toUs`, no longer in the recording. */
export interface ErasedRecord {
  fromUs: TimeUs;
  toUs: TimeUs;
  packets: number;
  /** Id of the withdrawal. */
  evidence: string;
}

/** Where a statement about consent, or a command, comes from. */
export const EVIDENCE_SOURCES = [
  "dtmf",
  "sip-header",
  "recordpref",
  "api",
  "mqtt",
  "panel",
  "register",
  "number-list",
  "rule",
  "default",
] as const;
export type EvidenceSource = (typeof EVIDENCE_SOURCES)[number];

/** One change of a party's consent for one purpose. */
export interface ConsentChangeRecord {
  atUs: TimeUs;
  /** Index into `CallRecord.parties`. */
  party: number;
  purpose: string;
  from: ConsentState;
  to: ConsentState;
  source: EvidenceSource;
  /** Id of the evidence. */
  evidence: string;
  /** Who or what may have caused it: "caller pressed 1", "answerer's INVITE", "token front-desk". */
  by: string;
  /** Version of the announcement or notice that was in use, "" when none is configured. */
  notice: string;
}

/** Pauses of one call that are written down; a further one takes effect all the same. */
export const MAX_PAUSES = 256;

/** A time in which nothing of anybody was taken. */
export interface PauseRecord {
  fromUs: TimeUs;
  /** Absent while it lasts. */
  toUs?: TimeUs;
  source: EvidenceSource;
  by: string;
  /** As given by whoever asked for it, "" when none. */
  reason: string;
  /** How it ended: by the same means, by itself after consent.pause.maxS, or with the call. */
  endedBy?: "request" | "time" | "call";
}

/** How much of the caller is heard in the agent's own stream. */
export interface EchoRecord {
  /** Stretches in which the caller spoke that were compared. */
  windows: number;
  /** Of them, those in which the caller was recognised. */
  found: number;
  /** Largest normalised correlation, 0–1. */
  correlation: number;
  /** Of the strongest echo: how long behind the caller's own packets, and how much quieter. */
  delayMs: number;
  levelDb: number;
}

export interface PartyRecord {
  side: Side;
  role: PartyRole;
  joinedBy: JoinReason;
  fromUs: TimeUs;
  toUs: TimeUs;
  uri: string;
  number: string;
  name: string;
  /** The rule and what it matched, e.g. "agents.match 10.0.0.0/24 on media 10.0.0.7"; "" when unknown. */
  identifiedBy: string;
  /** For the call's purpose. */
  consent: ConsentState;
  spans: SpanRecord[];
  closedSpans: ClosedSpanRecord[];
  /** Absent when nothing was erased. */
  erased?: ErasedRecord[];
}

export interface EvidenceRecord {
  id: string;
  atUs: TimeUs;
  kind: EvidenceSource | "correlation";
  effect:
    | "granted"
    | "refused"
    | "withdrawn"
    | "not-required"
    | "agent"
    | "joined"
    | "paused"
    | "resumed"
    | "started"
    | "stopped"
    | "none";
  detail: Record<string, string | number | boolean>;
}

export interface CallEventRecord {
  atUs: TimeUs;
  kind: "hold" | "resume" | "transfer" | "pause" | "codec" | "dtmf" | "reinvite" | "early-media" | "diverted";
  detail?: Record<string, string | number | boolean>;
}

export interface WarningRecord {
  code: string;
  detail: Record<string, string | number | boolean>;
}

export interface CallRecord {
  schema: typeof CALL_RECORD_SCHEMA;
  id: CallId;
  sipCallIds: string[];
  startedAtUs: TimeUs;
  /** Absent when the call was never answered. */
  answeredAtUs?: TimeUs;
  endedAtUs: TimeUs;
  endReason: EndReason;
  /** Final SIP status of the first INVITE when it was not 2xx. */
  rejectStatus?: number;
  policy: Policy;
  /** Configuration rule that chose the policy, "" for consent.policy itself. */
  policyRule: string;
  /** What the recording is for. */
  purpose: string;
  /** Retention class, "" when no rule names one. */
  retention: string;
  /** The first of each side, by side; then whoever came later, in the order of coming. */
  parties: [PartyRecord, PartyRecord, ...PartyRecord[]];
  streams: StreamRecord[];
  evidence: EvidenceRecord[];
  /** Every change of consent, in the order of coming. */
  ledger: ConsentChangeRecord[];
  pauses: PauseRecord[];
  /** Absent when it was not looked for, or there was nothing to compare. */
  echo?: EchoRecord;
  events: CallEventRecord[];
  warnings: WarningRecord[];
  /** Steps of the clock that stamps packets during the call, already taken out of every time here; absent when there were none. */
  clockSteps?: { atUs: TimeUs; offsetUs: number }[];
  /** Set when nothing was admitted. */
  noAudio?: NoAudioReason;
  /** The call turned out to be a half of this one, which holds its audio: it leaves nothing itself. */
  absorbedBy?: CallId;
  /** The box's own call (self-test): it is nobody's, never published, and deleted wherever it is found. Set by the engine that made it up. */
  isSelfTest?: true;
}

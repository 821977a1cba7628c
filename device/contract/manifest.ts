// The manifest `<id>.json` beside a recording (schema sidetone.recording/1) and the call log's line: what integrators
// build on. Changed only with a new schema version. Times are ISO 8601 UTC with µs; spans and events are ms from sample 0.
import type { CallId } from "../base/ids.js";
import type { AuditHead } from "./audit.js";
import type {
  ConsentChangeRecord,
  ConsentState,
  DiscardReason,
  EchoRecord,
  EndReason,
  EvidenceSource,
  JoinReason,
  NoAudioReason,
  PartyRole,
  PauseRecord,
  Policy,
} from "./call-record.js";
import type { DeletionReason } from "./tombstone.js";

export const MANIFEST_SCHEMA = "sidetone.recording/1";

export interface ManifestStream {
  ssrc: string;
  /** Encoding name of the payload type that carried most packets. */
  codec: string;
  clockRate: number;
  source: string;
  destination: string;
  firstAt: string;
  lastAt: string;
  packets: {
    seen: number;
    /** By the gate: recorded + undecoded, and what sealing found to be copies. */
    admitted: number;
    /** Decoded into the WAV. */
    recorded: number;
    discarded: number;
    lost: number;
    late: number;
    duplicate: number;
    /** Admitted, but not audio this box can decode (events, comfort noise, other codecs): silence in the WAV. */
    undecoded: number;
    /** Copies that the mirror port made, taken out and in no other count; absent when there were none. */
    copies?: number;
  };
  discardedBy: Record<string, number>;
  jitterMs: { mean: number; max: number };
  mos: number;
}

/** Of an encrypted recording: its file's bytes and hashes are of the age file, these are of the WAV in it. */
export interface AudioEncryption {
  format: "age";
  /** Fingerprints of the public keys whose holders can open it: 16 hex digits of the SHA-256 of `age1...`. */
  recipients: string[];
  plainBytes: number;
  plainSha256: string;
}

/** The name of a recording's audio file. */
export function audioFileName(id: CallId, isEncrypted: boolean): string {
  return isEncrypted ? `${id}.wav.age` : `${id}.wav`;
}

/** Who sent the first INVITE, and who was called. */
export type CallSide = "originator" | "answerer";

/** Samples fromSample … toSample − 1 of a channel. */
export interface SampleExtent {
  fromSample: number;
  toSample: number;
}

export interface ManifestSpan {
  fromMs: number;
  toMs: number;
  evidence: string;
  /** Packets that the gate admitted. */
  packets: number;
  /** Where what was decoded of them stands, null when nothing was: the channel is digital silence outside of all extents. */
  audio: SampleExtent | null;
}

/** One change of a party's consent; `party` is its place in `parties` here. */
export interface ManifestConsentChange extends Omit<ConsentChangeRecord, "atUs"> {
  at: string;
}

/** A time in which nothing of anybody was taken. */
export interface ManifestPause {
  fromMs: number;
  toMs: number;
  source: EvidenceSource;
  by: string;
  reason: string;
  endedBy: NonNullable<PauseRecord["endedBy"]>;
}

/** One person on one channel for some of the call; see `joinedBy` for how it came. */
export interface ManifestParty {
  role: PartyRole;
  side: CallSide;
  /** 0 left, 1 right. */
  channel: 0 | 1;
  uri: string;
  number: string;
  name: string;
  identifiedBy: string;
  joinedBy: JoinReason;
  /** When it was there, on the recording's timeline, clipped to it. */
  fromMs: number;
  toMs: number;
  consent: ConsentState;
  /** Open spans on the recording's timeline, clipped to it. */
  spans: ManifestSpan[];
  /** Times in which the gate refused what was offered, on the recording's timeline, clipped to it. */
  closedSpans: { fromMs: number; toMs: number; reason: DiscardReason; packets: number }[];
  /** What was taken out after a withdrawal; absent when nothing was. */
  erased?: { fromMs: number; toMs: number; packets: number; evidence: string }[];
  /** Decoded audio in ms, silence and gaps not counted. */
  recordedMs: number;
  streams: ManifestStream[];
}

/** What was in force for a recording when it was made; ages count from `endedAt`, in days of 24 hours. */
export interface ManifestRetention {
  /** The class of the rule, else the default class; "" = none: it is kept for ever. */
  class: string;
  minDays: number;
  /** 0 = no maximum. */
  maxDays: number;
  /** True: no later configuration shortens this. */
  lengthenOnly: boolean;
}

/** Whether a time server sets the box's clock; "unknown" = nobody there can say. */
export type ClockState = boolean | "unknown";

/** The clock by which the times here were taken. */
export interface ManifestClock {
  /** When the recording was stored. */
  synchronized: ClockState;
  /** Steps of the box's clock during the call, taken out of all times here: they go on by the clock of the call's beginning. */
  steps: { atMs: number; offsetMs: number }[];
}

export interface Manifest {
  schema: typeof MANIFEST_SCHEMA;
  id: CallId;
  device: string;
  sipCallIds: string[];
  startedAt: string;
  answeredAt: string;
  endedAt: string;
  endReason: EndReason;
  policy: Policy;
  policyRule: string;
  purpose: string;
  /** Retention class, "" when no rule names one. */
  retention: string;
  /** Absent when neither a class nor `retention.lengthenOnly` was configured. */
  retentionTerms?: ManifestRetention;
  audio: {
    file: string;
    bytes: number;
    /** Of the file as it is stored, lower-case hex. */
    sha256: string;
    sha512: string;
    sampleRateHz: number;
    channels: number;
    durationMs: number;
    /** The time of sample 0. */
    startsAt: string;
    /** Absent when the file is a WAV in clear. */
    encryption?: AudioEncryption;
  };
  /** The first on the left channel, the first on the right, then whoever came later in the order of coming. */
  parties: [ManifestParty, ManifestParty, ...ManifestParty[]];
  evidence: { id: string; at: string; kind: string; effect: string; detail: Record<string, unknown> }[];
  ledger: ManifestConsentChange[];
  pauses: ManifestPause[];
  /** The caller's voice in the agent's stream; absent when it was not looked for, or there was nothing to compare. */
  echo?: EchoRecord;
  events: { atMs: number; kind: string; detail?: Record<string, unknown> }[];
  warnings: { code: string; detail: Record<string, unknown> }[];
  /** Absent in recordings of replayed captures. */
  clock?: ManifestClock;
  /** It is of the box's own self-test: it has no place among recordings and in their chain (`previous` is ""), and is deleted at once. */
  selfTest?: true;
  /** The audit chain's newest durable entry when this was signed (seq 0: none): the chain has it in this form. */
  audit?: AuditHead;
  /** SHA-256 (hex) of the previous manifest file's bytes; "" for the first of this data folder. */
  previous: string;
  /** Ed25519 over the manifest's canonical bytes without this member: "ed25519:<base64>". */
  signature: string;
}

/** One line of `calls/YYYY-MM-DD.jsonl`: every call, with or without audio. */
export interface CallLogLine {
  schema: "sidetone.call-log/1";
  id: CallId;
  sipCallIds: string[];
  startedAt: string;
  answeredAt: string;
  endedAt: string;
  endReason: EndReason;
  rejectStatus: number;
  policy: Policy;
  /** "" when audio was stored. */
  noAudio: NoAudioReason | "";
  /** Relative path of the WAV below the data folder, "" without audio. */
  file: string;
  durationMs: number;
  /** As in the manifest. */
  parties: {
    role: PartyRole;
    side: CallSide;
    number: string;
    identifiedBy: string;
    consent: ConsentState;
    recordedMs: number;
    packets: { seen: number; recorded: number; discarded: number; lost: number };
    codecs: string[];
  }[];
  warnings: string[];
  /** The recording was deleted, or the call's people erased: then numbers, Call-IDs and `file` are empty here. */
  deleted?: DeletionReason;
}

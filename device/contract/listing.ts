// A call as listings have it, out of the index: `sidetoned calls --json`. Times are ISO 8601 UTC with µs. Changed only with a
// new schema version.
import type { ConsentState, NoAudioReason, PartyRole } from "./call-record.js";
import type { CallLogLine, CallSide } from "./manifest.js";
import type { DeletionReason } from "./tombstone.js";

export const LISTING_SCHEMA = "sidetone.calls/1";

/** Of a deleted recording, or of a call whose people were erased, nothing is left that names anybody. */
export interface ListedParty {
  role: PartyRole;
  side: CallSide;
  number: string;
  /** "" without audio: only the manifest has it. */
  name: string;
  identifiedBy: string;
  consent: ConsentState;
  recordedMs: number;
}

export interface ListedRecording {
  bytes: number;
  /** Of the file as it is stored, lower-case hex. */
  sha256: string;
  sampleRateHz: number;
  policyRule: string;
  purpose: string;
  /** Retention class: that of the manifest's terms, else the rule's; "" for none. */
  retention: string;
}

/** Somebody has said to have the recording as it is stored, whole. */
export interface ListedAcknowledgement {
  /** Name of the token. */
  by: string;
  at: string;
}

/** What the call log says of a call, and what else is known of it. */
export interface ListedCall extends Omit<CallLogLine, "schema" | "parties"> {
  /** Absent unless it was. */
  deleted?: DeletionReason;
  /** As in the manifest. */
  parties: ListedParty[];
  /** Absent without audio. */
  recording?: ListedRecording;
  /** In alphabetical order. */
  tags: string[];
  /** In the order of the names. */
  acknowledgements: ListedAcknowledgement[];
}

/** Lower-case letters, digits and . _ - between them; five digits at most, so that none is a telephone number. */
export const TAG_PATTERN = /^(?!.*\d{6})[a-z0-9][a-z0-9._-]{0,47}$/;
export const MAX_TAGS = 32;

/** What has become of a call: its audio is there, was deleted, or never was, and why. */
export type CallOutcome = "recorded" | "deleted" | NoAudioReason;

export function outcomeOf({ deleted, noAudio }: Pick<ListedCall, "deleted" | "noAudio">): CallOutcome {
  if (deleted !== undefined) return "deleted";
  return noAudio === "" ? "recorded" : noAudio;
}

/** What `sidetoned calls --json` prints. */
export interface CallsPage {
  schema: typeof LISTING_SCHEMA;
  /** The newest first. */
  calls: ListedCall[];
  /** For `--cursor`; "" = there are no more. */
  next: string;
}

// What the index has of one call, made of what the disk has of it: its line in the call log, its manifest, its tombstone. Pure.
// The same files always give the same entry, whether a call has just ended or the index is rebuilt years later.
import { isCallId, type TimeUs } from "../../base/ids.js";
import { type NumberRules, normalizeNumber } from "../../call/numbers.js";
import type { ListedCall, ListedParty, ListedRecording } from "../../contract/listing.js";
import type { CallLogLine, Manifest, ManifestParty } from "../../contract/manifest.js";
import type { DeletionReason } from "../../contract/tombstone.js";
import { logLineOf } from "../../seal/manifest.js";

export interface EntryEvidence {
  id: string;
  at: string;
  kind: string;
  effect: string;
}

/** A call without what no file has: its tags, and who has it. */
export interface IndexEntry extends Omit<ListedCall, "tags" | "acknowledgements"> {
  evidence: EntryEvidence[];
}

/** What the disk has of a call; at least one of `line` and `manifest`. */
export interface CallFiles {
  line?: CallLogLine | undefined;
  manifest?: Manifest | undefined;
  /** Where the audio lies when only the manifest says so: its folder below the data folder. */
  folder: string;
  /** Why it is gone, by its line or its tombstone. */
  deleted?: DeletionReason | undefined;
}

/** Whoever writes more is cut off: what stands in files may come from the network. */
const MAX_TEXT = 512;
const MAX_PARTIES = 64;
const MAX_EVIDENCE = 1024;
const MAX_CALL_IDS = 64;
const MAX_WARNINGS = 64;
const ISO_PATTERN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d{3})(\d{3})Z$/;
const FILE_PATTERN = /^[0-9A-Z]{26}\.[A-Za-z0-9.]{1,16}$/;

/** Undefined when they name no call, or no time. Throws TypeError when members are of another kind than the contract's. */
export function entryOf({ line, manifest, folder, deleted }: CallFiles): IndexEntry | undefined {
  const call = line ?? (manifest && logLineOf(manifest, fileOf(manifest, folder)));
  if (call === undefined || !isCallId(call.id)) return undefined;
  if (usOfIso(call.startedAt) === undefined || usOfIso(call.endedAt) === undefined) return undefined;
  const parties = manifest?.parties ?? [];
  const entry: IndexEntry = {
    id: call.id,
    startedAt: call.startedAt,
    answeredAt: usOfIso(call.answeredAt) === undefined ? "" : call.answeredAt,
    endedAt: call.endedAt,
    endReason: text(call.endReason),
    rejectStatus: whole(call.rejectStatus),
    policy: text(call.policy),
    noAudio: text(call.noAudio),
    file: text(call.file),
    durationMs: whole(call.durationMs),
    sipCallIds: call.sipCallIds.slice(0, MAX_CALL_IDS).map(text),
    warnings: call.warnings.slice(0, MAX_WARNINGS).map(text),
    parties: call.parties.slice(0, MAX_PARTIES).map((party, place) => partyOf(party, parties[place])),
    ...(manifest && { recording: recordingOf(manifest) }),
    evidence: (manifest?.evidence ?? []).slice(0, MAX_EVIDENCE).map(evidenceOf),
  };
  return deleted === undefined ? entry : redacted(entry, deleted);
}

/** What stays of a call whose recording was deleted, or whose people were erased: times, counts and reasons. */
export function redacted({ recording: _, ...entry }: IndexEntry, reason: DeletionReason): IndexEntry {
  return {
    ...entry,
    file: "",
    sipCallIds: [],
    parties: entry.parties.map((party) => ({ ...party, number: "", name: "", identifiedBy: "" })),
    evidence: [],
    deleted: reason,
  };
}

/** The form in which numbers are compared: E.164 where it is one, else as signalled, in lower case. */
export function numberKey(number: string, rules: NumberRules): string {
  return normalizeNumber(number.trim(), rules).toLowerCase().slice(0, MAX_TEXT);
}

/** µs since 1970 of a time as the box writes it; undefined for anything else. */
export function usOfIso(at: unknown): TimeUs | undefined {
  const match = typeof at === "string" ? ISO_PATTERN.exec(at) : null;
  const ms = match ? Date.parse(at as string) : Number.NaN;
  return Number.isFinite(ms) ? Math.floor(ms) * 1000 + Number(match![2]) : undefined;
}

/** "" when what the manifest names is no file beside it. */
function fileOf({ audio }: Manifest, folder: string): string {
  return FILE_PATTERN.test(audio.file) ? `${folder}/${audio.file}` : "";
}

function partyOf(party: CallLogLine["parties"][number], inManifest: ManifestParty | undefined): ListedParty {
  return {
    role: text(party.role),
    side: text(party.side),
    number: text(party.number),
    name: text(inManifest?.name ?? ""),
    identifiedBy: text(party.identifiedBy),
    consent: text(party.consent),
    recordedMs: whole(party.recordedMs),
  };
}

function recordingOf({ audio, policyRule, purpose, retention, retentionTerms }: Manifest): ListedRecording {
  return {
    bytes: whole(audio.bytes),
    sha256: text(audio.sha256),
    sampleRateHz: whole(audio.sampleRateHz),
    policyRule: text(policyRule),
    purpose: text(purpose),
    retention: text(retention || (retentionTerms?.class ?? "")),
  };
}

function evidenceOf({ id, at, kind, effect }: Manifest["evidence"][number]): EntryEvidence {
  return { id: text(id), at: text(at), kind: text(kind), effect: text(effect) };
}

function text<Text extends string>(value: Text): Text {
  if (typeof value !== "string") throw new TypeError("a text is none");
  return value.length <= MAX_TEXT ? value : (value.slice(0, MAX_TEXT) as Text);
}

function whole(value: number): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new TypeError("a number is none");
  return Math.round(value);
}

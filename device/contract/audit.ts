// The audit chain `audit/YYYY-MM.jsonl` (schema sidetone.audit/1): what was done on this box, by whom, one signed entry a
// line, each naming the one before. What auditors build on; changed only with a new schema version. Names parties by side
// and role and secrets not at all.
import type { CallId, TimeUs } from "../base/ids.js";
import type { EvidenceSource } from "./call-record.js";
import type { AuditedEvent } from "./engine-messages.js";

export const AUDIT_SCHEMA = "sidetone.audit/1";
export const AUDIT_HEAD_SCHEMA = "sidetone.audit-head/1";

/** Every kind of entry with its meaning: the documentation's one source. */
export const AUDIT_KINDS = {
  started: "the service started",
  stopped: "the service stopped in order",
  "engine-lost": "the engine process ended unasked; calls in progress continue from its journal",
  consent: "a party's consent changed",
  erased: "what a party had said was erased from a recording after it withdrew",
  paused: "a call's recording was paused",
  resumed: "a call's recording was resumed",
  "recording-started": "an on-demand recording was started",
  "recording-stopped": "an on-demand recording was stopped",
  policy: "a call's policy was chosen",
  configuration: "the configuration in force is another than at the start before: its hash and the changed settings",
  configured:
    "somebody changed the configuration file by a command: which settings, before it is written; with `failed`, that it was not",
  acknowledged: "somebody acknowledged an alarm that stands",
  restart: "somebody asked for a restart of the service, or what became of it",
  recorded: "a recording was published: its manifest's SHA-256",
  listen: "somebody listened to a recording or a call",
  download: "somebody downloaded a recording",
  deleting: "a recording is about to be deleted: the intent, durable before anything goes",
  deleted: "a recording was deleted, audio and manifest: the certificate, with the hash of the tombstone",
  exported: "recordings were exported or delivered",
  register: "the consent register or the agents' register changed",
  token: "an access token was made, changed or withdrawn",
  recovered: "something was put right after a crash: calls out of the journal, or the end of this chain",
  locked:
    "the box can no longer read a journal that it encrypted, or calls were taken out of it: the run, how many calls are in it and nowhere else, the SHA-256 of its locked.json, which has those of its other files",
  tombstone: "a recording's audio was deleted by retention, its manifest stays: the certificate of that",
  erasure: "somebody asked for everything about a number to be erased, or what had to wait of it is done",
  hold: "a legal hold was made: what it covers stays, whatever its age",
  "hold-lifted": "a legal hold was lifted",
  retention: "the retention classes in force are others than before",
  "call-log":
    "lines of a day's call log lost their numbers: its length and SHA-256 since; what was witnessed of it before is over",
  alarm: "a critical alarm was raised or cleared",
  "self-test": "the box put a made call through itself and deleted it again: pass or fail, and the step that failed",
  witnessed:
    "what files hold that are not signed themselves: their length and SHA-256; of a call log, of its first bytes",
  stamped:
    "a time stamp authority stamped where both chains ended: the length and SHA-256 of the statement and of its answer",
  tagged: "a call's tags were changed: which were added, which removed",
  collected:
    "somebody said to have a recording whole, as it is stored: the token's name and the audio's SHA-256; with `withdrawn`, no longer",
  noted:
    "somebody wrote a note on a recording: its id, length and the SHA-256 of its signed line, never its words; with `removed`, took it away",
  lost: "entries could not be written for so long that they had to be given up: how many",
} as const;
export type AuditKind = keyof typeof AUDIT_KINDS;

export type AuditValue =
  | string
  | number
  | boolean
  | null
  | readonly AuditValue[]
  | { readonly [name: string]: AuditValue };
export type AuditDetail = { readonly [name: string]: AuditValue };

/** One line, members in this order. */
export interface AuditEntry {
  schema: typeof AUDIT_SCHEMA;
  /** From 1, without gaps, across files. */
  seq: number;
  /** Wall clock when it was entered, ISO 8601 UTC with µs. */
  at: string;
  /** Packet time of what happened, where it has one. */
  packetAt?: string;
  kind: AuditKind;
  /** "engine", "service", "cli root", "token front-desk", "client node-red-7". */
  actor: string;
  call?: CallId;
  detail: AuditDetail;
  /** SHA-256 (hex) of the line before without its newline; "" for the first. */
  previous: string;
  /** Ed25519 over the line without this member: "ed25519:<base64>". */
  signature: string;
}

/** What is to be entered; the chain adds the rest. */
export interface AuditEntryInput {
  kind: AuditKind;
  actor: string;
  call?: CallId;
  packetAtUs?: TimeUs;
  detail?: AuditDetail;
}

/** An entry of the chain by its number and the SHA-256 (hex) of its line; seq 0 and "" = none. */
export interface AuditHead {
  seq: number;
  sha256: string;
}

/** `audit/head.json`: the newest entry that was durable when it was written, so that a cut-off end shows. */
export interface AuditHeadFile extends AuditHead {
  schema: typeof AUDIT_HEAD_SCHEMA;
  at: string;
  /** As of an entry. */
  signature: string;
}

/** The faces say who gave a command; whatever else happens in a call the engine found out. */
const COMMAND_SOURCES: readonly EvidenceSource[] = ["api", "mqtt", "panel"];

/** The entry for what the engine reports. */
export function auditEntryOf(event: AuditedEvent): AuditEntryInput {
  const { atUs, call, source, by } = event;
  return {
    kind: kindOf(event),
    actor: COMMAND_SOURCES.includes(source) && by !== "" ? by : "engine",
    call,
    packetAtUs: atUs,
    detail: { source, by, ...factsOf(event) },
  };
}

function kindOf({ kind }: AuditedEvent): AuditKind {
  if (kind === "started") return "recording-started";
  return kind === "stopped" ? "recording-stopped" : kind;
}

function factsOf(event: AuditedEvent): AuditDetail {
  switch (event.kind) {
    case "consent": {
      const { role, purpose, from, to, notice } = event;
      return { side: nameOfSide(event.side), role, purpose, from, to, notice };
    }
    case "erased":
      return { side: nameOfSide(event.side), packets: event.packets };
    case "paused":
    case "resumed":
      return { reason: event.reason };
    case "policy": {
      const { policy, rule, purpose } = event;
      return { policy, rule, purpose };
    }
    default:
      return {};
  }
}

function nameOfSide(side: 0 | 1): "originator" | "answerer" {
  return side === 0 ? "originator" : "answerer";
}

// What stays of a deleted recording: `<id>.deleted` in its place (schema sidetone.tombstone/1). What integrators and auditors
// build on; changed only with a new schema version.
import type { CallId } from "../base/ids.js";

export const TOMBSTONE_SCHEMA = "sidetone.tombstone/1";

/**
 * Why a recording was deleted: its age, a person's right to it (erasure by number), somebody who asked for this one, or the
 * disk's need.
 */
export const DELETION_REASONS = ["retention", "erasure", "request", "disk"] as const;
export type DeletionReason = (typeof DELETION_REASONS)[number];

/**
 * `<id>.deleted` in a deleted recording's place: one signed line, members in this order. Keeps what the chain of manifests
 * and a proof need, and nothing of whom the call was with. The certificate is the audit chain's entry that has its SHA-256.
 */
export interface Tombstone {
  schema: typeof TOMBSTONE_SCHEMA;
  id: CallId;
  device: string;
  /** Days, UTC: "2026-11-21". */
  startedOn: string;
  endedOn: string;
  /** SHA-256 of the manifest's file: what the next manifest names as `previous`. */
  manifest: string;
  /** What the manifest itself named. */
  previous: string;
  audio: { bytes: number; sha256: string };
  /** The class it went by, "" for none. */
  class: string;
  minDays: number;
  maxDays: number;
  reason: DeletionReason;
  /** As in the audit chain. */
  by: string;
  /** As given by whoever asked for it, "" for deletions by age or for the disk. */
  text: string;
  /** It was deleted before its minimum age, by order. */
  overridesMinimum: boolean;
  keepsManifest: boolean;
  /** When the deletion was begun, ISO 8601 UTC. */
  at: string;
  /** As of an audit entry. */
  signature: string;
}

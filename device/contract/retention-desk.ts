// What people ask of retention through a face: a deletion, a legal hold, its end. Answers are values; what may go is decided where it
// always is (store/retention/).
import type { CallId } from "../base/ids.js";

/** One of: a call, everything with a number, every call of a time (ISO 8601 UTC). */
export type HoldCover = { call: CallId } | { number: string } | { from: string; to: string };

export interface ListedHold {
  /** A ULID. */
  id: string;
  at: string;
  /** As in the audit chain. */
  by: string;
  reason: string;
  covers: HoldCover;
}

export const RETENTION_REFUSALS = [
  "recording-not-found",
  "recording-deleted",
  "on-hold",
  "minimum-retention",
  "hold-not-found",
  "too-many-holds",
  "data-unwritable",
  "unavailable",
  "invalid",
] as const;
export type RetentionRefusal = (typeof RETENTION_REFUSALS)[number];

export type RetentionOutcome =
  /** accepted: it will be carried out, whatever happens, though not yet. `id`: of what was asked, and of the hold that it made. */
  | { ok: true; state: "done" | "accepted"; id: string }
  /** `field`: what of an invalid one is wrong. */
  | { ok: false; error: RetentionRefusal; field?: string; message: string };

export interface RetentionDesk {
  /** Throws SidetoneError `data-unwritable` when they cannot be read. */
  holds(): ListedHold[];
  /** `by`: "token front-desk". None of these rejects. */
  addHold(covers: HoldCover, reason: string, by: string): Promise<RetentionOutcome>;
  liftHold(id: string, reason: string, by: string): Promise<RetentionOutcome>;
  deleteRecording(
    call: CallId,
    order: { reason: string; overridesMinimum: boolean },
    by: string,
  ): Promise<RetentionOutcome>;
}

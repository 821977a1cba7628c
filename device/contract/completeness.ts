// The completeness report: calls that were seen by their signalling against recordings that there are, with a reason for each one
// missing, by hour or day. One table says which reasons are the office's wish and which ones somebody has to mend.
import type { NoAudioReason } from "./call-record.js";

export const COMPLETENESS_SCHEMA = "sidetone.completeness/1";

/** `none`: there was nothing to record. `wanted`: configuration, consent or an order says so. `fault`: it should be there. */
export type MissingKind = "none" | "wanted" | "fault";

/** `deleted`: there was a recording; `file-missing`: there should be one, and its file is gone without a deletion. */
export type MissingReason = NoAudioReason | "deleted" | "file-missing";

export const MISSING_KINDS: Readonly<Record<MissingReason, MissingKind>> = {
  "not-answered": "none",
  "policy-none": "wanted",
  "no-consent": "wanted",
  "sampled-out": "wanted",
  "agent-not-registered": "wanted",
  "not-started": "wanted",
  erased: "wanted",
  deleted: "wanted",
  "agent-unknown": "fault",
  "agent-contradictory": "fault",
  "no-media": "fault",
  encrypted: "fault",
  "codec-unsupported": "fault",
  "journal-lost": "fault",
  "journal-locked": "fault",
  "disk-full": "fault",
  "file-missing": "fault",
};

/** Calls that began in it. seen = recorded + the sum of `missing`. */
export interface CompletenessPeriod {
  /** ISO 8601 in UTC: "2026-11-28" or "2026-11-28T09". */
  period: string;
  seen: number;
  recorded: number;
  missing: Partial<Record<MissingReason, number>>;
}

export interface CompletenessReport {
  periods: CompletenessPeriod[];
  total: Omit<CompletenessPeriod, "period">;
  /** Of the total, those that somebody has to mend. */
  faults: number;
  /** Lines of the call log that could not be read. */
  badLines: number;
}

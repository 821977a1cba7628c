// A call as listings have it, put together out of the index's tables.
import { isoUs } from "../../base/clock.js";
import type { CallId } from "../../base/ids.js";
import type { Policy } from "../../contract/call-record.js";
import type { ListedAcknowledgement, ListedCall, ListedParty, ListedRecording } from "../../contract/listing.js";
import type { Statements } from "./statements.js";

interface CallRow {
  pk: number;
  id: CallId;
  started_us: number;
  ended_us: number;
  answered_at: string;
  end_reason: ListedCall["endReason"];
  reject_status: number;
  policy: Policy;
  no_audio: ListedCall["noAudio"];
  file: string;
  duration_ms: number;
  sip_call_ids: string;
  warnings: string;
  deleted: NonNullable<ListedCall["deleted"]> | null;
}

/** By its row. */
export function readCall(statements: Statements, pk: number): ListedCall {
  const row = statements.prepare("SELECT * FROM calls WHERE pk = ?").get(pk) as CallRow;
  const parties = statements.all(
    `SELECT role, side, number, name, identified_by AS identifiedBy, consent, recorded_ms AS recordedMs
       FROM parties WHERE call = ? ORDER BY place`,
    [pk],
  ) as ListedParty[];
  const recording = statements
    .prepare(
      `SELECT bytes, sha256, sample_rate_hz AS sampleRateHz, policy_rule AS policyRule, purpose, retention
       FROM recordings WHERE call = ?`,
    )
    .get(pk) as ListedRecording | undefined;
  const tags = statements.all("SELECT tag FROM tags WHERE call = ? ORDER BY tag", [pk]) as { tag: string }[];
  const acknowledgements = statements.all("SELECT by, at FROM acknowledgements WHERE call = ? ORDER BY by", [pk]);
  return {
    id: row.id,
    startedAt: isoUs(row.started_us),
    answeredAt: row.answered_at,
    endedAt: isoUs(row.ended_us),
    endReason: row.end_reason,
    rejectStatus: row.reject_status,
    policy: row.policy,
    noAudio: row.no_audio,
    file: row.file,
    durationMs: row.duration_ms,
    sipCallIds: JSON.parse(row.sip_call_ids) as string[],
    warnings: JSON.parse(row.warnings) as string[],
    ...(row.deleted !== null && { deleted: row.deleted }),
    parties,
    ...(recording && { recording }),
    tags: tags.map(({ tag }) => tag),
    acknowledgements: acknowledgements as ListedAcknowledgement[],
  };
}

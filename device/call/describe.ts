// The call record: a call's facts and counts as values, for the journal, the service and the manifest. Pure.
import {
  CALL_RECORD_SCHEMA,
  type CallRecord,
  type DiscardReason,
  type NoAudioReason,
  type PartyRecord,
  type StreamRecord,
} from "../contract/call-record.js";
import { estimateMos } from "../rtp/quality.js";
import type { Call } from "./call.js";
import type { GuardReport, PartyReport } from "./guard.js";
import type { Party } from "./party.js";
import { type CallStream, DISCARD_REASONS, discardCode } from "./stream.js";

const ENCRYPTED = discardCode("encrypted");

/** The record of a call as `report` judges it; times in packet µs. */
export function describeCall(call: Call, report: GuardReport): CallRecord {
  const endedAtUs = call.endedAtUs ?? call.lastActivityUs;
  const streams = call.streams.map((stream) => describeStream(stream, call));
  const record: CallRecord = {
    schema: CALL_RECORD_SCHEMA,
    id: call.id,
    sipCallIds: [...call.sipCallIds],
    startedAtUs: call.startedAtUs,
    endedAtUs,
    endReason: call.endReason ?? "recovered",
    policy: report.policy,
    policyRule: report.policyRule,
    purpose: report.purpose,
    retention: report.retention,
    parties: describeParties(call, report, endedAtUs),
    streams,
    evidence: [...report.evidence, ...call.joins.map((join, i) => ({ id: `j${i + 1}`, ...join }))],
    ledger: report.ledger,
    pauses: report.pauses,
    ...(report.echo && { echo: report.echo }),
    events: [...call.events],
    warnings: [...call.warnings, ...report.warnings],
  };
  if (call.answeredAtUs !== undefined) record.answeredAtUs = call.answeredAtUs;
  const { rejectStatus } = call.dialogs.at(-1)!;
  if (rejectStatus > 0 && call.answeredAtUs === undefined) record.rejectStatus = rejectStatus;
  if (streams.every((stream) => stream.packets.recorded === 0)) record.noAudio = noAudioReason(call, report);
  return record;
}

function describeParties(call: Call, report: GuardReport, endedAtUs: number): CallRecord["parties"] {
  const parties = call.parties.map((party, i) => describeParty(party, report.parties[i]!, endedAtUs));
  return parties as CallRecord["parties"];
}

function describeParty(party: Party, report: PartyReport, endedAtUs: number): PartyRecord {
  const { side, role, identity, identifiedBy, joinedBy, fromUs } = party;
  const { consent, spans, closedSpans, erased } = report;
  return {
    side,
    role,
    joinedBy,
    fromUs,
    toUs: Math.max(fromUs, party.toUs ?? endedAtUs),
    uri: identity.uri,
    number: identity.number,
    name: identity.name,
    identifiedBy,
    consent,
    spans,
    closedSpans,
    ...(erased.length > 0 && { erased }),
  };
}

/** A party beyond the limit has no place of its own: its streams stand with the last one named on its side. */
function placeOf(stream: CallStream, call: Call): number {
  const at = call.parties.indexOf(stream.party);
  return at >= 0 ? at : call.parties.findLastIndex(({ side }) => side === stream.side);
}

function describeStream(stream: CallStream, call: Call): StreamRecord {
  const { statistics } = stream;
  const main = stream.payloadTypes.reduce((a, b) => (b.packets > a.packets ? b : a));
  const expected = statistics.received + statistics.lost;
  const discardedBy: Partial<Record<DiscardReason, number>> = {};
  for (const [i, reason] of DISCARD_REASONS.entries()) {
    if (stream.discardedBy[i]! > 0) discardedBy[reason] = stream.discardedBy[i]!;
  }
  return {
    index: stream.index,
    side: stream.side,
    party: placeOf(stream, call),
    ssrc: `0x${stream.ssrc.toString(16).padStart(8, "0")}`,
    source: stream.source,
    destination: stream.destination,
    payloadTypes: stream.payloadTypes.map((entry) => ({ ...entry })),
    firstAtUs: stream.firstAtUs,
    lastAtUs: stream.lastAtUs,
    packets: {
      seen: stream.seen,
      recorded: stream.recorded,
      discarded: stream.discarded,
      lost: statistics.lost,
      late: statistics.lateCount,
      duplicate: stream.duplicate,
      ...(stream.copies > 0 && { copies: stream.copies }),
    },
    discardedBy,
    ...(stream.blocked === ENCRYPTED && { isEncrypted: true }),
    jitterMs: { mean: round(statistics.jitterMeanMs), max: round(statistics.jitterMaxMs) },
    mos: estimateMos(main.codec.name, expected > 0 ? statistics.lost / expected : 0, statistics.jitterMeanMs),
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function noAudioReason(call: Call, report: GuardReport): NoAudioReason {
  const seen = call.streams.reduce((sum, stream) => sum + stream.seen, 0);
  if (call.answeredAtUs === undefined) return "not-answered";
  if (report.closedReason === "policy-none" || seen === 0)
    return report.closedReason === "policy-none" ? "policy-none" : "no-media";
  const refusedFor = (reason: DiscardReason) =>
    call.streams.some((stream) => stream.discardedBy[DISCARD_REASONS.indexOf(reason)]! > 0);
  if (report.closedReason) return report.closedReason;
  if (refusedFor("disk-full")) return "disk-full";
  if (refusedFor("encrypted")) return "encrypted";
  if (refusedFor("journal")) return "journal-lost";
  return refusedFor("consent") ? "no-consent" : "no-media";
}

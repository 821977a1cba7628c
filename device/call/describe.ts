// The call record: a call's facts and counts as values, for the journal, the service and the manifest. Pure.
import type { Side } from "../base/ids.js";
import {
  CALL_RECORD_SCHEMA,
  type CallRecord,
  type DiscardReason,
  type NoAudioReason,
  type PartyRecord,
  type PartyRole,
  type StreamRecord,
} from "../contract/call-record.js";
import { estimateMos } from "../rtp/quality.js";
import type { Call } from "./call.js";
import type { GuardReport } from "./guard.js";
import { type CallStream, DISCARD_REASONS } from "./stream.js";

/** Role of a side: agent and caller when there is an agent, else who called whom. */
export function roleOf(call: Call, side: Side): PartyRole {
  if (call.agent.agent !== undefined) return call.agent.agent === side ? "agent" : "caller";
  return side === 0 ? "originator" : "answerer";
}

/** The record of a call as `report` judges it; times in packet µs. */
export function describeCall(call: Call, report: GuardReport): CallRecord {
  const streams = call.streams.map(describeStream);
  const record: CallRecord = {
    schema: CALL_RECORD_SCHEMA,
    id: call.id,
    sipCallIds: [call.sipCallId],
    startedAtUs: call.startedAtUs,
    endedAtUs: call.endedAtUs ?? call.lastActivityUs,
    endReason: call.endReason ?? "recovered",
    policy: report.policy,
    policyRule: report.policyRule,
    parties: [describeParty(call, 0, report), describeParty(call, 1, report)],
    streams,
    evidence: report.evidence,
    events: [...call.events],
    warnings: [...call.warnings, ...report.warnings],
  };
  if (call.answeredAtUs !== undefined) record.answeredAtUs = call.answeredAtUs;
  if (call.rejectStatus > 0 && call.answeredAtUs === undefined) record.rejectStatus = call.rejectStatus;
  if (streams.every((stream) => stream.packets.recorded === 0)) record.noAudio = noAudioReason(call, report);
  return record;
}

function describeParty(call: Call, side: Side, report: GuardReport): PartyRecord {
  const party = call.party(side);
  return {
    side,
    role: roleOf(call, side),
    uri: party.uri,
    number: party.user,
    name: party.name,
    identifiedBy: call.agent.agent === side ? call.agent.evidence[side] : "",
    consent: report.parties[side].consent,
    spans: report.parties[side].spans,
  };
}

function describeStream(stream: CallStream): StreamRecord {
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
    },
    discardedBy,
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
  if (refusedFor("encrypted")) return "encrypted";
  if (refusedFor("journal")) return "journal-lost";
  return refusedFor("consent") ? "no-consent" : "no-media";
}

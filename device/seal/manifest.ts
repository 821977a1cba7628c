// Writes down what a recording is: the manifest beside its WAV and the line in the call log, out of the call's record
// and what sealing found. Pure. Member order is the contract's: signatures are over these bytes.
import { isoUs } from "../base/clock.js";
import type { Side, TimeUs } from "../base/ids.js";
import type { AuditHead } from "../contract/audit.js";
import type { CallRecord, StreamRecord } from "../contract/call-record.js";
import {
  audioFileName,
  type CallLogLine,
  type CallSide,
  type ClockState,
  MANIFEST_SCHEMA,
  type Manifest,
  type ManifestClock,
  type ManifestParty,
  type ManifestRetention,
  type ManifestStream,
} from "../contract/manifest.js";
import { placeOf } from "./audio-reader.js";
import { leftSide, sidesByChannel } from "./channels.js";
import type { SealedAudio } from "./seal.js";
import type { SealedStream } from "./seal-stream.js";

export type UnsignedManifest = Omit<Manifest, "previous" | "signature">;

export interface ManifestOptions {
  /** The box's name. */
  device: string;
  /** The audit chain's newest durable entry, where there is a chain. */
  audit?: AuditHead | undefined;
  /** Whether the clock is synchronised; absent where times are those of a captured file. */
  clockState?: (() => ClockState) | undefined;
  /** What a recording of this class is promised. */
  promiseFor?: ((retention: string) => ManifestRetention | undefined) | undefined;
}

/** A published recording, as the call log needs it. */
export interface StoredRecording {
  manifest: Manifest;
  /** The WAV's path below the data folder. */
  file: string;
}

export function buildManifest(record: CallRecord, sealed: SealedAudio, options: ManifestOptions): UnsignedManifest {
  const places = placesByChannel(record);
  const retentionTerms = options.promiseFor?.(record.retention);
  return {
    schema: MANIFEST_SCHEMA,
    id: record.id,
    device: options.device,
    sipCallIds: record.sipCallIds,
    startedAt: isoUs(record.startedAtUs),
    answeredAt: isoOrNone(record.answeredAtUs),
    endedAt: isoUs(record.endedAtUs),
    endReason: record.endReason,
    policy: record.policy,
    policyRule: record.policyRule,
    purpose: record.purpose,
    retention: record.retention,
    ...(retentionTerms && { retentionTerms }),
    audio: {
      file: audioFileName(record.id, sealed.encryption !== undefined),
      bytes: sealed.bytes,
      sha256: sealed.sha256,
      sha512: sealed.sha512,
      sampleRateHz: sealed.sampleRateHz,
      channels: sealed.channels,
      durationMs: sealed.durationMs,
      startsAt: isoUs(sealed.startsAtUs),
      ...(sealed.encryption && { encryption: sealed.encryption }),
    },
    parties: describeParties(record, sealed),
    evidence: record.evidence.map(({ id, atUs, kind, effect, detail }) => ({
      id,
      at: isoUs(atUs),
      kind,
      effect,
      detail,
    })),
    ledger: record.ledger.map(({ atUs, party, ...change }) => ({
      at: isoUs(atUs),
      party: places.indexOf(party),
      ...change,
    })),
    pauses: record.pauses.map(({ fromUs, toUs, endedBy = "call", ...pause }) => ({
      fromMs: clipMs(fromUs, sealed),
      toMs: clipMs(toUs ?? record.endedAtUs, sealed),
      ...pause,
      endedBy,
    })),
    ...(record.echo && { echo: record.echo }),
    events: record.events.map(({ atUs, kind, detail }) => ({
      atMs: toMs(atUs - sealed.startsAtUs),
      kind,
      ...(detail && { detail }),
    })),
    warnings: [...record.warnings, ...sealed.warnings, ...clockWarnings(record)].map(({ code, detail }) => ({
      code,
      detail,
    })),
    ...(options.clockState && { clock: { synchronized: options.clockState(), steps: clockSteps(record, sealed) } }),
    ...(record.isSelfTest && { selfTest: true as const }),
    ...(options.audit && { audit: { seq: options.audit.seq, sha256: options.audit.sha256 } }),
  };
}

function clockSteps({ clockSteps = [] }: CallRecord, sealed: SealedAudio): ManifestClock["steps"] {
  return clockSteps.map(({ atUs, offsetUs }) => ({
    atMs: toMs(atUs - sealed.startsAtUs),
    offsetMs: Math.round(offsetUs / 1000),
  }));
}

function clockWarnings({ clockSteps = [] }: CallRecord): CallRecord["warnings"] {
  if (clockSteps.length === 0) return [];
  const offsetUs = clockSteps.reduce((sum, step) => sum + step.offsetUs, 0);
  return [{ code: "clock-stepped", detail: { steps: clockSteps.length, offsetMs: Math.round(offsetUs / 1000) } }];
}

/** The log line of a call; without `stored` it left no audio and `record.noAudio` says why. */
export function buildCallLogLine(record: CallRecord, stored: StoredRecording | undefined): CallLogLine {
  const { audio, parties, warnings } = stored?.manifest ?? {};
  return {
    schema: "sidetone.call-log/1",
    id: record.id,
    sipCallIds: record.sipCallIds,
    startedAt: isoUs(record.startedAtUs),
    answeredAt: isoOrNone(record.answeredAtUs),
    endedAt: isoUs(record.endedAtUs),
    endReason: record.endReason,
    rejectStatus: record.rejectStatus ?? 0,
    policy: record.policy,
    noAudio: stored ? "" : (record.noAudio ?? "no-media"),
    file: stored?.file ?? "",
    durationMs: audio?.durationMs ?? 0,
    parties: placesByChannel(record).map((place, i) => describeLogParty(record, place, parties?.[i])),
    warnings: (warnings ?? record.warnings).map(({ code }) => code),
  };
}

/** The same line out of a manifest alone, as far as it goes: a final status that was no answer is not in it. */
export function logLineOf(manifest: Manifest, file: string): CallLogLine {
  const { id, sipCallIds, startedAt, answeredAt, endedAt, endReason, policy } = manifest;
  return {
    schema: "sidetone.call-log/1",
    id,
    sipCallIds,
    startedAt,
    answeredAt,
    endedAt,
    endReason,
    rejectStatus: 0,
    policy,
    noAudio: "",
    file,
    durationMs: manifest.audio.durationMs,
    parties: manifest.parties.map(({ role, side, number, identifiedBy, consent, recordedMs, streams }) => {
      const packets = { seen: 0, recorded: 0, discarded: 0, lost: 0 };
      for (const stream of streams) {
        packets.seen += stream.packets.seen;
        packets.recorded += stream.packets.recorded;
        packets.discarded += stream.packets.discarded;
        packets.lost += stream.packets.lost;
      }
      const codecs = [...new Set(streams.map(({ codec }) => codec))];
      return { role, side, number, identifiedBy, consent, recordedMs, packets, codecs };
    }),
    warnings: manifest.warnings.map(({ code }) => code),
  };
}

/** Places in `record.parties`: the first of the left channel, the first of the right, then all others. */
function placesByChannel(record: CallRecord): number[] {
  const [left, right] = sidesByChannel(record);
  return [left, right, ...record.parties.keys()].filter((place, i, all) => all.indexOf(place) === i);
}

function describeParties(record: CallRecord, sealed: SealedAudio): Manifest["parties"] {
  return placesByChannel(record).map((place) => describeParty(record, sealed, place)) as Manifest["parties"];
}

function describeParty(record: CallRecord, sealed: SealedAudio, place: number): ManifestParty {
  const party = record.parties[place]!;
  const { role, side, joinedBy, uri, number, name, identifiedBy, consent } = party;
  const streams = streamsOf(record, place);
  return {
    role,
    side: nameOfSide(side),
    channel: side === leftSide(record) ? 0 : 1,
    uri,
    number,
    name,
    identifiedBy,
    joinedBy,
    fromMs: clipMs(party.fromUs, sealed),
    toMs: clipMs(party.toUs, sealed),
    consent,
    spans: clipSpans(
      party.spans.map((span, i) => ({ ...span, audio: sealed.extents[place]?.[i] ?? null })),
      sealed,
    ),
    closedSpans: clipSpans(party.closedSpans, sealed),
    ...(party.erased && { erased: clipSpans(party.erased, sealed) }),
    recordedMs: recordedMsOf(streams, sealed),
    streams: streams.map((stream) => describeStream(stream, findSealed(sealed.streams, stream))),
  };
}

function recordedMsOf(streams: readonly StreamRecord[], sealed: SealedAudio): number {
  let frames = 0;
  for (const stream of streams) frames += findSealed(sealed.streams, stream)?.recordedFrames ?? 0;
  return Math.round((frames * 1000) / sealed.sampleRateHz);
}

/** A time on the recording's timeline, clipped to it. */
function clipMs(atUs: TimeUs, sealed: SealedAudio): number {
  return Math.min(sealed.durationMs, Math.max(0, toMs(atUs - sealed.startsAtUs)));
}

/**
 * Spans on the recording's timeline, clipped to it. One that lies outside it, or was over within a millisecond, is left
 * out unless packets came in it: then it has no length.
 */
function clipSpans<Span extends { fromUs: TimeUs; toUs: TimeUs; packets: number }>(
  spans: readonly Span[],
  sealed: SealedAudio,
): (Omit<Span, "fromUs" | "toUs"> & { fromMs: number; toMs: number })[] {
  const clipped = spans.map(({ fromUs, toUs, ...rest }) => ({
    fromMs: clipMs(fromUs, sealed),
    toMs: clipMs(toUs, sealed),
    ...rest,
  }));
  return clipped.filter(({ fromMs, toMs, packets }) => toMs > fromMs || packets > 0);
}

/**
 * seen = recorded + discarded + duplicate + undecoded. What the gate admitted and the recording does not hold is
 * undecoded: no audio, another codec, too late for any place, or lost with the journal. What was erased is discarded, and
 * was not admitted any more.
 */
function describeStream(stream: StreamRecord, sealed: SealedStream | undefined): ManifestStream {
  const { packets } = stream;
  const recorded = sealed?.recorded ?? 0;
  const copies = sealed?.duplicate ?? 0;
  const admitted = Math.max(packets.recorded, sealed ? sumOf(sealed) : 0);
  const main = mainCodec(stream);
  return {
    ssrc: stream.ssrc,
    codec: main?.name ?? "",
    clockRate: main?.clockRate ?? 0,
    source: stream.source,
    destination: stream.destination,
    firstAt: isoUs(stream.firstAtUs),
    lastAt: isoUs(stream.lastAtUs),
    packets: {
      seen: admitted + packets.discarded + packets.duplicate,
      admitted,
      recorded,
      discarded: packets.discarded,
      lost: packets.lost,
      late: packets.late,
      duplicate: packets.duplicate + copies,
      undecoded: admitted - recorded - copies,
      ...(packets.copies !== undefined && { copies: packets.copies }),
    },
    discardedBy: { ...stream.discardedBy },
    jitterMs: { mean: stream.jitterMs.mean, max: stream.jitterMs.max },
    mos: stream.mos,
  };
}

function describeLogParty(
  record: CallRecord,
  place: number,
  stored: ManifestParty | undefined,
): CallLogLine["parties"][number] {
  const { role, side, number, identifiedBy, consent } = record.parties[place]!;
  const streams = streamsOf(record, place);
  const packets = { seen: 0, recorded: 0, discarded: 0, lost: 0 };
  for (const stream of streams) {
    packets.seen += stream.packets.seen;
    packets.discarded += stream.packets.discarded;
    packets.lost += stream.packets.lost;
  }
  for (const stream of stored?.streams ?? []) packets.recorded += stream.packets.recorded;
  const codecs = new Set(streams.flatMap((stream) => stream.payloadTypes.map(({ codec }) => codec.name)));
  const recordedMs = stored?.recordedMs ?? 0;
  return { role, side: nameOfSide(side), number, identifiedBy, consent, recordedMs, packets, codecs: [...codecs] };
}

/** Streams of the party at a place of `record.parties`. */
function streamsOf(record: CallRecord, place: number): StreamRecord[] {
  return record.streams.filter((stream) => placeOf(stream) === place);
}

function findSealed(sealed: readonly SealedStream[], stream: StreamRecord): SealedStream | undefined {
  return sealed.find((candidate) => candidate.index === stream.index && candidate.side === stream.side);
}

function sumOf({ recorded, undecoded, duplicate, late }: SealedStream): number {
  return recorded + undecoded + duplicate + late;
}

/** The payload type that carried most packets. */
function mainCodec(stream: StreamRecord): { name: string; clockRate: number } | undefined {
  return stream.payloadTypes.reduce<StreamRecord["payloadTypes"][number] | undefined>(
    (most, candidate) => (most === undefined || candidate.packets > most.packets ? candidate : most),
    undefined,
  )?.codec;
}

function isoOrNone(atUs: TimeUs | undefined): string {
  return atUs === undefined ? "" : isoUs(atUs);
}

function toMs(us: number): number {
  return Math.round(us / 1000);
}

function nameOfSide(side: Side): CallSide {
  return side === 0 ? "originator" : "answerer";
}

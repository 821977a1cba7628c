// The record of a call whose end was never written, completed from the journal itself: what the journal holds was
// admitted, whatever the last snapshot had counted. Pure but for reading the source.
import type { TimeUs } from "../base/ids.js";
import type { CallRecord, PartyRecord, PauseRecord, SpanRecord, StreamRecord } from "../contract/call-record.js";
import { makeRtpView, readRtp } from "../rtp/packet.js";
import { staticCodec } from "../sip/payload-types.js";
import { erasedUntil, placeOf } from "./audio-reader.js";
import type { RecordSource } from "./record-source.js";
import { SpanCursor } from "./span-cursor.js";

interface JournalledStream {
  side: 0 | 1;
  /** Place of its party in the call's parties. */
  place: number;
  ssrc: number;
  payloadTypes: Map<number, number>;
  packets: number;
  firstAtUs: TimeUs;
  lastAtUs: TimeUs;
}

/** What the journal holds of a party. */
interface JournalledParty {
  readonly erasedUntilUs: TimeUs;
  readonly cursor: SpanCursor;
  /** By span. */
  readonly packets: number[];
  lastAtUs: TimeUs;
}

interface Journalled {
  streams: Map<number, JournalledStream>;
  parties: JournalledParty[];
  /** Packets that a withdrawal took back. */
  erased: number;
}

/** `record` is the newest snapshot. The result ends with the last journalled packet, `endReason: "recovered"`. */
export function completeRecovered(record: CallRecord, source: RecordSource): CallRecord {
  const found = scan(record, source);
  const lastUs = Math.max(
    record.answeredAtUs ?? record.startedAtUs,
    ...[...found.streams.values()].map((stream) => stream.lastAtUs),
  );
  const streams = [...record.streams];
  for (const [index, journalled] of found.streams) {
    const at = streams.findIndex((stream) => stream.index === index);
    if (at >= 0) streams[at] = completeStream(streams[at]!, journalled);
    else streams.push(unknownStream(index, journalled));
  }
  const { noAudio, ...rest } = record;
  const isEmpty = found.streams.size === 0;
  const parties = record.parties.map((party, place) =>
    completeParty(party, found.parties[place]!, record.endedAtUs, lastUs),
  );
  return {
    ...rest,
    ...(isEmpty ? { noAudio: noAudio ?? (found.erased > 0 ? "erased" : "journal-lost") } : {}),
    endedAtUs: lastUs,
    endReason: "recovered",
    streams,
    parties: parties as CallRecord["parties"],
    pauses: record.pauses.map((pause) => endPause(pause, lastUs)),
    warnings: [
      ...record.warnings,
      { code: "recovered", detail: { snapshotAtMs: Math.round(record.endedAtUs / 1000) } },
    ],
  };
}

function scan(record: CallRecord, source: RecordSource): Journalled {
  const parties = record.parties.map((party) => journalledParty(party, record.endedAtUs));
  const found: Journalled = { streams: new Map(), parties, erased: 0 };
  const view = makeRtpView();
  source.visit(({ side, stream: index, capturedAtUs, data, start, end }) => {
    if (!readRtp(data, start, end, view)) return;
    const known = found.streams.get(index);
    const place = known?.place ?? placeIn(record, index, side);
    const party = parties[place]!;
    if (capturedAtUs <= party.erasedUntilUs) {
      found.erased++;
      return;
    }
    const stream = known ?? { side, place, ssrc: view.ssrc, payloadTypes: new Map(), ...countsFrom(capturedAtUs) };
    if (known === undefined) found.streams.set(index, stream);
    stream.packets++;
    stream.lastAtUs = Math.max(stream.lastAtUs, capturedAtUs);
    stream.payloadTypes.set(view.payloadType, (stream.payloadTypes.get(view.payloadType) ?? 0) + 1);
    const { outside } = party.cursor;
    const span = party.cursor.find(capturedAtUs);
    if (party.cursor.outside === outside) party.packets[span]!++;
    party.lastAtUs = Math.max(party.lastAtUs, capturedAtUs);
  });
  return found;
}

function countsFrom(atUs: TimeUs): Pick<JournalledStream, "packets" | "firstAtUs" | "lastAtUs"> {
  return { packets: 0, firstAtUs: atUs, lastAtUs: atUs };
}

function journalledParty(party: PartyRecord, snapshotUs: TimeUs): JournalledParty {
  const spans = party.spans.map((span, i) =>
    isLastOpen(party, i, snapshotUs) ? { ...span, toUs: Number.POSITIVE_INFINITY } : span,
  );
  return {
    erasedUntilUs: erasedUntil(party),
    cursor: new SpanCursor(spans),
    packets: spans.map(() => 0),
    lastAtUs: Number.NEGATIVE_INFINITY,
  };
}

/** Whose a stream's packets are; of one that began after the snapshot, whoever was on its side last. */
function placeIn(record: CallRecord, index: number, side: 0 | 1): number {
  const described = record.streams.find((stream) => stream.index === index);
  return described ? placeOf(described) : record.parties.findLastIndex((party) => party.side === side);
}

function isLastOpen({ spans }: PartyRecord, at: number, snapshotUs: TimeUs): boolean {
  return at === spans.length - 1 && spans[at]!.toUs >= snapshotUs;
}

/**
 * The journal says what was recorded since the snapshot; where it holds less than the snapshot counted, the rest is lost.
 * Refusals and copies after the snapshot are not known and not claimed.
 */
function completeStream(stream: StreamRecord, journalled: JournalledStream): StreamRecord {
  const { discarded, duplicate } = stream.packets;
  const recorded = Math.max(stream.packets.recorded, journalled.packets);
  return {
    ...stream,
    lastAtUs: Math.max(stream.lastAtUs, journalled.lastAtUs),
    packets: { ...stream.packets, recorded, seen: recorded + discarded + duplicate },
  };
}

/** A stream that began after the last snapshot: only RFC 3551's static payload types have a meaning. */
function unknownStream(index: number, journalled: JournalledStream): StreamRecord {
  return {
    index,
    side: journalled.side,
    party: journalled.place,
    ssrc: `0x${journalled.ssrc.toString(16).padStart(8, "0")}`,
    source: "",
    destination: "",
    payloadTypes: [...journalled.payloadTypes].map(([payloadType, packets]) => ({
      codec: staticCodec(payloadType) ?? { payloadType, name: "UNKNOWN", clockRate: 8000, channels: 1 },
      packets,
    })),
    firstAtUs: journalled.firstAtUs,
    lastAtUs: journalled.lastAtUs,
    packets: { seen: journalled.packets, recorded: journalled.packets, discarded: 0, lost: 0, late: 0, duplicate: 0 },
    discardedBy: {},
    jitterMs: { mean: 0, max: 0 },
    mos: 1,
  };
}

/**
 * Who was there at the snapshot was there until the last packet, and a span that was open then lasted at least until the
 * last packet of the party that was admitted. What the gate refused after the snapshot is not known: closed spans stay.
 */
function completeParty(
  party: PartyRecord,
  journalled: JournalledParty,
  snapshotUs: TimeUs,
  lastUs: TimeUs,
): PartyRecord {
  const spans = party.spans.map((span, i): SpanRecord => {
    const toUs = isLastOpen(party, i, snapshotUs) ? Math.max(span.toUs, journalled.lastAtUs) : span.toUs;
    return { ...span, toUs, packets: Math.max(span.packets, journalled.packets[i]!) };
  });
  return { ...party, toUs: party.toUs >= snapshotUs ? Math.max(party.toUs, lastUs) : party.toUs, spans };
}

/** A pause of which no end is known lasted as long as the call. */
function endPause(pause: PauseRecord, lastUs: TimeUs): PauseRecord {
  if (pause.toUs !== undefined) return pause;
  return { ...pause, toUs: Math.max(pause.fromUs, lastUs), endedBy: "call" };
}

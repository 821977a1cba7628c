// The record of a call whose end was never written, completed from the journal itself: what the journal holds was
// admitted, whatever the last snapshot had counted. Pure but for reading the source.
import type { TimeUs } from "../base/ids.js";
import type { CallRecord, PartyRecord, StreamRecord } from "../contract/call-record.js";
import { makeRtpView, readRtp } from "../rtp/packet.js";
import { staticCodec } from "../sip/payload-types.js";
import type { RecordSource } from "./record-source.js";

interface JournalledStream {
  side: 0 | 1;
  ssrc: number;
  payloadTypes: Map<number, number>;
  packets: number;
  firstAtUs: TimeUs;
  lastAtUs: TimeUs;
}

/** `record` is the newest snapshot. The result ends with the last journalled packet, `endReason: "recovered"`. */
export function completeRecovered(record: CallRecord, source: RecordSource): CallRecord {
  const found = scanStreams(source);
  const lastUs = Math.max(record.answeredAtUs ?? record.startedAtUs, ...[...found.values()].map((s) => s.lastAtUs));
  const streams = [...record.streams];
  for (const [index, journalled] of found) {
    const at = streams.findIndex((stream) => stream.index === index);
    if (at >= 0) streams[at] = completeStream(streams[at]!, journalled);
    else streams.push(unknownStream(index, journalled));
  }
  const { noAudio, ...rest } = record;
  const isEmpty = found.size === 0;
  return {
    ...rest,
    ...(isEmpty ? { noAudio: noAudio ?? "journal-lost" } : {}),
    endedAtUs: lastUs,
    endReason: "recovered",
    streams,
    parties: record.parties.map((party) => extendParty(party, record.endedAtUs, lastUs)) as CallRecord["parties"],
    warnings: [
      ...record.warnings,
      { code: "recovered", detail: { snapshotAtMs: Math.round(record.endedAtUs / 1000) } },
    ],
  };
}

function scanStreams(source: RecordSource): Map<number, JournalledStream> {
  const found = new Map<number, JournalledStream>();
  const view = makeRtpView();
  source.visit((record) => {
    if (!readRtp(record.data, record.start, record.end, view)) return;
    let stream = found.get(record.stream);
    if (!stream) {
      stream = {
        side: record.side,
        ssrc: view.ssrc,
        payloadTypes: new Map(),
        packets: 0,
        firstAtUs: record.capturedAtUs,
        lastAtUs: record.capturedAtUs,
      };
      found.set(record.stream, stream);
    }
    stream.packets++;
    stream.lastAtUs = Math.max(stream.lastAtUs, record.capturedAtUs);
    stream.payloadTypes.set(view.payloadType, (stream.payloadTypes.get(view.payloadType) ?? 0) + 1);
  });
  return found;
}

/** The journal counts what was recorded; refusals and copies after the snapshot are not known and not claimed. */
function completeStream(stream: StreamRecord, journalled: JournalledStream): StreamRecord {
  const { discarded, duplicate } = stream.packets;
  const recorded = journalled.packets;
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

/** Who was there, and a span that was open, at the snapshot lasted at least until the last packet that was admitted. */
function extendParty(party: PartyRecord, snapshotUs: TimeUs, lastUs: TimeUs): PartyRecord {
  const extend = (toUs: TimeUs): TimeUs => (toUs >= snapshotUs ? Math.max(toUs, lastUs) : toUs);
  const spans = party.spans.map((span, i) =>
    i === party.spans.length - 1 ? { ...span, toUs: extend(span.toUs) } : span,
  );
  return { ...party, toUs: extend(party.toUs), spans };
}

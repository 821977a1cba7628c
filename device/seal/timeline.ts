// The first pass over a call: finds every stream's clock, where the recording begins and how long it is, and counts what
// cannot be decoded. Pure; memory does not grow with the call's length. The same packets give the same timeline in whatever order they came within the
// reorder window.
//
// Frame 0 of the timeline is the answer. The recording begins there, or with the earliest placed sample when that comes
// first; it ends with the last placed sample or with the last packet of any leg, recorded or discarded, up to the call's
// end: whoever talks on while the other is discarded still takes time.
import type { TimeUs } from "../base/ids.js";
import type { CallRecord, WarningRecord } from "../contract/call-record.js";
import type { AudioReader } from "./audio-reader.js";
import type { RecordSource } from "./record-source.js";

/** Longest recording; what lies beyond is left out with a warning. */
const MAX_SECONDS = 24 * 3600;

export interface CallTimeline {
  /** Time of the recording's first sample. */
  startsAtUs: TimeUs;
  /** The recording's first sample on the timeline that `StreamTimeline.place` speaks of: 0 (the answer) or before it. */
  startFrame: number;
  /** Length of the recording. 0 = nothing to decode. */
  frames: number;
  /** Packets that the source gave, but for erased ones. */
  packets: number;
  warnings: WarningRecord[];
}

export function surveyTimeline(
  source: RecordSource,
  reader: AudioReader,
  record: CallRecord,
  sampleRateHz: number,
): CallTimeline {
  let packets = 0;
  reader.rewind();
  source.visit((packet) => {
    packets++;
    const stream = reader.read(packet);
    if (stream === undefined) return;
    const { codec, rtp } = reader;
    if (codec === undefined) {
      stream.countUndecoded(rtp.payloadType);
      return;
    }
    const ticks = (reader.samples * codec.clockRateHz) / codec.sampleRateHz;
    stream.timeline.survey(reader.arrivalUs, rtp.timestamp, codec.clockRateHz, ticks);
  });
  packets -= reader.erased;
  const originUs = record.answeredAtUs ?? record.startedAtUs;
  let startFrame = record.answeredAtUs === undefined ? Number.POSITIVE_INFINITY : 0;
  let endFrame = Number.NEGATIVE_INFINITY;
  const warnings: WarningRecord[] = [];
  for (const stream of reader.streams) {
    stream.timeline.anchor(originUs);
    const { segments } = stream.timeline;
    for (const segment of segments) {
      startFrame = Math.min(startFrame, segment.firstFrame);
      endFrame = Math.max(endFrame, segment.endFrame);
    }
    if (segments.length > 1) {
      warnings.push({ code: "timestamp-jump", detail: { stream: stream.index, segments: segments.length } });
    }
  }
  if (endFrame === Number.NEGATIVE_INFINITY)
    return { startsAtUs: originUs, startFrame: 0, frames: 0, packets, warnings };
  const { steps, latestUs } = reader.clock;
  if (steps > 0) warnings.push({ code: "clock-stepped", detail: { times: steps } });
  // The record's times and the corrected ones are not of one clock once it was set.
  const endUs = steps > 0 ? latestUs : lastMediaAtUs(record);
  endFrame = Math.max(endFrame, Math.round(((endUs - originUs) * sampleRateHz) / 1_000_000));
  const frames = Math.min(endFrame - startFrame, MAX_SECONDS * sampleRateHz);
  if (frames < endFrame - startFrame) {
    warnings.push({ code: "recording-truncated", detail: { seconds: MAX_SECONDS } });
  }
  const startsAtUs = originUs + Math.round((startFrame * 1_000_000) / sampleRateHz);
  return { startsAtUs, startFrame, frames, packets, warnings };
}

/** When the last packet of any stream came, but not after the call's end. */
function lastMediaAtUs(record: CallRecord): TimeUs {
  let lastAtUs = record.answeredAtUs ?? record.startedAtUs;
  for (const stream of record.streams) lastAtUs = Math.max(lastAtUs, stream.lastAtUs);
  return Math.min(lastAtUs, record.endedAtUs);
}

// Turns a finished call's admitted packets into one stereo WAV file at a temporary path: survey, then place, decode,
// write, hash. Synchronous, for a worker thread; memory does not grow with the call's length. Never publishes, signs or
// decides what may be recorded: whatever it is given has passed the gate.
import type { Recipient } from "../age/keys.js";
import type { Side, TimeUs } from "../base/ids.js";
import type { CallRecord, NoAudioReason, WarningRecord } from "../contract/call-record.js";
import type { AudioEncryption, SampleExtent } from "../contract/manifest.js";
import { AudioReader } from "./audio-reader.js";
import { leftSide } from "./channels.js";
import { recordingRateHz } from "./codec-registry.js";
import { BLOCK_BYTES } from "./output-file.js";
import type { RecordSource } from "./record-source.js";
import { type Channel, SampleWindow } from "./sample-window.js";
import { SealMemory } from "./seal-memory.js";
import type { SealedStream, SealStream } from "./seal-stream.js";
import { storageFault } from "./storage-fault.js";
import { type CallTimeline, surveyTimeline } from "./timeline.js";
import { type WavOptions, WavWriter, type WrittenAudio } from "./wav.js";

export interface SealOptions extends Pick<WavOptions, "maxRiffBytes"> {
  /** Where the WAV is written; the folder exists. Whatever stands there is replaced. */
  temporaryPath: string;
  /** Kept by a sealing thread from call to call. */
  memory?: SealMemory;
  /** To whom the recording is encrypted; empty = to nobody, it is a WAV in clear. */
  recipients?: readonly Recipient[];
}

/** A recording that waits at `temporaryPath` to be published. */
export interface SealedAudio {
  kind: "audio";
  temporaryPath: string;
  bytes: number;
  /** Of the file, lower-case hex. */
  sha256: string;
  sha512: string;
  encryption?: AudioEncryption;
  sampleRateHz: number;
  channels: 2;
  durationMs: number;
  /** Time of sample 0. */
  startsAtUs: TimeUs;
  streams: SealedStream[];
  /** By place in the call's parties and by open span: where what was decoded of it stands; null = nothing was. */
  extents: (SampleExtent | null)[][];
  /** Decoded audio by side, ms. */
  recordedMs: [number, number];
  warnings: WarningRecord[];
}

/** A call out of which no audio could be made; no file is left. */
export interface SealedSilence {
  kind: "no-audio";
  reason: NoAudioReason;
  streams: SealedStream[];
  warnings: WarningRecord[];
}

export type SealOutcome = SealedAudio | SealedSilence;

/** How late a packet may at least be, behind the one that reaches furthest, and still be written. */
const REACH_SECONDS = 30;
const CHANNELS = 2;
const FRAMES_PER_BLOCK = BLOCK_BYTES / (CHANNELS * Int16Array.BYTES_PER_ELEMENT);
/** Payload types that carry no speech: nothing is missed when they are not decoded. */
const WITHOUT_SPEECH = new Set(["TELEPHONE-EVENT", "CN"]);
const MAX_CODEC_WARNINGS = 16;

/** Throws SidetoneError `seal-failed` when the file cannot be written; nothing is left at `temporaryPath` then. */
export function sealAudio(source: RecordSource, record: CallRecord, options: SealOptions): SealOutcome {
  const sampleRateHz = recordingRateHz(record.streams);
  const reader = new AudioReader(record, sampleRateHz);
  const timeline = surveyTimeline(source, reader, record, sampleRateHz);
  if (timeline.frames === 0) {
    const { streams } = reader;
    return {
      kind: "no-audio",
      reason: silenceReason(record, timeline, reader),
      streams: streams.map((stream) => stream.toSealed()),
      warnings: warnings(reader, timeline, record),
    };
  }
  try {
    const written = writeRecording(source, reader, timeline, record, sampleRateHz, options);
    return {
      kind: "audio",
      ...written,
      temporaryPath: options.temporaryPath,
      sampleRateHz,
      channels: CHANNELS,
      durationMs: Math.round((timeline.frames * 1000) / sampleRateHz),
      startsAtUs: timeline.startsAtUs,
      streams: reader.streams.map((stream) => stream.toSealed()),
      extents: reader.extents.map((extents) => extents.toExtents()),
      recordedMs: [recordedMs(reader, 0, sampleRateHz), recordedMs(reader, 1, sampleRateHz)],
      warnings: warnings(reader, timeline, record),
    };
  } catch (error) {
    throw storageFault("seal-failed", `cannot write the recording of call ${record.id}`, error);
  }
}

function writeRecording(
  source: RecordSource,
  reader: AudioReader,
  timeline: CallTimeline,
  record: CallRecord,
  sampleRateHz: number,
  options: SealOptions,
): WrittenAudio {
  const { frames } = timeline;
  const memory = options.memory ?? new SealMemory();
  const format = { sampleRateHz, channels: CHANNELS, frames };
  const { recipients = [] } = options;
  const encrypted = recipients.length > 0 ? { encrypt: { recipients, staging: memory.staging } } : {};
  const writer = new WavWriter(options.temporaryPath, format, { ...options, ...encrypted });
  try {
    const write = (interleaved: Int16Array): void => writer.write(interleaved);
    const reachFrames = Math.ceil((REACH_SECONDS * sampleRateHz) / FRAMES_PER_BLOCK) * FRAMES_PER_BLOCK;
    const window = new SampleWindow({ frames, reachFrames, lead: writer.header, memory: memory.window }, write);
    placePackets(source, reader, window, timeline.startFrame, leftSide(record));
    window.finish();
    return writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

/** The second pass. */
function placePackets(
  source: RecordSource,
  reader: AudioReader,
  window: SampleWindow,
  startFrame: number,
  left: Side,
): void {
  reader.rewind();
  source.visit((packet) => {
    const stream = reader.read(packet);
    const { codec, rtp } = reader;
    if (stream === undefined || codec === undefined) return;
    const frame = stream.timeline.place(reader.arrivalUs, rtp.timestamp, codec.clockRateHz) - startFrame;
    if (!window.holds(frame, reader.samples)) {
      stream.late++;
    } else if (stream.isTaken(frame)) {
      stream.duplicate++;
    } else {
      const channel: Channel = packet.side === left ? 0 : 1;
      stream.recorded++;
      const samples = window.decode(channel, frame, codec, packet.data, rtp.payloadStart, rtp.payloadEnd);
      stream.recordedFrames += samples;
      stream.extents.note(packet.capturedAtUs, frame, samples);
    }
  });
}

function silenceReason(record: CallRecord, timeline: CallTimeline, reader: AudioReader): NoAudioReason {
  if (timeline.packets > 0) return "codec-unsupported";
  if (admittedBy(record) > 0) return "journal-lost";
  return record.noAudio ?? (reader.erased > 0 ? "erased" : "no-media");
}

function admittedBy(record: CallRecord): number {
  return record.streams.reduce((sum, stream) => sum + stream.packets.recorded, 0);
}

function recordedMs(reader: AudioReader, side: Side, sampleRateHz: number): number {
  let frames = 0;
  for (const stream of reader.streams) if (stream.side === side) frames += stream.recordedFrames;
  return Math.round((frames * 1000) / sampleRateHz);
}

function warnings(reader: AudioReader, timeline: CallTimeline, record: CallRecord): WarningRecord[] {
  const found = [...timeline.warnings, ...codecWarnings(reader.streams)];
  const late = reader.streams.reduce((sum, stream) => sum + stream.late, 0);
  if (late > 0) found.push({ code: "packets-unplaced", detail: { packets: late } });
  if (reader.foreign > 0) found.push({ code: "streams-beyond-limit", detail: { packets: reader.foreign } });
  const outside = reader.extents.reduce((sum, extents) => sum + extents.outside, 0);
  if (outside > 0) found.push({ code: "packets-outside-spans", detail: { packets: outside } });
  const missing = admittedBy(record) - timeline.packets;
  if (missing > 0) found.push({ code: "journal-incomplete", detail: { packets: missing } });
  return found;
}

/** One for each codec of speech that this box does not decode. */
function codecWarnings(streams: SealStream[]): WarningRecord[] {
  const packetsByCodec = new Map<string, number>();
  for (const stream of streams) {
    for (const { codec } of stream.described?.payloadTypes ?? []) {
      const payloadType = codec.payloadType & 0x7f;
      const packets = stream.undecodedTypes[payloadType]!;
      const name = codec.name.toUpperCase();
      if (packets === 0 || stream.codecs[payloadType] !== undefined || WITHOUT_SPEECH.has(name)) continue;
      packetsByCodec.set(name, (packetsByCodec.get(name) ?? 0) + packets);
    }
  }
  return [...packetsByCodec]
    .slice(0, MAX_CODEC_WARNINGS)
    .map(([codec, packets]) => ({ code: "codec-undecoded", detail: { codec, packets } }));
}

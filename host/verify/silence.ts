// Whether a recording is digital silence wherever nobody's span was open: takes the bytes of its WAV in order, in constant memory.
// What its manifest says of spans is signed; that the samples keep to it is looked at here.
import { readWavHeader, type WavHeader } from "../wav-reader.js";
import type { JsonObject } from "./signed-json.js";

/** Frames of one channel that have to be silent, in order, without overlap; `to` is the first behind. */
interface Range {
  from: number;
  to: number;
}

interface Format {
  sampleRateHz: number;
  channels: number;
  dataAt: number;
  dataEnd: number;
}

/** Jitter: a packet stands where its RTP timestamp says, a span begins and ends with times of capture. */
const TOLERANCE_MS = 500;
const CHANNELS = ["left", "right"] as const;
const SAMPLE_BYTES = 2;
const PCM = 1;

export class SilenceCheck {
  readonly #manifest: JsonObject;
  #format: Format | undefined;
  #silent: Range[][] = [];
  #at = 0;
  /** By channel: samples that should be silent and are not, and the first of them. */
  readonly #heard = CHANNELS.map(() => ({ samples: 0, first: -1 }));

  constructor(manifest: JsonObject) {
    this.#manifest = manifest;
  }

  /** The first piece holds the whole header. */
  take(piece: Buffer): void {
    if (this.#at === 0) this.#begin(piece);
    const from = this.#at;
    this.#at += piece.length;
    if (this.#format === undefined) return;
    const { channels, dataAt, dataEnd } = this.#format;
    const begin = Math.max(from, dataAt);
    const end = Math.min(this.#at, dataEnd);
    if (begin >= end) return;
    // Samples never lie across two pieces: both header and pieces are of even length.
    const bytes = piece.subarray(begin - from, end - from);
    const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
    const first = (begin - dataAt) / SAMPLE_BYTES;
    for (let channel = 0; channel < channels; channel++) this.#scan(samples, first, channel, channels);
  }

  /** One line each; undefined when it could not be told. */
  get findings(): readonly string[] | undefined {
    const format = this.#format;
    if (format === undefined) return undefined;
    const sounds = this.#heard.flatMap(({ samples, first }, channel) => {
      if (samples === 0) return [];
      const seconds = (first / format.sampleRateHz).toFixed(3);
      return `${samples} samples outside the open spans are no silence, the first at ${seconds} s, ${CHANNELS[channel]}`;
    });
    return [...sounds, ...spansBeyond(this.#manifest, format.sampleRateHz)];
  }

  #begin(header: Buffer): void {
    this.#format = formatOf(header);
    if (this.#format === undefined) return;
    const { channels, dataAt, dataEnd } = this.#format;
    const frames = Math.floor((dataEnd - dataAt) / (channels * SAMPLE_BYTES));
    const open = extentsOf(this.#manifest);
    this.#silent = CHANNELS.map((_, channel) => outside(open[channel]!, frames));
  }

  /** `first`: place of the first sample among all of the file, whatever its channel. */
  #scan(samples: Int16Array, first: number, channel: number, channels: number): void {
    const heard = this.#heard[channel]!;
    const end = first + samples.length;
    for (const { from, to } of this.#silent[channel]!) {
      const begin = Math.max(from, Math.ceil((first - channel) / channels));
      const stop = Math.min(to, Math.ceil((end - channel) / channels));
      for (let frame = begin; frame < stop; frame++) {
        if (samples[frame * channels + channel - first] === 0) continue;
        heard.samples++;
        if (heard.first < 0) heard.first = frame;
      }
    }
  }
}

/** By channel the frames in which a span was open. */
function extentsOf(manifest: JsonObject): Range[][] {
  const open: Range[][] = CHANNELS.map(() => []);
  for (const { channel, spans } of partiesOf(manifest))
    for (const { audio } of spans) if (audio) open[channel]?.push({ from: audio.fromSample, to: audio.toSample });
  return open;
}

/** A span's samples are of that span, and of none that was closed. */
function spansBeyond(manifest: JsonObject, rateHz: number): string[] {
  return partiesOf(manifest).flatMap(({ channel, spans }) =>
    spans.flatMap(({ fromMs, toMs, audio }) => {
      if (!audio) return [];
      const beyondMs = Math.max(fromMs - (audio.fromSample * 1000) / rateHz, (audio.toSample * 1000) / rateHz - toMs);
      if (beyondMs <= TOLERANCE_MS) return [];
      return `a span of ${fromMs}-${toMs} ms has samples ${Math.round(beyondMs)} ms beyond it, ${CHANNELS[channel]}`;
    }),
  );
}

interface Party {
  channel: number;
  spans: { fromMs: number; toMs: number; audio: { fromSample: number; toSample: number } | null }[];
}

/** Signed, so of the form that the box gives it. */
function partiesOf(manifest: JsonObject): Party[] {
  return (Array.isArray(manifest["parties"]) ? manifest["parties"] : []) as Party[];
}

/** Of [0, frames) what is in none of the ranges. */
function outside(ranges: readonly Range[], frames: number): Range[] {
  const rest: Range[] = [];
  let at = 0;
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    if (from > at) rest.push({ from: at, to: Math.min(from, frames) });
    at = Math.max(at, to);
  }
  if (at < frames) rest.push({ from: at, to: frames });
  return rest;
}

/** 16-bit PCM in one or two channels; undefined for what else there may be. */
function formatOf(bytes: Buffer): Format | undefined {
  let header: WavHeader;
  try {
    header = readWavHeader(bytes);
  } catch {
    return undefined;
  }
  const { formatTag, bitsPerSample, channels, sampleRateHz, dataAt, dataBytes } = header;
  if (formatTag !== PCM || bitsPerSample !== 8 * SAMPLE_BYTES || channels < 1 || channels > CHANNELS.length)
    return undefined;
  return { sampleRateHz, channels, dataAt, dataEnd: dataAt + dataBytes };
}

// The stretch of a stereo recording that is being put together: packets arrive nearly in order, so a bounded window
// slides over the timeline and hands what lies behind it on, in order. Samples are decoded straight into their places
// among the interleaved frames. The window is a ring of two halves: sliding moves no samples, it clears the half that was
// handed on. Nothing is ever written outside the window. What goes before the first frame (a file's header) stands in the ring
// as well, so that halves can be whole blocks of a file and need not be copied to be written.
import type { CodeExpander } from "./code-expander.js";
import type { AudioCodec } from "./codec.js";

export type Channel = 0 | 1;
const CHANNELS = 2;
const MAX_SAMPLE = 32767;
const MIN_SAMPLE = -32768;

/** Memory for one window at a time; a sealing thread keeps it from call to call. */
export class WindowMemory {
  readonly expander: CodeExpander | undefined;

  /** Windows that fit are put where `expander` works. */
  constructor(expander?: CodeExpander) {
    this.expander = expander;
  }

  /** At least so many samples; as many are silence. */
  take(count: number): Int16Array {
    const samples = this.expander?.samples;
    return samples !== undefined && samples.length >= count ? samples.fill(0, 0, count) : new Int16Array(count);
  }
}

export interface WindowOptions {
  /** The recording's length. */
  frames: number;
  /** A packet may come at least so many frames behind the one that reaches furthest. */
  reachFrames: number;
  /** Handed on before the first frame: whole frames. */
  lead?: Int16Array;
  memory?: WindowMemory;
}

export class SampleWindow {
  /** Interleaved; a ring in which place `#base` stands at `#origin`. Frame 0 is at the place behind the lead. */
  readonly #samples: Int16Array;
  /** Half the window's length in frames: what is handed on at once, and how late a packet may at least be. */
  readonly #half: number;
  readonly #expander: CodeExpander | undefined;
  readonly #lead: number;
  readonly #end: number;
  readonly #sink: (interleaved: Int16Array) => void;
  #scratch = new Int16Array(0);
  #base = 0;
  /** 0 or half of the ring, in frames. */
  #origin = 0;
  /** By channel: no sample stands at or after this place. */
  readonly #endPlaces: [number, number] = [0, 0];

  /** The sink gets the lead and exactly `frames` frames, in views that it must not keep. */
  constructor(options: WindowOptions, sink: (interleaved: Int16Array) => void) {
    const { frames, reachFrames, lead, memory = new WindowMemory() } = options;
    this.#lead = (lead?.length ?? 0) / CHANNELS;
    this.#end = this.#lead + frames;
    this.#half = Math.max(this.#lead, Math.min(this.#end, reachFrames));
    this.#samples = memory.take(2 * this.#half * CHANNELS);
    this.#expander = memory.expander?.samples === this.#samples ? memory.expander : undefined;
    this.#sink = sink;
    if (lead !== undefined) this.#samples.set(lead);
  }

  /** Whether samples at frame, frame + 1, … lie wholly within the window and the recording; slides the window forward. */
  holds(frame: number, count: number): boolean {
    const place = frame + this.#lead;
    const end = place + count;
    // Written so that a frame that is no number is refused.
    if (!(frame >= 0 && place >= this.#base && end <= this.#end && count <= this.#half)) return false;
    while (end > this.#base + 2 * this.#half) this.#slide();
    return true;
  }

  /**
   * Decodes the payload data[start, end) to a channel from a frame on, where `holds` said true for it. Streams of one
   * side that sound at the same time are added and clipped. Returns the number of samples.
   */
  decode(channel: Channel, frame: number, codec: AudioCodec, data: Buffer, start: number, end: number): number {
    const ringFrames = 2 * this.#half;
    const place = frame + this.#lead;
    let at = place - this.#base + this.#origin;
    if (at >= ringFrames) at -= ringFrames;
    const count = codec.samplesOf(data, start, end);
    if (place >= this.#endPlaces[channel] && at + count <= ringFrames) {
      this.#decodeInto(codec, data, start, end, at * CHANNELS + channel);
    } else {
      this.#addDecoded(channel, at, codec, data, start, end);
    }
    if (place + count > this.#endPlaces[channel]) this.#endPlaces[channel] = place + count;
    return count;
  }

  /** Hands on everything up to the recording's end. */
  finish(): void {
    while (this.#base + 2 * this.#half < this.#end) this.#slide();
    const frames = this.#end - this.#base;
    const first = Math.min(frames, 2 * this.#half - this.#origin);
    this.#handOn(this.#origin, first);
    this.#handOn(0, frames - first);
  }

  #decodeInto(codec: AudioCodec, data: Buffer, start: number, end: number, at: number): void {
    const { samplesByCode } = codec;
    const expander = this.#expander;
    if (samplesByCode !== undefined && expander?.codes === data && expander.expand(samplesByCode, start, end, at))
      return;
    codec.decode(data, start, end, this.#samples, at, CHANNELS);
  }

  /** Adds to what stands there, one sample at a time, around the ring's end too. */
  #addDecoded(channel: Channel, at: number, codec: AudioCodec, data: Buffer, start: number, end: number): void {
    const samples = this.#samples;
    const room = codec.samplesOf(data, start, end);
    if (this.#scratch.length < room) this.#scratch = new Int16Array(room);
    const added = this.#scratch;
    const count = codec.decode(data, start, end, added, 0, 1);
    const ringEnd = 2 * this.#half * CHANNELS;
    for (let i = 0, to = at * CHANNELS + channel; i < count; i++, to += CHANNELS) {
      if (to >= ringEnd) to -= ringEnd;
      const sum = samples[to]! + added[i]!;
      samples[to] = Math.max(MIN_SAMPLE, Math.min(MAX_SAMPLE, sum));
    }
  }

  #slide(): void {
    this.#handOn(this.#origin, this.#half);
    this.#samples.fill(0, this.#origin * CHANNELS, (this.#origin + this.#half) * CHANNELS);
    this.#origin = this.#origin === 0 ? this.#half : 0;
    this.#base += this.#half;
  }

  #handOn(from: number, frames: number): void {
    if (frames > 0) this.#sink(this.#samples.subarray(from * CHANNELS, (from + frames) * CHANNELS));
  }
}

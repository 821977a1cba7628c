// The stretch of a stereo recording that is being put together: packets arrive nearly in order, so a bounded window
// slides over the timeline and hands what lies behind it on, in order. Samples are decoded straight into their places
// among the interleaved frames. The window is a ring of two halves: sliding moves no samples, it clears the half that was
// handed on. Nothing is ever written outside the window.
import type { AudioCodec } from "./codec.js";

export type Channel = 0 | 1;
const CHANNELS = 2;
const MAX_SAMPLE = 32767;
const MIN_SAMPLE = -32768;

/** Memory for one window at a time; a sealing thread keeps it from call to call. */
export class WindowMemory {
  #samples = new Int16Array(0);

  /** Silence of that many samples. */
  take(count: number): Int16Array {
    if (this.#samples.length < count) this.#samples = new Int16Array(count);
    else this.#samples.fill(0, 0, count);
    return this.#samples.subarray(0, count);
  }
}

export class SampleWindow {
  /** Interleaved; a ring in which frame `#base` of the recording stands at `#origin`. */
  readonly #samples: Int16Array;
  /** Half the window's length in frames: what is handed on at once, and how late a packet may at least be. */
  readonly #half: number;
  readonly #totalFrames: number;
  readonly #sink: (interleaved: Int16Array) => void;
  #scratch = new Int16Array(0);
  #base = 0;
  /** 0 or half of the ring, in frames. */
  #origin = 0;
  /** By channel: no sample stands at or after this frame. */
  readonly #endFrames: [number, number] = [0, 0];

  /**
   * `totalFrames` is the recording's length; the sink gets exactly that many, in views that it must not keep.
   * A packet may come at least `reachFrames` behind the one that reaches furthest.
   */
  constructor(
    totalFrames: number,
    reachFrames: number,
    sink: (interleaved: Int16Array) => void,
    memory: WindowMemory = new WindowMemory(),
  ) {
    this.#half = Math.min(totalFrames, reachFrames);
    this.#samples = memory.take(2 * this.#half * CHANNELS);
    this.#totalFrames = totalFrames;
    this.#sink = sink;
  }

  /** Whether samples at frame, frame + 1, … lie wholly within the window and the recording; slides the window forward. */
  holds(frame: number, count: number): boolean {
    const end = frame + count;
    // Written so that a frame that is no number is refused.
    if (!(frame >= this.#base && end <= this.#totalFrames && count <= this.#half)) return false;
    while (end > this.#base + 2 * this.#half) this.#slide();
    return true;
  }

  /**
   * Decodes the payload data[start, end) to a channel from a frame on, where `holds` said true for it. Streams of one
   * side that sound at the same time are added and clipped. Returns the number of samples.
   */
  decode(channel: Channel, frame: number, codec: AudioCodec, data: Buffer, start: number, end: number): number {
    const ringFrames = 2 * this.#half;
    let at = frame - this.#base + this.#origin;
    if (at >= ringFrames) at -= ringFrames;
    const count = codec.samplesOf(data, start, end);
    if (frame >= this.#endFrames[channel] && at + count <= ringFrames) {
      codec.decode(data, start, end, this.#samples, at * CHANNELS + channel, CHANNELS);
    } else {
      this.#addDecoded(channel, at, codec, data, start, end);
    }
    if (frame + count > this.#endFrames[channel]) this.#endFrames[channel] = frame + count;
    return count;
  }

  /** Hands on everything up to the recording's end. */
  finish(): void {
    while (this.#base + 2 * this.#half < this.#totalFrames) this.#slide();
    const frames = this.#totalFrames - this.#base;
    const first = Math.min(frames, 2 * this.#half - this.#origin);
    this.#handOn(this.#origin, first);
    this.#handOn(0, frames - first);
  }

  /** Adds to what stands there, one sample at a time, around the ring's end too. */
  #addDecoded(channel: Channel, at: number, codec: AudioCodec, data: Buffer, start: number, end: number): void {
    const samples = this.#samples;
    const room = codec.samplesOf(data, start, end);
    if (this.#scratch.length < room) this.#scratch = new Int16Array(room);
    const added = this.#scratch;
    const count = codec.decode(data, start, end, added, 0, 1);
    for (let i = 0, to = at * CHANNELS + channel; i < count; i++, to += CHANNELS) {
      if (to >= samples.length) to -= samples.length;
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

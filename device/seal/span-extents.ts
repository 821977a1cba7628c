// Where in the recording the packets of one party's open spans stand, so that all else on its channel can be checked to be
// digital silence. A packet belongs to the span that it was captured in, as the gate decided it, whatever place its RTP
// timestamp gives it. Pure; one object per party, asked once per decoded packet.
import type { TimeUs } from "../base/ids.js";
import type { SampleExtent } from "../contract/manifest.js";
import { SpanCursor } from "./span-cursor.js";

export class SpanExtents {
  readonly #cursor: SpanCursor;
  readonly #first: Float64Array;
  readonly #end: Float64Array;

  /** `spans`: in the order of their beginnings. */
  constructor(spans: readonly { fromUs: TimeUs; toUs: TimeUs }[]) {
    this.#cursor = new SpanCursor(spans);
    this.#first = new Float64Array(spans.length).fill(Number.POSITIVE_INFINITY);
    this.#end = new Float64Array(spans.length).fill(Number.NEGATIVE_INFINITY);
  }

  /** Packets that were captured in no span. They count for the nearest one before them, where there is one. */
  get outside(): number {
    return this.#cursor.outside;
  }

  /** Hot path. A packet captured at `atUs` stands at frame, frame + 1, … of the recording. */
  note(atUs: TimeUs, frame: number, samples: number): void {
    const at = this.#cursor.find(atUs);
    // Holds of no span when there is none before it.
    if (frame < this.#first[at]!) this.#first[at] = frame;
    if (frame + samples > this.#end[at]!) this.#end[at] = frame + samples;
  }

  /** By span; null for one of which nothing was decoded. */
  toExtents(): (SampleExtent | null)[] {
    return Array.from(this.#first, (fromSample, i) =>
      fromSample < this.#end[i]! ? { fromSample, toSample: this.#end[i]! } : null,
    );
  }
}

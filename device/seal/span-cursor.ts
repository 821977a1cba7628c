// Which of a party's open spans a packet was admitted in: the one that its time of capture lies in. Packets come nearly in
// order, so that it is that of the packet before nearly always. Pure.
import type { TimeUs } from "../base/ids.js";

export class SpanCursor {
  /** Packets that were in no span. */
  outside = 0;
  readonly #fromUs: Float64Array;
  readonly #toUs: Float64Array;
  /** By span: the latest end of it and all before it, since spans on two legs may overlap. */
  readonly #latestUs: Float64Array;
  #at = 0;

  /** `spans`: in the order of their beginnings. */
  constructor(spans: readonly { fromUs: TimeUs; toUs: TimeUs }[]) {
    this.#fromUs = Float64Array.from(spans, ({ fromUs }) => fromUs);
    this.#toUs = Float64Array.from(spans, ({ toUs }) => toUs);
    this.#latestUs = Float64Array.from(this.#toUs);
    for (let i = 1; i < spans.length; i++) this.#latestUs[i] = Math.max(this.#latestUs[i]!, this.#latestUs[i - 1]!);
  }

  /** Hot path. The span that `atUs` lies in, or else, counted, the nearest that began before it; -1 when there is none. */
  find(atUs: TimeUs): number {
    const at = this.#at;
    // Written so that it holds of no span when there is none.
    return atUs >= this.#fromUs[at]! && atUs <= this.#toUs[at]! ? at : this.#seek(atUs);
  }

  #seek(atUs: TimeUs): number {
    const fromUs = this.#fromUs;
    let at = this.#at;
    while (at + 1 < fromUs.length && fromUs[at + 1]! <= atUs) at++;
    while (at >= 0 && !(fromUs[at]! <= atUs)) at--;
    this.#at = Math.max(0, at);
    if (at < 0 || this.#latestUs[at]! < atUs) {
      this.outside++;
      return at;
    }
    while (this.#toUs[at]! < atUs) at--;
    return at;
  }
}

// How much came in which VLAN, and when: an office that moves its phones to another one is told by it. One place for each
// of the 4096 identifiers; on the packet path it is an addition and a store.
import type { TimeUs } from "../base/ids.js";
import type { VlanFigures } from "../contract/span.js";

/** Identifiers of IEEE 802.1Q §9.6, and one for frames without a tag. */
const PLACES = 4097;

export class VlanTable {
  readonly #frames = new Float64Array(PLACES);
  readonly #firstAtUs = new Float64Array(PLACES);
  readonly #lastAtUs = new Float64Array(PLACES);

  /** `vlan` is -1 for a frame without a tag. */
  note(vlan: number, atUs: TimeUs): void {
    const place = vlan + 1;
    if (this.#frames[place]!++ === 0) this.#firstAtUs[place] = atUs;
    this.#lastAtUs[place] = atUs;
  }

  /** Those with most frames, at most so many, in the order of their identifiers. */
  figures(maximum: number): VlanFigures[] {
    const seen: VlanFigures[] = [];
    for (let place = 0; place < PLACES; place++) {
      const frames = this.#frames[place]!;
      if (frames === 0) continue;
      seen.push({
        vlan: place - 1,
        frames,
        firstAtUs: this.#firstAtUs[place]!,
        lastAtUs: this.#lastAtUs[place]!,
      });
    }
    if (seen.length <= maximum) return seen;
    const most = new Set(seen.toSorted((a, b) => b.frames - a.frames).slice(0, maximum));
    return seen.filter((figures) => most.has(figures));
  }
}

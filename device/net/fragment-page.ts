// Memory for fragments: pages of 2 KiB with a map of which 8-byte units are there (the unit of RFC 791 §3.1 and RFC 8200
// §4.5). Used again rather than freed, so that a flood of fragments costs no garbage collection. Sets no bounds: whoever
// takes pages counts them.

export const PAGE_SHIFT = 11;
export const PAGE_BYTES = 1 << PAGE_SHIFT;
/** What a page holds in all: bytes, map and objects. */
export const PAGE_COST_BYTES = PAGE_BYTES + 256;
const UNIT_SHIFT = 3;
const UNIT_BYTES = 1 << UNIT_SHIFT;

export class FragmentPage {
  readonly data = Buffer.allocUnsafeSlow(PAGE_BYTES);
  readonly #units = new Uint32Array((PAGE_BYTES >> UNIT_SHIFT) >> 5);

  clear(): void {
    this.#units.fill(0);
  }

  /**
   * Copies `data[from...]` to the page's bytes `at..end`; `at` is a multiple of 8. Returns how many units are new, or -1
   * when bytes that were there already differ.
   */
  fill(data: Buffer, from: number, at: number, end: number): number {
    let added = 0;
    for (let unitAt = at; unitAt < end; unitAt += UNIT_BYTES) {
      const unitEnd = Math.min(unitAt + UNIT_BYTES, end);
      const unit = unitAt >> UNIT_SHIFT;
      const bit = 1 << (unit & 31);
      const isPresent = (this.#units[unit >> 5]! & bit) !== 0;
      if (isPresent && !this.#equals(data, from + unitAt - at, unitAt, unitEnd)) return -1;
      if (isPresent) continue;
      for (let i = unitAt; i < unitEnd; i++) this.data[i] = data[from + i - at]!;
      this.#units[unit >> 5]! |= bit;
      added++;
    }
    return added;
  }

  #equals(data: Buffer, from: number, at: number, end: number): boolean {
    for (let i = at; i < end; i++) if (this.data[i] !== data[from + i - at]) return false;
    return true;
  }
}

/** Pages that nobody uses; never more than were in use at once. */
export class FragmentPagePool {
  readonly #free: FragmentPage[] = [];

  take(): FragmentPage {
    const page = this.#free.pop() ?? new FragmentPage();
    page.clear();
    return page;
  }

  give(page: FragmentPage): void {
    this.#free.push(page);
  }
}

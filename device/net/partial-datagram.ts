// One IP datagram while its fragments come in, in any order. Work per fragment is proportional to the fragment, and
// memory to the pages it touches, whatever came before.
import type { TimeUs } from "../base/ids.js";
import type { Aged } from "./age-list.js";
import { type FragmentPage, type FragmentPagePool, PAGE_BYTES, PAGE_COST_BYTES, PAGE_SHIFT } from "./fragment-page.js";

/** Longest payload: the total length has 16 bits (RFC 791 §3.1); fragments that reach further are an attack. */
export const MAX_DATAGRAM_BYTES = 65535;
/** The object, its key and its place in the table, so that the memory bound counts what is really held. */
const OVERHEAD_BYTES = 512;
const LENGTH_UNKNOWN = -1;

export type FragmentFit = "added" | "duplicate" | "contradiction";

export class PartialDatagram implements Aged<PartialDatagram> {
  older: PartialDatagram | undefined = undefined;
  newer: PartialDatagram | undefined = undefined;
  readonly key: string;
  readonly firstAtUs: TimeUs;
  /** Payload protocol as the first fragment (offset 0) says; later fragments may say otherwise (RFC 8200 §4.5). */
  protocol = 0;
  /** Two fragments contradicted each other: the rest of this datagram is dropped as well (RFC 5722 §4). */
  isRefused = false;
  /** When the last fragment made it whole; undefined before. */
  wholeAtUs: TimeUs | undefined = undefined;
  readonly #pool: FragmentPagePool;
  readonly #pages: (FragmentPage | undefined)[] = [];
  #pageCount = 0;
  #unitsPresent = 0;
  #highestEnd = 0;
  #lengthBytes = LENGTH_UNKNOWN;

  constructor(key: string, firstAtUs: TimeUs, pool: FragmentPagePool) {
    this.key = key;
    this.firstAtUs = firstAtUs;
    this.#pool = pool;
  }

  /** Memory held. */
  get bytes(): number {
    return this.#pageCount * PAGE_COST_BYTES + OVERHEAD_BYTES;
  }

  /** Length of the payload; only meaningful when complete. */
  get lengthBytes(): number {
    return this.#lengthBytes;
  }

  get isComplete(): boolean {
    return this.#lengthBytes !== LENGTH_UNKNOWN && this.#unitsPresent === (this.#lengthBytes + 7) >> 3;
  }

  /** Memory that a fragment covering `offsetBytes..endBytes` would add. */
  costOf(offsetBytes: number, endBytes: number): number {
    let pages = 0;
    for (let page = offsetBytes >> PAGE_SHIFT; page << PAGE_SHIFT < endBytes; page++) {
      if (this.#pages[page] === undefined) pages++;
    }
    return pages * PAGE_COST_BYTES;
  }

  /**
   * Copies `data[start..end)` to `offsetBytes`. The caller has checked that the offset is a multiple of 8, that only
   * the last fragment has a length that is not, and that it ends within MAX_DATAGRAM_BYTES.
   */
  add(data: Buffer, start: number, end: number, offsetBytes: number, isLast: boolean): FragmentFit {
    const fragmentEnd = offsetBytes + end - start;
    if (!this.#fitsLength(fragmentEnd, isLast)) return "contradiction";
    let added = 0;
    for (let at = offsetBytes; at < fragmentEnd; ) {
      const index = at >> PAGE_SHIFT;
      const pageStart = index << PAGE_SHIFT;
      const until = Math.min(pageStart + PAGE_BYTES, fragmentEnd);
      const units = this.#page(index).fill(data, start + at - offsetBytes, at - pageStart, until - pageStart);
      if (units < 0) return "contradiction";
      added += units;
      at = until;
    }
    this.#unitsPresent += added;
    return added === 0 ? "duplicate" : "added";
  }

  /** Copies the payload to the start of `target`; only when complete. */
  copyTo(target: Buffer): void {
    for (let at = 0; at < this.#lengthBytes; at += PAGE_BYTES) {
      const bytes = Math.min(PAGE_BYTES, this.#lengthBytes - at);
      this.#pages[at >> PAGE_SHIFT]!.data.copy(target, at, 0, bytes);
    }
  }

  /** Frees the memory but keeps the datagram known, so that its other fragments are recognised. */
  refuse(): void {
    this.isRefused = true;
    this.release();
  }

  /** Frees the memory of a datagram that was handed on, but keeps it known, so that its copies are recognised. */
  finish(atUs: TimeUs): void {
    this.wholeAtUs = atUs;
    this.release();
  }

  /** Gives the pages back: nothing may be added or copied any more. */
  release(): void {
    for (const page of this.#pages) if (page !== undefined) this.#pool.give(page);
    this.#pages.length = 0;
    this.#pageCount = 0;
  }

  /** All last fragments must end at one place, and nothing may lie beyond it. */
  #fitsLength(fragmentEnd: number, isLast: boolean): boolean {
    if (isLast && this.#lengthBytes !== LENGTH_UNKNOWN && this.#lengthBytes !== fragmentEnd) return false;
    if (isLast) this.#lengthBytes = fragmentEnd;
    if (fragmentEnd > this.#highestEnd) this.#highestEnd = fragmentEnd;
    return this.#lengthBytes === LENGTH_UNKNOWN || this.#highestEnd <= this.#lengthBytes;
  }

  #page(index: number): FragmentPage {
    const known = this.#pages[index];
    if (known !== undefined) return known;
    while (this.#pages.length < index) this.#pages.push(undefined);
    const page = this.#pool.take();
    this.#pages[index] = page;
    this.#pageCount++;
    return page;
  }
}

// One interface of a pcapng section: its link type, its clock as exact arithmetic on 64-bit tick counts, and the losses
// it reported. https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng (if_tsresol and if_tsoffset: §4.2).
import type { TimeUs } from "../base/ids.js";

const TWO_32 = 2 ** 32;
/** A divisor up to this times 2^32 stays exact in a double. */
const MAX_EXACT_DIVISOR = 1_000_000;
const MICROSECOND_EXPONENT = 6;
const BINARY_FLAG = 0x80;

export class PcapngInterface {
  readonly linkType: number;
  /** Longest capture length, 0 = unlimited. */
  readonly snapLength: number;
  readonly #offsetUs: number;
  /** Ticks are 2^-n s when binary, else 10^-n s. */
  readonly #isBinary: boolean;
  readonly #exponent: number;
  /** Decimal clocks: µs = ticks × multiplier ÷ divisor ÷ secondDivisor. */
  readonly #multiplier: number;
  readonly #divisor: number;
  readonly #secondDivisor: number;
  #kernelDrops = 0;
  #interfaceDrops = 0;

  /** `resolution` is if_tsresol's byte, `offsetSeconds` if_tsoffset's value. */
  constructor(linkType: number, snapLength: number, resolution: number, offsetSeconds: number) {
    this.linkType = linkType;
    this.snapLength = snapLength;
    this.#offsetUs = offsetSeconds * 1_000_000;
    this.#isBinary = (resolution & BINARY_FLAG) !== 0;
    this.#exponent = resolution & ~BINARY_FLAG;
    const excess = this.#exponent - MICROSECOND_EXPONENT;
    this.#multiplier = excess < 0 ? 10 ** -excess : 1;
    this.#divisor = excess > 0 ? Math.min(10 ** excess, MAX_EXACT_DIVISOR) : 1;
    this.#secondDivisor = excess > 0 ? 10 ** excess / this.#divisor : 1;
  }

  /** Ticks `high × 2^32 + low` as µs since 1970, rounded down; exact but for binary clocks finer than 2^-32 s. */
  toUs(high: number, low: number): TimeUs {
    const ownUs = this.#isBinary ? this.#binaryToUs(high, low) : this.#decimalToUs(high, low);
    return ownUs + this.#offsetUs;
  }

  #decimalToUs(high: number, low: number): number {
    const divisor = this.#divisor;
    if (divisor === 1) return (high * TWO_32 + low) * this.#multiplier;
    // Nanoseconds since 1970 need 61 bits, a double has 53: divide the two words by hand.
    const upper = Math.floor(high / divisor);
    const rest = high - upper * divisor;
    const quotient = upper * TWO_32 + Math.floor((rest * TWO_32 + low) / divisor);
    return this.#secondDivisor === 1 ? quotient : Math.floor(quotient / this.#secondDivisor);
  }

  #binaryToUs(high: number, low: number): number {
    const exponent = this.#exponent;
    if (exponent <= 32) {
      const unit = 2 ** exponent;
      const seconds = high * 2 ** (32 - exponent) + Math.floor(low / unit);
      return seconds * 1_000_000 + Math.floor(((low % unit) * 1_000_000) / unit);
    }
    // Drop the bits below 2^-32 s: far below a microsecond.
    const unit = 2 ** (exponent - 32);
    const seconds = Math.floor(high / unit);
    const fraction = Math.floor(((high % unit) * TWO_32 + low) / unit);
    return seconds * 1_000_000 + Math.floor((fraction * 1_000_000) / TWO_32);
  }

  /** Takes a new running total of kernel drops; returns by how much it grew. */
  growKernelDrops(total: number): number {
    const growth = Math.max(0, total - this.#kernelDrops);
    this.#kernelDrops += growth;
    return growth;
  }

  /** Takes a new running total of drops at the interface; returns by how much it grew. */
  growInterfaceDrops(total: number): number {
    const growth = Math.max(0, total - this.#interfaceDrops);
    this.#interfaceDrops += growth;
    return growth;
  }
}

// Two sines in a window of samples, fitted: their exact frequencies and powers, and what remains without them. For
// tone-detector.ts, which knows roughly where they are. Decides nothing; no allocation after construction.

export class TonePair {
  /** Radians per sample of the lower and the upper sine. */
  readonly omega = new Float64Array(2);
  /** Mean square of each. */
  readonly power = new Float64Array(2);
  /** Mean square of all samples, and of what remains of them without both sines. */
  totalPower = 0;
  residualPower = 0;
  private readonly rest: Float64Array;
  // What correlate() found.
  private re = 0;
  private im = 0;

  /** `samples` per window, an even number. */
  constructor(samples: number) {
    this.rest = new Float64Array(samples);
  }

  /** Place of a window's samples, to be filled before each fit(), which spoils it. */
  get samples(): Float64Array {
    return this.rest;
  }

  /**
   * Fits both sines near the given frequencies, radians per sample, off by less than half a turn in half a window. The
   * lower one is found twice: the upper, while it is still there, turns its phase.
   */
  fit(lower: number, upper: number): void {
    this.totalPower = this.meanSquare();
    this.takeOut(0, lower);
    const { re, im } = this;
    this.takeOut(1, upper);
    this.add(this.omega[0]!, re, im);
    this.takeOut(0, this.omega[0]!);
    this.residualPower = this.meanSquare();
  }

  /** Mean square of a sine in what fit() has left. */
  remainingAt(omega: number): number {
    this.correlate(0, this.rest.length, omega);
    return this.foundPower();
  }

  /** Finds a sine near `omega` by how its phase moves from the first half to the second, and subtracts it. */
  private takeOut(tone: number, omega: number): void {
    const { length } = this.rest;
    const half = length / 2;
    this.correlate(0, half, omega);
    const { re, im } = this;
    this.correlate(half, length, omega);
    // The phase between the two halves, less what it is at `omega`.
    const turn = Math.atan2(this.im * re - this.re * im, this.re * re + this.im * im) - omega * half;
    const found = omega + (turn - 2 * Math.PI * Math.round(turn / (2 * Math.PI))) / half;
    this.correlate(0, length, found);
    this.omega[tone] = found;
    this.power[tone] = this.foundPower();
    this.add(found, -this.re, -this.im);
  }

  /** Goertzel's algorithm over [from, to): the sum of rest[k] × e^(jω(to − 1 − k)), its phase that at the last sample. */
  private correlate(from: number, to: number, omega: number): void {
    const rest = this.rest;
    const coefficient = 2 * Math.cos(omega);
    let last = 0;
    let beforeLast = 0;
    for (let i = from; i < to; i++) {
      const next = rest[i]! + coefficient * last - beforeLast;
      beforeLast = last;
      last = next;
    }
    this.re = last - Math.cos(omega) * beforeLast;
    this.im = Math.sin(omega) * beforeLast;
  }

  /** Adds the sine for which correlate() finds `re` and `im` in the whole window, from the last sample to the first. */
  private add(omega: number, re: number, im: number): void {
    const rest = this.rest;
    const scale = 2 / rest.length;
    const coefficient = 2 * Math.cos(omega);
    let value = scale * re;
    let before = scale * (re * Math.cos(omega) - im * Math.sin(omega));
    for (let i = rest.length - 1; i >= 0; i--) {
      rest[i] = rest[i]! + value;
      const next = coefficient * value - before;
      before = value;
      value = next;
    }
  }

  /** Mean square of the sine that correlate() found in the whole window. */
  private foundPower(): number {
    const { length } = this.rest;
    return (2 * (this.re * this.re + this.im * this.im)) / (length * length);
  }

  private meanSquare(): number {
    const rest = this.rest;
    let sum = 0;
    for (let i = 0; i < rest.length; i++) sum += rest[i]! * rest[i]!;
    return sum / rest.length;
  }
}

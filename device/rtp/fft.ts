// The discrete Fourier transform of a complex signal, in place: X[k] = Σ x[n]·e^(∓2πi·kn/N). Radix 2, decimation in time
// (Cooley and Tukey 1965), sines from tables made once. Holds no signal, allocates nothing after construction.

/** Butterflies of the first two stages need no multiplication: they are done in one pass. */
const FIRST_PASS = 4;

export class Fft {
  readonly size: number;
  /** cos and sin of πj/h at h + j, for every stage's half length h: a stage reads its own in order. */
  private readonly cosines: Float64Array;
  private readonly sines: Float64Array;
  /** The index with its bits in reverse order. */
  private readonly reversed: Uint32Array;

  /** `size`: a power of two, at least 4; RangeError otherwise. */
  constructor(size: number) {
    if (!(size >= FIRST_PASS && Number.isInteger(Math.log2(size)))) {
      throw new RangeError(`${size} points are no power of two from ${FIRST_PASS}`);
    }
    this.size = size;
    this.cosines = new Float64Array(size);
    this.sines = new Float64Array(size);
    for (let half = 1; half < size; half *= 2) {
      for (let j = 0; j < half; j++) {
        this.cosines[half + j] = Math.cos((Math.PI * j) / half);
        this.sines[half + j] = Math.sin((Math.PI * j) / half);
      }
    }
    this.reversed = new Uint32Array(size);
    for (let i = 1; i < size; i++) this.reversed[i] = (this.reversed[i >> 1]! >> 1) | ((i & 1) * (size >> 1));
  }

  /** Both arrays hold `size` values: real and imaginary parts. */
  forward(real: Float64Array, imaginary: Float64Array): void {
    this.reorder(real, imaginary);
    this.firstPass(real, imaginary);
    let half = FIRST_PASS;
    for (; 4 * half <= this.size; half *= 4) this.twoStages(real, imaginary, half);
    if (half < this.size) this.stage(real, imaginary, half);
  }

  /** The inverse, without the division by `size`: exchanging the parts turns one transform into the other. */
  inverse(real: Float64Array, imaginary: Float64Array): void {
    this.forward(imaginary, real);
  }

  // Plain variables throughout: taking arrays apart costs several times what the arithmetic does.

  private reorder(real: Float64Array, imaginary: Float64Array): void {
    const { reversed, size } = this;
    for (let i = 1; i < size; i++) {
      const j = reversed[i]!;
      if (j <= i) continue;
      const re = real[i]!;
      const im = imaginary[i]!;
      real[i] = real[j]!;
      imaginary[i] = imaginary[j]!;
      real[j] = re;
      imaginary[j] = im;
    }
  }

  private firstPass(real: Float64Array, imaginary: Float64Array): void {
    const size = this.size;
    for (let i = 0; i < size; i += FIRST_PASS) {
      const sumRe = real[i]! + real[i + 1]!;
      const differenceRe = real[i]! - real[i + 1]!;
      const nextSumRe = real[i + 2]! + real[i + 3]!;
      const nextDifferenceRe = real[i + 2]! - real[i + 3]!;
      const sumIm = imaginary[i]! + imaginary[i + 1]!;
      const differenceIm = imaginary[i]! - imaginary[i + 1]!;
      const nextSumIm = imaginary[i + 2]! + imaginary[i + 3]!;
      const nextDifferenceIm = imaginary[i + 2]! - imaginary[i + 3]!;
      real[i] = sumRe + nextSumRe;
      real[i + 1] = differenceRe + nextDifferenceIm;
      real[i + 2] = sumRe - nextSumRe;
      real[i + 3] = differenceRe - nextDifferenceIm;
      imaginary[i] = sumIm + nextSumIm;
      imaginary[i + 1] = differenceIm - nextDifferenceRe;
      imaginary[i + 2] = sumIm - nextSumIm;
      imaginary[i + 3] = differenceIm + nextDifferenceRe;
    }
  }

  /** The stages of `half` and of twice that in one pass: half as much to fetch and to put back. */
  private twoStages(real: Float64Array, imaginary: Float64Array, half: number): void {
    const { cosines, sines, size } = this;
    for (let block = 0; block < size; block += 4 * half) {
      for (let j = 0; j < half; j++) {
        const a = block + j;
        const b = a + half;
        const c = b + half;
        const d = c + half;
        const cosine = cosines[half + j]!;
        const sine = sines[half + j]!;
        const bRe = real[b]! * cosine + imaginary[b]! * sine;
        const bIm = imaginary[b]! * cosine - real[b]! * sine;
        const dRe = real[d]! * cosine + imaginary[d]! * sine;
        const dIm = imaginary[d]! * cosine - real[d]! * sine;
        const sumRe = real[a]! + bRe;
        const sumIm = imaginary[a]! + bIm;
        const differenceRe = real[a]! - bRe;
        const differenceIm = imaginary[a]! - bIm;
        const laterSumRe = real[c]! + dRe;
        const laterSumIm = imaginary[c]! + dIm;
        const laterDifferenceRe = real[c]! - dRe;
        const laterDifferenceIm = imaginary[c]! - dIm;
        const laterCosine = cosines[2 * half + j]!;
        const laterSine = sines[2 * half + j]!;
        const evenRe = laterSumRe * laterCosine + laterSumIm * laterSine;
        const evenIm = laterSumIm * laterCosine - laterSumRe * laterSine;
        const oddRe = laterDifferenceRe * laterCosine + laterDifferenceIm * laterSine;
        const oddIm = laterDifferenceIm * laterCosine - laterDifferenceRe * laterSine;
        real[a] = sumRe + evenRe;
        imaginary[a] = sumIm + evenIm;
        real[c] = sumRe - evenRe;
        imaginary[c] = sumIm - evenIm;
        // A quarter of a turn further: times −i.
        real[b] = differenceRe + oddIm;
        imaginary[b] = differenceIm - oddRe;
        real[d] = differenceRe - oddIm;
        imaginary[d] = differenceIm + oddRe;
      }
    }
  }

  private stage(real: Float64Array, imaginary: Float64Array, half: number): void {
    const { cosines, sines, size } = this;
    for (let block = 0; block < size; block += 2 * half) {
      for (let at = block, turn = half; turn < 2 * half; at++, turn++) {
        const cosine = cosines[turn]!;
        const sine = sines[turn]!;
        const re = real[at + half]!;
        const im = imaginary[at + half]!;
        const turnedRe = re * cosine + im * sine;
        const turnedIm = im * cosine - re * sine;
        const evenRe = real[at]!;
        const evenIm = imaginary[at]!;
        real[at + half] = evenRe - turnedRe;
        imaginary[at + half] = evenIm - turnedIm;
        real[at] = evenRe + turnedRe;
        imaginary[at] = evenIm + turnedIm;
      }
    }
  }
}

import { describe, expect, it } from "vitest";
import { Fft } from "../../../device/rtp/fft.js";
import { makeRandom } from "../../fakes/random.js";

function noise(size: number, seed: number): [Float64Array, Float64Array] {
  const random = makeRandom(seed);
  const values = () => Float64Array.from({ length: size }, () => 2 * random() - 1);
  return [values(), values()];
}

/** The definition, summed up term by term. */
function sumOfTerms(real: Float64Array, imaginary: Float64Array, k: number): [number, number] {
  let [re, im] = [0, 0];
  for (let n = 0; n < real.length; n++) {
    const angle = (-2 * Math.PI * ((k * n) % real.length)) / real.length;
    re += real[n]! * Math.cos(angle) - imaginary[n]! * Math.sin(angle);
    im += real[n]! * Math.sin(angle) + imaginary[n]! * Math.cos(angle);
  }
  return [re, im];
}

describe("Fft", () => {
  it.each([4, 8, 16, 32, 64, 128, 1024, 2048])("is the discrete Fourier transform of %i points", (size) => {
    const [real, imaginary] = noise(size, size);
    const [re, im] = [real.slice(), imaginary.slice()];
    new Fft(size).forward(re, im);
    for (let k = 0; k < size; k++) {
      const [expectedRe, expectedIm] = sumOfTerms(real, imaginary, k);
      expect(Math.hypot(re[k]! - expectedRe, im[k]! - expectedIm)).toBeLessThan(1e-10 * size);
    }
  });

  it("is undone by its inverse, but for the factor", () => {
    const size = 8192;
    const [real, imaginary] = noise(size, 1);
    const [re, im] = [real.slice(), imaginary.slice()];
    const fft = new Fft(size);
    fft.forward(re, im);
    fft.inverse(re, im);
    for (let n = 0; n < size; n++) {
      expect(Math.hypot(re[n]! / size - real[n]!, im[n]! / size - imaginary[n]!)).toBeLessThan(1e-12);
    }
  });

  it.each([0, 1, 2, 3, 6, 100, -8, 4.5])("refuses %d points", (size) => {
    expect(() => new Fft(size)).toThrow(RangeError);
  });
});

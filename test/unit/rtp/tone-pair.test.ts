// Two known sines are found again with their frequencies and powers, and what was beside them remains.
import { expect, test } from "vitest";
import { TonePair } from "../../../device/rtp/tone-pair.js";
import { makeRandom } from "../../fakes/random.js";

const RATE_HZ = 8000;
const SAMPLES = 160;
const radians = (hz: number) => (2 * Math.PI * hz) / RATE_HZ;

interface Sine {
  hz: number;
  peak: number;
  phase: number;
}

function fill(pair: TonePair, ...sines: readonly Sine[]): void {
  for (let i = 0; i < SAMPLES; i++) {
    pair.samples[i] = sines.reduce((sum, { hz, peak, phase }) => sum + peak * Math.sin(radians(hz) * i + phase), 0);
  }
}

test("finds any two of a key's sines within 1 Hz and 0.2 dB, up to 30 Hz from where it looks", () => {
  const random = makeRandom(24);
  const pair = new TonePair(SAMPLES);
  for (let round = 0; round < 2000; round++) {
    const [lower, upper] = [697 + random() * 244, 1209 + random() * 424];
    const [peak, other] = [1000 * (0.5 + random()), 1000 * (0.5 + random())];
    fill(pair, { hz: lower, peak, phase: random() * 7 }, { hz: upper, peak: other, phase: random() * 7 });
    pair.fit(radians(lower + 60 * (random() - 0.5)), radians(upper + 60 * (random() - 0.5)));
    expect(Math.abs(pair.omega[0]! - radians(lower))).toBeLessThan(radians(1));
    expect(Math.abs(pair.omega[1]! - radians(upper))).toBeLessThan(radians(1));
    expect(Math.abs(10 * Math.log10(pair.power[0]! / (peak ** 2 / 2)))).toBeLessThan(0.2);
    expect(Math.abs(10 * Math.log10(pair.power[1]! / (other ** 2 / 2)))).toBeLessThan(0.2);
    expect(pair.residualPower).toBeLessThan(0.001 * pair.totalPower);
  }
});

test("leaves a third sine, and tells its power", () => {
  const pair = new TonePair(SAMPLES);
  const third = { hz: 2672, peak: 300, phase: 2 };
  fill(pair, { hz: 770, peak: 1000, phase: 0 }, { hz: 1336, peak: 1000, phase: 1 }, third);
  pair.fit(radians(770), radians(1336));
  expect(pair.totalPower).toBeGreaterThan(1_000_000);
  expect(pair.remainingAt(radians(third.hz)) / (third.peak ** 2 / 2)).toBeCloseTo(1, 1);
  expect(pair.residualPower / (third.peak ** 2 / 2)).toBeLessThan(1.3);
  expect(pair.remainingAt(radians(1540))).toBeLessThan(2000);
});

test("finds nothing in silence", () => {
  const pair = new TonePair(SAMPLES);
  pair.samples.fill(0);
  pair.fit(radians(697), radians(1209));
  expect([pair.totalPower, pair.residualPower, pair.power[0], pair.power[1]]).toEqual([0, 0, 0, 0]);
});

// A listening-quality estimate per stream from loss and jitter: the E-model (ITU-T G.107) reduced to what a passive
// observer knows. An indication for installers, not a measurement of speech.

/** Equipment impairment Ie and packet-loss robustness Bpl (ITU-T G.113 Appendix I), by encoding name. */
const IMPAIRMENT: Record<string, readonly [number, number]> = {
  PCMU: [0, 25.1],
  PCMA: [0, 25.1],
  G722: [0, 20],
  G729: [11, 19],
};
const DEFAULT_IMPAIRMENT = [10, 15] as const;
/** R without impairments other than those below (ITU-T G.107 §7.7). */
const BASE_R = 93.2;

/** Mean opinion score 1.0–4.5, one decimal. `lossShare` 0..1; a jitter buffer of twice the mean jitter is assumed. */
export function estimateMos(codec: string, lossShare: number, jitterMeanMs: number): number {
  const [impairment, robustness] = IMPAIRMENT[codec] ?? DEFAULT_IMPAIRMENT;
  const lossPercent = Math.min(100, Math.max(0, lossShare * 100));
  const effective = impairment + (95 - impairment) * (lossPercent / (lossPercent + robustness));
  const delayMs = 20 + 2 * jitterMeanMs;
  const delayImpairment = 0.024 * delayMs + (delayMs > 177.3 ? 0.11 * (delayMs - 177.3) : 0);
  const r = Math.min(100, Math.max(0, BASE_R - effective - delayImpairment));
  const mos = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
  return Math.round(Math.min(4.5, Math.max(1, mos)) * 10) / 10;
}

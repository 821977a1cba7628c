// What processes leave that die: one run on a simulated disk, looked at before each of its steps and half-way through those
// that can be half done. Each death is a disk of its own, to be started on again, or to have its power cut first.
import type { PowerCut, SimulatedDisk } from "./simulated-disk.js";

export interface Death<Seen> {
  step: string;
  isHalf: boolean;
  disk: SimulatedDisk;
  /** What the process had done, or promised, by then. */
  before: Seen;
}

/** `look` is asked at each step. */
export async function watchDeaths<Seen>(
  disk: SimulatedDisk,
  look: () => Seen,
  act: () => Promise<unknown>,
): Promise<Death<Seen>[]> {
  const deaths: Death<Seen>[] = [];
  disk.watch = (step, isHalf) => void deaths.push({ step, isHalf, disk: disk.copy(), before: look() });
  try {
    await act();
  } finally {
    disk.watch = undefined;
  }
  return deaths;
}

export const NOTHING_LEFT: PowerCut = { pages: 0, names: 0, seed: 0 };

/** Of what was not synced, another part at every step: pages without names, names without pages, some of both. */
export function someLeft(step: number, seed: number): PowerCut {
  const cuts = [
    { pages: 1, names: 0 },
    { pages: 0, names: 1 },
    { pages: 0.5, names: 0.5 },
    { pages: 0.9, names: 0.3 },
    { pages: 0.3, names: 0.9 },
  ];
  return { ...cuts[(step + seed) % cuts.length]!, seed: step * 31 + seed };
}

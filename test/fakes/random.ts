// Seeded random numbers for synthesised traffic: the same seed gives the same capture on every machine. Not for secrets.

/** A generator of numbers in [0, 1): mulberry32, one 32-bit state. */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An integer in [0, limit). */
export function randomInteger(random: () => number, limit: number): number {
  return Math.floor(random() * limit);
}

/** Seed out of a text, so that calls with different names differ without naming a seed (FNV-1a, 32 bits). */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}

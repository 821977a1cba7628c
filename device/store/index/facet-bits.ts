// The bits by which a posting says what else its call has: one for every value of a filter, several values for a bit where there
// are many. A call that lacks a bit lacks the value; one that has it may have the value. 52 of them: an exact number everywhere.
// Made of kind and value alone, and never changed once released: they are on the disk.
import type { FacetLetter } from "./schema.js";

interface Range {
  first: number;
  /** Bits of values that are not in `known`, behind those of the known ones. */
  spare: number;
  /** Values that half of all calls may have: a bit each. */
  known: readonly string[];
}

const CONSENTS = ["granted", "refused", "withdrawn", "unknown", "not-required"];
const POLICIES = ["agent-only", "consent-first", "both-parties", "none"];
const OUTCOMES = [
  ...["recorded", "deleted", "not-answered", "policy-none", "agent-unknown", "agent-contradictory", "no-consent"],
  ...["no-media", "encrypted", "codec-unsupported", "journal-lost", "journal-locked", "sampled-out"],
  ...["agent-not-registered", "not-started", "disk-full", "erased"],
];

const RANGES: Readonly<Record<FacetLetter, Range>> = {
  c: { first: 0, known: CONSENTS, spare: 1 },
  p: { first: 6, known: POLICIES, spare: 1 },
  o: { first: 11, known: OUTCOMES, spare: 1 },
  t: { first: 29, known: [], spare: 11 },
  // There are no more bits: those of tags say it as well.
  k: { first: 29, known: [], spare: 11 },
  a: { first: 40, known: [], spare: 7 },
  n: { first: 47, known: [], spare: 5 },
};

/** One bit. */
export function bitsOf(kind: FacetLetter, value: string): number {
  const { first, known, spare } = RANGES[kind];
  const at = known.indexOf(value);
  return 2 ** (first + (at >= 0 ? at : known.length + (hashOf(value) % spare)));
}

/** Those of both; the operators of the language have 32 only. */
export function joinBits(one: number, other: number): number {
  const high = Math.floor(one / 2 ** 32) | Math.floor(other / 2 ** 32);
  return high * 2 ** 32 + ((one | other) >>> 0);
}

/** FNV-1a over UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  // Its lower bits alone say too little of short texts.
  return (hash ^ (hash >>> 15)) >>> 0;
}

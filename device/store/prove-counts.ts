// Whether a manifest's counts agree with each other: every packet that was seen is recorded, or discarded, or a copy, or no
// audio; and what the gate says that it admitted and refused, span by span, is what the streams say. Pure.
//
// Of a stream:  seen = recorded + discarded + duplicate + undecoded,  discarded = the sum of discardedBy,
//               recorded + undecoded ≤ admitted ≤ recorded + undecoded + duplicate (sealing finds copies as well).
// Of a party:   open spans + closed spans = admitted + discarded − discarded for `other-hop`, which never comes to the gate.
//               closed spans of one reason = discarded for it, but for what befalls packets after the gate admitted them:
//               lost with the `journal`, given up for the `other-half` of the call, `erased`. Such packets are discarded by
//               the stream's count, and by the gate's in an open span, or in that of the erasure.
import type { Manifest, ManifestParty } from "../contract/manifest.js";
import { Faults, type ProofCheck } from "./prove-check.js";

/** How a reason's count in closed spans compares with that in streams; else they are the same. */
const COMPARISONS: Readonly<Record<string, (inSpans: number, inStreams: number) => boolean>> = {
  "other-hop": (inSpans) => inSpans === 0,
  journal: (inSpans, inStreams) => inSpans <= inStreams,
  "other-half": (inSpans, inStreams) => inSpans <= inStreams,
  // In an open span that goes on, or in that of the erasure, together with what else was in it.
  erased: () => true,
};
const isSame = (inSpans: number, inStreams: number): boolean => inSpans === inStreams;

export function checkStreams(manifest: Manifest): ProofCheck {
  const faults = new Faults();
  const totals = { streams: 0, seen: 0, recorded: 0, discarded: 0, duplicate: 0, undecoded: 0 };
  for (const { ssrc, packets, discardedBy } of manifest.parties.flatMap(({ streams }) => streams)) {
    const { seen, admitted, recorded, discarded, duplicate, undecoded } = packets;
    totals.streams++;
    totals.seen += seen;
    totals.recorded += recorded;
    totals.discarded += discarded;
    totals.duplicate += duplicate;
    totals.undecoded += undecoded;
    const counts = [seen, admitted, recorded, discarded, duplicate, undecoded, ...Object.values(discardedBy)];
    faults.expect(counts.every(isCount), `stream ${ssrc} has a count that is none`);
    const sum = recorded + discarded + duplicate + undecoded;
    faults.expect(
      seen === sum,
      `stream ${ssrc}: ${seen} seen, but ${recorded} recorded + ${discarded} discarded + ${duplicate} duplicate + ${undecoded} undecoded = ${sum}`,
    );
    const reasons = sumOf(Object.values(discardedBy));
    faults.expect(discarded === reasons, `stream ${ssrc}: ${discarded} discarded, but ${reasons} by their reasons`);
    const least = recorded + undecoded;
    faults.expect(
      admitted >= least && admitted <= least + duplicate,
      `stream ${ssrc}: ${admitted} admitted, which ${least} recorded or undecoded and ${duplicate} duplicates do not make`,
    );
  }
  return faults.toCheck("streams", totals);
}

/** `subject` names the party. */
export function checkPackets(party: ManifestParty, subject: string): ProofCheck {
  const faults = new Faults();
  const closed = sumUp(party.closedSpans.map(({ reason, packets }) => [reason, packets]));
  const refused = sumUp(party.streams.flatMap(({ discardedBy }) => Object.entries(discardedBy)));
  for (const reason of new Set([...closed.keys(), ...refused.keys()])) {
    const inSpans = closed.get(reason) ?? 0;
    const inStreams = refused.get(reason) ?? 0;
    const agrees = COMPARISONS[reason] ?? isSame;
    faults.expect(
      agrees(inSpans, inStreams),
      `${inStreams} packets were discarded for ${reason}, the closed spans hold ${inSpans}`,
    );
  }
  const open = sumOf(party.spans.map(({ packets }) => packets));
  const shut = sumOf([...closed.values()]);
  const admitted = sumOf(party.streams.map(({ packets }) => packets.admitted));
  const offered = sumOf([...refused.values()]) - (refused.get("other-hop") ?? 0);
  faults.expect(
    open + shut === admitted + offered,
    `the spans hold ${open} admitted and ${shut} refused packets, the streams ${admitted} and ${offered}`,
  );
  const figures = { spans: party.spans.length, open, closedSpans: party.closedSpans.length, shut };
  return faults.toCheck("packets", figures, subject);
}

function sumUp(counts: readonly (readonly [string, number])[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [name, count] of counts) sums.set(name, (sums.get(name) ?? 0) + count);
  return sums;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

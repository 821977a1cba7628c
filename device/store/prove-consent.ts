// Whether what was recorded was consented to, by the manifest's own ledger: each party's state is what its last change made
// it, and nobody's open span reaches beyond a consent that was in force. Pure.
import type { Manifest, ManifestParty, ManifestSpan } from "../contract/manifest.js";
import { Faults, type ProofCheck } from "./prove-check.js";

/** Spans are written in whole milliseconds, the ledger in microseconds. */
const ROUNDING_MS = 1;

interface Interval {
  fromMs: number;
  toMs: number;
}

export function nameParty(manifest: Manifest, place: number): string {
  return `party ${place} (${manifest.parties[place]!.role})`;
}

export function checkConsent(manifest: Manifest): ProofCheck {
  const faults = new Faults();
  for (const [place, party] of manifest.parties.entries()) {
    const changes = manifest.ledger.filter((change) => change.party === place);
    const last = changes.findLast(({ purpose }) => purpose === manifest.purpose);
    const { consent } = party;
    const name = nameParty(manifest, place);
    if (manifest.policy === "both-parties" || party.role === "agent") {
      faults.expect(consent === "not-required", `${name}: consent is ${consent}, though none is required`);
    } else if (party.role !== "caller") {
      faults.expect(consent === "unknown", `${name}: consent is ${consent}, though it is not known who that is`);
    } else {
      // A refusal of every purpose counts for one that was not spoken of as well; a grant never does.
      const isGeneral = last === undefined && consent !== "granted" && changes.some(({ to }) => to === consent);
      const expected = last?.to ?? "unknown";
      faults.expect(
        consent === expected || isGeneral,
        `${name}: consent is ${consent}, its ledger ends with ${expected}`,
      );
    }
  }
  return faults.toCheck("consent", { changes: manifest.ledger.length, policy: manifest.policy });
}

/**
 * Every open span: on evidence that the manifest has, and under a consent that was in force unless none is required. Spans of
 * who was the agent by the evidence of the moment, and is not by the call's end (the signs came to disagree, or who took
 * one call made the next), are counted: `formerAgents`.
 */
export function checkSpans(manifest: Manifest): ProofCheck {
  const faults = new Faults();
  let spans = 0;
  let formerAgents = 0;
  for (const [place, party] of manifest.parties.entries()) {
    const times = { own: grantedTimes(manifest, place), all: consentedTimes(manifest, place) };
    for (const span of party.spans) {
      spans++;
      const effect = manifest.evidence.find(({ id }) => id === span.evidence)?.effect;
      const text = `${nameParty(manifest, place)}: the span ${span.fromMs}-${span.toMs} ms`;
      const fault = faultOfSpan(manifest, span, effect, times.all);
      if (fault !== "") faults.add(`${text} ${fault}`);
      else if (party.role !== "agent" && isAsAgents(manifest, span, effect, times.own)) formerAgents++;
    }
  }
  return faults.toCheck("spans", { spans, formerAgents, policy: manifest.policy });
}

/** "" when it was opened rightly. */
function faultOfSpan(
  { policy }: Manifest,
  span: ManifestSpan,
  effect: string | undefined,
  consented: readonly Interval[],
): string {
  if (effect === undefined) return `names evidence ${JSON.stringify(span.evidence)}, which is not there`;
  if (policy === "none") return "was opened under the policy none";
  if (policy === "both-parties") return effect === "not-required" ? "" : `was opened on evidence of ${effect}`;
  if (policy === "agent-only" && effect === "agent") return "";
  if (effect !== "granted") return `was opened on evidence of ${effect}`;
  return isWithin(span, consented) ? "" : "is not within a consent that was in force";
}

/** Whether a span was opened because of who speaks, or of what the other side said. */
function isAsAgents(
  { policy }: Manifest,
  span: ManifestSpan,
  effect: string | undefined,
  own: readonly Interval[],
): boolean {
  if (policy === "agent-only") return effect === "agent";
  return policy === "consent-first" && !isWithin(span, own);
}

/**
 * When a party's packets may be recorded by the ledger: under its own consent; the agent's, where policy asks for the caller's
 * first, under that of the other channel.
 */
function consentedTimes(manifest: Manifest, place: number): Interval[] {
  const { channel } = manifest.parties[place]!;
  const followsOther = manifest.policy === "consent-first";
  const isConcerned = (party: ManifestParty, at: number): boolean =>
    at === place || (followsOther && party.channel !== channel);
  return manifest.parties.flatMap((party, at) => (isConcerned(party, at) ? grantedTimes(manifest, at) : []));
}

/** When a party's own consent was in force, in ms from sample 0. */
function grantedTimes(manifest: Manifest, place: number): Interval[] {
  const times: Interval[] = [];
  const startsAtUs = microseconds(manifest.audio.startsAt);
  for (const { party, at, purpose, to } of manifest.ledger) {
    if (party !== place || purpose !== manifest.purpose) continue;
    const atMs = (microseconds(at) - startsAtUs) / 1000;
    const open = times.at(-1);
    if (open?.toMs === Number.POSITIVE_INFINITY) open.toMs = atMs;
    if (to === "granted") times.push({ fromMs: atMs, toMs: Number.POSITIVE_INFINITY });
  }
  return times;
}

/** Whether the times together cover the span. One without length and audio lies outside the recording. */
function isWithin(span: ManifestSpan, times: readonly Interval[]): boolean {
  if (span.fromMs === span.toMs && span.audio === null) return true;
  let coveredMs = span.fromMs;
  for (const { fromMs, toMs } of [...times].sort((a, b) => a.fromMs - b.fromMs)) {
    if (fromMs - ROUNDING_MS > coveredMs) break;
    coveredMs = Math.max(coveredMs, toMs + ROUNDING_MS);
  }
  return coveredMs >= span.toMs && coveredMs > span.fromMs;
}

/** Of an ISO 8601 time with µs, as `isoUs` writes it. */
export function microseconds(iso: string): number {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z$/.exec(iso);
  if (match === null) throw new RangeError(`${JSON.stringify(iso)} is no time`);
  return Date.parse(`${match[1]}Z`) * 1000 + Number(match[2]);
}

// The consent of one party for every purpose, against a model that forgets nothing: it keeps all that was ever said and
// reads it from the beginning whenever it is asked about a purpose.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PartyConsent, type PurposeChange } from "../../../device/consent/party-consent.js";
import type { ConsentEffect } from "../../../device/consent/strength.js";
import type { ConsentState, EvidenceSource } from "../../../device/contract/call-record.js";

const PURPOSES = ["recording", "quality", "training"] as const;
/** Two of equal strength, and one each that is weaker and stronger when it refuses. */
const SOURCES = ["dtmf", "api", "register", "number-list"] as const;
const EFFECTS: readonly ConsentEffect[] = ["granted", "refused", "withdrawn"];
const MOST_PURPOSES = 16;

type Source = (typeof SOURCES)[number];

/** The README's order, weakest first. */
function strength(source: Source, isGrant: boolean): number {
  const order = ["number-list granted", "register", "in the call", "number-list refused"];
  if (source === "number-list") return order.indexOf(`number-list ${isGrant ? "granted" : "refused"}`);
  return order.indexOf(source === "register" ? "register" : "in the call");
}

/** `purpose` undefined: every one. */
type Entry =
  | { kind: "said"; source: Source; isGrant: boolean; purpose: string | undefined; evidence: number }
  | { kind: "lifted"; source: Source }
  | { kind: "joined" | "refusals"; other: Entry[] };

interface Standing {
  state: ConsentState;
  said: Map<Source, { isGrant: boolean; evidence: number }>;
}

class Model {
  history: Entry[] = [];
  readonly spokenOf = new Set<string>();

  read(purpose: string, history = this.history): Standing {
    const now: Standing = { state: "unknown", said: new Map() };
    const { said } = now;
    for (const entry of history) {
      if (entry.kind === "said") {
        const { source, isGrant, evidence } = entry;
        if (entry.purpose !== undefined && entry.purpose !== purpose) continue;
        if (said.get(source)?.isGrant !== isGrant) said.set(source, { isGrant, evidence });
      } else if (entry.kind === "lifted") said.delete(entry.source);
      else {
        const theirs = this.read(purpose, entry.other);
        for (const [source, one] of theirs.said) {
          const own = said.get(source);
          const isTaken = one.isGrant ? entry.kind === "joined" && !own : own?.isGrant !== false;
          if (isTaken) said.set(source, one);
        }
        if (entry.kind === "joined" && theirs.state === "withdrawn" && now.state !== "granted") now.state = "withdrawn";
      }
      now.state = settled(now);
    }
    return now;
  }
}

function settled({ state, said }: Standing): ConsentState {
  const strongest = (isGrant: boolean): number =>
    Math.max(
      -1,
      ...[...said].filter(([, one]) => one.isGrant === isGrant).map(([source]) => strength(source, isGrant)),
    );
  if (strongest(false) >= Math.max(0, strongest(true)))
    return state === "granted" || state === "withdrawn" ? "withdrawn" : "refused";
  return strongest(true) >= 0 ? "granted" : "unknown";
}

interface Pair {
  consent: PartyConsent;
  model: Model;
}

const makePair = (): Pair => ({ consent: new PartyConsent(), model: new Model() });

type Step =
  | { kind: "say"; source: Source; effect: ConsentEffect; purpose: string; isGeneral: boolean }
  | { kind: "lift"; source: Source }
  | { kind: "join" | "takeRefusals"; other: number }
  | { kind: "rename" };

const source = fc.constantFrom(...SOURCES);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("say" as const),
      source,
      effect: fc.constantFrom<ConsentEffect>("granted", "granted", "refused", "withdrawn"),
      purpose: fc.constantFrom(...PURPOSES),
      isGeneral: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("lift" as const), source }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("join" as const), other: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("takeRefusals" as const), other: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "rename" as const }) },
);
const script = fc.array(fc.record({ about: fc.nat(1), step }), { maxLength: 30, size: "max" });

describe("PartyConsent", () => {
  it("knows of every purpose what the whole history says, and reports just what changed", () => {
    const seen = { changes: 0, granted: 0, withdrawn: 0, renamed: 0 };
    fc.assert(
      fc.property(script, (all) => {
        const pairs = [makePair(), makePair()] as const;
        /** Of the evidence's entries, by their numbers; an id may have been another entry's before. */
        let nameOf = (evidence: number): string => `e${evidence}`;
        for (const [evidence, { about, step }] of all.entries()) {
          const { consent, model } = pairs[about]!;
          const before = PURPOSES.map((purpose) => model.read(purpose).state);
          const reported = play(step, pairs[about]!, pairs, evidence, nameOf(evidence));
          if (step.kind === "rename") {
            const former = nameOf;
            nameOf = (one) => `e${Number(former(one).slice(1)) + 1}`;
            const ids = new Map(all.map((_, one) => [former(one), nameOf(one)]));
            for (const pair of pairs) pair.consent.rename(ids);
            seen.renamed++;
          }
          const expected = PURPOSES.map((purpose, i) => ({ purpose, from: before[i], to: model.read(purpose).state }));
          const changes = expected.filter(({ purpose, from, to }) => from !== to && model.spokenOf.has(purpose));
          expect(inOrder(reported)).toEqual(inOrder(changes));
          seen.changes += changes.length;
          const read = PURPOSES.map((purpose) => model.read(purpose));
          expect(PURPOSES.map((purpose) => told(consent, purpose))).toEqual(read.map(expectedOf));
          for (const [i, standing] of read.entries()) {
            const { state } = standing;
            if (state === "granted") expect(grantsOf(standing).map(nameOf)).toContain(consent.grantedBy(PURPOSES[i]!));
            else expect(consent.grantedBy(PURPOSES[i]!)).toBe("");
            if (state === "granted") seen.granted++;
            if (state === "withdrawn") seen.withdrawn++;
          }
        }
      }),
      { numRuns: 150 },
    );
    for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(50);
  });

  it("takes no grant for more purposes than it can tell apart, and refuses them all the same", () => {
    const consent = new PartyConsent();
    for (let i = 0; i < MOST_PURPOSES; i++)
      expect(consent.apply("dtmf", "granted", `e${i}`, `purpose-${i}`, false)).toHaveLength(1);
    expect(consent.apply("dtmf", "granted", "e16", "one-more", false)).toEqual([]);
    expect([consent.stateFor("one-more"), consent.grantedBy("one-more")]).toEqual(["unknown", ""]);
    expect(consent.apply("api", "refused", "e17", "recording", true)).toHaveLength(MOST_PURPOSES);
    expect(consent.stateFor("one-more")).toBe("refused");
  });
});

describe("a refusal that names no purpose", () => {
  const refuse = (consent: PartyConsent): PurposeChange[] => consent.apply("dtmf", "refused", "e1", "recording", true);

  it("is one of purposes that are spoken of later", () => {
    const consent = new PartyConsent();
    expect(refuse(consent)).toEqual([{ purpose: "recording", from: "unknown", to: "refused" }]);
    expect(consent.stateFor("training")).toBe("refused");
    expect(consent.apply("register", "granted", "e2", "training", false)).toEqual([]);
    expect(consent.stateFor("training")).toBe("refused");
  });

  it("stands for the other purposes when one of them is granted, whether they were spoken of or not", () => {
    for (const isSpokenOf of [false, true]) {
      const consent = new PartyConsent();
      if (isSpokenOf) consent.apply("register", "granted", "e0", "training", false);
      refuse(consent);
      consent.apply("dtmf", "granted", "e2", "recording", true);
      consent.apply("register", "granted", "e3", "training", false);
      expect([consent.stateFor("recording"), consent.stateFor("training")]).toEqual([
        "granted",
        isSpokenOf ? "withdrawn" : "refused",
      ]);
    }
  });

  it("goes with what its source has said, and passes on to who may be the same person", () => {
    const consent = new PartyConsent();
    refuse(consent);
    const other = new PartyConsent();
    other.apply("register", "granted", "e2", "training", false);
    expect(other.takeRefusals(consent)).toEqual([
      { purpose: "training", from: "granted", to: "withdrawn" },
      { purpose: "recording", from: "unknown", to: "refused" },
    ]);
    expect(other.stateFor("never spoken of")).toBe("refused");
    consent.lift("dtmf");
    expect([consent.stateFor("recording"), consent.stateFor("training")]).toEqual(["unknown", "unknown"]);
    // What was taken over stands.
    expect(other.stateFor("training")).toBe("withdrawn");
  });
});

function play(step: Step, { consent, model }: Pair, pairs: readonly Pair[], evidence: number, id: string) {
  switch (step.kind) {
    case "say": {
      const { source, effect, purpose, isGeneral } = step;
      const isGrant = effect === "granted";
      model.spokenOf.add(purpose);
      const concerns = isGeneral && !isGrant ? undefined : purpose;
      model.history.push({ kind: "said", source, isGrant, purpose: concerns, evidence });
      return consent.apply(source, effect, id, purpose, isGeneral);
    }
    case "lift":
      model.history.push({ kind: "lifted", source: step.source });
      return consent.lift(step.source satisfies EvidenceSource);
    case "join":
    case "takeRefusals": {
      const other = pairs[step.other]!;
      if (other.model === model) return [];
      model.history.push({ kind: step.kind === "join" ? "joined" : "refusals", other: [...other.model.history] });
      for (const purpose of other.model.spokenOf) model.spokenOf.add(purpose);
      return consent[step.kind](other.consent);
    }
    default:
      return [];
  }
}

/** All that can be asked about a purpose, but for the evidence. */
function told(consent: PartyConsent, purpose: string) {
  return {
    state: consent.stateFor(purpose),
    refusedBy: SOURCES.filter((source) => consent.refusedBy(source, purpose) !== undefined),
    repeated: EFFECTS.map((effect) => SOURCES.filter((source) => consent.repeats(source, effect, purpose))),
  };
}

function expectedOf({ state, said }: Standing): ReturnType<typeof told> {
  const saying = (isGrant: boolean) => SOURCES.filter((source) => said.get(source)?.isGrant === isGrant);
  return {
    state,
    refusedBy: saying(false),
    repeated: EFFECTS.map((effect) => saying(effect === "granted")),
  };
}

/** Evidence of the grants that count: the strongest. */
function grantsOf({ said }: Standing): number[] {
  const grants = [...said].filter(([, { isGrant }]) => isGrant);
  const best = Math.max(...grants.map(([source]) => strength(source, true)));
  return grants.filter(([source]) => strength(source, true) === best).map(([, { evidence }]) => evidence);
}

function inOrder<Change extends { purpose: string }>(changes: readonly Change[]): Change[] {
  return [...changes].sort((a, b) => a.purpose.localeCompare(b.purpose));
}

// Whether a recording goes, stays until when, or must stay and why: the one place that decides it. Pure; ages are days of 24
// hours since the call ended, whatever the calendar does.
import type { TimeUs } from "../../base/ids.js";
import type { DeletionReason } from "../../contract/tombstone.js";
import type { Terms } from "./terms.js";

export const DAY_US = 86_400e6;

export interface DecisionFacts {
  endedAtUs: TimeUs;
  terms: Terms;
  /** Ids of the legal holds that cover it. */
  holds: readonly string[];
}

export interface DecisionSituation {
  wish: DeletionReason;
  nowUs: TimeUs;
  /** "" = ages can be told; else why not. */
  clockFault: string;
  /** By order, with a reason: the minimum age does not count. Never for deletions that nobody asked for. */
  overridesMinimum?: boolean;
}

export type Decision =
  /** Since when it may go. */
  | { kind: "go"; sinceUs: TimeUs }
  | { kind: "keep"; untilUs: TimeUs; why: "minimum" | "maximum" }
  | { kind: "forever"; why: "no-class" | "no-maximum" }
  /** `dueUs`: when it would go if it were not for that; undefined = never. */
  | { kind: "blocked"; why: "hold"; holds: readonly string[]; dueUs: TimeUs | undefined }
  | { kind: "blocked"; why: "clock"; fault: string; dueUs: TimeUs };

export function decide(facts: DecisionFacts, situation: DecisionSituation): Decision {
  const dueUs = dueOf(facts, situation);
  if (facts.holds.length > 0) return { kind: "blocked", why: "hold", holds: facts.holds, dueUs };
  if (dueUs === undefined) return { kind: "forever", why: facts.terms.isForEver ? "no-class" : "no-maximum" };
  if (dueUs === facts.endedAtUs && situation.wish !== "retention") return { kind: "go", sinceUs: dueUs };
  if (dueUs > situation.nowUs)
    return { kind: "keep", untilUs: dueUs, why: situation.wish === "retention" ? "maximum" : "minimum" };
  if (situation.clockFault !== "") return { kind: "blocked", why: "clock", fault: situation.clockFault, dueUs };
  return { kind: "go", sinceUs: dueUs };
}

/** From when on it may go; undefined = never. What is asked for may go at once where no minimum stands against it. */
function dueOf({ endedAtUs, terms }: DecisionFacts, situation: DecisionSituation): TimeUs | undefined {
  const { wish } = situation;
  switch (wish) {
    case "retention":
      return terms.isForEver || terms.maxDays === 0 ? undefined : endedAtUs + terms.maxDays * DAY_US;
    case "disk":
      // "For ever" is a promise as well; a class without maximum promises its minimum only.
      return terms.isForEver ? undefined : endedAtUs + terms.minDays * DAY_US;
    default: {
      const minDays = situation.overridesMinimum ? 0 : terms.minDays;
      return endedAtUs + minDays * DAY_US;
    }
  }
}

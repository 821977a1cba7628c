// Calls as rows of a table: finished ones and those in progress. Whatever a box of another version leaves out is shown as nothing.
import type { StoredCall } from "../device/contract/api-recordings.js";
import type { ActiveCall } from "../device/contract/commands.js";
import type { TextColumn } from "./text-table.js";
import { shownLength, shownTime } from "./times.js";

type Parties = readonly { role: string; number?: string; consent: string; isRecorded?: boolean }[];

export const STORED_COLUMNS: readonly TextColumn[] = [
  { title: "call" },
  { title: "began (UTC)" },
  { title: "length", isRight: true },
  { title: "agent", maximum: 24 },
  { title: "others", maximum: 32 },
  { title: "consent", maximum: 24 },
  { title: "policy", maximum: 24 },
  { title: "outcome", maximum: 24 },
  { title: "tags", maximum: 32 },
];

export function storedRow(call: StoredCall): string[] {
  const { id, startedAt, durationMs, parties = [], policy, outcome, tags = [] } = call;
  return [
    String(id),
    shownTime(String(startedAt)),
    shownLength(durationMs),
    ...partyCells(parties),
    String(policy),
    String(outcome),
    tags.join(" "),
  ];
}

export const ACTIVE_COLUMNS: readonly TextColumn[] = [
  { title: "call" },
  { title: "began (UTC)" },
  { title: "state" },
  { title: "agent", maximum: 24 },
  { title: "others", maximum: 32 },
  { title: "consent", maximum: 24 },
  { title: "policy", maximum: 24 },
  { title: "recorded", maximum: 24 },
];

export type ShownActiveCall = Omit<ActiveCall, "parties"> & { parties: Parties };

export function activeRow({ id, startedAt, answeredAt, isPaused, parties = [], policy }: ShownActiveCall): string[] {
  const recorded = parties.filter(({ isRecorded }) => isRecorded).map(({ role }) => role);
  return [
    String(id),
    shownTime(String(startedAt)),
    isPaused ? "paused" : answeredAt === "" ? "ringing" : "talking",
    ...partyCells(parties),
    String(policy),
    once(recorded) || "nobody",
  ];
}

/** Agent's numbers, the others' numbers, the others' consent. */
function partyCells(parties: Parties): [string, string, string] {
  const agents = parties.filter(({ role }) => role === "agent");
  const others = parties.filter(({ role }) => role !== "agent");
  const numbers = (some: Parties): string => once(some.map(({ number = "" }) => number));
  return [numbers(agents), numbers(others), once(others.map(({ consent }) => consent))];
}

function once(texts: readonly string[]): string {
  return [...new Set(texts)].filter((text) => text !== "").join(", ");
}

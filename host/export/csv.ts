// Calls as CSV: RFC 4180 in UTF-8, one line a call, columns that only ever grow at the end. What people wrote (numbers, names, user
// agents) is made harmless for spreadsheets and terminals, unless it is asked for as it is.
//
// A cell that a spreadsheet would take for a formula gets an apostrophe before it: OWASP, "CSV Injection"; the full-width forms of
// the signs too, which some spreadsheets take for them.
import type { StoredCall } from "../../device/contract/api-recordings.js";
import { safeText } from "../safe-text.js";

export const CSV_MEDIA_TYPE = "text/csv; charset=utf-8; header=present";
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/u;
const PLAIN = /^[\x20-\x7e]*$/;
/** RFC 4180 §2: lines end with CR LF. */
const END = "\r\n";
/** Between several of a kind in one cell. */
const AND = " | ";

type Person = StoredCall["parties"][number];
type Cell = string | number | boolean;

interface CsvColumn {
  name: string;
  of(call: StoredCall, agents: readonly Person[], others: readonly Person[]): Cell;
}

const all = (people: readonly Person[], what: (person: Person) => Cell): string => people.map(what).join(AND);

/** Their order and meaning are a contract. `agent…`: of whoever counts as the agent; `other…`: of all others, in the order of coming. */
export const CSV_COLUMNS: readonly CsvColumn[] = [
  { name: "id", of: ({ id }) => id },
  { name: "startedAt", of: ({ startedAt }) => startedAt },
  { name: "answeredAt", of: ({ answeredAt }) => answeredAt },
  { name: "endedAt", of: ({ endedAt }) => endedAt },
  { name: "durationMs", of: ({ durationMs }) => durationMs },
  { name: "outcome", of: ({ outcome }) => outcome },
  { name: "endReason", of: ({ endReason }) => endReason },
  { name: "rejectStatus", of: ({ rejectStatus }) => rejectStatus },
  { name: "policy", of: ({ policy }) => policy },
  { name: "agentNumber", of: (_, agents) => all(agents, ({ number }) => number) },
  { name: "agentName", of: (_, agents) => all(agents, ({ name }) => name) },
  { name: "agentSide", of: (_, agents) => all(agents, ({ side }) => side) },
  { name: "agentConsent", of: (_, agents) => all(agents, ({ consent }) => consent) },
  { name: "agentRecordedMs", of: (_, agents) => all(agents, ({ recordedMs }) => recordedMs) },
  { name: "otherNumber", of: (_, __, others) => all(others, ({ number }) => number) },
  { name: "otherName", of: (_, __, others) => all(others, ({ name }) => name) },
  { name: "otherSide", of: (_, __, others) => all(others, ({ side }) => side) },
  { name: "otherConsent", of: (_, __, others) => all(others, ({ consent }) => consent) },
  { name: "otherRecordedMs", of: (_, __, others) => all(others, ({ recordedMs }) => recordedMs) },
  { name: "bytes", of: ({ recording }) => recording?.bytes ?? "" },
  { name: "sha256", of: ({ recording }) => recording?.sha256 ?? "" },
  { name: "isEncrypted", of: ({ recording }) => recording?.isEncrypted ?? "" },
  { name: "sampleRateHz", of: ({ recording }) => recording?.sampleRateHz ?? "" },
  { name: "policyRule", of: ({ recording }) => recording?.policyRule ?? "" },
  { name: "purpose", of: ({ recording }) => recording?.purpose ?? "" },
  { name: "retention", of: ({ recording }) => recording?.retention ?? "" },
  { name: "tags", of: ({ tags }) => tags.join(" ") },
  { name: "warnings", of: ({ warnings }) => warnings.join(" ") },
  { name: "sipCallIds", of: ({ sipCallIds }) => sipCallIds.join(AND) },
];

export const csvHeader = `${CSV_COLUMNS.map(({ name }) => name).join(",")}${END}`;

/** `isRaw`: texts as they were signalled, for a program that is no spreadsheet. */
export function csvLine(call: StoredCall, isRaw: boolean): string {
  const agents = call.parties.filter(({ role }) => role === "agent");
  const others = call.parties.filter(({ role }) => role !== "agent");
  return `${CSV_COLUMNS.map(({ of }) => csvCell(of(call, agents, others), isRaw)).join(",")}${END}`;
}

export function csvCell(value: Cell, isRaw: boolean): string {
  const text = typeof value !== "string" || isRaw ? String(value) : harmless(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function harmless(text: string): string {
  const line = PLAIN.test(text) ? text : safeText(text);
  return FORMULA.test(line) ? `'${line}` : line;
}

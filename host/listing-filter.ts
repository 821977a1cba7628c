// The filters of the box's listings as flags, and as the query that they become. Checked here only as far as the box would have
// to be asked for the reason.
import { CONSENT_STATES, POLICIES } from "../device/contract/call-record.js";
import { TAG_PATTERN } from "../device/contract/listing.js";
import type { FlagSpec, Given } from "./command.js";
import { usageError } from "./errors.js";
import { safeText } from "./safe-text.js";

const UNITS: Readonly<Record<string, number>> = { "": 1000, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const DAY_MS = 86_400_000;
const MAX_NUMBER_CHARACTERS = 64;

export const FILTER_FLAGS: Readonly<Record<string, FlagSpec>> = {
  from: { value: "TIME", summary: "that began at or after it: 2026-11-21, or 2026-11-21T09:00, UTC" },
  to: { value: "TIME", summary: "that began before it, or on that day" },
  agent: { value: "NUMBER", summary: "of this agent; its last three digits or more do" },
  number: { value: "NUMBER", summary: "with this number on either side; its last three digits or more do" },
  consent: { value: "STATE", summary: "of the caller", choices: CONSENT_STATES },
  policy: { value: "NAME", summary: "consent policy", choices: POLICIES },
  "min-duration": { value: "TIME", summary: "of the audio, as 90, 90s, 5m or 2h" },
  "max-duration": { value: "TIME", summary: "of the audio" },
  tag: { value: "NAME", summary: "that has this tag" },
};

/** By the names that the API has for them. Throws HostError `usage`. */
export function filterOf(given: Given): Record<string, string> {
  const filter: Record<string, string> = {};
  const put = (name: string, flag: string, read: (text: string, flag: string) => string): void => {
    const text = given.text(flag);
    if (text !== undefined) filter[name] = read(text, flag);
  };
  put("from", "from", (text, flag) => new Date(readTime(text, flag).ms).toISOString());
  put("to", "to", (text, flag) => {
    const { ms, isDay } = readTime(text, flag);
    return new Date(isDay ? ms + DAY_MS : ms).toISOString();
  });
  put("agent", "agent", readNumber);
  put("number", "number", readNumber);
  put("consent", "consent", (text) => text);
  put("policy", "policy", (text) => text);
  put("minDurationMs", "min-duration", readDuration);
  put("maxDurationMs", "max-duration", readDuration);
  put("tag", "tag", readTag);
  if (filter["from"] !== undefined && filter["to"] !== undefined && filter["from"] >= filter["to"])
    throw usageError("--to is not after --from");
  if (Number(filter["minDurationMs"]) > Number(filter["maxDurationMs"]))
    throw usageError("--max-duration is shorter than --min-duration");
  return filter;
}

function readTime(text: string, flag: string): { ms: number; isDay: boolean } {
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?$/.test(text);
  const hasZone = /(?:Z|[+-]\d\d:\d\d)$/.test(text) && !isDay;
  const ms = isDay || isTime ? Date.parse(isDay || hasZone ? text : `${text}Z`) : Number.NaN;
  // A day that is not in the calendar becomes another one.
  const isReal = Number.isFinite(ms) && (hasZone || new Date(ms).toISOString().startsWith(text.slice(0, 10)));
  if (!isReal) throw usageError(`--${flag} ${safeText(text, 40)}: a time is 2026-11-21 or 2026-11-21T09:00, UTC`);
  return { ms, isDay };
}

function readNumber(text: string, flag: string): string {
  const number = text.trim();
  if (number !== "" && number.length <= MAX_NUMBER_CHARACTERS) return number;
  throw usageError(`--${flag}: a number has 1 to ${MAX_NUMBER_CHARACTERS} characters`);
}

function readDuration(text: string, flag: string): string {
  const [, count = "", unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? [];
  if (count === "") throw usageError(`--${flag} ${safeText(text, 40)}: a duration is 90 or 90s, 5m or 2h`);
  return String(Math.round(Number(count) * UNITS[unit]!));
}

function readTag(text: string): string {
  if (TAG_PATTERN.test(text)) return text;
  throw usageError(`--tag ${safeText(text, 60)}: a tag is 1 to 48 lower-case letters, digits and . _ -`);
}

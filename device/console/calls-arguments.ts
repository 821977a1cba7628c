// `sidetoned calls | tag | reindex`: what was asked for, as a value. Refuses in one line what is unknown or lacks.
import { type CallId, isCallId } from "../base/ids.js";
import { CONSENT_STATES, NO_AUDIO_REASONS, POLICIES } from "../contract/call-record.js";
import { type CallOutcome, MAX_TAGS, TAG_PATTERN } from "../contract/listing.js";
import { type CallFilter, MIN_SUFFIX } from "../store/index/call-source.js";
import { DEFAULT_PAGE, MAX_PAGE } from "../store/index/listing.js";
import {
  COMMON_FLAGS,
  type CommonFlags,
  commonFlags,
  type FlagValues,
  given,
  oneOf,
  printable,
  readFlags,
  readTime,
  refuseArgument,
  usage,
} from "./command-flags.js";

export interface CallsCommand extends CommonFlags {
  filter: CallFilter;
  limit: number;
  /** "" = the first page. */
  cursor: string;
}

export interface TagCommand extends CommonFlags {
  call: CallId;
  add: string[];
  remove: string[];
}

export type ReindexCommand = CommonFlags;

/** For --help: every line ends with a newline. */
export const CALLS_USAGE = `Usage: sidetoned calls [--from TIME] [--to TIME] [--agent NUMBER] [--number NUMBER] [--consent STATE] [--policy NAME]
           [--min-duration TIME] [--max-duration TIME] [--tag NAME] [--outcome NAME] [--limit COUNT] [--cursor TEXT]
           lists calls, the newest first; a number is found by its last ${MIN_SUFFIX} digits as well;
           a duration is 90, 90s, 5m or 2h; an outcome is recorded, deleted or why there is no audio
       sidetoned tag ID (add | remove) NAME [NAME]
       sidetoned reindex: makes the index of calls anew out of call log and manifests, also while the service runs
       each with [--json] [--data DIR] [--config FILE]
`;

const OUTCOMES = ["recorded", "deleted", ...NO_AUDIO_REASONS] as const satisfies readonly CallOutcome[];
const TAG_VERBS = ["add", "remove"] as const;
const UNITS: Readonly<Record<string, number>> = { "": 1000, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const DAY_LENGTH = "2026-11-21".length;
const MAX_NUMBER_CHARACTERS = 64;

/** `argv` is what follows `calls`. Throws SidetoneError usage with one line. */
export function parseCallsCommand(argv: readonly string[]): CallsCommand {
  const flags = {
    ...COMMON_FLAGS,
    ...{ from: "TIME", to: "TIME", agent: "NUMBER", number: "NUMBER", consent: "STATE", policy: "NAME", tag: "NAME" },
    ...{ outcome: "NAME", "min-duration": "TIME", "max-duration": "TIME", limit: "COUNT", cursor: "TEXT" },
  };
  const { values, positionals } = readFlags(argv, flags, { command: "calls" });
  refuseArgument(positionals[0], "calls");
  const { limit, cursor = "" } = given(values, { limit: "limit", cursor: "cursor" });
  return { ...commonFlags(values), filter: readFilter(values), limit: readLimit(limit), cursor };
}

/** `argv` is what follows `tag`. Throws SidetoneError usage with one line. */
export function parseTagCommand(argv: readonly string[]): TagCommand {
  const { values, positionals } = readFlags(argv, COMMON_FLAGS, { command: "tag" });
  const [id, verb, ...names] = positionals;
  if (id === undefined || verb === undefined || names.length === 0)
    throw usage("tag needs a call and what to do: sidetoned tag ID add NAME, or sidetoned tag ID remove NAME");
  const call = id.toUpperCase();
  if (!isCallId(call)) throw usage(`${printable(id)}: not an id (26 characters); sidetoned calls shows them`);
  if (names.length > MAX_TAGS) throw usage(`a call has at most ${MAX_TAGS} tags`);
  const tags = names.map(readTag);
  const isAdding = oneOf("tag ID ", verb, TAG_VERBS) === "add";
  return { ...commonFlags(values), call, add: isAdding ? tags : [], remove: isAdding ? [] : tags };
}

/** `argv` is what follows `reindex`. Throws SidetoneError usage with one line. */
export function parseReindexCommand(argv: readonly string[]): ReindexCommand {
  const { values, positionals } = readFlags(argv, COMMON_FLAGS, { command: "reindex" });
  refuseArgument(positionals[0], "reindex");
  return commonFlags(values);
}

function readFilter(values: FlagValues): CallFilter {
  const { from, to, agent, number, consent, policy, tag, outcome, least, most } = given(values, {
    ...{ from: "from", to: "to", agent: "agent", number: "number", consent: "consent", policy: "policy", tag: "tag" },
    ...{ outcome: "outcome", least: "min-duration", most: "max-duration" },
  });
  const filter: CallFilter = {
    ...(from !== undefined && { fromUs: Date.parse(readTime("--from", from, "start")) * 1000 }),
    ...(to !== undefined && { toUs: endUs(to) }),
    ...(agent !== undefined && { agent: readNumber("--agent", agent) }),
    ...(number !== undefined && { number: readNumber("--number", number) }),
    ...(consent !== undefined && { consent: oneOf("--consent ", consent, CONSENT_STATES) }),
    ...(policy !== undefined && { policy: oneOf("--policy ", policy, POLICIES) }),
    ...(tag !== undefined && { tag: readTag(tag) }),
    ...(outcome !== undefined && { outcome: oneOf("--outcome ", outcome, OUTCOMES) }),
    ...(least !== undefined && { minDurationMs: readDuration("--min-duration", least) }),
    ...(most !== undefined && { maxDurationMs: readDuration("--max-duration", most) }),
  };
  const { fromUs, toUs, minDurationMs, maxDurationMs } = filter;
  if (fromUs !== undefined && toUs !== undefined && fromUs >= toUs)
    throw usage(`--to ${printable(to!)} is not after --from ${printable(from!)}`);
  if (minDurationMs !== undefined && maxDurationMs !== undefined && minDurationMs > maxDurationMs)
    throw usage("--max-duration is shorter than --min-duration");
  return filter;
}

/** Calls that began before it: of a day, before the next one. */
function endUs(text: string): number {
  const ms = Date.parse(readTime("--to", text, "end"));
  return (text.length === DAY_LENGTH ? ms + 1 : ms) * 1000;
}

function readNumber(flag: string, text: string): string {
  const number = text.trim();
  if (number === "" || number.length > MAX_NUMBER_CHARACTERS)
    throw usage(`${flag}: a number has 1 to ${MAX_NUMBER_CHARACTERS} characters`);
  return number;
}

function readDuration(flag: string, text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? [];
  if (count === "") throw usage(`${flag} ${printable(text)}: a duration is 90 or 90s, 5m or 2h`);
  return Math.round(Number(count) * UNITS[unit]!);
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PAGE;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_PAGE) throw usage(`--limit ${printable(text)}: a page has 1 to ${MAX_PAGE} calls`);
  return limit;
}

function readTag(text: string): string {
  if (!TAG_PATTERN.test(text))
    throw usage(
      `${printable(text)}: a tag is 1 to 48 lower-case letters, digits and . _ - (no six digits in a row: it names no telephone number)`,
    );
  return text;
}

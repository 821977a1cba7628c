// `sidetoned calls` and `sidetoned tag` carried out: a page of the index as a table or as JSON, numbers as they were signalled;
// tags are asked of whoever has the data folder. What fits is store/index/'s to find.
import { EXIT, type ExitCode } from "../base/errors.js";
import { type CallsPage, LISTING_SCHEMA, type ListedCall, outcomeOf } from "../contract/listing.js";
import type { CallListing } from "../store/index/listing.js";
import { readIndex } from "../store/index/reading.js";
import { TAG } from "../store/index/tag-request.js";
import type { Asked } from "../store/spool-desk.js";
import type { CallsCommand, TagCommand } from "./calls-arguments.js";
import { usage } from "./command-flags.js";
import { type Column, formatTable, plainCell } from "./table.js";
import { NO_AUDIO_TEXT } from "./text.js";

/** Throws SidetoneError `index-missing`, `index-unusable`, and `usage` for a cursor that is none. */
export function runCallsCommand(
  { filter, limit, cursor, json }: CallsCommand,
  dataFolder: string,
  write: (text: string) => void,
): ExitCode {
  const { calls, next } = readIndex(dataFolder, (listing) => pageOf(listing, { filter, limit, cursor }));
  const page: CallsPage = { schema: LISTING_SCHEMA, calls, next };
  write(json ? `${JSON.stringify(page)}\n` : formatCalls(page));
  return EXIT.ok;
}

/** `ask` has whoever has the data folder do it. Throws SidetoneError `usage` for a call that takes no tags. */
export async function runTagCommand(
  { call, add, remove, json }: TagCommand,
  ask: (kind: string, body: unknown) => Promise<Asked>,
  write: (text: string) => void,
): Promise<ExitCode> {
  const asked = await ask(TAG, { call, add, remove });
  if (json) write(`${JSON.stringify(asked)}\n`);
  else if (asked.state === "accepted") write(`accepted as ${asked.id}: the service carries it out as soon as it can\n`);
  else {
    const { tags } = asked.result;
    const all = Array.isArray(tags) && tags.length > 0 ? tags.join(" ") : "none";
    write(`${call}: tags ${all}\n`);
  }
  return EXIT.ok;
}

function pageOf(listing: CallListing, { filter, limit, cursor }: Pick<CallsCommand, "filter" | "limit" | "cursor">) {
  try {
    return listing.list(filter, { limit, cursor });
  } catch (error) {
    if (error instanceof RangeError) throw usage("--cursor is none that a listing has given");
    throw error;
  }
}

const COLUMNS: readonly Column[] = [
  { title: "call", align: "left" },
  { title: "began (UTC)", align: "left" },
  { title: "length", align: "right" },
  { title: "agent", align: "left" },
  { title: "others", align: "left" },
  { title: "consent", align: "left" },
  { title: "policy", align: "left" },
  { title: "outcome", align: "left" },
  { title: "tags", align: "left" },
];
const MAX_CELL = 32;

/** For a terminal: one line a call; ends with a newline. */
export function formatCalls({ calls, next }: Omit<CallsPage, "schema">): string {
  if (calls.length === 0) return "No calls.\n";
  const lines = formatTable(COLUMNS, calls.map(rowOf));
  if (next !== "") lines.push(`There are more: the same again with --cursor ${next}`);
  return `${lines.join("\n")}\n`;
}

function rowOf(call: ListedCall): string[] {
  const { id, startedAt, durationMs, parties, policy, tags } = call;
  const agents = parties.filter(({ role }) => role === "agent");
  const others = parties.filter(({ role }) => role !== "agent");
  return [
    id,
    startedAt.slice(0, 19).replace("T", " "),
    formatLength(durationMs),
    cell(agents.map(({ number }) => number)),
    cell(others.map(({ number }) => number)),
    cell(others.map(({ consent }) => consent)),
    cell([policy]),
    outcomeText(call),
    cell(tags),
  ];
}

/** Each once, those that are there. */
function cell(texts: readonly string[]): string {
  return plainCell([...new Set(texts)].filter((text) => text !== "").join(", "), MAX_CELL);
}

function outcomeText(call: ListedCall): string {
  const outcome = outcomeOf(call);
  if (outcome === "recorded") return "recorded";
  if (outcome === "deleted") return `deleted (${call.deleted})`;
  return NO_AUDIO_TEXT[outcome]?.short ?? plainCell(outcome, MAX_CELL);
}

/** "1:03", "1:00:05"; "" without audio. */
function formatLength(durationMs: number): string {
  if (durationMs === 0) return "";
  const seconds = Math.round(durationMs / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

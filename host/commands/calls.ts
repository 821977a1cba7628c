// `sidetone calls`: finished calls by what they were, or those in progress.
import { MAX_LISTED, type StoredCall } from "../../device/contract/api-recordings.js";
import { OUTCOMES } from "../../device/contract/box-commands.js";
import { ACTIVE_COLUMNS, activeRow, type ShownActiveCall, STORED_COLUMNS, storedRow } from "../call-rows.js";
import type { BoxClient, Query } from "../client.js";
import type { Given, Host, HostCommand } from "../command.js";
import { wholeNumber } from "../command-line.js";
import { withBox } from "../connection.js";
import { HOST_EXIT, HostError, usageError } from "../errors.js";
import { FILTER_FLAGS, filterOf } from "../listing-filter.js";
import { textTable } from "../text-table.js";

const DEFAULT_LIMIT = 50;

export const callsCommand: HostCommand = {
  name: "calls",
  summary: "lists finished calls, the newest first, or those in progress",
  isRemote: true,
  flags: {
    active: { summary: "calls in progress instead; takes no other filter" },
    ...FILTER_FLAGS,
    outcome: {
      value: "OUTCOME",
      choices: ["any", ...OUTCOMES],
      summary: "its audio is there, was deleted, or never was",
    },
    limit: { value: "COUNT", summary: `calls, ${DEFAULT_LIMIT} unless told` },
    cursor: { value: "CURSOR", summary: "to go on behind an earlier listing, as it says at its end" },
    all: { summary: "all that fit, page by page" },
  },
  details: [
    "--json prints one document { calls, next } as the API gives it (GET /calls); with --all a line for each call; with --active",
    "{ calls } (GET /calls/active). Numbers are masked unless the token has the right listen, download or administer.",
    "Example: sidetone calls --from 2026-11-21 --outcome recorded --min-duration 5m",
  ],
  run: (given, host) =>
    withBox(given, host, async ({ client }) => {
      if (given.has("active")) await listActive(client, given, host);
      else if (given.has("all")) await listAll(client, given, host);
      else await listPage(client, given, host);
      return HOST_EXIT.ok;
    }),
};

async function listActive(client: BoxClient, given: Given, { output }: Host): Promise<void> {
  const others = [...Object.keys(FILTER_FLAGS), "outcome", "limit", "cursor", "all"].filter((flag) => given.has(flag));
  if (others.length > 0) throw usageError(`--${others[0]} does not go with --active`);
  const { calls } = (await client.json<{ calls?: ShownActiveCall[] } | undefined>("GET", "/calls/active")) ?? {};
  if (!Array.isArray(calls)) throw new HostError("bad-answer", "the box gave no list of calls");
  if (output.isJson) output.json({ calls });
  else if (calls.length === 0) output.line("No calls in progress.");
  else output.lines(textTable(ACTIVE_COLUMNS, calls.map(activeRow), output.width));
}

async function listPage(client: BoxClient, given: Given, { output }: Host): Promise<void> {
  const limit = wholeNumber("limit", given.text("limit") ?? String(DEFAULT_LIMIT), 1, MAX_LISTED);
  const { entries, next } = await client.page<StoredCall>("/calls", "calls", { ...queryOf(given), limit });
  if (output.isJson) {
    output.json({ calls: entries, next });
    return;
  }
  if (entries.length === 0) output.line("No calls.");
  else output.lines(textTable(STORED_COLUMNS, entries.map(storedRow), output.width));
  if (next !== "") output.line(`There are more: the same again with --cursor ${next}, or with --all`);
}

/** Page by page: what is printed is not kept. */
async function listAll(client: BoxClient, given: Given, { output, stopSignal }: Host): Promise<void> {
  if (given.has("limit")) throw usageError("--limit does not go with --all");
  const [filters, signal] = [queryOf(given), stopSignal()];
  let isFirst = true;
  for (let cursor = filters["cursor"]; ; ) {
    const page = await client.page<StoredCall>("/calls", "calls", { ...filters, cursor, limit: MAX_LISTED }, signal);
    if (output.isJson) for (const call of page.entries) output.json(call);
    else if (page.entries.length > 0) {
      const lines = textTable(STORED_COLUMNS, page.entries.map(storedRow), output.width);
      output.lines(isFirst ? lines : lines.slice(1));
      isFirst = false;
    }
    if (page.next === "" || page.next === cursor) break;
    cursor = page.next;
  }
  if (isFirst && !output.isJson) output.line("No calls.");
}

function queryOf(given: Given): Query {
  return { ...filterOf(given), outcome: given.text("outcome"), cursor: given.text("cursor") };
}

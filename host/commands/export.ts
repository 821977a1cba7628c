// `sidetone export`: calls as CSV or JSON lines, recordings as vCons, everything about a number as a tar. What is written is whole
// and checked, or not there.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { isCallId } from "../../device/base/ids.js";
import { MAX_LISTED, type StoredCall } from "../../device/contract/api-recordings.js";
import { OUTCOMES } from "../../device/contract/box-commands.js";
import { vconSchema } from "../../device/contract/vcon.js";
import { type BoxClient, type Query, segment } from "../client.js";
import type { Given, Host, HostCommand } from "../command.js";
import { withBox } from "../connection.js";
import { causeOf, HOST_EXIT, HostError, usageError } from "../errors.js";
import { csvHeader, csvLine } from "../export/csv.js";
import { TarCheck } from "../export/tar-check.js";
import { isSame, makeFile } from "../export/target.js";
import { FILTER_FLAGS, filterOf } from "../listing-filter.js";
import { safeJson, safeText } from "../safe-text.js";

const FORMS = ["csv", "jsonl", "vcon", "number"] as const;
type Form = (typeof FORMS)[number];
/** The box looks through all that it has before it begins. */
const GATHER_LIMIT_MS = 10 * 60_000;
/** One call's line is some hundred bytes. */
const PIECE_CHARACTERS = 256 * 1024;

export const exportCommand: HostCommand = {
  name: "export",
  summary: "writes calls as CSV or JSON lines, recordings as vCons, or everything about a number as a tar",
  arguments: [
    { name: "FORM", choices: FORMS },
    { name: "TARGET", names: "file" },
  ],
  isRemote: true,
  flags: {
    ...FILTER_FLAGS,
    outcome: {
      value: "OUTCOME",
      choices: ["any", ...OUTCOMES],
      summary: "csv, jsonl: its audio is there, was deleted, or never was",
    },
    reason: { value: "TEXT", summary: "number: why, for the box's audit chain; without the number itself" },
    raw: { summary: "csv: texts as they were signalled, for programs that are no spreadsheets" },
    force: { summary: "overwrites what is there" },
  },
  details: [
    "TARGET: of csv and jsonl a file, or - for stdout; of vcon a folder, which gets ID.vcon.json for each recording; of number a",
    "file. A file that is there is left alone without --force; a vCon that is there already and is the same counts as kept.",
    "csv: RFC 4180 in UTF-8, one call a line, columns as in the README. A cell that a spreadsheet would take for a formula (it",
    "begins with = + - @) has an apostrophe before it; control and direction marks become ?. --raw leaves all as it was signalled.",
    "jsonl: the calls as GET /calls gives them. Both have numbers in full with the right listen, download or administer alone.",
    "vcon: draft-ietf-vcon-vcon-core-04; needs the rights see and download. The audio is named by its URL and SHA-512.",
    "number: needs the right administer, --number and --reason; the archive is checked against its own contents.json.",
    "--json prints one document { form, target, calls, files, bytes, kept, gone, sha256 }; with TARGET - on stderr.",
    "Example: sidetone export csv november.csv --from 2026-11-01 --to 2026-11-30 --outcome recorded",
  ],
  run: (given, host) =>
    withBox(given, host, async ({ client }) => {
      const [form, target] = given.arguments as readonly [Form, string];
      refuseStrays(form, given);
      const summary = await EXPORTS[form](client, given, host, target);
      report(form, target, summary, host);
      return HOST_EXIT.ok;
    }),
};

interface Summary {
  calls: number;
  files: number;
  bytes: number;
  /** Were there already. */
  kept: number;
  /** Deleted since they were listed. */
  gone: number;
  /** Of the one file, "" where there are several or none. */
  sha256: string;
}

/** What the box says of a recording that is not there any more. */
const GONE: readonly (string | undefined)[] = ["recording-not-found", "recording-deleted"];
const NOTHING: Summary = { calls: 0, files: 0, bytes: 0, kept: 0, gone: 0, sha256: "" };

const EXPORTS: Readonly<
  Record<Form, (client: BoxClient, given: Given, host: Host, target: string) => Promise<Summary>>
> = {
  csv: (client, given, host, target) => {
    const isRaw = given.has("raw");
    return exportLines(client, given, host, target, { header: csvHeader, lineOf: (call) => csvLine(call, isRaw) });
  },
  jsonl: (client, given, host, target) =>
    exportLines(client, given, host, target, { header: "", lineOf: (call) => `${safeJson(call)}\n` }),
  vcon: exportVcons,
  number: exportNumber,
};

function refuseStrays(form: Form, given: Given): void {
  const meant: Readonly<Record<Form, readonly string[]>> = {
    csv: [...Object.keys(FILTER_FLAGS), "outcome", "raw", "force"],
    jsonl: [...Object.keys(FILTER_FLAGS), "outcome", "force"],
    vcon: [...Object.keys(FILTER_FLAGS), "force"],
    number: ["number", "reason", "force"],
  };
  const own = [...Object.keys(FILTER_FLAGS), "outcome", "reason", "raw", "force"];
  const stray = own.find((flag) => given.has(flag) && !meant[form].includes(flag));
  if (stray !== undefined) throw usageError(`--${stray} does not go with ${form}`);
}

interface LineForm {
  header: string;
  lineOf(call: StoredCall): string;
}

async function exportLines(
  client: BoxClient,
  given: Given,
  { output, stopSignal }: Host,
  target: string,
  { header, lineOf }: LineForm,
): Promise<Summary> {
  const calls = client.pages<StoredCall>("/calls", "calls", callsQuery(given), stopSignal());
  let count = 0;
  const pour = async (write: (text: string) => Promise<void>): Promise<void> => {
    let piece = header;
    for await (const call of calls) {
      count++;
      piece += lineOf(call);
      if (piece.length < PIECE_CHARACTERS) continue;
      await write(piece);
      piece = "";
    }
    await write(piece);
  };
  if (target === "-") {
    if (given.has("raw") && output.stdout.isTTY)
      throw usageError("--raw is not for a terminal, which would obey what callers call themselves: name a file");
    let bytes = 0;
    await pour(async (text) => {
      bytes += Buffer.byteLength(text);
      await writeOut(output.stdout, text);
    });
    return { ...NOTHING, calls: count, bytes };
  }
  const path = resolve(target);
  const made = await makeFile(path, given.has("force"), (file) => pour((text) => file.write(text)));
  return { ...NOTHING, calls: count, files: 1, ...made };
}

function writeOut(sink: Host["output"]["stdout"], text: string): Promise<void> {
  return new Promise((done) => {
    if (sink.write(text) || sink.once === undefined) done();
    else sink.once("drain", done);
  });
}

async function exportVcons(client: BoxClient, given: Given, host: Host, target: string): Promise<Summary> {
  const folder = resolve(target);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new HostError("file-unwritable", `cannot make ${safeText(folder, 500)}: ${causeOf(error)}`, { cause: error });
  }
  const signal = host.stopSignal();
  const summary = { ...NOTHING };
  for await (const { id } of client.pages<StoredCall>("/recordings", "calls", callsQuery(given), signal)) {
    // It becomes the name of a file, whatever the box says.
    if (!isCallId(id)) throw new HostError("bad-answer", "the box lists a recording under no id of one");
    summary.calls++;
    const vcon = await vconOf(client, id, signal);
    if (vcon === undefined) {
      summary.gone++;
      continue;
    }
    const [path, text] = [join(folder, `${id}.vcon.json`), `${safeJson(vcon)}\n`];
    if (isSame(path, text)) {
      summary.kept++;
      continue;
    }
    const { bytes } = await makeFile(path, given.has("force"), (file) => file.write(text));
    summary.files++;
    summary.bytes += bytes;
  }
  return summary;
}

/** Undefined when it was deleted meanwhile. */
async function vconOf(client: BoxClient, id: string, signal: AbortSignal): Promise<unknown> {
  let answer: unknown;
  try {
    answer = await client.json("GET", `/recordings/${segment(id)}/vcon`, { signal });
  } catch (error) {
    if (error instanceof HostError && GONE.includes(error.problem)) return undefined;
    throw error;
  }
  const read = vconSchema.safeParse(answer);
  if (!read.success) throw new HostError("bad-answer", `what the box gives of ${id} is no vCon that this knows`);
  return answer;
}

async function exportNumber(client: BoxClient, given: Given, host: Host, target: string): Promise<Summary> {
  const [number, reason] = [given.text("number"), given.text("reason")];
  if (number === undefined || reason === undefined) throw usageError("number needs --number and --reason");
  if (target === "-") throw usageError("number is written to a file: it is checked before it gets its name");
  const signal = host.stopSignal();
  const check = new TarCheck();
  const { bytes, sha256 } = await makeFile(resolve(target), given.has("force"), async (file) => {
    const query = { number, reason };
    const answer = await client.open("/export", { query, signal, answerLimitMs: GATHER_LIMIT_MS });
    try {
      for await (const piece of answer) {
        check.add(piece as Buffer);
        await file.write(piece as Buffer);
      }
      check.end();
    } catch (error) {
      answer.destroy();
      signal.throwIfAborted();
      if (error instanceof HostError) throw error;
      throw new HostError("bad-answer", `the archive is not whole: ${causeOf(error)}`, { cause: error });
    }
  });
  return { ...NOTHING, files: 1, bytes, sha256 };
}

function callsQuery(given: Given): Query {
  return { ...filterOf(given), outcome: given.text("outcome"), limit: MAX_LISTED };
}

function report(form: Form, target: string, summary: Summary, { output }: Host): void {
  const document = { form, target, ...summary };
  if (target === "-") {
    if (output.isJson) output.stderr.write(`${safeJson(document)}\n`);
    else output.note(textOf(form, summary));
  } else if (output.isJson) output.json(document);
  else output.line(`${textOf(form, summary)}: ${target}`);
}

function textOf(form: Form, { calls, files, bytes, kept, gone, sha256 }: Summary): string {
  const size = bytes < 1e6 ? `${bytes} bytes` : `${(bytes / 1e6).toFixed(1)} MB`;
  if (form === "number") return `${size}, checked, SHA-256 ${sha256}`;
  if (form !== "vcon") return `${calls} calls, ${size}`;
  const more = [...(kept > 0 ? [`${kept} were there`] : []), ...(gone > 0 ? [`${gone} were deleted meanwhile`] : [])];
  return [`${files} vCons of ${calls} recordings, ${size}`, ...more].join(", ");
}

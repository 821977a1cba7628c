// `sidetoned retention | delete | erase | hold` carried out: what only looks is done here, what changes something is asked of
// whoever has the data folder, the running service or this process. What may go is store/retention/'s to decide.
import { type Clock, isoUs, systemClock } from "../base/clock.js";
import { EXIT, type ExitCode } from "../base/errors.js";
import type { Config } from "../contract/config.js";
import { maskNumber } from "../contract/number-mask.js";
import { readPublicKey } from "../store/public-key.js";
import { RecordingPaths } from "../store/recording-paths.js";
import { AgeClockFile, judgeClock } from "../store/retention/age-clock.js";
import { explain, type Judged, newestEndUs, OpenBook } from "../store/retention/book.js";
import { ErasureBook } from "../store/retention/erasure.js";
import { type Hold, HoldBook } from "../store/retention/holds.js";
import { type NumberSearch, searchCalls, soughtNumber } from "../store/retention/number-search.js";
import { DELETE, ERASE, HOLD_ADD, HOLD_REMOVE } from "../store/retention/requests.js";
import { commandTable } from "../store/retention/terms-trail.js";
import type { Asked } from "../store/spool-desk.js";
import type { SpoolResult } from "../store/spool-kinds.js";
import { printable, usage } from "./command-flags.js";
import type { RetentionCommand } from "./retention-arguments.js";
import { type Column, formatTable, plainLine } from "./table.js";

export const RETENTION_REPORT_SCHEMA = "sidetone.retention-report/1";
/** Lines of one kind for a person; JSON has all. */
const MAX_LINES = 200;

export interface RetentionIo {
  write(text: string): void;
  /** Has whoever has the data folder do it. */
  ask(kind: string, body: unknown): Promise<Asked>;
  clock?: Clock;
}

/** What export-command.ts does. */
export type ExportCommand = CommandOf<"export">;
type CommandOf<Verb extends RetentionCommand["verb"]> = Extract<RetentionCommand, { verb: Verb }>;

/** Throws SidetoneError `usage` for what may not be done, with the reason in its line. */
export async function runRetentionCommand(
  command: Exclude<RetentionCommand, ExportCommand>,
  dataFolder: string,
  config: Config,
  io: RetentionIo,
): Promise<ExitCode> {
  switch (command.verb) {
    case "retention":
      report(command, dataFolder, config, io);
      return EXIT.ok;
    case "hold list":
      listHolds(command, new HoldBook(new RecordingPaths(dataFolder), config.numbers).read(), io);
      return EXIT.ok;
    case "hold add": {
      const asked = await io.ask(HOLD_ADD, { covers: command.covers, reason: command.reason });
      say(command, io, asked, ({ hold }) => `held: ${String(hold)}`);
      return EXIT.ok;
    }
    case "hold remove": {
      const asked = await io.ask(HOLD_REMOVE, { id: command.id, reason: command.reason });
      say(command, io, asked, () => `lifted: ${command.id}`);
      return EXIT.ok;
    }
    case "delete": {
      const { call, reason, overridesMinimum } = command;
      const asked = await io.ask(DELETE, { call, reason, overridesMinimum });
      say(command, io, asked, () => `deleted: ${call}; sidetoned prove ${call} shows the certificate`);
      return EXIT.ok;
    }
    case "erase":
      return erase(command, dataFolder, config, io);
  }
}

async function erase(
  command: CommandOf<"erase">,
  dataFolder: string,
  config: Config,
  io: RetentionIo,
): Promise<ExitCode> {
  const { number, reason, overridesMinimum, forgetsRefusals, isDryRun, isConfirmed } = command;
  if (isDryRun || !isConfirmed) {
    const book = openBook(dataFolder, config, io.clock);
    const sought = soughtNumber(number, config.numbers);
    const found = await searchCalls(book, sought, config.numbers, overridesMinimum);
    showErasure(command, found, io);
    if (isDryRun) return EXIT.ok;
    throw usage("nothing was erased: what would go is above, and --yes does it");
  }
  const asked = await io.ask(ERASE, { number, reason, overridesMinimum, forgetsRefusals });
  say(command, io, asked, describeErased);
  return EXIT.ok;
}

function describeErased(result: SpoolResult): string {
  const { recordings, lines, locked, nameless, waiting, isWatched, reasons, registerEntries, refusalsKept } = result;
  const text = [
    `erased: ${String(recordings)} recordings, ${String(lines)} calls without one, ${String(registerEntries)} register entries`,
  ];
  if (Number(locked) > 0) text.push(`${String(locked)} calls were taken out of journals that this box cannot read`);
  if (Array.isArray(nameless)) text.push(...nameless.map(namelessText));
  if (Number(refusalsKept) > 0)
    text.push(
      `${String(refusalsKept)} refusals stay in the consent register, so that the refusal is kept (--forget-refusals)`,
    );
  if (isWatched === true) text.push("a call with it that is in progress now is erased when it has ended");
  if (Number(waiting) > 0) text.push(`${String(waiting)} calls wait and are erased when they may be:`);
  return [...text, ...(Array.isArray(reasons) ? reasons.map((line) => `  ${String(line)}`) : [])].join("\n");
}

/** What the box cannot say of a locked journal. */
export function namelessText({ run, calls }: NumberSearch["nameless"][number]): string {
  return `locked-journals/${run} holds ${calls} calls of which nobody can say whose they are; sidetoned journal open does, with a recipient's key`;
}

function showErasure({ json, number }: CommandOf<"erase">, search: NumberSearch, io: RetentionIo): void {
  const { found, judged, unrecorded, calls: locked, nameless } = search;
  const going = judged.filter(({ decision }) => decision.kind === "go");
  const staying = judged.filter(({ decision }) => decision.kind !== "go");
  if (json) {
    const rows = judged.map(rowOf);
    const facts = { calls: found.length, recordings: rows, unrecorded };
    const lockedIds = locked.map(({ record }) => record.id);
    io.write(`${JSON.stringify({ schema: RETENTION_REPORT_SCHEMA, ...facts, locked: lockedIds, nameless })}\n`);
    return;
  }
  const losing = unrecorded.filter(({ why }) => why === "").length;
  io.write(
    `${printable(maskNumber(number))}: ${going.length} recordings would go now, ${losing} calls without one lose their numbers\n`,
  );
  writeTable(going, io);
  if (locked.length > 0) io.write(`${locked.length} of the calls are in journals that this box cannot read\n`);
  for (const one of nameless) io.write(`${namelessText(one)}\n`);
  const waiting = staying.length + unrecorded.length - losing;
  if (waiting > 0) io.write(`${waiting} have to wait:\n`);
  writeTable(staying, io);
  for (const { id, why } of unrecorded.filter((one) => one.why !== "").slice(0, MAX_LINES))
    io.write(`  ${id}  ${why}\n`);
}

/** What the next sweep would do, and why the rest stays. Changes nothing. */
function report({ json, showsAll }: CommandOf<"retention">, dataFolder: string, config: Config, io: RetentionIo): void {
  const book = openBook(dataFolder, config, io.clock);
  const erasures = new ErasureBook(new RecordingPaths(dataFolder)).read();
  const due: Judged[] = [];
  const others: Judged[] = [];
  const counts = new Map<string, number>();
  let bytes = 0;
  for (const recording of book.recordings()) {
    if (recording.isBuried) continue;
    const judged = book.judge(recording, "retention");
    const why = kindOf(judged);
    counts.set(why, (counts.get(why) ?? 0) + 1);
    if (judged.decision.kind === "go") {
      due.push(judged);
      bytes += recording.bytes;
    } else if (showsAll) others.push(judged);
  }
  const waiting = erasures.reduce((sum, erasure) => sum + erasure.waiting.length, 0);
  if (json) {
    const kept = Object.fromEntries(counts);
    const all = [...due, ...others].map(rowOf);
    const facts = { due: due.length, bytes, counts: kept, erasuresWaiting: waiting, recordings: all };
    io.write(`${JSON.stringify({ schema: RETENTION_REPORT_SCHEMA, ...facts })}\n`);
    return;
  }
  io.write(`${due.length} recordings would go now (${(bytes / 1e6).toFixed(1)} MB)\n`);
  writeTable(due, io);
  for (const [why, count] of counts) if (why !== "due") io.write(`${count} stay: ${why}\n`);
  writeTable(others, io);
  if (waiting > 0) io.write(`${waiting} calls wait to be erased: a hold or a minimum age keeps them\n`);
}

function kindOf({ decision, terms }: Judged): string {
  switch (decision.kind) {
    case "go":
      return "due";
    case "keep":
      return `class ${terms.class} goes at ${terms.maxDays} days`;
    case "forever":
      return decision.why === "no-class" ? "no class: kept for ever" : `class ${terms.class} has no maximum age`;
    case "blocked":
      return decision.why === "hold" ? "held" : `the clock cannot be believed: ${decision.fault}`;
  }
}

function rowOf({ recording, terms, decision }: Judged) {
  const { id, endedAtUs, bytes } = recording;
  return {
    id,
    endedAt: isoUs(endedAtUs),
    bytes,
    class: terms.class,
    minDays: terms.minDays,
    maxDays: terms.maxDays,
    goes: decision.kind === "go",
    why: explain({ decision, terms }),
    goesAt: atOf({ decision }),
  };
}

/** When it goes, or would if nothing kept it; "" = never. */
function atOf({ decision }: Pick<Judged, "decision">): string {
  switch (decision.kind) {
    case "go":
      return isoUs(decision.sinceUs);
    case "keep":
      return isoUs(decision.untilUs);
    case "blocked":
      return decision.dueUs === undefined ? "" : isoUs(decision.dueUs);
    case "forever":
      return "";
  }
}

const COLUMNS: readonly Column[] = [
  { title: "recording", align: "left" },
  { title: "ended", align: "left" },
  { title: "class", align: "left" },
  { title: "goes", align: "left" },
  { title: "why", align: "left" },
];

function writeTable(judged: readonly Judged[], io: RetentionIo): void {
  if (judged.length === 0) return;
  const rows = judged.slice(0, MAX_LINES).map((one) => {
    const { id, endedAt, why, goesAt, class: name } = rowOf(one);
    return [id, endedAt.slice(0, 16), name, goesAt.slice(0, 10), why];
  });
  for (const line of formatTable(COLUMNS, rows)) io.write(`  ${plainLine(line)}\n`);
  if (judged.length > MAX_LINES) io.write(`  and ${judged.length - MAX_LINES} more (--json has all)\n`);
}

function listHolds({ json }: CommandOf<"hold list">, holds: readonly Hold[], io: RetentionIo): void {
  if (json) {
    io.write(`${JSON.stringify({ schema: "sidetone.holds/1", holds })}\n`);
    return;
  }
  if (holds.length === 0) io.write("There are no holds.\n");
  else {
    const titles = ["hold", "since", "covers", "by", "reason"];
    const columns = titles.map((title): Column => ({ title, align: "left" }));
    const rows = holds.map(({ id, at, covers, by, reason }) => [id, at.slice(0, 16), coverText(covers), by, reason]);
    for (const line of formatTable(columns, rows)) io.write(`${plainLine(line)}\n`);
  }
}

function coverText(covers: Hold["covers"]): string {
  if ("call" in covers) return `call ${covers.call}`;
  if ("number" in covers) return `number ${covers.number}`;
  return `${covers.from} to ${covers.to}`;
}

function say(
  { json }: RetentionCommand,
  io: RetentionIo,
  asked: Asked,
  describe: (result: SpoolResult) => string,
): void {
  if (json) io.write(`${JSON.stringify(asked)}\n`);
  else if (asked.state === "done") io.write(`${describe(asked.result)}\n`);
  else io.write(`accepted as ${asked.id}: the service carries it out as soon as it can\n`);
}

/** As the service decides, as far as a look from outside can tell. */
export function openBook(dataFolder: string, config: Config, clock: Clock = systemClock): OpenBook {
  const paths = new RecordingPaths(dataFolder);
  const ages = new AgeClockFile(paths);
  const nowUs = clock.nowUs();
  const state = { acceptedUs: ages.acceptedUs, acceptedAtMs: undefined, probation: undefined };
  const sight = { nowUs, monotonicMs: clock.monotonicMs(), fault: "" };
  const { fault } = judgeClock(state, sight, newestEndUs(paths, config.numbers));
  const table = commandTable(paths, { publicKey: readPublicKey(dataFolder) }, config.retention);
  const holds = new HoldBook(paths, config.numbers);
  const moment = { nowUs, clockFault: fault, dateOf: ages.undated.get.bind(ages.undated) };
  return new OpenBook({ paths, numbers: config.numbers, table, holds }, moment);
}

// Everything that the data folder has about a number, gathered for its export: which calls, files and lines it is, not their
// bytes. One look, while the service may go on. Never writes.
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { SidetoneError } from "../../base/errors.js";
import type { CallId } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import {
  AGENTS_REGISTER,
  CONSENT_REGISTER,
  entryId,
  parseLine,
  REGISTERS_FOLDER,
  type RegisterFormat,
  registerKey,
} from "../../consent/register-line.js";
import { readRegisterLines } from "../../consent/register-reader.js";
import { parseLogLine } from "../call-log-redaction.js";
import type { DeviceKey } from "../device-key.js";
import { isoDay, type RecordingPaths, TOMBSTONE_SUFFIX, timeOfCallId } from "../recording-paths.js";
import type { OpenBook } from "../retention/book.js";
import { type Hold, HoldBook, markOfNumber } from "../retention/holds.js";
import type { LockedCall } from "../retention/locked-calls.js";
import { logLines, type NumberSearch, searchCalls, soughtNumber } from "../retention/number-search.js";
import type { StoredRecording } from "../retention/stored-recordings.js";
import { type AuditAbout, findInAudit } from "./audit-about.js";

export interface AboutOptions {
  book: OpenBook;
  number: string;
  numbers: NumberRules;
  maxRegisterEntries: number;
  key: DeviceKey;
}

export interface RegisterLines {
  fileName: string;
  lines: Buffer[];
}

/** What there is about a number. */
export interface About {
  number: string;
  /** As the audit chain names it. */
  mark: string;
  calls: ReadonlySet<CallId>;
  recordings: readonly StoredRecording[];
  /** Days of the call log, "2026-11-21", with how many lines of its calls each has. */
  logDays: { day: string; lines: number }[];
  registers: readonly RegisterLines[];
  audit: AuditAbout;
  /** Tombstones of its deleted recordings, as far as they can be attributed: paths. */
  tombstones: string[];
  holds: readonly Hold[];
  locked: readonly LockedCall[];
  nameless: NumberSearch["nameless"];
}

/** Throws file system errors, and SidetoneError for registers or holds that cannot be read. */
export async function gatherAbout(options: AboutOptions): Promise<About> {
  const { book, number, numbers, key, maxRegisterEntries } = options;
  const { paths } = book;
  const search = await searchCalls(book, soughtNumber(number, numbers), numbers, false);
  const calls = new Set(search.found.map(({ id }) => id));
  const subject = registerKey(number, numbers);
  const mark = markOfNumber(subject, key.privateKey);
  const entries = new Set<string>();
  const readRegister = <Entry extends object>(format: RegisterFormat<Entry>): RegisterLines =>
    linesOfRegister(paths, format, { subject, numbers, maxEntries: maxRegisterEntries, entries });
  const registers = [readRegister(CONSENT_REGISTER), readRegister(AGENTS_REGISTER)];
  const runs = new Set(search.calls.map(({ folder }) => basename(folder)));
  const audit = await findInAudit(paths.dataFolder, { calls, mark, registerEntries: entries, runs });
  const theirs = new Set([...calls, ...audit.deleted]);
  const days = new Set(search.found.map(({ loggedOn }) => loggedOn));
  for (const id of audit.deleted) days.add(isoDay(timeOfCallId(id)));
  const logDays = [...days].sort().map((day) => ({ day, lines: linesOfCalls(paths, day, theirs).length }));
  const holds = new HoldBook(paths, numbers).read();
  return {
    number,
    mark,
    calls: theirs,
    recordings: search.judged.map(({ recording }) => recording),
    logDays: logDays.filter(({ lines }) => lines > 0),
    registers: registers.filter(({ lines }) => lines.length > 0),
    audit,
    tombstones: [...audit.deleted].flatMap((id) => tombstoneOf(paths, id)),
    holds: holds.filter(({ covers }) => names(covers, calls, subject, numbers)),
    locked: search.calls,
    nameless: search.nameless,
  };
}

/** Lines of a day's call log about these calls, as they stand. */
export function linesOfCalls(paths: RecordingPaths, day: string, calls: ReadonlySet<CallId>): string[] {
  return logLines(paths, day).filter((text) => {
    const line = parseLogLine(text);
    return line !== undefined && calls.has(line.id);
  });
}

/** Paths of all that has a recording's name in its day's folder. */
export function filesOfRecording(paths: RecordingPaths, { id, day }: Pick<StoredRecording, "id" | "day">): string[] {
  const folder = join(paths.recordingsFolder, day);
  return namesIn(folder)
    .filter((name) => name.startsWith(`${id}.`) && !name.endsWith(".partial"))
    .sort()
    .map((name) => join(folder, name));
}

function tombstoneOf(paths: RecordingPaths, id: CallId): string[] {
  const day = isoDay(timeOfCallId(id)).replaceAll("-", "/");
  return filesOfRecording(paths, { id, day }).filter((path) => path.endsWith(TOMBSTONE_SUFFIX));
}

function names(covers: Hold["covers"], calls: ReadonlySet<CallId>, subject: string, numbers: NumberRules): boolean {
  if ("number" in covers) return registerKey(covers.number, numbers) === subject;
  return "call" in covers && calls.has(covers.call);
}

function linesOfRegister<Entry extends object>(
  { dataFolder }: RecordingPaths,
  format: RegisterFormat<Entry>,
  wanted: { subject: string; numbers: NumberRules; maxEntries: number; entries: Set<string> },
): RegisterLines {
  const lines: Buffer[] = [];
  const path = join(dataFolder, REGISTERS_FOLDER, format.fileName);
  const fault = readRegisterLines(path, wanted.maxEntries, (line) => {
    const checked = line && parseLine(format, line.toString("utf8"));
    if (!checked?.ok) return;
    const { entry } = checked.statement;
    if (registerKey(format.subjectOf(entry), wanted.numbers) !== wanted.subject) return;
    wanted.entries.add(entryId(format, entry));
    lines.push(Buffer.from(`${line!.toString("utf8")}\n`, "utf8"));
  });
  if (fault !== "") throw new SidetoneError("data-unwritable", fault);
  return { fileName: format.fileName, lines };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

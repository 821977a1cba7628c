// The files of which the index is made, day by day: the call log's file and the folder of recordings. Tells by how they look
// whether a day may have changed since, and reads what they have of each call. Never writes; checks no signature.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type CallId, isCallId } from "../../base/ids.js";
import type { CallLogLine, Manifest } from "../../contract/manifest.js";
import { DELETION_REASONS, type DeletionReason, type Tombstone } from "../../contract/tombstone.js";
import { readLines } from "../audit-files.js";
import { recordingDays } from "../recording-days.js";
import { isoDay, type RecordingPaths, TOMBSTONE_SUFFIX } from "../recording-paths.js";
import { parseManifest } from "../signature.js";
import { entryOf, type IndexEntry, usOfIso } from "./entry.js";

const LOG_SUFFIX = ".jsonl";
const MANIFEST_SUFFIX = ".json";
const DAY_PATTERN = /^\d{4}-\d\d-\d\d$/;
/** Without tombstone files a deleted recording has only its line in the log to say so. */
const UNKNOWN_REASON: DeletionReason = "request";

/** What a day's folder has. */
interface DayFolder {
  manifests: ReadonlySet<string>;
  tombstones: ReadonlySet<string>;
}

export class IndexSources {
  readonly #paths: RecordingPaths;
  /** Lines and manifests that say nothing that can be read. */
  unreadable = 0;
  /** Call logs, manifests and tombstones. */
  filesRead = 0;
  /** Of call logs. */
  bytesRead = 0;

  constructor(paths: RecordingPaths) {
    this.#paths = paths;
  }

  /** Days that have a file, "2026-11-21", the newest first. Throws file system errors. */
  days(): string[] {
    const days = new Set(
      namesIn(this.#paths.callsFolder)
        .filter((name) => name.endsWith(LOG_SUFFIX))
        .map((name) => name.slice(0, -LOG_SUFFIX.length)),
    );
    for (const folder of recordingDays(this.#paths, "oldest")) days.add(folder.replaceAll("/", "-"));
    return [...days]
      .filter((day) => DAY_PATTERN.test(day))
      .sort()
      .reverse();
  }

  /** Changes whenever a line is logged or redacted, and whenever a recording comes or goes. */
  markOf(day: string): string {
    const log = statSync(this.#logPath(day), { bigint: true, throwIfNoEntry: false });
    const folder = statSync(this.#folder(day), { bigint: true, throwIfNoEntry: false });
    return `${log ? `${log.ino} ${log.size} ${log.mtimeNs}` : ""}|${folder ? `${folder.ino} ${folder.mtimeNs}` : ""}`;
  }

  /** Size of the day's call log: how much there is to do, as far as it can be told beforehand. */
  sizeOf(day: string): number {
    return statSync(this.#logPath(day), { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Every call of a day, some of them twice where the log has them twice. Throws file system errors. */
  *read(day: string): Generator<IndexEntry, void> {
    const folder = this.#look(day);
    const seen = new Set<string>();
    const path = this.#logPath(day);
    if (existsSync(path)) {
      this.filesRead++;
      for (const { bytes, isTooLong } of readLines(path)) {
        this.bytesRead += bytes.length + 1;
        const line = isTooLong ? undefined : parseLogLine(bytes);
        const entry = line && this.#entry(day, line, folder);
        if (entry === undefined) {
          if (bytes.length > 0) this.unreadable++;
          continue;
        }
        seen.add(entry.id);
        yield entry;
      }
    }
    for (const id of folder.manifests) {
      if (seen.has(id)) continue;
      const entry = this.#entry(day, { id: id as CallId }, folder);
      if (entry === undefined) this.unreadable++;
      else yield entry;
    }
  }

  /** The call of a line that was just logged. */
  entryFor(line: CallLogLine): IndexEntry | undefined {
    const day = line.startedAt.slice(0, 10);
    if (!DAY_PATTERN.test(day) || !isCallId(line.id)) return undefined;
    const has = (suffix: string): ReadonlySet<string> =>
      new Set(existsSync(join(this.#folder(day), line.id + suffix)) ? [line.id] : []);
    return this.#entry(day, line, { manifests: has(MANIFEST_SUFFIX), tombstones: has(TOMBSTONE_SUFFIX) });
  }

  #entry(
    day: string,
    line: CallLogLine | { id: CallId },
    { manifests, tombstones }: DayFolder,
  ): IndexEntry | undefined {
    const { id } = line;
    const isLogged = "schema" in line;
    const manifest = manifests.has(id) ? this.#manifest(day, id) : undefined;
    const deleted = (isLogged ? line.deleted : undefined) ?? (tombstones.has(id) ? this.#reasonOf(day, id) : undefined);
    try {
      const entry = entryOf({
        line: isLogged ? line : undefined,
        manifest,
        folder: `recordings/${day.replaceAll("-", "/")}`,
        deleted,
      });
      return entry !== undefined && isoDay(usOfIso(entry.startedAt)!) === day ? entry : undefined;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return undefined;
    }
  }

  /** Undefined when it is not there (any more), or none of that call. */
  #manifest(day: string, id: CallId): Manifest | undefined {
    const manifest = readIfThere(join(this.#folder(day), id + MANIFEST_SUFFIX), parseManifest);
    this.filesRead++;
    return manifest?.id === id ? manifest : undefined;
  }

  #reasonOf(day: string, id: CallId): DeletionReason {
    const tombstone = readIfThere(join(this.#folder(day), id + TOMBSTONE_SUFFIX), parseManifest) as unknown as
      | Partial<Tombstone>
      | undefined;
    this.filesRead++;
    return DELETION_REASONS.find((reason) => reason === tombstone?.reason) ?? UNKNOWN_REASON;
  }

  #look(day: string): DayFolder {
    const names = namesIn(this.#folder(day));
    const ids = (suffix: string): ReadonlySet<string> =>
      new Set(
        names
          .filter((name) => name.endsWith(suffix))
          .map((name) => name.slice(0, -suffix.length))
          .filter((name) => isCallId(name)),
      );
    return { manifests: ids(MANIFEST_SUFFIX), tombstones: ids(TOMBSTONE_SUFFIX) };
  }

  #logPath(day: string): string {
    return join(this.#paths.callsFolder, day + LOG_SUFFIX);
  }

  #folder(day: string): string {
    return join(this.#paths.recordingsFolder, ...day.split("-"));
  }
}

function parseLogLine(bytes: Buffer): CallLogLine | undefined {
  const line = parseManifest(bytes) as unknown as CallLogLine | undefined;
  return line?.schema === "sidetone.call-log/1" && isCallId(String(line.id)) ? line : undefined;
}

function readIfThere<Value>(path: string, parse: (bytes: Buffer) => Value): Value | undefined {
  try {
    return parse(readFileSync(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}

// Writes an export as FILE.partial, which becomes FILE when it is whole. The order, so that being killed at any moment leaves
// neither half an archive by that name nor an export that the audit chain does not know, nor one that it makes up:
//
//   1  FILE.partial is written and made durable
//   2  the intent of its entry is in the spool, durable (export-trail.ts)
//   3  FILE.partial gets its name, and the folder is made durable
//   4  the intent is confirmed: whoever has the data folder enters it
//
// Killed before 3, there is no FILE, and the intent is dropped; after it, FILE is there, and the intent is carried out.
import { existsSync, lstatSync, realpathSync, renameSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { isoUs } from "../../base/clock.js";
import { SidetoneError } from "../../base/errors.js";
import { sha256Of } from "../../base/sha256.js";
import type { AuditDetail } from "../../contract/audit.js";
import { storageFault } from "../../seal/storage-fault.js";
import { syncFolder } from "../durable-file.js";
import type { RecordingPaths } from "../recording-paths.js";
import type { SpoolIntent } from "../spool-desk.js";
import { TarWriter, type TarWritten } from "../tar.js";
import type { About } from "./about.js";
import { type MemberKind, membersOf } from "./members.js";
import { readmeText } from "./readme.js";

export const EXPORT_SCHEMA = "sidetone.export/1";
const FILE_MODE = 0o600;

export interface ArchiveContents {
  about: About;
  paths: RecordingPaths;
  /** The box's name. */
  device: string;
  by: string;
  reason: string;
  atUs: number;
}

export interface ArchiveOptions extends ArchiveContents {
  /** Absolute. */
  file: string;
  /** Aborted: nothing is exported. */
  signal: AbortSignal;
  /** Leaves the intent of the entry. */
  intend(written: TarWritten, detail: AuditDetail): SpoolIntent;
}

export interface Exported extends TarWritten {
  files: number;
  gone: number;
}

/** Where the archive is to be. Throws SidetoneError `usage` where it may not be. */
export function checkTarget(file: string, dataFolder: string): string {
  const target = resolve(file);
  const folder = realFolder(dirname(target));
  if (folder === undefined) throw refusal(`${dirname(target)} is no folder: make it first`);
  const data = realFolder(dataFolder);
  if (data !== undefined && (folder === data || folder.startsWith(data + sep)))
    throw refusal(`${target} is inside the data folder: export to another place`);
  const path = join(folder, basename(target));
  if (isThere(path)) throw refusal(`${target} is there already: it is not overwritten`);
  if (isThere(partialOf(path)))
    throw refusal(`${partialOf(target)} is there: another export writes it, or one was killed; then remove it`);
  return path;
}

/** Resolves when FILE is durable. Rejects with SidetoneError `export-failed`: then nothing of it is left, unless it says so. */
export async function writeArchive(options: ArchiveOptions): Promise<Exported> {
  const { file } = options;
  const partial = partialOf(file);
  try {
    const exported = await writePartial(partial, options);
    const { about, reason } = options;
    const { bytes, sha256, files } = exported;
    const facts = { recordings: about.recordings.length, calls: about.calls.size, files };
    const intent = options.intend({ bytes, sha256 }, { number: about.mark, reason, ...facts, bytes, sha256 });
    publish(partial, file, intent);
    return exported;
  } catch (error) {
    throw storageFault("export-failed", "nothing was exported", error);
  }
}

export function partialOf(file: string): string {
  return `${file}.partial`;
}

async function writePartial(partial: string, options: ArchiveOptions): Promise<Exported> {
  const handle = await open(partial, "wx", FILE_MODE);
  try {
    const exported = await writeMembers((bytes) => append(handle, bytes, options.signal), options);
    await handle.sync();
    await handle.close();
    return exported;
  } catch (error) {
    await handle.close().catch(() => {});
    rmSync(partial, { force: true });
    throw error;
  }
}

function publish(partial: string, file: string, intent: SpoolIntent): void {
  try {
    if (isThere(file))
      throw new SidetoneError("export-failed", `${file} has come there meanwhile: nothing was exported`);
    renameSync(partial, file);
  } catch (error) {
    intent.withdraw();
    rmSync(partial, { force: true });
    throw error;
  }
  try {
    syncFolder(dirname(file));
  } catch (cause) {
    throw new SidetoneError("export-failed", `${file} is there, but its folder cannot be made durable`, { cause });
  } finally {
    intent.confirm();
  }
}

/** The archive's bytes, piece by piece; each is good until its write resolves. Throws what `write` does, and file system errors. */
export async function writeMembers(
  write: (bytes: Buffer) => Promise<void>,
  { about, paths, device, by, reason, atUs }: ArchiveContents,
): Promise<Exported> {
  const writer = new TarWriter(write);
  const modifiedAtMs = atUs / 1000;
  const gone: string[] = [];
  const counts = new Map<MemberKind, number>();
  const files: { name: string; bytes: number; sha256: string }[] = [];
  for (const { kind, ...member } of membersOf(about, paths, modifiedAtMs, (name) => gone.push(name))) {
    const sha256 = await writer.add(member);
    files.push({ name: member.name, bytes: member.size, sha256 });
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const readme = Buffer.from(readmeText({ about, device, by, reason, atUs, counts, gone }), "utf8");
  await writer.add({ name: "README.txt", size: readme.length, modifiedAtMs, chunks: [readme] });
  files.push({ name: "README.txt", bytes: readme.length, sha256: sha256Of(readme) });
  const head = { schema: EXPORT_SCHEMA, device, number: about.number, at: isoUs(atUs), by, reason };
  const contents = Buffer.from(`${JSON.stringify({ ...head, files, gone }, null, 1)}\n`, "utf8");
  await writer.add({ name: "contents.json", size: contents.length, modifiedAtMs, chunks: [contents] });
  return { ...(await writer.end()), files: files.length + 1, gone: gone.length };
}

async function append(handle: FileHandle, bytes: Buffer, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw new SidetoneError("export-failed", "it was stopped: nothing was exported");
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
}

function realFolder(path: string): string | undefined {
  return existsSync(path) ? realpathSync(path) : undefined;
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function refusal(message: string): SidetoneError {
  return new SidetoneError("usage", message);
}

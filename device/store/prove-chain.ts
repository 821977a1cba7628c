// Whether a recording stands in the chain of manifests: the one that it names is there, and one that names it, or the chain's
// head does. Those that were deleted since, by the audit chain, need not be there. Never writes.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type CallId, isCallId } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import type { Manifest } from "../contract/manifest.js";
import type { AuditTrace, RecordedEntry } from "./prove-audit.js";
import { Faults, type ProofCheck } from "./prove-check.js";
import { recordingDays } from "./recording-days.js";
import { type RecordingPaths, timeOfCallId } from "./recording-paths.js";
import { parseManifest } from "./signature.js";

export function checkPrevious(paths: RecordingPaths, { previous }: Manifest, trace: AuditTrace): ProofCheck {
  const faults = new Faults();
  if (previous === "") {
    const { recordedBefore } = trace;
    faults.expect(recordedBefore === 0, `it names none before it, the audit chain has ${recordedBefore}`);
    return faults.toCheck("previous", { id: "" });
  }
  const named = trace.previous;
  const bytes = named && readEntry(paths, named);
  if (bytes !== undefined) {
    faults.expect(sha256Of(bytes) === previous, `the manifest of ${named!.id} is another than the one that it names`);
    return faults.toCheck("previous", { id: named!.id });
  }
  if (named !== undefined && trace.gone.has(named.id)) return faults.toCheck("previous", { id: named.id, deleted: 1 });
  const found = findManifest(paths, (content) => sha256Of(content) === previous);
  faults.expect(found !== undefined, `no manifest is ${previous}${named ? ` (${named.id})` : ""}, which it names`);
  return faults.toCheck("previous", { id: found ?? named?.id ?? "" });
}

export function checkNext(paths: RecordingPaths, sha256: string, trace: AuditTrace): ProofCheck {
  const faults = new Faults();
  const named = trace.next;
  const bytes = named && readEntry(paths, named);
  if (bytes !== undefined && parseManifest(bytes)?.previous === sha256)
    return faults.toCheck("next", { id: named!.id });
  if (named !== undefined && bytes === undefined && trace.gone.has(named.id))
    return faults.toCheck("next", { id: named.id, deleted: 1 });
  // What the audit chain has next may be an earlier recording that was entered late.
  if ((named === undefined || bytes !== undefined) && isHead(paths.chainFile, sha256))
    return faults.toCheck("next", { id: "", head: 1 });
  const found = findManifest(paths, (content) => parseManifest(content)?.previous === sha256);
  const missing = named !== undefined && bytes === undefined ? `; ${named.id}, published after it, is missing` : "";
  faults.expect(found !== undefined, `no manifest and no head of the chain names it${missing}`);
  return faults.toCheck("next", { id: found ?? "" });
}

/** A recording's manifest by its id: where it should be, else in any day's folder. */
export function locateManifest(paths: RecordingPaths, id: CallId): string | undefined {
  return locate(paths, paths.manifest(id, timeOfCallId(id)));
}

/** The same for a deleted recording's tombstone. */
export function locateTombstone(paths: RecordingPaths, id: CallId): string | undefined {
  return locate(paths, paths.tombstone(id, timeOfCallId(id)));
}

function locate(paths: RecordingPaths, expected: string): string | undefined {
  if (existsSync(expected)) return expected;
  for (const folder of recordingDays(paths, "newest")) {
    const day = join(paths.recordingsFolder, folder);
    const path = join(day, basename(expected));
    if (existsSync(path)) return path;
  }
  return undefined;
}

function readEntry(paths: RecordingPaths, { id }: RecordedEntry): Buffer | undefined {
  const path = isCallId(id) ? locateManifest(paths, id) : undefined;
  return path === undefined ? undefined : readFileSync(path);
}

/** The chain's head is the last of `next`, or `head` when none of those was published. */
function isHead(chainFile: string, sha256: string): boolean {
  try {
    const { head, next } = JSON.parse(readFileSync(chainFile, "utf8")) as {
      head?: unknown;
      next?: { sha256?: unknown }[];
    };
    return head === sha256 || (Array.isArray(next) && next.some((waiting) => waiting?.sha256 === sha256));
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** The id of a manifest that fits; goes through all of them, the newest days first. */
function findManifest(paths: RecordingPaths, fits: (content: Buffer) => boolean): string | undefined {
  for (const folder of recordingDays(paths, "newest")) {
    const day = join(paths.recordingsFolder, folder);
    for (const name of readdirSync(day)) {
      if (name.endsWith(".json") && fits(readFileSync(join(day, name)))) return basename(name, ".json");
    }
  }
  return undefined;
}

// The files of an export, one after the other, each opened when it is its turn: what has gone since it was found is passed by
// and said. Holds one chunk of one file, or one day of the call log, at a time.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import type { RecordingPaths } from "../recording-paths.js";
import type { TarMember } from "../tar.js";
import { type About, filesOfRecording, linesOfCalls } from "./about.js";

/** What a file is, in plain words: the index page's sections, in their order. */
export const MEMBER_KINDS = {
  recordings:
    "the recordings: audio (.wav, or .wav.age when it is encrypted), the manifest that says what was recorded, when, whose and why (.json), and what somebody noted about it (.notes)",
  calls: "the call log's lines of all its calls, those without a recording too; of deleted ones without numbers",
  registers:
    "what is on file about the number: consent and refusals (consent.jsonl), agreements of agents (agents.jsonl)",
  audit:
    "the audit chain's entries about these calls and this number: changes of consent, recordings, who listened or downloaded, deletions, holds, erasures and exports",
  deleted:
    "what stands in the place of recordings of this number that were erased: certificates without audio or numbers",
  holds: "legal holds that name the number or one of its calls",
  "locked-journals":
    "calls whose audio this box holds and cannot read (encrypted to keys that are elsewhere): what it knows of each",
  "device.pub":
    "the box's public key: with it the signatures in manifests, certificates and the audit chain can be checked",
} as const;
export type MemberKind = keyof typeof MEMBER_KINDS;

export interface Member extends TarMember {
  kind: MemberKind;
}

const CHUNK_BYTES = 1 << 20;

/** `gone`: told of each file that is not there any more. Throws other file system errors. */
export function* membersOf(
  about: About,
  paths: RecordingPaths,
  nowMs: number,
  gone: (name: string) => void,
): Generator<Member, void> {
  const text = (kind: MemberKind, name: string, chunks: readonly Buffer[]): Member => ({
    kind,
    name,
    size: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    modifiedAtMs: nowMs,
    chunks,
  });
  const json = (value: unknown): Buffer[] => [Buffer.from(`${JSON.stringify(value, null, 2)}\n`, "utf8")];
  const files = function* (kind: MemberKind, folder: string, filePaths: readonly string[]): Generator<Member, void> {
    for (const path of filePaths) {
      const member = openFile(path);
      if (member === undefined) gone(join(folder, basename(path)));
      else
        try {
          yield { kind, name: join(folder, basename(path)), ...member };
        } finally {
          closeSync(member.descriptor);
        }
    }
  };
  for (const recording of about.recordings) {
    const own = filesOfRecording(paths, recording);
    if (own.length === 0) gone(`recordings/${recording.id}.json`);
    yield* files("recordings", "recordings", own);
  }
  for (const { day } of about.logDays) {
    const lines = linesOfCalls(paths, day, about.calls).map((line) => Buffer.from(`${line}\n`, "utf8"));
    yield text("calls", `calls/${day}.jsonl`, lines);
  }
  for (const { fileName, lines } of about.registers) yield text("registers", `registers/${fileName}`, lines);
  for (const { name, bytes } of about.audit.files)
    yield { kind: "audit", name: `audit/${name}`, size: bytes, modifiedAtMs: nowMs, chunks: about.audit.lines(name) };
  yield* files("deleted", "deleted", about.tombstones);
  if (about.holds.length > 0) yield text("holds", "holds.json", json(about.holds));
  for (const { folder, record } of about.locked)
    yield text("locked-journals", `locked-journals/${basename(folder)}/${record.id}.json`, json(record));
  yield* files("device.pub", "", [join(paths.dataFolder, "keys", "device.pub")]);
}

type OpenFile = Pick<TarMember, "size" | "modifiedAtMs" | "chunks"> & { descriptor: number };

/** Undefined when it is gone. The chunks are one buffer: each is good until the next is asked for. */
function openFile(path: string): OpenFile | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const { size, mtimeMs } = fstatSync(descriptor);
  return { descriptor, size, modifiedAtMs: mtimeMs, chunks: chunksOf(descriptor, size) };
}

function* chunksOf(descriptor: number, size: number): Generator<Buffer, void> {
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size));
  for (let at = 0; at < size; ) {
    const read = readSync(descriptor, chunk, 0, Math.min(chunk.length, size - at), at);
    if (read === 0) return;
    at += read;
    yield chunk.subarray(0, read);
  }
}

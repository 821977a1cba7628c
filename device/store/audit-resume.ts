// Where the audit chain ends when it is opened, and what a power cut did to its end. Only what stands behind the head that
// was durable may be torn, and is cut off; all before it stays as it is, whatever it says: that is for audit-verify.ts.
import type { KeyObject } from "node:crypto";
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { sha256Of } from "../base/sha256.js";
import type { AuditEntry, AuditHead } from "../contract/audit.js";
import { auditFolder, listAuditFiles, parseEntry, readHead, readLines } from "./audit-files.js";
import { isSignedLine } from "./signed-line.js";

/** What was put right, or found missing; stands in the `recovered` entry that follows. */
export type AuditRepair =
  /** The end of the chain was torn and is cut off. */
  | { readonly what: "audit-end-torn"; readonly bytes: number; readonly sha256: string }
  /** The head names entries that are not there: the chain goes on behind them. */
  | { readonly what: "audit-end-missing"; readonly fromSeq: number; readonly toSeq: number }
  /** There are entries, but no head that the key has signed. */
  | { readonly what: "audit-head-missing" };

export interface AuditState {
  head: AuditHead;
  /** Of the newest file, "" when there is none. */
  month: string;
  /** SHA-256 of manifests that the chain's end enters as recorded. */
  recorded: Set<string>;
  repairs: AuditRepair[];
}

/** How much of the chain's end is looked at: the last seconds before a crash, many times over. */
const TAIL_BYTES = 4 << 20;
const NEWLINE = 0x0a;

interface TailLine {
  file: string;
  offset: number;
  bytes: Buffer;
  sha256: string;
  isWhole: boolean;
  /** Undefined when it is no entry. Nobody has checked its signature yet. */
  entry: AuditEntry | undefined;
}

/** Throws file system errors. */
export function resumeAudit(dataFolder: string, publicKey: KeyObject): AuditState {
  const files = listAuditFiles(dataFolder);
  const head = readHead(dataFolder, publicKey);
  const state: AuditState = {
    head: { seq: 0, sha256: "" },
    month: files.at(-1)?.slice(0, 7) ?? "",
    recorded: new Set(),
    repairs: [],
  };
  if (files.length === 0 && head === undefined) return state;
  // The head may stand in the file before the newest, which a power cut left empty.
  const lines = files.slice(-2).flatMap((file) => readTail(dataFolder, file));
  const known = head ?? undefined;
  if (known === undefined) state.repairs.push({ what: "audit-head-missing" });
  const good = countGood(lines, known, publicKey);
  const torn = lines[good];
  if (torn !== undefined) state.repairs.push(cutOff(dataFolder, files.slice(-2), torn));
  const kept = lines.slice(0, good);
  state.head = endOf(kept, publicKey);
  state.recorded = recordedIn(kept);
  if (known !== undefined && known.seq > state.head.seq) {
    state.repairs.push({ what: "audit-end-missing", fromSeq: state.head.seq + 1, toSeq: known.seq });
    state.head = known;
  }
  return state;
}

/**
 * How many of the lines stay. Behind the head's line only what follows on; where that line is not found (it was changed, or
 * there is no head) all but a last one that is not whole.
 */
function countGood(lines: readonly TailLine[], head: AuditHead | undefined, publicKey: KeyObject): number {
  const headAt = head === undefined ? -1 : lines.findLastIndex(({ sha256 }) => sha256 === head.sha256);
  if (headAt < 0) return lines.at(-1)?.isWhole === false ? lines.length - 1 : lines.length;
  let good = headAt + 1;
  let seq = head!.seq;
  for (; good < lines.length; good++, seq++) {
    const { bytes, entry, isWhole } = lines[good]!;
    const follows = isWhole && entry?.seq === seq + 1 && entry.previous === lines[good - 1]!.sha256;
    if (!follows || !isSignedLine(bytes, publicKey)) break;
  }
  return good;
}

/** The last line and its number, which a line that the key has not signed does not tell: then those before it do. */
function endOf(lines: readonly TailLine[], publicKey: KeyObject): AuditHead {
  const last = lines.at(-1);
  if (last === undefined) return { seq: 0, sha256: "" };
  const signedAt = lines.findLastIndex(({ bytes, entry }) => entry !== undefined && isSignedLine(bytes, publicKey));
  const signed = lines[signedAt]?.entry?.seq ?? 0;
  return { seq: signed + lines.length - 1 - signedAt, sha256: last.sha256 };
}

function recordedIn(lines: readonly TailLine[]): Set<string> {
  const recorded = new Set<string>();
  for (const { entry } of lines) {
    const manifest = entry?.kind === "recorded" ? entry.detail["manifest"] : undefined;
    if (typeof manifest === "string") recorded.add(manifest);
  }
  return recorded;
}

/** The last lines of a file. */
function readTail(dataFolder: string, file: string): TailLine[] {
  const path = join(auditFolder(dataFolder), file);
  const lines: TailLine[] = [];
  for (const { bytes, offset, isWhole, isTooLong } of readLines(path, tailOffset(path))) {
    lines.push({
      file,
      offset,
      bytes: Buffer.from(bytes),
      sha256: sha256Of(bytes),
      isWhole,
      entry: isWhole && !isTooLong ? parseEntry(bytes) : undefined,
    });
  }
  return lines;
}

/** Where the first line begins within the last bytes of a file. */
function tailOffset(path: string): number {
  const descriptor = openSync(path, "r");
  try {
    const { size } = fstatSync(descriptor);
    if (size <= TAIL_BYTES) return 0;
    // From the byte before on, so that a line that begins there is whole.
    const bytes = Buffer.alloc(TAIL_BYTES + 1);
    const read = readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
    const newline = bytes.subarray(0, read).indexOf(NEWLINE);
    return newline < 0 ? size - bytes.length : size - bytes.length + newline + 1;
  } finally {
    closeSync(descriptor);
  }
}

/** Cuts a file off where the line begins, and empties those behind it. */
function cutOff(dataFolder: string, files: readonly string[], { file, offset }: TailLine): AuditRepair {
  const cut: Buffer[] = [];
  for (const name of files.slice(files.indexOf(file))) {
    const from = name === file ? offset : 0;
    const descriptor = openSync(join(auditFolder(dataFolder), name), "r+");
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(descriptor).size - from));
      readSync(descriptor, bytes, 0, bytes.length, from);
      cut.push(bytes);
      ftruncateSync(descriptor, from);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
  const bytes = Buffer.concat(cut);
  return { what: "audit-end-torn", bytes: bytes.length, sha256: sha256Of(bytes) };
}

// Where the audit chain lies and how it is read back: files by month, lines by line, in constant memory whatever stands in
// them. Never writes.

import type { KeyObject } from "node:crypto";
import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { AUDIT_HEAD_SCHEMA, AUDIT_SCHEMA, type AuditEntry, type AuditHead } from "../contract/audit.js";
import { isSignedLine, parseLine } from "./signed-line.js";

const FILE_PATTERN = /^\d{4}-\d{2}\.jsonl$/;
const HASH_PATTERN = /^[0-9a-f]{64}$/;
const NEWLINE = 0x0a;
const CHUNK_BYTES = 256 * 1024;
/** The chain writes no longer line; of one that is, only so much is kept while it is passed by. */
export const MAX_LINE_BYTES = 64 * 1024;

export function auditFolder(dataFolder: string): string {
  return join(dataFolder, "audit");
}

export function headPath(dataFolder: string): string {
  return join(auditFolder(dataFolder), "head.json");
}

/** Names of the chain's files, the oldest first; none when there is no folder. Throws other file system errors. */
export function listAuditFiles(dataFolder: string): string[] {
  try {
    return readdirSync(auditFolder(dataFolder))
      .filter((name) => FILE_PATTERN.test(name))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

export interface FileLine {
  /** Without the newline; cut off when `isTooLong`. Only good until the next one is asked for. */
  bytes: Buffer;
  /** Of its first byte in the file. */
  offset: number;
  /** From 1. */
  number: number;
  /** False for what stands behind a file's last newline. */
  isWhole: boolean;
  isTooLong: boolean;
}

/** The lines of a file from an offset on, at which one begins. Throws file system errors. */
export function* readLines(path: string, from = 0): Generator<FileLine, void> {
  const descriptor = openSync(path, "r");
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const line: FileLine = { bytes: chunk, offset: from, number: 1, isWhole: true, isTooLong: false };
    /** The beginning of a line that goes on in the next chunk. */
    let begun = Buffer.alloc(0);
    let lineBytes = 0;
    for (let at = from; ; ) {
      const read = readSync(descriptor, chunk, 0, CHUNK_BYTES, at);
      if (read === 0) break;
      at += read;
      let start = 0;
      for (let end: number; start < read; start = end + 1) {
        end = chunk.indexOf(NEWLINE, start);
        const isEnd = end >= 0 && end < read;
        if (!isEnd) end = read;
        lineBytes += end - start;
        const piece = chunk.subarray(start, Math.min(end, start + MAX_LINE_BYTES - begun.length));
        begun = begun.length > 0 || !isEnd ? Buffer.concat([begun, piece]) : begun;
        if (!isEnd) break;
        line.bytes = begun.length > 0 ? begun : piece;
        line.isTooLong = lineBytes > MAX_LINE_BYTES;
        yield line;
        line.offset += lineBytes + 1;
        line.number++;
        begun = Buffer.alloc(0);
        lineBytes = 0;
      }
    }
    if (lineBytes === 0) return;
    line.bytes = begun;
    line.isTooLong = lineBytes > MAX_LINE_BYTES;
    line.isWhole = false;
    yield line;
  } finally {
    closeSync(descriptor);
  }
}

/** A line as an entry, if it has the members that the chain needs; its signature is not checked. */
export function parseEntry(bytes: Buffer): AuditEntry | undefined {
  const value = parseLine(bytes);
  if (value?.["schema"] !== AUDIT_SCHEMA) return undefined;
  const { seq, previous, at, kind, actor, detail } = value;
  if (!Number.isSafeInteger(seq) || (seq as number) < 1) return undefined;
  if (typeof previous !== "string" || typeof at !== "string") return undefined;
  if (typeof kind !== "string" || typeof actor !== "string" || typeof detail !== "object" || detail === null)
    return undefined;
  return value as unknown as AuditEntry;
}

/** What head.json says; `undefined` when it is not there, `null` when it says nothing that the key has signed. */
export function readHead(dataFolder: string, publicKey: KeyObject): AuditHead | null | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(headPath(dataFolder));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const line = bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes;
  const value = parseLine(line);
  if (value?.["schema"] !== AUDIT_HEAD_SCHEMA || !isSignedLine(line, publicKey)) return null;
  const { seq, sha256 } = value;
  if (!Number.isSafeInteger(seq) || typeof sha256 !== "string" || !HASH_PATTERN.test(sha256)) return null;
  return { seq: seq as number, sha256 };
}

// Reads a register's file line by line within bounds, whatever it holds. Decides nothing about lines; a file that cannot
// be used is a value.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** Longer ones are no entries, not even with every character of their 256 as an escape of six bytes. */
export const MAX_LINE_BYTES = 4096;
const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

/** A line's bytes, valid until the next one; undefined for one that is too long. */
export type TakeLine = (line: Buffer | undefined) => void;

/**
 * Hands on every line that is not blank; a file that is missing has none. Returns "", or in one line why the file cannot
 * be used: unreadable, no file, more than `maxLines`. What was handed on before that is worth nothing.
 */
export function readRegisterLines(path: string, maxLines: number, take: TakeLine): string {
  let descriptor: number;
  try {
    // Not blocking: somebody may have put a pipe there.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? "" : `${path} cannot be read: ${code}`;
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) return `${path} is no file`;
    if (stats.size > maxLines * MAX_LINE_BYTES) return tooMany(path, maxLines);
    return readAll(descriptor, maxLines, take) ? "" : tooMany(path, maxLines);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return `${path} cannot be read: ${code}`;
  } finally {
    closeSync(descriptor);
  }
}

function tooMany(path: string, maxLines: number): string {
  return `${path} holds more than ${maxLines} entries: take some out or raise consent.register.maxEntries`;
}

/** False when there are too many lines. */
function readAll(descriptor: number, maxLines: number, take: TakeLine): boolean {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES + MAX_LINE_BYTES);
  let kept = 0;
  let isOverlong = false;
  let lines = 0;
  const line = (start: number, end: number): boolean => {
    const isTooLong = isOverlong || end - start > MAX_LINE_BYTES;
    isOverlong = false;
    if (!isTooLong && isBlank(buffer, start, end)) return true;
    if (++lines > maxLines) return false;
    take(isTooLong ? undefined : buffer.subarray(start, end));
    return true;
  };
  for (;;) {
    const read = readSync(descriptor, buffer, kept, CHUNK_BYTES, null);
    const end = kept + read;
    if (read === 0) return (end === 0 && !isOverlong) || line(0, end);
    let start = 0;
    for (;;) {
      const newline = buffer.subarray(0, end).indexOf(NEWLINE, start);
      if (newline < 0) break;
      if (!line(start, newline)) return false;
      start = newline + 1;
    }
    kept = end - start;
    if (kept > MAX_LINE_BYTES) {
      isOverlong = true;
      kept = 0;
    }
    buffer.copy(buffer, 0, end - kept, end);
  }
}

function isBlank(buffer: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (buffer[at]! > 0x20) return false;
  return true;
}

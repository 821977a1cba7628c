// The files below a folder by their relative paths, and their hashes in constant memory.
import { createHash } from "node:crypto";
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";

const CHUNK_BYTES = 1 << 18;

/** In order of their names, "/" between folders. Links and devices are named like files. Throws file system errors. */
export function listFiles(root: string, folder = ""): string[] {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      return entry.isDirectory() ? listFiles(root, path) : [path];
    });
}

/** Pieces of a file; good only until the next one is asked for. */
export function* readPieces(path: string): Generator<Buffer, void> {
  const descriptor = openSync(path, "r");
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let read = readSync(descriptor, chunk); read > 0; read = readSync(descriptor, chunk))
      yield chunk.subarray(0, read);
  } finally {
    closeSync(descriptor);
  }
}

/** `alsoTo` is given every piece as well. */
export function hashFile(
  path: string,
  alsoTo?: (piece: Buffer) => void,
): { bytes: number; sha256: string; sha512: string } {
  const [sha256, sha512] = [createHash("sha256"), createHash("sha512")];
  let bytes = 0;
  for (const piece of readPieces(path)) {
    sha256.update(piece);
    sha512.update(piece);
    bytes += piece.length;
    alsoTo?.(piece);
  }
  return { bytes, sha256: sha256.digest("hex"), sha512: sha512.digest("hex") };
}

/** SHA-256 of a file's beginnings, of rising lengths; undefined for those longer than the file. */
export function hashPrefixes(path: string, lengths: readonly number[]): (string | undefined)[] {
  const hash = createHash("sha256");
  const found: (string | undefined)[] = [];
  let at = 0;
  const settle = (): void => {
    while (found.length < lengths.length && lengths[found.length] === at) found.push(hash.copy().digest("hex"));
  };
  settle();
  for (const piece of readPieces(path)) {
    for (let from = 0; from < piece.length; ) {
      const wanted = (lengths[found.length] ?? Number.POSITIVE_INFINITY) - at;
      const to = Math.min(piece.length, from + wanted);
      hash.update(piece.subarray(from, to));
      at += to - from;
      from = to;
      settle();
    }
  }
  return lengths.map((_, i) => found[i]);
}

/** Lines without their newlines; what stands behind the last newline comes last, `isWhole` false. */
export function* readLines(path: string): Generator<{ line: Buffer; isWhole: boolean }, void> {
  let rest = Buffer.alloc(0);
  for (const piece of readPieces(path)) {
    let bytes = rest.length === 0 ? Buffer.from(piece) : Buffer.concat([rest, piece]);
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
      yield { line: bytes.subarray(0, end), isWhole: true };
      bytes = bytes.subarray(end + 1);
    }
    rest = bytes;
  }
  if (rest.length > 0) yield { line: rest, isWhole: false };
}

// SHA-256 of a file in constant memory, letting others go on meanwhile.
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";

const CHUNK_BYTES = 1 << 18;

/** Can be continued with what comes behind the file. Throws file system errors. */
export async function sha256OfFile(path: string): Promise<Hash> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) hash.update(chunk as Buffer);
  return hash;
}

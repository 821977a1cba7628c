// An archive about a number as it comes from the box: what is in it is compared with its own contents.json while it goes by, so that
// a cut or altered one is never kept as a whole one. Reads headers and hashes; unpacks nothing, so that no name in it matters.
//
// Form: device/store/tar.ts. A header of 512 bytes (POSIX ustar; "x" before it: a pax header with the member's size), the member,
// zeros up to the next multiple of 512; two empty blocks at the end.
import { createHash, type Hash } from "node:crypto";

const BLOCK_BYTES = 512;
const CONTENTS = "contents.json";
/** Some hundred thousand files. */
const MAX_CONTENTS_BYTES = 64 << 20;
const MAX_PAX_BYTES = 4096;

interface Member {
  name: string;
  isPax: boolean;
  size: number;
  /** Bytes still to come, without padding. */
  left: number;
  padding: number;
  hash: Hash;
  /** Of those whose bytes are needed. */
  kept: Buffer[] | undefined;
}

export interface TarSummary {
  files: number;
  /** Of the archive. */
  bytes: number;
  sha256: string;
}

/** What the archive says that it has. */
interface Contents {
  schema: string;
  files: { name: string; bytes: number; sha256: string }[];
}

export class TarCheck {
  readonly #whole = createHash("sha256");
  readonly #found = new Map<string, string>();
  #bytes = 0;
  #head = Buffer.alloc(0);
  #member: Member | undefined;
  /** Of the member after a pax header. */
  #paxSize: number | undefined;
  #contents = "";
  #emptyBlocks = 0;

  /** Throws Error with what is wrong. */
  add(chunk: Buffer): void {
    this.#whole.update(chunk);
    this.#bytes += chunk.length;
    for (let at = 0; at < chunk.length; ) at += this.#member ? this.#body(chunk, at) : this.#header(chunk, at);
  }

  /** Throws Error with what is wrong. */
  end(): TarSummary {
    if (this.#member || this.#head.length > 0 || this.#emptyBlocks < 2) throw new Error("it ends in the middle");
    const contents = readContents(this.#contents);
    const missing = contents.files.find(({ name }) => !this.#found.has(name));
    if (missing) throw new Error(`${missing.name} is missing in it`);
    for (const { name, bytes, sha256 } of contents.files)
      if (this.#found.get(name) !== `${bytes} ${sha256}`) throw new Error(`${name} is not what ${CONTENTS} says`);
    if (this.#found.size !== contents.files.length) throw new Error(`there is more in it than ${CONTENTS} says`);
    return { files: this.#found.size + 1, bytes: this.#bytes, sha256: this.#whole.digest("hex") };
  }

  /** Bytes taken. */
  #header(chunk: Buffer, at: number): number {
    const piece = chunk.subarray(at, at + BLOCK_BYTES - this.#head.length);
    this.#head = Buffer.concat([this.#head, piece]);
    if (this.#head.length < BLOCK_BYTES) return piece.length;
    const header = this.#head;
    this.#head = Buffer.alloc(0);
    if (header.every((byte) => byte === 0)) {
      this.#emptyBlocks++;
      return piece.length;
    }
    if (this.#emptyBlocks > 0) throw new Error("there is something behind its end");
    this.#begin(header);
    return piece.length;
  }

  #begin(header: Buffer): void {
    if (header.toString("latin1", 257, 262) !== "ustar" || readOctal(header, 148) !== sumOf(header))
      throw new Error("it is no tar archive, or damaged");
    const name = header.toString("latin1", 0, 100).replace(/\0.*$/s, "");
    const type = String.fromCharCode(header[156]!);
    const isPax = type === "x";
    if (!isPax && type !== "0") throw new Error(`${JSON.stringify(name)} is no plain file`);
    const size = isPax ? readOctal(header, 124) : (this.#paxSize ?? readOctal(header, 124));
    if (!isPax) this.#paxSize = undefined;
    const limit = isPax ? MAX_PAX_BYTES : name === CONTENTS ? MAX_CONTENTS_BYTES : Number.MAX_SAFE_INTEGER;
    if (size > limit) throw new Error(`${JSON.stringify(name)} is longer than any`);
    const padding = (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
    const kept = isPax || name === CONTENTS ? [] : undefined;
    this.#member = { name, isPax, size, left: size, padding, hash: createHash("sha256"), kept };
    if (size === 0) this.#finish();
  }

  #body(chunk: Buffer, at: number): number {
    const member = this.#member!;
    if (member.left === 0) {
      const skipped = Math.min(member.padding, chunk.length - at);
      member.padding -= skipped;
      if (member.padding === 0) this.#member = undefined;
      return skipped;
    }
    const piece = chunk.subarray(at, at + member.left);
    member.hash.update(piece);
    member.kept?.push(Buffer.from(piece));
    member.left -= piece.length;
    if (member.left === 0) this.#finish();
    return piece.length;
  }

  #finish(): void {
    const { name, isPax, size, hash, kept, padding } = this.#member!;
    const text = kept && Buffer.concat(kept).toString("utf8");
    if (isPax) this.#paxSize = readPaxSize(text!);
    else if (name === CONTENTS) this.#contents = text!;
    else if (this.#found.has(name)) throw new Error(`${JSON.stringify(name)} is in it twice`);
    else this.#found.set(name, `${size} ${hash.digest("hex")}`);
    if (padding === 0) this.#member = undefined;
  }
}

function readOctal(header: Buffer, at: number): number {
  const text = header.toString("latin1", at, at + 12).replace(/[\0 ].*$/s, "");
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : -1;
}

/** The sum's own field counts as spaces. */
function sumOf(header: Buffer): number {
  let sum = 8 * 0x20;
  for (const [at, byte] of header.entries()) if (at < 148 || at >= 156) sum += byte;
  return sum;
}

function readPaxSize(text: string): number {
  const size = /^\d+ size=(\d{1,15})\n$/.exec(text)?.[1];
  if (size === undefined) throw new Error("it has a header that this does not know");
  return Number(size);
}

function readContents(text: string): Contents {
  if (text === "") throw new Error(`${CONTENTS} is missing in it`);
  const contents = JSON.parse(text) as Partial<Contents>;
  if (contents.schema !== "sidetone.export/1" || !Array.isArray(contents.files))
    throw new Error(`${CONTENTS} is of another kind`);
  return contents as Contents;
}

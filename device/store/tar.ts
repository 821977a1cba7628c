// Writes a tar archive of regular files, member by member in constant memory: POSIX.1-1988 ustar headers, and a pax header
// (POSIX.1-2001) before a member that is too large for one. Hashes what it writes. Knows names and bytes, no data folder.
//
//    0        100      108  116  124     136     148     156      157       257     263     265      345
//    +--------+--------+----+----+-------+-------+-------+--------+---------+-------+-------+--------+--------+
//    | name   | mode   |uid |gid | size  | mtime | sum   |typeflag| linkname|"ustar"|version|  ...   | prefix |
//    +--------+--------+----+----+-------+-------+-------+--------+---------+-------+-------+--------+--------+
//
// Numbers are octal, with a NUL behind them. The sum is of the header's bytes, its own field taken as spaces.
import { createHash, type Hash } from "node:crypto";

const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
/** Eleven octal digits. */
const MAX_USTAR_SIZE = 8 ** 11 - 1;
const SIZE_AT = 124;
const SUM_AT = 148;
const SUM_BYTES = 8;

export interface TarMember {
  /** Below 100 bytes of ASCII. */
  name: string;
  /** Bytes that `chunks` give together. */
  size: number;
  modifiedAtMs: number;
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>;
}

export interface TarWritten {
  bytes: number;
  sha256: string;
}

export class TarWriter {
  readonly #write: (bytes: Buffer) => void | Promise<void>;
  readonly #hash: Hash = createHash("sha256");
  #bytes = 0;

  /** `write` appends to the archive; what it throws ends it. */
  constructor(write: (bytes: Buffer) => void | Promise<void>) {
    this.#write = write;
  }

  /** SHA-256 of the member. Throws RangeError when it has other bytes than it said. */
  async add({ name, size, modifiedAtMs, chunks }: TarMember): Promise<string> {
    await this.#put(tarHeader(name, size, modifiedAtMs));
    const hash = createHash("sha256");
    let written = 0;
    for await (const chunk of chunks) {
      written += chunk.length;
      if (written > size) break;
      hash.update(chunk);
      await this.#put(chunk);
    }
    if (written !== size) throw new RangeError(`${name} has not ${size} bytes as it said, but ${written}`);
    await this.#put(padding(size));
    return hash.digest("hex");
  }

  /** Two empty blocks end an archive. */
  async end(): Promise<TarWritten> {
    await this.#put(Buffer.alloc(2 * BLOCK_BYTES));
    return { bytes: this.#bytes, sha256: this.#hash.digest("hex") };
  }

  async #put(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    await this.#write(bytes);
  }
}

/** What stands before a member's bytes. Throws RangeError for a name that does not fit. */
export function tarHeader(name: string, size: number, modifiedAtMs: number): Buffer {
  if (size <= MAX_USTAR_SIZE) return ustarHeader(name, size, modifiedAtMs, "0");
  const record = paxRecord("size", String(size));
  const pax = [ustarHeader("PaxHeader", record.length, modifiedAtMs, "x"), record, padding(record.length)];
  // The header of one that takes its size from there says 0, as GNU tar writes it.
  return Buffer.concat([...pax, ustarHeader(name, 0, modifiedAtMs, "0")]);
}

function ustarHeader(name: string, size: number, modifiedAtMs: number, type: "0" | "x"): Buffer {
  if (!/^[\x21-\x7e]+$/.test(name) || name.length >= NAME_BYTES) throw new RangeError(`no name for a member: ${name}`);
  const header = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, digits: number): void =>
    void header.write(`${value.toString(8).padStart(digits, "0")}\0`, at, "latin1");
  header.write(name, 0, "latin1");
  octal(0o600, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(size, SIZE_AT, 11);
  octal(Math.max(0, Math.floor(modifiedAtMs / 1000)), 136, 11);
  header.fill(" ", SUM_AT, SUM_AT + SUM_BYTES);
  header.write(`${type}`, 156, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, SUM_AT, "latin1");
  return header;
}

/** "length key=value\n": the length counts its own digits. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  const digits = String(rest.length + String(rest.length).length).length;
  return Buffer.from(`${rest.length + digits}${rest}`, "latin1");
}

function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES);
}

// Looks for a speaker's payload in everything that a program wrote: as the bytes of the packets, as the samples they stand
// for (alone, or every second one as in a recording), and as the texts into which programs turn bytes. Says where and how.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeRandom, randomInteger } from "./random.js";
import { decodeG711, type G711Codec } from "./tone.js";

export interface Marker {
  /** Says when it was spoken. */
  name: string;
  /** What every packet repeats from its beginning. */
  pattern: Buffer;
}

/** Where something was found. */
export interface Find {
  marker: string;
  form: string;
  /** A file's path, or the name of a text. */
  place: string;
}

const PATTERN_BYTES = 16;
/** So many of the pattern's bytes in a row are a find: any 23 in a row of what repeats it hold them. */
const SEARCHED_BYTES = 8;
/** Base64 writes 3 bytes as 4 characters: of 48 bytes, whatever came before, one group of 9 begins with the pattern. */
const BASE64_BYTES = 9;
const BYTES_PER_FRAME = 4;

/** Patterns that have nothing in common; the same seed gives the same ones. */
export function makeMarkers<Name extends string>(names: readonly Name[], seed: number): Record<Name, Marker> {
  const random = makeRandom(seed);
  const marker = (name: Name): [Name, Marker] => [
    name,
    { name, pattern: Buffer.from(Array.from({ length: PATTERN_BYTES }, () => randomInteger(random, 256))) },
  ];
  return Object.fromEntries(names.map(marker)) as Record<Name, Marker>;
}

export class LeakSearch {
  private readonly wanted: { marker: string; forms: [form: string, bytes: Buffer][]; samples: Int16Array }[];

  constructor(markers: readonly Marker[], codec: G711Codec) {
    this.wanted = markers.map(({ name, pattern }) => ({
      marker: name,
      forms: formsOf(pattern, codec),
      samples: decodeG711(pattern.subarray(0, SEARCHED_BYTES), codec),
    }));
  }

  /** Every marker in `bytes`, in every form. */
  inBytes(bytes: Buffer, place: string): Find[] {
    return this.wanted.flatMap(({ marker, forms, samples }) => {
      const found = forms.filter(([, form]) => bytes.includes(form)).map(([form]) => form);
      if (hasOnOneChannel(bytes, samples)) found.push("samples of one channel of two");
      return found.map((form) => ({ marker, form, place }));
    });
  }

  /** The same in every file below the folders. A file that goes away meanwhile is none. */
  inFolders(folders: readonly string[]): Find[] {
    return folders.flatMap((folder) =>
      filePathsBelow(folder).flatMap((path) => {
        const bytes = readIfThere(path);
        return bytes ? this.inBytes(bytes, path) : [];
      }),
    );
  }
}

/** Absolute paths of everything below a folder that is no folder. */
export function filePathsBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const paths: string[] = [];
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    try {
      for (const entry of readdirSync(at, { withFileTypes: true }))
        (entry.isDirectory() ? folders : paths).push(join(at, entry.name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  return paths.sort();
}

function formsOf(pattern: Buffer, codec: G711Codec): [string, Buffer][] {
  const part = pattern.subarray(0, SEARCHED_BYTES);
  const samples = Buffer.alloc(2 * part.length);
  for (const [i, sample] of decodeG711(part, codec).entries()) samples.writeInt16LE(sample, 2 * i);
  const hex = part.toString("hex");
  return [
    ["packet bytes", Buffer.from(part)],
    ["samples", samples],
    ["hex", Buffer.from(hex)],
    ["HEX", Buffer.from(hex.toUpperCase())],
    ["base64", Buffer.from(pattern.toString("base64", 0, BASE64_BYTES))],
    ["numbers", Buffer.from(part.join(","))],
    ["characters", Buffer.from(part.toString("latin1"), "utf8")],
  ];
}

/** In 16-bit samples, little endian, wherever they begin: the wanted ones with one of another channel between each two. */
function hasOnOneChannel(bytes: Buffer, samples: Int16Array): boolean {
  const first = Buffer.alloc(2);
  first.writeInt16LE(samples[0]!);
  const last = bytes.length - (samples.length - 1) * BYTES_PER_FRAME - 2;
  for (let at = bytes.indexOf(first); at >= 0 && at <= last; at = bytes.indexOf(first, at + 1)) {
    let equal = 1;
    while (equal < samples.length && bytes.readInt16LE(at + equal * BYTES_PER_FRAME) === samples[equal]) equal++;
    if (equal === samples.length) return true;
  }
  return false;
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

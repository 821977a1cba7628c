// The chain's head: the SHA-256 of the manifest published last, which the next one names as `previous`. Kept in
// `chain.json`, written before manifests are published, together with those that are about to be: killed at any moment, the
// next start goes on where publishing ended (announced.ts), and the chain neither forks nor hides a manifest that was deleted
// later.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isCallId } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import { publishAnnounced, type WaitingManifest } from "./announced.js";
import { replaceDurably } from "./durable-file.js";
import type { FileLayer } from "./file-layer.js";
import { recordingDays } from "./recording-days.js";
import { type RecordingPaths, TOMBSTONE_SUFFIX } from "./recording-paths.js";
import { parseTombstone } from "./retention/tombstone.js";
import { parseManifest } from "./signature.js";

const CHAIN_SCHEMA = "sidetone.chain/1";
const HASH_PATTERN = /^[0-9a-f]{64}$/;
/** A lost head is looked for in the manifests of this many days that have any. */
const REBUILD_DAYS = 3;

interface ChainFile {
  schema: typeof CHAIN_SCHEMA;
  /** Head before any of `next` was published; "" = no manifest yet. */
  head: string;
  /** In the order in which they are published, each naming the one before. */
  next: WaitingManifest[];
}

export class ManifestChain {
  /** What the run before had announced last. */
  readonly announced: readonly WaitingManifest[];
  readonly #paths: RecordingPaths;
  readonly #files: FileLayer;
  #head: string;

  private constructor(paths: RecordingPaths, files: FileLayer, head: string, announced: readonly WaitingManifest[]) {
    this.#paths = paths;
    this.#files = files;
    this.#head = head;
    this.announced = announced;
  }

  /**
   * Finds the head that an earlier run left. What it had announced is published now, unless its files are not what was
   * announced; what waits under no temporary name counts as published. Throws file system errors.
   */
  static open(paths: RecordingPaths, files: FileLayer): ManifestChain {
    const kept = readChainFile(paths.chainFile);
    const published = kept === undefined ? [] : publishAnnounced(paths, kept.next);
    const head = kept === undefined ? rebuildHead(paths) : (published.at(-1)?.sha256 ?? kept.head);
    // The published ones stay there until the next are: of a recording that a power cut made of it the rest may be missing.
    // The others are begun anew, and what they have left goes.
    if (kept === undefined || published.length < kept.next.length) {
      const file: ChainFile = { schema: CHAIN_SCHEMA, head: kept?.head ?? head, next: published };
      replaceDurably(paths.chainFile, chainText(file), 0o600);
    }
    return new ManifestChain(paths, files, head, published);
  }

  /** What the next manifest names as `previous`. */
  get head(): string {
    return this.#head;
  }

  /** Makes durable that these manifests come next, in this order. */
  async announce(next: WaitingManifest[]): Promise<void> {
    const file: ChainFile = { schema: CHAIN_SCHEMA, head: this.#head, next };
    const temporary = `${this.#paths.chainFile}.partial`;
    await this.#files.write(temporary, Buffer.from(chainText(file), "utf8"));
    await this.#files.sync(temporary);
    await this.#files.rename(temporary, this.#paths.chainFile);
    await this.#files.sync(this.#paths.dataFolder);
  }

  /** An announced manifest stands under its name. */
  published(sha256: string): void {
    this.#head = sha256;
  }
}

function chainText(file: ChainFile): string {
  return `${JSON.stringify(file)}\n`;
}

/** Undefined when the file is missing or damaged. */
function readChainFile(path: string): ChainFile | undefined {
  try {
    const { schema, head, next } = JSON.parse(readFileSync(path, "utf8")) as Partial<ChainFile>;
    if (schema !== CHAIN_SCHEMA || typeof head !== "string" || (head !== "" && !HASH_PATTERN.test(head)))
      return undefined;
    if (!Array.isArray(next) || !next.every(({ id, sha256 }) => isCallId(id) && HASH_PATTERN.test(sha256)))
      return undefined;
    return { schema, head, next };
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The manifest that ended last among those that none of them follows, in the newest days that hold any; "" = none. */
function rebuildHead(paths: RecordingPaths): string {
  const endedAtByHash = new Map<string, string>();
  const followed = new Set<string>();
  let days = 0;
  for (const folder of recordingDays(paths, "newest")) {
    const day = join(paths.recordingsFolder, folder);
    const names = readdirSync(day).filter((name) => name.endsWith(".json") || name.endsWith(TOMBSTONE_SUFFIX));
    for (const name of names) {
      const link = readLink(join(day, name));
      if (link === undefined) continue;
      endedAtByHash.set(link.sha256, link.endedAt);
      followed.add(link.previous);
    }
    if (names.length > 0 && ++days === REBUILD_DAYS) break;
  }
  let head = "";
  for (const [hash, endedAt] of endedAtByHash) {
    if (followed.has(hash)) continue;
    if (head === "" || endedAt > endedAtByHash.get(head)!) head = hash;
  }
  return head;
}

/** A manifest's place in the chain, or that of a deleted one by its tombstone. */
function readLink(path: string): { sha256: string; previous: string; endedAt: string } | undefined {
  const bytes = readFileSync(path);
  if (path.endsWith(TOMBSTONE_SUFFIX)) {
    const tombstone = parseTombstone(bytes);
    return tombstone && { sha256: tombstone.manifest, previous: tombstone.previous, endedAt: tombstone.endedOn };
  }
  const manifest = parseManifest(bytes);
  return manifest && { sha256: sha256Of(bytes), previous: manifest.previous, endedAt: String(manifest.endedAt) };
}

// Goes through `recordings/`, day by day: every manifest and every tombstone is one that the key has signed and stands where it
// belongs, every audio file is the one that its manifest has hashed, and there is nothing else.
import type { KeyObject } from "node:crypto";
import { type Dirent, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isoUs } from "../../base/clock.js";
import { type CallId, isCallId } from "../../base/ids.js";
import { sha256Of } from "../../base/sha256.js";
import type { Manifest } from "../../contract/manifest.js";
import type { Tombstone } from "../../contract/tombstone.js";
import { NOTES_SUFFIX } from "../notes.js";
import { timeOfCallId } from "../recording-paths.js";
import { parseManifest, verifyManifest } from "../signature.js";
import { isSignedLine, parseLine } from "../signed-line.js";
import type { ChainLinks, Link } from "./chain-links.js";
import type { Entered, EnteredAs } from "./entered.js";
import type { Findings } from "./findings.js";
import { type FileHashes, hashWholeFile } from "./hash-file.js";
import type { NotesCheck } from "./notes-check.js";
import { readOrFind } from "./read-file.js";

const NAME_PATTERN = /^([0-7][0-9A-HJKMNP-TV-Z]{25})\.(json|wav|wav\.age|deleted|notes)$/;
const PARTIAL_FOLDER = ".partial";
const TOMBSTONE_SCHEMA = "sidetone.tombstone/1";
const HASH_PATTERN = /^[0-9a-f]{64}$/;
const NEWLINE = 0x0a;
/** Signed, and not where they belong: looked at again at the end. */
const MAX_ASIDE = 1000;

export interface RecordingsWalkOptions {
  dataFolder: string;
  publicKey: KeyObject;
  findings: Findings;
  links: ChainLinks;
  /** By the manifest's hash. */
  recorded: Entered<FoundManifest>;
  /** By the tombstone's hash. */
  deleted: Entered<string>;
  notes: NotesCheck;
  /** The service runs, or was killed: what it is just doing is no finding. */
  isOpen: boolean;
  /** Lets the audit chain be read on. */
  onRecording(): void;
  onRead(bytes: number): void;
}

export interface FoundManifest {
  file: string;
  /** Made when there was no audit chain. */
  isBeforeChain: boolean;
}

interface Names {
  audio: string[];
  hasManifest: boolean;
  hasTombstone: boolean;
  hasNotes: boolean;
}

export class RecordingsWalk {
  recordings = 0;
  tombstones = 0;
  audioBytes = 0;
  /** Ids whose manifest or tombstone is not what was signed. */
  readonly spoiled = new Set<string>();
  readonly #options: RecordingsWalkOptions;
  readonly #aside: Link[] = [];

  constructor(options: RecordingsWalkOptions) {
    this.#options = options;
  }

  /** Throws file system errors of folders; files that cannot be read are findings. */
  walk(): void {
    for (const year of this.#folders("recordings", /^\d{4}$/, [PARTIAL_FOLDER])) {
      for (const month of this.#folders(year, /^\d\d$/)) {
        for (const day of this.#folders(month, /^\d\d$/)) this.#walkDay(day);
      }
    }
    this.#notePartial();
    this.settleAside();
  }

  /** One that was published, or deleted, after its day was looked at; false when neither its manifest nor its tombstone is there. */
  lookAgain(id: string): boolean {
    if (!isCallId(id)) return false;
    const folder = folderOf(isoUs(timeOfCallId(id)));
    const names = this.#namesIn(folder).filter((name) => name.startsWith(`${id}.`));
    if (!names.some((name) => /\.(json|deleted)$/.test(name))) return false;
    this.#checkRecording(folder, id, groupOf(names));
    return true;
  }

  /** What stands at a wrong place is part of the chain all the same, unless it is a copy. */
  settleAside(): void {
    const { recorded, links } = this.#options;
    for (const link of this.#aside.splice(0)) {
      const entry = recorded.find(link.sha256, { file: link.file, isBeforeChain: true });
      recorded.found.delete(link.sha256);
      if (entry !== undefined) links.add(link);
    }
  }

  #walkDay(folder: string): void {
    const groups = new Map<CallId, string[]>();
    for (const entry of this.#entriesOf(folder)) {
      const id = NAME_PATTERN.exec(entry.name)?.[1];
      if (!entry.isFile() || id === undefined || !isCallId(id)) {
        this.#foreign(`${folder}/${entry.name}`);
        continue;
      }
      const names = groups.get(id);
      if (names === undefined) groups.set(id, [entry.name]);
      else names.push(entry.name);
    }
    for (const [id, names] of groups) this.#checkRecording(folder, id, groupOf(names));
  }

  #checkRecording(folder: string, id: CallId, names: Names): void {
    const { isOpen, findings, onRecording } = this.#options;
    onRecording();
    const tombstone = names.hasTombstone ? this.#checkTombstone(folder, id) : undefined;
    if (names.hasNotes) this.#options.notes.read(folder, id, names.hasManifest && !names.hasTombstone);
    if (names.hasManifest) this.#checkManifest(folder, id, names, tombstone);
    else
      for (const name of names.audio) {
        if (!existsSync(join(this.#options.dataFolder, folder, name))) continue;
        const what = names.hasTombstone ? "audio of a deleted recording" : "audio without a manifest";
        if (isOpen) findings.note(`${folder}/${name}: ${what}: being published, or deleted, just now`);
        else findings.add("added", `${folder}/${name}`, what);
      }
  }

  #checkManifest(folder: string, id: CallId, names: Names, tombstone: Tombstone | undefined): void {
    const { publicKey, findings, recorded, links } = this.#options;
    const file = `${folder}/${id}.json`;
    const bytes = readOrFind(this.#options, file);
    if (bytes === undefined) return;
    const sha256 = sha256Of(bytes);
    const manifest = verifyManifest(bytes, publicKey);
    if (manifest === undefined) {
      this.spoiled.add(id);
      findings.add("changed", file, whatIsWrong(bytes), sinceOf(this.#entryOf(id), parseManifest(bytes)?.endedAt));
      return;
    }
    this.recordings++;
    const link = { sha256, previous: manifest.previous, file };
    if (manifest.id !== id || folderOf(manifest.startedAt) !== folder) {
      findings.add("misplaced", file, `it is the manifest of ${manifest.id}, of ${manifest.startedAt.slice(0, 10)}`);
      this.spoiled.add(id);
      if (this.#aside.length < MAX_ASIDE) this.#aside.push(link);
      return;
    }
    if (tombstone === undefined) links.add(link);
    else if (tombstone.manifest !== sha256)
      findings.add("changed", file, "its tombstone knows another manifest", `since ${tombstone.at}`);
    const entry = recorded.find(sha256, { file, isBeforeChain: manifest.audit === undefined });
    this.#checkAudio(folder, manifest, names.audio, tombstone, sinceOf(entry, manifest.endedAt));
  }

  #checkAudio(
    folder: string,
    { id, audio }: Manifest,
    found: readonly string[],
    tombstone: Tombstone | undefined,
    since: string,
  ): void {
    const { findings, dataFolder, isOpen, onRead } = this.#options;
    const expected = audio.file;
    for (const name of found) {
      if (name === expected && tombstone === undefined) continue;
      const what = tombstone ? "audio of a deleted recording" : `its manifest is of ${JSON.stringify(expected)}`;
      if (isOpen) findings.note(`${folder}/${name}: ${what}`);
      else findings.add("added", `${folder}/${name}`, what);
    }
    if (tombstone !== undefined) return;
    const file = `${folder}/${expected}`;
    if (![`${id}.wav`, `${id}.wav.age`].includes(expected)) {
      findings.add("misplaced", file, "no recording has audio of this name");
      return;
    }
    let hashes: FileHashes;
    try {
      hashes = hashWholeFile(join(dataFolder, file), onRead);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Deleted since the folder was read.
      if (code === "ENOENT" && isOpen && existsSync(join(dataFolder, folder, `${id}.deleted`))) return;
      if (code === "ENOENT") findings.add("missing", file, "the manifest is there, its audio is not", since);
      else findings.add("unreadable", file, `it cannot be read (${code})`);
      return;
    }
    this.audioBytes += hashes.bytes;
    if (hashes.bytes < audio.bytes)
      findings.add("truncated", file, `it has ${hashes.bytes} bytes of ${audio.bytes}`, since);
    else if (hashes.bytes > audio.bytes)
      findings.add("changed", file, `it has ${hashes.bytes} bytes, the manifest says ${audio.bytes}`, since);
    else if (hashes.sha256 !== audio.sha256)
      findings.add("changed", file, `its SHA-256 is ${hashes.sha256}, the manifest says ${audio.sha256}`, since);
    else if (audio.sha512 !== undefined && hashes.sha512 !== audio.sha512)
      findings.add("changed", file, `its SHA-512 is ${hashes.sha512}, the manifest says ${audio.sha512}`, since);
  }

  #checkTombstone(folder: string, id: CallId): Tombstone | undefined {
    const { publicKey, findings, deleted, recorded, links } = this.#options;
    const file = `${folder}/${id}.deleted`;
    const bytes = readOrFind(this.#options, file);
    if (bytes === undefined) return undefined;
    const line = bytes.subarray(0, -1);
    const tombstone = parseLine(line) as Partial<Tombstone> | undefined;
    const isSigned = bytes.at(-1) === NEWLINE && isSignedLine(line, publicKey);
    if (!isSigned || tombstone?.schema !== TOMBSTONE_SCHEMA || !HASH_PATTERN.test(String(tombstone.manifest))) {
      this.spoiled.add(id);
      findings.add("changed", file, "it is not what the box's key has signed");
      return undefined;
    }
    if (tombstone.id !== id) {
      this.spoiled.add(id);
      findings.add("misplaced", file, `it is the tombstone of ${tombstone.id}`);
      return undefined;
    }
    this.tombstones++;
    deleted.find(sha256Of(line), file);
    links.add({ sha256: tombstone.manifest!, previous: String(tombstone.previous), file });
    if (!tombstone.keepsManifest) recorded.find(tombstone.manifest!, { file, isBeforeChain: true });
    return tombstone as Tombstone;
  }

  #entryOf(id: string): EnteredAs | undefined {
    for (const entry of this.#options.recorded.entries.values()) if (entry.id === id) return entry;
    return undefined;
  }

  #folders(folder: string, pattern: RegExp, others: readonly string[] = []): string[] {
    const found: string[] = [];
    for (const entry of this.#entriesOf(folder)) {
      if (entry.isDirectory() && pattern.test(entry.name)) found.push(`${folder}/${entry.name}`);
      else if (!others.includes(entry.name)) this.#foreign(`${folder}/${entry.name}`);
    }
    return found;
  }

  #entriesOf(folder: string): Dirent[] {
    try {
      const entries = readdirSync(join(this.#options.dataFolder, folder), { withFileTypes: true });
      return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  #namesIn(folder: string): string[] {
    return this.#entriesOf(folder).map(({ name }) => name);
  }

  #foreign(file: string): void {
    this.#options.findings.add("added", file, "it is none of the box's files");
  }

  #notePartial(): void {
    const names = this.#namesIn(`recordings/${PARTIAL_FOLDER}`);
    if (names.length > 0)
      this.#options.findings.note(
        `recordings/.partial: ${names.length} files that are being written, or that a crash has left: not checked, the next start removes them`,
      );
  }
}

function groupOf(names: readonly string[]): Names {
  return {
    audio: names.filter((name) => /\.wav(?:\.age)?$/.test(name)),
    hasManifest: names.some((name) => name.endsWith(".json")),
    hasTombstone: names.some((name) => name.endsWith(".deleted")),
    hasNotes: names.some((name) => name.endsWith(NOTES_SUFFIX)),
  };
}

function folderOf(startedAt: string): string {
  return `recordings/${String(startedAt).slice(0, 10).replaceAll("-", "/")}`;
}

function whatIsWrong(bytes: Buffer): string {
  if (bytes.length === 0) return "it is empty";
  if (bytes.at(-1) !== NEWLINE) return "its end is missing: it is not what the box's key has signed";
  return "it is not what the box's key has signed";
}

function sinceOf(entry: EnteredAs | undefined, endedAt: string | undefined): string {
  if (entry !== undefined) return `since it was published (entry ${entry.seq}, ${entry.at})`;
  return typeof endedAt === "string" && /^[\d:.TZ-]{20,30}$/.test(endedAt) ? `since the call ended (${endedAt})` : "";
}

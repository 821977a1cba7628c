// The folder that recordings are pulled into: `<name>.wav` (or `.wav.age`) and `<name>.json` for each, and `.sidetone-pull/` with
// what is on its way. Whatever has its final name is whole: it was written and synced under another one. Nothing is written
// through a symbolic link, and nothing outside. What stands in a recording's place without being it is put aside, never lost.
import { constants, readdirSync } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, readFile, realpath, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { isCallId } from "../../device/base/ids.js";
import { causeOf, HostError } from "../errors.js";
import { sha256OfFile } from "./audio-hash.js";
import { syncFolder } from "./folder-sync.js";

export const OWN_FOLDER = ".sidetone-pull";
const FOLDER_MODE = 0o750;
const FILE_MODE = 0o640;
/** Names that are looked for in a folder whose journal does not know them. */
const MAX_FOUND = 1_000_000;
const ID_IN_NAME = /(?<![0-9A-Za-z])([0-7][0-9A-HJKMNP-TV-Z]{25})(?![0-9A-Za-z])/g;
/** Absent on Windows, where a link is told by lstat alone. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;

export type AudioEnding = ".wav" | ".wav.age";

/** What is written in a recording's own way cannot be written there: others are not concerned. */
export class PlaceTaken extends Error {}

export class TargetFolder {
  /** Absolute, without links. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes the folder unless it is there. Throws HostError `file-unwritable`. */
  static async open(path: string): Promise<TargetFolder> {
    try {
      await mkdir(path, { recursive: true, mode: FOLDER_MODE });
      const folder = new TargetFolder(await realpath(path));
      for (const own of [folder.ownFolder, folder.#partials]) await folder.#makeFolder(own);
      await syncFolder(folder.path);
      await syncFolder(folder.ownFolder);
      return folder;
    } catch (cause) {
      const why = cause instanceof PlaceTaken ? cause.message : causeOf(cause);
      throw new HostError("file-unwritable", `cannot pull into ${path}: ${why}`, { cause });
    }
  }

  get ownFolder(): string {
    return join(this.path, OWN_FOLDER);
  }

  get #partials(): string {
    return join(this.ownFolder, "partial");
  }

  /** Removes what was on its way of recordings other than these. */
  async sweep(wanted: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#partials)) {
      const [id = ""] = name.split(".");
      if (!wanted.has(id) || name !== id) await rm(join(this.#partials, name), { force: true });
    }
  }

  /** For reading and appending what has come of a recording's audio. */
  async openPartial(id: string): Promise<{ file: FileHandle; path: string; bytes: number }> {
    const path = join(this.#partials, id);
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | NO_FOLLOW, FILE_MODE);
    return { file, path, bytes: (await file.stat()).size };
  }

  async removePartial(id: string): Promise<void> {
    await rm(join(this.#partials, id), { force: true });
  }

  /** Gives the synced partial its final name; durable when it returns. */
  async placeAudio(id: string, name: string, ending: AudioEnding): Promise<void> {
    await this.#place(join(this.#partials, id), `${name}${ending}`);
  }

  async placeManifest(id: string, name: string, bytes: Uint8Array): Promise<void> {
    const partial = join(this.#partials, `${id}.json`);
    await rm(partial, { force: true });
    const file = await open(partial, "wx", FILE_MODE);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#place(partial, `${name}.json`);
  }

  /** Whether the audio lies there with these bytes. */
  async hasAudio(name: string, ending: AudioEnding, bytes: number, sha256: string): Promise<Presence> {
    const path = this.#resolve(`${name}${ending}`);
    const found = await this.#look(path);
    if (found === undefined) return "absent";
    if (!found.isFile || found.bytes !== bytes) return "other";
    return (await sha256OfFile(path)).digest("hex") === sha256 ? "same" : "other";
  }

  async hasManifest(name: string, bytes: Uint8Array): Promise<Presence> {
    const path = this.#resolve(`${name}.json`);
    const found = await this.#look(path);
    if (found === undefined) return "absent";
    if (!found.isFile || found.bytes !== bytes.length) return "other";
    return (await readFile(path)).equals(bytes) ? "same" : "other";
  }

  /** Moves what lies in a recording's place out of the way; says where to, relative. Throws PlaceTaken for a folder. */
  async putAside(id: string, name: string, ending: AudioEnding | ".json"): Promise<string> {
    const path = this.#resolve(`${name}${ending}`);
    if ((await lstat(path)).isDirectory()) throw new PlaceTaken(`${name}${ending} is a folder`);
    const aside = join(this.ownFolder, "aside");
    await this.#makeFolder(aside);
    for (let number = 1; ; number++) {
      const to = join(aside, `${id}.${number}${ending}`);
      if ((await this.#look(to)) !== undefined) continue;
      await rename(path, to);
      await syncFolder(aside);
      return `${OWN_FOLDER}/aside/${id}.${number}${ending}`;
    }
  }

  /** Names of what lies here by the ids in them; links are not followed. What cannot be read is passed over. */
  scan(): Map<string, string> {
    const found = new Map<string, string>();
    const folders = [""];
    for (let folder = folders.pop(); folder !== undefined && found.size < MAX_FOUND; folder = folders.pop()) {
      for (const entry of entriesOf(join(this.path, folder))) {
        const relative = folder === "" ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory() && relative !== OWN_FOLDER) folders.push(relative);
        const ending = entry.isFile() && /\.(?:json|wav|wav\.age)$/.exec(entry.name)?.[0];
        const id = ending && [...entry.name.matchAll(ID_IN_NAME)].map((match) => match[1]!).find(isCallId);
        if (id) found.set(id, relative.slice(0, -ending.length));
      }
    }
    return found;
  }

  async #place(from: string, relative: string): Promise<void> {
    const path = this.#resolve(relative);
    await this.#makeParents(relative);
    if ((await this.#look(path)) !== undefined) throw new PlaceTaken(`${relative} has come to be there`);
    await rename(from, path);
    await syncFolder(dirname(path));
  }

  /** Every folder on the way is one of ours, and durable, before anything comes into it. */
  async #makeParents(relative: string): Promise<void> {
    let path = this.path;
    for (const folder of relative.split("/").slice(0, -1)) {
      const parent = path;
      path = join(parent, folder);
      if (await this.#makeFolder(path)) await syncFolder(parent);
    }
  }

  /** Whether it was made just now. */
  async #makeFolder(path: string): Promise<boolean> {
    try {
      await mkdir(path, { mode: FOLDER_MODE });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const found = await lstat(path);
      if (!found.isDirectory())
        throw new PlaceTaken(`${path} is ${found.isSymbolicLink() ? "a symbolic link" : "no folder"}`);
      return false;
    }
  }

  /** Undefined when nothing is there. */
  async #look(path: string): Promise<{ isFile: boolean; bytes: number } | undefined> {
    try {
      const found = await lstat(path);
      return { isFile: found.isFile(), bytes: found.size };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return undefined;
      if (code === "ENOTDIR") throw new PlaceTaken(`${path} lies below a file`);
      throw error;
    }
  }

  /** A name out of a journal that somebody may have written. */
  #resolve(relative: string): string {
    const path = resolve(this.path, ...relative.split("/"));
    const components = relative.split("/");
    const isOurs = components.every((component) => component !== "" && component !== "." && component !== "..");
    if (!isOurs || components[0] === OWN_FOLDER || path !== join(this.path, ...components))
      throw new PlaceTaken(`${relative} is no name of a recording`);
    return path;
  }
}

export type Presence = "absent" | "same" | "other";

function entriesOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

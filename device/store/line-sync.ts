// Makes files that lines were appended to durable, many lines at a time. Owns which of them are not, and of which the disk has
// refused a sync: the kernel says so once and takes what it dropped for written (fsync(2)), so nobody else may sync them, and
// such a file is written anew. A folder is asked again: the file system journals its names.
import { closeSync, fsyncSync, openSync, readFileSync } from "node:fs";
import { replaceDurably } from "./durable-file.js";
import type { FileLayer } from "./file-layer.js";

const FILE_MODE = 0o600;

export class LineSync {
  readonly #folder: string;
  readonly #files: FileLayer;
  /** Files with lines that are not durable. */
  readonly #unsynced = new Set<string>();
  /** Of them, those of which the disk has refused a sync: what it dropped is not written by asking again. */
  readonly #refused = new Set<string>();
  #isFolderUnsynced = false;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(folder: string, files: FileLayer) {
    this.#folder = folder;
    this.#files = files;
  }

  /** Lines of the file, and its name if `isNew`, may not be durable. */
  note(path: string, isNew: boolean): void {
    this.#unsynced.add(path);
    this.#isFolderUnsynced ||= isNew;
  }

  /** Resolves when all that was noted before is durable; many wait for one sync. Rejects with file system errors. */
  async sync(): Promise<void> {
    if (this.#unsynced.size === 0 && !this.#isFolderUnsynced && !this.#running) return;
    // The one under way may have begun before the newest line.
    this.#next ??= this.#startAfter(this.#running);
    await this.#next;
  }

  /** The same of one file in this turn, whoever wrote it. Throws file system errors. */
  syncNow(path: string): void {
    try {
      if (this.#refused.has(path)) rewrite(path);
      else syncFile(path);
      this.#refused.delete(path);
    } catch (error) {
      this.#unsynced.add(path);
      this.#refused.add(path);
      throw error;
    }
  }

  async #startAfter(running: Promise<void> | undefined): Promise<void> {
    await running?.catch(() => {});
    const own = this.#next;
    this.#running = own;
    this.#next = undefined;
    try {
      for (const path of [...this.#unsynced]) await this.#syncFile(path);
      await this.#syncFolder();
    } finally {
      if (this.#running === own) this.#running = undefined;
    }
  }

  async #syncFile(path: string): Promise<void> {
    this.#unsynced.delete(path);
    try {
      if (this.#refused.has(path)) rewrite(path);
      else await this.#files.sync(path);
      this.#refused.delete(path);
    } catch (error) {
      // Removed meanwhile, with every line in it.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      this.#unsynced.add(path);
      this.#refused.add(path);
      throw error;
    }
  }

  async #syncFolder(): Promise<void> {
    if (!this.#isFolderUnsynced) return;
    this.#isFolderUnsynced = false;
    try {
      await this.#files.sync(this.#folder);
    } catch (error) {
      this.#isFolderUnsynced = true;
      throw error;
    }
  }
}

function rewrite(path: string): void {
  replaceDurably(path, readFileSync(path), FILE_MODE);
}

function syncFile(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

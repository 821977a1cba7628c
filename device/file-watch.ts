// Looks now and then at the files that are changed beside the service, by the command line or by hand. A changed stamp (time,
// size, another file) is told at once; once it has been the same for two looks, what the audit chain does not explain is told
// as changed by hand. Tells contents by their hash only.
import { statSync } from "node:fs";
import { join } from "node:path";
import type { WatchedFile } from "./store/file-change.js";
import { sha256OfFile } from "./store/file-hash.js";
import type { Unexplained, WatchedFiles } from "./store/watched-files.js";

export interface Found extends Unexplained {
  file: WatchedFile;
  /** What the file is now: a command may have gone on from what was done by hand. */
  present: string;
}

export interface FileWatchOptions {
  dataFolder: string;
  /** Below the data folder. */
  files: readonly WatchedFile[];
  watched: WatchedFiles;
  /** Whether all that commands left is known: before that nothing is by hand. */
  isReady(): boolean;
  /** A file may be another than at the last look. */
  changed(file: WatchedFile): void;
  /** Resolves when it, and all that was handed over before, is entered durably. */
  enter(found: readonly Found[]): Promise<void>;
}

export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #stamps = new Map<WatchedFile, string>();
  /** Files whose content has to be looked at once their stamp stands still. */
  readonly #open: Set<WatchedFile>;
  #timer: NodeJS.Timeout | undefined;
  #entering: Promise<void> | undefined;

  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#open = new Set(options.files);
  }

  start(everyMs: number): void {
    for (const file of this.#options.files) this.#stamps.set(file, this.#stampOf(file));
    this.#timer = setInterval(() => this.#look(), everyMs);
    this.#timer.unref();
  }

  /** Resolves when nothing is being entered any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#entering;
  }

  #look(): void {
    const { files, changed, isReady } = this.#options;
    const settled: WatchedFile[] = [];
    for (const file of files) {
      const stamp = this.#stampOf(file);
      if (stamp !== this.#stamps.get(file)) {
        this.#stamps.set(file, stamp);
        this.#open.add(file);
        changed(file);
      } else if (this.#open.has(file)) settled.push(file);
    }
    if (isReady() && settled.length > 0)
      this.#entering ??= this.#settle(settled).finally(() => {
        this.#entering = undefined;
      });
  }

  async #settle(files: readonly WatchedFile[]): Promise<void> {
    const { dataFolder, watched, enter } = this.#options;
    try {
      const found = files.flatMap((file) => {
        const present = contentOf(join(dataFolder, file));
        return watched.settle(file, present).map((one) => ({ ...one, file, present }));
      });
      for (const file of files) if (this.#stampOf(file) === this.#stamps.get(file)) this.#open.delete(file);
      await enter(found);
      watched.save();
    } catch {
      // Looked at again.
      for (const file of files) this.#open.add(file);
    }
  }

  #stampOf(file: WatchedFile): string {
    const status = statSync(join(this.#options.dataFolder, file), { bigint: true, throwIfNoEntry: false });
    return status ? `${status.ino} ${status.mtimeNs} ${status.size}` : "";
  }
}

/** What cannot be read has no hash; it is a change all the same. */
function contentOf(path: string): string {
  try {
    return sha256OfFile(path);
  } catch {
    return "unreadable";
  }
}

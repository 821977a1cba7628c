// Notices that a register or the tokens were changed beside the running service, by the command line or by hand: looks at
// the files' times and sizes now and then. Tells what changed by its hash, never by its content.
import { readFileSync, statSync } from "node:fs";
import { sha256Of } from "./base/sha256.js";

export interface WatchedFile {
  path: string;
  /** `sha256` is "" when the file is gone. */
  changed(sha256: string): void;
}

export class FileWatch {
  private readonly files: readonly { file: WatchedFile; seen: string }[];
  private timer: NodeJS.Timeout | undefined;

  constructor(files: readonly WatchedFile[]) {
    this.files = files.map((file) => ({ file, seen: "" }));
  }

  /** From now on; what the files are at the moment is no change. */
  start(everyMs: number): void {
    for (const one of this.files) one.seen = stampOf(one.file.path);
    this.timer = setInterval(() => this.look(), everyMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    for (const one of this.files) {
      const stamp = stampOf(one.file.path);
      if (stamp === one.seen) continue;
      one.seen = stamp;
      one.file.changed(hashOf(one.file.path));
    }
  }
}

function stampOf(path: string): string {
  const status = statSync(path, { bigint: true, throwIfNoEntry: false });
  return status ? `${status.ino} ${status.mtimeNs} ${status.size}` : "";
}

function hashOf(path: string): string {
  try {
    return sha256Of(readFileSync(path));
  } catch {
    return "";
  }
}

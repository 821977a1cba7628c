// A disk that refuses writes and takes them again, for real programs (refusing-disk.c). Needs gcc, which building `pcap` needs too.
import { execFileSync, spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { PROJECT_ROOT } from "./program.js";

/** Why there can be none here, or undefined. */
export function refusingDiskObstacle(): string | undefined {
  return spawnSync("gcc", ["--version"]).error ? "gcc is not installed" : undefined;
}

export class RefusingDisk {
  /** What the programs that use it are started with. */
  readonly environment: Readonly<Record<string, string>>;
  private readonly when: string;

  /** Refuses writes below `below`; what it needs itself is put into `folder`, which lies elsewhere. */
  constructor(folder: string, below: string) {
    const library = join(folder, "refusing-disk.so");
    const source = join(PROJECT_ROOT, "test/fakes/refusing-disk.c");
    execFileSync("gcc", ["-shared", "-fPIC", "-O1", "-Wall", "-o", library, source, "-ldl"]);
    this.when = join(folder, "refuses");
    this.environment = { LD_PRELOAD: library, REFUSE_BELOW: below, REFUSE_WHEN: this.when };
  }

  /** From now on every write is refused with this error. */
  refuse(error: "EROFS" | "EIO" | "ENOSPC"): void {
    writeFileSync(this.when, String(constants.errno[error]));
  }

  take(): void {
    rmSync(this.when, { force: true });
  }
}

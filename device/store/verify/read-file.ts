// A file of the data folder as the verifier reads it: what cannot be read is a finding, and no reason to stop.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Findings } from "./findings.js";

export interface ReadOptions {
  dataFolder: string;
  findings: Findings;
  /** The service runs, or was killed: what is not there was deleted since its folder was read. */
  isOpen: boolean;
}

export function readOrFind({ dataFolder, findings, isOpen }: ReadOptions, file: string): Buffer | undefined {
  try {
    return readFileSync(join(dataFolder, file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" || !isOpen) findings.add("unreadable", file, `it cannot be read (${code})`);
    return undefined;
  }
}

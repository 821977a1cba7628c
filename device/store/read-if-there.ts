// A small text file that may not be there.
import { readFileSync } from "node:fs";

/** Undefined when there is none. Throws other file system errors. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

// Goes through the folders of days in which recordings lie. Reads names only.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { RecordingPaths } from "./recording-paths.js";

/** Folders of days below `recordings`, "2026/11/21", each year and month read when it is come to. Throws file system errors. */
export function* recordingDays(
  { recordingsFolder }: RecordingPaths,
  first: "oldest" | "newest",
): Generator<string, void> {
  const below = (folder: string): string[] => {
    const names = numberedIn(join(recordingsFolder, folder)).map((name) =>
      folder === "" ? name : `${folder}/${name}`,
    );
    return first === "newest" ? names.reverse() : names;
  };
  for (const year of below("")) for (const month of below(year)) yield* below(month);
}

/** In order; none when the folder is gone. */
function numberedIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && /^\d+$/.test(entry.name))
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

// Where engine and service are two users with a group in common: what either makes in the journal the other can read and remove,
// and where they are one, nobody else can.
import { statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { groupFileOperations, nodeFileOperations } from "../../../device/journal/file-operations.js";
import { makeRun } from "../../../device/journal/recovery.js";
import { noteWriter } from "../../../device/run-writer.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

const KEPT = ~process.umask();

describe("the journal's files for a group", () => {
  let folder: string;
  beforeEach(() => {
    folder = makeFolder();
  });
  afterEach(() => removeFolder(folder));

  const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
  const made = (mode: number): string => (mode & KEPT).toString(8);

  it.each([
    { files: nodeFileOperations, forGroup: false, file: 0o600, run: 0o700, writer: 0o600 },
    { files: groupFileOperations, forGroup: true, file: 0o660, run: 0o770, writer: 0o640 },
  ])("forGroup: $forGroup", ({ files, forGroup, file, run, writer }) => {
    const runFolder = join(folder, "journal", "run");
    makeRun(runFolder, { forGroup });
    // Set, not asked for: whatever the service's umask.
    expect(modeOf(runFolder)).toBe(run.toString(8));
    expect(modeOf(join(folder, "journal"))).toBe("700");
    noteWriter(runFolder, { forGroup });
    expect(modeOf(join(runFolder, "engine.json"))).toBe(made(writer));
    files.mkdirSync(join(folder, "own"), { mode: 0o700 });
    expect(modeOf(join(folder, "own"))).toBe(made(run));
    files.closeSync(files.openSync(join(runFolder, "000001.seg"), "wx", 0o600));
    expect(modeOf(join(runFolder, "000001.seg"))).toBe(made(file));
  });
});

// Runs that somebody may still write, with real processes as their writers: pid and start time are the kernel's.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Logger } from "../../device/base/logger.js";
import { noteWriter, outlastWriters } from "../../device/run-writer.js";
import { type Holder, isAlive, ownHolder } from "../../device/store/process-holder.js";
import { makeFolder, removeFolder } from "../fakes/program.js";

describe("runs of an engine that may still be there", () => {
  let folder: string;
  const children: ChildProcess[] = [];
  const said: string[] = [];
  const say = (message: string) => void said.push(message);
  const logger: Logger = { debug: say, info: say, warn: say, error: say };

  beforeEach(() => {
    folder = makeFolder();
    said.length = 0;
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    removeFolder(folder);
  });

  /** Notes a process that lives so long, in the words that an engine would use of itself, as the run's writer. */
  function writtenFor(seconds: number): { child: ChildProcess; holder: Holder } {
    const child = spawn("sleep", [String(seconds)], { stdio: "ignore" });
    children.push(child);
    const boot = ownHolder().startedAt.split(" ")[0];
    const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const holder = { pid: child.pid!, startedAt: `${boot} ${fields[19]}` };
    writeFileSync(join(folder, "engine.json"), JSON.stringify(holder));
    return { child, holder };
  }

  it("are taken at once when nobody is noted, or nobody that lives", async () => {
    expect(await outlastWriters([folder], { logger })).toEqual([folder]);
    for (const text of ["", '{"pid":1', JSON.stringify({ ...ownHolder(), startedAt: "another boot 1" })]) {
      writeFileSync(join(folder, "engine.json"), text);
      expect(await outlastWriters([folder], { logger })).toEqual([folder]);
    }
    expect(said).toEqual([]);
  });

  it("are waited for while their writer lives, and no longer", async () => {
    const { holder } = writtenFor(0.3);
    expect(await outlastWriters([folder], { logger })).toEqual([folder]);
    expect(isAlive(holder)).toBe(false);
    expect(said).toEqual([
      "the engine of a service that is gone still runs: its journal is recovered once it has left",
    ]);
  });

  it("are ended by force when the writer does not leave, a stopped one as well", async () => {
    const { child, holder } = writtenFor(60);
    child.kill("SIGSTOP");
    expect(await outlastWriters([folder], { logger, patienceMs: 100 })).toEqual([folder]);
    expect(isAlive(holder)).toBe(false);
    expect(said.at(-1)).toBe("the engine of a service that is gone does not leave: it is killed");
  });

  it("are noted by whoever writes them, and a folder that takes nothing is no error", async () => {
    noteWriter(folder);
    expect(JSON.parse(readFileSync(join(folder, "engine.json"), "utf8"))).toEqual(ownHolder());
    noteWriter(join(folder, "missing"));
  });
});

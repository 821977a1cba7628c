// Journals that the box could not read any more and put aside: the audit chain has the hash of each one's `locked.json`, which
// has those of the other files in its folder.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Said } from "./audit-log.js";
import { hashFile } from "./files.js";
import type { Report } from "./report.js";
import { type JsonObject, parseObject, text } from "./signed-json.js";

/** `said`: by run, what the chain said last; `files`: all that is there, below `root`. */
export function checkLockedRuns(
  root: string,
  files: readonly string[],
  said: ReadonlyMap<string, Said & { sha256: string | undefined }>,
  report: Report,
  isOpen: boolean,
): void {
  const there = new Map<string, Set<string>>();
  for (const file of files) {
    const [, run = "", name = ""] = /^locked-journals\/([^/]+)\/?(.*)$/.exec(file) ?? [];
    if (run !== "") there.set(run, (there.get(run) ?? new Set()).add(name));
  }
  for (const run of there.keys()) {
    const known = said.get(run);
    if (known !== undefined && known.sha256 !== "") continue;
    const folder = `locked-journals/${run}`;
    if (isOpen) report.leaveOut(`${folder}: not in the audit chain yet`);
    else report.find("added", folder, "the audit chain does not know of it");
  }
  for (const [run, { sha256, seq, at }] of said) {
    const folder = `locked-journals/${run}`;
    const since = `since entry ${seq} (${at})`;
    if (sha256 === undefined) report.leaveOut(`${folder}: put aside before the audit chain was told of hashes`);
    else if (sha256 !== "")
      checkRun(root, folder, there.get(run) ?? new Set(), sha256, {
        find: (kind, file, what) => report.find(kind, file, what, since),
        leaveOut: (what) => report.leaveOut(what),
        isOpen,
      });
  }
}

interface Outcome {
  find(kind: "missing" | "changed" | "added", file: string, what: string): void;
  leaveOut(what: string): void;
  isOpen: boolean;
}

function checkRun(root: string, folder: string, names: Set<string>, sha256: string, outcome: Outcome): void {
  const list = `${folder}/locked.json`;
  if (names.size === 0) {
    if (outcome.isOpen) outcome.leaveOut(`${folder}: it was being put aside`);
    else outcome.find("missing", folder, "a journal that was put aside");
    return;
  }
  if (!names.has("locked.json")) {
    outcome.find("missing", list, "the list of what was put aside");
    return;
  }
  if (hashFile(join(root, list)).sha256 !== sha256) {
    outcome.find("changed", list, "the audit chain knows it otherwise, and with it all that is in the folder");
    return;
  }
  const listed = parseObject(readFileSync(join(root, list)))?.["files"];
  const known = new Set(["locked.json"]);
  for (const one of Array.isArray(listed) ? (listed as JsonObject[]) : []) {
    const name = text(one, "name");
    known.add(name);
    if (!names.has(name)) outcome.find("missing", `${folder}/${name}`, "of a journal that was put aside");
    else if (hashFile(join(root, folder, name)).sha256 !== text(one, "sha256"))
      outcome.find("changed", `${folder}/${name}`, "it was put aside otherwise");
  }
  for (const name of names)
    if (!known.has(name) && !(outcome.isOpen && name.endsWith(".partial")))
      outcome.find("added", `${folder}/${name}`, "it was not put aside with the others");
}

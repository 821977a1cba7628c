// Whether the journals that the box could not read any more are what it put aside: the audit chain has the hash of each one's
// `locked.json`, which has those of all its other files. Takes the chain's entries in their order; in constant memory.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AuditEntry } from "../../contract/audit.js";
import { sha256OfFile } from "../file-hash.js";
import { LOCKED_FILE, LOCKED_FOLDER, type LockedFile } from "../locked-runs.js";
import { parseLine } from "../signed-line.js";
import { listIfThere } from "./box-files.js";
import type { Findings } from "./findings.js";

const RUN_PATTERN = /^[0-9A-Z]{26}$/;
const PARTIAL_PATTERN = /\.partial$/;
const MAX_RUNS = 10_000;

interface Said {
  /** Of its `locked.json`; "" = nothing of it is left, undefined = put aside before there were hashes. */
  sha256: string | undefined;
  since: string;
}

export class LockedRuns {
  readonly #dataFolder: string;
  /** By run, what was said last. */
  readonly #said = new Map<string, Said>();

  constructor(dataFolder: string) {
    this.#dataFolder = dataFolder;
  }

  take({ kind, seq, at, detail }: AuditEntry): void {
    const { run, sha256 } = detail;
    if (kind !== "locked" || typeof run !== "string" || !RUN_PATTERN.test(run)) return;
    if (!this.#said.has(run) && this.#said.size >= MAX_RUNS) return;
    this.#said.set(run, {
      sha256: typeof sha256 === "string" ? sha256 : undefined,
      since: `since entry ${seq} (${at})`,
    });
  }

  /** `isOpen`: the service runs, or was killed. Throws file system errors. */
  finish(findings: Findings, isOpen: boolean): void {
    for (const [run, said] of this.#said) {
      const folder = `${LOCKED_FOLDER}/${run}`;
      if (said.sha256 === undefined) findings.note(`${folder}: put aside before the audit chain was told of hashes`);
      else if (said.sha256 !== "") this.#check(folder, said.sha256, said.since, findings, isOpen);
    }
    for (const name of listIfThere(join(this.#dataFolder, LOCKED_FOLDER))) {
      const said = this.#said.get(name);
      if (said !== undefined && said.sha256 !== "") continue;
      const file = `${LOCKED_FOLDER}/${name}`;
      if (isOpen) findings.note(`${file}: not in the audit chain yet`);
      else findings.add("added", file, "the audit chain does not know of it");
    }
  }

  #check(folder: string, sha256: string, since: string, findings: Findings, isOpen: boolean): void {
    const path = join(this.#dataFolder, folder);
    const names = listIfThere(path);
    if (names.length === 0) {
      if (isOpen) findings.note(`${folder}: being put aside just now, or at the next start`);
      else findings.add("missing", folder, "a journal that was put aside", since);
      return;
    }
    const listed = `${folder}/${LOCKED_FILE}`;
    const found = sha256OfFile(join(path, LOCKED_FILE));
    if (found !== sha256) {
      const kind = found === "" ? "missing" : "changed";
      findings.add(kind, listed, "the audit chain knows it otherwise, and with it all that is in the folder", since);
      return;
    }
    const files = (parseLine(readFileSync(join(path, LOCKED_FILE)))?.["files"] ?? []) as LockedFile[];
    for (const one of files) {
      const there = sha256OfFile(join(path, one.name));
      if (there === "") findings.add("missing", `${folder}/${one.name}`, "of a journal that was put aside", since);
      else if (there !== one.sha256)
        findings.add("changed", `${folder}/${one.name}`, "it was put aside otherwise", since);
    }
    const known = new Set([LOCKED_FILE, ...files.map(({ name }) => name)]);
    for (const name of names)
      if (!known.has(name) && !(isOpen && PARTIAL_PATTERN.test(name)))
        findings.add("added", `${folder}/${name}`, "it was not put aside with the others", since);
  }
}

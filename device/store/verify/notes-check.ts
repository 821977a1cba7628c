// Whether the notes beside recordings are those that the box has signed and the audit chain has entered: none changed, none added,
// none gone but with its recording. Remembers a hash for each note, of which a box has few beside its recordings.
import type { KeyObject } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isCallId } from "../../base/ids.js";
import { sha256Of } from "../../base/sha256.js";
import type { AuditEntry } from "../../contract/audit.js";
import { linesOf, NOTES_SUFFIX, noteOf } from "../notes.js";
import { isoDay, TOMBSTONE_SUFFIX, timeOfCallId } from "../recording-paths.js";
import { isSignedLine } from "../signed-line.js";
import type { Findings } from "./findings.js";
import { readOrFind } from "./read-file.js";

export interface NotesCheckOptions {
  dataFolder: string;
  publicKey: KeyObject;
  findings: Findings;
  /** The service runs, or was killed. */
  isOpen: boolean;
}

interface Said {
  seq: number;
  at: string;
  call: string;
  isRemoved: boolean;
}

const NEWLINE = 0x0a;

export class NotesCheck {
  readonly #options: NotesCheckOptions;
  /** By the hash of its line. */
  readonly #said = new Map<string, Said>();
  /** Signed, by hash: its file. */
  readonly #found = new Map<string, string>();
  readonly #spoiled = new Set<string>();

  constructor(options: NotesCheckOptions) {
    this.#options = options;
  }

  take({ kind, seq, at, call, detail }: AuditEntry): void {
    if (kind !== "noted" || call === undefined) return;
    this.#said.set(String(detail["sha256"]), { seq, at, call, isRemoved: detail["removed"] === true });
  }

  /** `folder`: "recordings/2026/11/21". `isKept`: its recording is there. */
  read(folder: string, id: string, isKept: boolean): void {
    const { findings, isOpen, publicKey } = this.#options;
    const file = `${folder}/${id}${NOTES_SUFFIX}`;
    const bytes = readOrFind(this.#options, file);
    if (bytes === undefined) return;
    if (!isKept) {
      const what = "notes without a recording";
      if (isOpen) findings.note(`${file}: ${what}: being deleted just now`);
      else findings.add("added", file, what);
    }
    if (bytes.length > 0 && bytes.at(-1) !== NEWLINE) this.#spoil(id, file, "its last byte is missing");
    for (const line of linesOf(bytes)) {
      if (noteOf(line, id) && isSignedLine(line, publicKey)) this.#found.set(sha256Of(line), file);
      else this.#spoil(id, file, "a line of it is no note that the box has signed on this recording");
    }
  }

  /** When the whole chain was taken. */
  finish(): void {
    const { findings } = this.#options;
    for (const [sha256, file] of this.#found) {
      const said = this.#said.get(sha256);
      if (said === undefined) findings.note(`${file}: a note that the audit chain was not told of: the box went down`);
      else if (said.isRemoved)
        findings.note(`${file}: a note that was to go (entry ${said.seq}, ${said.at}) is there: take it away again`);
    }
    for (const [sha256, said] of this.#said) {
      if (said.isRemoved || this.#found.has(sha256) || this.#spoiled.has(said.call) || this.#isGone(said.call))
        continue;
      if (this.#isThereNow(said.call, sha256)) continue;
      const since = `since entry ${said.seq} (${said.at})`;
      findings.add("missing", `recordings/**/${said.call}${NOTES_SUFFIX}`, "a note of it", since);
    }
  }

  #spoil(id: string, file: string, what: string): void {
    this.#spoiled.add(id);
    this.#options.findings.add("changed", file, what);
  }

  #isGone(call: string): boolean {
    return isCallId(call) && existsSync(this.#pathOf(call, TOMBSTONE_SUFFIX));
  }

  /** Written since its day was looked at. */
  #isThereNow(call: string, sha256: string): boolean {
    const { isOpen } = this.#options;
    if (!isOpen || !isCallId(call) || !existsSync(this.#pathOf(call, NOTES_SUFFIX))) return false;
    return linesOf(readFileSync(this.#pathOf(call, NOTES_SUFFIX))).some((line) => sha256Of(line) === sha256);
  }

  #pathOf(call: string, suffix: string): string {
    const day = isCallId(call) ? isoDay(timeOfCallId(call)).split("-") : [];
    return join(this.#options.dataFolder, "recordings", ...day, `${call}${suffix}`);
  }
}

// Verifies a whole data folder with the public key alone: every recording against its manifest, the manifests among each other,
// both against the audit chain, and every other file against what the chain knows of it. One pass in small memory; reads beside
// a running service. Never writes. host/verify/ does the same from the documented format, independent of this.

import type { KeyObject, X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { AuditEntry } from "../../contract/audit.js";
import { RecordingPaths } from "../recording-paths.js";
import { AnchorCheck, type AnchorLine } from "./anchors.js";
import { AuditWalk } from "./audit-walk.js";
import {
  type ChainHead,
  checkCarried,
  checkConfigurationTrail,
  checkContent,
  checkKeys,
  readChainHead,
} from "./box-files.js";
import { ChainLinks, type Link } from "./chain-links.js";
import { Entered } from "./entered.js";
import { EnteredFiles } from "./entered-files.js";
import { type Finding, Findings } from "./findings.js";
import { LockedRuns } from "./locked-runs.js";
import { NotesCheck } from "./notes-check.js";
import { type FoundManifest, RecordingsWalk } from "./recordings-walk.js";

export const VERIFY_SCHEMA = "sidetone.verification/1";

export interface Verification {
  schema: typeof VERIFY_SCHEMA;
  isWhole: boolean;
  /** A service has the folder, or one was killed: what it was just doing is no finding. */
  isOpen: boolean;
  figures: {
    recordings: number;
    audioBytes: number;
    tombstones: number;
    auditEntries: number;
    /** In `stamps/`. */
    stamps: number;
    /** Statements that were given. */
    anchors: number;
  };
  /** The first ones. */
  findings: Finding[];
  findingCount: number;
  /** What is in order though it looks strange, and what could not be checked. */
  notes: string[];
  noteCount: number;
}

export interface VerifyOptions {
  dataFolder: string;
  publicKey: KeyObject;
  /** Statements of the chains' heads that were kept elsewhere. */
  anchors?: readonly AnchorLine[];
  /** Who vouches for time stamps; without them that is not checked. */
  authorities?: readonly X509Certificate[] | undefined;
  /** Recordings looked at, bytes of audio read. */
  onProgress?(recordings: number, bytes: number): void;
}

/** How often what a running service adds is read on before it counts as missing. */
const MAX_ROUNDS = 3;
/** Entries of the configuration that are remembered. */
const MAX_TRAILS = 2;
const GONE_KINDS: readonly string[] = ["deleted", "tombstone"];

/** Throws file system errors of folders. */
export function verifyDataFolder(options: VerifyOptions): Verification {
  return new DataFolderCheck(options).run();
}

class DataFolderCheck {
  readonly #options: VerifyOptions;
  readonly #findings = new Findings();
  readonly #links: ChainLinks;
  readonly #recorded = new Entered<FoundManifest>();
  readonly #deleted = new Entered<string>();
  readonly #notes: NotesCheck;
  readonly #files: EnteredFiles;
  readonly #locked: LockedRuns;
  readonly #anchors: AnchorCheck;
  readonly #trails: string[] = [];
  readonly #isOpen: boolean;
  readonly #audit: AuditWalk;
  readonly #walk: RecordingsWalk;
  #bytesRead = 0;

  constructor(options: VerifyOptions) {
    this.#options = options;
    const { dataFolder, publicKey, onProgress, anchors: lines = [], authorities: trusted } = options;
    this.#isOpen = existsSync(join(dataFolder, "lock"));
    // First, because what they name was there before.
    this.#anchors = new AnchorCheck({ dataFolder, publicKey, lines, trusted }, this.#findings);
    const next = readChainHead(dataFolder)?.next.map(({ sha256 }) => sha256) ?? [];
    this.#links = new ChainLinks([...next, ...this.#anchors.manifests]);
    this.#notes = new NotesCheck({ dataFolder, publicKey, findings: this.#findings, isOpen: this.#isOpen });
    this.#files = new EnteredFiles(dataFolder);
    this.#locked = new LockedRuns(dataFolder);
    this.#audit = new AuditWalk(dataFolder, publicKey, (entry, line) => this.#take(entry, line));
    this.#walk = new RecordingsWalk({
      dataFolder,
      publicKey,
      findings: this.#findings,
      links: this.#links,
      recorded: this.#recorded,
      deleted: this.#deleted,
      notes: this.#notes,
      isOpen: this.#isOpen,
      onRecording: () => this.#audit.advance(),
      onRead: (bytes) => {
        this.#bytesRead += bytes;
        onProgress?.(this.#walk.recordings, this.#bytesRead);
      },
    });
  }

  run(): Verification {
    const { dataFolder, publicKey } = this.#options;
    const findings = this.#findings;
    checkKeys(dataFolder, publicKey, findings);
    this.#walk.walk();
    this.#settle();
    this.#audit.finish(findings, this.#isOpen);
    this.#notes.finish();
    this.#files.finish(findings, this.#isOpen);
    this.#locked.finish(findings, this.#isOpen);
    this.#anchors.finish((sha256) => this.#links.find(sha256) !== undefined, this.#audit.lost, this.#isOpen);
    checkConfigurationTrail(dataFolder, this.#trails, findings, this.#isOpen);
    checkCarried(dataFolder, publicKey, findings);
    checkContent(dataFolder, findings, (file) => this.#isOpen || this.#files.has(file));
    if (this.#isOpen)
      findings.note("a service has the folder, or was killed: its last seconds are not in the audit chain yet");
    return {
      schema: VERIFY_SCHEMA,
      isWhole: findings.count === 0,
      isOpen: this.#isOpen,
      figures: {
        recordings: this.#walk.recordings,
        audioBytes: this.#walk.audioBytes,
        tombstones: this.#walk.tombstones,
        auditEntries: this.#audit.entries,
        stamps: this.#anchors.stamps,
        anchors: this.#anchors.anchors,
      },
      findings: findings.list,
      findingCount: findings.count,
      notes: findings.notes,
      noteCount: findings.noteCount,
    };
  }

  /** True when it was about one more recording. */
  #take(entry: AuditEntry, line: Buffer): boolean {
    const { kind, seq, at, call, detail } = entry;
    this.#files.take(entry);
    this.#notes.take(entry);
    this.#locked.take(entry);
    this.#anchors.take(entry, line);
    if (kind === "configuration") {
      this.#trails.push(String(detail["sha256"]));
      if (this.#trails.length > MAX_TRAILS) this.#trails.shift();
    }
    if (kind === "recorded") {
      this.#recorded.enter(String(detail["manifest"]), { seq, at, id: String(call) });
      return true;
    }
    if (GONE_KINDS.includes(kind)) this.#deleted.enter(String(detail["tombstone"]), { seq, at, id: String(call) });
    return false;
  }

  /** The ends that are left: what has no counterpart in the audit chain or on the disk, or no neighbour. */
  #settle(): void {
    const { dataFolder } = this.#options;
    let head: ChainHead | null | undefined;
    for (let round = 0; round < (this.#isOpen ? MAX_ROUNDS : 1); round++) {
      head = readChainHead(dataFolder);
      this.#audit.drain();
      this.#lookForLate();
      this.#walk.settleAside();
      if (this.#links.unfollowed.every(({ sha256 }) => isHead(head, sha256))) break;
    }
    const missing = this.#reportMissing();
    this.#reportUnknown(head);
    this.#reportChain(head, missing);
  }

  /** What the chain has entered and nobody has met: published, or deleted, since its day was looked at. */
  #lookForLate(): void {
    for (const { entries } of [this.#recorded, this.#deleted]) {
      for (const { id } of [...entries.values()])
        if (this.#isOpen && !this.#walk.spoiled.has(id)) this.#walk.lookAgain(id);
    }
  }

  /** Hashes of manifests whose absence is said, or explained by what was found wrong with them. */
  #reportMissing(): Set<string> {
    const missing = new Set<string>();
    const { spoiled } = this.#walk;
    for (const [sha256, { seq, at, id }] of this.#recorded.entries) {
      missing.add(sha256);
      if (spoiled.has(id)) continue;
      const since = `since entry ${seq} (${at})${this.#neighboursOf(sha256)}`;
      this.#findings.add("missing", `recordings/**/${id}.json`, "it was published, and no deletion is entered", since);
    }
    for (const { seq, at, id } of this.#deleted.entries.values())
      if (!spoiled.has(id))
        this.#findings.add(
          "missing",
          `recordings/**/${id}.deleted`,
          "the tombstone of a deletion",
          `since entry ${seq} (${at})`,
        );
    return missing;
  }

  #neighboursOf(sha256: string): string {
    const next = this.#links.waiting.find(({ previous }) => previous === sha256);
    return next === undefined ? "" : `, before ${next.file}`;
  }

  /** What lies there and the chain does not know. */
  #reportUnknown(head: ChainHead | null | undefined): void {
    const { lost } = this.#audit;
    // A manifest that names an audit entry had a chain.
    if (!this.#audit.hasChain && [...this.#recorded.found.values()].some(({ isBeforeChain }) => !isBeforeChain))
      this.#findings.add("missing", "audit/head.json", "the audit chain is gone");
    let excused = 0;
    for (const [sha256, { file, isBeforeChain }] of this.#recorded.found) {
      if (isBeforeChain && !file.endsWith(".deleted")) this.#findings.note(`${file}: older than the audit chain`);
      else if (this.#isOpen && isHead(head, sha256)) this.#findings.note(`${file}: the audit chain is told of it soon`);
      else if (excused < lost && !file.endsWith(".deleted")) excused++;
      else this.#findings.add("added", file, "the audit chain does not say that it was published");
    }
    if (excused > 0)
      this.#findings.note(
        `${excused} recordings are not in the audit chain, which says that it has lost ${lost} entries`,
      );
    for (const file of this.#deleted.found.values()) {
      if (this.#isOpen) this.#findings.note(`${file}: being deleted just now`);
      else this.#findings.add("added", file, "the audit chain does not say that it was deleted");
    }
  }

  #reportChain(head: ChainHead | null | undefined, missing: ReadonlySet<string>): void {
    const findings = this.#findings;
    const links = this.#links;
    for (const { file } of links.forks)
      findings.add("unlinked", file, "it follows a manifest that another one follows, or claims to be the first");
    let hasGap = missing.size > 0 || this.#walk.spoiled.size > 0;
    for (const { file, previous } of links.waiting) {
      if (missing.has(previous)) continue;
      hasGap = true;
      findings.add("unlinked", file, `the manifest before it (${previous.slice(0, 16)}…) is not there`);
    }
    this.#reportHead(head, links.unfollowed, hasGap, missing);
  }

  /** `hasGap`: what nobody follows may be what stood before it. */
  #reportHead(
    head: ChainHead | null | undefined,
    ends: readonly Link[],
    hasGap: boolean,
    missing: ReadonlySet<string>,
  ): void {
    const findings = this.#findings;
    if (head === undefined) {
      if (this.#links.count > 0 || this.#audit.hasChain)
        findings.add("missing", "chain.json", "the head of the chain of manifests");
      return;
    }
    if (head === null) {
      findings.add("changed", "chain.json", "it is not what the box writes");
      return;
    }
    const faults = this.#headFaults(head, missing);
    const isStanding = ends.some(({ sha256 }) => isHead(head, sha256));
    if (!hasGap && !isStanding && (ends.length > 0 || head.head !== "" || head.next.length > 0))
      faults.unshift("it does not name the last manifest of the chain");
    for (const text of faults.slice(0, 1)) findings.add("changed", "chain.json", text);
    // Of several ends one at most is the chain's; of one it is the head that is wrong.
    if (!hasGap && ends.length > 1)
      for (const { file, sha256 } of ends)
        if (!isHead(head, sha256))
          findings.add("unlinked", file, "nothing follows it, and chain.json does not name it");
  }

  /** Its parts contradict each other, or the manifests. */
  #headFaults({ head, next }: ChainHead, missing: ReadonlySet<string>): string[] {
    const { dataFolder } = this.#options;
    const faults: string[] = [];
    let previous = head;
    for (const { id, sha256 } of next) {
      const link = this.#links.find(sha256);
      if (link !== undefined) {
        if (link.previous !== previous) faults.push("its manifests do not follow each other");
        if (!link.file.includes(id)) faults.push(`it calls the manifest of another recording ${id}`);
      } else if (
        !this.#isOpen &&
        !missing.has(sha256) &&
        !existsSync(new RecordingPaths(dataFolder).temporaryManifest(id))
      )
        faults.push(`it names a manifest of ${id} that is not there`);
      previous = sha256;
    }
    return faults;
  }
}

/** Whether it may be the newest: the head, or one that comes next. */
function isHead(head: ChainHead | null | undefined, sha256: string): boolean {
  return (
    head !== undefined && head !== null && (head.head === sha256 || head.next.some((one) => one.sha256 === sha256))
  );
}

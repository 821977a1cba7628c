// Whether both chains still hold what the box has stated of them: in `stamps/`, where a time stamp authority has put its time to it,
// and in statements that were kept elsewhere, as a broker's log has them. Who rewrites or cuts off a chain with the box's own key
// contradicts them. Takes the chain's entries as they come; never writes.
import type { KeyObject, X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { SidetoneError } from "../../base/errors.js";
import { sha256Of } from "../../base/sha256.js";
import { ANCHOR_SCHEMA, type AnchorStatement } from "../../contract/anchor.js";
import type { AuditEntry } from "../../contract/audit.js";
import { isStampOf, isTimeStamp, readTimeStamp } from "../../contract/time-stamp.js";
import { certificatesOf, faultOfSignature } from "../../contract/time-stamp-signature.js";
import { stampName } from "../anchor.js";
import { isSignedLine, parseLine } from "../signed-line.js";
import type { Findings } from "./findings.js";

export const STAMP_FILE = /^\d{8}T\d{6}Z-\d{1,16}\.(?:json|tsr)(?:(?:\.\d+)?\.partial)*$/;
const WHOLE_STAMP_FILE = /^stamps\/\d{8}T\d{6}Z-\d{1,16}\.(?:json|tsr)$/;
const HASH_PATTERN = /^[0-9a-f]{64}$/;
const TIME_PATTERN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
/** A log may have the topic, or a time, before each. */
const BEGINNING = `{"schema":"${ANCHOR_SCHEMA}"`;
const MAX_FILE_BYTES = 64 << 20;
const MAX_STAMP_BYTES = 1 << 20;
const NEWLINE = 0x0a;
/** Between the box's clock and the authority's, what the request takes included. */
const CLOCK_MS = 300_000;

/** A line that may be a statement. */
export interface AnchorLine {
  /** The file as it was named, and the line. */
  source: string;
  line: Buffer;
}

export interface AnchorOptions {
  dataFolder: string;
  publicKey: KeyObject;
  lines: readonly AnchorLine[];
  /** Authorities that vouch for time stamps; undefined = who signed them is not checked. */
  trusted: readonly X509Certificate[] | undefined;
}

interface Stated {
  source: string;
  statement: AnchorStatement;
}

/** The statements in a file, one a line, each once. Throws SidetoneError usage. */
export function readAnchorFile(path: string): AnchorLine[] {
  const lines = new Map<string, AnchorLine>();
  for (const [i, text] of readNamed(path, "statements of a box").split("\n").entries()) {
    const at = text.indexOf(BEGINNING);
    const line = text.slice(at).trimEnd();
    if (at >= 0 && !lines.has(line)) lines.set(line, { source: `${path}:${i + 1}`, line: Buffer.from(line) });
  }
  if (lines.size === 0)
    throw new SidetoneError("usage", `${path} holds no statement of a box (${ANCHOR_SCHEMA}, one JSON object a line)`);
  return [...lines.values()];
}

/** Throws SidetoneError usage. */
export function readAuthorities(path: string): X509Certificate[] {
  let certificates: X509Certificate[] = [];
  try {
    certificates = certificatesOf(readNamed(path, "certificates"));
  } catch (error) {
    if (error instanceof SidetoneError) throw error;
  }
  if (certificates.length === 0)
    throw new SidetoneError("usage", `${path} holds no certificate (PEM): it is the time stamp authority's`);
  return certificates;
}

export class AnchorCheck {
  readonly #options: AnchorOptions;
  readonly #findings: Findings;
  readonly #stated: Stated[] = [];
  /** By the number of an entry that is named, what its line hashes to. */
  readonly #hashes = new Map<number, string>();
  /** By file below the data folder, as the audit chain has entered it. */
  readonly #entered = new Map<string, { sha256: string; since: string }>();
  #lastSeq = 0;
  #stamps = 0;
  #anchors = 0;
  #newest = { at: "", seq: 0 };
  #clockNotes = 0;

  /** Throws file system errors of the folder. */
  constructor(options: AnchorOptions, findings: Findings) {
    this.#options = options;
    this.#findings = findings;
    for (const { source, line } of options.lines) {
      const statement = readStatement(line, options.publicKey);
      if (statement === undefined) findings.add("changed", source, "it is not what this box's key has signed");
      else this.#state(source, statement);
    }
    this.#anchors = this.#stated.length;
    for (const file of this.#files()) if (file.endsWith(".json")) this.#readStamp(file);
    for (const { statement } of this.#stated) this.#hashes.set(statement.audit.seq, "");
  }

  get stamps(): number {
    return this.#stamps;
  }

  get anchors(): number {
    return this.#anchors;
  }

  /** Hashes of manifests that are to be looked out for. */
  get manifests(): string[] {
    return this.#stated.map(({ statement }) => statement.manifests.sha256).filter((sha256) => sha256 !== "");
  }

  take({ kind, seq, at, detail }: AuditEntry, line: Buffer): void {
    this.#lastSeq = Math.max(this.#lastSeq, seq);
    if (this.#hashes.has(seq)) this.#hashes.set(seq, sha256Of(line));
    if (kind !== "stamped" || !Array.isArray(detail["files"])) return;
    for (const { file, sha256 } of detail["files"] as { file?: unknown; sha256?: unknown }[])
      if (typeof file === "string" && typeof sha256 === "string" && WHOLE_STAMP_FILE.test(file))
        this.#entered.set(file, { sha256, since: `since entry ${seq} (${at})` });
  }

  /** `hasManifest`: whether one of those wanted is in the chain; `lost`: entries that the audit chain says it has lost. */
  finish(hasManifest: (sha256: string) => boolean, lost: number, isOpen: boolean): void {
    this.#finishFiles(lost, isOpen);
    this.#finishHeads(hasManifest);
    if (this.#stamps > 0) this.#noteStamps();
  }

  #state(source: string, statement: AnchorStatement): void {
    this.#stated.push({ source, statement });
  }

  #files(): string[] {
    try {
      const names = readdirSync(join(this.#options.dataFolder, "stamps")).sort();
      return names.map((name) => `stamps/${name}`).filter((file) => WHOLE_STAMP_FILE.test(file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  #readStamp(file: string): void {
    const { dataFolder, publicKey, trusted } = this.#options;
    const findings = this.#findings;
    this.#stamps++;
    const bytes = readSmall(join(dataFolder, file));
    const statement = bytes?.at(-1) === NEWLINE ? readStatement(bytes.subarray(0, -1), publicKey) : undefined;
    if (bytes === undefined || statement === undefined) {
      findings.add("changed", file, "it is not what this box's key has signed");
      return;
    }
    if (file !== `stamps/${stampName(statement)}.json`)
      findings.add("misplaced", file, `it is the statement ${stampName(statement)}`);
    this.#state(file, statement);
    const responseFile = file.replace(".json", ".tsr");
    const response = readSmall(join(dataFolder, responseFile));
    // That it is missing the audit chain tells.
    if (response === undefined) return;
    const stamp = readTimeStamp(response);
    if (!isTimeStamp(stamp)) {
      findings.add("changed", responseFile, stamp.fault);
      return;
    }
    if (!isStampOf(stamp, bytes)) findings.add("changed", responseFile, `it is a time stamp of something else`);
    const fault = trusted && faultOfSignature(stamp, trusted);
    if (fault !== undefined) findings.add("changed", responseFile, `the time stamp cannot be trusted: ${fault}`);
    if (stamp.at > this.#newest.at) this.#newest = { at: stamp.at, seq: statement.audit.seq };
    if (Math.abs(Date.parse(stamp.at) - Date.parse(statement.at)) > CLOCK_MS && this.#clockNotes++ === 0)
      findings.note(`${file}: the box's clock said ${statement.at}, the time stamp authority's ${stamp.at}`);
  }

  #finishFiles(lost: number, isOpen: boolean): void {
    const { dataFolder } = this.#options;
    const findings = this.#findings;
    for (const [file, { sha256, since }] of this.#entered) {
      const bytes = readSmall(join(dataFolder, file));
      if (bytes === undefined && isOpen) findings.note(`${file}: it gets its name just now, or at the next start`);
      else if (bytes === undefined) findings.add("missing", file, "the audit chain knows of it", since);
      else if (sha256Of(bytes) !== sha256)
        findings.add("changed", file, "it is not what the audit chain was told", since);
    }
    for (const file of this.#files()) {
      if (this.#entered.has(file)) continue;
      if (isOpen || lost > 0) findings.note(`${file}: not in the audit chain`);
      else findings.add("added", file, "the audit chain does not know of it");
    }
  }

  /** The first statement that each fault contradicts is named, the others are counted. */
  #finishHeads(hasManifest: (sha256: string) => boolean): void {
    const findings = this.#findings;
    const first = new Map<string, { report(more: string): void; more: number }>();
    const fault = (kind: string, report: (more: string) => void): void => {
      const known = first.get(kind);
      if (known === undefined) first.set(kind, { report, more: 0 });
      else known.more++;
    };
    for (const { source, statement } of this.#stated.sort((a, b) => a.statement.audit.seq - b.statement.audit.seq)) {
      const { at, audit, manifests } = statement;
      const auditFile = `audit/${at.slice(0, 7)}.jsonl`;
      const by = `the box stated at ${at} (${source})`;
      const found = this.#hashes.get(audit.seq);
      if (audit.seq > this.#lastSeq)
        fault("cut", (more) =>
          findings.add(
            "truncated",
            auditFile,
            `entry ${audit.seq}, which ${by}, is cut off${more}`,
            after(this.#lastSeq),
          ),
        );
      else if (found === "")
        fault("gone", (more) => findings.add("missing", auditFile, `entry ${audit.seq}, which ${by}${more}`));
      else if (found !== audit.sha256)
        fault("other", (more) =>
          findings.add("changed", auditFile, `entry ${audit.seq} is another than ${by}: rewritten since${more}`),
        );
      if (manifests.sha256 !== "" && !hasManifest(manifests.sha256))
        fault("manifest", (more) =>
          findings.add(
            "missing",
            "recordings",
            `the manifest ${manifests.sha256.slice(0, 16)}…, the last one that ${by}: removed, or rewritten since${more}`,
          ),
        );
    }
    for (const { report, more } of first.values()) report(more === 0 ? "" : `; ${more} more statements like it`);
  }

  #noteStamps(): void {
    const { trusted } = this.#options;
    const findings = this.#findings;
    if (trusted === undefined)
      findings.note(
        "stamps/: who signed the time stamps is not checked: name the authority's certificate with --tsa-ca",
      );
    if (this.#newest.at !== "")
      findings.note(
        `the newest time stamp is of ${this.#newest.at}, of everything up to audit entry ${this.#newest.seq}`,
      );
    if (this.#clockNotes > 1) findings.note(`the clocks differ in ${this.#clockNotes - 1} more time stamps`);
  }
}

function after(seq: number): string {
  return `after entry ${seq}`;
}

/** The statement, if the key has signed exactly these bytes. */
function readStatement(line: Buffer, publicKey: KeyObject): AnchorStatement | undefined {
  if (!isSignedLine(line, publicKey)) return undefined;
  const statement = parseLine(line) as Partial<AnchorStatement> | undefined;
  const { schema, at, audit, manifests } = statement ?? {};
  const isFormed =
    schema === ANCHOR_SCHEMA &&
    TIME_PATTERN.test(String(at)) &&
    Number.isSafeInteger(audit?.seq) &&
    HASH_PATTERN.test(String(audit?.sha256)) &&
    (manifests?.sha256 === "" || HASH_PATTERN.test(String(manifests?.sha256)));
  return isFormed ? (statement as AnchorStatement) : undefined;
}

/** Undefined when it is missing or longer than any. */
function readSmall(path: string): Buffer | undefined {
  try {
    return statSync(path).size > MAX_STAMP_BYTES ? Buffer.alloc(0) : readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function readNamed(path: string, what: string): string {
  try {
    if (statSync(path).size > MAX_FILE_BYTES)
      throw new SidetoneError("usage", `${path} is longer than ${MAX_FILE_BYTES >> 20} MiB: name a shorter one`);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof SidetoneError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new SidetoneError("usage", `cannot read ${path} (${code}): name a file with ${what}`);
  }
}

// What the box has stated of its chains' heads (README, "How the files vouch for each other"): in `stamps/`, with an authority's time
// stamp, and in files of statements that were kept elsewhere. The audit chain must hold the entry, recordings the manifest.
// Of time stamps the reading and the signature are shared with the box (device/contract): `openssl ts -verify` is a second opinion.
import type { KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SidetoneError } from "../../device/base/errors.js";
import { isStampOf, isTimeStamp, readTimeStamp } from "../../device/contract/time-stamp.js";
import { certificatesOf, faultOfSignature } from "../../device/contract/time-stamp-signature.js";
import type { Report } from "./report.js";
import { type JsonObject, readSigned, readSignedFile, text } from "./signed-json.js";

/** Anything, a topic for example, may stand before it on its line. */
const BEGINNING = '{"schema":"sidetone.anchor/1"';
const STATEMENT_FILE = /^stamps\/(.+)\.json$/;
const HEX = /^[0-9a-f]{64}$/;

export interface Named {
  source: string;
  line: Buffer;
}

interface Statement {
  source: string;
  at: string;
  seq: number;
  entry: string;
  manifest: string;
}

/** Lines of a file that are statements. Throws SidetoneError usage. */
export function readStatements(path: string): Named[] {
  const found = readText(path)
    .split("\n")
    .map((line, i) => ({ source: `${path}:${i + 1}`, at: line.indexOf(BEGINNING), line }))
    .filter(({ at }) => at >= 0)
    .map(({ source, at, line }) => ({ source, line: Buffer.from(line.slice(at).trimEnd()) }));
  if (found.length === 0)
    throw new SidetoneError("usage", `${path} holds no statement of a box (sidetone.anchor/1, one JSON object a line)`);
  // A broker's log may have each several times: the first counts.
  return [...new Map(found.reverse().map((one) => [one.line.toString("latin1"), one])).values()].reverse();
}

/** Throws SidetoneError usage. */
export function readAuthorities(path: string): X509Certificate[] {
  const pem = readText(path);
  let certificates: X509Certificate[] = [];
  try {
    certificates = certificatesOf(pem);
  } catch {
    // Falls through: whatever it is, it holds none.
  }
  if (certificates.length > 0) return certificates;
  throw new SidetoneError("usage", `${path} holds no certificate (PEM): it is the time stamp authority's`);
}

export class Anchors {
  stamps = 0;
  given = 0;
  readonly #report: Report;
  readonly #key: KeyObject;
  readonly #statements: Statement[] = [];
  #newest: { at: string; seq: number } | undefined;

  constructor(key: KeyObject, report: Report) {
    this.#key = key;
    this.#report = report;
  }

  /** Numbers of the entries that are named. */
  get entries(): Set<number> {
    return new Set(this.#statements.map(({ seq }) => seq));
  }

  take(named: readonly Named[]): void {
    for (const { source, line } of named) {
      const statement = statementOf(source, readSigned(line, this.#key));
      if (statement === undefined) this.#report.find("changed", source, "it is not what this box has signed");
      else this.#statements.push(statement);
    }
    this.given = this.#statements.length;
  }

  /** `authorities`: undefined = who signed a time stamp is not checked. */
  readStamps(root: string, files: readonly string[], authorities: readonly X509Certificate[] | undefined): void {
    const known = new Set(files);
    for (const file of files) {
      const name = STATEMENT_FILE.exec(file)?.[1];
      if (name !== undefined) this.#readStamp(root, name, known, authorities);
    }
    if (this.stamps === 0) return;
    if (authorities === undefined)
      this.#report.leaveOut("stamps/: who signed the time stamps: name the authority's certificate with --tsa-ca");
  }

  /** `entries`: by number what a line hashes to. */
  compare(
    entries: ReadonlyMap<number, string>,
    lastSeq: number,
    hasManifest: (sha256: string) => boolean,
    isWhole: boolean,
  ): void {
    const faults = new Map<string, { found: Parameters<Report["find"]>; more: number }>();
    const fault = (...found: Parameters<Report["find"]>): void => {
      const key = found.slice(0, 2).join();
      const known = faults.get(key);
      if (known === undefined) faults.set(key, { found, more: 0 });
      else known.more++;
    };
    for (const { source, at, seq, entry, manifest } of [...this.#statements].sort((a, b) => a.seq - b.seq)) {
      const by = `the box stated at ${at} (${source})`;
      const file = `audit/${at.slice(0, 7)}.jsonl`;
      if (isWhole && seq > lastSeq) fault("truncated", file, `entry ${seq}, which ${by}, is cut off`);
      else if (isWhole && !entries.has(seq)) fault("missing", file, `entry ${seq}, which ${by}`);
      else if (isWhole && entries.get(seq) !== entry)
        fault("changed", file, `entry ${seq} is another than ${by}: rewritten since`);
      if (manifest === "" || hasManifest(manifest)) continue;
      const what = `the manifest ${manifest.slice(0, 16)}…, the last one that ${by}`;
      if (isWhole) fault("missing", "recordings", `${what}: removed, or rewritten since`);
      else this.#report.leaveOut(`${what}, is not in this part`);
    }
    for (const { found, more } of faults.values()) {
      const [kind, file, what] = found;
      this.#report.find(kind, file, more === 0 ? what : `${what}; ${more} more statements like it`);
    }
    if (!isWhole && this.#statements.length > 0)
      this.#report.leaveOut("the audit entries that statements name: there is no audit chain here");
    if (this.#newest !== undefined)
      this.#report.leaveOut(
        `whether anything behind audit entry ${this.#newest.seq} was rewritten: the newest time stamp is of ${this.#newest.at}`,
      );
  }

  #readStamp(
    root: string,
    name: string,
    files: ReadonlySet<string>,
    authorities: readonly X509Certificate[] | undefined,
  ): void {
    const [file, responseFile] = [`stamps/${name}.json`, `stamps/${name}.tsr`];
    this.stamps++;
    const bytes = readFileSync(join(root, file));
    const statement = statementOf(file, readSignedFile(bytes, this.#key));
    if (statement === undefined) {
      this.#report.find("changed", file, "it is not what the box has signed");
      return;
    }
    const { at, seq } = statement;
    const expected = `${at.slice(0, 19).replaceAll("-", "").replaceAll(":", "")}Z-${seq}`;
    if (name !== expected) this.#report.find("misplaced", file, `it is the statement ${expected}`);
    this.#statements.push(statement);
    if (!files.has(responseFile)) return;
    const stamp = readTimeStamp(readFileSync(join(root, responseFile)));
    if (!isTimeStamp(stamp)) {
      this.#report.find("changed", responseFile, stamp.fault);
      return;
    }
    if (!isStampOf(stamp, bytes)) this.#report.find("changed", responseFile, "it is a time stamp of something else");
    const fault = authorities && faultOfSignature(stamp, authorities);
    if (fault !== undefined) this.#report.find("changed", responseFile, `the time stamp cannot be trusted: ${fault}`);
    if (this.#newest === undefined || stamp.at > this.#newest.at) this.#newest = { at: stamp.at, seq };
  }
}

function statementOf(source: string, object: JsonObject | undefined): Statement | undefined {
  const audit = object?.["audit"] as JsonObject | undefined;
  const manifests = object?.["manifests"] as JsonObject | undefined;
  const statement = {
    source,
    at: text(object, "at"),
    seq: Number(audit?.["seq"]),
    entry: text(audit, "sha256"),
    manifest: text(manifests, "sha256"),
  };
  const isFormed =
    text(object, "schema") === "sidetone.anchor/1" &&
    /^[\d-]{10}T[\d:]{8}\.\d{6}Z$/.test(statement.at) &&
    Number.isSafeInteger(statement.seq) &&
    HEX.test(statement.entry) &&
    (statement.manifest === "" || HEX.test(statement.manifest));
  return isFormed ? statement : undefined;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new SidetoneError("usage", `cannot read ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
}

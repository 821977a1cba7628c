// Proves that a recording was deleted, by whom and why, or says what does not hold: reads its tombstone, what else has its name
// and the audit chain. Never writes.
import type { KeyObject } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { CallId } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import type { AuditEntry } from "../contract/audit.js";
import type { Tombstone } from "../contract/tombstone.js";
import { auditFolder, listAuditFiles, parseEntry, readLines } from "./audit-files.js";
import { Faults, PROOF_SCHEMA, type Proof, type ProofCheck } from "./prove-check.js";
import type { RecordingPaths } from "./recording-paths.js";
import { parseTombstone, verifyTombstone } from "./retention/tombstone.js";
import { isSignedLine } from "./signed-line.js";

/** `path`: of the tombstone. Throws file system errors. */
export function proveDeletion(paths: RecordingPaths, id: CallId, path: string, publicKey: KeyObject): Proof {
  const bytes = readFileSync(path);
  const signed = verifyTombstone(bytes, id, publicKey);
  const checks = [
    checkTombstone(parseTombstone(bytes), signed !== undefined),
    checkCertificate(entriesOf(paths.dataFolder, id, publicKey), signed?.tombstone, signed?.sha256 ?? ""),
    checkGone(path, id, signed?.tombstone),
  ];
  return { schema: PROOF_SCHEMA, id, proved: checks.every(({ passed }) => passed), checks };
}

function checkTombstone(tombstone: Tombstone | undefined, isSigned: boolean): ProofCheck {
  const faults = new Faults();
  faults.expect(isSigned, "the tombstone is not what the box's key has signed for this recording");
  const { at = "", reason = "", by = "", text = "", startedOn = "" } = tombstone ?? {};
  return faults.toCheck("tombstone", { at, reason, by, text, class: tombstone?.class ?? "", recordedOn: startedOn });
}

function checkCertificate(
  entries: readonly AuditEntry[],
  tombstone: Tombstone | undefined,
  sha256: string,
): ProofCheck {
  const faults = new Faults();
  const ofThis = entries.filter(({ detail }) => detail["tombstone"] === sha256 && sha256 !== "");
  const intent = ofThis.find(({ kind }) => kind === "deleting");
  const certificate = ofThis.find(({ kind }) => kind === "deleted" || kind === "tombstone");
  const recorded = entries.find(({ kind }) => kind === "recorded");
  faults.expect(intent !== undefined, "no entry says that it was about to be deleted");
  faults.expect(certificate !== undefined, "no entry certifies that it was deleted with this tombstone");
  if (intent && certificate) faults.expect(intent.seq < certificate.seq, "it was certified before it was intended");
  faults.expect(recorded !== undefined, "no entry says that it was published");
  if (recorded && tombstone)
    faults.expect(
      recorded.detail["manifest"] === tombstone.manifest,
      `entry ${recorded.seq} says that it was published with another manifest than the tombstone names`,
    );
  return faults.toCheck("certificate", { intent: intent?.seq ?? 0, seq: certificate?.seq ?? 0 });
}

/** The manifest of one that keeps it is the one that was there. */
function checkGone(path: string, id: CallId, tombstone: Tombstone | undefined): ProofCheck {
  const faults = new Faults();
  const folder = dirname(path);
  const others = readdirSync(folder).filter((name) => name.startsWith(`${id}.`) && name !== basename(path));
  for (const name of others) {
    const isKept = tombstone?.keepsManifest === true && name === `${id}.json`;
    if (isKept)
      faults.expect(
        sha256Of(readFileSync(join(folder, name))) === tombstone.manifest,
        `${name} is another manifest than the one that was kept`,
      );
    else faults.add(`${name} is still there`);
  }
  return faults.toCheck("gone", { files: others.length });
}

/** What the key has signed about the call. */
function entriesOf(dataFolder: string, id: CallId, publicKey: KeyObject): AuditEntry[] {
  const mark = Buffer.from(`"call":"${id}"`);
  const entries: AuditEntry[] = [];
  for (const file of listAuditFiles(dataFolder)) {
    for (const { bytes, isWhole, isTooLong } of readLines(join(auditFolder(dataFolder), file))) {
      if (!isWhole || isTooLong || !bytes.includes(mark)) continue;
      const entry = isSignedLine(bytes, publicKey) ? parseEntry(bytes) : undefined;
      if (entry?.call === id) entries.push(entry);
    }
  }
  return entries;
}

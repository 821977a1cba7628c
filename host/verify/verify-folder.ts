// Verifies a copy of a box's data folder, or of a part of its recordings, with the box's public key alone: a second
// implementation of the documented format that shares no code with the box's own. Never writes.
import type { KeyObject, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256Of } from "../../device/base/sha256.js";
import { Anchors, type Named } from "./anchors.js";
import { AuditLog, type Said } from "./audit-log.js";
import { hashFile, hashPrefixes, listFiles } from "./files.js";
import { checkLockedRuns } from "./locked-runs.js";
import { type Link, Recordings } from "./recordings.js";
import { type Finding, Report } from "./report.js";
import { parseObject, readSignedFile } from "./signed-json.js";

export const FOLDER_VERDICT_SCHEMA = "sidetone.folder-verdict/1";

export interface FolderVerdict {
  schema: typeof FOLDER_VERDICT_SCHEMA;
  isWhole: boolean;
  /** A whole data folder, or recordings alone. */
  scope: "data folder" | "recordings";
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
  findings: Finding[];
  findingCount: number;
  /** What could not be checked, and why. */
  unchecked: string[];
}

/** What may lie in a data folder; of what is not named here nothing is the box's. */
const OWN_FILES =
  /^(?:lock|chain\.json|carried\.json|alarms\.json|disk\.json|mqtt-announced\.json|reserve\.bin|audit\/(?:\d{4}-\d\d\.jsonl|head\.json|configuration\.json|watched\.json)|calls\/\d{4}-\d\d-\d\d\.jsonl|keys\/(?:device\.key|device\.pub|tokens\.json|lock)|registers\/(?:consent\.jsonl|agents\.jsonl|lock)|retention\/(?:holds\.json|terms\.jsonl|deleting\.json|clock\.json|erasures\.json)|mqtt-queue\/\d{16}\.log(?:\.\d+\.partial)?|(?:index|journal|locked-journals|spool|self-test|backups|recordings\/\.partial)\/.+|stamps\/\d{8}T\d{6}Z-\d{1,16}\.(?:json|tsr)(?:(?:\.\d+)?\.partial)*|(?:[a-z]+\/)?[A-Za-z.-]+(?:\.\d+)?\.partial)$/;
/** Nothing vouches for them, and nothing rests on them. */
const UNSIGNED: readonly [RegExp, string][] = [
  [/^journal\//, "journal/: calls that are not stored yet are not signed"],
  [/^self-test\//, "self-test/: the self-test's own call, while one is made"],
  [/^spool\//, "spool/: requests to the service are not signed"],
  [/^mqtt-queue\//, "mqtt-queue/: events that wait for the broker are not signed"],
  [/^index\//, "index/: made of the manifests"],
  [/^backups\//, "backups/: copies that a migration has made"],
  [/^stamps\/.+\.partial$/, "stamps/*.partial: a time stamp on its way into the audit chain"],
  [/^reserve\.bin$/, "reserve.bin: room that is given up when the disk is full"],
  [/^audit\/watched\.json$/, "audit/watched.json: a difference is entered as a change made by hand"],
  [/^mqtt-announced\.json$/, "mqtt-announced.json: where the box has announced itself to home automation"],
  [/^disk\.json$/, "disk.json: how fast the disk filled up, which is measured anew"],
  [/^alarms\.json$/, "alarms.json: the box looks at every condition anew"],
  [/^recordings\/\.partial\//, "recordings/.partial/: what is being written, or was left by a crash"],
  [
    /^retention\/(?:clock|erasures)\.json$/,
    "retention/clock.json, retention/erasures.json: what retention has still to do",
  ],
  [/^retention\/deleting\.json$/, "retention/deleting.json: a deletion that is being carried out"],
];
const HASHED =
  /^(?:stamps\/[^.]+\.(?:json|tsr)|keys\/tokens\.json|registers\/[a-z]+\.jsonl|retention\/(?:holds\.json|terms\.jsonl))$/;

/** In a folder that recordings were pulled into. */
const PULL_FOLDER = ".sidetone-pull/";

/** What was kept elsewhere. */
export interface Proofs {
  /** Statements of the chains' heads. */
  anchors?: readonly Named[];
  /** Who vouches for time stamps; without them that is not checked. */
  authorities?: readonly X509Certificate[] | undefined;
}

/** Throws file system errors of folders. */
export function verifyFolder(
  root: string,
  key: KeyObject,
  { anchors: named = [], authorities }: Proofs = {},
): FolderVerdict {
  const isWhole = ["audit", "chain.json", "keys"].some((name) => existsSync(join(root, name)));
  const report = new Report();
  const files = listFiles(root);
  const isOpen = existsSync(join(root, "lock"));
  const recordings = new Recordings(root, key, report, isWhole);
  const isRecording = (file: string): boolean =>
    isWhole
      ? file.startsWith("recordings/") && !file.startsWith("recordings/.partial/")
      : !file.startsWith(PULL_FOLDER);
  recordings.read(files.filter(isRecording), isOpen);
  const { encrypted, unread } = recordings;
  if (encrypted > 0)
    report.leaveOut(`${encrypted} encrypted recordings: whether their closed spans are silent needs a key`);
  if (unread > 0) report.leaveOut(`${unread} recordings are no 16-bit PCM: whether their closed spans are silent`);
  const audit = new AuditLog(report);
  const anchors = new Anchors(key, report);
  anchors.take(named);
  if (isWhole) anchors.readStamps(root, files, authorities);
  if (isWhole) {
    audit.read(
      root,
      files.filter((file) => /^audit\/\d{4}-\d\d\.jsonl$/.test(file)),
      key,
      { isOpen, hasRecordings: recordings.links.size > 0, wanted: anchors.entries },
    );
    compareRecordings(recordings, audit, report, isOpen);
    compareNotes(recordings, audit, report, isOpen);
    compareFiles(root, files, audit, report, isOpen);
    checkLockedRuns(root, files, audit.locked, report, isOpen);
    checkKeys(root, key, report);
    checkTrail(root, audit.trails, report, isOpen);
    checkOthers(
      root,
      files.filter((file) => !isRecording(file)),
      key,
      audit,
      report,
      isOpen,
    );
    if (isOpen)
      report.leaveOut(
        "the service ran when this was copied, or was killed: its last seconds are not in the audit chain",
      );
  } else {
    report.leaveOut("there is no audit chain here: recordings that are missing at either end of the chain do not show");
    report.leaveOut("there is no call log, no register and no key here");
    if (files.some((file) => file.startsWith(PULL_FOLDER)))
      report.leaveOut(`${PULL_FOLDER}: what sidetone pull has put there`);
  }
  checkChain(root, recordings, audit, report, { isWhole, isOpen });
  anchors.compare(audit.hashes, audit.lastSeq, (sha256) => recordings.links.has(sha256), isWhole);
  return {
    schema: FOLDER_VERDICT_SCHEMA,
    isWhole: report.findingCount === 0,
    scope: isWhole ? "data folder" : "recordings",
    figures: {
      recordings: recordings.recordings,
      audioBytes: recordings.audioBytes,
      tombstones: recordings.tombstones.size,
      auditEntries: audit.entries,
      stamps: anchors.stamps,
      anchors: anchors.given,
    },
    findings: report.findings,
    findingCount: report.findingCount,
    unchecked: report.unchecked,
  };
}

/** What the audit chain has entered lies there, and what lies there is entered. */
function compareRecordings(recordings: Recordings, audit: AuditLog, report: Report, isOpen: boolean): void {
  const isExplained = (id: string): boolean => recordings.spoiled.has(id);
  for (const [sha256, said] of audit.recorded)
    if (!recordings.links.has(sha256) && !isExplained(said.id))
      report.find(
        "missing",
        `recordings/**/${said.id}.json`,
        "it was published, and no deletion is entered",
        sinceOf(said),
      );
  for (const [sha256, said] of audit.deleted)
    if (!recordings.tombstones.has(sha256) && !isExplained(said.id))
      report.find("missing", `recordings/**/${said.id}.deleted`, "the tombstone of a deletion", sinceOf(said));
  for (const [sha256, file] of recordings.tombstones) {
    if (audit.deleted.has(sha256)) continue;
    if (isOpen) report.leaveOut(`${file}: its deletion is not in the audit chain yet`);
    else report.find("added", file, "the audit chain does not say that it was deleted");
  }
  const unknown = [...recordings.links].filter(
    ([sha256, { isTombstone }]) => !isTombstone && !audit.recorded.has(sha256),
  );
  for (const [, { file }] of unknown) {
    if (isOpen || unknown.length <= audit.lost) report.leaveOut(`${file}: not in the audit chain`);
    else report.find("added", file, "the audit chain does not say that it was published");
  }
}

/** A note goes with its recording, or by an entry of its own. */
function compareNotes(recordings: Recordings, audit: AuditLog, report: Report, isOpen: boolean): void {
  const gone = new Set([...audit.deleted.values()].map(({ id }) => id));
  for (const [sha256, said] of audit.noted) {
    if (said.isRemoved || recordings.notes.has(sha256) || recordings.spoiled.has(said.id) || gone.has(said.id))
      continue;
    const file = `recordings/**/${said.id}.notes`;
    if (isOpen) report.leaveOut(`${file}: a note of it is not there yet, or being deleted`);
    else report.find("missing", file, "a note of it", sinceOf(said));
  }
  for (const [sha256, file] of recordings.notes)
    if (audit.noted.get(sha256)?.isRemoved !== false)
      report.leaveOut(`${file}: a note that the audit chain does not know, or knows as taken away: the box went down`);
}

function sinceOf({ seq, at }: Said): string {
  return `since entry ${seq} (${at})`;
}

function compareFiles(root: string, files: readonly string[], audit: AuditLog, report: Report, isOpen: boolean): void {
  for (const [file, said] of audit.wholes) {
    const isThere = files.includes(file);
    const isSame = isThere ? hashFile(join(root, file)).sha256 === said.sha256 : said.sha256 === "";
    if (isSame) continue;
    if (isOpen) report.leaveOut(`${file}: not what the audit chain knows ${sinceOf(said)}`);
    else report.find(isThere ? "changed" : "missing", file, "the audit chain knows it otherwise", sinceOf(said));
  }
  for (const [file, prefixes] of audit.prefixes) {
    if (!files.includes(file)) {
      if (prefixes.length > 0) report.find("missing", file, "the audit chain knows of it", sinceOf(prefixes.at(-1)!));
      continue;
    }
    const rising = prefixes.filter(({ bytes }, i) => bytes >= (prefixes[i - 1]?.bytes ?? 0));
    const found = hashPrefixes(
      join(root, file),
      rising.map(({ bytes }) => bytes),
    );
    const wrong = rising.findIndex(({ sha256 }, i) => found[i] !== sha256);
    if (wrong >= 0) {
      const [before, at] = [rising[wrong - 1], rising[wrong]!];
      const from = before ? `byte ${before.bytes} (entry ${before.seq}, ${before.at})` : "its beginning";
      const since = `between ${from} and byte ${at.bytes} (entry ${at.seq}, ${at.at})`;
      report.find(
        found[wrong] === undefined ? "truncated" : "changed",
        file,
        "it is not what the audit chain knows",
        since,
      );
      continue;
    }
    const last = rising.at(-1);
    const more = last === undefined ? 0 : hashFile(join(root, file)).bytes - last.bytes;
    if (more <= 0) continue;
    if (isOpen) report.leaveOut(`${file}: its last ${more} bytes are not in the audit chain yet`);
    else report.find("added", file, `${more} bytes at its end that the audit chain does not know of`, sinceOf(last!));
  }
}

function checkKeys(root: string, key: KeyObject, report: Report): void {
  const file = "keys/device.pub";
  const pem = key.export({ type: "spki", format: "pem" }).toString();
  const path = join(root, file);
  if (!existsSync(path)) report.find("missing", file, "the box's public key");
  else if (readFileSync(path, "utf8") !== pem) report.find("changed", file, "it is not the key that verifies");
  if (existsSync(join(root, "keys/device.key")))
    report.leaveOut("keys/device.key: a copy should not have the private key; `sidetoned verify` on the box checks it");
}

function checkTrail(root: string, trails: readonly string[], report: Report, isOpen: boolean): void {
  const file = "audit/configuration.json";
  const path = join(root, file);
  if (!existsSync(path)) {
    if (trails.length > 0) report.find("missing", file, "the audit chain knows of it");
    return;
  }
  const bytes = readFileSync(path);
  const { schema, settings } = parseObject(bytes) ?? {};
  const isCanonical = bytes.toString("utf8") === `${JSON.stringify({ schema, settings })}\n`;
  const known = isOpen ? trails : trails.slice(-1);
  if (
    schema !== "sidetone.configuration-trail/1" ||
    !isCanonical ||
    !known.includes(sha256Of(JSON.stringify(settings)))
  )
    report.find("changed", file, "the audit chain knows it otherwise");
}

function checkOthers(
  root: string,
  files: readonly string[],
  key: KeyObject,
  audit: AuditLog,
  report: Report,
  isOpen: boolean,
): void {
  for (const file of files) {
    if (!OWN_FILES.test(file)) report.find("added", file, "it is none of the box's files");
    else if (file === "carried.json" && readSignedFile(readFileSync(join(root, file)), key) === undefined)
      report.find("changed", file, "it is not what the box has signed");
    const isKnown = audit.wholes.has(file) || audit.prefixes.has(file);
    if ((HASHED.test(file) || /^calls\/[\d-]+\.jsonl$/.test(file)) && !isKnown && !isOpen)
      report.find("added", file, "the audit chain does not know of it");
  }
  for (const [pattern, what] of UNSIGNED) if (files.some((file) => pattern.test(file))) report.leaveOut(what);
}

interface Scope {
  isWhole: boolean;
  isOpen: boolean;
}

/** Each manifest names one that is there, each is named once; the last is the one that chain.json names. */
function checkChain(root: string, recordings: Recordings, audit: AuditLog, report: Report, scope: Scope): void {
  const { links, spoiled } = recordings;
  const followers = new Map<string, Link>();
  const gone = new Set([...audit.recorded.keys()].filter((sha256) => !links.has(sha256)));
  const heads: Link[] = [];
  for (const link of links.values()) {
    const other = followers.get(link.previous);
    if (other !== undefined)
      report.find(
        "unlinked",
        link.file,
        `it follows the same manifest as ${other.file}, or both claim to be the first`,
      );
    else followers.set(link.previous, link);
    if (link.previous !== "" && !links.has(link.previous) && !gone.has(link.previous)) heads.push(link);
  }
  let hasGap = gone.size > 0 || spoiled.size > 0;
  // A part of the recordings may begin behind the first of all.
  for (const link of scope.isWhole || followers.has("") ? heads : heads.slice(1)) {
    hasGap = true;
    report.find("unlinked", link.file, `the manifest before it (${link.previous.slice(0, 16)}…) is not there`);
  }
  const ends = [...links].filter(([sha256]) => !followers.has(sha256));
  if (scope.isWhole) checkHead(root, recordings, ends, report, { ...scope, hasGap, gone });
}

/** `chain.json` is not signed: it counts as it is written, and as far as manifests agree. */
function checkHead(
  root: string,
  { links }: Recordings,
  ends: readonly (readonly [string, Link])[],
  report: Report,
  { isOpen, hasGap, gone }: Scope & { hasGap: boolean; gone: ReadonlySet<string> },
): void {
  const file = "chain.json";
  if (!existsSync(join(root, file))) {
    report.find("missing", file, "the head of the chain of manifests");
    return;
  }
  const bytes = readFileSync(join(root, file));
  const { schema, head, next } = parseObject(bytes) ?? {};
  const waiting = Array.isArray(next) ? (next as { id?: unknown; sha256?: unknown }[]) : [];
  const canonical = `${JSON.stringify({ schema, head, next: waiting.map((one) => ({ id: one?.id, sha256: one?.sha256 })) })}\n`;
  if (schema !== "sidetone.chain/1" || typeof head !== "string" || bytes.toString("utf8") !== canonical) {
    report.find("changed", file, "it is not what the box writes");
    return;
  }
  const named = [head, ...waiting.map(({ sha256 }) => String(sha256))];
  const isLast = ends.some(([sha256]) => named.includes(sha256)) || (links.size === 0 && head === "");
  let previous = head;
  const isConsistent = waiting.every(({ id, sha256 }) => {
    const link = links.get(String(sha256));
    const isFine = link
      ? link.previous === previous && link.id === id
      : isOpen || gone.has(String(sha256)) || existsSync(join(root, `recordings/.partial/.${String(id)}.json.partial`));
    previous = String(sha256);
    return isFine;
  });
  if (!isConsistent || (!isLast && !hasGap && !isOpen))
    report.find("changed", file, "it does not name the last manifest");
  if (!hasGap && ends.length > 1)
    for (const [sha256, { file: end }] of ends)
      if (!named.includes(sha256)) report.find("unlinked", end, "nothing follows it, and chain.json does not name it");
}

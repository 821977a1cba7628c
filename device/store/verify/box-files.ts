// The files of the data folder besides recordings, audit chain and what the audit chain has hashes of: keys, the chain's head,
// the trail of the configuration, what calls in progress carry; and what belongs to nobody. Never writes.
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type CallId, isCallId } from "../../base/ids.js";
import { isSignedLine, parseLine } from "../signed-line.js";
import { STAMP_FILE } from "./anchors.js";
import { trailHash } from "./entered-files.js";
import type { Findings } from "./findings.js";

const NEWLINE = 0x0a;
const HASH_PATTERN = /^[0-9a-f]{64}$/;
const MAX_SMALL_BYTES = 16 << 20;

/** What may stand at the top of a data folder, and in the folders that have a fixed content; "*" = not looked at by name. */
const CONTENT: Readonly<Record<string, RegExp>> = {
  "": /^(?:recordings|calls|audit|keys|registers|retention|stamps|journal|locked-journals|mqtt-queue|spool|self-test|backups|lock|chain\.json|carried\.json|alarms\.json|disk\.json|mqtt-announced\.json|reserve\.bin|index|[A-Za-z.-]+(?:\.\d+)?\.partial)$/,
  audit: /^(?:\d{4}-\d\d\.jsonl|head\.json|configuration\.json|watched\.json|[a-z.]+(?:\.\d+)?\.partial)$/,
  calls: /^(?:\d{4}-\d\d-\d\d\.jsonl|\d{4}-\d\d-\d\d\.jsonl(?:\.\d+)?\.partial)$/,
  keys: /^(?:device\.key|device\.pub|tokens\.json|tokens\.json\.next|lock|[a-z.]+(?:\.\d+)?\.partial)$/,
  registers: /^(?:consent\.jsonl|agents\.jsonl|lock|[a-z.]+(?:\.\d+)?\.partial)$/,
  stamps: STAMP_FILE,
  "mqtt-queue": /^\d{16}\.log(?:\.\d+\.partial)?$/,
  retention: /^(?:holds\.json|terms\.jsonl|deleting\.json|clock\.json|erasures\.json|[a-z.]+(?:\.\d+)?\.partial)$/,
};

/** What changes by its nature, is derived, or is on its way: nothing vouches for it, and nothing rests on it. */
const UNCHECKED: Readonly<Record<string, string>> = {
  journal: "calls in progress, and calls that a killed service has still to store: blocks with checksums, not signed",
  "mqtt-queue": "events that wait for the MQTT broker: lines with checksums, not signed",
  spool: "requests of commands to the service",
  "self-test": "the self-test's own call, while one is made",
  "audit/watched.json": "what registers and tokens were when they were looked at last: the audit chain has it as well",
  "alarms.json": "alarms over a restart: every condition is looked at anew",
  "mqtt-announced.json": "where the box has announced itself to home automation",
  "disk.json": "how fast the disk filled up to now: it is measured anew",
  "reserve.bin": "space kept for calls in progress",
  index: "made of the manifests and the call log, and made anew from them",
  lock: "who has the data folder",
  backups: "copies that a migration has made",
  "retention/deleting.json": "a deletion that is being carried out",
  "retention/clock.json": "by which clock recordings have aged",
  "retention/erasures.json": "erasures that wait for a hold to end",
};

/** `chain.json`, as it has to be written to the byte. */
export interface ChainHead {
  head: string;
  next: { id: CallId; sha256: string }[];
}

/** Undefined = missing; null = not what the box writes. */
export function readChainHead(dataFolder: string): ChainHead | null | undefined {
  const bytes = readSmall(join(dataFolder, "chain.json"));
  if (bytes === undefined) return undefined;
  const value = parseLine(bytes);
  const { schema, head, next } = value ?? {};
  const isHead = typeof head === "string" && (head === "" || HASH_PATTERN.test(head));
  if (schema !== "sidetone.chain/1" || !isHead || !Array.isArray(next)) return null;
  const waiting: ChainHead["next"] = [];
  for (const one of next as { id?: unknown; sha256?: unknown }[]) {
    if (typeof one?.id !== "string" || !isCallId(one.id) || !HASH_PATTERN.test(String(one.sha256))) return null;
    waiting.push({ id: one.id, sha256: String(one.sha256) });
  }
  // Nothing signs it: it counts only as it is written.
  const written = `${JSON.stringify({ schema, head, next: waiting })}\n`;
  return bytes.toString("utf8") === written ? { head, next: waiting } : null;
}

/** Both halves of the box's key, as far as they are there, against the one that verifies. */
export function checkKeys(dataFolder: string, publicKey: KeyObject, findings: Findings): void {
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  const pub = readSmall(join(dataFolder, "keys/device.pub"));
  if (pub === undefined) findings.add("missing", "keys/device.pub", "the public key is not there");
  else if (pub.toString("utf8") !== pem) findings.add("changed", "keys/device.pub", "it is not the key that verifies");
  let key: Buffer | undefined;
  try {
    key = readSmall(join(dataFolder, "keys/device.key"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    findings.note(`keys/device.key: not checked: it cannot be read (${code})`);
    return;
  }
  if (key === undefined) {
    findings.add("missing", "keys/device.key", "the private key is not there: the next start would make another");
    return;
  }
  if (!isPrivateHalf(key, pem))
    findings.add("changed", "keys/device.key", "it is not the private half of the key that verifies");
  if ((statSync(join(dataFolder, "keys/device.key")).mode & 0o077) !== 0)
    findings.add("changed", "keys/device.key", "others than its owner may read it");
}

/** `entered`: what the audit chain's `configuration` entries know the file by, the last ones. */
export function checkConfigurationTrail(
  dataFolder: string,
  entered: readonly string[],
  findings: Findings,
  isOpen: boolean,
): void {
  const file = "audit/configuration.json";
  const bytes = readSmall(join(dataFolder, file));
  if (bytes === undefined) {
    if (entered.length === 0) return;
    if (isOpen && entered.length === 1) findings.note(`${file}: not written yet`);
    else findings.add("missing", file, "the audit chain knows of it");
    return;
  }
  const { schema, settings } = parseLine(bytes) ?? {};
  const isWritten = bytes.toString("utf8") === `${JSON.stringify({ schema, settings })}\n`;
  const known = isOpen ? entered.slice(-2) : entered.slice(-1);
  if (schema !== "sidetone.configuration-trail/1" || !isWritten || !known.includes(trailHash(settings)))
    findings.add("changed", file, "it is not what the audit chain knows");
}

export function checkCarried(dataFolder: string, publicKey: KeyObject, findings: Findings): void {
  const bytes = readSmall(join(dataFolder, "carried.json"));
  if (bytes === undefined) return;
  if (bytes.at(-1) !== NEWLINE || !isSignedLine(bytes.subarray(0, -1), publicKey))
    findings.add("changed", "carried.json", "it is not what the box's key has signed");
}

/** What stands in the data folder and is none of the box's. `isKnown`: whether the audit chain has a hash of it. */
export function checkContent(dataFolder: string, findings: Findings, isKnown: (file: string) => boolean): void {
  for (const [folder, pattern] of Object.entries(CONTENT)) {
    for (const entry of listIfThere(join(dataFolder, folder))) {
      const file = folder === "" ? entry : `${folder}/${entry}`;
      if (!pattern.test(entry)) findings.add("added", file, "it is none of the box's files");
      else if (UNCHECKED[file] !== undefined) noteUnchecked(dataFolder, file, findings);
      else if (isHashedByChain(file) && !isKnown(file))
        findings.add("added", file, "the audit chain does not know of it");
    }
  }
}

function isHashedByChain(file: string): boolean {
  return /^(?:keys\/tokens\.json|registers\/[a-z]+\.jsonl|retention\/(?:holds\.json|terms\.jsonl))$/.test(file);
}

function noteUnchecked(dataFolder: string, file: string, findings: Findings): void {
  const path = join(dataFolder, file);
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (isFolder && listIfThere(path).length === 0) return;
  if (file !== "lock") findings.note(`${file}: not checked: ${UNCHECKED[file]}`);
}

function isPrivateHalf(pem: Buffer, publicPem: string): boolean {
  try {
    const key = createPrivateKey(pem);
    const isWritten = key.export({ type: "pkcs8", format: "pem" }).toString() === pem.toString("utf8");
    return isWritten && createPublicKey(key).export({ type: "spki", format: "pem" }).toString() === publicPem;
  } catch {
    return false;
  }
}

function readSmall(path: string): Buffer | undefined {
  try {
    if (statSync(path).size > MAX_SMALL_BYTES) return Buffer.alloc(0);
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** In order; none of what is no folder. */
export function listIfThere(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}

// A deleted recording's tombstone, `<id>.deleted` in its day's folder: made out of the manifest, signed like an entry of the
// audit chain, read back and checked. Reads and writes no files.
import type { KeyObject } from "node:crypto";
import { isoUs } from "../../base/clock.js";
import { type CallId, isCallId, type TimeUs } from "../../base/ids.js";
import { sha256Of } from "../../base/sha256.js";
import type { Manifest } from "../../contract/manifest.js";
import { DELETION_REASONS, type DeletionReason, TOMBSTONE_SCHEMA, type Tombstone } from "../../contract/tombstone.js";
import { isoDay, timeOfCallId } from "../recording-paths.js";
import { parseManifest } from "../signature.js";
import { isSignedLine, parseLine, signLine } from "../signed-line.js";
import type { Terms } from "./terms.js";

const HASH_PATTERN = /^[0-9a-f]{64}$/;
const HASH_OR_NONE = /^(?:[0-9a-f]{64})?$/;
const DAY_PATTERN = /^\d{4}-\d\d-\d\d$/;

/** Why, by whose order and on what terms. */
export interface DeletionGrounds {
  reason: DeletionReason;
  /** As in the audit chain. */
  by: string;
  text: string;
  terms: Terms;
  overridesMinimum: boolean;
  keepsManifest: boolean;
  /** The box's name. */
  device: string;
  atUs: TimeUs;
}

export interface SignedTombstone {
  tombstone: Tombstone;
  /** Without its newline. */
  line: Buffer;
  /** SHA-256 (hex) of the line: the certificate names it. */
  sha256: string;
}

/** A manifest that cannot be read any more is known by its bytes and its name alone. */
export function makeTombstone(
  id: CallId,
  manifestBytes: Buffer,
  grounds: DeletionGrounds,
  privateKey: KeyObject,
): SignedTombstone {
  const manifest: Partial<Manifest> = parseManifest(manifestBytes) ?? {};
  const { device, terms, reason, by, text, overridesMinimum, keepsManifest, atUs } = grounds;
  const body = {
    schema: TOMBSTONE_SCHEMA,
    id,
    device,
    startedOn: dayOf(manifest.startedAt, id),
    endedOn: dayOf(manifest.endedAt, id),
    manifest: sha256Of(manifestBytes),
    previous: hashOrNone(manifest.previous),
    audio: { bytes: Number(manifest.audio?.bytes ?? 0), sha256: hashOrNone(manifest.audio?.sha256) },
    class: terms.class,
    minDays: terms.minDays,
    maxDays: terms.maxDays,
    reason,
    by,
    text,
    overridesMinimum,
    keepsManifest,
    at: isoUs(atUs),
  };
  return readSigned(signLine(body, privateKey));
}

/** What a file holds, if the key has signed it for this recording; else undefined. `bytes`: with the newline or without. */
export function verifyTombstone(bytes: Buffer, id: CallId, publicKey: KeyObject): SignedTombstone | undefined {
  const line = bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
  if (!isSignedLine(line, publicKey)) return undefined;
  const tombstone = parseTombstone(line);
  return tombstone?.id === id ? readSigned(line) : undefined;
}

/** A file's content without any check of its signature; undefined when it is no tombstone. */
export function parseTombstone(bytes: Buffer): Tombstone | undefined {
  const value = parseLine(bytes);
  if (value?.["schema"] !== TOMBSTONE_SCHEMA) return undefined;
  const { id, manifest, previous, startedOn, endedOn, reason, keepsManifest } = value;
  const isNamed = typeof id === "string" && isCallId(id);
  const isChained = HASH_PATTERN.test(String(manifest)) && HASH_OR_NONE.test(String(previous));
  const isDated = DAY_PATTERN.test(String(startedOn)) && DAY_PATTERN.test(String(endedOn));
  const isKnown = DELETION_REASONS.some((known) => known === reason) && typeof keepsManifest === "boolean";
  return isNamed && isChained && isDated && isKnown ? (value as unknown as Tombstone) : undefined;
}

function readSigned(line: Buffer): SignedTombstone {
  return { tombstone: parseTombstone(line)!, line, sha256: sha256Of(line) };
}

function dayOf(at: unknown, id: CallId): string {
  const atMs = typeof at === "string" ? Date.parse(at) : Number.NaN;
  return isoDay(Number.isFinite(atMs) ? atMs * 1000 : timeOfCallId(id));
}

function hashOrNone(text: unknown): string {
  return typeof text === "string" && HASH_PATTERN.test(text) ? text : "";
}

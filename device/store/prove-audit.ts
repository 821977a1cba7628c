// What the audit chain says of one recording, found in one pass over its files. Only lines that the key has signed count;
// whether the chain as a whole is unbroken is audit-verify.ts's. Never writes.
import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import { sha256Of } from "../base/sha256.js";
import type { AuditEntry } from "../contract/audit.js";
import { MAX_PAUSES } from "../contract/call-record.js";
import type { Manifest } from "../contract/manifest.js";
import { auditFolder, listAuditFiles, parseEntry, readLines } from "./audit-files.js";
import { attemptOr, Faults, type ProofCheck } from "./prove-check.js";
import { nameParty } from "./prove-consent.js";
import { isSignedLine } from "./signed-line.js";

/** A recording that the chain enters as published. */
export interface RecordedEntry {
  seq: number;
  id: string;
  /** SHA-256 of its manifest. */
  manifest: string;
}

export interface AuditTrace {
  /** Whole lines that were passed. */
  entries: number;
  /** Of this recording. */
  recorded: RecordedEntry[];
  /** Recordings entered before this one. */
  recordedBefore: number;
  /** The one that the manifest names as the one before, and the one that was published after this one. */
  previous: RecordedEntry | undefined;
  next: RecordedEntry | undefined;
  /** Ids of those two that were deleted since, by the chain. */
  gone: Set<string>;
  /** SHA-256 of the line that the manifest's `audit` names, "" when there is none of that number. */
  headSha256: string;
  /** Changes of consent at the times of the manifest's ledger, in this call or in others. */
  consent: AuditEntry[];
  /** When this call was paused. */
  pausedAt: string[];
  /** Ids of those other calls that have recordings of their own: they are no part of this one. */
  others: Set<string>;
}

const RECORDED = Buffer.from('"kind":"recorded"');
const CONSENT = Buffer.from('"kind":"consent"');
const PAUSED = Buffer.from('"kind":"paused"');
const GONE = [Buffer.from('"kind":"deleted"'), Buffer.from('"kind":"tombstone"')];
/** More of them are not looked at: a manifest holds no more changes. */
const MAX_CONSENT = 4096;
const MAX_PAUSED = 4096;

/** `sha256`: of the manifest's file. Throws file system errors. */
export function traceRecording(
  dataFolder: string,
  manifest: Manifest,
  sha256: string,
  publicKey: KeyObject,
): AuditTrace {
  const trace = new Tracer(manifest, sha256, publicKey);
  for (const file of listAuditFiles(dataFolder)) {
    for (const { bytes, isWhole, isTooLong } of readLines(join(auditFolder(dataFolder), file)))
      if (isWhole && !isTooLong) trace.take(bytes);
  }
  return trace.found;
}

class Tracer {
  readonly found: AuditTrace = {
    entries: 0,
    recorded: [],
    recordedBefore: 0,
    previous: undefined,
    next: undefined,
    gone: new Set(),
    headSha256: "",
    consent: [],
    pausedAt: [],
    others: new Set(),
  };
  /** Other calls of `found.consent`. */
  readonly #candidates = new Set<string>();
  readonly #manifest: Manifest;
  readonly #sha256: string;
  readonly #publicKey: KeyObject;
  readonly #headMark: Buffer;
  readonly #changeTimes: Set<string>;

  constructor(manifest: Manifest, sha256: string, publicKey: KeyObject) {
    this.#manifest = manifest;
    this.#sha256 = sha256;
    this.#publicKey = publicKey;
    this.#headMark = Buffer.from(`"seq":${manifest.audit?.seq ?? 0},`);
    this.#changeTimes = attemptOr(new Set(), () => new Set(manifest.ledger.map(({ at }) => at)));
  }

  take(bytes: Buffer): void {
    this.found.entries++;
    if (bytes.includes(this.#headMark)) this.#takeHead(bytes);
    if (bytes.includes(RECORDED)) this.#takeRecorded(bytes);
    else if (bytes.includes(CONSENT)) this.#takeConsent(bytes);
    else if (bytes.includes(PAUSED)) this.#takePaused(bytes);
    else if (GONE.some((mark) => bytes.includes(mark))) this.#takeGone(bytes);
  }

  #takeHead(bytes: Buffer): void {
    if (parseEntry(bytes)?.seq === this.#manifest.audit?.seq) this.found.headSha256 = sha256Of(bytes);
  }

  #takeRecorded(bytes: Buffer): void {
    const { found } = this;
    const entry = parseEntry(bytes);
    const manifest = entry?.detail["manifest"];
    if (entry?.kind !== "recorded" || typeof manifest !== "string") return;
    const isOwn = entry.call === this.#manifest.id;
    if (this.#candidates.has(entry.call ?? "")) found.others.add(entry.call!);
    const isPrevious = manifest === this.#manifest.previous;
    const isNext = found.recorded.length > 0 && found.next === undefined && !isOwn;
    if (found.recorded.length === 0 && !isOwn) found.recordedBefore++;
    if (!(isOwn || isPrevious || isNext) || !isSignedLine(bytes, this.#publicKey)) return;
    const recorded = { seq: entry.seq, id: String(entry.call), manifest };
    if (isOwn && manifest === this.#sha256) found.recorded.unshift(recorded);
    else if (isOwn) found.recorded.push(recorded);
    if (isPrevious) found.previous = recorded;
    if (isNext) found.next = recorded;
  }

  #takeConsent(bytes: Buffer): void {
    const { consent } = this.found;
    const entry = parseEntry(bytes);
    if (entry?.kind !== "consent" || !this.#changeTimes.has(entry.packetAt ?? "")) return;
    if (consent.length >= MAX_CONSENT || !isSignedLine(bytes, this.#publicKey)) return;
    consent.push(entry);
    if (entry.call !== undefined && entry.call !== this.#manifest.id) this.#candidates.add(entry.call);
  }

  #takePaused(bytes: Buffer): void {
    const { pausedAt } = this.found;
    const entry = parseEntry(bytes);
    const isOwn = entry?.kind === "paused" && entry.call === this.#manifest.id && entry.packetAt !== undefined;
    if (isOwn && pausedAt.length < MAX_PAUSED && isSignedLine(bytes, this.#publicKey)) pausedAt.push(entry.packetAt!);
  }

  #takeGone(bytes: Buffer): void {
    const { previous, next, gone } = this.found;
    const entry = parseEntry(bytes);
    const isConcerned = entry?.call !== undefined && [previous?.id, next?.id].includes(entry.call);
    if (isConcerned && isSignedLine(bytes, this.#publicKey)) gone.add(entry.call!);
  }
}

export function checkRecorded({ recorded, entries }: AuditTrace, sha256: string): ProofCheck {
  const faults = new Faults();
  const [own] = recorded;
  if (own === undefined) faults.add(`none of the ${entries} entries says that it was published`);
  else
    faults.expect(
      own.manifest === sha256,
      `entry ${own.seq} says that it was published with the manifest ${own.manifest}, which is another`,
    );
  return faults.toCheck("audit-recorded", { entries, seq: own?.seq ?? 0 });
}

export function checkHead(trace: AuditTrace, { audit }: Manifest): ProofCheck {
  const faults = new Faults();
  const own = trace.recorded[0];
  if (audit !== undefined && audit.seq > 0) {
    faults.expect(trace.headSha256 !== "", `entry ${audit.seq}, which the manifest names, is not there`);
    if (trace.headSha256 !== "")
      faults.expect(trace.headSha256 === audit.sha256, `entry ${audit.seq} is another than when the manifest was made`);
    if (own !== undefined)
      faults.expect(own.seq > audit.seq, `entry ${own.seq}, its own, stands before entry ${audit.seq}, which it names`);
  }
  return faults.toCheck("audit-head", { seq: audit?.seq ?? 0 });
}

/**
 * Every change of the manifest's ledger has an entry. One of a call that became part of this one has that call's id, and that
 * call has no recording.
 */
export function checkLedger(trace: AuditTrace, manifest: Manifest): ProofCheck {
  const faults = new Faults();
  const unused = new Set(trace.consent.filter(({ call }) => call !== undefined && !trace.others.has(call)));
  const { size } = unused;
  for (const change of manifest.ledger) {
    const side = manifest.parties[change.party]?.side;
    const fitting = [...unused].filter(({ packetAt, detail }) => {
      const { purpose, from, to, source, by, notice } = detail;
      return (
        packetAt === change.at &&
        purpose === change.purpose &&
        from === change.from &&
        to === change.to &&
        source === change.source &&
        by === change.by &&
        notice === change.notice
      );
    });
    const own = fitting.filter(({ call }) => call === manifest.id);
    const entry = own.find(({ detail }) => detail["side"] === side) ?? own[0] ?? fitting[0];
    if (entry !== undefined) unused.delete(entry);
    else
      faults.add(
        `no entry for ${nameParty(manifest, change.party)}: ${change.from} to ${change.to} at ${change.at} by ${change.source}`,
      );
  }
  const { length } = manifest.ledger;
  return faults.toCheck("audit-consent", { changes: length, entries: size - unused.size });
}

/** Every time that the chain says the call was paused lies in a pause of the manifest, or outside the audio. */
export function checkPaused({ pausedAt }: AuditTrace, { pauses, audio }: Manifest): ProofCheck {
  const faults = new Faults();
  const startsAtMs = Date.parse(audio.startsAt);
  for (const at of pausedAt) {
    const atMs = Date.parse(at) - startsAtMs;
    const isHeard = atMs >= 0 && atMs <= audio.durationMs;
    // Times here are cut off at whole milliseconds.
    const isMarked = pauses.some(({ fromMs, toMs }) => atMs >= fromMs - 1 && atMs <= toMs + 1);
    if (isHeard && !isMarked && pauses.length < MAX_PAUSES)
      faults.add(`the call was paused at ${at} by the chain, and the manifest has no pause then`);
  }
  return faults.toCheck("audit-pauses", { pauses: pauses.length, entries: pausedAt.length });
}

// Deletes recordings, so that being killed at any moment leaves neither half a recording nor a deletion without its proof.
//
// The order in which recordings go. Killed after any step, the next start carries out the rest:
//
//   1  `retention/deleting.json` names them, with the tombstones that they get, signed: durable
//   2  the audit chain has the intent of each (`deleting`), durable: nothing has gone yet
//   3  each tombstone is written, made durable, gets its name beside the recording, and the day's folder is made durable:
//      from here on the recording counts as deleted for every reader
//   4  the audio goes, then whatever else has the recording's name, the manifest last (unless it is kept), and the day's
//      folder is made durable
//   5  its line in the call log loses numbers and Call-IDs, the audit chain has the file's new hash, and who derived
//      something from it (the index) is told
//   6  the audit chain has the certificate of each (`deleted`, or `tombstone` where the manifest stays), durable
//   7  `deleting.json` goes
//
// An order that has passed step 1 is carried out, whatever fails: it is tried again with the next one, or at the next start.
// Decides nothing: who may be deleted is decision.ts's.
import type { KeyObject } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { CallId } from "../../base/ids.js";
import type { AuditDetail, AuditKind } from "../../contract/audit.js";
import type { DeletionReason, Tombstone } from "../../contract/tombstone.js";
import type { AuditChain } from "../audit-chain.js";
import { auditFolder, listAuditFiles, parseEntry, readLines } from "../audit-files.js";
import { CallLogRedaction } from "../call-log-redaction.js";
import type { DeviceKey } from "../device-key.js";
import { diskFiles, type FileLayer } from "../file-layer.js";
import { type RecordingPaths, TOMBSTONE_SUFFIX } from "../recording-paths.js";
import { type DeletionGrounds, makeTombstone, type SignedTombstone, verifyTombstone } from "./tombstone.js";

const DELETING_SCHEMA = "sidetone.deleting/1";
/** Recordings that go together. */
export const MAX_BATCH = 64;
const DAY_FOLDER = /^\d{4}\/\d\d\/\d\d$/;

/** Removing a large file can take long: not in this thread. */
export const deletionFiles: FileLayer = { ...diskFiles, remove: (path) => rm(path, { force: true }) };

export interface DeletionOrder {
  id: CallId;
  /** Its day's folder below `recordings`: "2026/11/21". */
  day: string;
  grounds: DeletionGrounds;
}

export interface DeletionOptions {
  paths: RecordingPaths;
  key: DeviceKey;
  audit: AuditChain;
  /** Steps of deleting; only tests give others than the disk's. */
  files?: FileLayer | undefined;
  /** Who derived something from recordings forgets this one; may be told twice. What it throws is tried again. */
  forget?: ((tombstone: Tombstone) => void | Promise<void>) | undefined;
}

interface Item extends SignedTombstone {
  day: string;
  isIntended: boolean;
  isCertified: boolean;
}

export class RecordingDeletion {
  readonly counters = { deleted: 0, bytes: 0, failed: 0 };
  readonly #paths: RecordingPaths;
  readonly #key: DeviceKey;
  readonly #audit: AuditChain;
  readonly #files: FileLayer;
  readonly #log: CallLogRedaction;
  readonly #forget: NonNullable<DeletionOptions["forget"]>;
  /** Past step 1. */
  #begun: Item[] = [];
  #isLoaded = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ paths, key, audit, files = deletionFiles, forget = () => {} }: DeletionOptions) {
    this.#paths = paths;
    this.#key = key;
    this.#audit = audit;
    this.#files = files;
    this.#log = new CallLogRedaction(paths.callsFolder, files);
    this.#forget = forget;
  }

  /** Carries out what an earlier run, or an earlier try, has begun; the number of recordings. Rejects as `delete` does. */
  finish(): Promise<number> {
    return this.#alone(async () => {
      this.#load();
      const { length } = this.#begun;
      await this.#carryOut();
      return length;
    });
  }

  /**
   * Deletes; resolves with the tombstones of those that were there, when all is durable. Rejects with file system errors, or
   * when the audit chain cannot be written: what had passed step 1 is tried again.
   */
  delete(orders: readonly DeletionOrder[]): Promise<Tombstone[]> {
    return this.#alone(async () => {
      this.#load();
      await this.#carryOut();
      const gone: Tombstone[] = [];
      for (let at = 0; at < orders.length; at += MAX_BATCH) {
        const items = orders.slice(at, at + MAX_BATCH).flatMap((order) => this.#itemOf(order));
        if (items.length === 0) continue;
        await this.#announce(items);
        await this.#carryOut();
        gone.push(...items.map(({ tombstone }) => tombstone));
      }
      return gone;
    });
  }

  /** While it works nothing is deleted: what is written beside a recording then goes with it, or is refused. */
  alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** One deletion at a time. */
  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {
      this.counters.failed++;
    });
    return result;
  }

  /** None when there is no such recording (any more). */
  #itemOf({ id, day, grounds }: DeletionOrder): Item[] {
    const path = join(this.#dayFolder(day), `${id}.json`);
    if (!DAY_FOLDER.test(day) || !existsSync(path)) return [];
    const signed = makeTombstone(id, readFileSync(path), grounds, this.#key.privateKey);
    return [{ ...signed, day, isIntended: false, isCertified: false }];
  }

  async #announce(items: Item[]): Promise<void> {
    const deletions = items.map(({ day, line }) => ({ day, tombstone: line.toString("utf8") }));
    const text = `${JSON.stringify({ schema: DELETING_SCHEMA, deletions })}\n`;
    const folder = this.#paths.retentionFolder;
    if ((await this.#files.makeFolder(folder)) !== undefined) await this.#files.sync(this.#paths.dataFolder);
    const temporary = `${this.#paths.deletingFile}.partial`;
    await this.#files.write(temporary, Buffer.from(text, "utf8"));
    await this.#files.sync(temporary);
    await this.#files.rename(temporary, this.#paths.deletingFile);
    // The next start would find it: from here on there is no way back.
    this.#begun = items;
  }

  /** What is begun: the end of step 1 and all others. */
  async #carryOut(): Promise<void> {
    const items = this.#begun;
    if (items.length === 0) return;
    await this.#files.sync(this.#paths.retentionFolder);
    for (const item of items) {
      if (item.isIntended) continue;
      this.#enter("deleting", item.tombstone, { tombstone: item.sha256, ...describe(item.tombstone) });
      item.isIntended = true;
    }
    await this.#audit.flush();
    const days = [...new Set(items.map(({ day }) => day))].map((day) => this.#dayFolder(day));
    for (const item of items) await this.#bury(item);
    for (const folder of days) await this.#files.sync(folder);
    for (const item of items) await this.#remove(item);
    for (const folder of days) await this.#files.sync(folder);
    await this.#takeOutOfLog(items);
    for (const { tombstone } of items) await this.#forget(tombstone);
    for (const item of items) {
      if (item.isCertified) continue;
      const { tombstone, sha256 } = item;
      this.#enter(tombstone.keepsManifest ? "tombstone" : "deleted", tombstone, {
        tombstone: sha256,
        ...describe(tombstone),
      });
      item.isCertified = true;
    }
    await this.#audit.flush();
    await this.#files.remove(this.#paths.deletingFile);
    await this.#files.sync(this.#paths.retentionFolder);
    this.#begun = [];
    this.counters.deleted += items.length;
    for (const { tombstone } of items) this.counters.bytes += tombstone.audio.bytes;
  }

  async #bury({ day, line, tombstone }: Item): Promise<void> {
    const temporary = join(this.#paths.partialFolder, `.${tombstone.id}${TOMBSTONE_SUFFIX}.partial`);
    await this.#files.write(temporary, Buffer.concat([line, LINE_END]));
    await this.#files.sync(temporary);
    await this.#files.rename(temporary, join(this.#dayFolder(day), `${tombstone.id}${TOMBSTONE_SUFFIX}`));
  }

  /** All that has the recording's name but the tombstone: whatever form its audio has. */
  async #remove({ day, tombstone: { id, keepsManifest } }: Item): Promise<void> {
    const folder = this.#dayFolder(day);
    const manifest = `${id}.json`;
    const own = readdirSync(folder).filter((name) => name.startsWith(`${id}.`) && name !== `${id}${TOMBSTONE_SUFFIX}`);
    for (const name of own) if (!name.startsWith(manifest)) await this.#files.remove(join(folder, name));
    if (keepsManifest) return;
    for (const name of own.filter((one) => one.startsWith(manifest)).reverse())
      await this.#files.remove(join(folder, name));
  }

  async #takeOutOfLog(items: readonly Item[]): Promise<void> {
    const days = new Map<string, Map<CallId, DeletionReason>>();
    for (const { tombstone } of items) {
      const { startedOn, id, reason, keepsManifest } = tombstone;
      if (keepsManifest) continue;
      const calls = days.get(startedOn) ?? new Map<CallId, DeletionReason>();
      days.set(startedOn, calls.set(id, reason));
    }
    for (const [day, calls] of days) {
      const { sha256, bytes, lines } = await this.#log.redact(day, calls);
      // Entered again after a crash: whether the earlier run did is not worth a search.
      const file = `calls/${day}.jsonl`;
      if (sha256 !== "") this.#append("call-log", undefined, { file, bytes, sha256, lines, calls: calls.size });
    }
  }

  #enter(kind: AuditKind, { id }: Tombstone, detail: AuditDetail): void {
    this.#append(kind, id, detail);
  }

  #append(kind: AuditKind, call: CallId | undefined, detail: AuditDetail): void {
    const { dropped } = this.#audit;
    this.#audit.append({ kind, actor: "service", ...(call !== undefined && { call }), detail });
    if (this.#audit.dropped > dropped) throw new Error("the audit chain cannot be written: nothing is deleted");
  }

  #dayFolder(day: string): string {
    return join(this.#paths.recordingsFolder, day);
  }

  /** What an earlier run had begun. Throws file system errors. */
  #load(): void {
    if (this.#isLoaded) return;
    this.#begun = readDeleting(this.#paths.deletingFile, this.#key.publicKey);
    if (this.#begun.length > 0) this.#findEntries();
    this.#isLoaded = true;
  }

  /** Which of them the audit chain has entered already. */
  #findEntries(): void {
    const byTombstone = new Map(this.#begun.map((item) => [item.sha256, item]));
    const { dataFolder } = this.#paths;
    for (const file of listAuditFiles(dataFolder)) {
      for (const { bytes, isWhole, isTooLong } of readLines(join(auditFolder(dataFolder), file))) {
        if (!isWhole || isTooLong || !bytes.includes(TOMBSTONE_MEMBER)) continue;
        const entry = parseEntry(bytes);
        const item = byTombstone.get(String(entry?.detail["tombstone"]));
        if (item === undefined) continue;
        if (entry?.kind === "deleting") item.isIntended = true;
        else if (entry?.kind === "deleted" || entry?.kind === "tombstone") item.isCertified = true;
      }
    }
  }
}

const LINE_END = Buffer.from("\n");
const TOMBSTONE_MEMBER = Buffer.from('"tombstone":"');

/** What intent and certificate say. */
function describe(tombstone: Tombstone): AuditDetail {
  const { manifest, audio, reason, by, text, overridesMinimum, keepsManifest, minDays, maxDays } = tombstone;
  return {
    manifest,
    audio: audio.sha256,
    bytes: audio.bytes,
    class: tombstone.class,
    minDays,
    maxDays,
    reason,
    by,
    text,
    overridesMinimum,
    keepsManifest,
  };
}

/** Only what this box's key has signed; nothing when there is no such file, or it is none of ours. */
function readDeleting(path: string, publicKey: KeyObject): Item[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const items: Item[] = [];
  for (const { day, tombstone } of parseDeletions(text)) {
    const line = Buffer.from(tombstone, "utf8");
    const id = idIn(tombstone);
    const signed = id && verifyTombstone(line, id, publicKey);
    if (signed && DAY_FOLDER.test(day)) items.push({ ...signed, day, isIntended: false, isCertified: false });
  }
  return items;
}

function parseDeletions(text: string): { day: string; tombstone: string }[] {
  try {
    const value = JSON.parse(text) as { schema?: unknown; deletions?: unknown };
    if (value?.schema !== DELETING_SCHEMA || !Array.isArray(value.deletions)) return [];
    return value.deletions.filter((one) => typeof one?.day === "string" && typeof one?.tombstone === "string");
  } catch {
    return [];
  }
}

function idIn(line: string): CallId | undefined {
  return /"id":"([0-9A-Z]{26})"/.exec(line)?.[1] as CallId | undefined;
}

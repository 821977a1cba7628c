// The audit chain `audit/YYYY-MM.jsonl`: appends signed entries, each naming the one before, and keeps its head in
// `head.json`. Many entries share one write and one fsync. The order within a group: the lines are written, made durable,
// then the head says so; what stands behind the head after a power cut may be torn and is cut off at the next start, what the
// head names and is not there shows for ever as a gap. One chain per data folder, held by its lock. Decides nothing.
import { closeSync, constants, fchmodSync, fstatSync, fsync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Clock, isoUs, systemClock } from "../base/clock.js";
import { SidetoneError } from "../base/errors.js";
import type { CallId, TimeUs } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import {
  AUDIT_HEAD_SCHEMA,
  AUDIT_SCHEMA,
  type AuditDetail,
  type AuditEntryInput,
  type AuditHead,
} from "../contract/audit.js";
import { storageFault } from "../seal/storage-fault.js";
import { auditFolder, headPath, MAX_LINE_BYTES } from "./audit-files.js";
import { type AuditRepair, type AuditState, resumeAudit } from "./audit-resume.js";
import type { DeviceKey } from "./device-key.js";
import { makeFolders, replaceDurably, syncFolder } from "./durable-file.js";
import { diskFiles } from "./file-layer.js";
import { signLine } from "./signed-line.js";

/** The file system as the chain needs it; tests put another in its place that fails. */
export interface AuditDisk {
  /** Writes all of the bytes at a place of the file. */
  write(descriptor: number, bytes: Buffer, position: number): void;
  sync(descriptor: number): Promise<void>;
  syncNow(descriptor: number): void;
}

export interface AuditOptions {
  clock?: Clock;
  /** Longest time that an entry waits for others to be written with, ms. */
  gatherMs?: number;
  /** Entries that wait at most; with as many they are written at once, and given up only if the disk refuses them. */
  maxWaiting?: number;
  /** The disk refuses the chain: once until it takes it again. One line. */
  onFault?: (message: string) => void;
  /** It takes it again. */
  onRecovery?: () => void;
  /** What is entered, whoever enters it. */
  onEntry?: (entry: AuditEntryInput) => void;
  disk?: AuditDisk;
}

const GATHER_MS = 1000;
const MAX_WAITING = 4096;
/** Entries in one write: signing as many takes some ten milliseconds. */
const MAX_GROUP = 256;
/** Recordings remembered as entered, the newest. */
const MAX_RECORDED = 8192;
const FILE_MODE = 0o600;
/** Room for all of an entry but its detail. */
const MAX_DETAIL_BYTES = MAX_LINE_BYTES - 4096;
const MAX_ACTOR_CHARACTERS = 256;

interface Waiting {
  input: AuditEntryInput;
  atUs: TimeUs;
}

/** Lines on their way to one file. */
interface Group {
  month: string;
  bytes: Buffer;
  entries: number;
  /** The head when they are durable. */
  head: AuditHead;
}

const fsyncLater = promisify(fsync);

const REAL_DISK: AuditDisk = {
  write(descriptor, bytes, position) {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at, bytes.length - at, position + at);
  },
  sync: (descriptor) => fsyncLater(descriptor),
  syncNow: (descriptor) => fsyncSync(descriptor),
};

export class AuditChain {
  /** Entries given up because the disk refused them for too long. */
  dropped = 0;
  /** What was put right, or found missing, when it was opened. */
  readonly repairs: readonly AuditRepair[];
  readonly #dataFolder: string;
  readonly #key: DeviceKey;
  readonly #clock: Clock;
  readonly #gatherMs: number;
  readonly #maxWaiting: number;
  readonly #onFault: (message: string) => void;
  readonly #onRecovery: () => void;
  readonly #onEntry: (entry: AuditEntryInput) => void;
  readonly #disk: AuditDisk;
  readonly #waiting: Waiting[] = [];
  /** Recordings whose entry is in the chain or on its way, by their manifest's SHA-256. */
  readonly #recorded: Set<string>;
  #durable: AuditHead;
  /** Seq of the newest head that head.json was given. */
  #headFileSeq = 0;
  /** Taken from `#waiting`, not yet durable. */
  #group: Group | undefined;
  #committing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #month: string;
  #descriptor = -1;
  #openMonth = "";
  /** Durable bytes of the open file: the next group goes there. */
  #size = 0;
  #appended = 0;
  #settled = 0;
  #droppedNoted = 0;
  #isFaulty = false;
  #refusedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  private constructor(
    dataFolder: string,
    key: DeviceKey,
    { clock, gatherMs, maxWaiting, onFault, onRecovery, onEntry, disk }: AuditOptions,
    state: AuditState,
  ) {
    this.repairs = state.repairs;
    this.#dataFolder = dataFolder;
    this.#key = key;
    this.#clock = clock ?? systemClock;
    this.#gatherMs = gatherMs ?? GATHER_MS;
    this.#maxWaiting = maxWaiting ?? MAX_WAITING;
    this.#onFault = onFault ?? (() => {});
    this.#onRecovery = onRecovery ?? (() => {});
    this.#onEntry = onEntry ?? (() => {});
    this.#disk = disk ?? REAL_DISK;
    this.#durable = state.head;
    this.#month = state.month;
    this.#recorded = state.recorded;
  }

  /**
   * Goes on where the chain ends; what a power cut tore off is cut away, and an entry says so. The caller holds the data
   * folder's lock. Throws file system errors.
   */
  static open(dataFolder: string, key: DeviceKey, options: AuditOptions = {}): AuditChain {
    const state = resumeAudit(dataFolder, key.publicKey);
    const chain = new AuditChain(dataFolder, key, options, state);
    for (const repair of state.repairs) chain.append(entryOfRepair(repair));
    return chain;
  }

  /** The newest durable entry; seq 0 before the first. */
  get head(): AuditHead {
    return this.#durable;
  }

  /** Enters what happened now; durable within a second, or when `flush` says so. Never throws for the disk's sake. */
  append(input: AuditEntryInput): void {
    if (this.#isClosed) throw new Error("the audit chain is closed");
    if (this.#waiting.length >= this.#maxWaiting && !this.#makeRoom()) {
      this.dropped++;
      return;
    }
    this.#enter(input);
    this.#onEntry(input);
    if (this.#waiting.length >= this.#maxWaiting) this.#makeRoom();
    else this.#wake();
  }

  /** Enters what is about to be done; resolves when that is durable. Throws SidetoneError `data-unwritable` when the disk refuses it. */
  async enterDurably(input: AuditEntryInput): Promise<void> {
    const { dropped } = this;
    this.append(input);
    try {
      await this.flush();
    } catch (cause) {
      throw new SidetoneError("data-unwritable", "the audit chain cannot be written", { cause });
    }
    if (this.dropped > dropped) throw new SidetoneError("data-unwritable", "the audit chain cannot be written");
  }

  /** Enters that a recording was published; false when that is entered already. */
  recorded(call: CallId, manifestSha256: string): boolean {
    if (this.#recorded.has(manifestSha256)) return false;
    if (this.#recorded.size >= MAX_RECORDED) this.#recorded.delete(this.#recorded.values().next().value!);
    this.#recorded.add(manifestSha256);
    this.append({ kind: "recorded", actor: "service", call, detail: { manifest: manifestSha256 } });
    return true;
  }

  /** Resolves when all that was entered before is durable; rejects when the disk refuses it: then it is tried again. */
  async flush(): Promise<void> {
    const upTo = this.#appended;
    if (this.#isClosed) return;
    do {
      this.#committing ??= this.#commit().finally(() => {
        this.#committing = undefined;
      });
      await this.#committing;
    } while (this.#settled < upTo);
  }

  /** The same at once, in this turn; false when the disk refuses. */
  flushNow(): boolean {
    try {
      for (let group = this.#takeGroup(); group !== undefined; group = this.#takeGroup()) {
        this.#write(group);
        this.#disk.syncNow(this.#descriptor);
        this.#settle(group);
      }
      this.#writeHeadNow();
      this.#recovered();
      return true;
    } catch (error) {
      this.#fault(error);
      return false;
    }
  }

  /** Writes what waits, and closes. */
  close(): void {
    if (this.#isClosed) return;
    this.flushNow();
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#closeFile();
  }

  #enter(input: AuditEntryInput): void {
    this.#waiting.push({ input, atUs: this.#clock.nowUs() });
    this.#appended++;
  }

  #wake(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // A refusal was reported, and wakes again.
      this.flush().catch(() => {});
    }, this.#gatherMs);
  }

  /** At the limit entries are written in this turn. A disk that refuses is asked no more than once in a while. */
  #makeRoom(): boolean {
    if (this.#clock.monotonicMs() - this.#refusedAtMs < this.#gatherMs) return false;
    return this.flushNow();
  }

  async #commit(): Promise<void> {
    const group = this.#takeGroup();
    if (group !== undefined) await this.#makeDurable(group);
    try {
      await this.#writeHead();
      this.#recovered();
    } catch (error) {
      this.#fault(error);
    }
  }

  async #makeDurable(group: Group): Promise<void> {
    try {
      this.#write(group);
      await this.#disk.sync(this.#descriptor);
    } catch (error) {
      // `flushNow` may have done it meanwhile.
      if (this.#group !== group) return;
      this.#fault(error);
      throw error;
    }
    if (this.#group === group) this.#settle(group);
  }

  #settle(group: Group): void {
    this.#size += group.bytes.length;
    this.#durable = group.head;
    this.#settled += group.entries;
    this.#group = undefined;
  }

  /** What is to be written next: what was refused, else the first that wait, as far as they belong into one file. */
  #takeGroup(): Group | undefined {
    if (this.#group !== undefined) return this.#group;
    if (this.dropped > this.#droppedNoted) {
      const entries = this.dropped - this.#droppedNoted;
      this.#droppedNoted = this.dropped;
      this.#enter({ kind: "lost", actor: "service", detail: { entries } });
    }
    if (this.#waiting.length === 0) return undefined;
    const lines: Buffer[] = [];
    let { seq, sha256 } = this.#durable;
    let month = "";
    for (const { input, atUs } of this.#waiting) {
      const own = this.#monthOf(atUs);
      if (lines.length === MAX_GROUP || (month !== "" && own !== month)) break;
      month = own;
      const line = signLine(entryBody(input, atUs, ++seq, sha256), this.#key.privateKey);
      sha256 = sha256Of(line);
      lines.push(Buffer.concat([line, LINE_END]));
    }
    this.#waiting.splice(0, lines.length);
    this.#group = { month, bytes: Buffer.concat(lines), entries: lines.length, head: { seq, sha256 } };
    return this.#group;
  }

  /** A clock that was set back does not bring an entry into an earlier file. */
  #monthOf(atUs: TimeUs): string {
    const month = isoUs(atUs).slice(0, 7);
    if (month > this.#month) this.#month = month;
    return this.#month;
  }

  #write(group: Group): void {
    if (this.#openMonth !== group.month) this.#openFile(group.month);
    this.#disk.write(this.#descriptor, group.bytes, this.#size);
  }

  #openFile(month: string): void {
    this.#closeFile();
    const folder = auditFolder(this.#dataFolder);
    makeFolders(folder);
    // Not for appending: a group that was refused half-way is written again at its place.
    const flags = constants.O_RDWR | constants.O_CREAT;
    this.#descriptor = openSync(join(folder, `${month}.jsonl`), flags, FILE_MODE);
    fchmodSync(this.#descriptor, FILE_MODE);
    this.#size = fstatSync(this.#descriptor).size;
    syncFolder(folder);
    syncFolder(this.#dataFolder);
    this.#openMonth = month;
  }

  #closeFile(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
    this.#openMonth = "";
  }

  get #isHeadWritten(): boolean {
    return this.#headFileSeq >= this.#durable.seq;
  }

  async #writeHead(): Promise<void> {
    if (this.#isHeadWritten) return;
    const { seq } = this.#durable;
    const path = headPath(this.#dataFolder);
    const temporary = `${path}.partial`;
    await diskFiles.write(temporary, this.#headBytes());
    await diskFiles.sync(temporary);
    // `flushNow` may have written a newer one. Without a sync of the folder a power cut leaves the old one or this.
    if (seq <= this.#headFileSeq) return;
    await diskFiles.rename(temporary, path);
    this.#headFileSeq = seq;
  }

  #writeHeadNow(): void {
    if (this.#isHeadWritten) return;
    replaceDurably(headPath(this.#dataFolder), this.#headBytes().toString("utf8"), FILE_MODE);
    this.#headFileSeq = this.#durable.seq;
  }

  #headBytes(): Buffer {
    const { seq, sha256 } = this.#durable;
    const body = { schema: AUDIT_HEAD_SCHEMA, seq, sha256, at: isoUs(this.#clock.nowUs()) };
    return Buffer.concat([signLine(body, this.#key.privateKey), LINE_END]);
  }

  #recovered(): void {
    if (!this.#isFaulty) return;
    this.#isFaulty = false;
    this.#onRecovery();
  }

  #fault(error: unknown): void {
    this.#refusedAtMs = this.#clock.monotonicMs();
    this.#wake();
    if (this.#isFaulty) return;
    this.#isFaulty = true;
    const fault = storageFault("data-unwritable", "cannot write the audit chain", error);
    this.#onFault(fault instanceof Error ? fault.message : String(fault));
  }
}

const LINE_END = Buffer.from("\n");

/** Members in the contract's order, without the signature. */
function entryBody(input: AuditEntryInput, atUs: TimeUs, seq: number, previous: string): object {
  const { kind, actor, call, packetAtUs, detail = {} } = input;
  return {
    schema: AUDIT_SCHEMA,
    seq,
    at: isoUs(atUs),
    ...(packetAtUs !== undefined && { packetAt: isoUs(packetAtUs) }),
    kind,
    actor: actor.slice(0, MAX_ACTOR_CHARACTERS),
    ...(call !== undefined && { call }),
    detail: boundedDetail(detail),
    previous,
  };
}

/** What would make too long a line is named by its hash. */
function boundedDetail(detail: AuditDetail): AuditDetail {
  const text = JSON.stringify(detail);
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_DETAIL_BYTES) return detail;
  return { omittedBytes: bytes, omittedSha256: sha256Of(text) };
}

function entryOfRepair(repair: AuditRepair): AuditEntryInput {
  return { kind: "recovered", actor: "service", detail: { ...repair } };
}

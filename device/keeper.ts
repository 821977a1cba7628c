// Keeps finished calls: seals those with audio, publishes them, logs every call. One owner for "is this call stored",
// used for calls that just ended and for recovered ones alike. What the disk refuses waits and is tried again (keep-queue.ts).
import { SidetoneError } from "./base/errors.js";
import type { Logger } from "./base/logger.js";
import type { AlarmDesk } from "./contract/alarms.js";
import type { CallRecord } from "./contract/call-record.js";
import type { JournalPosition } from "./contract/engine-messages.js";
import type { CallLogLine } from "./contract/manifest.js";
import type { JournalWatch } from "./journal-watch.js";
import { KeepQueue, type Outcome } from "./keep-queue.js";
import { buildCallLogLine } from "./seal/manifest.js";
import type { SealPool } from "./seal/pool.js";
import { timeOfCallId } from "./store/recording-paths.js";
import type { RecordingStore } from "./store/recordings.js";

/** Calls being stored at once; beyond it a call stays in the journal for the next start. */
const MAX_PENDING = 20_000;
/** How a message of a refusal by the file system ends (seal/storage-fault.ts). */
const REFUSED_BY_DISK = /\(E[A-Z0-9]+\)$/;

export interface JournalPlace {
  folder: string;
  position: JournalPosition;
  /** The run's key, where its journal is sealed. */
  key?: Uint8Array | undefined;
}

/** Of a running box. */
export interface KeeperWatches {
  alarms?: AlarmDesk;
  journalWatch?: JournalWatch;
}

export class CallKeeper {
  readonly lines: CallLogLine[] = [];
  /** Lines beyond the limit: they are in the call log only. */
  linesDropped = 0;
  failures = 0;
  sealCpuUs = 0;
  private readonly store: RecordingStore;
  private readonly pool: SealPool;
  private readonly logger: Logger;
  private readonly maxLines: number;
  private readonly recipients: readonly string[];
  private readonly pending = new Set<Promise<Outcome>>();
  private readonly alarms: AlarmDesk | undefined;
  private readonly journalWatch: JournalWatch | undefined;
  /** Absent: what cannot be stored stays in the journal for the next start. */
  private readonly queue: KeepQueue | undefined;

  /**
   * `maxLines`: call log lines kept in memory, for the summary of a replay. `recipients`: to whom recordings are encrypted;
   * none = they are in clear. With `alarms` what cannot be stored is tried again, and said there.
   */
  constructor(
    store: RecordingStore,
    pool: SealPool,
    logger: Logger,
    maxLines: number,
    recipients: readonly string[] = [],
    { alarms, journalWatch }: KeeperWatches = {},
  ) {
    this.journalWatch = journalWatch;
    this.maxLines = maxLines;
    this.recipients = recipients;
    this.store = store;
    this.pool = pool;
    this.logger = logger;
    this.alarms = alarms;
    if (alarms)
      this.queue = new KeepQueue({ changed: () => this.showWaiting(), gaveUp: (id) => this.leaveInJournal(id) });
  }

  /** Calls that wait to be tried again. */
  get waiting(): number {
    return this.queue?.size ?? 0;
  }

  /** The disk takes writes again. */
  tryAgain(): void {
    this.queue?.nudge();
  }

  /** Nothing is tried again from now on: what waits is for the next start. */
  giveUp(): void {
    this.queue?.close();
  }

  /**
   * The same for a call found in a dead run's journal. One that is in the log already was kept before: it is not sealed
   * again, or a recording that was deleted since would come back.
   */
  async recover(record: CallRecord, journal: JournalPlace): Promise<boolean> {
    const queued = this.queue?.find(record.id);
    return queued ?? ((await this.wasKept(record)) || this.store.isDeleted(record) || this.keep(record, journal));
  }

  /** Whether the call was kept before, and its line outlives a power cut. Of some a dead run's journal says only the id. */
  async wasKept({
    id,
    startedAtUs = timeOfCallId(id),
  }: Pick<CallRecord, "id"> & Partial<CallRecord>): Promise<boolean> {
    if (!this.store.isLogged({ id, startedAtUs })) return false;
    await this.store.syncLog();
    return true;
  }

  /** The same for a call whose audio cannot be read: whether nothing of it is needed, since the call is stored or left none. */
  isKeptWithoutAudio(record: CallRecord): boolean {
    if (this.store.isLogged(record)) return true;
    const stored = this.store.find(record);
    if (stored === undefined && record.noAudio === undefined) return false;
    this.log(buildCallLogLine(record, stored));
    return true;
  }

  /** Resolves when all that was logged outlives a power cut. Rejects with SidetoneError `seal-failed`. */
  syncLog(): Promise<void> {
    return this.store.syncLog();
  }

  /** Logs a call whose audio waits for who can open its journal. */
  logLocked(record: CallRecord): void {
    if (!this.store.isLogged(record)) this.log(buildCallLogLine({ ...record, noAudio: "journal-locked" }, undefined));
  }

  /** True when the call is stored (or needs no more than its log line): its journal may go. */
  async keep(record: CallRecord, journal: JournalPlace | undefined): Promise<boolean> {
    if (this.pending.size >= MAX_PENDING) {
      this.failures++;
      this.logger.error("too many calls wait to be stored; this one stays in the journal for the next start", {
        id: record.id,
      });
      return false;
    }
    const outcome = await this.attempt(record, journal);
    if (outcome === "kept" || !this.queue) return outcome === "kept";
    const again = (): Promise<Outcome> => this.attempt(record, journal);
    return this.queue.add(record.id, outcome === "fault" ? 1 : 0, again);
  }

  private attempt(record: CallRecord, journal: JournalPlace | undefined): Promise<Outcome> {
    const work = this.keepDurably(record, journal).catch(async (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      // What was sealed and could not be published takes room that the disk may not have.
      await this.store.discard(record);
      if (!this.queue) this.failures++;
      if (error instanceof SidetoneError && error.code === "encryption-failed")
        this.alarms?.raise("encryption-failed", { reason: message });
      const then = this.queue ? "its journal is kept, and it is tried again" : "its journal is kept for the next start";
      this.logger.error(`a recording could not be stored; ${then}`, { id: record.id, message });
      return REFUSED_BY_DISK.test(message) ? "disk" : "fault";
    });
    this.pending.add(work);
    void work.finally(() => this.pending.delete(work));
    return work;
  }

  private leaveInJournal(id: string): void {
    this.failures++;
    this.logger.error("a recording could not be stored; its journal is kept for the next start", { id });
    this.showWaiting();
  }

  private showWaiting(): void {
    if (this.waiting + this.failures === 0) this.alarms?.clear("seal-failed");
    else this.alarms?.raise("seal-failed", { waiting: this.waiting, forNextStart: this.failures });
  }

  /** Resolves when nothing is being stored. */
  async idle(): Promise<void> {
    while (this.pending.size > 0) await Promise.all(this.pending);
  }

  private async keepDurably(record: CallRecord, journal: JournalPlace | undefined): Promise<"kept"> {
    const kept = await this.keepNow(record, journal);
    // What left no journal cannot be lost with it.
    if (journal !== undefined) await this.store.syncLog();
    return kept;
  }

  private async keepNow(record: CallRecord, journal: JournalPlace | undefined): Promise<"kept"> {
    const earlier = this.store.find(record);
    if (earlier) {
      this.log(buildCallLogLine(record, earlier));
      return "kept";
    }
    if (record.noAudio !== undefined || journal === undefined) {
      this.log(buildCallLogLine({ ...record, noAudio: record.noAudio ?? "journal-lost" }, undefined));
      return "kept";
    }
    const outcome = await this.pool.seal({
      folder: journal.folder,
      position: journal.position,
      temporaryPath: this.store.temporaryPathFor(record),
      record,
      ...(journal.key && { journalKey: journal.key }),
      ...(this.recipients.length > 0 && { recipients: this.recipients }),
    });
    this.sealCpuUs += outcome.cpuUs;
    this.alarms?.clear("encryption-failed");
    if (outcome.sealed.warnings.some(({ code }) => code === "journal-damaged")) this.journalWatch?.noteRecording();
    if (outcome.sealed.kind === "no-audio") {
      const { reason, warnings } = outcome.sealed;
      this.log(
        buildCallLogLine({ ...record, noAudio: reason, warnings: [...record.warnings, ...warnings] }, undefined),
      );
      return "kept";
    }
    const published = await this.store.publish(record, outcome.sealed);
    this.log(buildCallLogLine(record, published));
    return "kept";
  }

  private log(line: CallLogLine): void {
    this.store.recordCall(line);
    if (this.lines.length < this.maxLines) this.lines.push(line);
    else this.linesDropped++;
    this.logger.info("call", {
      id: line.id,
      file: line.file,
      noAudio: line.noAudio || undefined,
      durationMs: line.durationMs,
      policy: line.policy,
    });
  }
}

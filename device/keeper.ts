// Keeps finished calls: seals those with audio, publishes them, logs every call. One owner for "is this call stored",
// used for calls that just ended and for recovered ones alike.
import type { Logger } from "./base/logger.js";
import type { CallRecord } from "./contract/call-record.js";
import type { JournalPosition } from "./contract/engine-messages.js";
import type { CallLogLine } from "./contract/manifest.js";
import { buildCallLogLine } from "./seal/manifest.js";
import type { SealPool } from "./seal/pool.js";
import type { RecordingStore } from "./store/recordings.js";

/** Calls being stored at once; beyond it a call stays in the journal for the next start. */
const MAX_PENDING = 20_000;

export interface JournalPlace {
  folder: string;
  position: JournalPosition;
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
  private readonly pending = new Set<Promise<boolean>>();

  /**
   * `maxLines`: call log lines kept in memory, for the summary of a replay. `recipients`: to whom recordings are encrypted;
   * none = they are in clear.
   */
  constructor(
    store: RecordingStore,
    pool: SealPool,
    logger: Logger,
    maxLines: number,
    recipients: readonly string[] = [],
  ) {
    this.maxLines = maxLines;
    this.recipients = recipients;
    this.store = store;
    this.pool = pool;
    this.logger = logger;
  }

  /**
   * The same for a call found in a dead run's journal. One that is in the log already was kept before: it is not sealed
   * again, or a recording that was deleted since would come back.
   */
  async recover(record: CallRecord, journal: JournalPlace): Promise<boolean> {
    return this.store.isLogged(record) || this.keep(record, journal);
  }

  /** True when the call is stored (or needs no more than its log line): its journal may go. */
  keep(record: CallRecord, journal: JournalPlace | undefined): Promise<boolean> {
    if (this.pending.size >= MAX_PENDING) {
      this.failures++;
      this.logger.error("too many calls wait to be stored; this one stays in the journal for the next start", {
        id: record.id,
      });
      return Promise.resolve(false);
    }
    const work = this.keepNow(record, journal).catch((error: unknown) => {
      this.failures++;
      const message = error instanceof Error ? error.message : String(error);
      this.logger.error("a recording could not be stored; its journal is kept for the next start", {
        id: record.id,
        message,
      });
      return false;
    });
    this.pending.add(work);
    void work.finally(() => this.pending.delete(work));
    return work;
  }

  /** Resolves when nothing is being stored. */
  async idle(): Promise<void> {
    while (this.pending.size > 0) await Promise.all(this.pending);
  }

  private async keepNow(record: CallRecord, journal: JournalPlace | undefined): Promise<boolean> {
    const earlier = this.store.find(record);
    if (earlier) {
      this.log(buildCallLogLine(record, earlier));
      return true;
    }
    if (record.noAudio !== undefined || journal === undefined) {
      this.log(buildCallLogLine({ ...record, noAudio: record.noAudio ?? "journal-lost" }, undefined));
      return true;
    }
    const outcome = await this.pool.seal({
      folder: journal.folder,
      position: journal.position,
      temporaryPath: this.store.temporaryPathFor(record),
      record,
      ...(this.recipients.length > 0 && { recipients: this.recipients }),
    });
    this.sealCpuUs += outcome.cpuUs;
    if (outcome.sealed.kind === "no-audio") {
      const { reason, warnings } = outcome.sealed;
      this.log(
        buildCallLogLine({ ...record, noAudio: reason, warnings: [...record.warnings, ...warnings] }, undefined),
      );
      return true;
    }
    const published = await this.store.publish(record, outcome.sealed);
    this.log(buildCallLogLine(record, published));
    return true;
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

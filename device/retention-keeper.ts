// When recordings go by themselves: the sweeps of the running service, and the oldest that may go for the disk guard. What may
// go is store/retention/'s to decide; what people ask for is retention-requests.ts's.
import type { Clock } from "./base/clock.js";
import type { Logger } from "./base/logger.js";
import type { AlarmDesk } from "./contract/alarms.js";
import type { CallRecord } from "./contract/call-record.js";
import type { RecordingStore } from "./store/recordings.js";
import type { Judged } from "./store/retention/book.js";
import type { Disposal } from "./store/retention/disposal.js";
import { OldestFinder, Sweep } from "./store/retention/sweep.js";

export interface RetentionOptions {
  store: RecordingStore;
  disposal: Disposal;
  /** Between the sweeps. */
  sweepMinutes: number;
  logger: Logger;
  alarms?: AlarmDesk | undefined;
  clock: Clock;
}

/** What the start of the service needs the disk for comes first. */
const FIRST_SWEEP_MS = 2000;
/** What ends together is erased together. */
const SOON_MS = 1000;
/** After a sweep that failed. */
const RETRY_MS = 300_000;
const BY_SERVICE = { by: "service", text: "", overridesMinimum: false };

export class RetentionKeeper {
  readonly counters = { sweeps: 0, failed: 0, deleted: 0, blocked: 0 };
  private readonly options: RetentionOptions;
  private readonly sweeper = new Sweep();
  private readonly oldest = new OldestFinder();
  private readonly stopping = new AbortController();
  private isStarted = false;
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> | undefined;
  private said = "";

  constructor(options: RetentionOptions) {
    this.options = options;
  }

  /** From now on; the first sweep comes soon. */
  start(): void {
    this.isStarted = true;
    this.sweepAfter(FIRST_SWEEP_MS);
  }

  /** Resolves when nothing is being deleted any more. */
  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.stopping.abort();
    await this.round;
  }

  /** Never rejects: what could not be done is said, and tried again. */
  sweep(): Promise<void> {
    this.round ??= this.sweepNow().finally(() => {
      this.round = undefined;
    });
    return this.round;
  }

  /** A call has ended and is stored: one that somebody asked to be erased while it was in progress goes soon. */
  callEnded(record: CallRecord): void {
    if (!this.isStarted || !this.options.disposal.watch.isAwaited(record)) return;
    // A sweep that is at it may have been past it.
    void (this.round ?? Promise.resolve()).then(() => this.sweepAfter(SOON_MS));
  }

  /** Carries out what was begun when the box went down; for a run without sweeps, too. Rejects as the deletion does. */
  async finishBegun(): Promise<void> {
    await this.options.store.deletion.finish();
  }

  /** Deletes the oldest recording that may be deleted, for the disk's sake; the bytes that it took, 0 when there is none. */
  async deleteOldest(): Promise<number> {
    const { disposal, clock } = this.options;
    const book = disposal.openBook();
    const oldest = await this.oldest.find(book, { nowUs: clock.nowUs(), holdsVersion: this.holdsVersion() });
    if (oldest === undefined) return 0;
    await disposal.remove([oldest], "disk", BY_SERVICE);
    return oldest.recording.bytes;
  }

  private sweepAfter(ms: number): void {
    if (this.stopping.signal.aborted) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const { failed } = this.counters;
      void this.sweep().then(() => {
        const isFailed = this.counters.failed > failed;
        this.sweepAfter(isFailed ? RETRY_MS : this.options.sweepMinutes * 60_000);
      });
    }, ms).unref();
  }

  private async sweepNow(): Promise<void> {
    const { logger, alarms } = this.options;
    this.counters.sweeps++;
    try {
      await this.deleteDue();
      alarms?.clear("retention-failed");
      this.sayWhatWaits();
    } catch (error) {
      this.counters.failed++;
      const message = error instanceof Error ? error.message : String(error);
      logger.error("retention: what is due could not be deleted; it is tried again", { message });
      alarms?.raise("retention-failed", { reason: message });
    }
  }

  private async deleteDue(): Promise<void> {
    const { store, disposal, logger, clock } = this.options;
    const { signal } = this.stopping;
    await store.deletion.finish();
    const book = disposal.openBook();
    await disposal.settleErasures(book, signal);
    const remove = (due: readonly Judged[]): Promise<number> => disposal.remove(due, "retention", BY_SERVICE);
    const holdsVersion = this.holdsVersion();
    const result = await this.sweeper.run(book, { nowUs: clock.nowUs(), holdsVersion, remove, signal });
    disposal.ages.write();
    this.counters.deleted += result.deleted;
    this.counters.blocked = result.blocked;
    if (result.deleted > 0) logger.info("recordings whose time is over were deleted", { ...result });
  }

  private sayWhatWaits(): void {
    const { disposal, logger, alarms } = this.options;
    const recordings = this.counters.blocked;
    const reason = disposal.lookForFault();
    if (reason === "" || recordings === 0) {
      alarms?.clear("retention-waits");
      return;
    }
    alarms?.raise("retention-waits", { reason, recordings });
    if (this.said === reason) return;
    this.said = reason;
    logger.warn("nothing is deleted by age", { reason, recordings });
  }

  private holdsVersion(): string {
    return JSON.stringify(this.options.disposal.holds.read().map(({ id }) => id));
  }
}

// What works on the open store while the service runs, as one part of it: retention, statements about both chains, requests left by
// commands, files that somebody else changes. Puts them together and owns the order in which they start and stop.
import { AnchorKeeper } from "./anchor-keeper.js";
import { systemClock } from "./base/clock.js";
import type { Logger } from "./base/logger.js";
import type { AnchorStatement } from "./contract/anchor.js";
import type { AuditEntryInput } from "./contract/audit.js";
import type { CallRecord } from "./contract/call-record.js";
import type { Config } from "./contract/config.js";
import type { RetentionDesk } from "./contract/retention-desk.js";
import { FileWatch } from "./file-watch.js";
import type { AlarmBook } from "./health/alarms.js";
import { RetentionKeeper } from "./retention-keeper.js";
import { RetentionRequests } from "./retention-requests.js";
import { spoolKinds } from "./spool.js";
import { SpooledRetention } from "./spooled-retention.js";
import { noteConfiguration } from "./store/configuration-trail.js";
import { NumberExports } from "./store/export/number-exports.js";
import { WATCHED_FILES, type WatchedFile } from "./store/file-change.js";
import type { RecordingStore } from "./store/recordings.js";
import { Disposal } from "./store/retention/disposal.js";
import { SpoolKeeper } from "./store/spool-keeper.js";
import type { SpoolKinds } from "./store/spool-kinds.js";
import { WatchedFiles } from "./store/watched-files.js";

/** Registers and tokens are looked at for changes this often. */
const WATCH_MS = 2000;

export interface StoreKeepersOptions {
  config: Config;
  /** The box's name. */
  device: string;
  dataFolder: string;
  store: RecordingStore;
  capture: "live" | "files";
  alarms: AlarmBook;
  logger: Logger;
  /** Why no clock is there to tell ages by, "" = there is one. */
  clockFault(): string;
  /** What others answer through the spool. */
  kinds: SpoolKinds;
  /** A command, or somebody by hand, has changed a register. */
  registersChanged(): void;
  /** Over MQTT; false while there is none. `taken` once the broker has it. */
  publish(statement: AnchorStatement, taken: () => void): boolean;
}

export class StoreKeepers {
  /** Everything about a number, for whoever asks over the network. */
  readonly exports: NumberExports;
  /** For faces. */
  readonly retentionDesk: RetentionDesk;
  private readonly options: StoreKeepersOptions;
  private readonly disposal: Disposal;
  private readonly retention: RetentionKeeper;
  private readonly anchors: AnchorKeeper;
  private readonly spool: SpoolKeeper;
  private readonly watch: FileWatch;

  constructor(options: StoreKeepersOptions) {
    this.options = options;
    this.disposal = this.openDisposal();
    const { store, config, device, logger } = options;
    const openBook = () => this.disposal.openBook();
    this.exports = new NumberExports({ store, config, device, clock: systemClock, openBook });
    this.retention = this.openRetention();
    this.anchors = this.openAnchors();
    const watched = new WatchedFiles(options.dataFolder);
    this.spool = this.openSpool(watched);
    const drain = (): Promise<void> => this.spool.drain();
    this.retentionDesk = new SpooledRetention({ paths: store.paths, disposal: this.disposal, drain, logger });
    this.watch = this.openWatch(watched);
  }

  /** `before`: entries of the audit chain from before it was open. */
  start(before: readonly AuditEntryInput[]): void {
    const { capture, logger } = this.options;
    this.auditStart(before);
    if (capture === "live") this.retention.start();
    // A replay deletes nothing by age: it carries out what was begun only.
    else
      this.retention.finishBegun().catch((error: unknown) => {
        logger.error("deletions that were begun could not be carried out", { message: String(error) });
      });
    // A replay has its recordings stamped once, at its end.
    this.anchors.start(capture === "live");
    this.spool.start();
    this.watch.start(WATCH_MS);
  }

  /** What was changed and asked for is entered before the last statement is made. */
  async stop(): Promise<void> {
    await this.watch.stop();
    await this.spool.stop();
    await this.retention.stop();
    await this.anchors.stop();
  }

  /** Deletes the oldest recording that may be deleted; the bytes that it took, 0 when there is none. */
  deleteOldest(): Promise<number> {
    return this.retention.deleteOldest();
  }

  /** What became of the call is stored: an erasure may have waited for it. */
  callEnded(record: CallRecord): void {
    this.retention.callEnded(record);
  }

  private auditStart(before: readonly AuditEntryInput[]): void {
    const { config, capture, dataFolder, store } = this.options;
    const { audit } = store;
    audit.append({ kind: "started", actor: "service", detail: { capture, node: process.version } });
    for (const entry of before) audit.append(entry);
    noteConfiguration(dataFolder, config, (entry) => {
      audit.append(entry);
      audit.flushNow();
    });
  }

  private openDisposal(): Disposal {
    const { config, device, store, logger, clockFault } = this.options;
    return new Disposal({ store, config, device, logger, clock: systemClock, clockFault });
  }

  private openRetention(): RetentionKeeper {
    const { config, store, logger, capture, alarms } = this.options;
    return new RetentionKeeper({
      store,
      disposal: this.disposal,
      sweepMinutes: config.retention.sweepMinutes,
      logger,
      clock: systemClock,
      ...(capture === "live" && { alarms }),
    });
  }

  private openAnchors(): AnchorKeeper {
    const { config, device, store, logger, capture, alarms, publish } = this.options;
    return new AnchorKeeper({
      config: config.integrity,
      store,
      device,
      logger,
      clock: systemClock,
      ...(capture === "live" && { alarms }),
      publish,
    });
  }

  private changed(file: WatchedFile): void {
    if (this.options.capture === "live" && WATCHED_FILES[file] === "register") this.options.registersChanged();
  }

  private openSpool(watched: WatchedFiles): SpoolKeeper {
    const { dataFolder, config, store, logger, kinds } = this.options;
    const retention = new RetentionRequests({ store, disposal: this.disposal, config, clock: systemClock });
    const changed = (file: WatchedFile): void => this.changed(file);
    return new SpoolKeeper({
      dataFolder,
      kinds: { ...spoolKinds({ dataFolder, store, retention, watched, changed }), ...kinds },
      onFault: (message) => logger.warn(message),
    });
  }

  private openWatch(watched: WatchedFiles): FileWatch {
    const { dataFolder, store } = this.options;
    const { audit } = store;
    return new FileWatch({
      dataFolder,
      files: Object.keys(WATCHED_FILES) as WatchedFile[],
      watched,
      isReady: () => this.spool.isIdle,
      changed: (file) => this.changed(file),
      enter: async (found) => {
        for (const { file, how, sha256, present } of found)
          audit.append({
            kind: WATCHED_FILES[file],
            actor: "service",
            detail: { file, sha256: present, done: how, content: sha256 },
          });
        await audit.flush();
      },
    });
  }
}

// The service: forks the engine, turns finished calls into recordings, keeps the call log, recovers what an earlier run
// left behind. Owns everything slow; sees no packet.
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { alarmVoice } from "./alarm-voice.js";
import { AlarmWatch } from "./alarm-watch.js";
import { systemClock } from "./base/clock.js";
import { type ErrorCode, EXIT, type ExitCode, SidetoneError } from "./base/errors.js";
import type { Logger } from "./base/logger.js";
import { type BoxCommands, type ConfigurationInForce, openBoxCommands } from "./box-commands.js";
import { BoxWatch } from "./box-watch.js";
import { CarriedKeeper } from "./carried-keeper.js";
import { EngineDesk } from "./command-desk.js";
import type { LoadedConfig } from "./config/load.js";
import { type AuditEntryInput, auditEntryOf } from "./contract/audit.js";
import type { CallRecord } from "./contract/call-record.js";
import { type Config, namesAgents } from "./contract/config.js";
import type { CaptureSpec, EngineCounters, EngineToService, JournalPosition } from "./contract/engine-messages.js";
import type { CallLogLine } from "./contract/manifest.js";
import type { DiskStatus } from "./contract/mqtt.js";
import { DiskKeeper } from "./disk-keeper.js";
import { EngineKeeper, type EngineRun } from "./engine-keeper.js";
import { Faces } from "./faces.js";
import { AlarmBook, type AlarmBookState } from "./health/alarms.js";
import { IntegrityWatch, verifyInProcess } from "./integrity-watch.js";
import { listRuns } from "./journal/recovery.js";
import { JournalKeys } from "./journal-keys.js";
import { JournalWatch } from "./journal-watch.js";
import { CallKeeper } from "./keeper.js";
import { lockRun } from "./locked-runs.js";
import { recoverOldRun } from "./recovery.js";
import { outlastWriters } from "./run-writer.js";
import { SealPool } from "./seal/pool.js";
import { SelfTestKeeper } from "./self-test-keeper.js";
import { readAlarms, writeAlarms } from "./store/alarm-file.js";
import type { RecordingStore } from "./store/recordings.js";
import { SelfTestFiles } from "./store/self-test-files.js";
import { StoreKeepers } from "./store-keepers.js";
import { openServiceStore } from "./store-opening.js";
import { TlsNotices } from "./tls-notices.js";

/** Calls that a replay's summary can show; all are in the call log. */
const MAX_SUMMARY_LINES = 100_000;
/** Faults kept for the summary; all are logged. */
const MAX_FAULTS = 1000;
/** Entries of the audit chain from before it is open: alarms while the disk is waited for. */
const MAX_EARLY_ENTRIES = 64;

export interface ServiceOptions {
  config: Config;
  /** Where `config` came from, for whoever changes it; without it nobody can from afar, nor restart the service. */
  configuration?: ConfigurationInForce;
  /** Of the package. */
  version: string;
  dataFolder: string;
  capture: CaptureSpec;
  logger: Logger;
  onProgress(readBytes: number, totalBytes: number): void;
  /** At the first start: the secret that opens the API, to be shown once. */
  showFirstToken(secret: string): void;
}

export interface InputFault {
  code: ErrorCode;
  message: string;
}

export interface ServiceResult {
  exitCode: ExitCode;
  lines: CallLogLine[];
  /** Lines left out because there were more than are kept for a summary. */
  linesDropped: number;
  faults: InputFault[];
  counters: EngineCounters | undefined;
  sealCpuUs: number;
  /** The service is to begin anew with this. */
  restartWith?: LoadedConfig;
}

export class Service {
  private readonly options: ServiceOptions;
  private readonly journalRoot: string;
  private readonly registerFolder: string;
  private readonly desk: EngineDesk;
  private readonly device: string;
  private readonly carried: CarriedKeeper;
  private readonly journalKeys: JournalKeys;
  private readonly alarms: AlarmBook;
  private readonly alarmWatch: AlarmWatch;
  /** Of a running box; a replay reads on until the disk is full and says so. */
  private readonly disk: DiskKeeper | undefined;
  private readonly journalWatch: JournalWatch;
  /** Of a running box. */
  private readonly integrity: IntegrityWatch | undefined;
  /** Of a running box: a captured file has the times, and the mirror port, of whoever captured it. */
  private readonly box: BoxWatch | undefined;
  private readonly commands: BoxCommands;
  /** Of a running box. */
  private readonly selfTest: SelfTestKeeper | undefined;
  private isCapturing = false;
  private faces: Faces | undefined;
  private diskStatus: DiskStatus | undefined;
  private store!: RecordingStore;
  private storeKeepers: StoreKeepers | undefined;
  private pool!: SealPool;
  private keeper!: CallKeeper;
  private readonly engine: EngineKeeper;
  private counters: EngineCounters | undefined;
  private readonly tlsNotices: TlsNotices;
  private readonly faults: InputFault[] = [];
  private exitCode: ExitCode = EXIT.ok;
  private isStopping = false;
  private restartWith: LoadedConfig | undefined;
  private readonly waiting = new AbortController();
  private readonly earlyEntries: AuditEntryInput[] = [];
  private settle: (() => void) | undefined;

  constructor(options: ServiceOptions) {
    this.options = options;
    this.journalRoot = join(options.dataFolder, "journal");
    this.registerFolder = join(options.dataFolder, "registers");
    this.device = options.config.device.id || hostname();
    this.tlsNotices = new TlsNotices(options.logger);
    this.journalKeys = new JournalKeys(options.config.encryption.recipients);
    this.alarms = this.openAlarms();
    this.alarmWatch = new AlarmWatch(this.alarms, systemClock);
    const isLive = options.capture.kind === "live";
    this.disk = isLive ? this.openDisk() : undefined;
    this.journalWatch = new JournalWatch({ dataFolder: options.dataFolder, alarms: this.alarms });
    this.integrity = isLive ? this.openIntegrity() : undefined;
    this.box = isLive ? this.openBox() : undefined;
    this.selfTest = isLive ? this.openSelfTest() : undefined;
    this.carried = new CarriedKeeper(options.dataFolder, isLive, options.logger, this.alarms);
    this.engine = this.openEngine();
    this.commands = this.openCommands();
    this.desk = new EngineDesk((message) => this.engine.send(message));
  }

  /** Runs until the files are read or `stop` is called, and everything admitted is stored. */
  async run(): Promise<ServiceResult> {
    const { config, logger } = this.options;
    const store = await this.openStore();
    if (store === undefined) return this.endUnopened();
    this.store = store;
    this.storeKeepers = this.openStoreKeepers();
    this.storeKeepers.start(this.earlyEntries.splice(0));
    this.carried.read(this.store.key);
    this.disk?.start();
    this.box?.start();
    this.pool = new SealPool({ workers: config.seal.workers });
    const maxLines = this.options.capture.kind === "files" ? MAX_SUMMARY_LINES : 0;
    const alarms = this.options.capture.kind === "live" ? this.alarms : undefined;
    const { recipients } = config.encryption;
    const watches = alarms && { alarms, journalWatch: this.journalWatch };
    this.keeper = new CallKeeper(this.store, this.pool, logger, maxLines, recipients, watches);
    const oldRuns = listRuns(this.journalRoot);
    const ended = new Promise<void>((resolve) => {
      this.settle = resolve;
    });
    // Capture waits too: what two engines hear at once would be recorded twice.
    const left = await outlastWriters(oldRuns, { logger });
    if (!this.isStopping) this.startFirstEngine();
    const recovered = this.recover(left).then(() => this.startWatches());
    await Promise.all([ended, recovered]);
    await this.keeper.idle();
    await this.selfTest?.stop();
    await this.disk?.stop();
    await this.storeKeepers.stop();
    await this.integrity?.stop();
    this.journalWatch.stop();
    await this.box?.stop(this.restartWith !== undefined);
    await this.faces?.stop();
    this.store.audit.append({ kind: "stopped", actor: "service" });
    this.engine.end();
    this.carried.close();
    await this.pool.close();
    this.store.close();
    return {
      exitCode: this.exitCode === EXIT.ok && this.keeper.failures > 0 ? EXIT.storage : this.exitCode,
      lines: this.keeper.lines,
      linesDropped: this.keeper.linesDropped,
      faults: this.faults,
      counters: this.counters,
      sealCpuUs: this.keeper.sealCpuUs,
      ...(this.restartWith && { restartWith: this.restartWith }),
    };
  }

  private openStore(): Promise<RecordingStore | undefined> {
    const { config, dataFolder, capture, logger } = this.options;
    return openServiceStore({
      ...{ config, dataFolder, logger, device: this.device, alarms: this.alarms, disk: this.disk },
      clockState: this.box && (() => this.box!.clockState),
      isLive: capture.kind === "live",
      signal: this.waiting.signal,
      onWait: () => this.sayWaiting("waiting for the disk to take writes: nothing is recorded"),
    });
  }

  /** Whoever can be told, though there is no engine yet. */
  private sayWaiting(why: string): void {
    this.faces ??= this.makeFaces();
    void this.faces.startMqtt();
    this.box?.waits(why);
  }

  private async endUnopened(): Promise<ServiceResult> {
    await this.box?.stop();
    await this.faces?.stop();
    const { faults, counters } = this;
    return { exitCode: EXIT.storage, lines: [], linesDropped: 0, faults, counters, sealCpuUs: 0 };
  }

  /** Asks for an orderly end: every call is closed and sealed. A second call ends without waiting for sealing. */
  stop(): void {
    this.restartWith = undefined;
    this.end();
  }

  private end(): void {
    this.commands.stop();
    if (this.isStopping) {
      this.engine.kill();
      return;
    }
    this.isStopping = true;
    this.waiting.abort();
    this.faces?.stopping();
    void this.selfTest?.stop();
    this.keeper?.giveUp();
    const wasRunning = this.engine.isRunning;
    this.engine.stop();
    if (!wasRunning) this.settle?.();
  }

  private openCommands(): BoxCommands {
    const { config, configuration, dataFolder, logger } = this.options;
    return openBoxCommands({
      ...{ config, configuration, dataFolder, logger, alarms: this.alarms, box: this.box, selfTest: this.selfTest },
      store: () => this.store as RecordingStore | undefined,
      calls: () => this.counters?.activeCalls ?? 0,
      restart: (next) => {
        if (this.isStopping) return;
        this.restartWith = next;
        this.end();
      },
    });
  }

  /** Once nothing lies in the journal any more that may be locked. */
  private startWatches(): void {
    if (this.options.capture.kind !== "live" || this.isStopping) return;
    this.journalWatch.start();
    this.integrity!.start(this.store.audit.repairs);
  }

  /** A box that can encrypt to nobody records nothing, and stays to say so. */
  private startFirstEngine(): void {
    try {
      this.engine.start();
    } catch (error) {
      if (this.integrity === undefined || !this.noteEncryption(error)) throw error;
      this.sayWaiting("nothing can be encrypted, so nothing is recorded");
      this.engine.startLater();
    }
  }

  private noteEncryption(error: unknown): boolean {
    if (!(error instanceof SidetoneError) || error.code !== "encryption-failed") return false;
    this.alarms.raise("encryption-failed", { reason: error.message });
    return true;
  }

  private openEngine(): EngineKeeper {
    const { config, capture, logger } = this.options;
    return new EngineKeeper({
      config,
      capture,
      journalRoot: this.journalRoot,
      registerFolder: this.registerFolder,
      keys: this.journalKeys,
      logger,
      carried: () => this.carried.passOn(),
      takesNewCalls: () => this.disk?.takesNewCalls ?? true,
      message: (message, run) => this.handle(message, run),
      gone: (clean, how, run) => this.engineGone(clean, how, run),
      failed: (error) => {
        // No folder, or no key, for its journal: the disk takes nothing.
        this.noteEncryption(error);
        this.disk?.suspect();
      },
    });
  }

  /** What stands is said, and entered where it concerns the proof; a replay's alarms are gone with it. */
  private openAlarms(): AlarmBook {
    const { capture, dataFolder, logger } = this.options;
    if (capture.kind !== "live") return new AlarmBook({ clock: systemClock });
    const keep = (state: AlarmBookState): void => {
      // Before the store is open the folder is not ours; on a disk that takes nothing the alarm itself says so.
      if (this.store === undefined) return;
      try {
        writeAlarms(dataFolder, state);
      } catch {
        logger.debug("alarms.json cannot be written");
      }
    };
    const book = new AlarmBook({ clock: systemClock, before: readAlarms(dataFolder), keep });
    book.listen(alarmVoice(logger, (entry) => this.enterAlarm(entry)));
    return book;
  }

  private enterAlarm(entry: AuditEntryInput): void {
    if (this.store !== undefined) this.store.audit.append(entry);
    else if (this.earlyEntries.length < MAX_EARLY_ENTRIES) this.earlyEntries.push(entry);
  }

  private openStoreKeepers(): StoreKeepers {
    const { config, dataFolder, capture, logger } = this.options;
    return new StoreKeepers({
      config,
      device: this.device,
      dataFolder,
      store: this.store,
      capture: capture.kind,
      alarms: this.alarms,
      logger,
      clockFault: () => (this.box?.clockState === false ? "no time server sets the clock" : ""),
      kinds: this.box?.kinds() ?? {},
      registersChanged: () => this.engine.send({ type: "registers-changed" }),
      publish: (statement, taken) => {
        this.faces?.publishAnchor(statement, taken);
        return this.faces !== undefined;
      },
    });
  }

  private openBox(): BoxWatch {
    const { config, version, logger } = this.options;
    return new BoxWatch({
      config,
      device: this.device,
      version,
      alarms: this.alarms,
      logger,
      sealing: () => ({
        waiting: this.pool?.waiting ?? 0,
        running: this.pool?.running ?? 0,
        refused: this.keeper?.waiting ?? 0,
      }),
      panel: () => this.faces?.panelState ?? "off",
      showSpan: (report) => this.faces?.showSpan(report),
      showHealth: (status) => this.faces?.showHealth(status),
      showInfo: (info) => this.faces?.showInfo(info),
    });
  }

  private openIntegrity(): IntegrityWatch {
    const { config, dataFolder, logger } = this.options;
    return new IntegrityWatch({
      everyHours: config.integrity.checkHours,
      alarms: this.alarms,
      logger,
      check: (signal) => verifyInProcess(dataFolder, signal),
    });
  }

  private openSelfTest(): SelfTestKeeper {
    const { config, dataFolder, logger } = this.options;
    return new SelfTestKeeper({
      config,
      logger,
      alarms: this.alarms,
      audit: (entry) => this.store.audit.append(entry),
      show: (report) => this.faces?.showSelfTest(report),
      obstacle: () => {
        if (!this.isCapturing) return "the engine is being started";
        return this.disk?.takesNewCalls === false ? "the disk has no room for recordings" : "";
      },
      send: (message) => this.engine.send(message),
      journalKey: (folder) => this.journalKeys.of(folder),
      edges: () => ({
        seal: (job) => this.pool.seal(job),
        files: new SelfTestFiles(dataFolder),
        key: this.store.key,
        index: this.store.index,
        device: this.device,
        clockState: this.box && (() => this.box!.clockState),
      }),
    });
  }

  private openDisk(): DiskKeeper {
    const { config, dataFolder, logger } = this.options;
    return new DiskKeeper(
      { config: config.disk, dataFolder, alarms: this.alarms, logger, clock: systemClock },
      {
        setRoom: (takesNewCalls) => this.engine.send({ type: "room", takesNewCalls }),
        recovered: () => this.keeper?.tryAgain(),
        deleteOldest: async () => this.storeKeepers?.deleteOldest() ?? 0,
        show: (status) => {
          this.diskStatus = status;
          this.faces?.showDisk(status);
        },
      },
    );
  }

  /** Once capture works: before that there is nothing to command. */
  private startFaces(): Faces {
    const { logger } = this.options;
    const faces = this.faces ?? this.makeFaces();
    faces.start().catch((error: unknown) => {
      logger.error("the API or MQTT could not be started", { message: String(error) });
    });
    return faces;
  }

  private makeFaces(): Faces {
    const { config, version, dataFolder, logger, showFirstToken } = this.options;
    return new Faces({
      config,
      device: this.device,
      version,
      counters: () => this.counters,
      engine: () => this.box?.engineState ?? "starting",
      isAllPaused: () => this.carried.isAllPaused(),
      dataFolder,
      desk: this.desk,
      box: this.commands.desk,
      store: () => this.store as RecordingStore | undefined,
      exports: () => this.storeKeepers?.exports,
      retention: () => this.storeKeepers?.retentionDesk,
      resetAll: (by, meanwhile) => this.commands.resetAll(by, meanwhile),
      alarms: this.alarms,
      showFirstToken,
      logger,
    });
  }

  private handle(message: EngineToService, run: EngineRun): void {
    const { logger } = this.options;
    switch (message.type) {
      case "ready":
        if (message.interfaces.length === 0) break;
        logger.info("capturing", { interfaces: message.interfaces.join(",") });
        if (warnsWithoutAgents(this.options.config, logger)) this.alarms.raise("no-agents");
        this.alarmWatch.engineReady();
        this.faces = this.startFaces();
        this.box?.capturing(message.interfaces);
        if (this.diskStatus) this.faces.showDisk(this.diskStatus);
        this.isCapturing = true;
        this.selfTest?.start();
        break;
      case "self-test-ended":
        this.selfTest?.answered(message.id, message.outcome, run.journalFolder);
        break;
      case "command-result":
        this.desk.settle(message.id, message.result);
        break;
      case "carried":
        this.carried.note(message.call, message.state);
        break;
      case "pause-of-all":
        this.carried.notePauseOfAll(message.pause);
        break;
      case "audited":
        this.store.audit.append(auditEntryOf(message.event));
        this.faces?.publish(message.event);
        break;
      case "call-progress":
        this.faces?.progressed(message.progress);
        break;
      case "call-ended":
        this.carried.ended(message.record);
        this.faces?.callEnded(message.record);
        this.box?.noteCall(message.record);
        this.keep(message.record, message.journal, run);
        break;
      case "counters":
        this.noteCounters(message.counters);
        break;
      case "span":
        this.box?.noteFigures(message.figures);
        break;
      case "progress":
        this.options.onProgress(message.readBytes, message.totalBytes);
        break;
      case "clock-step":
        this.alarmWatch.clockStepped(message.offsetUs, message.calls);
        break;
      case "notice":
        logger.warn(message.message);
        break;
      case "input-fault":
        this.noteFault(message.code, message.message);
        break;
      case "finished":
        this.noteCounters(message.counters);
        void this.keeper.idle().then(() => this.engine.stop());
        break;
      case "fatal":
        this.isStopping = true;
        this.faces?.stopping();
        this.noteFault(message.code, message.message);
        break;
      default:
        break;
    }
  }

  private keep(record: CallRecord, journal: JournalPosition | undefined, run: EngineRun): void {
    const { journalFolder } = run;
    const place = journal && { folder: journalFolder, position: journal, key: this.journalKeys.of(journalFolder) };
    void this.keeper.keep(record, place).then((kept) => {
      if (!kept) return;
      run.send({ type: "released", id: record.id });
      this.storeKeepers?.callEnded(record);
      this.faces?.callKept(record.id);
    });
  }

  private noteCounters(counters: EngineCounters): void {
    const before = this.counters;
    this.counters = counters;
    this.faces?.showCalls(counters.activeCalls);
    let dropped = 0;
    for (const source of counters.sources) {
      const known = before?.sources.find((candidate) => candidate.name === source.name);
      const drops = source.kernelDrops - (known?.kernelDrops ?? 0);
      if (drops > 0) this.options.logger.warn("kernel dropped packets", { interface: source.name, packets: drops });
      dropped += Math.max(0, drops);
    }
    this.box?.noteCounters(counters);
    this.tlsNotices.note(counters.tlsEndpoints);
    this.alarmWatch.note(counters, dropped);
    if (counters.isJournalFailing || this.keeper.waiting > 0) this.disk?.suspect();
  }

  private noteFault(code: ErrorCode, message: string): void {
    const fault = new SidetoneError(code, message);
    if (this.faults.length < MAX_FAULTS) this.faults.push({ code, message });
    this.exitCode = fault.exitCode;
    this.options.logger.error(message, { code });
  }

  private engineGone(clean: boolean, how: string, { journalFolder }: EngineRun): void {
    this.desk.abandon();
    this.isCapturing = false;
    this.selfTest?.engineGone();
    if (clean || this.isStopping) {
      void this.finishRun(journalFolder);
      return;
    }
    const isLive = this.options.capture.kind === "live";
    this.options.logger.error("the engine stopped unexpectedly; its journal is being recovered", { how });
    this.alarmWatch.engineLost(how);
    this.store.audit.append({ kind: "engine-lost", actor: "service", detail: { how } });
    void this.keeper
      .idle()
      .then(() => this.recover([journalFolder]))
      .then(() => {
        if (isLive) return;
        this.noteFault("internal", `the engine stopped while reading (${how}); what it had admitted was recovered`);
        this.settle?.();
      });
    if (isLive) this.engine.startLater();
  }

  /** The engine has left: what is still in its journal (nothing, unless sealing failed) is for the next start. */
  private async finishRun(journalFolder: string): Promise<void> {
    this.keeper.giveUp();
    await this.keeper.idle();
    // An engine with a user of its own may be there still: its journal waits then.
    await this.recover(await outlastWriters([journalFolder], { logger: this.options.logger }));
    this.settle?.();
  }

  private async recover(folders: readonly string[]): Promise<void> {
    const { keeper, device, journalWatch } = this;
    const { dataFolder, logger } = this.options;
    const locking = { dataFolder, device, keeper, audit: this.store.audit, logger };
    for (const folder of folders) {
      const key = this.journalKeys.of(folder);
      await recoverOldRun(folder, {
        keeper,
        logger,
        key,
        journalWatch,
        lock: (path, run) => lockRun(path, run, locking),
      });
      if (!existsSync(folder)) this.journalKeys.forget(folder);
    }
  }
}

/** A box that nobody told who the agents are records nothing under most policies: better said at the start. */
function warnsWithoutAgents(config: Config, logger: Logger): boolean {
  const { policy } = config.consent;
  if (namesAgents(config) || policy === "both-parties" || policy === "none") return false;
  logger.warn("no agents are configured, so nothing will be recorded: name them with --agents or agents.match", {
    policy,
  });
  return true;
}

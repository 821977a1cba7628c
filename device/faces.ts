// The faces of a running service as one part of it: the HTTP API, MQTT and the front panel. Starts those that are configured, hands them what
// the engine reports, stops them. What a face cannot start with is said once and does not keep the box from recording.
import { join } from "node:path";
import { Announcer } from "./api/announcer.js";
import { ApiFace } from "./api/face.js";
import { apiCertificate } from "./api-certificate.js";
import { systemClock } from "./base/clock.js";
import { SidetoneError } from "./base/errors.js";
import type { CallId } from "./base/ids.js";
import type { Logger } from "./base/logger.js";
import { sha256Of } from "./base/sha256.js";
import { isLoopback, speaksTls } from "./config/api-meaning.js";
import { ALARM_CODES } from "./contract/alarms.js";
import type { AnchorStatement } from "./contract/anchor.js";
import { API_PREFIX } from "./contract/api-route.js";
import type { BoxCommandDesk } from "./contract/box-commands.js";
import type { CallRecord } from "./contract/call-record.js";
import type { CommandDesk } from "./contract/commands.js";
import type { Config } from "./contract/config.js";
import { fingerprintPrefix } from "./contract/discovery.js";
import type { AuditedEvent, CallProgress, EngineCounters } from "./contract/engine-messages.js";
import type { BoxInfo, HealthStatus } from "./contract/health.js";
import type { DiskStatus, SpanStatus } from "./contract/mqtt.js";
import type { PanelState } from "./contract/panel.js";
import type { RetentionDesk } from "./contract/retention-desk.js";
import type { SelfTestReport } from "./contract/self-test.js";
import type { SpanReport } from "./contract/span.js";
import { EventFeed } from "./event-feed.js";
import type { AlarmBook } from "./health/alarms.js";
import { formatMetrics } from "./health/metrics.js";
import { MqttFace } from "./mqtt/face.js";
import { PanelFace } from "./panel/face.js";
import type { PanelSnapshot } from "./panel/snapshot.js";
import type { NumberExports } from "./store/export/number-exports.js";
import { SpoolTrail } from "./store/file-change.js";
import type { RecordingStore } from "./store/recordings.js";
import { SpoolDesk } from "./store/spool-desk.js";
import { ensureFirstToken, TokenStore } from "./store/tokens.js";

export interface FacesOptions {
  config: Config;
  /** The box's name. */
  device: string;
  /** Of the package. */
  version: string;
  dataFolder: string;
  /** The engine's newest; undefined while it has told none. */
  counters(): EngineCounters | undefined;
  engine(): Exclude<PanelSnapshot["engine"], "stopping">;
  /** Every call is paused, those to come too. */
  isAllPaused(): boolean;
  desk: CommandDesk;
  /** For commands about the box. */
  box: BoxCommandDesk;
  /** Undefined while the data folder is not open. */
  store(): RecordingStore | undefined;
  exports(): NumberExports | undefined;
  retention(): RetentionDesk | undefined;
  /** Everything but recordings is as at the first start; `meanwhile` is done before the restart. */
  resetAll(by: string, meanwhile: () => void): Promise<string>;
  alarms: AlarmBook;
  /** A token was made at the first start: shown once, and to whoever stands before the terminal only. */
  showFirstToken(secret: string): void;
  logger: Logger;
}

export class Faces {
  private readonly options: FacesOptions;
  private readonly mqtt: MqttFace;
  private readonly panel: PanelFace;
  private readonly feed = new EventFeed();
  private announcer: Announcer | undefined;
  private captured: readonly string[] | undefined;
  private api: ApiFace | undefined;
  /** As it was shown last. */
  private readonly shown: { disk?: DiskStatus; span?: SpanStatus; health?: HealthStatus } = {};
  private selfTest: { result: SelfTestReport["result"]; passedAt: string } | undefined;
  private started: Promise<void> | undefined;
  private mqttStarted: Promise<void> | undefined;

  constructor(options: FacesOptions) {
    this.options = options;
    const { config, device, desk, box, alarms, logger, dataFolder } = options;
    const queueFolder = join(dataFolder, "mqtt-queue");
    const announcedFile = join(dataFolder, "mqtt-announced.json");
    this.mqtt = new MqttFace({
      config: config.mqtt,
      device,
      desk,
      box,
      logger,
      queueFolder,
      announcedFile,
      alarms,
    });
    this.panel = this.makePanel();
    alarms.listen({
      raised: (alarm) => this.mqtt.setAlarm(alarm.code, alarm),
      acknowledged: (alarm) => this.mqtt.setAlarm(alarm.code, alarm),
      cleared: ({ code }) => this.mqtt.setAlarm(code, undefined),
    });
    alarms.listen(this.feed.alarms);
  }

  /** A second call is the same. */
  start(): Promise<void> {
    this.started ??= Promise.all([
      this.startMqtt(),
      this.attempt("the HTTP API", "api-off", () => this.startApi()),
    ]).then(() => {});
    return this.started;
  }

  /** For a box that can say what is wrong, and do nothing else yet. */
  startMqtt(): Promise<void> {
    this.panel.start();
    this.mqttStarted ??= this.attempt("MQTT", "mqtt-off", () => {
      const standing = new Map(this.options.alarms.standing.map((alarm) => [alarm.code, alarm]));
      for (const code of ALARM_CODES) this.mqtt.setAlarm(code, standing.get(code));
      return this.mqtt.start();
    });
    return this.mqttStarted;
  }

  /** The service was asked to end; what is left is stored first. */
  stopping(): void {
    this.panel.stopping();
  }

  async stop(): Promise<void> {
    await Promise.allSettled([this.started, this.mqttStarted]);
    await Promise.all([this.mqtt.stop(), this.api?.stop(), this.panel.stop(), this.announcer?.stop()]);
  }

  /** What happened to a call in progress. */
  publish(event: AuditedEvent): void {
    this.mqtt.publishAudited(event);
    this.feed.audited(event);
  }

  progressed(progress: CallProgress): void {
    this.feed.progressed(progress);
  }

  callEnded(record: CallRecord): void {
    this.feed.ended(record);
  }

  /** It is stored. */
  callKept(id: CallId): void {
    const store = this.options.store();
    if (store !== undefined) this.feed.kept(id, store);
  }

  /** Calls in progress, how many. */
  showCalls(active: number): void {
    this.mqtt.setState("calls", { active });
    this.panel.showCalls(active);
  }

  showDisk(status: DiskStatus): void {
    this.shown.disk = status;
    this.mqtt.setState("disk", status);
    this.panel.showDisk(status);
  }

  /** Where both chains end; `taken` once the broker has it. */
  publishAnchor(statement: AnchorStatement, taken: () => void): void {
    this.mqtt.setState("anchor", statement, taken);
  }

  showSpan({ at, state, checks }: SpanReport): void {
    const status: SpanStatus = {
      at,
      state,
      checks: Object.fromEntries(checks.map((check) => [check.id, check.state])) as SpanStatus["checks"],
      faults: checks.flatMap(({ findings }) => findings.map(({ code }) => code)),
    };
    this.shown.span = status;
    this.mqtt.setState("span", status);
    this.panel.showSpan(status);
  }

  showHealth(status: HealthStatus): void {
    this.shown.health = status;
    this.mqtt.setState("health", status);
    this.feed.health(status);
  }

  showSelfTest(report: SelfTestReport): void {
    const { at, result } = report;
    this.selfTest = { result, passedAt: result === "pass" ? at : (this.selfTest?.passedAt ?? "") };
    this.mqtt.setState("self-test", report);
  }

  showInfo(info: BoxInfo): void {
    this.mqtt.setState("info", info);
    this.captured = info.interfaces;
    this.announcer?.look();
  }

  get panelState(): PanelState {
    return this.panel.state;
  }

  private makePanel(): PanelFace {
    const { config, device, version, desk, box, alarms, logger, engine, isAllPaused } = this.options;
    const { timeZone } = config.consent;
    return new PanelFace({
      config: config.panel,
      timeZone,
      device,
      version,
      api: apiPlace(config.api),
      desk,
      resetAll: (by) =>
        this.options.resetAll(by, () => this.tokenStore(by).forgetAll("factory reset at the front panel")),
      resetTokens: () => this.tokenStore("front panel").resetAll("reset at the front panel"),
      box,
      alarms,
      logger,
      engine,
      isAllPaused,
    });
  }

  private tokenStore(actor: string): TokenStore {
    const { dataFolder, logger } = this.options;
    return new TokenStore({
      dataFolder,
      clock: systemClock,
      trail: new SpoolTrail(new SpoolDesk(dataFolder), actor),
      onFault: (message) => logger.error(message),
    });
  }

  private async startApi(): Promise<void> {
    const { config, desk, box, store, exports, retention, logger, showFirstToken } = this.options;
    if (!config.api.enabled) return;
    const tokens = this.tokenStore("service");
    const secret = ensureFirstToken(tokens);
    if (secret !== undefined) {
      showFirstToken(secret);
      this.panel.offerSecret(secret);
    }
    const certificate = this.makeCertificate();
    const metrics = () => this.metrics();
    const { device, version } = this.options;
    const about = { device, version, tokenStore: (actor: string) => this.tokenStore(actor) };
    const parts = { desk, box, store, exports, retention, tokens, metrics, certificate, about, events: this.feed.hub };
    this.api = new ApiFace({ config: config.api, ...parts, logger });
    const { address } = await this.api.start();
    logger.info("the API listens", { address });
    await this.announce(Number(new URL(address).port));
  }

  /** On the office's network, where the API is reached from there. */
  private async announce(port: number): Promise<void> {
    const { config, device, version, store, logger } = this.options;
    const key = store()?.key.publicKey;
    if (!config.api.announce || isLoopback(config.api.host) || key === undefined) return;
    const keyId = sha256Of(key.export({ type: "spki", format: "der" })).slice(0, 8);
    this.announcer = new Announcer({
      host: config.api.host,
      announced: () => {
        const fingerprint = this.api?.tls?.fingerprint;
        const tls = fingerprint === undefined ? "none" : fingerprintPrefix(fingerprint);
        return { device, keyId, port, facts: { device, version, path: API_PREFIX, tls } };
      },
      captured: () => this.captured,
      logger,
    });
    await this.announcer.start();
  }

  private makeCertificate(): ReturnType<typeof apiCertificate> {
    const { config, device, dataFolder, alarms, logger } = this.options;
    const show = (fingerprint: string): void => this.panel.showFingerprint(fingerprint);
    return apiCertificate({ config: config.api, device, dataFolder, alarms, logger, show });
  }

  private metrics(): string {
    const { version, counters } = this.options;
    const engine = counters();
    const service = {
      ...this.mqtt.counters(),
      ...this.api?.counters(),
      ...this.panel.counters(),
      ...this.announcer?.figures(),
    };
    return formatMetrics({
      version,
      ...this.shown,
      ...(this.selfTest && { selfTest: this.selfTest }),
      ...(engine && { counters: engine }),
      service,
    });
  }

  private async attempt(name: string, alarm: "api-off" | "mqtt-off", start: () => Promise<void>): Promise<void> {
    try {
      await start();
      this.options.alarms.clear(alarm);
    } catch (error) {
      if (!(error instanceof SidetoneError)) throw error;
      this.options.alarms.raise(alarm, { reason: error.message });
      this.options.logger.error(`${name} is off: ${error.message}`, { code: error.code });
    }
  }
}

/** Where the API is reached, as the panel says it. */
function apiPlace(api: Config["api"]): string {
  const { enabled, host, port } = api;
  if (!enabled) return "off";
  if (isLoopback(host)) return `this box, port ${port}`;
  return `${speaksTls(api) ? "https" : "http"} port ${port}`;
}

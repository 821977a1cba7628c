// What the tests of commands about the box share: a real store full of calls, a configuration file, an alarm book and the desk over
// them, as the service puts them together.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../device/base/clock.js";
import type { LogFields, Logger } from "../../device/base/logger.js";
import { BoxDesk } from "../../device/box-desk.js";
import { type ConfigRequest, type LoadedConfig, loadConfig } from "../../device/config/load.js";
import { ConfigurationKeeper } from "../../device/configuration-keeper.js";
import type { AuditEntryInput } from "../../device/contract/audit.js";
import { HEALTH_SCHEMA, type HealthStatus } from "../../device/contract/health.js";
import { AlarmBook } from "../../device/health/alarms.js";
import { RestartKeeper, type RestartOutcome } from "../../device/restart-keeper.js";
import { readAlarms, writeAlarms } from "../../device/store/alarm-file.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { type GeneratedCall, generateCalls, storeCall } from "../fakes/indexed-calls.js";
import { DAY_US, FIRST_US, makeDataFolder, NUMBERS } from "./store/index/index-kit.js";

const quiet = { onFault: () => {}, onRecovery: () => {}, onNotice: () => {} };

export const HEALTH: HealthStatus = {
  schema: HEALTH_SCHEMA,
  at: "2026-11-28T09:00:00.000000Z",
  uptimeS: 1,
  cpuPercent: { box: 1, service: 1, engine: 1, cores: 2 },
  memoryMegabytes: { total: 1, available: 1, service: 1, engine: 1 },
  temperatureC: null,
  clock: { synchronised: "unknown", offsetMs: null },
  sealing: { waiting: 0, running: 0, refused: 0 },
  activeCalls: 0,
  panel: "off",
  capture: { packetsPerSecond: 0, kernelDrops: 0, interfaceDrops: 0 },
  eventLoopDelayMs: { service: 0, engine: 0 },
  alarms: [],
};

/** A box's parts, all of them real but time, the interfaces and the engine. */
export class Box {
  readonly folder = makeDataFolder();
  readonly file = join(this.folder, "etc", "sidetone.yaml");
  readonly calls: GeneratedCall[];
  readonly alarms: AlarmBook;
  readonly restarts: LoadedConfig[] = [];
  readonly outcomes: [RestartOutcome, string][] = [];
  readonly errors: string[] = [];
  store: RecordingStore;
  desk!: BoxDesk;
  configuration!: ConfigurationKeeper;
  restartKeeper!: RestartKeeper;
  callsInProgress = 0;
  nowMs = 0;
  readonly clock: Clock = { nowUs: () => FIRST_US + this.nowMs * 1000, monotonicMs: () => this.nowMs };

  constructor({ text = "", callCount = 100, request = {} as Partial<ConfigRequest> } = {}) {
    this.calls = [...generateCalls({ seed: 4, count: callCount, firstUs: FIRST_US, spanUs: 2 * DAY_US })];
    for (const call of this.calls) storeCall(this.folder, call);
    mkdirSync(join(this.folder, "etc"));
    writeFileSync(this.file, text, { mode: 0o640 });
    this.store = RecordingStore.open(this.folder, { index: { numbers: NUMBERS, ...quiet }, audit: { gatherMs: 1 } });
    this.alarms = new AlarmBook({
      clock: this.clock,
      before: readAlarms(this.folder),
      keep: (state) => writeAlarms(this.folder, state),
    });
    this.open(request);
  }

  /** As at a start: the configuration that the file holds now is in force. */
  open(asked: Partial<ConfigRequest> = {}): void {
    const request: ConfigRequest = { file: this.file, environment: {}, ...asked };
    const { config, sources } = loadConfig(request);
    const enter = (entry: AuditEntryInput) => this.store.audit.enterDurably(entry);
    const configuration = new ConfigurationKeeper({ request, config, sources, enter });
    this.configuration = configuration;
    this.restartKeeper = new RestartKeeper({
      clock: this.clock,
      calls: () => this.callsInProgress,
      reload: () => configuration.reload(),
      restart: (next) => void this.restarts.push(next),
      note: (outcome, why) => void this.outcomes.push([outcome, why]),
    });
    this.desk = new BoxDesk({
      dataFolder: this.folder,
      store: () => this.store,
      alarms: this.alarms,
      health: () => HEALTH,
      span: async () => ({ at: HEALTH.at, state: "pass", checks: [], endpoints: [] }),
      selfTest: {
        selfTest: async () => ({
          at: HEALTH.at,
          result: "skipped",
          reason: "a call goes on",
          steps: [],
          durationMs: 0,
        }),
      },
      configuration,
      restarts: this.restartKeeper,
      logger: this.logger,
      now: () => this.clock.nowUs() / 1000 + DAY_US / 1000,
    });
  }

  get logger(): Logger {
    const none = (): void => {};
    const error = (message: string, fields: LogFields = {}): void =>
      void this.errors.push(`${message} ${JSON.stringify(fields)}`);
    return { debug: none, info: none, warn: none, error };
  }

  get text(): string {
    return readFileSync(this.file, "utf8");
  }

  ask(body: Record<string, unknown>, by = "mqtt client test", wholeNumbers = true) {
    return this.desk.submit({ body: body as never, by, source: "mqtt", wholeNumbers });
  }

  close(): void {
    this.restartKeeper.stop();
    this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// The parts of a running service put together for commands about the box: the desk, the configuration, restarts. Composition only.
import { systemClock } from "./base/clock.js";
import type { Logger } from "./base/logger.js";
import { BoxDesk, type BoxParts } from "./box-desk.js";
import type { BoxWatch } from "./box-watch.js";
import type { ConfigRequest, ConfigSources, LoadedConfig } from "./config/load.js";
import { ConfigurationKeeper, ConfigurationRefused } from "./configuration-keeper.js";
import type { Config } from "./contract/config.js";
import type { SelfTestDesk } from "./contract/self-test.js";
import type { AlarmBook } from "./health/alarms.js";
import { RestartKeeper, type RestartOutcome } from "./restart-keeper.js";
import type { RecordingStore } from "./store/recordings.js";

/** How the configuration in force came about, and what a new start would read. */
export interface ConfigurationInForce {
  request: ConfigRequest;
  sources: ConfigSources;
}

export interface BoxCommandsOptions {
  config: Config;
  /** Absent: it is not shown, not changed, and nothing is restarted. */
  configuration: ConfigurationInForce | undefined;
  dataFolder: string;
  alarms: AlarmBook;
  logger: Logger;
  store(): RecordingStore | undefined;
  box: BoxWatch | undefined;
  selfTest: SelfTestDesk | undefined;
  /** In progress. */
  calls(): number;
  /** Ends the service, which is started again with this configuration. */
  restart(next: LoadedConfig): void;
}

export interface BoxCommands {
  desk: BoxDesk;
  /** Settings as at the first start, then `meanwhile`, then a restart; why not, "" when it is done. Never rejects. */
  resetAll(by: string, meanwhile: () => void): Promise<string>;
  /** The service ends. */
  stop(): void;
}

export function openBoxCommands(options: BoxCommandsOptions): BoxCommands {
  const { dataFolder, alarms, logger, store, box, selfTest } = options;
  const configuration = openConfiguration(options);
  const restarts = configuration && openRestarts(options, configuration);
  const parts: BoxParts = {
    ...{ dataFolder, store, alarms, configuration, restarts, selfTest, logger },
    health: () => box?.freshHealth(),
    span: () => box?.spanReport(),
    now: () => systemClock.nowUs() / 1000,
  };
  return {
    desk: new BoxDesk(parts),
    resetAll: (by, meanwhile) => resetAll({ configuration, restarts, logger }, by, meanwhile),
    stop: () => restarts?.stop(),
  };
}

async function resetAll(
  parts: Pick<BoxParts, "configuration" | "restarts" | "logger">,
  by: string,
  meanwhile: () => void,
): Promise<string> {
  const { configuration, restarts, logger } = parts;
  if (configuration === undefined || restarts === undefined) return "this box is not started by itself";
  try {
    const changed = await configuration.reset(by);
    meanwhile();
    restarts.ask("now");
    logger.warn("settings are as at the first start", { changed: changed.length });
    return "";
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    logger.error(`not everything was reset: ${fault}`);
    return fault;
  }
}

function openConfiguration({ configuration, config, store }: BoxCommandsOptions): ConfigurationKeeper | undefined {
  if (configuration === undefined) return undefined;
  return new ConfigurationKeeper({
    ...configuration,
    config,
    enter: async (entry) => {
      const open = store();
      if (open === undefined)
        throw new ConfigurationRefused("unavailable", "the data folder is not open yet: try again later");
      await open.audit.enterDurably(entry);
    },
  });
}

function openRestarts(options: BoxCommandsOptions, configuration: ConfigurationKeeper): RestartKeeper {
  const { calls, restart, store, logger } = options;
  const note = (outcome: RestartOutcome, why: string): void => {
    store()?.audit.append({ kind: "restart", actor: "service", detail: { outcome, ...(why !== "" && { why }) } });
    if (outcome === "begun") logger.info("the service is started anew, as it was asked to be");
    else logger.error(`the restart that was asked for is not made: ${why || "calls went on for too long"}`);
  };
  return new RestartKeeper({ clock: systemClock, calls, reload: () => configuration.reload(), restart, note });
}

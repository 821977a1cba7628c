// How a service comes to its store: waits for a command that has the data folder and, on a running box, for a disk that takes no
// writes; and who is told of what the store finds. What is in it is store/'s.
import type { Logger } from "./base/logger.js";
import type { AlarmDesk } from "./contract/alarms.js";
import type { Config } from "./contract/config.js";
import type { ClockState } from "./contract/manifest.js";
import type { DiskKeeper } from "./disk-keeper.js";
import { openWhenWritable } from "./start-wait.js";
import { openPatiently } from "./store/patient-open.js";
import { RecordingStore } from "./store/recordings.js";
import { TermsTable } from "./store/retention/terms.js";

export interface StoreOpeningOptions {
  config: Config;
  dataFolder: string;
  /** The box's name. */
  device: string;
  alarms: AlarmDesk;
  /** Of a running box. */
  disk: DiskKeeper | undefined;
  clockState: (() => ClockState) | undefined;
  isLive: boolean;
  logger: Logger;
  /** Ends the wait. */
  signal: AbortSignal;
  /** The disk takes no writes: told once. */
  onWait(): void;
}

/** undefined = it was told to stop meanwhile. A replay does not wait for a disk. */
export async function openServiceStore(options: StoreOpeningOptions): Promise<RecordingStore | undefined> {
  const { dataFolder, alarms, isLive, logger, signal, onWait } = options;
  const open = (): Promise<RecordingStore> =>
    openPatiently(dataFolder, () => openNow(options), {
      onWait: () => logger.info("a command has the data folder: waiting for it", { dataFolder }),
    });
  return isLive ? openWhenWritable(open, { dataFolder, alarms, logger, signal, onWait }) : open();
}

function openNow({
  config,
  dataFolder,
  device,
  alarms,
  disk,
  clockState,
  logger,
}: StoreOpeningOptions): RecordingStore {
  disk?.prepare();
  return RecordingStore.open(dataFolder, {
    device,
    clockState,
    audit: {
      onFault: (message) => {
        logger.error(message);
        alarms.raise("audit-unwritable", { reason: message });
        disk?.suspect();
      },
      onRecovery: () => alarms.clear("audit-unwritable"),
    },
    onRefused: (message) => logger.warn(message),
    promiseFor: (retention) => new TermsTable(config.retention).promiseFor(retention),
    index: {
      numbers: config.numbers,
      onFault: (message) => {
        logger.error(message);
        alarms.raise("index-unusable", { reason: message });
      },
      onRecovery: () => alarms.clear("index-unusable"),
      onNotice: (message) => logger.warn(message),
    },
  });
}

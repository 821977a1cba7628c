// What the box can be asked for through its spool, put together for the running service, and for a command that does the
// work in its place when no service runs.
import { systemClock } from "./base/clock.js";
import type { LogFields, Logger } from "./base/logger.js";
import type { Config } from "./contract/config.js";
import { actAsOwnerOf } from "./data-owner.js";
import { RetentionRequests } from "./retention-requests.js";
import { AUDIT_REQUEST, auditRequestKind } from "./store/audit-request.js";
import { EXPORTED, exportedKind } from "./store/export/export-trail.js";
import { FILE_CHANGE, fileChangeKind, type WatchedFile } from "./store/file-change.js";
import { REINDEX, reindexKind } from "./store/index/reindex-request.js";
import { TAG, tagKind } from "./store/index/tag-request.js";
import { RecordingStore } from "./store/recordings.js";
import { Disposal } from "./store/retention/disposal.js";
import { SpoolKeeper } from "./store/spool-keeper.js";
import type { SpoolKinds } from "./store/spool-kinds.js";
import { WatchedFiles } from "./store/watched-files.js";

export interface SpoolParts {
  dataFolder: string;
  store: RecordingStore;
  retention: RetentionRequests;
  watched: WatchedFiles;
  /** A command has changed this file. */
  changed?(file: WatchedFile): void;
}

/** Each kind of request with whoever carries it out. */
export function spoolKinds({ dataFolder, store, retention, watched, changed }: SpoolParts): SpoolKinds {
  return {
    [AUDIT_REQUEST]: auditRequestKind(store.audit, dataFolder),
    [FILE_CHANGE]: fileChangeKind(store.audit, dataFolder, watched, changed),
    [EXPORTED]: exportedKind(store.audit, dataFolder),
    ...retention.kinds(),
    ...(store.index && { [REINDEX]: reindexKind(store.index) }),
    ...(store.tags && { [TAG]: tagKind(store.tags, store.audit, dataFolder) }),
  };
}

export interface HereOptions {
  dataFolder: string;
  config: Config;
  /** The box's name. */
  device: string;
  onFault(message: string): void;
}

/**
 * Carries out what the spool holds in this process. Throws SidetoneError `data-in-use` when a service runs (it will do
 * it), or `data-unwritable`. Of root's rights those of the data folder's owner are left, so that what is made is the service's.
 */
export async function carryOutHere({ dataFolder, config, device, onFault }: HereOptions): Promise<void> {
  actAsOwnerOf(dataFolder);
  const { numbers } = config;
  // What is deleted or erased leaves the index as well.
  const index = { numbers, onFault, onRecovery: () => {}, onNotice: onFault };
  const store = RecordingStore.open(dataFolder, { role: "command", device, audit: { onFault }, index });
  try {
    const logger = faultLogger(onFault);
    const clock = systemClock;
    const disposal = new Disposal({ store, config, device, logger, clock, isCommand: true });
    const retention = new RetentionRequests({ store, disposal, config, clock });
    const keeper = new SpoolKeeper({
      dataFolder,
      kinds: spoolKinds({ dataFolder, store, retention, watched: new WatchedFiles(dataFolder) }),
      onFault,
      clock,
    });
    await keeper.drain();
    // What was carried out may have changed a register, and left that to be entered.
    await keeper.drain();
    await keeper.stop();
  } finally {
    store.close();
  }
}

function faultLogger(onFault: (message: string) => void): Logger {
  const say = (message: string, fields: LogFields = {}): void =>
    onFault([message, ...Object.values(fields).map(String)].join(": "));
  return { debug: () => {}, info: () => {}, warn: say, error: say };
}

// What the box can be asked for through its spool, put together for the running service, and for a command that does the
// work in its place when no service runs.
import { statSync } from "node:fs";
import { systemClock } from "./base/clock.js";
import { AUDIT_REQUEST, auditRequestKind } from "./store/audit-request.js";
import { RecordingStore } from "./store/recordings.js";
import { SpoolKeeper } from "./store/spool-keeper.js";
import type { SpoolKinds } from "./store/spool-kinds.js";

export interface SpoolParts {
  dataFolder: string;
  store: RecordingStore;
}

/** Each kind of request with whoever carries it out. */
export function spoolKinds({ dataFolder, store }: SpoolParts): SpoolKinds {
  return { [AUDIT_REQUEST]: auditRequestKind(store.audit, dataFolder) };
}

export interface HereOptions {
  dataFolder: string;
  /** The box's name. */
  device: string;
  onFault(message: string): void;
}

/**
 * Carries out what the spool holds in this process. Throws SidetoneError `data-in-use` when a service runs (it will do
 * it), or `data-unwritable`. Of root's rights those of the data folder's owner are left, so that what is made is the service's.
 */
export async function carryOutHere({ dataFolder, device, onFault }: HereOptions): Promise<void> {
  actAsOwnerOf(dataFolder);
  const store = RecordingStore.open(dataFolder, { device, audit: { onFault } });
  try {
    const keeper = new SpoolKeeper({
      dataFolder,
      kinds: spoolKinds({ dataFolder, store }),
      onFault,
      clock: systemClock,
    });
    await keeper.drain();
    await keeper.stop();
  } finally {
    store.close();
  }
}

function actAsOwnerOf(folder: string): void {
  const { uid, gid } = statSync(folder);
  if (process.getuid?.() !== 0 || uid === 0) return;
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

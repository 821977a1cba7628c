// Replays a capture file in this process, through what the two programs consist of: file source and recorder as in the engine,
// keeper, sealing thread and store as in the service. What this leaves out is how the programs start, talk and end.
import type { Logger } from "../../device/base/logger.js";
import { type FileFault, FileSource } from "../../device/capture/file-source.js";
import { type Config, configSchema } from "../../device/contract/config.js";
import { CallKeeper } from "../../device/keeper.js";
import { SealPool } from "../../device/seal/pool.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { RecorderRun } from "./recorder-run.js";

const WORKER = new URL("../../dist/device/seal/worker.js", import.meta.url);

/** One sealing thread, of the built program; whoever opens it closes it. */
export function openSealPool(): SealPool {
  return new SealPool({ workers: 1, workerUrl: WORKER });
}

export interface CaptureRunResult {
  fault: FileFault | undefined;
  /** What went wrong with a call. */
  errors: string[];
}

/** What `sidetoned --read PATH --data FOLDER` leaves in the folder, but the journal's folder stays. */
export async function replayCapture(
  path: string,
  dataFolder: string,
  pool: SealPool,
  config: Config = configSchema.parse({}),
): Promise<CaptureRunResult> {
  const errors: string[] = [];
  const error = (message: string, fields: object = {}): void =>
    void errors.push([message, ...Object.values(fields)].join(": "));
  const logger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error };
  const store = RecordingStore.open(dataFolder, { gatherMs: 0 });
  try {
    const run = new RecorderRun(dataFolder, config);
    const source = new FileSource(path, (frame) => run.recorder.handleFrame(frame));
    const { fault } = await source.run({});
    await run.end();
    const keeper = new CallKeeper(store, pool, logger, 0);
    const kept = run.records.map((record, i) => {
      const position = run.positions[i];
      return keeper.keep(record, position && { folder: run.journalFolder, position });
    });
    await Promise.all(kept);
    return { fault, errors };
  } finally {
    store.close();
  }
}

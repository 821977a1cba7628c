// What goes between the pool and its worker threads: plain values, so that they can be cloned.
import type { ErrorCode } from "../base/errors.js";
import type { CallRecord } from "../contract/call-record.js";
import type { JournalPosition } from "../contract/engine-messages.js";
import type { SealOutcome } from "./seal.js";

export interface SealJob {
  /** The journal's folder of the run that captured the call, and the call's last block in it. */
  folder: string;
  position: JournalPosition;
  /** The run's key, where its journal is sealed. */
  journalKey?: Uint8Array;
  record: CallRecord;
  /** Where the recording is written; the folder exists. */
  temporaryPath: string;
  /** To whom it is encrypted (`age1...`); absent = it is a WAV in clear. */
  recipients?: readonly string[];
}

export interface SealResult {
  sealed: SealOutcome;
  /** Processor time that the job took, µs. */
  cpuUs: number;
}

export type SealReply = { result: SealResult } | { fault: { code: ErrorCode; message: string } };

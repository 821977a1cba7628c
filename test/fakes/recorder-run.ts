// Drives the engine's pipeline in this process with synthesised frames and keeps what it says. No program is started.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { CarriedCalls } from "../../device/carried-calls.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import { type Config, configSchema } from "../../device/contract/config.js";
import type { AuditedEvent, CarriedState, JournalPosition } from "../../device/contract/engine-messages.js";
import { Recorder } from "../../device/recorder.js";
import type { TimedFrame } from "./timed-frames.js";

const LINKTYPE_ETHERNET = 1;

/** The configuration of most tests: the agent is whoever receives media in 10.0.0.0/24. */
export function officeConfig(overrides: Record<string, unknown> = {}): Config {
  return configSchema.parse({ agents: { match: ["10.0.0.0/24"] }, ...overrides });
}

export class RecorderRun {
  readonly records: CallRecord[] = [];
  /** Of the records, where their packets are in the journal. */
  readonly positions: (JournalPosition | undefined)[] = [];
  readonly audited: AuditedEvent[] = [];
  readonly notices: string[] = [];
  /** As the service keeps it. */
  readonly carried = new CarriedCalls();
  /** Of this run. */
  readonly journalFolder: string;
  readonly recorder: Recorder;

  /** The journal goes to a new folder in `folder`, which the caller removes; `journalKey`: sealed. */
  constructor(
    folder: string,
    config: Config = officeConfig(),
    registers = "",
    before?: CarriedState,
    journalKey?: Uint8Array,
  ) {
    this.journalFolder = mkdtempSync(join(folder, "journal-"));
    this.recorder = new Recorder(
      config,
      { journal: this.journalFolder, registers },
      {
        audited: (event) => this.audited.push(event),
        notice: (message) => this.notices.push(message),
        carried: (call, state) => this.carried.note(call, state),
        pausedAll: (pause) => this.carried.notePauseOfAll(pause),
        ended: (record, position) => {
          this.records.push(record);
          this.positions.push(position);
        },
        journalFault: (error) => {
          throw error;
        },
      },
      { ...(before && { before }), ...(journalKey && { journalKey }) },
    );
  }

  feed(frames: Iterable<Pick<TimedFrame, "atUs" | "frame" | "interfaceIndex">>): this {
    for (const { frame, atUs, interfaceIndex } of frames) {
      this.recorder.handleFrame({
        data: frame,
        start: 0,
        capturedLength: frame.length,
        originalLength: frame.length,
        capturedAtUs: atUs,
        linkType: LINKTYPE_ETHERNET,
        interfaceIndex: interfaceIndex ?? 0,
      });
    }
    return this;
  }

  /** Closes every call and the journal; the counters as they stand then. */
  async end(): Promise<Record<string, number>> {
    this.recorder.closeAll();
    const counts = this.recorder.exportCounters();
    await this.recorder.journal.close();
    return counts;
  }
}

// Drives the engine's pipeline in this process with synthesised frames and keeps what it says. No program is started.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { CallRecord } from "../../device/contract/call-record.js";
import { type Config, configSchema } from "../../device/contract/config.js";
import type { AuditedEvent } from "../../device/contract/engine-messages.js";
import { Recorder } from "../../device/recorder.js";
import type { TimedFrame } from "./timed-frames.js";

const LINKTYPE_ETHERNET = 1;

/** The agent is whoever receives media in 10.0.0.0/24. */
export function officeConfig(overrides: Record<string, unknown> = {}): Config {
  return configSchema.parse({ agents: { match: ["10.0.0.0/24"] }, ...overrides });
}

export class RecorderRun {
  readonly records: CallRecord[] = [];
  readonly audited: AuditedEvent[] = [];
  readonly notices: string[] = [];
  /** Of this run. */
  readonly journalFolder: string;
  readonly recorder: Recorder;

  /** The journal goes to a new folder in `folder`, which the caller removes. */
  constructor(folder: string, config: Config = officeConfig(), registers = "") {
    this.journalFolder = mkdtempSync(join(folder, "journal-"));
    this.recorder = new Recorder(
      config,
      { journal: this.journalFolder, registers },
      {
        audited: (event) => this.audited.push(event),
        notice: (message) => this.notices.push(message),
        ended: (record) => this.records.push(record),
        journalFault: (error) => {
          throw error;
        },
      },
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

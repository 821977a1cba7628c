// An office that is recorded twice at once, under the default policy and under both-parties, while tcpdump keeps what
// passes the mirror port. Afterwards: both sets of recordings and the wire.
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CallLogLine, Manifest } from "../../device/contract/manifest.js";
import { readWav } from "./audio.js";
import { startProxy } from "./kamailio.js";
import { type OfficeHosts, OfficeNetwork } from "./office-network.js";
import { OfficeProgram } from "./office-program.js";
import {
  logLines,
  makeFolder,
  RunningProgram,
  readCallLog,
  readRecordings,
  removeFolder,
  type StoredRecording,
} from "./program.js";
import { type ToneSpan, toneSpans } from "./tone-spans.js";
import { Wire } from "./wire.js";

const POLICIES = ["agent-only", "both-parties"] as const;
export type RecordedPolicy = (typeof POLICIES)[number];

const RECORDER_TIMEOUT_MS = 180_000;

export class RecordedOffice {
  readonly network: OfficeNetwork;
  readonly folder: string;
  private readonly name: string;
  private readonly agents: string;
  private readonly recorders = new Map<RecordedPolicy, RunningProgram>();
  private capture: OfficeProgram | undefined;

  /** `agents`: as in `--agents`. */
  constructor(name: string, hosts: OfficeHosts, agents: string) {
    this.name = name;
    this.network = new OfficeNetwork(name, hosts);
    this.agents = agents;
    this.folder = makeFolder();
  }

  /** The network, the proxy, both recorders and the capture; returns when all are ready. */
  async open(): Promise<void> {
    this.network.create();
    const { mirrorInterface } = this.network;
    const capture = ["-i", mirrorInterface, "-U", "-B", "16384", "-Z", "root", "-w", this.captureFile];
    this.capture = new OfficeProgram(this.network, "recorder", "tcpdump", capture, { cwd: this.folder });
    for (const policy of POLICIES) this.startRecorder(policy);
    const proxy = startProxy(this.network, this.folder);
    await this.capture.waitFor(/listening on/);
    for (const recorder of this.recorders.values()) {
      await recorder.waitFor("capturing", (stderr) => (logLines(stderr, "capturing").length > 0 ? true : undefined));
    }
    await proxy;
  }

  /** Waits until as many calls of each policy are closed, ends everything, and gives what was recorded. */
  async close(endedCalls: number): Promise<OfficeRecordings> {
    for (const recorder of this.recorders.values()) {
      await recorder.waitFor(`${endedCalls} ended calls`, (stderr) =>
        logLines(stderr, "call").length >= endedCalls ? true : undefined,
      );
    }
    for (const [policy, recorder] of this.recorders) {
      const code = await recorder.stop();
      if (code !== 0) throw new Error(`the recorder (${policy}) ended with ${code}:\n${recorder.stderr}`);
    }
    this.capture!.signal("SIGINT");
    await this.capture!.ended;
    return new OfficeRecordings(this.captureFile, (policy) => this.dataFolder(policy));
  }

  /**
   * Ends what still runs and removes every file. To look at what was captured and recorded, name a folder in the
   * environment variable KEEP_OFFICES: it is copied there before.
   */
  remove(): void {
    for (const recorder of this.recorders.values()) recorder.child.kill("SIGKILL");
    this.network.remove();
    const kept = process.env["KEEP_OFFICES"];
    if (kept) cpSync(this.folder, join(kept, this.name), { recursive: true });
    removeFolder(this.folder);
  }

  private get captureFile(): string {
    return join(this.folder, "mirror.pcap");
  }

  private dataFolder(policy: RecordedPolicy): string {
    return join(this.folder, `data-${policy}`);
  }

  private startRecorder(policy: RecordedPolicy): void {
    const data = this.dataFolder(policy);
    mkdirSync(data);
    const args = ["--interface", this.network.mirrorInterface, "--data", data, "--policy", policy, "--json"];
    const recorder = new RunningProgram([...args, "--agents", this.agents], {
      launcher: this.network.launcher("recorder"),
      timeoutMs: RECORDER_TIMEOUT_MS,
    });
    this.recorders.set(policy, recorder);
  }
}

/** A recording with its audio. */
export interface HeardRecording {
  manifest: Manifest;
  sampleRateHz: number;
  channels: Int16Array[];
}

export class OfficeRecordings {
  readonly wire: Wire;
  private readonly stored: Readonly<Record<RecordedPolicy, readonly StoredRecording[]>>;
  private readonly logs: Readonly<Record<RecordedPolicy, readonly CallLogLine[]>>;

  constructor(captureFile: string, dataFolder: (policy: RecordedPolicy) => string) {
    this.wire = new Wire(captureFile);
    this.stored = {
      "agent-only": readRecordings(dataFolder("agent-only")),
      "both-parties": readRecordings(dataFolder("both-parties")),
    };
    this.logs = {
      "agent-only": readCallLog(dataFolder("agent-only")),
      "both-parties": readCallLog(dataFolder("both-parties")),
    };
  }

  /** The recordings that a test picks. */
  recordings(policy: RecordedPolicy, picks: (manifest: Manifest) => boolean): HeardRecording[] {
    return this.stored[policy]
      .filter(({ manifest }) => picks(manifest))
      .map(({ manifest, wavPath }) => ({ manifest, ...readWav(wavPath) }));
  }

  /** The call log's lines that a test picks. */
  lines(policy: RecordedPolicy, picks: (line: CallLogLine) => boolean): CallLogLine[] {
    return this.logs[policy].filter(picks);
  }
}

/** When a tone sounds on a channel, in ms since 1970. */
export function toneHeard(recording: HeardRecording, channel: 0 | 1, frequencyHz: number): ToneSpan[] {
  const startsAtMs = Date.parse(recording.manifest.audio.startsAt);
  return toneSpans(recording.channels[channel]!, frequencyHz, recording.sampleRateHz).map(({ fromMs, toMs }) => ({
    fromMs: startsAtMs + fromMs,
    toMs: startsAtMs + toMs,
  }));
}

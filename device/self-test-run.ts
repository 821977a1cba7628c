// One self-test from the service's side: has the engine make its call, and goes with it through journal, sealing and index as a real one
// goes, looking at each. Leaves nothing behind, however it ends. Owns the order of the steps; what is right is self-test-judge.ts's.
//
// Encrypted recordings are for keys that are not on this box. The test's is encrypted to them as well, and to one more that is made
// for it, is in memory only, and gone with it: by that one the box reads back what it wrote, through the same encryption. That who
// holds the other keys can read theirs, nobody can prove without them.
import { randomBytes } from "node:crypto";
import { generateIdentity, type Identity } from "./age/keys.js";
import { isoUs, systemClock } from "./base/clock.js";
import type { CallId } from "./base/ids.js";
import type { SelfTestOutcome } from "./contract/engine-messages.js";
import type { ClockState } from "./contract/manifest.js";
import type { SelfTestReport, SelfTestStep, SelfTestStepResult } from "./contract/self-test.js";
import { CallReader } from "./journal/reader.js";
import { buildCallLogLine, buildManifest } from "./seal/manifest.js";
import type { SealJob, SealResult } from "./seal/seal-job.js";
import { PACKETS, SelfTestCall } from "./self-test-call.js";
import { judgeDecoding, judgeGate, judgeJournal, judgeRecording } from "./self-test-judge.js";
import type { DeviceKey } from "./store/device-key.js";
import type { CallIndex } from "./store/index/call-index.js";
import { SELF_TEST_FOLDER, type SelfTestFiles } from "./store/self-test-files.js";
import { parseManifest } from "./store/signature.js";

/** Sealing may be busy with the calls of an hour: the test waits its turn. */
const SEAL_MS = 300_000;

/** What the engine made of the call, and where its journal is. */
export interface EngineAnswer {
  outcome: SelfTestOutcome;
  journalFolder: string;
  /** Where the journal is sealed. */
  journalKey?: Uint8Array | undefined;
}

export interface SelfTestEdges {
  /** Has the engine make the call of this seed. Rejects with Error when it does not answer. */
  askEngine(seed: string): Promise<EngineAnswer>;
  /** Nothing more is wanted of the engine: its journal of the call may go. */
  releaseEngine(): void;
  seal(job: SealJob): Promise<SealResult>;
  files: SelfTestFiles;
  key: DeviceKey;
  index: Pick<CallIndex, "rehearse" | "listing"> | undefined;
  /** The box's name. */
  device: string;
  recipients: readonly string[];
  clockState?: (() => ClockState) | undefined;
  /** The service stops. */
  signal: AbortSignal;
}

/** What goes over MQTT and into the audit chain is short, whatever an error says. */
const MAX_DETAIL = 300;

/** Says in one line what is wrong. */
class StepFault extends Error {}

export class SelfTestRun {
  private readonly edges: SelfTestEdges;
  private readonly steps: SelfTestStepResult[] = [];
  private readonly seed = randomBytes(32).toString("hex");
  /** Of the call, once there is one. */
  private id: CallId | undefined;

  constructor(edges: SelfTestEdges) {
    this.edges = edges;
  }

  /** Never rejects. */
  async run(): Promise<SelfTestReport> {
    const at = isoUs(systemClock.nowUs());
    const startedMs = systemClock.monotonicMs();
    const isProved = await this.proves();
    await this.step("delete", () => this.clean());
    const durationMs = Math.round(systemClock.monotonicMs() - startedMs);
    if (this.edges.signal.aborted) return { at, result: "skipped", reason: "the service stops", steps: [], durationMs };
    return {
      at,
      result: isProved && this.steps.every(({ ok }) => ok) ? "pass" : "fail",
      steps: this.steps,
      durationMs,
    };
  }

  private async proves(): Promise<boolean> {
    const { edges } = this;
    let answer!: EngineAnswer;
    let call!: SelfTestCall;
    const decoded = await this.step("decode", async () => {
      answer = await edges.askEngine(this.seed);
      call = new SelfTestCall(this.seed, answer.outcome.startUs);
      this.id = answer.outcome.calls[0]?.record.id;
      refuse(judgeDecoding(answer.outcome, call));
      return `${answer.outcome.frames} frames, one call, ${2 * PACKETS} packets`;
    });
    if (!decoded) return false;
    const [{ record, journal }] = answer.outcome.calls as [SelfTestOutcome["calls"][number]];
    const gated = await this.step("gate", () => {
      refuse(judgeGate(record, call));
      return `${PACKETS} of the agent admitted, ${PACKETS} of the caller refused`;
    });
    if (!gated) return false;
    const journalled = await this.step("journal", () => {
      if (journal === undefined) throw new StepFault("the disk has not taken the journal");
      const { journalFolder, journalKey } = answer;
      const reader = CallReader.open(journalFolder, journal, record.id, undefined, journalKey);
      try {
        refuse(judgeJournal(reader, call));
        if (reader.damagedBlocks > 0) throw new StepFault(`${reader.damagedBlocks} blocks of the journal are damaged`);
        if (reader.record?.isSelfTest !== true)
          throw new StepFault("the journal does not say that it is the self-test's");
      } finally {
        reader.close();
      }
      return `${PACKETS} packets, byte for byte${journalKey ? ", encrypted" : ""}`;
    });
    return journalled && this.isStored(answer, call);
  }

  private async isStored({ outcome, journalFolder, journalKey }: EngineAnswer, call: SelfTestCall): Promise<boolean> {
    const { seal, files, key, device, recipients, clockState, index } = this.edges;
    const { record, journal } = outcome.calls[0]!;
    const identity: Identity | undefined = recipients.length > 0 ? generateIdentity() : undefined;
    let manifest: ReturnType<typeof parseManifest>;
    const sealed = await this.step("seal", async () => {
      const job: SealJob = {
        folder: journalFolder,
        position: journal!,
        temporaryPath: files.temporaryPath(record.id),
        record,
        ...(journalKey && { journalKey }),
        ...(identity && { recipients: [...recipients, identity.recipient.text] }),
      };
      const result = await inTime(seal(job), SEAL_MS, "sealing took too long", this.edges.signal);
      if (result.sealed.kind !== "audio") throw new StepFault(`sealing made no audio: ${result.sealed.reason}`);
      const [warning] = result.sealed.warnings;
      if (warning) throw new StepFault(`sealing warns of ${warning.code}`);
      const unsigned = buildManifest(record, result.sealed, { device, clockState });
      const file = await files.publish(unsigned, key);
      refuse(judgeRecording(file, call, key.publicKey, identity));
      manifest = parseManifest(file.manifest);
      return `${unsigned.audio.durationMs} ms, signed${identity ? `, encrypted to ${recipients.length} and read back` : ""}`;
    });
    if (!sealed) return false;
    return this.step("index", () => {
      if (index === undefined) throw new StepFault("there is no index");
      const file = `${SELF_TEST_FOLDER}/${manifest!.audio.file}`;
      const line = buildCallLogLine(record, { manifest: manifest!, file });
      refuse(index.rehearse({ line, manifest, folder: SELF_TEST_FOLDER }));
      return "taken, found, written";
    });
  }

  private clean(): string {
    const { edges, id } = this;
    // Its blocks go from the journal as any stored call's do, when their files are tidied up.
    edges.releaseEngine();
    edges.files.clear();
    const left = edges.files.left();
    if (left.length > 0) throw new StepFault(`${left.length} files are left`);
    if (id !== undefined && edges.index?.listing?.find(id) !== undefined) throw new StepFault("the index still has it");
    return "nothing is left";
  }

  /** Whether it went well. */
  private async step(step: SelfTestStep, work: () => string | Promise<string>): Promise<boolean> {
    try {
      this.steps.push({ step, ok: true, detail: await work() });
      return true;
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      this.steps.push({ step, ok: false, detail: detail.split("\n")[0]!.slice(0, MAX_DETAIL) });
      return false;
    }
  }
}

function refuse(fault: string): void {
  if (fault !== "") throw new StepFault(fault);
}

/** Rejects with Error when it takes too long or the service stops. */
export async function inTime<Result>(
  work: Promise<Result>,
  ms: number,
  late: string,
  signal: AbortSignal,
): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  let stopped: (() => void) | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(late)), ms).unref();
        stopped = () => reject(new Error("the service stops"));
        signal.addEventListener("abort", stopped);
        if (signal.aborted) stopped();
      }),
    ]);
  } finally {
    clearTimeout(timer);
    if (stopped) signal.removeEventListener("abort", stopped);
  }
}

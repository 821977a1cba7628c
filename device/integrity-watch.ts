// Has the box check itself: `sidetoned verify` over the whole data folder, in a process of its own and behind everything else, now and
// then; and what opening the audit chain found missing. Owns when `integrity-failed` stands; what is wrong is store/verify/'s to say.
import { spawn } from "node:child_process";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import type { Logger } from "./base/logger.js";
import type { AlarmDesk } from "./contract/alarms.js";
import type { AuditRepair } from "./store/audit-resume.js";

/** What the start of a box needs comes first; one that stands is looked at sooner, since somebody may have put it right. */
const FIRST_AFTER_MS = 15 * 60_000;
const STANDING_AFTER_MS = 60_000;
const HOUR_MS = 3_600_000;
const LOWEST_PRIORITY = 19;
/** Of its answer; a thousand findings are a third of it. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** What a check found; undefined = it could not be made. */
export type CheckAnswer = { findings: number; first: string } | undefined;

export interface IntegrityWatchOptions {
  /** Between the end of a check and the next; 0 = none are made. */
  everyHours: number;
  alarms: AlarmDesk & { isStanding(code: "integrity-failed"): boolean };
  logger: Logger;
  /** Rejects, or answers undefined, when it could not be made. */
  check(signal: AbortSignal): Promise<CheckAnswer>;
}

export class IntegrityWatch {
  private readonly options: IntegrityWatchOptions;
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(options: IntegrityWatchOptions) {
    this.options = options;
  }

  /** `repairs`: what opening the audit chain met. Its torn end is a power cut's. */
  start(repairs: readonly AuditRepair[]): void {
    const { alarms, everyHours } = this.options;
    for (const repair of repairs)
      if (repair.what === "audit-end-missing")
        alarms.raise("integrity-failed", { findings: 1, first: `audit entries ${repair.fromSeq} to ${repair.toSeq}` });
    if (everyHours > 0) this.checkAfter(alarms.isStanding("integrity-failed") ? STANDING_AFTER_MS : FIRST_AFTER_MS);
  }

  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.stopping.abort();
    await this.running;
  }

  private checkAfter(ms: number): void {
    if (this.stopping.signal.aborted) return;
    this.timer = setTimeout(() => {
      this.running = this.checkNow().then(() => this.checkAfter(this.options.everyHours * HOUR_MS));
    }, ms).unref();
  }

  private async checkNow(): Promise<void> {
    const { alarms, logger, check } = this.options;
    const { signal } = this.stopping;
    const answer = await check(signal).catch((error: unknown) => {
      if (!signal.aborted) logger.warn("the recordings could not be checked", { message: String(error) });
      return undefined;
    });
    if (answer === undefined || signal.aborted) return;
    const { findings, first } = answer;
    if (findings === 0) {
      logger.info("the recordings were checked: everything is as it was signed");
      alarms.clear("integrity-failed");
    } else alarms.raise("integrity-failed", { findings, first });
  }
}

/** Runs `sidetoned verify` on the folder. Rejects when it does not answer. */
export function verifyInProcess(dataFolder: string, signal: AbortSignal): Promise<CheckAnswer> {
  const program = fileURLToPath(new URL("./main.js", import.meta.url));
  return new Promise((resolve, reject) => {
    const stdio: ["ignore", "pipe", "ignore"] = ["ignore", "pipe", "ignore"];
    const child = spawn(process.execPath, [program, "verify", "--json", "--data", dataFolder], { stdio, signal });
    let answer = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (answer.length <= MAX_ANSWER_BYTES) answer += text;
    });
    child.once("error", reject);
    child.once("spawn", () => lowerPriority(child.pid!));
    child.once("close", (code) => {
      try {
        resolve(readAnswer(answer));
      } catch {
        reject(new Error(`sidetoned verify ended with ${code} and said nothing`));
      }
    });
  });
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, LOWEST_PRIORITY);
  } catch {
    // It is through already.
  }
}

function readAnswer(text: string): CheckAnswer {
  const { findingCount, findings } = JSON.parse(text) as {
    findingCount: number;
    findings: { kind: string; file: string }[];
  };
  const [first] = findings;
  return { findings: findingCount, first: first === undefined ? "" : `${first.kind} ${first.file}` };
}

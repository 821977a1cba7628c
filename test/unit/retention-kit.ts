// A data folder with the two that retention works through: the keeper's sweeps and the requests of commands.
import { makeCallId } from "../../device/base/ids.js";
import type { Logger } from "../../device/base/logger.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import { type Config, configSchema } from "../../device/contract/config.js";
import { RetentionKeeper } from "../../device/retention-keeper.js";
import { RetentionRequests } from "../../device/retention-requests.js";
import { buildCallLogLine } from "../../device/seal/manifest.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { DAY_US } from "../../device/store/retention/decision.js";
import { Disposal } from "../../device/store/retention/disposal.js";
import { TermsTable } from "../../device/store/retention/terms.js";
import type { SpoolResult } from "../../device/store/spool-kinds.js";
import { callFrom, keep } from "./store/retention/deletion-kit.js";
import { makeFolder, removeFolder } from "./store/store-kit.js";

const STANDARD = { classes: [{ name: "standard", minDays: 10, maxDays: 30 }], defaultClass: "standard" };
export const OTHER = "+4940888888";

export const configOf = (retention: object = STANDARD): Config =>
  configSchema.parse({ retention, numbers: { countryCode: "49" } });

export class RetentionBox {
  readonly folder = makeFolder();
  /** Warnings and errors. */
  readonly said: string[] = [];
  readonly clock = {
    us: callFrom(0).endedAtUs + 3600e6,
    ms: 0,
    nowUs(): number {
      return this.us;
    },
    monotonicMs(): number {
      return this.ms;
    },
  };
  store!: RecordingStore;
  #requests!: RetentionRequests;
  #asked = 0;

  open(config: Config, clockFault = (): string => ""): RetentionKeeper {
    const { folder, said, clock } = this;
    const table = new TermsTable(config.retention);
    const store = RecordingStore.open(folder, {
      gatherMs: 0,
      promiseFor: (retention) => table.promiseFor(retention),
      index: { numbers: config.numbers, onFault: (text) => said.push(text), onRecovery: () => {}, onNotice: () => {} },
    });
    const say = (text: string, fields: object = {}): void =>
      void said.push([text, ...Object.values(fields).map(String)].join(": "));
    const logger: Logger = { debug: () => {}, info: () => {}, warn: say, error: say };
    const disposal = new Disposal({ store, config, device: "box", logger, clock, clockFault });
    this.store = store;
    this.#requests = new RetentionRequests({ store, disposal, config, clock });
    return new RetentionKeeper({ store, disposal, sweepMinutes: config.retention.sweepMinutes, logger, clock });
  }

  /** Closes, and opens as the next start does. */
  reopen(config: Config, clockFault?: () => string): RetentionKeeper {
    this.store.close();
    return this.open(config, clockFault);
  }

  close(): void {
    this.store.close();
    removeFolder(this.folder);
  }

  /** Time as it passes: both clocks. */
  pass(days: number): void {
    this.clock.us += days * DAY_US;
    this.clock.ms += days * 86_400_000;
  }

  /** `mayBeRepeat`: the request before, once more. */
  async ask(kind: string, body: unknown, mayBeRepeat = false): Promise<SpoolResult> {
    const id = makeCallId(this.clock.us, Buffer.alloc(10, mayBeRepeat ? this.#asked : ++this.#asked));
    const context = { id, actor: "cli root", atUs: this.clock.us, mayBeRepeat, signal: new AbortController().signal };
    const spooled = this.#requests.kinds()[kind]!;
    return spooled.carryOut(spooled.body.parse(body), context);
  }
}

/** Two of the caller, one of somebody else, and one that left no recording. */
export async function makeCalls(store: RecordingStore): Promise<CallRecord[]> {
  const calls = [callFrom(0), callFrom(1), callFrom(2, OTHER)];
  for (const call of calls) await keep(store, call);
  const unanswered = { ...callFrom(3), noAudio: "not-answered" as const };
  store.recordCall(buildCallLogLine(unanswered, undefined));
  return [...calls, unanswered];
}

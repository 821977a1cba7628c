// The spool on the side of a command beside the service: leaves requests, durably, and waits for answers; carries them out
// itself where no service runs. What is left is carried out, now or at the service's next start.
import { existsSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { type Clock, systemClock } from "../base/clock.js";
import { SidetoneError } from "../base/errors.js";
import { type CallId, makeCallId } from "../base/ids.js";
import { storageFault } from "../seal/storage-fault.js";
import { ownHolder } from "./process-holder.js";
import { MAX_REQUESTS, SpoolFiles, type SpoolRequest } from "./spool-files.js";
import type { SpoolResult } from "./spool-kinds.js";

export interface SpoolWish {
  /** Name of a kind. */
  kind: string;
  /** "cli root". */
  actor: string;
  /** JSON, below MAX_REQUEST_BYTES. */
  body: unknown;
}

export interface AskOptions {
  /**
   * Takes the data folder and carries out all that the spool holds; throws SidetoneError `data-in-use` while another
   * process has it.
   */
  carryOutHere(): Promise<void>;
  /** How long an answer is waited for. */
  waitMs: number;
}

/** `accepted`: it will be carried out, though not yet. */
export type Asked = { state: "done"; result: SpoolResult } | { state: "accepted"; id: CallId };

/** What is about to be done, on the disk before it is: a service finds it if the command is killed. */
export interface SpoolIntent {
  /** It was done. Never throws: without it the service finds out. */
  confirm(): void;
  /** It will not be done. */
  withdraw(): void;
}

const LOOK_MS = 50;
/** Whether the service is gone is tried so often. */
const TRY_HERE_MS = 1000;

/** All methods throw SidetoneError `data-unwritable`, also when too many requests wait already. */
export class SpoolDesk {
  readonly #dataFolder: string;
  readonly #files: SpoolFiles;
  readonly #clock: Clock;

  constructor(dataFolder: string, clock: Clock = systemClock) {
    this.#dataFolder = dataFolder;
    this.#files = new SpoolFiles(dataFolder);
    this.#clock = clock;
  }

  /** So many requests wait that a command should see to it that there will be room. */
  get isCrowded(): boolean {
    try {
      return this.#files.list().requests.length >= MAX_REQUESTS / 2;
    } catch {
      return false;
    }
  }

  /** Nobody waits for it. */
  leave(wish: SpoolWish): CallId {
    return this.#write(wish, { isAwaited: false }).id;
  }

  intend(wish: SpoolWish): SpoolIntent {
    const request = this.#write(wish, { isAwaited: false, writer: ownHolder() });
    return {
      confirm: () => {
        try {
          this.#files.confirm(request);
        } catch {
          // The service took us for dead and has seen to it; else it will, once we are gone.
        }
      },
      withdraw: () => this.#files.removeRequest(request.id, ".intent"),
    };
  }

  /**
   * Leaves a request and waits for its answer; a refusal is thrown as the SidetoneError that the kind threw. What could
   * not be begun here because of the disk is taken back.
   */
  async ask(wish: SpoolWish, { carryOutHere, waitMs }: AskOptions): Promise<Asked> {
    const { id } = this.#write(wish, { isAwaited: true });
    const untilMs = this.#clock.monotonicMs() + waitMs;
    for (let tryAtMs = Number.NEGATIVE_INFINITY; ; ) {
      if (this.#clock.monotonicMs() >= tryAtMs) {
        await this.#tryHere(id, carryOutHere);
        tryAtMs = this.#clock.monotonicMs() + TRY_HERE_MS;
      }
      const result = this.#takeAnswer(id);
      if (result !== undefined) return { state: "done", result };
      if (this.#clock.monotonicMs() >= untilMs) return { state: "accepted", id };
      await wait(LOOK_MS);
    }
  }

  async #tryHere(id: CallId, carryOutHere: () => Promise<void>): Promise<void> {
    try {
      await carryOutHere();
    } catch (error) {
      if (error instanceof SidetoneError && error.code === "data-in-use") return;
      this.#files.removeRequest(id, "");
      throw error;
    }
  }

  #takeAnswer(id: CallId): SpoolResult | undefined {
    const outcome = this.#files.readAnswer(id);
    if (outcome === undefined) return undefined;
    this.#files.removeAnswer(id);
    if (outcome.ok) return outcome.result;
    throw new SidetoneError(outcome.code, outcome.message);
  }

  #write({ kind, actor, body }: SpoolWish, how: Pick<SpoolRequest, "isAwaited" | "writer">): SpoolRequest {
    const atUs = Math.floor(this.#clock.nowUs());
    const request: SpoolRequest = { id: makeCallId(atUs), kind, actor, atUs, ...how, body };
    if (!existsSync(this.#dataFolder))
      throw new SidetoneError(
        "data-unwritable",
        `${this.#dataFolder} does not exist: give the data folder with --data`,
      );
    try {
      this.#files.make();
      const { requests, intents } = this.#files.list();
      if (requests.length + intents.length >= MAX_REQUESTS) throw full(this.#dataFolder);
      this.#files.writeRequest(request);
      return request;
    } catch (error) {
      this.#takeBack(request);
      throw this.#fault(error);
    }
  }

  /** Who asked is told that it cannot be asked: it must not be carried out for that, as far as the disk lets it go. */
  #takeBack({ id, writer }: SpoolRequest): void {
    try {
      this.#files.removeRequest(id, writer ? ".intent" : "");
    } catch {
      // It was not there, or stays.
    }
  }

  #fault(error: unknown): unknown {
    return storageFault("data-unwritable", `cannot leave a request for the service in ${this.#dataFolder}`, error);
  }
}

function full(dataFolder: string): SidetoneError {
  const problem = `${MAX_REQUESTS} requests wait in ${dataFolder}/spool already`;
  return new SidetoneError("data-unwritable", `${problem}: start the service, which carries them out`);
}

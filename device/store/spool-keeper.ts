// The spool on the side of whoever has the data folder's lock, the running service or a command in its place: takes what
// commands asked for, in order and one at a time, carries it out by its kind, answers. A request is removed only when what
// it did is durable and its answer written; killed in between, it is carried out again. Knows no kind itself.
import { type Clock, systemClock } from "../base/clock.js";
import { SidetoneError } from "../base/errors.js";
import type { CallId } from "../base/ids.js";
import { isAlive } from "./process-holder.js";
import { MAX_ANSWER_BYTES, SpoolFiles, type SpoolOutcome, type SpoolRequest } from "./spool-files.js";
import { type SpoolKind, type SpoolKinds, SpoolLater } from "./spool-kinds.js";

export interface SpoolKeeperOptions {
  dataFolder: string;
  kinds: SpoolKinds;
  /** What a person should know, one line: once until it changes. */
  onFault(message: string): void;
  clock?: Clock;
  /** Only tests give other times. */
  pollMs?: number;
  retryMs?: number;
}

const POLL_MS = 500;
/** After a request could not be carried out. */
const RETRY_MS = 5000;
/** Answers that nobody took are kept so long, and so many, the newest. */
const MAX_ANSWER_AGE_MS = 86_400_000;
const MAX_ANSWERS = 1000;
const CLEAN_EVERY_MS = 60_000;
/** A writer that has not said by then whether it did its part is taken for dead. */
const MAX_INTENT_AGE_MS = 60_000;
/** Faults that were said are remembered, the newest. */
const MAX_SAID = 100;

export class SpoolKeeper {
  readonly counters = { done: 0, refused: 0, setAside: 0, dropped: 0 };
  readonly #files: SpoolFiles;
  readonly #kinds: SpoolKinds;
  readonly #clock: Clock;
  readonly #onFault: (message: string) => void;
  readonly #pollMs: number;
  readonly #retryMs: number;
  readonly #stopping = new AbortController();
  readonly #said = new Set<string>();
  /** May have been carried out: found at the start, or begun since. Only ids that are still in the spool. */
  #begun: Set<CallId> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #cleanAtMs = Number.NEGATIVE_INFINITY;
  #isIdle = false;

  constructor({ dataFolder, kinds, onFault, clock, pollMs, retryMs }: SpoolKeeperOptions) {
    this.#files = new SpoolFiles(dataFolder);
    this.#kinds = kinds;
    this.#onFault = onFault;
    this.#clock = clock ?? systemClock;
    this.#pollMs = pollMs ?? POLL_MS;
    this.#retryMs = retryMs ?? RETRY_MS;
  }

  /** Whether nothing waited when it was looked last, no intent either. */
  get isIdle(): boolean {
    return this.#isIdle;
  }

  /** From now on; what waits is taken at once. */
  start(): void {
    void this.drain();
    this.#timer = setInterval(() => void this.drain(), this.#pollMs);
    this.#timer.unref();
  }

  /** Takes what waits now. Never rejects: what cannot be carried out stays, and is said. */
  drain(): Promise<void> {
    this.#round ??= this.#takeAll().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  /** Resolves when nothing is being carried out any more; what is not begun stays. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await this.#round;
  }

  async #takeAll(): Promise<void> {
    if (this.#stopping.signal.aborted || this.#clock.monotonicMs() < this.#notBeforeMs) return;
    try {
      await this.#take();
      const { requests, intents } = this.#files.list();
      this.#isIdle = requests.length + intents.length === 0;
      this.#clean();
    } catch (error) {
      this.#later(error);
    }
  }

  async #take(): Promise<void> {
    this.#settleIntents();
    const { requests, foreign } = this.#files.list();
    for (const name of foreign) this.#setAside(name, "does not belong there");
    this.#begun ??= new Set(requests);
    for (const id of requests) {
      if (this.#stopping.signal.aborted) return;
      const mayBeRepeat = this.#begun.has(id);
      this.#begun.add(id);
      await this.#carryOut(id, mayBeRepeat);
      this.#begun.delete(id);
    }
  }

  async #carryOut(id: CallId, mayBeRepeat: boolean): Promise<void> {
    const request = this.#files.readRequest(id, "");
    if (request === undefined) return;
    if (typeof request === "string") {
      this.#setAside(this.#files.nameOf(id, ""), request);
      return;
    }
    // Answered is done: the request alone was still to be removed.
    const isAnswered = this.#files.readAnswer(id) !== undefined;
    const outcome = isAnswered ? undefined : await this.#outcomeOf(request, mayBeRepeat);
    if (outcome && request.isAwaited) this.#files.writeAnswer(id, outcome);
    if (outcome?.ok === false && !request.isAwaited) {
      this.#setAside(this.#files.nameOf(id, ""), outcome.message);
      return;
    }
    this.#files.removeRequest(id, "");
  }

  async #outcomeOf(request: SpoolRequest, mayBeRepeat: boolean): Promise<SpoolOutcome> {
    const { id, actor, atUs, body } = request;
    const found = this.#kindFor(request);
    if ("ok" in found) {
      this.counters.refused++;
      return found;
    }
    try {
      const context = { id, actor, atUs, mayBeRepeat, signal: this.#stopping.signal };
      const result = await found.carryOut(found.body.parse(body), context);
      this.counters.done++;
      return boundedOutcome({ ok: true, result });
    } catch (error) {
      if (error instanceof SpoolLater) throw error;
      this.counters.refused++;
      if (error instanceof SidetoneError)
        return boundedOutcome({ ok: false, code: error.code, message: error.message });
      this.#say(`a request in the spool (${request.kind}) failed: ${messageOf(error)}`);
      return boundedOutcome({ ok: false, code: "internal", message: messageOf(error) });
    }
  }

  #kindFor({ kind: name, body, atUs }: SpoolRequest): SpoolKind | (SpoolOutcome & { ok: false }) {
    const kind = Object.hasOwn(this.#kinds, name) ? this.#kinds[name] : undefined;
    if (kind === undefined) return { ok: false, code: "usage", message: "asks for what this version does not know" };
    if (!kind.body.safeParse(body).success)
      return { ok: false, code: "usage", message: "asks in a form that this version does not know" };
    const ageMs = (this.#clock.nowUs() - atUs) / 1000;
    if (ageMs <= (kind.maxAgeMs ?? Number.POSITIVE_INFINITY)) return kind;
    return { ok: false, code: "usage", message: "was asked for too long ago to be carried out now" };
  }

  /** What a command was about to do when it was killed was done, or is forgotten. One that is at it is left alone. */
  #settleIntents(): void {
    // The newest first: what went on from an earlier one vouches for it.
    for (const id of this.#files.list().intents.reverse()) {
      const intent = this.#files.readRequest(id, ".intent");
      if (intent === undefined) continue;
      if (typeof intent === "string") this.#setAside(this.#files.nameOf(id, ".intent"), intent);
      else if (!this.#isBeingDone(intent)) this.#settleIntent(intent);
    }
  }

  #isBeingDone({ writer, atUs }: SpoolRequest): boolean {
    const ageMs = Math.abs(this.#clock.nowUs() - atUs) / 1000;
    return isAlive(writer!) && ageMs < MAX_INTENT_AGE_MS;
  }

  #settleIntent(intent: SpoolRequest): void {
    const kind = this.#kindFor(intent);
    if (!("ok" in kind) && kind.hasHappened?.(kind.body.parse(intent.body), this.#waitingBodies(intent.kind, kind))) {
      this.#files.confirm(intent);
    } else {
      this.counters.dropped++;
      this.#files.removeRequest(intent.id, ".intent");
    }
  }

  #waitingBodies(name: string, kind: SpoolKind): unknown[] {
    return this.#files.list().requests.flatMap((id) => {
      const request = this.#files.readRequest(id, "");
      if (request === undefined || typeof request === "string" || request.kind !== name) return [];
      const body = kind.body.safeParse(request.body);
      return body.success ? [body.data] : [];
    });
  }

  #clean(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#cleanAtMs) return;
    this.#cleanAtMs = nowMs + CLEAN_EVERY_MS;
    this.#files.removeLeftovers();
    const { answers } = this.#files.list();
    answers.forEach((id, at) => {
      const ageMs = this.#clock.nowUs() / 1000 - (this.#files.answeredAtMs(id) ?? 0);
      if (ageMs > MAX_ANSWER_AGE_MS || answers.length - at > MAX_ANSWERS) this.#files.removeAnswer(id);
    });
  }

  #setAside(name: string, why: string): void {
    this.counters.setAside++;
    this.#files.setAside(name);
    this.#say(`a file in the spool ${why}: it was put into spool/aside`);
  }

  #later(error: unknown): void {
    this.#isIdle = false;
    this.#notBeforeMs = this.#clock.monotonicMs() + this.#retryMs;
    if (error instanceof SpoolLater && this.#stopping.signal.aborted) return;
    this.#say(`what was asked for in the spool cannot be carried out yet: ${messageOf(error)}`);
  }

  #say(message: string): void {
    if (this.#said.has(message)) return;
    if (this.#said.size >= MAX_SAID) this.#said.delete(this.#said.values().next().value!);
    this.#said.add(message);
    this.#onFault(message);
  }
}

function boundedOutcome(outcome: SpoolOutcome): SpoolOutcome {
  if (Buffer.byteLength(JSON.stringify(outcome)) < MAX_ANSWER_BYTES - 1024) return outcome;
  return { ok: true, result: { isOmitted: true } };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// Retention as faces of the running service ask for it: what cannot be is refused at once, with its reason; all else goes through
// the spool, as from a command, so that it is carried out once whatever happens, in its order, and entered in the audit chain.
import { existsSync } from "node:fs";
import { type Clock, systemClock } from "./base/clock.js";
import { SidetoneError } from "./base/errors.js";
import type { CallId } from "./base/ids.js";
import type { Logger } from "./base/logger.js";
import type { HoldCover, ListedHold, RetentionDesk, RetentionOutcome } from "./contract/retention-desk.js";
import { type RecordingPaths, timeOfCallId } from "./store/recording-paths.js";
import { explain } from "./store/retention/book.js";
import type { Disposal } from "./store/retention/disposal.js";
import { MAX_HOLDS } from "./store/retention/holds.js";
import { DELETE, HOLD_ADD, HOLD_REMOVE, refuseNumberIn } from "./store/retention/requests.js";
import { SpoolDesk } from "./store/spool-desk.js";

export interface SpooledRetentionOptions {
  paths: RecordingPaths;
  disposal: Pick<Disposal, "holds" | "openBook">;
  /** Carries out what the spool holds. Never rejects. */
  drain(): Promise<void>;
  logger: Logger;
  clock?: Clock;
  /** How long an answer is waited for; then it is accepted. */
  waitMs?: number;
}

type Refused = Extract<RetentionOutcome, { ok: false }>;

const WAIT_MS = 20_000;

export class SpooledRetention implements RetentionDesk {
  private readonly options: SpooledRetentionOptions;
  private readonly spool: SpoolDesk;

  constructor(options: SpooledRetentionOptions) {
    this.options = options;
    this.spool = new SpoolDesk(options.paths.dataFolder, options.clock ?? systemClock);
  }

  holds(): ListedHold[] {
    return this.options.disposal.holds.read();
  }

  addHold(covers: HoldCover, reason: string, by: string): Promise<RetentionOutcome> {
    return this.attempt(HOLD_ADD, { covers, reason }, by, () => this.whyNoHold(covers, reason));
  }

  liftHold(id: string, reason: string, by: string): Promise<RetentionOutcome> {
    return this.attempt(HOLD_REMOVE, { id, reason }, by, () =>
      this.holds().some((hold) => hold.id === id)
        ? undefined
        : refused("hold-not-found", `there is no hold ${id}: it was lifted, or never made`),
    );
  }

  deleteRecording(
    call: CallId,
    order: { reason: string; overridesMinimum: boolean },
    by: string,
  ): Promise<RetentionOutcome> {
    return this.attempt(DELETE, { call, ...order }, by, () => this.whyNotDeleted(call, order.overridesMinimum));
  }

  private async attempt(
    kind: string,
    body: object,
    by: string,
    whyNot: () => Refused | undefined,
  ): Promise<RetentionOutcome> {
    const { drain, logger, waitMs = WAIT_MS } = this.options;
    try {
      const refusal = whyNot();
      if (refusal !== undefined) return refusal;
      const asked = await this.spool.ask({ kind, actor: by, body }, { carryOutHere: drain, waitMs });
      if (asked.state === "accepted") return { ok: true, state: "accepted", id: asked.id };
      return { ok: true, state: "done", id: String(asked.result["hold"] ?? "") };
    } catch (error) {
      // What has changed between the look and the deed.
      const late = error instanceof SidetoneError && error.code === "usage" ? whyNot() : undefined;
      if (late !== undefined) return late;
      logger.warn("what was asked of retention could not be done", { kind, message: String(error) });
      if (!(error instanceof SidetoneError)) return refused("unavailable", "the box could not do this: see its log");
      return error.code === "data-unwritable"
        ? refused("data-unwritable", "the data folder takes no writes: see the box's alarms")
        : refused("unavailable", error.message);
    }
  }

  private whyNoHold(covers: HoldCover, reason: string): Refused | undefined {
    try {
      refuseNumberIn(reason, "number" in covers ? covers.number : "");
    } catch (error) {
      return { ...refused("invalid", (error as Error).message), field: "reason" };
    }
    if ("from" in covers && Date.parse(covers.from) > Date.parse(covers.to))
      return { ...refused("invalid", "the time ends before it begins"), field: "covers.to" };
    if (this.holds().length < MAX_HOLDS) return undefined;
    return refused("too-many-holds", `there are ${MAX_HOLDS} holds: lift one first`);
  }

  private whyNotDeleted(call: CallId, overridesMinimum: boolean): Refused | undefined {
    const { disposal, paths } = this.options;
    const book = disposal.openBook();
    const recording = book.find(call);
    const isGone = recording?.isBuried ?? existsSync(paths.tombstone(call, timeOfCallId(call)));
    if (isGone) return refused("recording-deleted", `the recording ${call} was deleted`);
    if (recording === undefined) return refused("recording-not-found", `there is no recording ${call}`);
    const judged = book.judge(recording, "request", overridesMinimum);
    const { decision } = judged;
    if (decision.kind === "go") return undefined;
    const isHeld = decision.kind === "blocked" && decision.why === "hold";
    return refused(isHeld ? "on-hold" : "minimum-retention", `${call} is not deleted: ${explain(judged)}`);
  }
}

function refused(error: Refused["error"], message: string): Refused {
  return { ok: false, error, message };
}

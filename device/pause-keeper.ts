// The pauses in force, kept outside the engine: one that is started anew in the middle of a call must not record what was
// to stay out. Knows calls by their Call-IDs, since the new engine gives them other ids. Bounded; pauses nothing itself.
import type { TimeUs } from "./base/ids.js";
import type { CallCommand, CommandResult } from "./contract/commands.js";
import type { AuditedEvent, CarriedPause } from "./contract/engine-messages.js";

/** Pauses kept; the oldest goes first. */
const MAX_PAUSES = 10_000;

export class PauseKeeper {
  private readonly longestUs: number;
  private readonly byCall = new Map<string, CarriedPause>();
  private ofAll: CarriedPause | undefined;

  /** `maxS`: consent.pause.maxS. */
  constructor(maxS: number) {
    this.longestUs = maxS * 1_000_000;
  }

  noteEvent(event: AuditedEvent): void {
    if (event.kind === "resumed") this.byCall.delete(event.call);
    if (event.kind !== "paused") return;
    const { atUs, call, source, by, reason, sipCallIds } = event;
    if (this.byCall.size >= MAX_PAUSES) this.byCall.delete(this.byCall.keys().next().value!);
    this.byCall.set(call, { sipCallIds, endsUs: atUs + this.longestUs, source, by, reason });
  }

  noteCommand({ body, source, by }: CallCommand, result: CommandResult, nowUs: TimeUs): void {
    if (!result.ok || (body.verb !== "pause" && body.verb !== "resume") || body.call !== "all") return;
    const { reason } = body;
    this.ofAll =
      body.verb === "pause" ? { sipCallIds: [], endsUs: nowUs + this.longestUs, source, by, reason } : undefined;
  }

  /** The call is over. */
  forget(call: string): void {
    this.byCall.delete(call);
  }

  /** What a new engine has to know; one without Call-IDs is a pause of every call. */
  list(nowUs: TimeUs): CarriedPause[] {
    return [...this.byCall.values(), ...(this.ofAll ? [this.ofAll] : [])].filter(({ endsUs }) => endsUs > nowUs);
  }
}

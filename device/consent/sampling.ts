// Which of the calls that policy would record are recorded: every so many-th, and a share of each agent's. Counts, never
// throws dice: the same packets give the same recordings. It can only narrow what policy and consent allow.

/** Agents whose share is counted; the longest without a call is forgotten first and begins anew. */
const MAX_AGENTS = 4096;
const WHOLE_PERCENT = 100;

export class Sampler {
  private readonly everyNth: number;
  private readonly percentPerAgent: number;
  private calls = 0;
  /** By agent: hundredths of a call that are due. */
  private readonly due = new Map<string, number>();

  constructor({ everyNth, percentPerAgent }: { everyNth: number; percentPerAgent: number }) {
    this.everyNth = everyNth;
    this.percentPerAgent = percentPerAgent;
  }

  /** One more call of the agent's ("" = nobody's that is known): is it recorded? */
  take(agent: string): boolean {
    const isNth = this.calls++ % this.everyNth === 0;
    return this.takeShare(agent) && isNth;
  }

  private takeShare(agent: string): boolean {
    if (this.percentPerAgent === 0 || this.percentPerAgent === WHOLE_PERCENT) return this.percentPerAgent > 0;
    const due = (this.due.get(agent) ?? WHOLE_PERCENT - this.percentPerAgent) + this.percentPerAgent;
    const isTaken = due >= WHOLE_PERCENT;
    this.due.delete(agent);
    if (this.due.size >= MAX_AGENTS) this.due.delete(this.due.keys().next().value!);
    this.due.set(agent, isTaken ? due - WHOLE_PERCENT : due);
    return isTaken;
  }
}

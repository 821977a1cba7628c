// What calls in progress must not lose with their engine, kept by the service: told by one engine, given to the next. Bounded;
// decides nothing.
import type { CallId, TimeUs } from "./base/ids.js";
import type { CarriedCall, CarriedPause, CarriedState } from "./contract/engine-messages.js";

/** Calls kept; the one that was told of first goes first. */
const MAX_CALLS = 20_000;

export class CarriedCalls {
  /** Told by the engine that runs. */
  private readonly calls = new Map<CallId, CarriedCall>();
  /** Told by those before it, of calls that the one that runs has not seen yet. */
  private inherited: CarriedCall[];
  private pauseOfAll: CarriedPause | undefined;

  constructor({ calls, pauseOfAll }: CarriedState = { calls: [] }) {
    this.inherited = calls.slice(-MAX_CALLS);
    this.pauseOfAll = pauseOfAll;
  }

  /** undefined: nothing of the call needs to be carried any more. */
  note(call: CallId, state: CarriedCall | undefined): void {
    this.calls.delete(call);
    if (!state) return;
    this.disown(state.sipCallIds);
    if (this.calls.size >= MAX_CALLS) this.calls.delete(this.calls.keys().next().value!);
    this.calls.set(call, state);
  }

  notePauseOfAll(pause: CarriedPause | undefined): void {
    this.pauseOfAll = pause;
  }

  /** Of every call, those to come too. */
  isAllPaused(nowUs: TimeUs): boolean {
    return this.pauseOfAll !== undefined && this.pauseOfAll.endsUs > nowUs;
  }

  ended({ id, sipCallIds }: { id: CallId; sipCallIds: readonly string[] }): void {
    this.calls.delete(id);
    this.disown(sipCallIds);
  }

  /** Another engine begins: it gives calls other ids. */
  passOn(): void {
    this.inherited = [...this.inherited, ...this.calls.values()].slice(-MAX_CALLS);
    this.calls.clear();
  }

  /** Pauses that are over by `nowUs` are left out. */
  state(nowUs: TimeUs): CarriedState {
    const isOver = (pause: CarriedPause | undefined): boolean => pause !== undefined && pause.endsUs <= nowUs;
    const calls = [...this.inherited, ...this.calls.values()].map(({ pause, ...call }) => ({
      ...call,
      ...(pause && !isOver(pause) && { pause }),
    }));
    return {
      calls: calls.filter(({ pause, refusals, isStopped }) => pause || refusals.length > 0 || isStopped),
      ...(this.pauseOfAll && !isOver(this.pauseOfAll) && { pauseOfAll: this.pauseOfAll }),
    };
  }

  private disown(sipCallIds: readonly string[]): void {
    if (this.inherited.length === 0) return;
    const known = new Set(sipCallIds);
    this.inherited = this.inherited.filter((call) => !call.sipCallIds.some((id) => known.has(id)));
  }
}

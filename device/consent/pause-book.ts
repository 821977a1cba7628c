// Which calls are paused at the moment, and the pause of all calls, which holds for those that begin meanwhile too. Enters
// nothing and judges no gate.
import type { TimeUs } from "../base/ids.js";
import type { CarriedPause } from "../contract/engine-messages.js";
import type { CallConsent } from "./call-consent.js";

export class PauseBook {
  private readonly paused = new Set<CallConsent>();
  private ofAll: CarriedPause | undefined;
  /** `ofAll` is from before this engine. */
  private isInherited = true;

  /** `ofAll`: in force when the engine before this one died. */
  constructor(ofAll: CarriedPause | undefined) {
    this.ofAll = ofAll;
  }

  /** undefined ends it for calls to come. */
  setOfAll(pause: CarriedPause | undefined): void {
    this.ofAll = pause;
    this.isInherited = false;
  }

  /**
   * The pause that a call which is first seen at `atUs` begins with. `isCarried`: what was carried of the call says whether
   * the pauses from before this engine hold for it.
   */
  ofAllAt(atUs: TimeUs, isCarried: boolean): CarriedPause | undefined {
    if (isCarried && this.isInherited) return undefined;
    return this.ofAll && atUs < this.ofAll.endsUs ? this.ofAll : undefined;
  }

  /** The call was paused, or it goes on. */
  note(own: CallConsent): void {
    if (own.pauses.isPaused) this.paused.add(own);
    else this.paused.delete(own);
  }

  /** The call is no longer followed: it is over, or part of another. */
  forget(own: CallConsent): void {
    this.paused.delete(own);
  }

  /** Calls whose pause has ended by itself. */
  due(nowUs: TimeUs): CallConsent[] {
    return [...this.paused].filter((own) => nowUs >= own.pauses.dueUs);
  }
}

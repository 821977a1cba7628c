// What a call in progress must not lose with its engine: its pause, the refusals that were said in it, and that the agent
// has stopped the recording. Everything here closes; a grant is never carried. Tells what is to be carried, and gives a call
// that was carried here its part back. Enters nothing.
import type { CallId } from "../base/ids.js";
import type { EvidenceSource } from "../contract/call-record.js";
import type { CarriedCall } from "../contract/engine-messages.js";
import type { CallConsent } from "./call-consent.js";

export type CarriedListener = (call: CallId, state: CarriedCall | undefined) => void;

export class Carried {
  /** By Call-ID: of calls that this engine has not seen yet. */
  private readonly waiting = new Map<string, CarriedCall>();
  /** What was told of each call last, as text. */
  private readonly told = new Map<CallConsent, string>();
  private readonly listener: CarriedListener;

  /** `calls` are bounded by whoever kept them. */
  constructor(calls: readonly CarriedCall[], listener: CarriedListener) {
    this.listener = listener;
    for (const call of calls) for (const sipCallId of call.sipCallIds) this.waiting.set(sipCallId, call);
  }

  /** What waits for a dialog that is seen for the first time. */
  take(sipCallId: string): CarriedCall | undefined {
    if (this.waiting.size === 0) return undefined;
    const call = this.waiting.get(sipCallId);
    this.waiting.delete(sipCallId);
    return call;
  }

  /** Tells of the call if there is news. */
  note(own: CallConsent): void {
    const state = stateOf(own);
    const text = state ? JSON.stringify(state) : "";
    if (text === (this.told.get(own) ?? "")) return;
    if (state) this.told.set(own, text);
    else this.told.delete(own);
    this.listener(own.call.id, state);
  }

  /** The call is no longer followed: it is over, or part of another. */
  forget(own: CallConsent): void {
    if (this.told.delete(own)) this.listener(own.call.id, undefined);
  }
}

function stateOf(own: CallConsent): CarriedCall | undefined {
  const { inForce, dueUs } = own.pauses;
  const refusals = refusalsIn(own);
  const isStopped = !own.isStarted && own.hasStarted;
  if (!inForce && refusals.length === 0 && !isStopped) return undefined;
  const pause = inForce && { endsUs: dueUs, source: inForce.source, by: inForce.by, reason: inForce.reason };
  return { sipCallIds: [...own.call.sipCallIds], ...(pause && { pause }), refusals, isStopped };
}

/** Of whoever is there and may be a caller. */
function refusalsIn(own: CallConsent): EvidenceSource[] {
  const sources = new Set<EvidenceSource>();
  for (const dialog of own.call.dialogs) {
    if (dialog.isClosed) continue;
    for (const leg of dialog.legs) {
      if (dialog.agent.agent === leg.side) continue;
      for (const source of own.refusalsOf(leg.nearest.party)) sources.add(source);
    }
  }
  return [...sources].sort();
}

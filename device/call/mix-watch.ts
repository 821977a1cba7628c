// Notices agents whose stream may carry other people's voices: one who talks in two calls at once may have joined them
// in the phone, and a conference focus mixes by its nature. Their stream counts as a caller's while that lasts.
import { formatAddress } from "../base/address.js";
import type { Call } from "./call.js";
import type { Leg } from "./leg.js";

export class MixWatch {
  private readonly trustsMixes: boolean;
  /** Agent's legs in conversation, by who the agent is. */
  private readonly talking = new Map<string, Set<Leg>>();
  private readonly keys = new Map<Leg, string>();

  /** `trustsMixes`: such streams are recorded like any agent's. */
  constructor(trustsMixes: boolean) {
    this.trustsMixes = trustsMixes;
  }

  /** Judges the call's legs anew after its roles, holds or dialogs changed. Returns the other calls whose legs changed. */
  update(call: Call): Set<Call> {
    const affected = new Set<Call>();
    if (this.trustsMixes) return affected;
    const keys = new Set<string>();
    for (const dialog of call.dialogs) {
      for (const leg of dialog.legs) {
        const former = this.keys.get(leg);
        const key = talkingAgent(leg);
        if (former !== undefined) keys.add(former);
        if (key !== undefined) keys.add(key);
        if (former !== key) this.move(leg, former, key);
        if (key === undefined) leg.isMixed = leg.dialog.sights[leg.sessionSide].isFocus;
      }
    }
    for (const key of keys) this.judge(key, affected);
    affected.delete(call);
    return affected;
  }

  private move(leg: Leg, former: string | undefined, key: string | undefined): void {
    if (former !== undefined) {
      const legs = this.talking.get(former);
      legs?.delete(leg);
      if (legs?.size === 0) this.talking.delete(former);
    }
    this.keys.delete(leg);
    if (key === undefined) return;
    this.keys.set(leg, key);
    const legs = this.talking.get(key);
    if (legs) legs.add(leg);
    else this.talking.set(key, new Set([leg]));
  }

  private judge(key: string, affected: Set<Call>): void {
    const legs = [...(this.talking.get(key) ?? [])];
    for (const leg of legs) {
      const isMixed =
        leg.dialog.sights[leg.sessionSide].isFocus ||
        legs.some((other) => other.call !== leg.call && !isSamePeer(leg, other));
      if (leg.isMixed === isMixed) continue;
      leg.isMixed = isMixed;
      affected.add(leg.call);
      if (isMixed) leg.call.warn("agent-stream-mixed", { agent: leg.party.identity.user.slice(0, 64) });
    }
  }
}

/** Who the agent on a leg is while it talks; undefined for everybody else. */
function talkingAgent(leg: Leg): string | undefined {
  const { dialog } = leg;
  if (!dialog.isTalking || dialog.agent.agent !== leg.side || leg.edge !== undefined) return undefined;
  const [address] = leg.audioAddresses;
  return dialog.address(leg.sessionSide).user || (address && formatAddress(address));
}

/** Two halves of one call that are not known as such have the same number on their far side. */
function isSamePeer(leg: Leg, other: Leg): boolean {
  const peer = leg.dialog.address(leg.other.sessionSide).user;
  return peer !== "" && peer === other.dialog.address(other.other.sessionSide).user;
}

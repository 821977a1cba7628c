// Notices agents whose stream may carry other people's voices: one who talks in two calls at once may have joined them
// in the phone, and a conference focus mixes by its nature. Their stream counts as a caller's while that lasts. A number
// at one place that talks in more calls than a phone can join is a telephone system: there only a call that was on hold
// before can have been joined.
import { formatAddress } from "../base/address.js";
import { isAnonymousForm } from "../sip/identity.js";
import type { Call } from "./call.js";
import type { Leg } from "./leg.js";

/** Calls that a phone joins at most: conferences of five. */
const MAX_PHONE_CALLS = 4;
/** Places known to be telephone systems; the one longest known is forgotten first. */
const MAX_SYSTEMS = 4096;

export class MixWatch {
  private readonly trustsMixes: boolean;
  /** Legs in conversation by who the agent is and where. */
  private readonly talking = new Map<string, Set<Leg>>();
  private readonly keys = new Map<Leg, string>();
  private readonly systems = new Set<string>();

  /** `trustsMixes`: such streams are recorded like any agent's. */
  constructor(trustsMixes: boolean) {
    this.trustsMixes = trustsMixes;
  }

  /** Judges the call's legs anew after its roles, holds or dialogs changed. Returns the other calls whose legs changed. */
  update(call: Call): Set<Call> {
    const affected = new Set<Call>();
    if (this.trustsMixes) return affected;
    const changed = new Set<string>();
    for (const dialog of call.dialogs) {
      for (const leg of dialog.legs) {
        const [former, key] = [this.keys.get(leg), talkingAgent(leg)];
        if (former !== undefined) changed.add(former);
        if (key !== undefined) changed.add(key);
        if (former !== key) this.move(leg, former, key);
        if (key === undefined) leg.isMixed = isFocus(leg);
      }
    }
    for (const key of changed) this.judge(key, call, affected);
    affected.delete(call);
    return affected;
  }

  private move(leg: Leg, former: string | undefined, key: string | undefined): void {
    const left = former === undefined ? undefined : this.talking.get(former);
    left?.delete(leg);
    if (left?.size === 0) this.talking.delete(former!);
    this.keys.delete(leg);
    if (key === undefined) return;
    this.keys.set(leg, key);
    const legs = this.talking.get(key);
    if (legs) legs.add(leg);
    else this.talking.set(key, new Set([leg]));
  }

  private judge(key: string, call: Call, affected: Set<Call>): void {
    const legs = this.talking.get(key) ?? new Set<Leg>();
    const wasSystem = this.systems.has(key);
    if (!wasSystem && legs.size > MAX_PHONE_CALLS) this.noteSystem(key);
    const isSystem = this.systems.has(key);
    for (const leg of legs) {
      // In a telephone system one call's verdict does not hang on the others'.
      if (wasSystem && leg.call !== call) continue;
      const isMixed = isFocus(leg) || (isSystem ? leg.hasHeld && legs.size > 1 : isAmongOthers(leg, legs));
      if (leg.isMixed === isMixed) continue;
      leg.isMixed = isMixed;
      affected.add(leg.call);
      if (isMixed) leg.call.warn("agent-stream-mixed", { agent: leg.party.identity.user.slice(0, 64) });
    }
  }

  private noteSystem(key: string): void {
    if (this.systems.size >= MAX_SYSTEMS) this.systems.delete(this.systems.values().next().value!);
    this.systems.add(key);
  }
}

/** A conference by its own word (RFC 4579 §5.2), or one that somebody was let into (RFC 3911). */
function isFocus(leg: Leg): boolean {
  return leg.dialog.sights[leg.sessionSide].isFocus || leg.joinedBy.size > 0;
}

/** Does the agent talk to somebody else as well? */
function isAmongOthers(leg: Leg, legs: ReadonlySet<Leg>): boolean {
  const peer = peerOf(leg);
  for (const other of legs) if (other.call !== leg.call && (peer === "" || peerOf(other) !== peer)) return true;
  return false;
}

/** Who the agent on a leg is, and where, while it talks; undefined for everybody else. */
function talkingAgent(leg: Leg): string | undefined {
  const { dialog } = leg;
  if (!dialog.isTalking || dialog.agent.agent !== leg.side || leg.edge !== undefined) return undefined;
  const [address] = leg.audioAddresses;
  return `${dialog.address(leg.sessionSide).user} ${address ? formatAddress(address) : ""}`;
}

/** Two halves of one call that are not known as such have the same number on their far side; "" is nobody's number. */
function peerOf(leg: Leg): string {
  const { user, host } = leg.dialog.address(leg.other.sessionSide);
  return isAnonymousForm(user, host) ? "" : user;
}

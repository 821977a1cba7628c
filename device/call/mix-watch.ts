// Notices agents whose stream may carry other people's voices: one who talks in two calls at once may have joined them
// in the phone, and a conference focus mixes by its nature. Their stream counts as a caller's while that lasts.
import { formatAddress } from "../base/address.js";
import type { Call } from "./call.js";
import type { Leg } from "./leg.js";

/** Conversations beyond which an agent's legs are no longer compared each with each: it is a number that many answer. */
const MAX_COMPARED = 64;

/** One agent's legs in conversation. */
interface Talking {
  readonly legs: Set<Leg>;
  /** How many of them have which user on the far side. */
  readonly peers: Map<string, number>;
  /** Beyond MAX_COMPARED: whether all of them count as mixed, as last applied to all. */
  isMixedCrowd: boolean | undefined;
}

/** What a leg was last entered under. */
interface Entry {
  readonly key: string;
  readonly peer: string;
}

export class MixWatch {
  private readonly trustsMixes: boolean;
  /** By who the agent is. */
  private readonly talking = new Map<string, Talking>();
  private readonly entries = new Map<Leg, Entry>();

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
        const former = this.entries.get(leg);
        const key = talkingAgent(leg);
        if (former !== undefined) keys.add(former.key);
        if (key !== undefined) keys.add(key);
        this.enter(leg, former, key);
        if (key === undefined) leg.isMixed = leg.dialog.sights[leg.sessionSide].isFocus;
      }
    }
    for (const key of keys) this.judge(key, call, affected);
    affected.delete(call);
    return affected;
  }

  private enter(leg: Leg, former: Entry | undefined, key: string | undefined): void {
    const peer = key === undefined ? "" : peerOf(leg);
    if (former?.key === key && former?.peer === peer) return;
    if (former !== undefined) this.leave(leg, former);
    if (key === undefined) return;
    const talking = this.talking.get(key) ?? { legs: new Set(), peers: new Map(), isMixedCrowd: undefined };
    this.talking.set(key, talking);
    this.entries.set(leg, { key, peer });
    talking.legs.add(leg);
    talking.peers.set(peer, (talking.peers.get(peer) ?? 0) + 1);
  }

  private leave(leg: Leg, { key, peer }: Entry): void {
    this.entries.delete(leg);
    const { legs, peers } = this.talking.get(key)!;
    legs.delete(leg);
    if (legs.size === 0) this.talking.delete(key);
    const left = peers.get(peer)! - 1;
    if (left === 0) peers.delete(peer);
    else peers.set(peer, left);
  }

  private judge(key: string, call: Call, affected: Set<Call>): void {
    const talking = this.talking.get(key);
    if (!talking) return;
    for (const leg of legsToJudge(talking, call)) {
      const isMixed = leg.dialog.sights[leg.sessionSide].isFocus || isMixedWithOthers(talking, leg);
      if (leg.isMixed === isMixed) continue;
      leg.isMixed = isMixed;
      affected.add(leg.call);
      if (isMixed) leg.call.warn("agent-stream-mixed", { agent: leg.party.identity.user.slice(0, 64) });
    }
  }
}

/** All of them, or of a crowd whose verdict stands only the call's own: comparing all with all would take for ever. */
function legsToJudge(talking: Talking, call: Call): Leg[] {
  const { legs, peers, isMixedCrowd } = talking;
  const isMixed = peers.size > 1 || peers.has("");
  talking.isMixedCrowd = legs.size > MAX_COMPARED ? isMixed : undefined;
  if (talking.isMixedCrowd === undefined || talking.isMixedCrowd !== isMixedCrowd) return [...legs];
  return call.dialogs.flatMap((dialog) => dialog.legs.filter((leg) => legs.has(leg)));
}

function isMixedWithOthers({ legs, isMixedCrowd }: Talking, leg: Leg): boolean {
  if (isMixedCrowd !== undefined) return isMixedCrowd;
  const peer = peerOf(leg);
  for (const other of legs) if (other.call !== leg.call && (peer === "" || peerOf(other) !== peer)) return true;
  return false;
}

/** Who the agent on a leg is while it talks; undefined for everybody else. */
function talkingAgent(leg: Leg): string | undefined {
  const { dialog } = leg;
  if (!dialog.isTalking || dialog.agent.agent !== leg.side || leg.edge !== undefined) return undefined;
  const [address] = leg.audioAddresses;
  return dialog.address(leg.sessionSide).user || (address && formatAddress(address));
}

/** Two halves of one call that are not known as such have the same number on their far side. */
function peerOf(leg: Leg): string {
  return leg.dialog.address(leg.other.sessionSide).user;
}

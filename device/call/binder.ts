// Binds RTP flows to legs: by the negotiated addresses of both sides, by symmetric RTP when one side is behind NAT, by
// latching on the first source otherwise (RFC 3264 §5.1, RFC 4961, RFC 7362). Weaker bindings are judged again when the
// known addresses change. Never binds one flow to both legs of a call.
import type { TimeUs } from "../base/ids.js";
import type { Endpoint, EndpointTable } from "./endpoints.js";
import { type Binding, type Flow, Trust } from "./flow.js";
import type { Leg } from "./leg.js";

const SOURCE_AT = 0;
const DESTINATION_AT = 4;
const PORTS_AT = 8;
/** Calls that one flow may feed; further ones get nothing of it. */
const MAX_BINDINGS = 64;
/** Flows per leg besides the negotiated one: more come from somebody who sends to its address from everywhere. */
const MAX_FLOWS_PER_LEG = 64;
/** A flow that was silent for this long no longer competes for a leg. */
const ACTIVE_WITHIN_US = 2_000_000;

export class FlowBinder {
  contradictions = 0;
  /** Flows that looked like a leg's when it had as many as are kept: they stay strays. */
  crowdedOut = 0;
  private readonly endpoints: EndpointTable;

  constructor(endpoints: EndpointTable) {
    this.endpoints = endpoints;
  }

  /** Binds `flow` anew; bindings to the same leg keep their streams. Returns whether it is bound to any leg. */
  bind(flow: Flow, nowUs: TimeUs): boolean {
    flow.triedVersion = this.endpoints.version;
    flow.triedSharedVersion = this.endpoints.sharedVersion;
    const ports = flow.key[PORTS_AT]!;
    const source = this.endpoints.find(flow.key, SOURCE_AT, ports >>> 16);
    const destination = this.endpoints.find(flow.key, DESTINATION_AT, ports & 0xffff);
    const exact = exactSenders(source, destination);
    if (exact.length > 0) {
      this.assign(flow, exact, Trust.exact, nowUs);
    } else if (destination && destination.uses.length > 0) {
      this.bindByDestination(flow, destination, nowUs);
    } else if (source && source.uses.length > 0) {
      const sender = userOf(source);
      this.assign(flow, [sender], Trust.symmetric, nowUs);
      this.unsettleRivals(flow, sender);
    } else {
      this.assign(flow, [], Trust.changed, nowUs);
    }
    return flow.bindings.length > 0;
  }

  /** The call is over: its flows become strays. */
  release(leg: Leg): void {
    for (const flow of leg.flows) {
      flow.bindings = flow.bindings.filter((binding) => binding.leg !== leg);
      flow.triedVersion = -1;
    }
    leg.flows.clear();
    this.endpoints.remove(leg);
  }

  private bindByDestination(flow: Flow, destination: Endpoint, nowUs: TimeUs): void {
    const receiver = userOf(destination);
    const sender = receiver.other;
    const rival = strongerRival(sender, flow, nowUs);
    if (rival && !hasActiveFlow(receiver, flow, nowUs)) {
      // The sender demonstrably speaks from elsewhere: what arrives here can only be the other side's audio, so the
      // described addresses are not what they seem and nobody is trusted to be the agent.
      this.contradictions++;
      receiver.dialog.mediaContradictory = true;
      receiver.call.warn("media-contradicts-sdp", {});
      this.assign(flow, [receiver], Trust.latched, nowUs);
      return;
    }
    this.assign(flow, [sender], this.latch(sender, flow, rival !== undefined), nowUs);
  }

  /** The first unnegotiated source of a leg is accepted, another address later is not trusted. */
  private latch(sender: Leg, flow: Flow, hasRival: boolean): Trust {
    const own = sender.audio?.address;
    if (own && sameAddress(own, 0, flow.key, SOURCE_AT)) return Trust.latched;
    if (!sender.latchedSource) {
      if (hasRival) return Trust.changed;
      sender.latchedSource = flow.key.slice(SOURCE_AT, SOURCE_AT + 4);
      return Trust.latched;
    }
    return sameAddress(sender.latchedSource, 0, flow.key, SOURCE_AT) ? Trust.latched : Trust.changed;
  }

  private assign(flow: Flow, senders: readonly Leg[], trust: Trust, nowUs: TimeUs): void {
    const before = flow.bindings;
    for (const binding of before) if (!senders.includes(binding.leg)) binding.leg.flows.delete(flow);
    const next: Binding[] = [];
    for (const leg of senders.slice(0, MAX_BINDINGS)) {
      const kept = before.find((binding) => binding.leg === leg);
      if (kept) {
        kept.trust = trust;
        kept.current = undefined;
        next.push(kept);
      } else if (trust === Trust.exact || leg.flows.size < MAX_FLOWS_PER_LEG || this.makeRoom(leg, nowUs)) {
        next.push({ leg, trust, current: undefined, streams: [], foreign: new Set() });
        leg.flows.add(flow);
      }
    }
    flow.bindings = next;
  }

  /** The least trusted flow of the leg that is silent gives way, never a negotiated one; false when there is none. */
  private makeRoom(leg: Leg, nowUs: TimeUs): boolean {
    let least: Flow | undefined;
    let leastTrust: Trust = Trust.exact;
    for (const flow of leg.flows) {
      const trust = flow.bindings.find((binding) => binding.leg === leg)?.trust ?? Trust.changed;
      if (trust >= leastTrust || nowUs - flow.lastAtUs <= ACTIVE_WITHIN_US) continue;
      least = flow;
      leastTrust = trust;
    }
    if (!least) {
      this.crowdedOut++;
      return false;
    }
    least.bindings = least.bindings.filter((binding) => binding.leg !== leg);
    least.triedVersion = -1;
    leg.flows.delete(least);
    return true;
  }

  /** Weaker flows of the leg are judged again: they may belong to the other side. */
  private unsettleRivals(flow: Flow, sender: Leg): void {
    for (const rival of sender.flows) {
      if (rival !== flow && rival.bindings.some((b) => b.leg === sender && b.trust <= Trust.latched)) {
        rival.triedVersion = -1;
      }
    }
  }
}

/**
 * Legs whose own address is the source and whose other side's address is the destination. A call that has ended gives
 * way to one that uses the same addresses anew.
 */
function exactSenders(source: Endpoint | undefined, destination: Endpoint | undefined): Leg[] {
  if (!source || !destination) return [];
  const senders = source.uses.filter((leg) => destination.uses.includes(leg.other));
  const live = senders.filter((leg) => leg.dialog.isLive);
  return live.length > 0 ? live : senders;
}

/** Whose an address is that several name: the newest conversation's, or the newest attempt's when there is none. */
function userOf({ uses }: Endpoint): Leg {
  return uses.findLast(({ dialog }) => dialog.isTalking) ?? uses[uses.length - 1]!;
}

function sameAddress(a: ArrayLike<number>, atA: number, b: ArrayLike<number>, atB: number): boolean {
  for (let i = 0; i < 4; i++) if (a[atA + i] !== b[atB + i]) return false;
  return true;
}

/** An active flow that speaks for `sender` from its own negotiated address, other than `flow`'s source. */
function strongerRival(sender: Leg, flow: Flow, nowUs: TimeUs): Flow | undefined {
  for (const rival of sender.flows) {
    if (rival === flow || nowUs - rival.lastAtUs > ACTIVE_WITHIN_US) continue;
    const binding = rival.bindings.find((candidate) => candidate.leg === sender);
    if (binding && binding.trust >= Trust.symmetric && !sameAddress(rival.key, SOURCE_AT, flow.key, SOURCE_AT))
      return rival;
  }
  return undefined;
}

function hasActiveFlow(leg: Leg, flow: Flow, nowUs: TimeUs): boolean {
  for (const other of leg.flows) if (other !== flow && nowUs - other.lastAtUs <= ACTIVE_WITHIN_US) return true;
  return false;
}

// Binds RTP flows to legs: by the negotiated addresses of both sides, by symmetric RTP when one side is behind NAT, by
// latching on the first source otherwise (RFC 3264 §5.1, RFC 4961, RFC 7362 §4). Weaker bindings are judged again when the
// known addresses change. Never binds one flow to both legs of a dialog, and never guesses by who signals.
import type { TimeUs } from "../base/ids.js";
import type { Endpoint, EndpointTable } from "./endpoints.js";
import { type Binding, DESTINATION_AT, type Flow, SOURCE_AT, Trust } from "./flow.js";
import { ACTIVE_WITHIN_US, isAnswerTo, isBusyElsewhere, latchOn, unsettleLatched } from "./latch.js";
import type { Leg } from "./leg.js";
import {
  type Claim,
  carries,
  claimOf,
  exactSenders,
  type FlowPacket,
  isOwnPlace,
  isPlaceOf,
  ownersOf,
} from "./senders.js";

/** Calls that one flow may feed; further ones get nothing of it. */
const MAX_BINDINGS = 64;
/** Flows per leg besides the negotiated one: more come from somebody who sends to its address from everywhere. */
const MAX_FLOWS_PER_LEG = 64;
/** How long after somebody has left that party's packets may still arrive. */
const ON_THE_WAY_US = 1_000_000;
/** A flow that is not accepted is judged again after this time. */
const TRY_AGAIN_US = 200_000;

interface Judged {
  readonly leg: Leg;
  readonly trust: Trust;
}

export class FlowBinder {
  contradictions = 0;
  /** Flows that looked like a leg's when it had as many as are kept: they stay strays. */
  crowdedOut = 0;
  private readonly endpoints: EndpointTable;

  constructor(endpoints: EndpointTable) {
    this.endpoints = endpoints;
  }

  /** Binds the packet's flow anew; bindings to the same leg keep their streams. Returns whether it is bound to any leg. */
  bind(packet: FlowPacket): boolean {
    const { flow, ssrc, atUs } = packet;
    flow.triedVersion = this.endpoints.version;
    flow.triedSharedVersion = this.endpoints.sharedVersion;
    flow.tryAgainAtUs = Number.POSITIVE_INFINITY;
    const source = this.endpoints.find(flow.key, SOURCE_AT, flow.portAt(SOURCE_AT));
    const destination = this.endpoints.find(flow.key, DESTINATION_AT, flow.portAt(DESTINATION_AT));
    const exact = exactSenders(flow, source, destination);
    const judged =
      exact.length > 0
        ? exact.map((leg) => ({ leg, trust: Trust.exact }))
        : (this.judgeByDestination(packet, source, destination) ?? this.judgeBySource(packet, source) ?? []);
    this.assign(
      flow,
      judged.map((one) => (isOfFormerParty(one.leg, flow, ssrc, atUs) ? { leg: one.leg, trust: Trust.changed } : one)),
      atUs,
    );
    return flow.bindings.length > 0;
  }

  /** The dialog is over: its flows become strays. */
  release(leg: Leg): void {
    for (const flow of leg.flows) {
      const binding = flow.bindingOf(leg);
      if (binding) flow.bury(binding);
      flow.bindings = flow.bindings.filter((one) => one !== binding);
      flow.triedVersion = -1;
    }
    leg.flows.clear();
    this.endpoints.remove(leg);
  }

  /** Whoever sends to an address of one side is the other side (RFC 3264 §5.1); what comes from its own address is not. */
  private judgeByDestination(
    packet: FlowPacket,
    source: Endpoint | undefined,
    destination: Endpoint | undefined,
  ): Judged[] | undefined {
    if (!destination) return undefined;
    const senders = ownersOf(destination)
      .map((receiver) => receiver.other)
      .filter((leg) => !source?.uses.includes(leg.other) || carries(leg, packet));
    const all = destination.uses.map((receiver) => receiver.other);
    const claim = claimOf(senders, all, packet, SOURCE_AT, (leg) => leg);
    if (!claim) return undefined;
    if (isLeftover(claim, packet)) return [];
    const [sender] = claim.legs;
    if (isAnswerTo(sender!, packet)) return [this.contradict(sender!.other)];
    if (claim.isContested) return claim.legs.map((leg) => ({ leg, trust: Trust.changed }));
    const judged = claim.legs.map((leg) => ({ leg, trust: latchOn(leg, packet) }));
    const isAnyAccepted = judged.some(({ trust }) => trust > Trust.changed);
    return isAnyAccepted ? judged.filter(({ trust }) => trust > Trust.changed) : judged;
  }

  /** What comes from a side's address is its audio, sent to where it hears the other from (RFC 4961, RFC 7362 §4). */
  private judgeBySource(packet: FlowPacket, source: Endpoint | undefined): Judged[] | undefined {
    if (!source) return undefined;
    const claim = claimOf(ownersOf(source), source.uses, packet, DESTINATION_AT, (leg) => leg.other);
    if (!claim) return undefined;
    if (isLeftover(claim, packet)) return [];
    return claim.legs.map((leg) => {
      if (claim.isContested || isBusyElsewhere(leg, packet)) return { leg, trust: Trust.changed };
      unsettleLatched(leg, packet.flow);
      return { leg, trust: Trust.symmetric };
    });
  }

  /**
   * The sender is heard from its own address and sends to where this flow comes from: the flow is the answer to it, so the
   * descriptions are not what they seem and nobody is trusted to be the agent.
   */
  private contradict(receiver: Leg): Judged {
    if (!receiver.dialog.mediaContradictory) this.contradictions++;
    receiver.dialog.mediaContradictory = true;
    receiver.call.warn("media-contradicts-sdp", {});
    return { leg: receiver, trust: Trust.latched };
  }

  private assign(flow: Flow, judged: readonly Judged[], atUs: TimeUs): void {
    const before = flow.bindings;
    for (const binding of before) {
      if (judged.some(({ leg }) => leg === binding.leg)) continue;
      binding.leg.flows.delete(flow);
      if (!binding.leg.dialog.isLive) flow.bury(binding);
    }
    const next: Binding[] = [];
    for (const { leg, trust } of judged.slice(0, MAX_BINDINGS)) {
      if (trust === Trust.changed) flow.tryAgainAtUs = atUs + TRY_AGAIN_US;
      const kept = before.find((binding) => binding.leg === leg);
      if (kept) {
        kept.trust = trust;
        kept.current = undefined;
        next.push(kept);
      } else if (trust === Trust.exact || leg.flows.size < MAX_FLOWS_PER_LEG || this.makeRoom(leg, atUs)) {
        next.push({
          leg,
          trust,
          current: undefined,
          streams: [],
          foreign: new Set(),
          isOwnPlace: isOwnPlace(leg, flow),
        });
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
      const trust = flow.bindingOf(leg)?.trust ?? Trust.changed;
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
}

/**
 * Does the packet come from where somebody else on the leg was described, who has left? Packets on their way, and the
 * stream of a sender that has not heard of it, are not of who speaks now.
 */
export function isOfFormerParty(leg: Leg, flow: Flow, ssrc: number, atUs: TimeUs): boolean {
  const place = leg.formerPlaces.findLast(({ audio }) => isPlaceOf(audio, flow));
  if (place === undefined || place.party === leg.party || isOwnPlace(leg, flow)) return false;
  if (atUs - place.leftAtUs <= ON_THE_WAY_US) return true;
  return flow.bindingOf(leg)?.streams.some((one) => one.ssrc === ssrc && one.party === place.party) ?? false;
}

/** What goes on of a call that is over is nobody's; the flow's next packet may be the next call's. */
function isLeftover({ legs }: Claim, { flow, ssrc, atUs }: FlowPacket): boolean {
  if (!legs.every((leg) => flow.isLeftover(leg, ssrc, atUs))) return false;
  flow.tryAgainAtUs = atUs;
  return true;
}

// Whether a source that no description names is accepted for a leg (symmetric RTP, RFC 4961; latching, RFC 7362 §4): the
// first one is, and from its address another port, since NAT may change that at any time (RFC 4787 §4.1). Another address
// is not until the leg is described anew. Judges by the flows on which the leg was heard; fails towards refusing.
import type { TimeUs } from "../base/ids.js";
import { DESTINATION_AT, type Flow, isAccepted, SOURCE_AT, sameAddress, sameEnd, Trust } from "./flow.js";
import type { Leg } from "./leg.js";
import { carries, type FlowPacket, heardFlows, isHome } from "./senders.js";

/** A flow that was silent for this long no longer competes for a leg. */
export const ACTIVE_WITHIN_US = 2_000_000;
/** A source that was silent for this long may have been given up for another one. */
const GIVEN_UP_US = 200_000;

/** `latched` or `changed` for a packet to the other side's address; closes the latch on a source that it accepts. */
export function latchOn(leg: Leg, packet: FlowPacket): Trust {
  const { flow } = packet;
  const wasAccepted = isAccepted(flow.bindingOf(leg));
  if (isOver(leg, packet)) return Trust.changed;
  if (isHome(leg, flow, SOURCE_AT) || isHeardFrom(leg, flow))
    return wasAccepted || mayMovePort(leg, packet) ? Trust.latched : Trust.changed;
  if (leg.latchedSource !== undefined && !isOfEarlyMedia(leg, leg.latchedSource)) return Trust.changed;
  if (isHeardAsDescribed(leg)) return Trust.changed;
  // Described anew: who was heard before may go on, and gives way to the first other source once it has stopped.
  if (wasAccepted) return Trust.latched;
  if (isOccupied(leg, packet)) return Trust.changed;
  leg.latchedSource = flow.key.slice(SOURCE_AT, SOURCE_AT + 4);
  unsettleLatched(leg, flow);
  return Trust.latched;
}

/** Flows that were latched on, or were not, are judged again with their next packet. */
export function unsettleLatched(leg: Leg, flow: Flow): void {
  for (const other of leg.flows) {
    const binding = other === flow ? undefined : other.bindingOf(leg);
    if (binding && binding.trust <= Trust.latched) other.triedVersion = -1;
  }
}

/** Does `sender` send from its own address to where the packet comes from, and is the packet none of its own? */
export function isAnswerTo(sender: Leg, packet: FlowPacket): boolean {
  const { flow, atUs } = packet;
  const isSentThere = heardFlows(sender).some((own) => {
    if (own === flow || own.bindingOf(sender)!.trust < Trust.symmetric) return false;
    return sameEnd(own, DESTINATION_AT, flow, SOURCE_AT) && isHeardWithin(own, sender, atUs, ACTIVE_WITHIN_US);
  });
  return isSentThere && !carries(sender, packet);
}

/**
 * The leg is in conversation with another stream from the same port, or is on hold: what goes from there to an address that
 * nobody described is for somebody else.
 */
export function isBusyElsewhere(leg: Leg, packet: FlowPacket): boolean {
  const { flow, atUs } = packet;
  if (isOver(leg, packet)) return true;
  if (isAccepted(flow.bindingOf(leg)) || carries(leg, packet)) return false;
  const others = heardFlows(leg).filter((own) => own !== flow && sameEnd(own, SOURCE_AT, flow, SOURCE_AT));
  if (leg.dialog.onHold && others.length > 0) return true;
  return others.some((own) => isHeardWithin(own, leg, atUs, GIVEN_UP_US));
}

/** After its end a dialog gets what was on its way, and nothing from where it was not heard before. */
function isOver(leg: Leg, packet: FlowPacket): boolean {
  return !leg.dialog.isLive && !isAccepted(packet.flow.bindingOf(leg)) && !carries(leg, packet);
}

/** Another port of the leg's address: the stream goes on there, or the one before has fallen silent in a conversation. */
function mayMovePort(leg: Leg, packet: FlowPacket): boolean {
  return carries(leg, packet) || !isOccupied(leg, packet);
}

/**
 * Is the leg heard where the packet goes to, from another source? While the call is on hold whoever was heard before stays
 * who it is: nobody is asked to send, and what comes may be somebody else's, in a call of its own from the same address.
 */
function isOccupied(leg: Leg, { flow, atUs }: FlowPacket): boolean {
  const others = heardFlows(leg).filter((own) => own !== flow);
  if (leg.dialog.onHold && others.length > 0) return true;
  return others.some((own) => {
    return sameEnd(own, DESTINATION_AT, flow, DESTINATION_AT) && isHeardWithin(own, leg, atUs, GIVEN_UP_US);
  });
}

/** Was the leg heard from the flow's address, though it was described anew since? */
function isHeardFrom(leg: Leg, flow: Flow): boolean {
  if (leg.latchedSource !== undefined) return false;
  return heardFlows(leg).some((own) => sameAddress(own.key, SOURCE_AT, flow.key, SOURCE_AT));
}

/** Was the leg heard from the address that it describes? */
function isHeardAsDescribed(leg: Leg): boolean {
  const address = leg.audio?.address;
  return address !== undefined && heardFlows(leg).some((own) => sameAddress(address, 0, own.key, SOURCE_AT));
}

/** Did the latch close on what played before the answer, and was that not heard since? The answer may be another's. */
function isOfEarlyMedia(leg: Leg, latchedSource: Int32Array): boolean {
  const { answeredAtUs } = leg.dialog;
  if (answeredAtUs === undefined) return false;
  const early = heardFlows(leg).filter((own) => sameAddress(latchedSource, 0, own.key, SOURCE_AT));
  return early.length > 0 && early.every((own) => lastHeardUs(own, leg) < answeredAtUs);
}

function isHeardWithin(flow: Flow, leg: Leg, atUs: TimeUs, withinUs: number): boolean {
  return atUs - lastHeardUs(flow, leg) <= withinUs;
}

/** When the flow's last packet was the leg's. */
function lastHeardUs(flow: Flow, leg: Leg): TimeUs {
  let latest = Number.NEGATIVE_INFINITY;
  for (const { lastAtUs } of flow.bindingOf(leg)?.streams ?? []) latest = Math.max(latest, lastAtUs);
  return latest;
}

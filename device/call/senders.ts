// Whose audio a flow may carry: the legs that its addresses name, and what prefers one of several. Pure functions on
// what is known of legs and flows; trust, state and what follows are binder.ts's.
import type { TimeUs } from "../base/ids.js";
import type { MediaDescription } from "../sip/sdp-types.js";
import type { Endpoint } from "./endpoints.js";
import { DESTINATION_AT, type EndAt, type Flow, isAccepted, SOURCE_AT, sameAddress, sameEnd } from "./flow.js";
import type { Leg } from "./leg.js";

/** The packet of a flow on which it is to be bound. */
export interface FlowPacket {
  readonly flow: Flow;
  readonly ssrc: number;
  readonly sequence: number;
  readonly atUs: TimeUs;
  /** Do two dialogs meet at one PBX by their signalling? */
  readonly meets: (a: Leg, b: Leg) => boolean;
}

/** Legs that a flow is taken for: of one conversation, which may be seen as several dialogs. */
export interface Claim {
  readonly legs: readonly Leg[];
  /** Another conversation has as good a claim, or may be about to have one. */
  readonly isContested: boolean;
}

type Sign = (leg: Leg) => boolean;

/** Since a packet of the stream not longer than this, a next one continues it. */
const CONTINUES_US = 5_000_000;
/** How far its sequence number may be from where the stream is: delayed and lost packets, at 10 ms per packet. */
const BEHIND_PACKETS = 64;
const AHEAD_PACKETS = 64;
const LEAST_PTIME_US = 10_000;

/**
 * Legs whose own address is the source and whose other side's address is the destination. A dialog that has ended gives
 * way to one that uses the same addresses anew, but for the streams that it had. Where both sides are described at both
 * addresses nothing tells one from the other.
 */
export function exactSenders(flow: Flow, source: Endpoint | undefined, destination: Endpoint | undefined): Leg[] {
  if (!source || !destination) return [];
  const isPair = (from: Leg): boolean => source.uses.includes(from) && destination.uses.includes(from.other);
  const senders = source.uses.filter((leg) => isPair(leg) && !isPair(leg.other));
  if (!senders.some(({ dialog }) => dialog.isLive)) return senders;
  return senders.filter((leg) => leg.dialog.isLive || (flow.bindingOf(leg)?.streams.length ?? 0) > 0);
}

/**
 * Legs that an address may stand for when nothing else is known. Private networks repeat: two sides may name one private
 * address, each its own (RFC 1918 §4). It is then taken for that of whoever sends SIP from it; and an address that both
 * sides of one dialog name with equal right is nobody's.
 */
export function ownersOf({ key, uses }: Endpoint): readonly Leg[] {
  if (uses.length === 1) return uses;
  const seated = uses.filter((leg) => isSeatedAt(leg, key));
  const owners = seated.length > 0 ? seated : uses;
  return owners.filter((leg) => !owners.includes(leg.other));
}

/**
 * Which of `legs` the packet is from, whose unknown end (`at`) would be that of `peerOf` the leg: who had the stream
 * before, whose flow it is already, who is known at that end (RFC 4961), who talks and was not heard yet, who is known
 * at that address, and else the newest conversation or attempt. `all` are the legs that may share its conversation.
 */
export function claimOf(
  legs: readonly Leg[],
  all: readonly Leg[],
  packet: FlowPacket,
  at: EndAt,
  peerOf: (leg: Leg) => Leg,
): Claim | undefined {
  if (legs.length === 1 && all.length === 1) return { legs, isContested: false };
  const { flow } = packet;
  const known: Sign[] = [
    (leg) => isAccepted(flow.bindingOf(leg)) && flow.bindingOf(leg)!.streams.some(({ ssrc }) => ssrc === packet.ssrc),
    (leg) => leg.dialog.isLive && isAccepted(flow.bindingOf(leg)),
    (leg) => carries(leg, packet),
    (leg) => isKnownAt(peerOf(leg), flow, at),
  ];
  const likely: Sign[] = [
    (leg) => leg.dialog.isTalking && !heardFlows(leg).some((other) => other !== flow),
    (leg) => isHome(peerOf(leg), flow, at),
    (leg) => leg.dialog.isTalking,
    (leg) => leg.dialog.isLive,
    () => true,
  ];
  for (const sign of [...known, ...likely]) {
    const found = legs.filter(sign);
    const likeliest = found.at(-1);
    if (!likeliest) continue;
    const alike = all.filter((leg) => leg === likeliest || isSameConversation(leg, likeliest, packet));
    const conversation = alike.filter((leg) => !alike.includes(leg.other));
    // Media may overtake its answer: what is merely likely may be that of a call which still rings.
    const rivals = known.includes(sign) ? found : legs.filter((leg) => found.includes(leg) || isRinging(leg));
    return { legs: conversation, isContested: rivals.some((leg) => !conversation.includes(leg)) };
  }
  return undefined;
}

function isRinging({ dialog }: Leg): boolean {
  return dialog.isLive && dialog.answeredAtUs === undefined;
}

/** Flows that are accepted as the leg's and on which it was heard. */
export function heardFlows(leg: Leg): Flow[] {
  const heard: Flow[] = [];
  for (const flow of leg.flows) {
    const binding = flow.bindingOf(leg);
    if (isAccepted(binding) && binding.streams.length > 0) heard.push(flow);
  }
  return heard;
}

/** Does the packet go on a stream that the leg was heard with on another flow, the same audio on another way included? */
export function carries(leg: Leg, { flow, ssrc, sequence, atUs }: FlowPacket): boolean {
  return heardFlows(leg).some((other) => {
    if (other === flow) return false;
    return other.bindingOf(leg)!.streams.some((one) => {
      const sinceUs = atUs - one.lastAtUs;
      if (one.ssrc !== ssrc || sinceUs > CONTINUES_US) return false;
      const ahead = one.statistics.aheadOf(sequence);
      return ahead >= -BEHIND_PACKETS && ahead <= AHEAD_PACKETS + sinceUs / LEAST_PTIME_US;
    });
  });
}

/** Do other flows show that the flow's end `at` is where `leg` sends from or is sent to? */
export function isKnownAt(leg: Leg, flow: Flow, at: EndAt): boolean {
  return (
    heardFlows(leg).some((own) => own !== flow && sameEnd(own, SOURCE_AT, flow, at)) ||
    heardFlows(leg.other).some((toIt) => toIt !== flow && sameEnd(toIt, DESTINATION_AT, flow, at))
  );
}

/** Is the address (not the port) of the flow's end that which the leg describes, or was accepted from? */
export function isHome({ audio, latchedSource }: Leg, flow: Flow, at: EndAt): boolean {
  if (latchedSource && sameAddress(latchedSource, 0, flow.key, at)) return true;
  return audio?.address !== undefined && sameAddress(audio.address, 0, flow.key, at);
}

/** Is the flow's source what the leg describes: its address and port, or a candidate (RFC 8839)? */
export function isOwnPlace({ audio }: Leg, flow: Flow): boolean {
  return isPlaceOf(audio, flow);
}

/** Is the flow's source what a description names? */
export function isPlaceOf(audio: MediaDescription | undefined, flow: Flow): boolean {
  if (audio === undefined || audio.port === 0) return false;
  const port = flow.portAt(SOURCE_AT);
  const isThere = (place: { address: ArrayLike<number>; port: number }): boolean =>
    place.port === port && sameAddress(place.address, 0, flow.key, SOURCE_AT);
  if (audio.address && isThere({ address: audio.address, port: audio.port })) return true;
  return audio.candidates.some(isThere);
}

/** Does the side itself send its SIP from that address? */
function isSeatedAt({ dialog, sessionSide }: Leg, address: Int32Array): boolean {
  return dialog.sights[sessionSide].addresses.some((words) => sameAddress(words, 0, address, 0));
}

/**
 * Two dialogs with one PBX between them that has left the media alone, and so describe both sides alike. Alike alone says
 * little: private addresses repeat.
 */
function isSameConversation(a: Leg, b: Leg, { meets }: FlowPacket): boolean {
  if (a.dialog === b.dialog || !isSamePlace(a.audio, b.audio) || !isSamePlace(a.other.audio, b.other.audio))
    return false;
  return a.call === b.call || meets(a, b);
}

function isSamePlace(a: MediaDescription | undefined, b: MediaDescription | undefined): boolean {
  if (!a?.address || !b?.address || a.port === 0 || a.port !== b.port) return false;
  return sameAddress(a.address, 0, b.address, 0);
}

// The same audio of one leg on several flows: before and behind a media relay whose both hops are described (RFC 7092
// §3.2.1), or a NAT of which the mirror shows both sides. Finds streams that may repeat each other and says, packet by
// packet, whether the leg had it already: recorded is what comes first. Hot path: isHeardElsewhere.
import type { TimeUs } from "../base/ids.js";
import type { EndpointTable } from "./endpoints.js";
import { type Binding, type Flow, SOURCE_AT } from "./flow.js";
import type { Leg } from "./leg.js";
import { isOwnPlace } from "./senders.js";
import type { CallStream } from "./stream.js";

/** The other way's packets are this much apart at most; longer ago the numbers may have been used anew. */
const TWIN_WITHIN_US = 2_000_000;
/** What a relay made anew is dropped while the original was heard so recently: a few packet times. */
const ORIGINAL_WITHIN_US = 200_000;
/** Flows of one leg that are compared, the most trusted ones, and streams that one of theirs is compared with. */
const MAX_FLOWS = 8;
const MAX_TWINS = 8;
const NONE: readonly Twin[] = [];

/** A stream of the leg on another flow that may carry the same audio. */
export interface Twin {
  readonly stream: CallStream;
  /** The same SSRC: packet by packet the same audio. Otherwise the original of what a relay made anew. */
  readonly isSameSource: boolean;
}

interface Way {
  binding: Binding;
  isRelay: boolean;
}

/** Finds out anew which streams of the leg's flows may repeat each other. */
export function relateFlows(leg: Leg, endpoints: EndpointTable): void {
  const ways: Way[] = [];
  for (const flow of leg.flows) {
    const binding = flow.bindingOf(leg);
    if (binding) ways.push({ binding, isRelay: isRelayed(binding, flow, endpoints) });
  }
  ways.sort((a, b) => b.binding.trust - a.binding.trust);
  ways.length = Math.min(ways.length, MAX_FLOWS);
  for (const way of ways) {
    for (const stream of way.binding.streams) stream.twins = twinsOf(stream, way, ways);
  }
}

/**
 * Did another flow of the leg have this packet of the stream? A stream that is refused for a reason of its own does not
 * count. No allocation.
 */
export function isHeardElsewhere({ twins, blocked }: CallStream, sequence: number, nowUs: TimeUs): boolean {
  for (let i = 0; i < twins.length; i++) {
    const { stream, isSameSource } = twins[i]!;
    if (stream.blocked !== 0 && stream.blocked !== blocked) continue;
    const silentUs = nowUs - stream.lastAtUs;
    if (isSameSource ? silentUs <= TWIN_WITHIN_US && stream.statistics.has(sequence) : silentUs <= ORIGINAL_WITHIN_US)
      return true;
  }
  return false;
}

function twinsOf(stream: CallStream, way: Way, ways: readonly Way[]): readonly Twin[] {
  const twins: Twin[] = [];
  for (const other of ways) {
    if (other === way) continue;
    const isFurtherOn = way.isRelay && !other.isRelay;
    for (let i = other.binding.streams.length - 1; i >= 0 && twins.length < MAX_TWINS; i--) {
      const one = other.binding.streams[i]!;
      const isSameSource = one.ssrc === stream.ssrc;
      if (isSameSource || isFurtherOn) twins.push({ stream: one, isSameSource });
    }
  }
  return twins.length === 0 ? NONE : twins;
}

/**
 * Does the flow come from an address that stands for the leg, and never was the one that the leg described first, at the
 * hop nearest to it?
 */
function isRelayed(binding: Binding, flow: Flow, endpoints: EndpointTable): boolean {
  const { leg } = binding;
  binding.isOwnPlace ||= isOwnPlace(leg, flow);
  if (binding.isOwnPlace) return false;
  return endpoints.find(flow.key, SOURCE_AT, flow.portAt(SOURCE_AT))?.uses.includes(leg) ?? false;
}

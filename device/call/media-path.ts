// The hot path of RTP inside the call table: flow lookup, stream lookup, statistics, then the leg's gate. Owns the flow
// table and its bounds; keeps no payload. Per packet: no allocation, no strings.
import { formatEndpoint } from "../base/address.js";
import type { TimeUs } from "../base/ids.js";
import { type Datagram, KEY_WORDS } from "../net/datagram.js";
import { makeRtpView, type RtpView, readRtp } from "../rtp/packet.js";
import { Arrival } from "../rtp/stream-statistics.js";
import { WordTable } from "../rtp/word-table.js";
import { type FlowBinder, isOfFormerParty } from "./binder.js";
import type { Call } from "./call.js";
import type { EndpointTable } from "./endpoints.js";
import { type Binding, Flow, Trust } from "./flow.js";
import type { GapWatch } from "./gap-watch.js";
import type { CallGuard } from "./guard.js";
import type { HalfFinder } from "./half-finder.js";
import { isHeardElsewhere, relateFlows } from "./hops.js";
import type { Leg } from "./leg.js";
import { RtpCopies } from "./rtp-copies.js";
import { CallStream, discardCode } from "./stream.js";

const ENCRYPTED = discardCode("encrypted");
const SOURCE_CHANGED = discardCode("source-changed");
const OTHER_HOP = discardCode("other-hop");
const MAX_FOREIGN = 256;
/** Streams of one flow searched for a packet that does not continue the current one. */
const MAX_STREAMS_PER_FLOW = 16;
/** Slots of the flow table looked at per sweep step. */
const SWEEP_SLOTS = 4096;

/** Which media addresses are agents'. */
export interface AgentAddresses {
  /** For the address at `words[at]`. */
  addressIsAgent(words: ArrayLike<number>, at?: number): boolean;
}

export interface MediaLimits {
  maxFlows: number;
  flowIdleTimeoutMs: number;
  maxStreamsPerCall: number;
  reorderWindowMs: number;
  /** Between a packet and the mirror port's copy of it; 0 = copies stay in. */
  copyWindowMs: number;
}

export class MediaCounters {
  packets = 0;
  malformed = 0;
  unboundPackets = 0;
  flowsRefused = 0;
  flowsForgotten = 0;
  streamsRefused = 0;
  /** Packets on a flow that several calls share, seen from the calls whose stream they are not. */
  foreignPackets = 0;
}

/** A stream's first packet may overtake the answer of the second half of its call by this much. */
const BEFORE_ANSWER_US = 200_000;

/** Packets after which a stream that two dialogs share proves that they are of one conversation. */
const SHARED_PACKETS = 50;

const knows = (binding: Binding, ssrc: number): boolean => binding.streams.some((stream) => stream.ssrc === ssrc);

/**
 * On a flow that several calls share, is an SSRC another call's? Two dialogs of one conversation (direct media) share
 * every stream; two conversations between the same ports do not. A stream belongs to calls that were answered when it
 * began; of those, to the ones that wait for their first, or to all when they have always had the same. Dialogs that
 * meet at one PBX are answered one after the other.
 */
function isForeign(flow: Flow, binding: Binding, ssrc: number, halves: HalfFinder): boolean {
  if (knows(binding, ssrc)) return false;
  if (binding.foreign.has(ssrc)) return true;
  const owner = flow.bindings.find((other) => knows(other, ssrc));
  if (owner) {
    const beganAtUs = owner.streams.find((stream) => stream.ssrc === ssrc)!.firstAtUs;
    const answeredAtUs = binding.leg.dialog.answeredAtUs ?? Number.POSITIVE_INFINITY;
    if (beganAtUs >= answeredAtUs - (halves.meet(owner.leg, binding.leg) ? BEFORE_ANSWER_US : 0)) return false;
    markForeign(binding, ssrc);
    return true;
  }
  const waiting = flow.bindings.filter(({ streams }) => streams.length === 0);
  // A call that still rings may be about to claim it: nobody gets the packet, and the next one is asked about again.
  if (waiting.some(({ leg }) => leg.dialog.answeredAtUs === undefined)) return true;
  const isOneConversation = flow.bindings.every(({ current }) => current?.ssrc === binding.current?.ssrc);
  if (waiting.length === 0 && isOneConversation) return false;
  for (const other of flow.bindings) if (!waiting.includes(other)) markForeign(other, ssrc);
  return !waiting.includes(binding);
}

function markForeign(binding: Binding, ssrc: number): void {
  if (binding.foreign.size >= MAX_FOREIGN) binding.foreign.clear();
  binding.foreign.add(ssrc);
}

export class MediaPath {
  readonly counters = new MediaCounters();
  private readonly copies: RtpCopies;
  private readonly limits: MediaLimits;
  private readonly endpoints: EndpointTable;
  private readonly binder: FlowBinder;
  private readonly agents: AgentAddresses;
  private readonly flows: WordTable<Flow>;
  private readonly halves: HalfFinder;
  private readonly guard: CallGuard;
  private readonly meets = (a: Leg, b: Leg): boolean => this.halves.meet(a, b);
  private readonly gaps: GapWatch;
  private readonly view: RtpView = makeRtpView();
  private sweepAt = 0;

  constructor(
    limits: MediaLimits,
    endpoints: EndpointTable,
    binder: FlowBinder,
    agents: AgentAddresses,
    halves: HalfFinder,
    guard: CallGuard,
    gaps: GapWatch,
  ) {
    this.guard = guard;
    this.gaps = gaps;
    this.limits = limits;
    this.copies = new RtpCopies(limits.copyWindowMs);
    this.endpoints = endpoints;
    this.binder = binder;
    this.agents = agents;
    this.halves = halves;
    this.flows = new WordTable<Flow>(KEY_WORDS, limits.maxFlows);
  }

  /** Flows remembered at the moment. */
  get flowCount(): number {
    return this.flows.size;
  }

  /** Counters under their published names. */
  exportCounters(): Record<string, number> {
    const { counters } = this;
    return {
      "rtp.packets": counters.packets,
      "rtp.malformed": counters.malformed,
      "rtp.unbound": counters.unboundPackets,
      "rtp.flows": this.flowCount,
      "rtp.flows-refused": counters.flowsRefused,
      "rtp.flows-forgotten": counters.flowsForgotten,
      "rtp.streams-refused": counters.streamsRefused,
      "rtp.foreign": counters.foreignPackets,
      ...this.copies.counters.toRecord("duplicates.rtp."),
    };
  }

  /** Takes one datagram that `classifyMedia` calls RTP. */
  handle(datagram: Datagram): void {
    this.counters.packets++;
    const flow = this.flows.get(datagram.key) ?? this.admit(datagram);
    if (flow === undefined) return;
    flow.lastAtUs = datagram.capturedAtUs;
    flow.packets++;
    const { version, sharedVersion } = this.endpoints;
    if (flow.mayBindBetter(version, sharedVersion, datagram.capturedAtUs)) this.bind(flow, datagram);
    const bindings = flow.bindings;
    if (bindings.length === 0) {
      this.counters.unboundPackets++;
      if (flow.hasPast && readRtp(datagram.data, datagram.start, datagram.end, this.view))
        flow.noteStray(this.view.ssrc, datagram.capturedAtUs);
      return;
    }
    if (!readRtp(datagram.data, datagram.start, datagram.end, this.view)) {
      this.counters.malformed++;
      return;
    }
    if (this.copies.isCopy(flow, this.view, datagram)) return;
    for (let i = 0; i < bindings.length; i++) this.deliver(flow, bindings[i]!, datagram);
  }

  /** On what is no RTP after all nothing is bound. */
  private bind(flow: Flow, { data, start, end, capturedAtUs }: Datagram): void {
    if (!readRtp(data, start, end, this.view)) return;
    const { ssrc, sequence } = this.view;
    this.binder.bind({ flow, ssrc, sequence, atUs: capturedAtUs, meets: this.meets });
  }

  /** Forgets stray flows that have been silent too long, a part of the table at a time. */
  sweep(nowUs: TimeUs): void {
    const slots = this.flows.slotCount;
    const idleUs = this.limits.flowIdleTimeoutMs * 1000;
    for (let i = 0; i < SWEEP_SLOTS && i < slots; i++) {
      const flow = this.flows.slotAt(this.sweepAt);
      if (flow && flow.bindings.length === 0 && nowUs - flow.lastAtUs > idleUs) {
        this.flows.delete(flow.key);
        this.counters.flowsForgotten++;
        continue; // the hole may have been filled by a neighbour
      }
      this.sweepAt = (this.sweepAt + 1) % slots;
    }
  }

  /** Payload types may have another meaning for this call's streams from now on. */
  descriptionsChanged(call: Call): void {
    for (const stream of call.streams) stream.forgetPayloadType();
  }

  private deliver(flow: Flow, binding: Binding, datagram: Datagram): void {
    const view = this.view;
    let stream = binding.current;
    if (flow.bindings.length > 1 && isForeign(flow, binding, view.ssrc, this.halves)) {
      this.counters.foreignPackets++;
      return;
    }
    if (stream === undefined || stream.ssrc !== view.ssrc || !stream.statistics.fits(view.sequence)) {
      stream = this.streamFor(flow, binding, datagram.capturedAtUs);
      if (stream === undefined) return;
    }
    const leg = binding.leg;
    stream.seen++;
    stream.lastAtUs = datagram.capturedAtUs;
    leg.dialog.lastActivityUs = datagram.capturedAtUs;
    if (!stream.countPayloadType(view.payloadType)) {
      const codec = leg.codecOf(view.payloadType);
      stream.switchPayloadType(view.payloadType, codec);
      stream.ear = this.guard.earFor(leg, stream, codec);
      leg.call.changedSinceSnapshot = true;
    }
    const arrival = stream.statistics.update(
      view.sequence,
      view.timestamp,
      datagram.capturedAtUs,
      stream.clockRate,
      this.limits.reorderWindowMs,
    );
    if (arrival === Arrival.gap) this.gaps.note(stream, stream.statistics.missingBefore, datagram.capturedAtUs);
    if (stream.twins.length > 0 && isHeardElsewhere(stream, view.sequence, datagram.capturedAtUs))
      stream.countDiscarded(OTHER_HOP);
    else leg.gate.offer(stream, datagram, arrival === Arrival.duplicate);
    if (stream.ear !== undefined && arrival !== Arrival.duplicate) stream.ear.hear(view, datagram);
    const { watched } = stream;
    if (watched !== undefined)
      this.halves.offer(watched, datagram.data, view.payloadStart, view.payloadEnd, datagram.capturedAtUs);
    if (flow.bindings.length > 1 && stream.seen === SHARED_PACKETS) this.reportShared(flow, binding);
  }

  private reportShared(flow: Flow, binding: Binding): void {
    for (const other of flow.bindings) {
      if (other.leg.call !== binding.leg.call && other.current?.ssrc === binding.current?.ssrc)
        this.halves.foundShared(binding.leg, other.leg);
    }
  }

  private streamFor(flow: Flow, binding: Binding, nowUs: TimeUs): CallStream | undefined {
    const { ssrc, sequence } = this.view;
    const { party } = binding.leg;
    let stream = binding.streams.findLast((s) => s.ssrc === ssrc && s.party === party && s.statistics.fits(sequence));
    if (!stream) {
      if (flow.isLeftover(binding.leg, ssrc, nowUs)) {
        this.counters.foreignPackets++;
        return undefined;
      }
      const call = binding.leg.call;
      const { maxStreamsPerCall } = this.limits;
      // Sources that nobody vouched for must not take the places of the call's own.
      const limit = binding.trust === Trust.changed ? maxStreamsPerCall >> 1 : maxStreamsPerCall;
      if (call.streams.length >= limit || binding.streams.length >= MAX_STREAMS_PER_FLOW) {
        this.counters.streamsRefused++;
        call.warn("too-many-streams", { limit });
        return undefined;
      }
      const { key } = flow;
      const source = formatEndpoint(key, 0, key[8]! >>> 16);
      const destination = formatEndpoint(key, 4, key[8]! & 0xffff);
      stream = new CallStream(call.nextStreamIndex, party, ssrc, source, destination);
      stream.firstAtUs = nowUs;
      stream.leg = binding.leg;
      call.streams.push(stream);
      if (!call.parties.includes(party)) call.addParty(party);
      stream.watched = this.halves.watch({ leg: binding.leg, key });
      binding.streams.push(stream);
      call.changedSinceSnapshot = true;
    }
    const isKnown = binding.current !== undefined && stream.seen > 0;
    binding.current = stream;
    this.judge(flow, binding);
    if (!isKnown && binding.leg.flows.size > 1) relateFlows(binding.leg, this.endpoints);
    return stream;
  }

  /** Reasons to refuse a stream whatever the consent: media that cannot be read, a source nobody vouched for. */
  private judge(flow: Flow, binding: Binding): void {
    const stream = binding.current!;
    const { leg } = binding;
    const { call } = leg;
    const { agent } = leg.dialog;
    if (leg.audio?.encrypted || leg.other.audio?.encrypted) {
      stream.blocked = ENCRYPTED;
    } else if (binding.trust === Trust.changed) {
      stream.blocked = SOURCE_CHANGED;
      if (!isOfFormerParty(leg, flow, stream.ssrc, stream.lastAtUs))
        call.warn("source-changed", { source: stream.source });
    } else if (agent.agent === leg.side && agent.byAddressOnly[leg.side] && !this.agents.addressIsAgent(flow.key)) {
      stream.blocked = SOURCE_CHANGED;
      call.warn("agent-source-outside-match", { source: stream.source });
    } else {
      stream.blocked = 0;
    }
  }

  /** The leg's dialog is over. */
  release(leg: Leg): void {
    for (const flow of leg.flows) {
      for (const binding of flow.bindings) {
        if (binding.leg !== leg) continue;
        for (const { watched } of binding.streams) this.halves.unwatch(watched);
      }
    }
  }

  /** Judges a leg's streams again after roles or descriptions changed. */
  judgeAgain(call: Call): void {
    for (const dialog of call.dialogs) {
      for (const leg of dialog.legs) {
        for (const flow of leg.flows) {
          for (const binding of flow.bindings) if (binding.leg === leg) this.judgeBinding(flow, binding);
        }
        if (leg.flows.size > 1) relateFlows(leg, this.endpoints);
      }
    }
  }

  /** Another party's packets are another stream, whatever their SSRC, and may come from another place. */
  private judgeBinding(flow: Flow, binding: Binding): void {
    if (binding.current && binding.current.party !== binding.leg.party) {
      binding.current = undefined;
      flow.bindAnew();
    }
    if (binding.current) this.judge(flow, binding);
  }

  private admit(datagram: Datagram): Flow | undefined {
    const flow = new Flow(datagram.key);
    if (this.flows.set(flow)) return flow;
    if (this.evict() && this.flows.set(flow)) return flow;
    this.counters.flowsRefused++;
    return undefined;
  }

  /** At the limit: the longest silent of a handful of stray flows goes. Flows of calls never do. */
  private evict(): boolean {
    let oldest: Flow | undefined;
    const slots = this.flows.slotCount;
    for (let looked = 0, found = 0; looked < SWEEP_SLOTS && found < 8; looked++) {
      this.sweepAt = (this.sweepAt + 1) % slots;
      const flow = this.flows.slotAt(this.sweepAt);
      if (!flow || flow.bindings.length > 0) continue;
      found++;
      if (!oldest || flow.lastAtUs < oldest.lastAtUs) oldest = flow;
    }
    if (!oldest) return false;
    this.counters.flowsForgotten++;
    return this.flows.delete(oldest.key);
  }
}

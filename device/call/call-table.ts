// The call table: turns SIP messages into calls and legs, tells who is the agent, registers where media is received,
// and closes calls by BYE, failure, silence or the end of the capture. The one owner of calls. Time is packet time.
import type { AddressWords } from "../base/address.js";
import { formatAddress } from "../base/address.js";
import { makeCallId, type Side, type TimeUs } from "../base/ids.js";
import type { CallRecord, EndReason } from "../contract/call-record.js";
import type { Config } from "../contract/config.js";
import type { Datagram } from "../net/datagram.js";
import type { SipArrival } from "../sip/arrival.js";
import type { SipMessage } from "../sip/message.js";
import { type SessionEvent, type SessionState, startSession, stepSession } from "../sip/session.js";
import { type AgentRules, compileAgentRules, identifyAgent, type SideFacts } from "./agents.js";
import { FlowBinder } from "./binder.js";
import { audioOf, Call, type Leg } from "./call.js";
import { describeCall } from "./describe.js";
import { EndpointTable } from "./endpoints.js";
import type { CallGuard } from "./guard.js";
import { MediaPath } from "./media-path.js";

/** Time a failed attempt is kept for the INVITE that follows a challenge (RFC 3261 §22): a person may be asked. */
const CHALLENGE_HOLD_US = 60_000_000;
/** Time a failed attempt is kept for another try under the same Call-ID (overlap dialling, RFC 3578). */
const RETRY_HOLD_US = 10_000_000;
/** All calls are looked at for silence this often. */
const IDLE_SWEEP_US = 1_000_000;
/** Final responses after which the same user agent tries again with the same Call-ID. */
const RETRIED_STATUSES = new Set([401, 407, 421, 422, 423, 494]);
const CANDIDATE_LIMIT = 8;
/** A closed call's session is remembered this long: late copies of its messages must not open a ghost (64·T1). */
const AFTERLIFE_US = 32_000_000;
const MAX_AFTERLIVES = 16_384;

export interface CallObserver {
  answered(call: Call): void;
  /** Facts changed that a recovery would need. Called from the sweep, at most once per sweep and call. */
  changed(call: Call, nowUs: TimeUs): void;
  ended(call: Call, record: CallRecord): void;
}

export class CallCounters {
  started = 0;
  ended = 0;
  refused = 0;
  strayMessages = 0;
}

export class CallTable {
  readonly counters = new CallCounters();
  readonly media: MediaPath;
  readonly agentRules: AgentRules;
  private readonly config: Config;
  private readonly guard: CallGuard;
  private readonly observer: CallObserver;
  private readonly endpoints: EndpointTable;
  private readonly binder: FlowBinder;
  private readonly calls = new Map<string, Call>();
  /** Sessions of calls closed a short while ago, oldest first. */
  private readonly afterlives = new Map<string, { session: SessionState; untilUs: TimeUs }>();
  /** Calls with a closing time. */
  private readonly closing = new Set<Call>();
  private nextIdleSweepUs = 0;

  constructor(config: Config, guard: CallGuard, observer: CallObserver) {
    this.config = config;
    this.guard = guard;
    this.observer = observer;
    this.agentRules = compileAgentRules(config.agents.match);
    this.endpoints = new EndpointTable(config.call.maxCalls * 8);
    this.binder = new FlowBinder(this.endpoints);
    this.media = new MediaPath(config.rtp, this.endpoints, this.binder, this.agentRules);
  }

  get size(): number {
    return this.calls.size;
  }

  /** Counters of the table and the media path under their published names. */
  exportCounters(): Record<string, number> {
    const { counters, media } = this;
    return {
      "call.started": counters.started,
      "call.ended": counters.ended,
      "call.refused": counters.refused,
      "call.stray-messages": counters.strayMessages,
      "call.endpoints-refused": this.endpoints.refused,
      "call.media-contradictions": this.binder.contradictions,
      "rtp.packets": media.counters.packets,
      "rtp.malformed": media.counters.malformed,
      "rtp.unbound": media.counters.unboundPackets,
      "rtp.flows": media.flowCount,
      "rtp.flows-refused": media.counters.flowsRefused,
      "rtp.flows-forgotten": media.counters.flowsForgotten,
      "rtp.streams-refused": media.counters.streamsRefused,
      "rtp.foreign": media.counters.foreignPackets,
    };
  }

  /** Takes one SIP message as seen at one hop. */
  handleMessage(message: SipMessage, arrival: SipArrival): void {
    const { atUs } = arrival;
    const known = this.calls.get(message.callId);
    if (!known) {
      this.begin(message, atUs);
      return;
    }
    const step = stepSession(known.session, message);
    if (step.restart) {
      this.close(known, atUs, known.endReason ?? "bye");
      this.begin(message, atUs);
      return;
    }
    known.session = step.state;
    known.lastActivityUs = atUs;
    this.guard.message(known, message, step.from, atUs);
    this.apply(known, step.events, atUs);
  }

  /** RTCP keeps a call alive that is silent otherwise; nothing else is taken from it. */
  handleRtcp(datagram: Datagram): void {
    const port = datagram.key[8]! & 0xffff;
    const endpoint = this.endpoints.find(datagram.key, 4, port - 1) ?? this.endpoints.find(datagram.key, 4, port);
    if (!endpoint) return;
    for (const leg of endpoint.uses) leg.call.lastActivityUs = datagram.capturedAtUs;
  }

  /** Sweep: closes what is due. Cheap; called every 50 ms or so of packet time. */
  tick(nowUs: TimeUs): void {
    for (const call of this.closing) {
      if (nowUs >= call.closeAtUs) this.close(call, nowUs, call.endReason ?? "bye");
    }
    if (nowUs < this.nextIdleSweepUs && this.nextIdleSweepUs - nowUs <= IDLE_SWEEP_US) return;
    this.nextIdleSweepUs = nowUs + IDLE_SWEEP_US;
    for (const call of this.calls.values()) this.sweepCall(call, nowUs);
    this.media.sweep(nowUs);
    this.forgetAfterlives(nowUs);
  }

  /** The capture is over or the engine stops: every call is closed with what it has. */
  closeAll(nowUs: TimeUs): void {
    for (const call of [...this.calls.values()]) {
      const reason = call.endReason ?? "capture-ended";
      this.close(call, Math.max(nowUs, call.lastActivityUs), reason);
    }
  }

  private begin(message: SipMessage, atUs: TimeUs): void {
    const start = this.isLateCopy(message) ? undefined : startSession(message);
    if (!start) {
      this.counters.strayMessages++;
      return;
    }
    if (this.calls.size >= this.config.call.maxCalls) {
      // Counted by its INVITE, so that the number is one of calls (and their retransmissions), not of messages.
      if (message.kind === "request" && message.method === "INVITE") this.counters.refused++;
      return;
    }
    const call = new Call(makeCallId(atUs), start.state, atUs);
    this.calls.set(message.callId, call);
    this.counters.started++;
    this.guard.attach(call);
    if (!start.state.startSeen) call.warn("start-not-seen");
    this.guard.message(call, message, start.from, atUs);
    this.apply(call, start.events, atUs);
    this.identify(call, atUs);
  }

  /** Does the message belong to a call that was closed a short while ago? */
  private isLateCopy(message: SipMessage): boolean {
    const past = this.afterlives.get(message.callId);
    if (!past) return false;
    const step = stepSession(past.session, message);
    return !step.restart && !step.events.some((event) => event.type === "retried");
  }

  private bury(call: Call, nowUs: TimeUs): void {
    if (this.afterlives.size >= MAX_AFTERLIVES) this.afterlives.delete(this.afterlives.keys().next().value!);
    this.afterlives.delete(call.sipCallId);
    this.afterlives.set(call.sipCallId, { session: call.session, untilUs: nowUs + AFTERLIFE_US });
  }

  private forgetAfterlives(nowUs: TimeUs): void {
    for (const [callId, { untilUs }] of this.afterlives) {
      if (untilUs > nowUs && untilUs - nowUs <= AFTERLIFE_US) return;
      this.afterlives.delete(callId);
    }
  }

  private apply(call: Call, events: readonly SessionEvent[], atUs: TimeUs): void {
    for (const event of events) this.applyOne(call, event, atUs);
    if (events.length > 0) this.identify(call, atUs);
  }

  private applyOne(call: Call, event: SessionEvent, atUs: TimeUs): void {
    switch (event.type) {
      case "media":
        this.setDescription(call, event);
        break;
      case "answered":
        if (call.answeredAtUs !== undefined) break;
        call.answeredAtUs = atUs;
        this.keepOpen(call);
        this.observer.answered(call);
        break;
      case "retried":
        this.keepOpen(call);
        break;
      case "challenged":
        this.closeLater(call, "rejected", atUs, CHALLENGE_HOLD_US);
        break;
      case "failed":
        call.rejectStatus = event.status;
        this.closeLater(call, event.status === 487 ? "cancelled" : "rejected", atUs, failureHoldUs(event.status));
        break;
      case "cancelled":
        this.closeLater(call, "cancelled", atUs, RETRY_HOLD_US);
        break;
      case "ended":
        this.closeLater(call, "bye", atUs, this.config.call.tailMs * 1000);
        break;
      case "hold":
        call.addEvent({ atUs, kind: "hold", detail: { by: event.by } });
        break;
      case "resume":
        call.addEvent({ atUs, kind: "resume", detail: { by: event.by } });
        break;
      case "reinvite":
        call.addEvent({ atUs, kind: "reinvite", detail: { by: event.by } });
        break;
      default:
        break;
    }
  }

  /** `side` receives media as described: its addresses are registered and its old latch is void. */
  private setDescription(call: Call, event: Extract<SessionEvent, { type: "media" }>): void {
    const leg = call.legs[event.side];
    const audio = audioOf(event.description);
    if (!audio) return;
    if (audio.port > 0) {
      if (audio.address) this.register(leg, audio.address, audio.port);
      for (const candidate of audio.candidates.slice(0, CANDIDATE_LIMIT))
        this.register(leg, candidate.address, candidate.port);
    }
    if (event.path === "other-hop") return;
    // A renewed offer changes nothing until it is answered; the first one is all there is to go by.
    if (event.status === "offered" && leg.audio) return;
    leg.audio = audio;
    leg.latchedSource = undefined;
    call.changedSinceSnapshot = true;
    this.media.descriptionsChanged(call);
  }

  private register(leg: Leg, address: AddressWords, port: number): void {
    if (formatAddress(address) === "0.0.0.0" || formatAddress(address) === "::") return;
    this.endpoints.add(leg, address, port);
  }

  private identify(call: Call, atUs: TimeUs): void {
    const facts = ([0, 1] as const).map((side) => this.factsOf(call, side)) as [SideFacts, SideFacts];
    const verdict = identifyAgent(this.agentRules, facts);
    if (call.mediaContradictory) verdict.agent = undefined;
    if (verdict.agent !== call.agent.agent) call.changedSinceSnapshot = true;
    call.agent = { ...verdict, contradictory: verdict.contradictory || call.mediaContradictory };
    if (verdict.contradictory) {
      call.warn("agent-contradictory", { originator: verdict.evidence[0], answerer: verdict.evidence[1] });
    }
    this.media.judgeAgain(call);
    this.guard.changed(call, atUs);
  }

  private factsOf(call: Call, side: Side): SideFacts {
    const party = call.party(side);
    const users = [party.user];
    const asserted = side === 0 ? call.session.assertedIdentity : call.session.connectedIdentity;
    if (asserted) users.push(asserted.user);
    return { users, addresses: call.legs[side].audioAddresses };
  }

  private keepOpen(call: Call): void {
    call.closeAtUs = Number.POSITIVE_INFINITY;
    call.endedAtUs = undefined;
    call.endReason = undefined;
    this.closing.delete(call);
  }

  private closeLater(call: Call, reason: EndReason, atUs: TimeUs, holdUs: number): void {
    if (call.answeredAtUs !== undefined && reason !== "bye") return;
    if (call.endedAtUs !== undefined && reason === "bye") return;
    call.endedAtUs = atUs;
    call.endReason = reason;
    call.closeAtUs = atUs + holdUs;
    this.closing.add(call);
  }

  private sweepCall(call: Call, nowUs: TimeUs): void {
    if (call.mediaContradictory && !call.agent.contradictory) this.identify(call, nowUs);
    if (call.changedSinceSnapshot) {
      call.changedSinceSnapshot = false;
      this.observer.changed(call, nowUs);
    }
    if (call.endedAtUs !== undefined) return;
    const silentUs = nowUs - call.lastActivityUs;
    const { idleTimeoutMs, holdTimeoutMs, setupTimeoutMs } = this.config.call;
    if (call.answeredAtUs === undefined) {
      if (silentUs > setupTimeoutMs * 1000) this.end(call, nowUs, "no-answer");
    } else if (silentUs > (call.onHold ? holdTimeoutMs : idleTimeoutMs) * 1000) {
      this.end(call, nowUs, "idle");
    }
  }

  /** Ends a call whose end was not seen: it lasted until its last packet. */
  private end(call: Call, nowUs: TimeUs, reason: EndReason): void {
    call.endedAtUs = call.lastActivityUs;
    this.close(call, nowUs, reason);
  }

  private close(call: Call, nowUs: TimeUs, reason: EndReason): void {
    this.closing.delete(call);
    this.calls.delete(call.sipCallId);
    this.bury(call, nowUs);
    call.endReason = reason;
    call.endedAtUs ??= Math.min(nowUs, call.lastActivityUs);
    this.guard.detach(call, nowUs);
    for (const leg of call.legs) this.binder.release(leg);
    this.counters.ended++;
    this.observer.ended(call, describeCall(call, this.guard.report(call, nowUs)));
  }
}

function failureHoldUs(status: number): number {
  return RETRIED_STATUSES.has(status) ? CHALLENGE_HOLD_US : RETRY_HOLD_US;
}

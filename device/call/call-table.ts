// The call table: takes SIP messages to their dialogs and calls, sees to what the session's events call for, and tells
// whoever has to know: media path, guard, observer. Opens and closes calls and is their one owner; the rules are its
// neighbours'. Time is packet time.
import { makeCallId, type TimeUs } from "../base/ids.js";
import type { CallRecord, EndReason } from "../contract/call-record.js";
import type { Config } from "../contract/config.js";
import { copyWindowMs } from "../contract/copy-window.js";
import type { Datagram } from "../net/datagram.js";
import type { SipArrival } from "../sip/arrival.js";
import type { SipMessage } from "../sip/message.js";
import { type SessionEvent, type SessionStart, type SessionStep, startSession } from "../sip/session.js";
import { isFirstInvite } from "../sip/session-opening.js";
import { Afterlives } from "./afterlives.js";
import { AgentIdentifier } from "./agent-identifier.js";
import { FlowBinder } from "./binder.js";
import { audioOf, Call, MAX_DIALOGS } from "./call.js";
import { ClosingTimes } from "./closing-times.js";
import { describeCall } from "./describe.js";
import { Dialog } from "./dialog.js";
import { DialogIndex } from "./dialog-index.js";
import { EndpointTable } from "./endpoints.js";
import { GapWatch } from "./gap-watch.js";
import type { CallGuard } from "./guard.js";
import { HalfFinder } from "./half-finder.js";
import {
  type HalvesObserver,
  type JoinEvidence,
  joinHalves,
  obstacleTo,
  partHalves,
  type RelayPair,
} from "./halves.js";
import { type Claim, describeClaim, isEquallyStrong, JoinClaims, type Ruling } from "./join-claims.js";
import { MediaPath } from "./media-path.js";
import { MixWatch } from "./mix-watch.js";
import { judgeRoles } from "./roles.js";
import { separate } from "./separation.js";
import { noteJoin, noteSetup } from "./setup-sight.js";
import { changeDescription, changeIdentity, dismiss, originOf } from "./succession.js";
import { type Continuation, TransferTable } from "./transfers.js";

/** All calls are looked at for silence this often. */
const IDLE_SWEEP_US = 1_000_000;

export interface CallObserver extends HalvesObserver {
  started?(call: Call, atUs: TimeUs): void;
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
  transfers = 0;
  halvesJoined = 0;
  halvesSeparated = 0;
}

export class CallTable {
  readonly counters = new CallCounters();
  readonly media: MediaPath;
  /** Where lost packets were lost. */
  readonly gaps = new GapWatch((sinceUs) => this.streamsSince(sinceUs));
  private readonly agents: AgentIdentifier;
  private readonly config: Config;
  private readonly guard: CallGuard;
  private readonly observer: CallObserver;
  private readonly endpoints: EndpointTable;
  private readonly binder: FlowBinder;
  private readonly transfers = new TransferTable();
  private readonly halves: HalfFinder;
  private readonly claims = new JoinClaims();
  private readonly mixes: MixWatch;
  /** Every dialog that is not closed. */
  private readonly dialogs = new DialogIndex();
  private readonly calls = new Set<Call>();
  private readonly afterlives = new Afterlives();
  private readonly closing: ClosingTimes;
  private nextIdleSweepUs = 0;

  constructor(config: Config, guard: CallGuard, observer: CallObserver) {
    this.config = config;
    this.guard = guard;
    this.observer = observer;
    this.agents = new AgentIdentifier(config);
    this.closing = new ClosingTimes(config.call);
    this.endpoints = new EndpointTable(config.call.maxCalls * 8);
    this.binder = new FlowBinder(this.endpoints);
    this.halves = new HalfFinder(config, (pair, evidence, atUs) => this.join(pair, evidence, atUs));
    this.media = new MediaPath(
      { ...config.rtp, copyWindowMs: copyWindowMs(config) },
      this.endpoints,
      this.binder,
      this.agents,
      this.halves,
      guard,
      this.gaps,
    );
    this.mixes = new MixWatch(config.agents.mixedStreams === "trust");
  }

  /** Calls followed at the moment. */
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
      "call.transfers": counters.transfers,
      "call.halves-joined": counters.halvesJoined,
      "call.halves-separated": counters.halvesSeparated,
      "call.endpoints-refused": this.endpoints.refused,
      "call.media-contradictions": this.binder.contradictions,
      "call.flows-crowded-out": this.binder.crowdedOut,
      ...this.halves.exportCounters(),
      ...this.agents.exportCounters(),
      ...media.exportCounters(),
    };
  }

  /** Takes one SIP message as seen at one hop. */
  handleMessage(message: SipMessage, arrival: SipArrival): void {
    const { atUs } = arrival;
    this.agents.observe(message, arrival);
    const found = this.dialogs.stepFor(message);
    if (!found) {
      this.begin(message, arrival);
      return;
    }
    const { dialog, step } = found;
    if (step.restart) {
      this.closeDialog(dialog, atUs, dialog.endReason ?? "bye");
      this.begin(message, arrival);
      return;
    }
    dialog.session = step.state;
    this.take(dialog, message, step, arrival);
  }

  /** RTCP keeps a call alive that is silent otherwise; nothing else is taken from it. */
  handleRtcp(datagram: Datagram): void {
    const port = datagram.key[8]! & 0xffff;
    const endpoint = this.endpoints.find(datagram.key, 4, port - 1) ?? this.endpoints.find(datagram.key, 4, port);
    if (!endpoint) return;
    for (const leg of endpoint.uses) leg.dialog.lastActivityUs = datagram.capturedAtUs;
  }

  /** Sweep: closes what is due. Cheap; called every 50 ms or so of packet time. */
  tick(nowUs: TimeUs): void {
    for (const dialog of this.closing.dueDialogs(nowUs)) this.closeDialog(dialog, nowUs, dialog.endReason ?? "bye");
    for (const call of this.closing.dueCalls(nowUs)) this.closeCall(call, nowUs);
    this.guard.tick(nowUs);
    if (nowUs < this.nextIdleSweepUs && this.nextIdleSweepUs - nowUs <= IDLE_SWEEP_US) return;
    this.nextIdleSweepUs = nowUs + IDLE_SWEEP_US;
    for (const call of this.calls) this.sweepCall(call, nowUs);
    this.media.sweep(nowUs);
    this.gaps.sweep(nowUs);
    this.afterlives.sweep(nowUs);
    this.agents.sweep(nowUs);
  }

  /** The capture is over or the engine stops: every call is closed with what it has. */
  closeAll(nowUs: TimeUs): void {
    for (const dialog of this.dialogs.all()) {
      this.closeDialog(dialog, Math.max(nowUs, dialog.lastActivityUs), dialog.endReason ?? "capture-ended");
    }
    for (const call of this.closing.dueCalls(Number.POSITIVE_INFINITY)) this.closeCall(call, nowUs);
  }

  private streamsSince(sinceUs: TimeUs): number {
    let count = 0;
    for (const { streams } of this.calls) for (const { lastAtUs } of streams) if (lastAtUs >= sinceUs) count++;
    return count;
  }

  private begin(message: SipMessage, arrival: SipArrival): void {
    const isNew = this.dialogs.hasRoom(message.callId) && !this.afterlives.isLateCopy(message);
    const start = isNew ? startSession(message) : undefined;
    if (!start) {
      this.counters.strayMessages++;
      return;
    }
    if (this.dialogs.size >= this.config.call.maxCalls) {
      // Counted by its INVITE, so that the number is one of calls (and their retransmissions), not of messages.
      if (message.kind === "request" && message.method === "INVITE") this.counters.refused++;
      return;
    }
    const goesOn = this.transfers.continuationOf(message, arrival, this.dialogs);
    const isRoom = goesOn !== undefined && goesOn.dialog.call.dialogs.length < MAX_DIALOGS;
    const dialog = goesOn && isRoom ? this.goOn(goesOn, start, arrival.atUs) : this.beginCall(start, arrival.atUs);
    this.dialogs.add(dialog);
    this.guard.addDialog(dialog);
    noteJoin(dialog, message, this.dialogs, arrival.atUs);
    this.take(dialog, message, start, arrival);
    this.identify(dialog.call, arrival.atUs);
  }

  private beginCall(start: SessionStart, atUs: TimeUs): Dialog {
    const call = new Call(makeCallId(atUs), atUs);
    const dialog = new Dialog(call, start.state, atUs, [call.parties[0]!, call.parties[1]!], false);
    call.addDialog(dialog);
    this.calls.add(call);
    this.counters.started++;
    this.guard.attach(call);
    if (!start.state.startSeen) call.warn("start-not-seen");
    this.observer.started?.(call, atUs);
    return dialog;
  }

  private goOn(goesOn: Continuation, start: SessionStart, atUs: TimeUs): Dialog {
    const dialog = this.transfers.goOn(goesOn, start, atUs);
    this.closing.forgetCall(dialog.call);
    this.counters.transfers++;
    return dialog;
  }

  private take(dialog: Dialog, message: SipMessage, step: SessionStart | SessionStep, arrival: SipArrival): void {
    const { events, from } = step;
    const { atUs } = arrival;
    dialog.lastActivityUs = atUs;
    dialog.lastMessageUs = atUs;
    noteSetup(dialog, message, step, arrival, this.config.numbers);
    if (isFirstInvite(message)) this.halves.note(dialog, message, arrival);
    this.guard.message(dialog, message, from, atUs);
    for (const event of events) this.apply(dialog, event, atUs);
    if (events.length > 0) this.identify(dialog.call, atUs);
    if (events.some(({ type }) => type === "answered")) this.halves.answered(dialog, atUs);
  }

  private apply(dialog: Dialog, event: SessionEvent, atUs: TimeUs): void {
    switch (event.type) {
      case "media":
        this.setDescription(dialog, event, atUs);
        break;
      case "answered":
        this.answer(dialog, atUs);
        break;
      case "retried":
        this.closing.keepOpen(dialog);
        break;
      case "challenged":
      case "failed":
      case "cancelled":
      case "ended":
        this.closing.ended(dialog, event, atUs);
        break;
      case "hold":
        dialog.legs[event.by].hasHeld = true;
        dialog.call.addEvent({ atUs, kind: event.type, detail: { by: dialog.legs[event.by].side } });
        break;
      case "resume":
      case "reinvite":
        dialog.call.addEvent({ atUs, kind: event.type, detail: { by: dialog.legs[event.by].side } });
        break;
      case "early-media":
        dialog.call.addEvent({ atUs, kind: event.type, detail: { by: dialog.legs[event.side].side } });
        break;
      case "refer":
        this.transfers.asked(dialog, { atUs, by: event.by, targetUser: event.targetUser, replaces: event.replaces });
        break;
      case "refer-refused":
        this.transfers.forget(dialog);
        break;
      case "identity":
        changeIdentity(dialog.legs[event.side], event.identity, atUs);
        break;
      default:
        break;
    }
  }

  private answer(dialog: Dialog, atUs: TimeUs): void {
    if (dialog.answeredAtUs !== undefined) return;
    const { call } = dialog;
    dialog.answeredAtUs = atUs;
    call.answeredAtUs ??= atUs;
    for (const { party } of dialog.legs)
      if (party.joinedBy !== "start" && party.fromUs === dialog.startedAtUs) party.fromUs = atUs;
    this.closing.keepOpen(dialog);
    if (dialog.joins) {
      dialog.joins.joinedBy.add(dialog);
      this.identify(dialog.joins.call, atUs);
    }
    this.observer.answered(call);
  }

  /** `side` receives media as described: its addresses are registered and its old latch is void. */
  private setDescription(dialog: Dialog, event: Extract<SessionEvent, { type: "media" }>, atUs: TimeUs): void {
    const leg = dialog.legs[event.side];
    const audio = audioOf(event.description);
    if (!audio) return;
    this.endpoints.addDescribed(leg, audio);
    if (event.path === "other-hop") return;
    // A renewed offer changes nothing until it is answered; the first one is all there is to go by.
    if (event.status === "offered" && leg.audio) return;
    leg.latchedSource = undefined;
    changeDescription(leg, audio, originOf(event.description), this.guard, atUs);
    dialog.call.changedSinceSnapshot = true;
    this.media.descriptionsChanged(dialog.call);
  }

  /** Makes two dialogs one call; false for evidence that does not fit what is known already, which is then named. */
  private join(pair: RelayPair, evidence: JoinEvidence, atUs: TimeUs): boolean {
    // Within one call a later dialog takes over when the former has ended.
    if (pair.edge.call === pair.relay.call && pair.relay.edge !== pair.edge && obstacleTo(pair) !== undefined)
      return false;
    const ruling = this.claims.enter(pair, evidence);
    if (ruling === undefined) return pair.relay.edge === pair.edge;
    for (const undone of ruling.undone) this.separate(undone, atUs);
    this.warnOfRivals(ruling);
    if (pair.relay.edge === pair.edge) return true;
    if (!ruling.prevails) return false;
    const obstacle = obstacleTo(pair);
    if (obstacle !== undefined) {
      this.claims.drop(ruling.claim);
      if (pair.edge.call !== pair.relay.call)
        pair.edge.call.warn("halves-contradictory", { by: evidence.by, obstacle });
      return false;
    }
    ruling.claim.isJoined = true;
    const calls = [pair.edge.call, pair.relay.call];
    const call = joinHalves(pair, evidence, atUs, this.guard, this.observer);
    this.counters.halvesJoined++;
    this.identify(call, atUs);
    const gone = calls.find((one) => one !== call);
    if (!gone || !this.calls.has(gone)) return true;
    if (gone.dialogs.every((dialog) => dialog.call !== gone)) this.calls.delete(gone);
    else if (gone.dialogs.every((dialog) => dialog.isClosed)) this.closeCall(gone, atUs);
    return true;
  }

  /** The halves are not of one call, or it is not known that they are. */
  private separate(claim: Claim, atUs: TimeUs): void {
    claim.isJoined = false;
    const { call } = claim.pair.edge;
    this.counters.halvesSeparated++;
    const own = separate(claim.pair, atUs, this.guard, this.observer);
    const detail = { by: claim.evidence.by, ...claim.evidence.detail };
    for (const one of own ? [call, own] : [call])
      one.joins.push({ atUs, kind: "correlation", effect: "none", detail: { separated: true, ...detail } });
    if (own) {
      this.calls.add(own);
      this.identify(own, atUs);
    }
    this.identify(call, atUs);
  }

  /** Every call that is concerned names both pieces of evidence. */
  private warnOfRivals({ claim, rival, prevails, undone }: Ruling): void {
    if (rival === undefined || (prevails && undone.length === 0)) return;
    const weaker = prevails ? undone[0]! : claim;
    const holds = prevails ? claim : rival;
    const detail = isEquallyStrong(weaker, holds)
      ? { either: describeClaim(holds), or: describeClaim(weaker) }
      : { holds: describeClaim(holds), against: describeClaim(weaker) };
    for (const { pair } of [claim, rival, ...undone])
      for (const leg of [pair.edge, pair.relay]) leg.call.warn("halves-contradictory", detail);
  }

  private identify(call: Call, atUs: TimeUs): void {
    for (const dialog of call.dialogs) {
      if (dialog.isLive) judgeRoles(dialog, this.agents, this.config.numbers);
    }
    for (const other of this.mixes.update(call)) {
      this.media.judgeAgain(other);
      this.guard.changed(other, atUs);
    }
    this.media.judgeAgain(call);
    this.guard.changed(call, atUs);
  }

  private sweepCall(call: Call, nowUs: TimeUs): void {
    if (call.dialogs.some((dialog) => dialog.mediaContradictory && !dialog.agent.contradictory))
      this.identify(call, nowUs);
    if (call.changedSinceSnapshot) {
      call.changedSinceSnapshot = false;
      this.observer.changed(call, nowUs);
    }
    for (const dialog of call.dialogs) {
      const reason = dialog.isLive ? this.closing.endBySilence(dialog, nowUs) : undefined;
      if (reason !== undefined) this.closeDialog(dialog, nowUs, reason);
    }
  }

  private closeDialog(dialog: Dialog, nowUs: TimeUs, reason: EndReason): void {
    const { call } = dialog;
    this.closing.forgetDialog(dialog);
    this.dialogs.delete(dialog);
    dialog.isClosed = true;
    this.afterlives.bury(dialog.session, nowUs);
    dialog.endReason = reason;
    // Without an end that was seen it lasted until its last packet.
    dialog.endedAtUs ??= Math.min(nowUs, dialog.lastActivityUs);
    this.guard.closeDialog(dialog, nowUs);
    for (const leg of dialog.legs) {
      this.media.release(leg);
      this.binder.release(leg);
    }
    this.halves.forget(dialog);
    this.claims.forget(dialog);
    partHalves(dialog, nowUs);
    dismiss(dialog);
    if (dialog.joins?.joinedBy.delete(dialog)) this.identify(dialog.joins.call, nowUs);
    this.identify(call, nowUs);
    if (call.dialogs.some((other) => !other.isClosed)) return;
    if (!this.closing.waitForTransfer(call, dialog, nowUs)) this.closeCall(call, nowUs);
  }

  private closeCall(call: Call, nowUs: TimeUs): void {
    this.closing.forgetCall(call);
    this.calls.delete(call);
    for (const dialog of call.dialogs) this.transfers.forget(dialog);
    this.guard.detach(call, nowUs);
    this.counters.ended++;
    this.observer.ended(call, describeCall(call, this.guard.report(call, nowUs)));
    this.guard.forget(call);
  }
}

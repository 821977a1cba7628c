// The call table: turns SIP messages into dialogs and calls, tells who is the agent, registers where media is received,
// and closes calls by BYE, failure, silence or the end of the capture. The one owner of calls. Time is packet time.
import { type AddressWords, formatAddress } from "../base/address.js";
import { makeCallId, otherSide, type Side, type TimeUs } from "../base/ids.js";
import type { CallRecord, EndReason } from "../contract/call-record.js";
import type { Config } from "../contract/config.js";
import { copyWindowMs } from "../contract/copy-window.js";
import type { Datagram } from "../net/datagram.js";
import { splitUri } from "../sip/address.js";
import type { SipArrival } from "../sip/arrival.js";
import type { Diversion } from "../sip/diversions.js";
import { readIdentities } from "../sip/identity.js";
import type { SipAddress, SipMessage } from "../sip/message.js";
import { type SessionEvent, type SessionStart, startSession } from "../sip/session.js";
import { readJoin } from "../sip/transfer.js";
import { Afterlives } from "./afterlives.js";
import { AgentIdentifier } from "./agent-identifier.js";
import { FlowBinder } from "./binder.js";
import { audioOf, Call, MAX_DIALOGS } from "./call.js";
import { describeCall } from "./describe.js";
import { Dialog } from "./dialog.js";
import { DialogIndex } from "./dialog-index.js";
import { EndpointTable } from "./endpoints.js";
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
import type { Leg } from "./leg.js";
import { MediaPath } from "./media-path.js";
import { MixWatch } from "./mix-watch.js";
import { comparableNumber, type NumberRules } from "./numbers.js";
import { Party } from "./party.js";
import { judgeRoles } from "./roles.js";
import { isSameSpeaker, originOf, speakerKey, successorOn } from "./succession.js";
import { type Continuation, TransferTable } from "./transfers.js";

/** Time a failed attempt is kept for the INVITE that follows a challenge (RFC 3261 §22): a person may be asked. */
const CHALLENGE_HOLD_US = 60_000_000;
/** Time a failed attempt is kept for another try under the same Call-ID (overlap dialling, RFC 3578). */
const RETRY_HOLD_US = 10_000_000;
/** All calls are looked at for silence this often. */
const IDLE_SWEEP_US = 1_000_000;
/** Final responses after which the same user agent tries again with the same Call-ID. */
const RETRIED_STATUSES = new Set([401, 407, 421, 422, 423, 494]);
const CANDIDATE_LIMIT = 8;
/** Diversions entered in a call's history. */
const MAX_DIVERSIONS = 4;
/** Digits at the end of a number that tell one subscriber from another, however the rest is written. */
const LEAST_SAME_DIGITS = 7;
/** A half whose other half has ended is over after so much silence: its BYE was missed. */
const HALF_IDLE_US = 30_000_000;
/** A session timer has run out this long after its interval (RFC 4028 §10: 32 s before it the refresher gives up). */
const TIMER_SLACK_US = 32_000_000;

export interface CallObserver extends HalvesObserver {
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
}

export class CallTable {
  readonly counters = new CallCounters();
  readonly media: MediaPath;
  private readonly agents: AgentIdentifier;
  private readonly config: Config;
  private readonly guard: CallGuard;
  private readonly observer: CallObserver;
  private readonly endpoints: EndpointTable;
  private readonly binder: FlowBinder;
  private readonly transfers = new TransferTable();
  private readonly halves: HalfFinder;
  private readonly mixes: MixWatch;
  /** Every dialog that is not closed. */
  private readonly dialogs = new DialogIndex();
  private readonly calls = new Set<Call>();
  private readonly afterlives = new Afterlives();
  /** Dialogs with a closing time. */
  private readonly closing = new Set<Dialog>();
  /** Calls without a live dialog that wait for the one a transfer announced. */
  private readonly lingering = new Set<Call>();
  private nextIdleSweepUs = 0;

  constructor(config: Config, guard: CallGuard, observer: CallObserver) {
    this.config = config;
    this.guard = guard;
    this.observer = observer;
    this.agents = new AgentIdentifier(config);
    this.endpoints = new EndpointTable(config.call.maxCalls * 8);
    this.binder = new FlowBinder(this.endpoints);
    this.halves = new HalfFinder(
      {
        headers: config.correlation.headers.map((name) => name.toLowerCase()),
        byNumber: config.correlation.byNumber,
        byPayload: config.correlation.byPayload,
        normalize: (user) => comparableNumber(user, config.numbers),
        maxStreams: config.rtp.maxFlows,
      },
      (pair, evidence, atUs) => this.join(pair, evidence, atUs),
    );
    this.media = new MediaPath(
      { ...config.rtp, copyWindowMs: copyWindowMs(config) },
      this.endpoints,
      this.binder,
      this.agents,
      this.halves,
      guard,
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
    this.take(dialog, message, step.events, step.from, arrival);
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
    for (const dialog of this.closing) {
      if (nowUs >= dialog.closeAtUs) this.closeDialog(dialog, nowUs, dialog.endReason ?? "bye");
    }
    for (const call of this.lingering) if (nowUs >= call.lingerUntilUs) this.closeCall(call, nowUs);
    this.guard.tick(nowUs);
    if (nowUs < this.nextIdleSweepUs && this.nextIdleSweepUs - nowUs <= IDLE_SWEEP_US) return;
    this.nextIdleSweepUs = nowUs + IDLE_SWEEP_US;
    for (const call of this.calls) this.sweepCall(call, nowUs);
    this.media.sweep(nowUs);
    this.afterlives.sweep(nowUs);
    this.agents.sweep(nowUs);
  }

  /** The capture is over or the engine stops: every call is closed with what it has. */
  closeAll(nowUs: TimeUs): void {
    for (const dialog of this.dialogs.all()) {
      this.closeDialog(dialog, Math.max(nowUs, dialog.lastActivityUs), dialog.endReason ?? "capture-ended");
    }
    for (const call of [...this.lingering]) this.closeCall(call, nowUs);
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
    this.noteJoin(dialog, message, arrival.atUs);
    this.take(dialog, message, start.events, start.from, arrival);
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
    return dialog;
  }

  /** Somebody asks to be let into a conversation that is up: whoever it asks will mix (RFC 3911). */
  private noteJoin(dialog: Dialog, message: SipMessage, atUs: TimeUs): void {
    const join = readJoin(message);
    const named = join && this.dialogs.named(join);
    if (!named || named.dialog === dialog) return;
    dialog.joins = named.dialog.legs[named.side];
    const { call } = named.dialog;
    call.addEvent({ atUs, kind: "transfer", detail: { kind: "join", to: message.from.user.slice(0, 64) } });
  }

  /** A transfer: the call goes on in a new dialog, one party stays, the other is new and without consent. */
  private goOn({ dialog: former, side, newSide, kind }: Continuation, start: SessionStart, atUs: TimeUs): Dialog {
    const { call } = former;
    const staying = former.legs[side];
    const newcomer = new Party(otherSide(staying.side), kind === "replaces" ? "replaces" : "transfer", atUs);
    call.addParty(newcomer);
    const parties: [Party, Party] =
      newSide === 0 ? [staying.nearest.party, newcomer] : [newcomer, staying.nearest.party];
    const dialog = new Dialog(call, start.state, atUs, parties, newSide !== staying.side);
    call.addDialog(dialog);
    call.addEvent({
      atUs,
      kind: "transfer",
      detail: { kind, to: dialog.address(otherSide(newSide)).user.slice(0, 64) },
    });
    this.transfers.forget(former);
    this.lingering.delete(call);
    this.counters.transfers++;
    return dialog;
  }

  private take(
    dialog: Dialog,
    message: SipMessage,
    events: readonly SessionEvent[],
    from: Side | undefined,
    arrival: SipArrival,
  ): void {
    const { atUs } = arrival;
    dialog.lastActivityUs = atUs;
    dialog.lastMessageUs = atUs;
    if (message.method === "INVITE" || message.method === "UPDATE") this.lookAt(dialog, message, events, from, arrival);
    this.guard.message(dialog, message, from, atUs);
    for (const event of events) this.apply(dialog, event, atUs);
    if (events.length > 0) this.identify(dialog.call, atUs);
    if (events.some(({ type }) => type === "answered")) this.halves.answered(dialog, atUs);
  }

  /** What a message that sets up or changes the session shows of who sent it, and how it came here. */
  private lookAt(
    dialog: Dialog,
    message: SipMessage,
    events: readonly SessionEvent[],
    from: Side | undefined,
    arrival: SipArrival,
  ): void {
    const identities = readIdentities(message, from);
    if (from === 1 && events.some(({ type }) => type === "answered")) dialog.sights[1].clear();
    if (from !== undefined) dialog.sights[from].note(message, identities, arrival);
    if (message.kind !== "request" || message.method !== "INVITE" || message.to.tag !== "") return;
    this.halves.note(dialog, message, arrival);
    noteDiversions(dialog, identities.diversions, arrival.atUs);
    if (isRetargeted(message, this.config.numbers)) dialog.retargetedFrom = message.to.user;
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
        this.keepOpen(dialog);
        break;
      case "challenged":
        this.closeLater(dialog, "rejected", atUs, CHALLENGE_HOLD_US);
        break;
      case "failed":
        dialog.rejectStatus = event.status;
        this.closeLater(dialog, event.status === 487 ? "cancelled" : "rejected", atUs, failureHoldUs(event.status));
        break;
      case "cancelled":
        this.closeLater(dialog, "cancelled", atUs, RETRY_HOLD_US);
        break;
      case "ended":
        this.closeLater(dialog, "bye", atUs, this.config.call.tailMs * 1000);
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
        this.changeIdentity(dialog.legs[event.side], event.identity, atUs);
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
    this.keepOpen(dialog);
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
    if (audio.port > 0) {
      if (audio.address) this.register(leg, audio.address, audio.port);
      for (const candidate of audio.candidates.slice(0, CANDIDATE_LIMIT))
        this.register(leg, candidate.address, candidate.port);
    }
    if (event.path === "other-hop") return;
    // A renewed offer changes nothing until it is answered; the first one is all there is to go by.
    if (event.status === "offered" && leg.audio) return;
    const origin = originOf(event.description);
    const isDoubtful = this.mayBeSomebodyElse(leg);
    const isSucceeded =
      dialog.answeredAtUs !== undefined &&
      !this.isAgent(leg) &&
      (isDoubtful || !isSameSpeaker(leg, origin, audio.address));
    const former = leg.party;
    const formerKey = speakerKey(leg);
    leg.audio = audio;
    leg.origin = origin;
    leg.latchedSource = undefined;
    if (isSucceeded) this.succeed(leg, formerKey, atUs);
    if (isDoubtful) this.guard.takeRefusals(dialog.call, leg.party, former, atUs);
    dialog.call.changedSinceSnapshot = true;
    this.media.descriptionsChanged(dialog.call);
  }

  /**
   * Of a dialog whose beginning was not seen nobody knows who described the side before: what was said until its first
   * description may have been said by somebody else.
   */
  private mayBeSomebodyElse(leg: Leg): boolean {
    if (leg.origin !== undefined || !leg.dialog.isSeenFromMiddle) return false;
    return this.guard.hasHeardOf(leg.party, leg.call);
  }

  private isAgent(leg: Leg): boolean {
    return leg.dialog.agent.agent === leg.side;
  }

  /** The network names another person on the leg (RFC 3325, RFC 4916). */
  private changeIdentity(leg: Leg, identity: SipAddress, atUs: TimeUs): void {
    if (leg.dialog.answeredAtUs === undefined || leg.party.identity.user === identity.user) return;
    const formerKey = speakerKey(leg);
    leg.identity = { uri: identity.uri, user: identity.user, name: identity.name };
    this.succeed(leg, formerKey, atUs);
  }

  /** Somebody else may speak on the leg from now on: whoever it is has given no consent, unless it was here before. */
  private succeed(leg: Leg, formerKey: string, atUs: TimeUs): void {
    const before = leg.party;
    const party = successorOn(leg, formerKey, atUs);
    if (party === before) return;
    before.toUs = atUs;
    party.toUs = undefined;
    leg.party = party;
    for (const other of leg.call.dialogs) {
      for (const relay of other.legs) if (relay.nearest === leg) relay.party = party;
    }
    if (!leg.call.parties.includes(party)) leg.call.addParty(party);
  }

  private register(leg: Leg, address: AddressWords, port: number): void {
    if (formatAddress(address) === "0.0.0.0" || formatAddress(address) === "::") return;
    this.endpoints.add(leg, address, port);
  }

  /** Makes two dialogs one call; false for evidence that does not fit what is known already, which is then named. */
  private join(pair: RelayPair, evidence: JoinEvidence, atUs: TimeUs): boolean {
    if (pair.relay.edge === pair.edge) return true;
    const obstacle = obstacleTo(pair);
    if (obstacle !== undefined) {
      if (pair.edge.call !== pair.relay.call)
        pair.edge.call.warn("halves-contradictory", { by: evidence.by, obstacle });
      return false;
    }
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

  private keepOpen(dialog: Dialog): void {
    dialog.closeAtUs = Number.POSITIVE_INFINITY;
    dialog.endedAtUs = undefined;
    dialog.endReason = undefined;
    this.closing.delete(dialog);
  }

  private closeLater(dialog: Dialog, reason: EndReason, atUs: TimeUs, holdUs: number): void {
    if (dialog.answeredAtUs !== undefined && reason !== "bye") return;
    if (dialog.endedAtUs !== undefined && reason === "bye") return;
    dialog.endedAtUs = atUs;
    dialog.endReason = reason;
    dialog.closeAtUs = atUs + holdUs;
    this.closing.add(dialog);
  }

  private sweepCall(call: Call, nowUs: TimeUs): void {
    if (call.dialogs.some((dialog) => dialog.mediaContradictory && !dialog.agent.contradictory))
      this.identify(call, nowUs);
    if (call.changedSinceSnapshot) {
      call.changedSinceSnapshot = false;
      this.observer.changed(call, nowUs);
    }
    for (const dialog of call.dialogs) if (dialog.isLive) this.sweepDialog(dialog, nowUs);
  }

  private sweepDialog(dialog: Dialog, nowUs: TimeUs): void {
    const silentUs = nowUs - dialog.lastActivityUs;
    const { setupTimeoutMs } = this.config.call;
    if (dialog.answeredAtUs === undefined) {
      if (silentUs > setupTimeoutMs * 1000) this.end(dialog, nowUs, "no-answer");
    } else if (silentUs > this.idleLimitUs(dialog, nowUs)) {
      this.end(dialog, nowUs, "idle");
    }
  }

  private idleLimitUs(dialog: Dialog, nowUs: TimeUs): number {
    const { idleTimeoutMs, holdTimeoutMs } = this.config.call;
    if ([...dialog.halves].some((half) => !half.isLive)) return HALF_IDLE_US;
    if (!dialog.onHold) return idleTimeoutMs * 1000;
    const intervalUs = dialog.session.sessionExpiresS * 1_000_000;
    const isTimerOver = intervalUs > 0 && nowUs - dialog.lastMessageUs > intervalUs + TIMER_SLACK_US;
    return isTimerOver ? 0 : holdTimeoutMs * 1000;
  }

  /** Ends a dialog whose end was not seen: it lasted until its last packet. */
  private end(dialog: Dialog, nowUs: TimeUs, reason: EndReason): void {
    dialog.endedAtUs = dialog.lastActivityUs;
    this.closeDialog(dialog, nowUs, reason);
  }

  private closeDialog(dialog: Dialog, nowUs: TimeUs, reason: EndReason): void {
    const { call } = dialog;
    this.closing.delete(dialog);
    this.dialogs.delete(dialog);
    dialog.isClosed = true;
    this.afterlives.bury(dialog.session, nowUs);
    dialog.endReason = reason;
    dialog.endedAtUs ??= Math.min(nowUs, dialog.lastActivityUs);
    this.guard.closeDialog(dialog, nowUs);
    for (const leg of dialog.legs) {
      this.media.release(leg);
      this.binder.release(leg);
    }
    this.halves.forget(dialog);
    partHalves(dialog, nowUs);
    dismiss(dialog);
    if (dialog.joins?.joinedBy.delete(dialog)) this.identify(dialog.joins.call, nowUs);
    this.identify(call, nowUs);
    if (call.dialogs.some((other) => !other.isClosed)) return;
    const waiting = call.dialogs.find((other) => other.transfer !== undefined);
    call.lingerUntilUs = dialog.endedAtUs + this.config.call.transferMs * 1000;
    // The INVITE that a REFER announced may still come.
    if (waiting && reason === "bye" && nowUs < call.lingerUntilUs) this.lingering.add(call);
    else this.closeCall(call, nowUs);
  }

  private closeCall(call: Call, nowUs: TimeUs): void {
    this.lingering.delete(call);
    this.calls.delete(call);
    for (const dialog of call.dialogs) this.transfers.forget(dialog);
    this.guard.detach(call, nowUs);
    this.counters.ended++;
    this.observer.ended(call, describeCall(call, this.guard.report(call, nowUs)));
    this.guard.forget(call);
  }
}

/** Who was only on this dialog has left; who never spoke in a transfer that failed was never there. */
function dismiss(dialog: Dialog): void {
  const { call } = dialog;
  for (const { party } of dialog.legs) {
    const isElsewhere = call.dialogs.some((other) => !other.isClosed && other.legs.some((leg) => leg.party === party));
    if (isElsewhere) continue;
    party.toUs ??= dialog.endedAtUs;
    const at = call.parties.indexOf(party);
    if (at >= 2 && dialog.answeredAtUs === undefined && !call.streams.some((stream) => stream.party === party))
      call.parties.splice(at, 1);
  }
}

function failureHoldUs(status: number): number {
  return RETRIED_STATUSES.has(status) ? CHALLENGE_HOLD_US : RETRY_HOLD_US;
}

/** A proxy sent the INVITE to another telephone number than the one in To, which stays as it was (RFC 3261 §16.6). */
function isRetargeted(message: SipMessage, numbers: NumberRules): boolean {
  const [target, named] = [splitUri(message.requestUri).user, message.to.user].map((user) =>
    comparableNumber(user, numbers),
  );
  // Without a country code one number may be written with and without it.
  return target !== "" && target?.slice(-LEAST_SAME_DIGITS) !== named?.slice(-LEAST_SAME_DIGITS);
}

/** Who passed the call on before it came here (RFC 5806, RFC 7044), for its history; said once. */
function noteDiversions(dialog: Dialog, diversions: readonly Diversion[], atUs: TimeUs): void {
  if (dialog.diverting.length > 0 || diversions.length === 0) return;
  dialog.diverting = diversions.map(({ user }) => user);
  for (const { user, reason } of diversions.slice(0, MAX_DIVERSIONS)) {
    dialog.call.addEvent({ atUs, kind: "diverted", detail: { by: user.slice(0, 64), reason } });
  }
}

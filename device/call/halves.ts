// Joins the halves of one call: two dialogs that the mirror shows on both sides of a PBX become one call, with each
// person's audio taken where it is nearest to that person. Moves one call's dialogs, parties and streams into another;
// what counts as evidence is correlation.ts's.
import { otherSide, type Side, type TimeUs } from "../base/ids.js";
import type { Call } from "./call.js";
import { MAX_DIALOGS } from "./call.js";
import type { Dialog } from "./dialog.js";
import type { Binding } from "./flow.js";
import type { CallGuard } from "./guard.js";
import { type Leg, MAX_HALVES } from "./leg.js";
import { Party } from "./party.js";
import { type CallStream, discardCode } from "./stream.js";

/** A half's audio may overtake its answer by this much. */
const OVERTAKES_US = 500_000;
const OTHER_HALF = discardCode("other-half");

/** `relay` repeats what the person on `edge` says. */
export interface RelayPair {
  edge: Leg;
  relay: Leg;
}

/** Why two dialogs are one call, for the record. */
export interface JoinEvidence {
  by: "header" | "replaces" | "payload" | "media" | "number";
  detail: Record<string, string | number | boolean>;
}

/** Told when a call has become part of another, so that its journal can follow. */
export interface HalvesObserver {
  /** `moved`: streams whose journalled packets belong to `call` from now on, with the place they had in `other`. */
  absorbed(call: Call, other: Call, moved: readonly MovedStream[], atUs: TimeUs): void;
  /** A half has become a call of its own. `moved`: streams whose journalled packets belong to `call` from now on. */
  separated(call: Call, former: Call, moved: readonly MovedStream[], atUs: TimeUs): void;
}

export interface MovedStream {
  stream: CallStream;
  formerIndex: number;
  formerSide: Side;
}

/** Is one of the legs known as the relay of another one already? */
export function isTaken({ edge, relay }: RelayPair): boolean {
  return relay.edge !== undefined || edge.other.edge !== undefined;
}

/** Why two dialogs cannot be joined on `pair`; undefined when they can. */
export function obstacleTo(pair: RelayPair): string | undefined {
  const { edge, relay } = pair;
  if (edge.dialog === relay.dialog) return "one dialog";
  if (isTaken(pair)) return "joined already";
  if (edge.nearest.dialog === relay.dialog || relay.other.nearest.dialog === edge.dialog) return "circle";
  if (edge.call !== relay.call && edge.call.dialogs.length + relay.call.dialogs.length > MAX_DIALOGS)
    return "too many dialogs";
  if (depthBehind(edge) + 1 >= MAX_HALVES) return "too many halves";
  return undefined;
}

/** Makes the dialogs of `pair` one call. The older call goes on, the younger becomes part of it. */
export function joinHalves(
  pair: RelayPair,
  evidence: JoinEvidence,
  atUs: TimeUs,
  guard: CallGuard,
  observer: HalvesObserver,
): Call {
  const { edge, relay } = pair;
  const isEdgeOlder = edge.call.startedAtUs <= relay.call.startedAtUs;
  const [call, other, newcomer] = isEdgeOlder
    ? [edge.call, relay.call, relay.dialog]
    : [relay.call, edge.call, edge.dialog];
  if (call !== other) bringIn(call, other, newcomer, edge.side !== relay.side, atUs, guard, observer);
  relay.edge = edge;
  edge.other.edge = relay.other;
  for (const [person, standIn] of [
    [edge.nearest, relay],
    [relay.other.nearest, edge.other],
  ] as const) {
    const sinceUs = person.dialog.answeredAtUs ?? atUs;
    for (const former of new Set([standIn.party, ...standIn.formerParties.values()]))
      takePlace(call, person.party, former, sinceUs, guard, atUs);
    standIn.formerParties.clear();
  }
  for (const leg of [relay, edge.other]) leg.party = leg.nearest.party;
  edge.dialog.halves.add(relay.dialog);
  relay.dialog.halves.add(edge.dialog);
  call.joins.push({
    atUs,
    kind: "correlation",
    effect: "joined",
    detail: {
      by: evidence.by,
      ...evidence.detail,
      callIds: `${edge.dialog.sipCallId} ${relay.dialog.sipCallId}`.slice(0, 512),
    },
  });
  call.changedSinceSnapshot = true;
  return call;
}

/** The dialog is over: where it was relayed somebody else may speak from now on, the PBX itself or who comes next. */
export function partHalves(dialog: Dialog, atUs: TimeUs): void {
  for (const other of dialog.call.dialogs) {
    if (other === dialog) continue;
    for (const leg of other.legs) if (leg.edge?.dialog === dialog) part(leg, atUs);
  }
  for (const leg of dialog.legs) leg.edge = undefined;
}

function part(leg: Leg, atUs: TimeUs): void {
  leg.edge = undefined;
  leg.party = new Party(leg.side, "half", atUs);
}

function depthBehind(edge: Leg): number {
  let depth = 0;
  for (let leg: Leg | undefined = edge; leg !== undefined && depth < MAX_HALVES; leg = leg.edge) depth++;
  return depth;
}

/** A call that has had other dialogs was another conversation: only the dialog itself changes over. */
function bringIn(
  call: Call,
  other: Call,
  newcomer: Dialog,
  isFlipped: boolean,
  atUs: TimeUs,
  guard: CallGuard,
  observer: HalvesObserver,
): void {
  if (other.dialogs.every((dialog) => dialog.isLive)) absorb(call, other, isFlipped, atUs, guard, observer);
  else changeOver(call, other, newcomer, isFlipped, atUs, guard);
}

/** What the dialog carried so far stays with its former call; from now on it belongs to `call`. */
function changeOver(call: Call, other: Call, dialog: Dialog, isFlipped: boolean, atUs: TimeUs, guard: CallGuard): void {
  guard.leave(dialog, atUs);
  other.dialogs.splice(other.dialogs.indexOf(dialog), 1);
  other.addEvent({ atUs, kind: "transfer", detail: { kind: "left", callId: dialog.sipCallId.slice(0, 256) } });
  dialog.call = call;
  for (const leg of dialog.legs) {
    leg.party.toUs ??= atUs;
    if (isFlipped) leg.side = otherSide(leg.side);
    const { identity } = leg.party;
    leg.party = new Party(leg.side, "half", atUs);
    leg.party.identity = identity;
    call.addParty(leg.party);
    for (const flow of leg.flows) {
      for (const binding of flow.bindings) if (binding.leg === leg) startAnew(binding);
    }
  }
  call.addDialog(dialog);
  guard.addDialog(dialog);
}

function startAnew(binding: Binding): void {
  binding.current = undefined;
  binding.streams.length = 0;
}

function absorb(
  call: Call,
  other: Call,
  isFlipped: boolean,
  atUs: TimeUs,
  guard: CallGuard,
  observer: HalvesObserver,
): void {
  const moved: MovedStream[] = [];
  const hasAudio = ([0, 1] as const).map((side) => call.streams.some((s) => s.side === side && s.recorded > 0));
  for (const party of other.parties) {
    if (isFlipped) party.side = otherSide(party.side);
    call.addParty(party);
  }
  for (const stream of other.streams) {
    const formerIndex = stream.index;
    const formerSide = stream.side;
    if (isFlipped) stream.side = otherSide(stream.side);
    stream.index = call.nextStreamIndex;
    call.streams.push(stream);
    // What both halves admitted until now is in the older one already.
    if (hasAudio[stream.side]) giveUp(stream);
    else if (stream.recorded > 0) moved.push({ stream, formerIndex, formerSide });
  }
  for (const dialog of other.dialogs) {
    dialog.call = call;
    if (isFlipped) for (const leg of dialog.legs) leg.side = otherSide(leg.side);
    call.addDialog(dialog);
  }
  for (const event of other.events) call.addEvent(event);
  call.events.sort((a, b) => a.atUs - b.atUs);
  for (const { code, detail } of other.warnings) call.warn(code, detail);
  call.joins.push(...other.joins);
  if (other.answeredAtUs !== undefined)
    call.answeredAtUs = Math.min(call.answeredAtUs ?? other.answeredAtUs, other.answeredAtUs);
  observer.absorbed(call, other, moved, atUs);
  guard.absorb(call, other, atUs);
}

function giveUp(stream: CallStream): void {
  stream.discardedBy[OTHER_HALF - 1]! += stream.recorded;
  stream.recorded = 0;
}

/**
 * `person` is who `stand-in` (the PBX as the other half shows it) stood for: what was said of the stand-in counts for the
 * person, and unless the stand-in was heard before the person was there (`sinceUs`) its place is the person's.
 */
function takePlace(call: Call, person: Party, standIn: Party, sinceUs: TimeUs, guard: CallGuard, atUs: TimeUs): void {
  if (person === standIn) return;
  const wasHeard = call.streams.some(
    (stream) => stream.party === standIn && stream.recorded > 0 && stream.firstAtUs < sinceUs - OVERTAKES_US,
  );
  guard.unite(call, person, standIn, !wasHeard, atUs);
  if (wasHeard) {
    standIn.toUs ??= Math.max(standIn.fromUs, person.fromUs);
    person.joinedBy = "half";
    return;
  }
  for (const stream of call.streams) if (stream.party === standIn) stream.party = person;
  person.fromUs = Math.min(person.fromUs, standIn.fromUs);
  const places = [call.parties.indexOf(standIn), call.parties.indexOf(person)].filter((at) => at >= 0);
  const first = Math.min(...places);
  call.parties[first] = person;
  for (const at of places) if (at !== first) call.parties.splice(at, 1);
}

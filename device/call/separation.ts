// Takes two dialogs apart that were one call on evidence which has been outweighed: one half becomes a call of its own and
// takes along its parties, its streams and what was admitted of them. What is left of it in the former call is taken out
// there. Joins nothing; which evidence outweighs which is join-claims.ts's, what becomes of consent the guard's.
import { makeCallId, otherSide, type TimeUs } from "../base/ids.js";
import { UNKNOWN_AGENT } from "./agents.js";
import { Call } from "./call.js";
import type { Dialog } from "./dialog.js";
import type { CallGuard } from "./guard.js";
import type { HalvesObserver, MovedStream, RelayPair } from "./halves.js";
import type { Leg } from "./leg.js";
import { Party } from "./party.js";
import type { CallStream } from "./stream.js";

/** Who is meant in which of two calls from now on. */
export interface Separation {
  /** Dialogs of the new call. */
  leaving: ReadonlySet<Dialog>;
  /** In the former call: who has left it, by who stands for that person there (the PBX as that half shows it). */
  standInsThere: ReadonlyMap<Party, Party>;
  /** In the new call: the same of who was left behind. */
  standInsHere: ReadonlyMap<Party, Party>;
  /** Who was in the former call by mistake, and under what name it stays in its record. */
  ghosts: ReadonlyMap<Party, Party>;
}

/** Separates the halves of `pair`. Returns the new call; undefined where other ties keep them one call. */
export function separate(
  { edge, relay }: RelayPair,
  atUs: TimeUs,
  guard: CallGuard,
  observer: HalvesObserver,
): Call | undefined {
  const { call } = edge;
  const slots = [relay, edge.other] as const;
  const persons = slots.map((leg) => leg.nearest.party);
  for (const leg of slots) leg.edge = undefined;
  edge.dialog.halves.delete(relay.dialog);
  relay.dialog.halves.delete(edge.dialog);
  const ofRelay = connectedTo(relay.dialog, call);
  const isStillOne = ofRelay.has(edge.dialog);
  const standIns = slots.map((leg) => {
    return isStillOne ? new Party(leg.side, "half", atUs) : new Party(leg.side, "start", leg.dialog.startedAtUs);
  });
  for (const [i, leg] of slots.entries()) {
    leg.party = standIns[i]!;
    leg.formerParties.clear();
  }
  for (const { legs } of call.dialogs) for (const leg of legs) if (leg.edge) leg.party = leg.nearest.party;
  if (isStillOne) return undefined;
  const leaving = ofRelay.has(call.dialogs[0]!) ? connectedTo(edge.dialog, call) : ofRelay;
  return moveOut(call, leaving, slots, persons, standIns, atUs, guard, observer);
}

function moveOut(
  call: Call,
  leaving: ReadonlySet<Dialog>,
  slots: readonly [Leg, Leg],
  persons: readonly Party[],
  standIns: readonly Party[],
  atUs: TimeUs,
  guard: CallGuard,
  observer: HalvesObserver,
): Call {
  const here = call.dialogs.filter((dialog) => leaving.has(dialog));
  const there = call.dialogs.filter((dialog) => !leaving.has(dialog));
  const [first] = here;
  const own = new Call(makeCallId(first!.startedAtUs), first!.startedAtUs);
  const goes = partiesOf(here);
  const slotHere = leaving.has(slots[0].dialog) ? 0 : 1;
  const standInHere = standIns[slotHere]!;
  const standInThere = standIns[1 - slotHere]!;
  const separation = {
    leaving,
    standInsThere: new Map([...goes].filter((party) => party !== standInHere).map((party) => [party, standInThere])),
    standInsHere: new Map([...partiesOf(there)].filter((p) => p !== standInThere).map((p) => [p, standInHere])),
    ghosts: new Map<Party, Party>(),
  };
  const moved = moveStreams(call, own, separation, atUs);
  takePlaces(call, goes, persons[1 - slotHere]!, standInThere, separation.ghosts);
  moveDialogs(call, own, here);
  if (first!.legs[0].side !== 0) flip(here, goes, own.streams);
  const ends = ([0, 1] as const).map((side) => first!.legOf(side).nearest.party);
  own.parties.splice(0, 2, ...ends);
  for (const party of goes) if (!ends.includes(party) && party !== standInHere) own.addParty(party);
  for (const party of own.parties) party.fromUs = Math.max(party.fromUs, own.startedAtUs);
  guard.separate(call, own, separation, atUs);
  observer.separated(own, call, moved, atUs);
  return own;
}

/** Dialogs of the call that halves or transfers tie to `start`, itself included. */
function connectedTo(start: Dialog, call: Call): Set<Dialog> {
  const found = new Set([start]);
  for (const dialog of found) {
    for (const other of call.dialogs) {
      if (dialog.halves.has(other) || dialog.continues === other || other.continues === dialog) found.add(other);
    }
  }
  return found;
}

/** Everybody who speaks or spoke on the dialogs' legs. */
function partiesOf(dialogs: readonly Dialog[]): Set<Party> {
  const legs = dialogs.flatMap((dialog) => dialog.legs);
  return new Set(legs.flatMap(({ party, formerParties }) => [party, ...formerParties.values()]));
}

/** The streams of the leaving legs go over; for those of whom something was recorded others stay, with all of it taken out. */
function moveStreams(
  call: Call,
  own: Call,
  { leaving, standInsThere, standInsHere, ghosts }: Separation & { ghosts: Map<Party, Party> },
  atUs: TimeUs,
): MovedStream[] {
  const moved: MovedStream[] = [];
  const ghostOf = (party: Party): Party => {
    const known = ghosts.get(party);
    if (known) return known;
    const ghost = new Party(party.side, "half", party.fromUs);
    ghost.toUs = atUs;
    const { identity, role, identifiedBy } = party;
    Object.assign(ghost, { identity, role, identifiedBy });
    ghosts.set(party, ghost);
    return ghost;
  };
  const isLeaving = ({ leg }: CallStream): boolean => leg !== undefined && leaving.has(leg.dialog);
  const former = [...call.streams];
  const recorded = new Set(former.filter((one) => isLeaving(one) && one.recorded > 0).map(({ party }) => party));
  call.streams.length = 0;
  for (const stream of former) {
    if (!isLeaving(stream)) {
      stream.party = standInsThere.get(stream.party) ?? stream.party;
      call.streams.push(stream);
      continue;
    }
    if (recorded.has(stream.party)) call.streams.push(stream.tombstone(ghostOf(stream.party)));
    if (stream.recorded > 0) moved.push({ stream, formerIndex: stream.index, formerSide: stream.side });
    stream.party = standInsHere.get(stream.party) ?? stream.party;
    stream.index = own.nextStreamIndex;
    own.streams.push(stream);
  }
  return moved;
}

/** In the former call `standIn` takes the place of `person`; ghosts come last. */
function takePlaces(
  call: Call,
  gone: ReadonlySet<Party>,
  person: Party,
  standIn: Party,
  ghosts: ReadonlyMap<Party, Party>,
): void {
  const at = call.parties.indexOf(person);
  if (at >= 0) call.parties[at] = standIn;
  else call.addParty(standIn);
  for (const party of gone) {
    const place = call.parties.indexOf(party);
    if (place >= 0) call.parties.splice(place, 1);
  }
  for (const ghost of ghosts.values()) call.addParty(ghost);
}

function moveDialogs(call: Call, own: Call, dialogs: readonly Dialog[]): void {
  for (const dialog of dialogs) {
    call.dialogs.splice(call.dialogs.indexOf(dialog), 1);
    call.sipCallIds.delete(dialog.sipCallId);
    dialog.call = own;
    own.addDialog(dialog);
  }
  for (const dialog of [...call.dialogs, ...dialogs]) {
    dialog.agent = UNKNOWN_AGENT;
    dialog.judgedOn = [];
  }
  for (const one of [call, own]) {
    const times = one.dialogs.flatMap(({ answeredAtUs }) => answeredAtUs ?? []);
    one.answeredAtUs = times.length > 0 ? Math.min(...times) : undefined;
    one.changedSinceSnapshot = true;
  }
}

/** The half called the other way round than the call that it was in. */
function flip(dialogs: readonly Dialog[], parties: ReadonlySet<Party>, streams: readonly CallStream[]): void {
  for (const { legs } of dialogs) for (const leg of legs) leg.side = otherSide(leg.side);
  for (const one of [...parties, ...streams]) one.side = otherSide(one.side);
}

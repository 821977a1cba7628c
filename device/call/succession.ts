// Who speaks on a leg of an answered dialog when its description or its asserted identity changes: the same party from
// elsewhere, one that was here before, or a new one. Fails towards "new": a new party has given no consent. And who has
// left when the dialog is over.
import type { AddressWords } from "../base/address.js";
import type { TimeUs } from "../base/ids.js";
import type { SipAddress } from "../sip/message.js";
import type { MediaDescription, SessionDescription } from "../sip/sdp-types.js";
import type { Dialog } from "./dialog.js";
import type { CallGuard } from "./guard.js";
import type { Leg } from "./leg.js";
import { Party, type PartyIdentity } from "./party.js";

/** Parties remembered per leg so that they find their consent again (hold with music, consultation). */
const MAX_FORMER = 16;

/** The part of o= that stays the same while one user agent describes one session (RFC 3264 §8, RFC 8866 §5.2). */
export interface Origin {
  user: string;
  id: string;
  address: string;
}

export function originOf({ originUser, originId, originAddress }: SessionDescription): Origin {
  return { user: originUser, id: originId, address: originAddress };
}

/** `audio`, written by `origin`, is in force on the leg from now on. */
export function changeDescription(
  leg: Leg,
  audio: MediaDescription,
  origin: Origin,
  guard: CallGuard,
  atUs: TimeUs,
): void {
  const isDoubtful = mayBeSomebodyElse(leg, guard);
  const isSucceeded =
    leg.dialog.answeredAtUs !== undefined &&
    !isAgent(leg) &&
    (isDoubtful || !isSameSpeaker(leg, origin, audio.address));
  const former = leg.party;
  const formerKey = speakerKey(leg);
  const formerAudio = leg.audio;
  leg.audio = audio;
  leg.origin = origin;
  if (isSucceeded) succeed(leg, formerKey, atUs);
  if (leg.party !== former && formerAudio) notePlace(leg, formerAudio, former, atUs);
  if (isDoubtful) guard.takeRefusals(leg.call, leg.party, former, atUs);
}

/** The network names another person on the leg (RFC 3325, RFC 4916). */
export function changeIdentity(leg: Leg, identity: SipAddress, atUs: TimeUs): void {
  if (leg.dialog.answeredAtUs === undefined || leg.party.identity.user === identity.user) return;
  const formerKey = speakerKey(leg);
  leg.identity = { uri: identity.uri, user: identity.user, name: identity.name };
  succeed(leg, formerKey, atUs);
}

/** Who was only on this dialog has left; who never spoke in a transfer that failed was never there. */
export function dismiss(dialog: Dialog): void {
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

/**
 * Of a dialog whose beginning was not seen nobody knows who described the side before: what was said until its first
 * description may have been said by somebody else.
 */
function mayBeSomebodyElse(leg: Leg, guard: CallGuard): boolean {
  if (leg.origin !== undefined || !leg.dialog.isSeenFromMiddle) return false;
  return guard.hasHeardOf(leg.party, leg.call);
}

function isAgent(leg: Leg): boolean {
  return leg.dialog.agent.agent === leg.side;
}

/**
 * Does a description of `origin`, receiving at `address`, come from whoever described the leg before? Some user agents
 * count the session id up instead of the version: from the same place that is no other party.
 */
function isSameSpeaker(leg: Leg, origin: Origin, address: AddressWords | undefined): boolean {
  const before = leg.origin;
  if (before === undefined) return true;
  if (before.user !== origin.user || before.address !== origin.address) return false;
  if (before.id === origin.id) return true;
  const former = leg.audio?.address;
  return address !== undefined && former !== undefined && address.every((word, i) => word === former[i]);
}

/** Somebody else may speak on the leg from now on: whoever it is has given no consent, unless it was here before. */
function succeed(leg: Leg, formerKey: string, atUs: TimeUs): void {
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

function notePlace({ formerPlaces }: Leg, audio: MediaDescription, party: Party, leftAtUs: TimeUs): void {
  if (formerPlaces.length >= MAX_FORMER) formerPlaces.shift();
  formerPlaces.push({ audio, party, leftAtUs });
}

/**
 * The party that speaks on the leg after its origin or identity (`leg.origin`, `leg.identity`) has changed from
 * `formerKey`: one that was there under the same origin and identity, or a new one.
 */
function successorOn(leg: Leg, formerKey: string, atUs: TimeUs): Party {
  leg.formerParties.set(formerKey, leg.party);
  const known = leg.formerParties.get(speakerKey(leg));
  if (known) return known;
  const party = new Party(leg.side, "re-invite", atUs);
  if (leg.formerParties.size >= MAX_FORMER) leg.formerParties.delete(leg.formerParties.keys().next().value!);
  leg.formerParties.set(speakerKey(leg), party);
  return party;
}

/** Names a speaker as far as signalling does. */
function speakerKey({
  origin,
  identity,
}: {
  origin: Origin | undefined;
  identity: Pick<PartyIdentity, "user"> | undefined;
}): string {
  return JSON.stringify([
    identity?.user.toLowerCase() ?? "",
    origin?.user ?? "",
    origin?.id ?? "",
    origin?.address ?? "",
  ]);
}

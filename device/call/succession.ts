// Who speaks on a leg of an answered dialog when its description or its asserted identity changes: the same party from
// elsewhere, one that was here before, or a new one. Fails towards "new": a new party has given no consent.
import type { AddressWords } from "../base/address.js";
import type { TimeUs } from "../base/ids.js";
import type { SessionDescription } from "../sip/sdp-types.js";
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

/**
 * Does a description of `origin`, receiving at `address`, come from whoever described the leg before? Some user agents
 * count the session id up instead of the version: from the same place that is no other party.
 */
export function isSameSpeaker(leg: Leg, origin: Origin, address: AddressWords | undefined): boolean {
  const before = leg.origin;
  if (before === undefined) return true;
  if (before.user !== origin.user || before.address !== origin.address) return false;
  if (before.id === origin.id) return true;
  const former = leg.audio?.address;
  return address !== undefined && former !== undefined && address.every((word, i) => word === former[i]);
}

/**
 * The party that speaks on the leg after its origin or identity (`leg.origin`, `leg.identity`) has changed from
 * `formerKey`: one that was there under the same origin and identity, or a new one.
 */
export function successorOn(leg: Leg, formerKey: string, atUs: TimeUs): Party {
  leg.formerParties.set(formerKey, leg.party);
  const known = leg.formerParties.get(speakerKey(leg));
  if (known) return known;
  const party = new Party(leg.side, "re-invite", atUs);
  if (leg.formerParties.size >= MAX_FORMER) leg.formerParties.delete(leg.formerParties.keys().next().value!);
  leg.formerParties.set(speakerKey(leg), party);
  return party;
}

/** Names a speaker as far as signalling does. */
export function speakerKey({
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

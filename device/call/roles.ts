// Who is who in a dialog: puts together what is known of both its sides, has the agent identified, and names the parties
// accordingly. What counts as evidence is agent-identifier.ts's.
import { otherSide, type Side } from "../base/ids.js";
import type { AgentIdentifier } from "./agent-identifier.js";
import type { SideFacts } from "./agents.js";
import type { Dialog } from "./dialog.js";
import type { Leg } from "./leg.js";
import { type NumberRules, normalizeNumber } from "./numbers.js";

/**
 * Judges who is the agent in the dialog, if anything has changed on which that depends, and names its parties.
 * Contradictions become warnings of the call.
 */
export function judgeRoles(dialog: Dialog, identifier: AgentIdentifier, numbers: NumberRules): void {
  const grounds = groundsOf(dialog, identifier);
  if (grounds.every((ground, i) => ground === dialog.judgedOn[i])) return;
  dialog.judgedOn = grounds;
  identifyAgent(dialog, identifier);
  nameParties(dialog, numbers);
}

/** Everything that a verdict depends on, by reference: none of it is changed in place but sights, which have versions. */
function groundsOf(dialog: Dialog, identifier: AgentIdentifier): unknown[] {
  const grounds: unknown[] = [identifier.version, dialog.mediaContradictory];
  for (const side of [0, 1] as const) {
    const own = dialog.legOf(side);
    const leg = own.nearest;
    const { session, sights, diverting, retargetedFrom } = leg.dialog;
    const { originator, answerer, assertedIdentity, connectedIdentity } = session;
    grounds.push(
      own,
      leg,
      leg.party,
      leg.audio,
      leg.identity,
      originator,
      answerer,
      assertedIdentity,
      connectedIdentity,
    );
    grounds.push(sights[0].version, sights[1].version, diverting, retargetedFrom);
  }
  return grounds;
}

function identifyAgent(dialog: Dialog, identifier: AgentIdentifier): void {
  const { call } = dialog;
  const legs = ([0, 1] as const).map((side) => dialog.legOf(side).nearest);
  const verdict = identifier.judge([factsOf(legs[0]!), factsOf(legs[1]!)]);
  if (dialog.mediaContradictory) verdict.agent = undefined;
  if (verdict.agent !== dialog.agent.agent) call.changedSinceSnapshot = true;
  dialog.agent = { ...verdict, contradictory: verdict.contradictory || dialog.mediaContradictory };
  for (const { code, detail } of verdict.contradictions) call.warn(code, detail);
}

/** Identity and role of whoever is nearest to the dialog's legs. */
function nameParties(dialog: Dialog, numbers: NumberRules): void {
  const { agent, evidence } = dialog.agent;
  for (const leg of dialog.legs) {
    if (leg.edge !== undefined) continue;
    const { party, side } = leg;
    const identity = leg.identity ?? dialog.identityOf(leg.sessionSide);
    party.identity = { ...identity, number: normalizeNumber(identity.user, numbers) };
    party.role = agent === undefined ? nameOf(side) : agent === side ? "agent" : "caller";
    party.identifiedBy = agent === side ? evidence[side] : "";
  }
}

function nameOf(side: Side): "originator" | "answerer" {
  return side === 0 ? "originator" : "answerer";
}

/** The facts about whoever is on a leg; an identity asserted since the answer takes the place of those from before. */
function factsOf(leg: Leg): SideFacts {
  const { dialog, sessionSide, identity } = leg;
  const sight = dialog.sights[sessionSide];
  const address = dialog.address(sessionSide);
  const place: Omit<SideFacts, "users" | "uris"> = {
    addresses: leg.audioAddresses,
    signallingAddresses: sight.addresses,
    signallingPeers: sight.peers.length > 0 ? sight.peers : dialog.sights[otherSide(sessionSide)].addresses,
    userAgents: sight.userAgents,
    macs: sight.macs,
    vlans: sight.vlans,
    divertedUsers: sessionSide === 1 ? passedOnBy(dialog) : [],
  };
  if (identity) return { ...place, users: [identity.user], uris: [identity.uri] };
  const asserted = dialog.asserted(sessionSide);
  return {
    ...place,
    contacts: sight.contacts,
    users: distinct([address.user, asserted?.user ?? "", ...sight.users]),
    uris: distinct([address.uri, asserted?.uri ?? "", ...sight.uris]),
  };
}

/** Whose number led here without being reached. */
function passedOnBy({ diverting, retargetedFrom }: Dialog): readonly string[] {
  return retargetedFrom === undefined ? diverting : [...diverting, retargetedFrom];
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].filter((value) => value !== "");
}

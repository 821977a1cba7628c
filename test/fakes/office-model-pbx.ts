// Calls of a scripted office that cross the mirror on both sides of a PBX: a trunk's half and a phone's half, and the
// PBX that passes on what each side says, or plays music while nobody is there.
import { hangUp, type Outcome, placeCall, type Saying, speaks } from "./office-model-calls.js";
import type { ScriptedDialog } from "./office-model-dialog.js";
import type { Conversation, Effect } from "./office-model-effects.js";
import type { Person, Phone, ScriptedLeg } from "./office-model-leg.js";
import { type Office, SETTLED_MS } from "./office-model-office.js";

const PBX_ADDRESS = "10.0.9.1";
const MUSIC: Person = { name: "music", kind: "nobody" };
/** One half's messages follow the other's. */
const NEXT_HALF_MS = 30;
/** Same bytes are recognised by their number: packets in quick succession make the script short. */
const BYTES_PTIME_MS = 20;

export interface PbxCall {
  readonly conversation: Conversation;
  readonly trunk: ScriptedDialog;
  readonly outside: ScriptedLeg;
  /** The PBX's leg of the trunk. */
  readonly front: ScriptedLeg;
  /** Callers wait for the next agent when one hangs up. */
  readonly isQueue: boolean;
  phone: ScriptedDialog | undefined;
}

export interface PbxPlan {
  outside: Phone;
  agent: Phone;
  relays: "bytes" | "audio";
  isQueue: boolean;
  say?: Saying | undefined;
}

/** Somebody outside calls; the agent's phone rings, at once or when the call has waited in a queue. */
export function callIn(office: Office, plan: PbxPlan): PbxCall {
  const conversation = newHalves(office, plan.relays);
  const outside = newLeg(office, plan, plan.outside, 0);
  const front = newLeg(office, plan, pbxAs("0309999"), 1);
  conversation.outsideLeg = outside;
  const trunk = office.newDialog(conversation, outside, front);
  const call: PbxCall = { conversation, trunk, outside, front, isQueue: plan.isQueue, phone: undefined };
  const ringMs = plan.isQueue ? 300 : 2 * SETTLED_MS + 300 + NEXT_HALF_MS;
  placeCall(office, trunk, { ...plainly(ringMs), say: plan.say });
  office.after(plan.isQueue ? 700 : SETTLED_MS, () => dispatch(office, call, plan.agent, plan.relays));
  return call;
}

/** The PBX has an agent's phone ring for the waiting call. */
export function dispatch(office: Office, call: PbxCall, agent: Phone, relays = call.conversation.relays!): void {
  const plan = { relays };
  const back = newLeg(office, plan, pbxAs(relays === "bytes" ? nameless(office) : call.outside.phone.user), 0);
  const leg = newLeg(office, plan, agent, 1);
  const phone = office.newDialog(call.conversation, back, leg);
  call.phone = phone;
  placeCall(office, phone, { ...plainly(SETTLED_MS + 300), onAnswered: () => bridge(office, call, back, leg) });
}

/** An agent calls somebody outside. */
export function callOut(office: Office, plan: PbxPlan): PbxCall {
  const conversation = newHalves(office, plan.relays);
  const agent = newLeg(office, plan, plan.agent, 0);
  const back = newLeg(office, plan, pbxAs(plan.relays === "bytes" ? nameless(office) : plan.outside.user), 1);
  const phone = office.newDialog(conversation, agent, back);
  const front = newLeg(office, plan, pbxAs("0309999"), 0);
  const outside = newLeg(office, plan, plan.outside, 1);
  conversation.outsideLeg = outside;
  const trunk = office.newDialog(conversation, front, outside);
  const call: PbxCall = { conversation, trunk, outside, front, isQueue: false, phone };
  placeCall(office, phone, { ...plainly(SETTLED_MS + 600 + NEXT_HALF_MS), say: plan.say });
  office.after(SETTLED_MS, () =>
    placeCall(office, trunk, { ...plainly(600), onAnswered: () => bridge(office, call, back, agent) }),
  );
  return call;
}

/** From now on the PBX passes on what the two say. */
export function bridge(office: Office, call: PbxCall, back: ScriptedLeg, agent: ScriptedLeg): readonly Effect[] {
  call.phone = office.dialogs.find(({ legs }) => legs.includes(agent))!;
  call.front.passesOn = agent;
  back.passesOn = call.outside;
  return [...speaks(office, call.outside, call.outside.person), ...speaks(office, agent, agent.person)];
}

/** One half hangs up and the PBX ends the other; or the caller waits for the next agent. */
export function hangUpHalf(office: Office, call: PbxCall, isByAgent: boolean): void {
  const { trunk, phone, front } = call;
  const goesOn = isByAgent && call.isQueue;
  const [ends, follows] = isByAgent ? [phone, trunk] : [trunk, phone];
  const [leaving, staying] = isByAgent ? [front.passesOn!, front] : [call.outside, undefined];
  if (ends) hangUp(office, ends, ends.sideOf(leaving));
  if (goesOn) {
    office.after(10, () => {
      front.passesOn = undefined;
      front.person = MUSIC;
      front.nextPacketUs = office.nowUs + 10_000;
      call.phone = undefined;
    });
  } else if (follows) {
    const by = staying ? follows.sideOf(staying) : follows.legs[0].phone.address === PBX_ADDRESS ? 0 : 1;
    follows.busyUntilUs = Number.POSITIVE_INFINITY;
    office.after(NEXT_HALF_MS, () => hangUp(office, follows, by));
  }
}

function newHalves(office: Office, relays: "bytes" | "audio"): Conversation {
  const conversation = office.newConversation("through the PBX");
  conversation.relays = relays;
  conversation.joinedAtUs = relays === "bytes" ? Number.POSITIVE_INFINITY : 0;
  return conversation;
}

function newLeg(office: Office, { relays }: { relays: "bytes" | "audio" }, phone: Phone, channel: 0 | 1): ScriptedLeg {
  return office.newLeg(phone, channel, phone.person, relays === "bytes" ? BYTES_PTIME_MS : 40);
}

/** No number that the other half could be recognised by. */
function nameless(office: Office): string {
  return office.reach.namelessCallers ? "anonymous" : `line-${office.newPort()}`;
}

function pbxAs(user: string): Phone {
  return { user, address: PBX_ADDRESS, person: MUSIC };
}

function plainly(ringMs: number): { ringMs: number; outcome: Outcome; forks: []; isEarly: false; isLate: false } {
  return { ringMs, outcome: "answered", forks: [], isEarly: false, isLate: false };
}

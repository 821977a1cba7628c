// What people do with their phones in a scripted office: they call, answer, refuse, change how a call is carried, say
// whether it may be recorded, hang up. RFC 3261 §13–15, RFC 3264, RFC 3311. Timed by the office's clockwork.
import { type ScriptedDialog, type Side, sameBranch } from "./office-model-dialog.js";
import type { Effect } from "./office-model-effects.js";
import {
  answeredDirection,
  type Description,
  offeredDirection,
  type Person,
  type Phone,
  type ScriptedLeg,
} from "./office-model-leg.js";
import { type ConsentWord, type Office, SETTLED_MS } from "./office-model-office.js";
import type { SipHeader, SipRequest } from "./sip-messages.js";

const STEP_MS = 10;
const RINGING_AFTER_MS = 60;

/** Consent said in one message of an exchange. */
export interface Saying {
  in: "request" | "ringing" | "response" | "ack";
  word: ConsentWord;
}

export type Outcome = "answered" | "cancelled" | "unanswered" | 486;

export interface CallPlan {
  ringMs: number;
  outcome: Outcome;
  /** Early dialogs besides the one that answers. */
  forks: readonly Phone[];
  /** The answering phone and the forks play something before the answer. */
  isEarly: boolean;
  /** The offer comes with the answer. */
  isLate: boolean;
  say?: Saying | undefined;
  headers?: readonly SipHeader[];
  onAnswered?: () => readonly Effect[];
  onFailed?: () => void;
}

/** Places the dialog's first INVITE and lets it go as planned. */
export function placeCall(office: Office, dialog: ScriptedDialog, plan: CallPlan): void {
  const [caller, callee] = dialog.legs;
  dialog.busyUntilUs = Number.POSITIVE_INFINITY;
  const said = saying(office, dialog, plan.say, "request");
  const offer = plan.isLate ? undefined : caller.describe(caller.now, "sendrecv");
  const invite = dialog.invite({ headers: [...said.headers, ...(plan.headers ?? [])], body: offer });
  office.request(dialog, 0, invite, said.effects);
  office.after(STEP_MS, () => office.respond(dialog, invite, 100));
  office.after(RINGING_AFTER_MS, () => ring(office, dialog, invite, plan));
  office.after(plan.ringMs, () => {
    if (plan.outcome === "answered") answer(office, dialog, invite, plan);
    else if (plan.outcome === "cancelled") cancel(office, dialog, invite);
    else if (plan.outcome === 486) refuse(office, dialog, invite, 486);
    if (plan.outcome === "answered") return;
    dialog.state = "over";
    callee.isParked = true;
    plan.onFailed?.();
  });
}

function ring(office: Office, dialog: ScriptedDialog, invite: SipRequest, plan: CallPlan): void {
  for (const [i, phone] of plan.forks.entries()) {
    const fork = office.newLeg(phone, dialog.legs[1].channel);
    const tag = `${dialog.callId}-fork${i}`;
    const isHeard = plan.isEarly && !plan.isLate && (phone.person.kind === "agent" || office.reach.outsideForks);
    const body = isHeard ? fork.describe(fork.now, "sendrecv") : undefined;
    office.respond(dialog, invite, isHeard ? 183 : 180, { body }, [], tag);
    if (isHeard) office.speakEarly(dialog, fork);
  }
  const [, callee] = dialog.legs;
  const said = saying(office, dialog, plan.say, "ringing");
  const isHeard = plan.isEarly && !plan.isLate;
  const body = isHeard ? callee.describe(callee.now, "sendrecv") : undefined;
  office.after(STEP_MS, () => {
    office.respond(dialog, invite, isHeard ? 183 : 180, { body, headers: said.headers }, said.effects);
    if (isHeard) office.speakEarly(dialog, callee);
  });
}

function answer(office: Office, dialog: ScriptedDialog, invite: SipRequest, plan: CallPlan): void {
  const [caller, callee] = dialog.legs;
  dialog.state = "talking";
  const said = saying(office, dialog, plan.say, "response");
  const effects: Effect[] = [...said.effects, { type: "answered", dialog }, ...(plan.onAnswered?.() ?? [])];
  const body = callee.describe(callee.now, "sendrecv");
  office.respond(dialog, invite, 200, { body, headers: said.headers }, effects);
  office.startVoices(dialog);
  settle(office, dialog);
  office.after(2 * STEP_MS, () => {
    const acknowledged = saying(office, dialog, plan.say, "ack");
    const late = plan.isLate ? caller.describe(caller.now, "sendrecv") : undefined;
    const ack = dialog.request(0, "ACK", { headers: acknowledged.headers, body: late }, invite.cseq);
    office.request(dialog, 0, ack, acknowledged.effects);
  });
}

function cancel(office: Office, dialog: ScriptedDialog, invite: SipRequest): void {
  const request = office.request(dialog, 0, sameBranch(invite, "CANCEL"));
  office.after(STEP_MS, () => {
    office.respond(dialog, request, 200);
    refuse(office, dialog, invite, 487);
  });
}

function refuse(office: Office, dialog: ScriptedDialog, invite: SipRequest, status: number): void {
  office.respond(dialog, invite, status);
  office.after(STEP_MS, () => office.request(dialog, 0, sameBranch(invite, "ACK", dialog.answererTag)));
}

export interface ExchangePlan {
  by: Side;
  method: string;
  /** Changes to the sender's description; their presence makes it an offer. */
  offer?: Partial<Description>;
  headers?: readonly SipHeader[];
  status?: number;
  say?: Saying | undefined;
  /** What the response means when it accepts. */
  onAccepted?: () => readonly Effect[];
}

/** A request within the dialog, its response, and the ACK of a re-INVITE. */
export function exchange(office: Office, dialog: ScriptedDialog, plan: ExchangePlan): void {
  const { by, method, status = 200 } = plan;
  const [sender, receiver] = [dialog.legs[by], dialog.legs[1 - by]!];
  const offered = plan.offer && { ...sender.now, ...plan.offer };
  const direction = offeredDirection(offered?.holds);
  const said = saying(office, dialog, plan.say, "request");
  const request = dialog.request(by, method, {
    headers: [...said.headers, ...(plan.headers ?? [])],
    body: offered && sender.describe(offered, direction),
  });
  office.request(dialog, by, request, said.effects);
  settle(office, dialog);
  office.after(STEP_MS, () => {
    const replied = saying(office, dialog, plan.say, "response");
    const isAccepted = status < 300;
    const accepted = isAccepted ? (plan.onAccepted?.() ?? []) : [];
    const effects = [...replied.effects, ...accepted, ...(isAccepted && offered ? takeOver(sender, offered) : [])];
    const body =
      isAccepted && offered
        ? receiver.describe(receiver.now, answeredDirection(direction, receiver.now.holds))
        : undefined;
    office.respond(dialog, request, status, { headers: replied.headers, body }, effects);
  });
  if (method !== "INVITE") return;
  office.after(2 * STEP_MS, () => {
    const ack = dialog.request(by, "ACK", {}, request.cseq);
    office.request(dialog, by, status < 300 ? ack : { ...ack, via: request.via });
  });
}

function takeOver(leg: ScriptedLeg, offered: Description): Effect[] {
  leg.now = offered;
  const isNowhere = offered.holds === "0.0.0.0";
  const { address } = offered.media;
  return [{ type: "described", leg, isHolding: offered.holds !== undefined, isNowhere, address }];
}

/** Somebody else speaks on the leg, and wherever it is passed on. */
export function speaks(office: Office, leg: ScriptedLeg, person: Person): Effect[] {
  leg.person = person;
  const legs = office.dialogs.flatMap((dialog) => dialog.legs).filter((one) => one === leg || one.passesOn === leg);
  return legs.map((one) => ({ type: "speaks", leg: one, person }));
}

export function hangUp(office: Office, dialog: ScriptedDialog, by: Side, lingerMs = 0, say?: Saying): void {
  dialog.busyUntilUs = Number.POSITIVE_INFINITY;
  const said = saying(office, dialog, say, "request");
  const bye = dialog.request(by, "BYE", { headers: said.headers });
  office.request(dialog, by, bye, [...said.effects, { type: "ended", dialog }]);
  office.after(STEP_MS, () => office.respond(dialog, bye, 200));
  office.after(STEP_MS + lingerMs, () => {
    dialog.state = "over";
  });
}

/** What is said in one message about the dialog's caller. */
function saying(
  office: Office,
  dialog: ScriptedDialog,
  say: Saying | undefined,
  where: Saying["in"],
): { headers: SipHeader[]; effects: Effect[] } {
  const isAmongAgents = dialog.legs.every(({ phone }) => phone.person.kind === "agent");
  if (say?.in !== where || (isAmongAgents && !office.reach.sayingsAmongAgents)) return { headers: [], effects: [] };
  const { conversation } = dialog;
  const isGrant = say.word === "granted";
  return {
    headers: [["X-Recording-Consent", say.word]],
    effects: subjectsOf(dialog).map((about) => ({ type: "said", conversation, about, isGrant })),
  };
}

/** Whom a statement in the dialog is about: who is outside, where there is an agent on the other side. */
function subjectsOf({ legs, conversation }: ScriptedDialog): Person[] {
  if (conversation.outsideLeg) return [conversation.outsideLeg.person];
  const outside = legs.filter(({ phone }) => phone.person.kind !== "agent");
  return outside.length === 1 ? outside.map(({ person }) => person) : [];
}

function settle(office: Office, dialog: ScriptedDialog): void {
  dialog.busyUntilUs = office.nowUs + (2 * STEP_MS + SETTLED_MS) * 1000;
}

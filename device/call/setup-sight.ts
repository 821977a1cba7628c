// What the messages that set up or change a session show besides the session: who sent them, who passed the call on
// before it came here, whose conversation they ask to be let into. Noted in the dialog and in its call's history; what
// follows from it is decided elsewhere (roles.ts, mix-watch.ts).
import type { TimeUs } from "../base/ids.js";
import { splitUri } from "../sip/address.js";
import type { SipArrival } from "../sip/arrival.js";
import type { Diversion } from "../sip/diversions.js";
import { readIdentities } from "../sip/identity.js";
import type { SipMessage } from "../sip/message.js";
import type { SessionStep } from "../sip/session.js";
import { isFirstInvite } from "../sip/session-opening.js";
import { readJoin } from "../sip/transfer.js";
import type { Dialog } from "./dialog.js";
import type { DialogIndex } from "./dialog-index.js";
import { comparableNumber, type NumberRules } from "./numbers.js";

/** Diversions entered in a call's history. */
const MAX_DIVERSIONS = 4;
/** Digits at the end of a number that tell one subscriber from another, however the rest is written. */
const LEAST_SAME_DIGITS = 7;

/** Takes a message of the dialog, as seen at one hop, and what it meant for the session. */
export function noteSetup(
  dialog: Dialog,
  message: SipMessage,
  { events, from }: Pick<SessionStep, "events" | "from">,
  arrival: SipArrival,
  numbers: NumberRules,
): void {
  if (message.method !== "INVITE" && message.method !== "UPDATE") return;
  const identities = readIdentities(message, from);
  if (from === 1 && events.some(({ type }) => type === "answered")) dialog.sights[1].clear();
  if (from !== undefined) dialog.sights[from].note(message, identities, arrival);
  if (!isFirstInvite(message)) return;
  noteDiversions(dialog, identities.diversions, arrival.atUs);
  if (isRetargeted(message, numbers)) dialog.retargetedFrom = message.to.user;
}

/** Somebody asks to be let into a conversation that is up: whoever it asks will mix (RFC 3911). */
export function noteJoin(dialog: Dialog, message: SipMessage, dialogs: DialogIndex, atUs: TimeUs): void {
  const join = readJoin(message);
  const named = join && dialogs.named(join);
  if (!named || named.dialog === dialog) return;
  dialog.joins = named.dialog.legs[named.side];
  const { call } = named.dialog;
  call.addEvent({ atUs, kind: "transfer", detail: { kind: "join", to: message.from.user.slice(0, 64) } });
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

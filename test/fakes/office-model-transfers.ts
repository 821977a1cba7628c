// Transfers in a scripted office (RFC 3515, RFC 3891, RFC 5589): blind ones that go well, fail or are refused, and
// attended ones whose REFER the mirror may not show.
import { exchange, hangUp, placeCall } from "./office-model-calls.js";
import type { ScriptedDialog, Side } from "./office-model-dialog.js";
import type { Effect } from "./office-model-effects.js";
import type { Person, Phone, ScriptedLeg } from "./office-model-leg.js";
import { type Office, SETTLED_MS } from "./office-model-office.js";

const GAP_MS = 200;
const SIPFRAG = "message/sipfrag;version=2.0";

export interface TransferPlan {
  /** Who asks for it; the other side is sent to the target. */
  by: Side;
  target: Phone;
  outcome: "answered" | 486 | "refused";
  /** The one who asks hangs up at once. */
  isByeFirst: boolean;
  hasReferredBy: boolean;
  onAnswered?: (goingOn: ScriptedLeg, newcomer: ScriptedLeg) => readonly Effect[];
}

export function transferBlind(office: Office, dialog: ScriptedDialog, plan: TransferPlan): void {
  const { by, target } = plan;
  const referrer = dialog.legs[by];
  const transferee: Side = by === 0 ? 1 : 0;
  const isRefused = plan.outcome === "refused";
  exchange(office, dialog, {
    by,
    method: "REFER",
    headers: [["Refer-To", `<sip:${target.user}@${target.address}>`]],
    status: isRefused ? 603 : 202,
  });
  if (isRefused) return;
  dialog.isReserved = true;
  office.after(20, () => notify(office, dialog, transferee, 100));
  if (plan.isByeFirst) office.after(GAP_MS, () => hangUp(office, dialog, by));
  const end = (): void => {
    if (!plan.isByeFirst) office.after(GAP_MS, () => hangUp(office, dialog, by));
  };
  office.after(plan.isByeFirst ? 2 * GAP_MS : GAP_MS, () => {
    const [staying, next] = goOn(office, dialog.legs[transferee], target, dialog);
    placeCall(office, next, {
      ringMs: 300,
      outcome: plan.outcome === 486 ? 486 : "answered",
      forks: [],
      isEarly: false,
      isLate: false,
      headers: plan.hasReferredBy ? [["Referred-By", `<sip:${referrer.phone.user}@${referrer.phone.address}>`]] : [],
      onAnswered: () => {
        park(dialog);
        end();
        return plan.onAnswered?.(staying, next.other(staying)) ?? [];
      },
      onFailed: () => {
        if (plan.isByeFirst) return;
        notify(office, dialog, transferee, 486);
        office.after(SETTLED_MS, () => {
          dialog.isReserved = false;
        });
      },
    });
  });
}

/** The consultation first, then the one who was on hold takes the consultant's place. */
export function transferAttended(
  office: Office,
  dialog: ScriptedDialog,
  by: Side,
  target: Phone,
  isReferSeen: boolean,
): void {
  const consultant = dialog.legs[by];
  const transferee = dialog.legs[1 - by]!;
  exchange(office, dialog, { by, method: "INVITE", offer: { holds: "sendonly" } });
  dialog.isReserved = true;
  const conversation = office.newConversation("consultation");
  const own = office.newLeg(consultant.phone, 0);
  const asked = office.newLeg(target, 1);
  const consultation = office.newDialog(conversation, own, asked);
  consultation.isReserved = true;
  const carryOut = (): void => {
    const { replaces } = consultation;
    const target = `<sip:${asked.phone.user}@${asked.phone.address}?Replaces=${encodeURIComponent(replaces)}>`;
    if (isReferSeen) exchange(office, dialog, { by, method: "REFER", headers: [["Refer-To", target]], status: 202 });
    office.after(GAP_MS, () => {
      // Where the mirror does not show the REFER, the replaced dialog's other party goes on.
      const [, next] = isReferSeen
        ? goOn(office, transferee, asked.phone, dialog)
        : takePlace(office, transferee, own, asked);
      placeCall(office, next, {
        ringMs: 200,
        outcome: "answered",
        forks: [],
        isEarly: false,
        isLate: false,
        headers: [["Replaces", replaces]],
        onAnswered: () => {
          park(dialog);
          park(consultation);
          office.after(GAP_MS, () => {
            hangUp(office, consultation, 1);
            hangUp(office, dialog, by);
          });
          return [];
        },
      });
    });
  };
  office.after(GAP_MS, () =>
    placeCall(office, consultation, {
      ringMs: 200,
      outcome: "answered",
      forks: [],
      isEarly: false,
      isLate: false,
      onAnswered: () => {
        office.after(600, carryOut);
        return [];
      },
    }),
  );
}

/** The new dialog of who is sent on, in the same conversation. */
function goOn(
  office: Office,
  transferee: ScriptedLeg,
  target: Phone,
  { conversation }: ScriptedDialog,
): [ScriptedLeg, ScriptedDialog] {
  const staying = office.newLeg(transferee.phone, transferee.channel, transferee.person);
  const newcomer = office.newLeg(target, transferee.channel === 0 ? 1 : 0, asNewcomer(target.person));
  return [staying, office.newDialog(conversation, staying, newcomer)];
}

/** Who comes into a call has said nothing in it, whatever was said when the same telephone was in it before. */
function asNewcomer(person: Person): Person {
  return person.kind === "outside" ? { ...person } : person;
}

function takePlace(
  office: Office,
  transferee: ScriptedLeg,
  replaced: ScriptedLeg,
  asked: ScriptedLeg,
): [ScriptedLeg, ScriptedDialog] {
  const { conversation } = office.dialogs.find(({ legs }) => legs.includes(asked))!;
  const newcomer = office.newLeg(transferee.phone, replaced.channel, asNewcomer(transferee.person));
  const staying = office.newLeg(asked.phone, asked.channel, asked.person);
  return [newcomer, office.newDialog(conversation, newcomer, staying)];
}

function notify(office: Office, dialog: ScriptedDialog, by: Side, status: number): void {
  const request = dialog.request(by, "NOTIFY", {
    headers: [
      ["Event", "refer"],
      ["Subscription-State", status === 100 ? "active;expires=60" : "terminated;reason=noresource"],
    ],
    body: { type: SIPFRAG, text: `SIP/2.0 ${status} Whatever\r\n` },
  });
  office.request(dialog, by, request);
  office.after(10, () => office.respond(dialog, request, 200));
}

function park(dialog: ScriptedDialog): void {
  for (const leg of dialog.legs) leg.isParked = true;
}

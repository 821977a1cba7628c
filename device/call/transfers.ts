// Transfers as the mirror shows them: a REFER in one dialog and, a moment later, an INVITE that carries it out (RFC 3515,
// RFC 5589), or an INVITE that takes another dialog's place (RFC 3891). Finds the dialog whose call a new INVITE goes on
// with, and which side of both is the same person, and lets the call go on. Owns the transfers that were asked for;
// without positive evidence the INVITE is a call of its own.
import { otherSide, type Side, type TimeUs } from "../base/ids.js";
import type { SipArrival } from "../sip/arrival.js";
import type { SipMessage } from "../sip/message.js";
import type { SessionStart } from "../sip/session.js";
import { type DialogReference, readReferredBy, readReplaces } from "../sip/transfer.js";
import { Dialog } from "./dialog.js";
import type { DialogIndex } from "./dialog-index.js";
import { Party } from "./party.js";

/** A REFER that was seen and whose INVITE may follow. */
export interface PendingTransfer {
  atUs: TimeUs;
  /** Session side that asked; the other one is sent to the target. */
  by: Side;
  targetUser: string;
  replaces: DialogReference | undefined;
}

/** The dialog that a new one continues, and who is in both. */
export interface Continuation {
  dialog: Dialog;
  /** Session side, in `dialog`, of the party that goes on. */
  side: Side;
  /** Session side of the same party in the new dialog. */
  newSide: Side;
  kind: "blind" | "attended" | "replaces";
}

/** An INVITE that comes later than this after its REFER is another call. */
const TRANSFER_WINDOW_US = 60_000_000;
const MAX_PENDING = 1024;

export class TransferTable {
  private readonly pending = new Set<Dialog>();

  /** A REFER was seen in the dialog; a later one takes its place. */
  asked(dialog: Dialog, transfer: PendingTransfer): void {
    dialog.transfer = transfer;
    this.pending.delete(dialog);
    if (this.pending.size >= MAX_PENDING) this.forget(this.pending.values().next().value!);
    this.pending.add(dialog);
  }

  /** The transfer was refused or carried out, or the call is over. */
  forget(dialog: Dialog): void {
    this.pending.delete(dialog);
    dialog.transfer = undefined;
  }

  /** What a session's first INVITE continues; `dialogs` are those in progress. */
  continuationOf(message: SipMessage, arrival: SipArrival, dialogs: DialogIndex): Continuation | undefined {
    if (message.kind !== "request" || message.method !== "INVITE") return undefined;
    const replaces = readReplaces(message);
    return this.byRefer(message, arrival, replaces) ?? (replaces && byReplaces(replaces, dialogs));
  }

  /** The call goes on in a new dialog: one party stays, the other is new and without consent. */
  goOn({ dialog: former, side, newSide, kind }: Continuation, start: SessionStart, atUs: TimeUs): Dialog {
    const { call } = former;
    const staying = former.legs[side];
    const newcomer = new Party(otherSide(staying.side), kind === "replaces" ? "replaces" : "transfer", atUs);
    call.addParty(newcomer);
    const parties: [Party, Party] =
      newSide === 0 ? [staying.nearest.party, newcomer] : [newcomer, staying.nearest.party];
    const dialog = new Dialog(call, start.state, atUs, parties, newSide !== staying.side);
    dialog.continues = former;
    call.addDialog(dialog);
    const to = dialog.address(otherSide(newSide)).user.slice(0, 64);
    call.addEvent({ atUs, kind: "transfer", detail: { kind, to } });
    this.forget(former);
    return dialog;
  }

  private byRefer(
    message: SipMessage,
    arrival: SipArrival,
    replaces: DialogReference | undefined,
  ): Continuation | undefined {
    const found: Continuation[] = [];
    for (const dialog of this.pending) {
      const transfer = dialog.transfer!;
      if (arrival.atUs - transfer.atUs > TRANSFER_WINDOW_US) this.forget(dialog);
      else if (carriesOut(message, arrival, replaces, dialog, transfer))
        found.push({
          dialog,
          side: otherSide(transfer.by),
          newSide: 0,
          kind: transfer.replaces ? "attended" : "blind",
        });
    }
    // Two that fit equally are no evidence for either.
    return found.length === 1 ? found[0] : undefined;
  }
}

/** Is the INVITE what the REFER asked for, sent by whom it asked (RFC 3515 §2.4.4)? */
function carriesOut(
  message: SipMessage,
  arrival: SipArrival,
  replaces: DialogReference | undefined,
  dialog: Dialog,
  transfer: PendingTransfer,
): boolean {
  const transferee = otherSide(transfer.by);
  const isFromTransferee =
    sameUser(message.from.user, dialog.address(transferee).user) ||
    dialog.sights[transferee].addresses.some((words) => words.every((word, i) => word === arrival.source[i]));
  if (!isFromTransferee) return false;
  if (transfer.replaces) return replaces !== undefined && replaces.callId === transfer.replaces.callId;
  const isToTarget =
    sameUser(transfer.targetUser, message.to.user) || sameUser(transfer.targetUser, userOf(message.requestUri));
  if (!isToTarget) return false;
  const referredBy = readReferredBy(message);
  return (
    referredBy === undefined || sameUser(referredBy.user, dialog.address(transfer.by).user) || referredBy.user === ""
  );
}

/** RFC 3891 §3: the INVITE goes to who stays. */
function byReplaces(replaces: DialogReference, dialogs: DialogIndex): Continuation | undefined {
  const named = dialogs.named(replaces);
  if (!named || (replaces.earlyOnly && named.dialog.answeredAtUs !== undefined)) return undefined;
  return { ...named, newSide: 1, kind: "replaces" };
}

function sameUser(a: string, b: string): boolean {
  return a !== "" && a.toLowerCase() === b.toLowerCase();
}

function userOf(uri: string): string {
  return /^[a-z]+:([^@;]+)@/i.exec(uri)?.[1] ?? /^tel:([^;]+)/i.exec(uri)?.[1] ?? "";
}

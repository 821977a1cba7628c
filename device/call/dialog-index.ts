// The dialogs in progress by Call-ID, and which of them a message belongs to. Several may share a Call-ID: a
// back-to-back user agent can use one on both its sides (session-dialogs.ts). Owns no other state of dialogs.
import type { SipMessage } from "../sip/message.js";
import { type SessionStep, stepSession } from "../sip/session.js";
import type { DialogReference } from "../sip/transfer.js";
import type { Dialog } from "./dialog.js";

/** Sessions under one Call-ID; a message of a further one is nobody's. */
const MAX_PER_CALL_ID = 8;

/** The dialog that a message belongs to, and what the message makes of its session. */
export interface DialogStep {
  dialog: Dialog;
  step: SessionStep;
}

export class DialogIndex {
  private readonly byCallId = new Map<string, Dialog[]>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** False when there are too many under this Call-ID. */
  hasRoom(callId: string): boolean {
    return (this.byCallId.get(callId)?.length ?? 0) < MAX_PER_CALL_ID;
  }

  add(dialog: Dialog): void {
    const known = this.byCallId.get(dialog.sipCallId);
    if (known) known.push(dialog);
    else this.byCallId.set(dialog.sipCallId, [dialog]);
    this.count++;
  }

  delete(dialog: Dialog): void {
    const known = this.byCallId.get(dialog.sipCallId);
    const at = known?.indexOf(dialog) ?? -1;
    if (!known || at < 0) return;
    known.splice(at, 1);
    this.count--;
    if (known.length === 0) this.byCallId.delete(dialog.sipCallId);
  }

  all(): Dialog[] {
    return [...this.byCallId.values()].flat();
  }

  /** The dialog whose message it is, else one that is over and whose place it takes; undefined for a new session's. */
  stepFor(message: SipMessage): DialogStep | undefined {
    const steps = (this.byCallId.get(message.callId) ?? []).map((dialog) => ({
      dialog,
      step: stepSession(dialog.session, message),
    }));
    return steps.find(({ step }) => step.from !== undefined) ?? steps.find(({ step }) => step.restart);
  }

  /** The dialog that an INVITE names by Replaces, and the side of it that the INVITE is sent to (RFC 3891 §3). */
  named({ callId, toTag, fromTag }: DialogReference): { dialog: Dialog; side: 0 | 1 } | undefined {
    for (const dialog of this.byCallId.get(callId) ?? []) {
      const { originator, answerer, earlyTags, answeredTags } = dialog.session;
      const isAnswerers = (tag: string) => [answerer.tag, ...earlyTags, ...answeredTags].includes(tag);
      if (toTag === originator.tag && isAnswerers(fromTag)) return { dialog, side: 0 };
      if (fromTag === originator.tag && isAnswerers(toTag)) return { dialog, side: 1 };
    }
    return undefined;
  }
}

// When a dialog or a call is due to be closed: how long a dialog that has ended is kept for what may still follow, how
// long a call waits for the dialog that a transfer announced, after how much silence a dialog is over without an end.
// Owns what has a closing time, in packet time; closes nothing itself, which is call-table.ts's.
import type { TimeUs } from "../base/ids.js";
import type { EndReason } from "../contract/call-record.js";
import type { Config } from "../contract/config.js";
import type { SessionEvent } from "../sip/session.js";
import type { Call } from "./call.js";
import type { Dialog } from "./dialog.js";

/** Time a failed attempt is kept for the INVITE that follows a challenge (RFC 3261 §22): a person may be asked. */
const CHALLENGE_HOLD_US = 60_000_000;
/** Time a failed attempt is kept for another try under the same Call-ID (overlap dialling, RFC 3578). */
const RETRY_HOLD_US = 10_000_000;
/** Final responses after which the same user agent tries again with the same Call-ID. */
const RETRIED_STATUSES = new Set([401, 407, 421, 422, 423, 494]);
/** A half whose other half has ended is over after so much silence: its BYE was missed. */
const HALF_IDLE_US = 30_000_000;
/** A session timer has run out this long after its interval (RFC 4028 §10: 32 s before it the refresher gives up). */
const TIMER_SLACK_US = 32_000_000;

/** What a session's messages say of its end. */
export type EndEvent = Extract<SessionEvent, { type: "challenged" | "failed" | "cancelled" | "ended" }>;

export class ClosingTimes {
  private readonly limits: Config["call"];
  /** Dialogs with a closing time; no more than the call table follows. */
  private readonly dialogs = new Set<Dialog>();
  /** Calls without a live dialog that wait for the one a transfer announced. */
  private readonly calls = new Set<Call>();

  constructor(limits: Config["call"]) {
    this.limits = limits;
  }

  /** The dialog has ended for its parties: it is closed when nothing can follow that belongs to it. */
  ended(dialog: Dialog, event: EndEvent, atUs: TimeUs): void {
    switch (event.type) {
      case "challenged":
        this.closeLater(dialog, "rejected", atUs, CHALLENGE_HOLD_US);
        break;
      case "failed":
        dialog.rejectStatus = event.status;
        this.closeLater(dialog, event.status === 487 ? "cancelled" : "rejected", atUs, failureHoldUs(event.status));
        break;
      case "cancelled":
        this.closeLater(dialog, "cancelled", atUs, RETRY_HOLD_US);
        break;
      case "ended":
        this.closeLater(dialog, "bye", atUs, this.limits.tailMs * 1000);
        break;
    }
  }

  /** The dialog goes on, whatever was taken for its end. */
  keepOpen(dialog: Dialog): void {
    dialog.closeAtUs = Number.POSITIVE_INFINITY;
    dialog.endedAtUs = undefined;
    dialog.endReason = undefined;
    this.dialogs.delete(dialog);
  }

  /**
   * The call's last dialog was closed: does the call wait for a new one? The INVITE that a REFER announced may still
   * come after a BYE.
   */
  waitForTransfer(call: Call, last: Dialog, nowUs: TimeUs): boolean {
    if (last.endReason !== "bye" || call.dialogs.every(({ transfer }) => transfer === undefined)) return false;
    const untilUs = last.endedAtUs! + this.limits.transferMs * 1000;
    if (nowUs >= untilUs) return false;
    call.lingerUntilUs = untilUs;
    this.calls.add(call);
    return true;
  }

  /** The dialog is closed. */
  forgetDialog(dialog: Dialog): void {
    this.dialogs.delete(dialog);
  }

  /** The call is closed, or goes on in a new dialog. */
  forgetCall(call: Call): void {
    this.calls.delete(call);
  }

  dueDialogs(nowUs: TimeUs): Dialog[] {
    const due: Dialog[] = [];
    for (const dialog of this.dialogs) if (nowUs >= dialog.closeAtUs) due.push(dialog);
    return due;
  }

  /** Infinity for `nowUs`: every call that waits. */
  dueCalls(nowUs: TimeUs): Call[] {
    const due: Call[] = [];
    for (const call of this.calls) if (nowUs >= call.lingerUntilUs) due.push(call);
    return due;
  }

  /** Why a live dialog is over by now although nothing said so; undefined while it may go on. */
  endBySilence(dialog: Dialog, nowUs: TimeUs): EndReason | undefined {
    const silentUs = nowUs - dialog.lastActivityUs;
    if (dialog.answeredAtUs === undefined)
      return silentUs > this.limits.setupTimeoutMs * 1000 ? "no-answer" : undefined;
    return silentUs > this.idleLimitUs(dialog, nowUs) ? "idle" : undefined;
  }

  private closeLater(dialog: Dialog, reason: EndReason, atUs: TimeUs, holdUs: number): void {
    if (dialog.answeredAtUs !== undefined && reason !== "bye") return;
    if (dialog.endedAtUs !== undefined && reason === "bye") return;
    dialog.endedAtUs = atUs;
    dialog.endReason = reason;
    dialog.closeAtUs = atUs + holdUs;
    this.dialogs.add(dialog);
  }

  private idleLimitUs(dialog: Dialog, nowUs: TimeUs): number {
    const { idleTimeoutMs, holdTimeoutMs } = this.limits;
    if ([...dialog.halves].some((half) => !half.isLive)) return HALF_IDLE_US;
    if (!dialog.onHold) return idleTimeoutMs * 1000;
    const intervalUs = dialog.session.sessionExpiresS * 1_000_000;
    const isTimerOver = intervalUs > 0 && nowUs - dialog.lastMessageUs > intervalUs + TIMER_SLACK_US;
    return isTimerOver ? 0 : holdTimeoutMs * 1000;
  }
}

function failureHoldUs(status: number): number {
  return RETRIED_STATUSES.has(status) ? CHALLENGE_HOLD_US : RETRY_HOLD_US;
}

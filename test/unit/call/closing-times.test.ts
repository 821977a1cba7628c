// When dialogs and calls are due to be closed, with each limit met to the microsecond.
import { describe, expect, it } from "vitest";
import { makeCallId } from "../../../device/base/ids.js";
import { Call } from "../../../device/call/call.js";
import { ClosingTimes, type EndEvent } from "../../../device/call/closing-times.js";
import { Dialog } from "../../../device/call/dialog.js";
import { configSchema } from "../../../device/contract/config.js";
import type { SipMessage } from "../../../device/sip/message.js";
import { play, request, response } from "../sip/session-script.js";

const SECOND_US = 1_000_000;
const START_US = 1_000 * SECOND_US;
const LIMITS = { setupTimeoutMs: 20_000, idleTimeoutMs: 30_000, holdTimeoutMs: 600_000, tailMs: 300, transferMs: 5000 };
const LATE_US = START_US + 86_400 * SECOND_US;

const INVITE = request("INVITE", { sdp: "A" });
const ANSWERED = [INVITE, response(200, "INVITE", { sdp: "B" }), request("ACK")];
const TIMED = [INVITE, response(200, "INVITE", { sdp: "B", headers: [["Session-Expires", "90"]] }), request("ACK")];
const HOLD = [
  request("INVITE", { tags: ["a", "b"], cseq: 2, sdp: "A", direction: "sendonly" }),
  response(200, "INVITE", { tags: ["a", "b"], cseq: 2, sdp: "B", direction: "recvonly" }),
];

const newTimes = (): ClosingTimes => new ClosingTimes(configSchema.parse({ call: LIMITS }).call);

function newDialog({ messages = [INVITE], call = new Call(makeCallId(START_US), START_US) } = {}): Dialog {
  const { state } = play(messages);
  const dialog = new Dialog(call, state, START_US, [call.parties[0]!, call.parties[1]!], false);
  call.addDialog(dialog);
  return dialog;
}

function newAnswered(messages: SipMessage[] = ANSWERED): Dialog {
  const dialog = newDialog({ messages });
  dialog.answeredAtUs = START_US;
  return dialog;
}

/** Is `dialog` due at `afterUs` after the start, and no microsecond earlier? */
function isDueFrom(times: ClosingTimes, dialog: Dialog, afterUs: number): boolean {
  const [before, then] = [afterUs - 1, afterUs].map((us) => times.dueDialogs(START_US + us).includes(dialog));
  return !before && then!;
}

/** Microseconds of silence after which the dialog is over at last, by halving; the reason with it. */
function silenceLimit(times: ClosingTimes, dialog: Dialog): [us: number, reason: string | undefined] {
  let [goesOn, over] = [0, LATE_US - START_US];
  while (over - goesOn > 1) {
    const middle = Math.floor((goesOn + over) / 2);
    if (times.endBySilence(dialog, START_US + middle) === undefined) goesOn = middle;
    else over = middle;
  }
  return [goesOn, times.endBySilence(dialog, START_US + over)];
}

describe("a dialog that has ended", () => {
  it.each<[what: string, event: EndEvent, reason: string, holdS: number]>([
    ["challenged", { type: "challenged" }, "rejected", 60],
    ["asked for a longer session timer", { type: "failed", status: 422 }, "rejected", 60],
    ["busy", { type: "failed", status: 486 }, "rejected", 10],
    ["given up", { type: "failed", status: 487 }, "cancelled", 10],
    ["cancelled", { type: "cancelled" }, "cancelled", 10],
    ["over", { type: "ended", by: 0 }, "bye", 0.3],
  ])("%s is kept for what may follow", (_, event, reason, holdS) => {
    const [times, dialog] = [newTimes(), newDialog()];
    times.ended(dialog, event, START_US);
    expect(dialog).toMatchObject({ endReason: reason, endedAtUs: START_US, isLive: false });
    expect(dialog.rejectStatus).toBe(event.type === "failed" ? event.status : 0);
    expect(isDueFrom(times, dialog, holdS * SECOND_US)).toBe(true);
  });

  it("goes on when it is tried again", () => {
    const [times, dialog] = [newTimes(), newDialog()];
    times.ended(dialog, { type: "challenged" }, START_US);
    times.keepOpen(dialog);
    expect(dialog).toMatchObject({ endReason: undefined, endedAtUs: undefined, isLive: true });
    expect(times.dueDialogs(LATE_US)).toEqual([]);
    times.ended(dialog, { type: "failed", status: 486 }, START_US + SECOND_US);
    expect(isDueFrom(times, dialog, 11 * SECOND_US)).toBe(true);
  });

  it("was answered: only a BYE ends it, and only the first", () => {
    const [times, dialog] = [newTimes(), newAnswered()];
    times.ended(dialog, { type: "cancelled" }, START_US);
    times.ended(dialog, { type: "failed", status: 486 }, START_US);
    times.ended(dialog, { type: "challenged" }, START_US);
    expect(dialog.isLive).toBe(true);
    expect(times.dueDialogs(LATE_US)).toEqual([]);
    times.ended(dialog, { type: "ended", by: 0 }, START_US);
    times.ended(dialog, { type: "ended", by: 1 }, START_US + SECOND_US);
    expect(dialog.endedAtUs).toBe(START_US);
    expect(isDueFrom(times, dialog, 300_000)).toBe(true);
  });

  it("is due no more once it is closed; the others are, the longest ended first", () => {
    const times = newTimes();
    const dialogs = [newDialog(), newDialog(), newDialog()];
    for (const dialog of dialogs) times.ended(dialog, { type: "cancelled" }, START_US);
    times.forgetDialog(dialogs[1]!);
    expect(times.dueDialogs(LATE_US)).toEqual([dialogs[0], dialogs[2]]);
  });
});

describe("silence", () => {
  it("ends an attempt that nobody answers", () => {
    expect(silenceLimit(newTimes(), newDialog())).toEqual([20 * SECOND_US, "no-answer"]);
  });

  it("ends an answered dialog, later while it is on hold", () => {
    expect(silenceLimit(newTimes(), newAnswered())).toEqual([30 * SECOND_US, "idle"]);
    expect(silenceLimit(newTimes(), newAnswered([...ANSWERED, ...HOLD]))).toEqual([600 * SECOND_US, "idle"]);
  });

  it("on hold ends a dialog with its session timer, unless there are packets", () => {
    const onHold = [...TIMED, request("INVITE", { tags: ["a", "b"], cseq: 2, sdp: "A", direction: "sendonly" })];
    const refreshed = response(200, "INVITE", {
      tags: ["a", "b"],
      cseq: 2,
      sdp: "B",
      direction: "recvonly",
      headers: [["Session-Expires", "90"]],
    });
    const dialog = newAnswered([...onHold, refreshed]);
    expect(dialog).toMatchObject({ onHold: true, session: { sessionExpiresS: 90 } });
    expect(silenceLimit(newTimes(), dialog)).toEqual([(90 + 32) * SECOND_US, "idle"]);
    const nowUs = START_US + 123 * SECOND_US;
    dialog.lastActivityUs = nowUs;
    expect(newTimes().endBySilence(dialog, nowUs)).toBeUndefined();
  });

  it("ends a half whose other half is over", () => {
    const [times, dialog, other] = [newTimes(), newAnswered([...ANSWERED, ...HOLD]), newAnswered()];
    dialog.halves.add(other);
    expect(silenceLimit(times, dialog)).toEqual([600 * SECOND_US, "idle"]);
    other.endedAtUs = START_US;
    expect(silenceLimit(times, dialog)).toEqual([30 * SECOND_US, "idle"]);
  });
});

describe("a call whose last dialog is closed", () => {
  function closed(reason: "bye" | "idle", isTransferred: boolean): Dialog {
    const dialog = newAnswered();
    if (isTransferred) dialog.transfer = { atUs: START_US, by: 0, targetUser: "22", replaces: undefined };
    Object.assign(dialog, { endedAtUs: START_US, endReason: reason, isClosed: true });
    return dialog;
  }

  it("waits for the dialog that a transfer announced", () => {
    const [times, dialog] = [newTimes(), closed("bye", true)];
    const { call } = dialog;
    expect(times.waitForTransfer(call, dialog, START_US + SECOND_US)).toBe(true);
    expect(times.dueCalls(START_US + 5 * SECOND_US - 1)).toEqual([]);
    expect(times.dueCalls(START_US + 5 * SECOND_US)).toEqual([call]);
    expect(times.dueCalls(Number.POSITIVE_INFINITY)).toEqual([call]);
    times.forgetCall(call);
    expect(times.dueCalls(Number.POSITIVE_INFINITY)).toEqual([]);
  });

  it.each<[why: string, dialog: Dialog, afterUs: number]>([
    ["nobody asked for a transfer", closed("bye", false), SECOND_US],
    ["it did not end by BYE", closed("idle", true), SECOND_US],
    ["its time is over already", closed("bye", true), 5 * SECOND_US],
  ])("does not wait when %s", (_, dialog, afterUs) => {
    const times = newTimes();
    expect(times.waitForTransfer(dialog.call, dialog, START_US + afterUs)).toBe(false);
    expect(times.dueCalls(Number.POSITIVE_INFINITY)).toEqual([]);
  });
});

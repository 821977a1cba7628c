// The life of a session: attempts, challenges, cancels, forks, hops, ends. RFC 3261 §8.1.3, §9, §12–15; RFC 3578.
import { describe, expect, test } from "vitest";
import { startSession, stepSession } from "../../../device/sip/session.js";
import { MAX_DIALOG_TAGS, MAX_TRANSACTIONS } from "../../../device/sip/session-state.js";
import { play, request, response } from "./session-script.js";

const INVITE = request("INVITE", { sdp: "A" });
const RINGING = response(180, "INVITE");
const OK = response(200, "INVITE", { sdp: "B" });
const ACK = request("ACK");
const BYE = request("BYE", { cseq: 2 });
const ANSWER = "answered, answered0 A, answered1 B";

describe("an ordinary call", () => {
  const call = [INVITE, response(100, "INVITE"), RINGING, OK, ACK, BYE, response(200, "BYE", { cseq: 2 })];
  const expected = ["offered0 early A", "", "ringing", ANSWER, "confirmed", "ended0", ""];

  test("from the first INVITE to the BYE", () => {
    const { state, events, from } = play(call);
    expect(events).toEqual(expected);
    expect(from).toEqual([0, 1, 1, 1, 0, 0, 1]);
    expect(state).toMatchObject({ phase: "ended", callId: "call-1", startSeen: true, finalStatus: 200 });
    expect(state.originator).toMatchObject({ user: "100", tag: "a" });
    expect(state.answerer).toMatchObject({ user: "200", tag: "b" });
  });

  test("every message again and again", () => {
    const again = call.flatMap((message, index) => [message, ...call.slice(0, index + 1)]);
    const { events } = play(again);
    expect(events.filter((text) => text !== "")).toEqual(expected.filter((text) => text !== ""));
  });

  test("the answerer hangs up", () => {
    const { events, from } = play([INVITE, OK, ACK, request("BYE", { by: 1, cseq: 1 })]);
    expect(events.at(-1)).toBe("ended1");
    expect(from.at(-1)).toBe(1);
  });

  test.each([401, 407, 481, 404])(
    "a BYE answered %i ended it all the same, and sent again is no second end",
    (status) => {
      const { state, events } = play([
        INVITE,
        OK,
        ACK,
        BYE,
        response(status, "BYE", { cseq: 2 }),
        request("BYE", { cseq: 3 }),
      ]);
      expect(events.slice(3)).toEqual(["ended0", "", ""]);
      expect(state.phase).toBe("ended");
    },
  );

  test("both hang up", () => {
    expect(play([INVITE, OK, ACK, BYE, request("BYE", { by: 1, cseq: 1 })]).events.slice(3)).toEqual(["ended0", ""]);
  });
});

describe("attempts that do not succeed", () => {
  test.each([302, 404, 486, 503, 603])("%i", (status) => {
    const { state, events } = play([INVITE, RINGING, response(status, "INVITE"), ACK]);
    expect(events.slice(1)).toEqual(["ringing", `failed${status}`, ""]);
    expect(state).toMatchObject({ phase: "failed", finalStatus: status });
  });

  test.each([401, 407])("%i, then the same with credentials", (status) => {
    const { state, events } = play([
      INVITE,
      response(status, "INVITE", { tags: ["a", "x"] }),
      request("ACK", { tags: ["a", "x"] }),
      request("INVITE", { cseq: 2, sdp: "A2" }),
      response(200, "INVITE", { cseq: 2, sdp: "B" }),
    ]);
    const retry = "retried, offered0 early A2";
    expect(events.slice(1)).toEqual(["challenged", "", retry, "answered, answered0 A2, answered1 B"]);
    expect(state).toMatchObject({ phase: "answered", finalStatus: 200 });
  });

  test("a retry that carries the challenge's To tag is no re-INVITE", () => {
    const { state, events } = play([
      INVITE,
      response(401, "INVITE", { tags: ["a", "x"] }),
      request("INVITE", { cseq: 2, tags: ["a", "x"], sdp: "A" }),
    ]);
    expect(events[2]).toBe("retried, offered0 early A");
    expect(state.phase).toBe("inviting");
  });

  test("CANCEL and 487", () => {
    const { state, events } = play([
      INVITE,
      RINGING,
      request("CANCEL"),
      request("CANCEL"),
      response(200, "CANCEL"),
      response(487, "INVITE"),
      ACK,
    ]);
    expect(events.slice(1)).toEqual(["ringing", "cancelled", "", "", "failed487", ""]);
    expect(state.cancelSeen).toBe(true);
  });

  test("an answer that crosses the CANCEL counts", () => {
    expect(play([INVITE, request("CANCEL"), OK]).events.slice(1)).toEqual(["cancelled", ANSWER]);
  });

  test("a CANCEL after the answer is none", () => {
    expect(play([INVITE, OK, request("CANCEL")]).events[2]).toBe("");
  });

  test("the caller gives up by BYE before the answer", () => {
    expect(play([INVITE, RINGING, request("BYE", { cseq: 2 })]).events[2]).toBe("ended0");
  });
});

describe("overlap dialling: several INVITEs under one Call-ID", () => {
  test("one after the other", () => {
    const { events } = play([
      INVITE,
      response(484, "INVITE"),
      request("INVITE", { cseq: 2, sdp: "A" }),
      response(484, "INVITE", { cseq: 2 }),
      request("INVITE", { cseq: 3, sdp: "A" }),
      response(200, "INVITE", { cseq: 3, sdp: "B" }),
    ]);
    const retry = "retried, offered0 early A";
    expect(events.slice(1)).toEqual(["failed484", retry, "failed484", retry, ANSWER]);
  });

  test("side by side: an older attempt's end is not the call's", () => {
    const { state, events } = play([
      INVITE,
      request("INVITE", { cseq: 2, sdp: "A2" }),
      request("CANCEL", { cseq: 1 }),
      response(487, "INVITE", { cseq: 1 }),
      response(180, "INVITE", { cseq: 2 }),
      response(200, "INVITE", { cseq: 2, sdp: "B" }),
    ]);
    expect(events.slice(1)).toEqual([
      "retried, offered0 early A2",
      "",
      "",
      "ringing",
      "answered, answered0 A2, answered1 B",
    ]);
    expect(state.phase).toBe("answered");
  });

  test("several are answered: the first answer is in force, the others' addresses come in addition", () => {
    const { state, events } = play([
      request("INVITE", { cseq: 1, sdp: "A1" }),
      request("INVITE", { cseq: 2, sdp: "A2" }),
      response(200, "INVITE", { cseq: 1, sdp: "B1" }),
      request("INVITE", { cseq: 3, sdp: "A3" }),
      request("ACK", { cseq: 1 }),
      response(200, "INVITE", { cseq: 2, sdp: "B2" }),
      request("ACK", { cseq: 2 }),
      response(200, "INVITE", { cseq: 3, sdp: "B3" }),
      request("INVITE", { by: 1, cseq: 10, sdp: "B4" }),
    ]);
    expect(events.slice(2)).toEqual([
      "answered, answered0 A1, answered1 B1",
      "offered0 hop A3",
      "confirmed",
      "answered0 hop A2, answered1 hop B2",
      "",
      "answered0 hop A3, answered1 hop B3",
      "reinvite1, offered1 B4",
    ]);
    expect(state.phase).toBe("answered");
  });

  test("an attempt older than the last one, seen late, changes nothing", () => {
    const { state, events } = play([
      request("INVITE", { cseq: 5, sdp: "A" }),
      request("INVITE", { cseq: 4, sdp: "Z" }),
    ]);
    expect(events[1]).toBe("");
    expect(state.phase).toBe("inviting");
  });
});

describe("forking", () => {
  const fork = (tag: string) => ({ tags: ["a", tag] as const });

  test("several ring with early media, one answers", () => {
    const { state, events } = play([
      INVITE,
      response(183, "INVITE", { ...fork("f1"), sdp: "F1" }),
      response(183, "INVITE", { ...fork("f2"), sdp: "F2" }),
      response(183, "INVITE", { ...fork("f1"), sdp: "F1" }),
      response(200, "INVITE", { ...fork("f2"), sdp: "F2" }),
      response(183, "INVITE", { ...fork("f1"), sdp: "F1" }),
    ]);
    expect(events.slice(1)).toEqual([
      "ringing, answered0 early A, answered1 early F1, early-media1",
      "answered1 early F2, early-media1",
      "",
      "answered, answered0 A, answered1 F2",
      "",
    ]);
    expect(state.answerer.tag).toBe("f2");
  });

  test("a BYE for one early dialog leaves the others", () => {
    const { state, events } = play([
      INVITE,
      response(180, "INVITE", fork("f1")),
      response(180, "INVITE", fork("f2")),
      request("BYE", { ...fork("f1"), cseq: 2 }),
      response(200, "INVITE", { ...fork("f2"), sdp: "B" }),
    ]);
    expect(events.slice(3)).toEqual(["", ANSWER]);
    expect(state.phase).toBe("answered");
  });

  test("two answer: the second is acknowledged and ended, the call goes on", () => {
    const { state, events } = play([
      INVITE,
      response(200, "INVITE", { ...fork("f1"), sdp: "F1" }),
      response(200, "INVITE", { ...fork("f2"), sdp: "F2" }),
      request("ACK", fork("f1")),
      request("ACK", fork("f2")),
      request("BYE", { ...fork("f2"), cseq: 2 }),
      response(200, "BYE", { ...fork("f2"), cseq: 2 }),
    ]);
    expect(events.slice(2)).toEqual(["", "confirmed", "", "", ""]);
    expect(state).toMatchObject({ phase: "answered", answerer: { tag: "f1" } });
    expect(stepSession(state, request("BYE", { ...fork("f1"), cseq: 3 })).events).toEqual([{ type: "ended", by: 0 }]);
  });

  test("two answer and the first is ended: the second's descriptions are in force", () => {
    const { state, events } = play([
      INVITE,
      response(200, "INVITE", { ...fork("f1"), sdp: "F1" }),
      response(200, "INVITE", { ...fork("f2"), sdp: "F2" }),
      request("BYE", { ...fork("f1"), cseq: 2 }),
      request("BYE", { ...fork("f2"), by: 1, cseq: 9 }),
    ]);
    expect(events.slice(2)).toEqual(["", "answered0 A, answered1 F2", "ended1"]);
    expect(state.answerer.tag).toBe("f2");
  });

  test("an ended fork's 2xx, seen again, is no answer that goes on", () => {
    const first = response(200, "INVITE", { ...fork("f1"), sdp: "F1" });
    const second = response(200, "INVITE", { ...fork("f2"), sdp: "F2" });
    const ends = (tag: string, cseq: number) => request("BYE", { ...fork(tag), cseq });
    expect(play([INVITE, first, second, ends("f2", 2), second, ends("f1", 3)]).events.slice(3)).toEqual([
      "",
      "",
      "ended0",
    ]);
    const switched = play([INVITE, first, second, ends("f1", 2), first, ends("f2", 3)]);
    expect(switched.events.slice(3)).toEqual(["answered0 A, answered1 F2", "", "ended0"]);
  });

  test("a BYE of a dialog that was never answered ends nothing", () => {
    const { events, from } = play([INVITE, OK, request("BYE", { ...fork("other"), by: 1, cseq: 7 })]);
    expect([events[2], from[2]]).toEqual(["", 1]);
  });

  test("more forks than are told apart", () => {
    const many = Array.from({ length: 40 }, (_, i) => response(183, "INVITE", { ...fork(`f${i}`), sdp: `F${i}` }));
    const { state } = play([INVITE, ...many, response(200, "INVITE", { ...fork("f39"), sdp: "F39" })]);
    expect(play([INVITE, ...many]).state.earlyTags).toHaveLength(MAX_DIALOG_TAGS);
    expect(state).toMatchObject({ phase: "answered", answerer: { tag: "f39" } });
  });
});

describe("behind a proxy", () => {
  const inner = (message: { cseq?: number } = {}) => ({ ...message, hop: 2 });

  test("the same exchange on two hops gives one set of events", () => {
    const { events } = play([
      INVITE,
      request("INVITE", { ...inner(), sdp: "A" }),
      response(180, "INVITE", inner()),
      RINGING,
      response(200, "INVITE", { ...inner(), sdp: "B" }),
      OK,
      ACK,
      request("ACK", inner()),
      BYE,
      request("BYE", inner({ cseq: 2 })),
    ]);
    expect(events).toEqual(["offered0 early A", "", "ringing", "", ANSWER, "", "confirmed", "", "ended0", ""]);
  });

  test("descriptions rewritten on the way are further paths of the same side", () => {
    const { events } = play([
      INVITE,
      request("INVITE", { ...inner(), sdp: "A2" }),
      response(200, "INVITE", { ...inner(), sdp: "B" }),
      response(200, "INVITE", { sdp: "B2" }),
      response(200, "INVITE", { sdp: "B2" }),
    ]);
    expect(events).toEqual([
      "offered0 early A",
      "offered0 early hop A2",
      "answered, answered0 A, answered0 hop A2, answered1 B",
      "answered1 hop B2",
      "",
    ]);
  });

  test("a branch that fails is not the call that fails", () => {
    const branch = (name: string) => ({ ...inner(), branch: name });
    const { state, events } = play([
      INVITE,
      request("INVITE", { ...branch("z9hG4bKb1"), sdp: "A" }),
      response(486, "INVITE", { ...branch("z9hG4bKb1"), tags: ["a", "t1"] }),
      request("CANCEL", branch("z9hG4bKb2")),
      request("INVITE", { ...branch("z9hG4bKb2"), sdp: "A" }),
      response(200, "INVITE", { ...branch("z9hG4bKb2"), sdp: "B" }),
      OK,
    ]);
    expect(events.slice(1)).toEqual(["", "", "", "", ANSWER, ""]);
    expect(state.phase).toBe("answered");
  });

  test("when the outer hop fails, it has failed", () => {
    const { events } = play([
      INVITE,
      request("INVITE", { ...inner(), sdp: "A" }),
      response(486, "INVITE", inner()),
      response(486, "INVITE"),
      response(486, "INVITE"),
    ]);
    expect(events.slice(1)).toEqual(["", "", "failed486", ""]);
  });

  test("only the far side in view: the next target is another try", () => {
    const at = (branch: string) => ({ hop: 2, branch });
    const { state, events } = play([
      request("INVITE", { ...at("z9hG4bKb1"), sdp: "A" }),
      response(486, "INVITE", at("z9hG4bKb1")),
      request("INVITE", { ...at("z9hG4bKb1"), sdp: "A" }),
      request("INVITE", { ...at("z9hG4bKb2"), sdp: "A" }),
      response(180, "INVITE", at("z9hG4bKb2")),
      response(200, "INVITE", { ...at("z9hG4bKb2"), sdp: "B" }),
    ]);
    expect(events.slice(1)).toEqual(["failed486", "", "retried", "ringing", ANSWER]);
    expect(state.phase).toBe("answered");
  });
});

describe("joined late", () => {
  test("180, then 200", () => {
    const { state, events } = play([RINGING, OK]);
    expect(events).toEqual(["ringing", "answered, answered1 B"]);
    expect(state).toMatchObject({ phase: "answered", startSeen: false, originator: { user: "100", tag: "a" } });
  });

  test("100", () => {
    expect(play([response(100, "INVITE")]).state).toMatchObject({ phase: "inviting", startSeen: false });
  });

  test("200, and the ACK with a description shows that it was an offer", () => {
    const { events, from } = play([OK, request("ACK", { sdp: "A" }), BYE]);
    expect(events).toEqual(["answered, answered1 B", "confirmed, answered1 B, answered0 A", "ended0"]);
    expect(from).toEqual([1, 0, 0]);
  });

  test("re-INVITE", () => {
    const { state, events } = play([
      request("INVITE", { by: 1, cseq: 9, sdp: "B" }),
      response(200, "INVITE", { by: 1, cseq: 9, sdp: "A" }),
      request("BYE", { cseq: 4 }),
    ]);
    expect(events).toEqual(["answered, reinvite0, offered0 B", "answered0 B, answered1 A", "ended1"]);
    expect(state.startSeen).toBe(false);
  });

  test("ACK with a description, INFO, UPDATE, PRACK", () => {
    expect(play([request("ACK", { sdp: "A" })]).events).toEqual(["answered, confirmed, answered0 A"]);
    expect(play([request("INFO", { cseq: 7 })]).events).toEqual(["answered"]);
    const update = [request("UPDATE", { cseq: 7, sdp: "A" }), response(200, "UPDATE", { cseq: 7, sdp: "B" })];
    expect(play(update).events).toEqual(["answered, offered0 A", "answered0 A, answered1 B"]);
    expect(play([request("PRACK", { cseq: 2 }), OK]).events).toEqual(["ringing", "answered, answered1 B"]);
  });

  test("what leaves nothing to record opens nothing", () => {
    for (const message of [
      BYE,
      request("BYE", { by: 1, cseq: 2 }),
      response(200, "BYE", { cseq: 2 }),
      request("CANCEL"),
      ACK,
      response(486, "INVITE"),
      response(401, "INVITE"),
      response(200, "UPDATE", { sdp: "B" }),
      request("OPTIONS"),
      request("MESSAGE"),
      request("REFER", { cseq: 3 }),
      request("INFO", { tags: ["a", undefined] }),
    ]) {
      expect(startSession(message)).toBeUndefined();
    }
  });

  test("an in-dialog INVITE before any answer: the answer was missed", () => {
    const byAnswerer = play([INVITE, RINGING, request("INVITE", { by: 1, cseq: 1, sdp: "B" })]);
    expect(byAnswerer.events[2]).toBe("answered, reinvite1, offered1 B");
    const byOriginator = play([INVITE, request("INVITE", { cseq: 2, tags: ["a", "b"], sdp: "A2" })]);
    expect(byOriginator.events[1]).toBe("answered, reinvite0, offered0 A2");
    expect(byOriginator.state.answerer.tag).toBe("b");
  });
});

describe("in any order", () => {
  test("every order of INVITE, 180, 200 and ACK ends answered with both descriptions in force", () => {
    for (const order of permutations([INVITE, RINGING, OK, ACK])) {
      const first = order.findIndex((message) => startSession(message) !== undefined);
      const { state, events } = play(order.slice(first));
      const flat = events
        .join(", ")
        .split(", ")
        .filter((text) => text !== "");
      expect(state).toMatchObject({ phase: "answered", startSeen: true, answerer: { tag: "b" } });
      expect(flat.filter((text) => text === "answered")).toHaveLength(1);
      expect(flat.lastIndexOf("answered0 A")).toBeGreaterThanOrEqual(0);
      expect(flat.lastIndexOf("answered1 B")).toBeGreaterThanOrEqual(0);
      expect(flat.includes("retried") || flat.includes("reinvite0")).toBe(false);
      expect(flat.filter((text) => text === "confirmed").length).toBeLessThanOrEqual(1);
    }
  });

  test("200 before its INVITE", () => {
    const { state, events } = play([OK, INVITE, RINGING, ACK]);
    expect(events).toEqual(["answered, answered1 B", "answered0 A", "", "confirmed"]);
    expect(state.startSeen).toBe(true);
  });

  test("ACK before its 200", () => {
    expect(play([INVITE, ACK, OK]).events.slice(1)).toEqual(["", `answered, confirmed, answered0 A, answered1 B`]);
  });

  test("the retry before its challenge", () => {
    const { state, events } = play([
      INVITE,
      request("INVITE", { cseq: 2, sdp: "A2" }),
      response(401, "INVITE"),
      response(200, "INVITE", { cseq: 2, sdp: "B" }),
    ]);
    expect(events.slice(1)).toEqual(["retried, offered0 early A2", "", "answered, answered0 A2, answered1 B"]);
    expect(state.phase).toBe("answered");
  });

  test("a failure after the answer is none", () => {
    expect(play([INVITE, OK, response(486, "INVITE")]).state.phase).toBe("answered");
  });
});

describe("after the end, and strangers", () => {
  const over = play([INVITE, OK, ACK, BYE]).state;

  test("nothing of the old parties opens it again", () => {
    for (const message of [
      INVITE,
      RINGING,
      OK,
      ACK,
      BYE,
      request("INVITE", { cseq: 9, sdp: "Z" }),
      request("INFO", { cseq: 8 }),
    ]) {
      const step = stepSession(over, message);
      expect(step).toMatchObject({ events: [], restart: false });
      expect(step.state).toBe(over);
      expect(step.from).not.toBeUndefined();
    }
  });

  test("an INVITE with a new From tag is another session", () => {
    const fresh = request("INVITE", { tags: ["new", undefined], sdp: "N" });
    expect(stepSession(over, fresh)).toMatchObject({ events: [], from: undefined, restart: true });
    const failed = play([INVITE, response(486, "INVITE")]).state;
    expect(stepSession(failed, fresh).restart).toBe(true);
    const challenged = play([INVITE, response(401, "INVITE")]).state;
    expect(stepSession(challenged, fresh).restart).toBe(true);
  });

  test("but never at a live session's expense", () => {
    const fresh = request("INVITE", { tags: ["new", undefined], sdp: "N" });
    for (const live of [play([INVITE]).state, play([INVITE, RINGING]).state, play([INVITE, OK]).state]) {
      expect(stepSession(live, fresh)).toEqual({
        state: live,
        events: [],
        from: undefined,
        restart: false,
        foreign: true,
      });
    }
  });

  test("messages of other dialogs and other Call-IDs", () => {
    const live = play([INVITE, OK]).state;
    const nothing = { state: live, events: [], from: undefined, restart: false };
    for (const message of [
      request("BYE", { tags: ["x", "y"], cseq: 2 }),
      response(200, "INVITE", { tags: ["x", "b"], sdp: "X" }),
    ]) {
      expect(stepSession(live, message)).toEqual({ ...nothing, foreign: true });
    }
    for (const message of [request("BYE", { callId: "call-2", cseq: 2 }), request("INVITE", { callId: "call-2" })]) {
      expect(stepSession(live, message)).toEqual({ ...nothing, foreign: false });
    }
    expect(stepSession(over, request("INVITE", { callId: "call-2" })).restart).toBe(false);
  });
});

describe("RFC 2543: no tags", () => {
  test("parties are told by their URIs", () => {
    const tags = { tags: [undefined, undefined] as const };
    const { events, from } = play([
      request("INVITE", { ...tags, sdp: "A" }),
      response(200, "INVITE", { ...tags, sdp: "B" }),
      request("ACK", tags),
      request("BYE", { ...tags, by: 1, cseq: 1 }),
    ]);
    expect(events).toEqual(["offered0 early A", ANSWER, "confirmed", "ended1"]);
    expect(from).toEqual([0, 1, 0, 1]);
  });
});

describe("bounds", () => {
  test("transactions beyond the limit are forgotten, oldest first, and their copies are no news", () => {
    const updates = Array.from({ length: 30 }, (_, i) => request("UPDATE", { cseq: 10 + i, sdp: `U${i}` }));
    const { state } = play([INVITE, OK, ACK, ...updates]);
    expect(state.transactions).toHaveLength(MAX_TRANSACTIONS);
    expect(state.forgottenCseq[0]).toBe(31);
    expect(stepSession(state, updates[3]!).events).toEqual([]);
    expect(stepSession(state, INVITE).events).toEqual([]);
    expect(stepSession(state, updates.at(-1)!).events).toEqual([]);
    expect(stepSession(state, request("BYE", { cseq: 99 })).events).toEqual([{ type: "ended", by: 0 }]);
  });
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}

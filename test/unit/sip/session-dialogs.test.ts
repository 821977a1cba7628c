// Several sessions under one Call-ID: a back-to-back user agent that keeps the Call-ID, and how each message finds its
// session. RFC 3261 §12.
import { describe, expect, test } from "vitest";
import type { SipMessage } from "../../../device/sip/message.js";
import { type SessionState, startSession, stepSession } from "../../../device/sip/session.js";
import { dialogKeyOf, dialogKeysOf, isNamedBy, sessionKeyOf } from "../../../device/sip/session-dialogs.js";
import { type Draft, eventText, play, request, response } from "./session-script.js";

/** Keeps sessions as the functions intend: each message goes to the session under one of its keys, or opens one. */
function follow(messages: readonly SipMessage[]): Map<string, { state: SessionState; events: string[] }> {
  const sessions = new Map<string, { state: SessionState; events: string[] }>();
  for (const message of messages) {
    const known = dialogKeysOf(message)
      .map((key) => sessions.get(key))
      .find((session) => session !== undefined);
    if (known) {
      const step = stepSession(known.state, message);
      expect([step.from === undefined, step.foreign]).toEqual([false, false]);
      known.state = step.state;
      known.events.push(...step.events.map(eventText));
      continue;
    }
    const start = startSession(message);
    if (!start) continue;
    expect(sessionKeyOf(start.state)).toBe(dialogKeyOf(message));
    sessions.set(dialogKeyOf(message), { state: start.state, events: start.events.map(eventText) });
  }
  return sessions;
}

const near: Draft = { tags: ["a", "b"] };
const far: Draft = { tags: ["x", "y"] };
const first = (tag: string): Draft => ({ tags: [tag, undefined] });
const whole = "offered0 early A, ringing, answered, answered0 A, answered1 B, confirmed";

describe("a back-to-back user agent that keeps the Call-ID", () => {
  const messages = [
    request("INVITE", { ...first("a"), sdp: "A" }),
    request("INVITE", { ...first("x"), sdp: "S" }),
    response(180, "INVITE", far),
    response(180, "INVITE", near),
    response(200, "INVITE", { ...far, sdp: "B" }),
    response(200, "INVITE", { ...near, sdp: "T" }),
    request("ACK", near),
    request("ACK", far),
    request("UPDATE", { ...far, by: 1, cseq: 1, sdp: "B2" }),
    request("BYE", { ...near, by: 1, cseq: 1 }),
    request("BYE", { ...far, cseq: 2 }),
  ];

  test("each side is a session of its own, and loses no description", () => {
    const sessions = follow(messages);
    expect([...sessions.values()].map(({ events }) => events.join(", "))).toEqual([
      `${whole.replace("answered1 B", "answered1 T")}, ended1`,
      `${whole.replaceAll("0 early A", "0 early S").replace("answered0 A", "answered0 S")}, offered1 B2, ended0`,
    ]);
  });

  test("to the one session, the other's messages are foreign", () => {
    const { state } = play(messages.slice(0, 1));
    for (const message of messages.slice(1)) {
      const step = stepSession(state, message);
      const isOwn = message.from.tag === "a" || message.to.tag === "a";
      expect([step.foreign, step.from !== undefined, step.restart]).toEqual([!isOwn, isOwn, false]);
    }
    expect(stepSession(state, request("INVITE", { ...first("x"), callId: "other" })).foreign).toBe(false);
  });

  test("an INVITE that opens another session after the end is no stranger's", () => {
    const over = play([request("INVITE", { ...first("a"), sdp: "A" }), response(486, "INVITE", near)]).state;
    expect(stepSession(over, request("INVITE", first("x")))).toMatchObject({ restart: true, foreign: false });
    expect(stepSession(over, request("INFO", { ...far, cseq: 2 }))).toMatchObject({ restart: false, foreign: true });
  });
});

describe("keys", () => {
  test("are the same for all forks and for both directions", () => {
    const { state } = play([request("INVITE", { ...first("a"), sdp: "A" })]);
    const key = sessionKeyOf(state);
    for (const message of [
      response(180, "INVITE", { tags: ["a", "f1"] }),
      response(200, "INVITE", { tags: ["a", "f2"] }),
      request("BYE", { tags: ["a", "f2"], cseq: 2 }),
      request("BYE", { tags: ["a", "f2"], by: 1, cseq: 1 }),
      response(200, "BYE", { tags: ["a", "f2"], by: 1, cseq: 1 }),
    ])
      expect(dialogKeysOf(message)).toContain(key);
    expect(dialogKeysOf(request("INVITE", first("b")))).toEqual(["call-1\nb"]);
  });

  test("joined late, the sender of the request is the originator", () => {
    const sessions = follow([
      request("UPDATE", { ...near, by: 1, cseq: 4, sdp: "B" }),
      response(200, "UPDATE", { ...near, by: 1, cseq: 4, sdp: "A" }),
      request("BYE", { ...near, cseq: 9 }),
    ]);
    expect([...sessions.values()].map(({ events }) => events.join(", "))).toEqual([
      "answered, offered0 B, answered0 B, answered1 A, ended1",
    ]);
  });

  test("no tags at all", () => {
    const bare: Draft = { tags: [undefined, undefined] };
    const sessions = follow([request("INVITE", { ...bare, sdp: "A" }), response(200, "INVITE", { ...bare, sdp: "B" })]);
    expect(sessions.size).toBe(1);
  });
});

describe("named by another message", () => {
  const { state } = play([
    request("INVITE", { ...first("a"), sdp: "A" }),
    response(180, "INVITE", { tags: ["a", "f1"] }),
    response(180, "INVITE", { tags: ["a", "f2"] }),
  ]);
  const named = (...tags: [string, string]) => isNamedBy(state, { callId: "call-1", tags });

  test("in either order, early dialogs and the answered one", () => {
    expect([named("a", "f1"), named("f2", "a"), named("a", "f3"), named("f1", "f2"), named("a", "a")]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    const answered = stepSession(state, response(200, "INVITE", { tags: ["a", "f1"] })).state;
    const of = (callId: string, tag: string) => isNamedBy(answered, { callId, tags: [tag, "a"] });
    expect([of("call-1", "f1"), of("call-1", "f2"), of("call-2", "f1")]).toEqual([true, false, false]);
  });
});

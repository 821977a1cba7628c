// Several user agents behind one INVITE: early dialogs that end, answer, are updated each on their own, and the ones that
// lost. Forwarding and redirection. RFC 3261 §8.1.3.4, §13.2.2.4, §16.7; RFC 3262; RFC 3311; RFC 6228.
import { describe, expect, test } from "vitest";
import { MAX_DIALOG_TAGS } from "../../../device/sip/session-state.js";
import { type Draft, play, request, response } from "./session-script.js";

const INVITE = request("INVITE", { sdp: "A" });
const LATE = request("INVITE");
const fork = (tag: string): Draft => ({ tags: ["a", tag] });
const rings = (tag: string, draft: Draft = {}, status = 183) => response(status, "INVITE", { ...fork(tag), ...draft });
const answers = (tag: string, draft: Draft = {}) => response(200, "INVITE", { ...fork(tag), ...draft });
const within = (method: string, tag: string, draft: Draft) => request(method, { ...fork(tag), ...draft });
const accepted = (method: string, tag: string, draft: Draft) => response(200, method, { ...fork(tag), ...draft });
const after = (count: number, ...messages: Parameters<typeof play>[0]) => play(messages).events.slice(count);

describe("early dialogs", () => {
  test("early media of each fork is told once, whatever is sent again", () => {
    const script = [INVITE, rings("f1", {}, 180), rings("f1", { sdp: "F1" }), rings("f2", { sdp: "F2" })];
    const again = [...script.slice(1), rings("f1", { sdp: "F1b" }), rings("f2", { sdp: "F2", hop: 2 })];
    expect(after(1, ...script, ...again)).toEqual([
      "ringing",
      "answered0 early A, answered1 early F1, early-media1",
      "answered1 early F2, early-media1",
      "",
      "",
      "",
      "answered1 early F1b",
      "",
    ]);
  });

  test("more forks than are told apart: their descriptions are left, once the answer's", () => {
    const many = Array.from({ length: 30 }, (_, i) => rings(`f${i}`, { sdp: `F${i}` }));
    const { events } = play([INVITE, ...many, ...many, answers("f29", { sdp: "F29" })]);
    expect(events.filter((text) => text.includes("early-media1"))).toHaveLength(MAX_DIALOG_TAGS);
    expect(events.slice(31, 61).join("")).toBe("");
    expect(events.at(-1)).toBe("answered, answered0 A, answered1 F29");
  });

  test("199: one has ended, the others ring on; what it sent is no news any more", () => {
    const { state, events } = play([
      INVITE,
      rings("f1", { sdp: "F1" }),
      rings("f2", { sdp: "F2" }),
      rings("f1", {}, 199),
      rings("f1", { sdp: "F1" }),
      within("PRACK", "f1", { cseq: 2, sdp: "X" }),
      within("UPDATE", "f1", { by: 1, cseq: 9, sdp: "Y" }),
      rings("f1", {}, 199),
      answers("f2", { sdp: "F2" }),
    ]);
    expect(events.slice(3)).toEqual(["", "", "", "", "", "answered, answered0 A, answered1 F2"]);
    expect(state).toMatchObject({ endedTags: ["f1"], answeredTags: ["f2"] });
  });

  test("199 of the only one: the call still waits", () => {
    const { state, events } = play([INVITE, rings("f1", {}, 199), rings("f2", {}, 180)]);
    expect(events).toEqual(["offered0 early A", "", "ringing"]);
    expect(state.phase).toBe("early");
  });

  test("a fork that was ended before its answer came through has answered all the same", () => {
    const { state, events } = play([
      INVITE,
      rings("f1", {}, 180),
      rings("f2", {}, 180),
      within("BYE", "f1", { cseq: 2 }),
      answers("f1", { sdp: "B" }),
      within("UPDATE", "f1", { cseq: 3, sdp: "A2" }),
    ]);
    expect(events.slice(3)).toEqual(["", "answered, answered0 A, answered1 B", "offered0 A2"]);
    expect(state.phase).toBe("answered");
  });

  test("ended by BYE: its late copies bring it back no more", () => {
    const { state, events } = play([
      INVITE,
      rings("f1", { sdp: "F1" }),
      rings("f2", {}, 180),
      within("BYE", "f1", { cseq: 2 }),
      rings("f1", { sdp: "F1b" }),
      within("UPDATE", "f1", { by: 1, cseq: 1, sdp: "F1c" }),
    ]);
    expect(events.slice(3)).toEqual(["", "", ""]);
    expect(state.earlyTags).toEqual(["f2"]);
  });

  test("BYE of an answerer: the answer passed unseen", () => {
    const script = [INVITE, rings("f1", {}, 180), rings("f2", {}, 180), within("BYE", "f1", { by: 1, cseq: 1 })];
    expect(after(3, ...script)).toEqual(["ended1"]);
  });

  test("nobody answers and nothing more is said: it rings", () => {
    const { state } = play([INVITE, rings("f1", {}, 180), rings("f2", {}, 180)]);
    expect(state).toMatchObject({ phase: "early", finalStatus: 0, earlyTags: ["f1", "f2"] });
  });
});

describe("PRACK and UPDATE in several early dialogs, which count their CSeq alike", () => {
  const updated = (tag: string, offer: string, answer: string) => [
    within("UPDATE", tag, { cseq: 2, sdp: offer }),
    accepted("UPDATE", tag, { cseq: 2, sdp: answer }),
  ];
  const both = [
    INVITE,
    rings("f1", { sdp: "F1" }),
    rings("f2", { sdp: "F2" }),
    ...updated("f1", "A1", "F1b"),
    ...updated("f2", "A2", "F2b"),
  ];

  test("each is an exchange of its own", () => {
    expect(after(3, ...both)).toEqual([
      "offered0 early A1",
      "answered0 early A1, answered1 early F1b",
      "offered0 early A2",
      "answered0 early A2, answered1 early F2b",
    ]);
  });

  test("the answer puts in force what its own dialog agreed on last", () => {
    // Said last, so it is in force already.
    expect(after(7, ...both, answers("f2", { sdp: "F2" }))).toEqual(["answered"]);
    expect(after(7, ...both, answers("f1", { sdp: "F1" }))).toEqual(["answered, answered0 A1, answered1 F1b"]);
    expect(after(7, ...both, answers("f1"))).toEqual(["answered, answered0 A1, answered1 F1b"]);
    expect(after(7, ...both, answers("f3", { sdp: "F3" }))).toEqual(["answered, answered0 A, answered1 F3"]);
  });

  test("an UPDATE of one does not hide the answer of another", () => {
    const script = [INVITE, rings("f1", { sdp: "F1" }), rings("f2", { sdp: "F2" }), ...updated("f1", "A1", "F1b")];
    expect(after(5, ...script, answers("f2", { sdp: "F2" }))).toEqual(["answered, answered0 A, answered1 F2"]);
  });

  test("by the answerers", () => {
    const script = [
      INVITE,
      rings("f1", { sdp: "F1" }),
      rings("f2", { sdp: "F2" }),
      within("UPDATE", "f1", { by: 1, cseq: 1, sdp: "F1b" }),
      within("UPDATE", "f2", { by: 1, cseq: 1, sdp: "F2b" }),
      accepted("UPDATE", "f1", { by: 1, cseq: 1, sdp: "A1" }),
      accepted("UPDATE", "f2", { by: 1, cseq: 1, sdp: "A2" }),
      answers("f1"),
    ];
    expect(after(3, ...script)).toEqual([
      "offered1 early F1b",
      "offered1 early F2b",
      "answered1 early F1b, answered0 early A1",
      "answered1 early F2b, answered0 early A2",
      "answered, answered1 F1b, answered0 A1",
    ]);
  });

  test("late offers: each PRACK answers its own fork", () => {
    const script = [
      LATE,
      rings("f1", { sdp: "F1" }),
      rings("f2", { sdp: "F2" }),
      within("PRACK", "f1", { cseq: 2, sdp: "A1" }),
      within("PRACK", "f2", { cseq: 2, sdp: "A2" }),
      within("PRACK", "f1", { cseq: 2, sdp: "A1" }),
      accepted("PRACK", "f2", { cseq: 2 }),
    ];
    expect(after(1, ...script)).toEqual([
      "ringing, offered1 early F1, early-media1",
      "offered1 early F2, early-media1",
      "answered1 early F1, answered0 early A1",
      "answered1 early F2, answered0 early A2",
      "",
      "",
    ]);
    expect(after(7, ...script, answers("f2"))).toEqual(["answered"]);
    expect(after(7, ...script, answers("f1"))).toEqual(["answered, answered1 F1, answered0 A1"]);
    const further = within("PRACK", "f1", { cseq: 3, sdp: "A1b" });
    expect(after(7, ...script, further, accepted("PRACK", "f1", { cseq: 3, sdp: "F1b" }))).toEqual([
      "offered0 early A1b",
      "answered0 early A1b, answered1 early F1b",
    ]);
  });

  test("late offers: each ACK answers its own fork", () => {
    const ack = (tag: string, sdp: string) => within("ACK", tag, { sdp });
    const script = [LATE, answers("f1", { sdp: "F1" }), answers("f2", { sdp: "F2" })];
    const { events, state } = play([...script, ack("f2", "A2"), ack("f1", "A1"), within("BYE", "f1", { cseq: 2 })]);
    expect(events.slice(1)).toEqual([
      "answered, offered1 F1",
      "",
      "",
      "confirmed, answered1 F1, answered0 A1",
      "answered1 F2, answered0 A2",
    ]);
    expect(state.answerer.tag).toBe("f2");
  });

  test("more exchanges than are remembered do not hide the answer", () => {
    const many = Array.from({ length: 20 }, (_, i) => within("UPDATE", "f1", { cseq: 2 + i, sdp: `U${i}` }));
    const { events } = play([INVITE, rings("f1", { sdp: "F1" }), ...many, answers("f1", { sdp: "F1" })]);
    expect(events.at(-1)).toBe("answered, answered0 A, answered1 F1");
  });
});

describe("the ones that lost", () => {
  const script = [
    INVITE,
    rings("f1", { sdp: "F1" }),
    rings("f2", { sdp: "F2" }),
    answers("f1", { sdp: "F1" }),
    request("ACK", fork("f1")),
  ];

  test("change nothing any more", () => {
    expect(
      after(
        5,
        ...script,
        within("PRACK", "f2", { cseq: 2, sdp: "A2" }),
        accepted("PRACK", "f2", { cseq: 2, sdp: "F2b" }),
        within("UPDATE", "f2", { by: 1, cseq: 1, sdp: "F2c" }),
        accepted("UPDATE", "f2", { by: 1, cseq: 1, sdp: "A3" }),
        within("INVITE", "f2", { by: 1, cseq: 2, sdp: "F2d" }),
        accepted("INVITE", "f2", { by: 1, cseq: 2, sdp: "A4" }),
        within("REFER", "f2", { by: 1, cseq: 3, headers: [["Refer-To", "<sip:300@x>"]] }),
        rings("f2", { sdp: "F2" }),
      ).join(""),
    ).toBe("");
  });

  test("a dialog of which nothing was seen before adds addresses and replaces nothing", () => {
    expect(
      after(
        5,
        ...script,
        within("INVITE", "new", { by: 1, cseq: 1, sdp: "N", direction: "sendonly", identity: "30", contact: "3@x" }),
        accepted("INVITE", "new", { by: 1, cseq: 1, sdp: "A2", direction: "recvonly" }),
        within("UPDATE", "new", { cseq: 2, sdp: "A3" }),
        accepted("UPDATE", "new", { cseq: 2, sdp: "N2" }),
        within("BYE", "new", { cseq: 3 }),
      ),
    ).toEqual([
      "offered1 hop N",
      "answered1 hop N, answered0 hop A2",
      "offered0 hop A3",
      "answered0 hop A3, answered1 hop N2",
      "",
    ]);
  });

  test("several answers: what the other dialog agrees on comes in addition, and in force when it stays alone", () => {
    const { events, state } = play([
      ...script,
      answers("f2", { sdp: "F2" }),
      within("INVITE", "f2", { by: 1, cseq: 1, sdp: "F2b", direction: "sendonly" }),
      accepted("INVITE", "f2", { by: 1, cseq: 1, sdp: "A2", direction: "recvonly" }),
      within("UPDATE", "f2", { cseq: 2, sdp: "A2b", direction: "inactive" }),
      accepted("UPDATE", "f2", { cseq: 2, sdp: "F2e", direction: "inactive" }),
      within("BYE", "f1", { cseq: 2 }),
      within("UPDATE", "f2", { cseq: 3, sdp: "A3" }),
    ]);
    expect(events.slice(6)).toEqual([
      "offered1 hop F2b",
      "answered1 hop F2b, answered0 hop A2",
      "offered0 hop A2b",
      "answered0 hop A2b, answered1 hop F2e",
      "answered0 A2b, answered1 F2e, hold0",
      "offered0 A3",
    ]);
    expect(state).toMatchObject({ phase: "answered", answerer: { tag: "f2" } });
  });

  test("the ACK that confirms is the one of the dialog in force", () => {
    const answered = [INVITE, answers("f1", { sdp: "F1" }), answers("f2", { sdp: "F2" })];
    expect(after(3, ...answered, within("ACK", "f2", {}), within("ACK", "f1", {}))).toEqual(["", "confirmed"]);
  });

  test("a second hop with another To tag is the same exchange", () => {
    const { events } = play([
      INVITE,
      request("INVITE", { hop: 2, sdp: "A" }),
      answers("b2", { hop: 2, sdp: "B" }),
      answers("b1", { sdp: "B" }),
      within("INVITE", "b2", { cseq: 2, sdp: "A2" }),
      within("INVITE", "b1", { cseq: 2, hop: 2, sdp: "A2" }),
      within("BYE", "b2", { cseq: 3 }),
      within("BYE", "b1", { cseq: 3, hop: 2 }),
    ]);
    expect(events.slice(2)).toEqual([
      "answered, answered0 A, answered1 B",
      "",
      "reinvite0, offered0 A2",
      "",
      "answered0 A, answered1 B",
      "ended0",
    ]);
  });
});

describe("forwarded and redirected", () => {
  test("181 is told once per attempt", () => {
    const { events } = play([
      INVITE,
      rings("f1", {}, 181),
      rings("f1", {}, 181),
      rings("f1", {}, 180),
      rings("f2", {}, 181),
      response(486, "INVITE"),
      request("INVITE", { cseq: 2, sdp: "A" }),
      response(181, "INVITE", { cseq: 2 }),
    ]);
    expect(events.slice(1)).toEqual([
      "ringing, forwarded",
      "",
      "",
      "",
      "failed486",
      "retried, offered0 early A",
      "ringing, forwarded",
    ]);
  });

  const contacts = (...values: string[]): Draft => ({ headers: values.map((value) => ["Contact", value] as const) });

  test("302 names where the caller may try next, with the same Call-ID or another", () => {
    const moved = contacts("<sip:300@x>;q=0.7, <tel:+4930123>", '"Desk" <sip:301@x;user=phone>');
    const { events } = play([
      INVITE,
      response(302, "INVITE", moved),
      request("ACK"),
      response(302, "INVITE", moved),
      request("INVITE", { cseq: 2, sdp: "A", users: ["100", "300"] }),
      response(200, "INVITE", { cseq: 2, sdp: "B", users: ["100", "300"] }),
    ]);
    expect(events.slice(1)).toEqual([
      "redirected sip:300@x tel:+4930123 sip:301@x;user=phone, failed302",
      "",
      "",
      "retried, offered0 early A",
      "answered, answered0 A, answered1 B",
    ]);
  });

  test("without a contact, or with more than are kept", () => {
    expect(after(1, INVITE, response(302, "INVITE"))).toEqual(["failed302"]);
    expect(after(1, INVITE, response(305, "INVITE", contacts("*", "<>")))).toEqual(["failed305"]);
    const many = contacts(Array.from({ length: 20 }, (_, i) => `<sip:${i}@x>`).join(","));
    expect(after(1, INVITE, response(300, "INVITE", many))[0]!.split(" ")).toHaveLength(1 + 8 + 1);
    // Of a failure that is none, Contact is something else (RFC 3261 §20.10).
    expect(after(1, INVITE, response(485, "INVITE", contacts("<sip:1@x>")))).toEqual(["failed485"]);
  });

  test("a proxy that follows it itself", () => {
    const { events } = play([
      INVITE,
      request("INVITE", { hop: 2, branch: "z9hG4bKb1", sdp: "A" }),
      response(302, "INVITE", { hop: 2, branch: "z9hG4bKb1", ...contacts("<sip:300@x>") }),
      request("INVITE", { hop: 2, branch: "z9hG4bKb2", sdp: "A" }),
      response(200, "INVITE", { hop: 2, branch: "z9hG4bKb2", sdp: "B" }),
    ]);
    expect(events.slice(1)).toEqual(["", "", "", "answered, answered0 A, answered1 B"]);
  });
});

describe("cancelled", () => {
  test("CANCEL crosses the 200, and the call is ended as it should be", () => {
    const { events, state } = play([
      INVITE,
      rings("f1", { sdp: "F1" }),
      request("CANCEL"),
      answers("f1", { sdp: "F1" }),
      response(200, "CANCEL"),
      within("ACK", "f1", {}),
      within("BYE", "f1", { cseq: 2 }),
    ]);
    expect(events.slice(2)).toEqual(["cancelled", "answered, answered0 A, answered1 F1", "", "confirmed", "ended0"]);
    expect(state.phase).toBe("ended");
  });

  test("487 of one fork after the other's answer is none of the call's", () => {
    const { events } = play([INVITE, answers("f1", { sdp: "F1" }), rings("f2", {}, 487), rings("f1", {}, 487)]);
    expect(events.slice(2)).toEqual(["", ""]);
  });
});
